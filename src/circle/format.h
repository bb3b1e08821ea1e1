// The circle's statements and the vaults' records: what is signed, hashed and chained.
// docs/formats/circle.md has the CDDL, the limits and an example of each.
//
// The store keeps and orders these bytes; whoever controls it can withhold them, never forge them.
#pragma once

#include "base/id.h"
#include "crypto/ed25519.h"
#include "crypto/sign.h"
#include "crypto/wrap.h"
#include "wire/fields.h"

namespace holdfast::circle {

constexpr std::uint8_t kSuite = 1;
constexpr std::size_t kMaxBody = 64 * 1024;
constexpr std::size_t kMaxStatement = kMaxBody + 4096;
constexpr std::size_t kMaxRecord = 4 * 1024 * 1024;
constexpr std::size_t kMaxSegments = 1024;  // of each sort, in use in a vault
constexpr std::size_t kMaxForgets = 65536;  // in one record, as are the next
constexpr std::size_t kMaxDropped = 16384;
constexpr std::size_t kMaxDevices = 64;
constexpr std::size_t kMaxVaults = 64;
constexpr std::size_t kMaxCapsule = 16 * 1024;

enum class StatementType : std::uint8_t {
  kGenesis = 1,
  kAdmit,
  kRemove,
  kRotate,
  kSetLevel,
  kSetVault,
  kSetRegion,
  kSetRecovery,
  kPropose,
  kComplete,
  kCancel,
  kRecover,
  kAssist,
  kPolicyAck,
  kGrantWeb,  // reserved, as is the next
  kRevokeWeb,
  kLast = kRevokeWeb
};

enum class Level : std::uint8_t { kStandard = 1, kAdvanced, kLast = kAdvanced };

struct DeviceInfo {
  std::string name;  // 1 to 64 bytes, no control characters, unique among the members
  std::array<std::uint8_t, crypto::VerifyKey::kSize> verify_key{};
  std::array<std::uint8_t, crypto::WrapPublicKey::kSize> wrap_key{};
  static constexpr auto kFields =
      wire::fields(&DeviceInfo::name, &DeviceInfo::verify_key, &DeviceInfo::wrap_key);
};

// The provider's key for one account: at the standard level a reader of every vault that is not
// always end-to-end. Issued by the provider's fleet key (circle/custody.h verifies it).
struct CustodianInfo {
  std::array<std::uint8_t, crypto::WrapPublicKey::kSize> wrap_key{};
  std::array<std::uint8_t, crypto::Ed25519PublicKey::kSize> fleet_key{};
  crypto::Ed25519Signature signature{};  // the fleet key's, over custodian_bytes()
  static constexpr auto kFields =
      wire::fields(&CustodianInfo::wrap_key, &CustodianInfo::fleet_key, &CustodianInfo::signature);
};

// The newest record of a vault: n = 0 and a zero head before the first.
struct VaultHead {
  VaultId vault;
  std::uint64_t n = 0;
  Digest head;
  static constexpr auto kFields = wire::fields(&VaultHead::vault, &VaultHead::n, &VaultHead::head);
  bool operator==(const VaultHead&) const = default;
};

// In every statement that changes who reads. `blobs` are the SHA-256 of each envelope and sealed
// key that the statement brings, in the order of epoch_slots(): a device opens no other.
struct EpochInfo {
  std::uint32_t epoch = 0;
  Digest check;  // HMAC under R_e: every reader got the same root
  wire::Bounded<BlobId, 1024> blobs;
  wire::Bounded<VaultHead, kMaxVaults> vault_heads;  // every vault, sorted by id
  static constexpr auto kFields = wire::fields(&EpochInfo::epoch, &EpochInfo::check,
                                               &EpochInfo::blobs, &EpochInfo::vault_heads);
};

// ---- bodies ----

struct Genesis {
  DeviceInfo device;
  std::array<std::uint8_t, 32> nonce{};  // with the device, what circle_id commits to
  std::string region;
  Level level{};
  std::optional<CustodianInfo> custodian;  // at the standard level, and only there
  bool has_log = false;  // whether the trust roots name a log; proven times come from it
  Digest trust_roots;    // labelled SHA-256 of the encoded TrustRoots
  Digest lookup;         // a MAC under the lookup key commits to it
  EpochInfo epoch;
  static constexpr auto kFields = wire::fields(
      &Genesis::device, &Genesis::nonce, &Genesis::region, &Genesis::level, &Genesis::custodian,
      &Genesis::has_log, &Genesis::trust_roots, &Genesis::lookup, &Genesis::epoch);
};

struct Admit {
  DeviceInfo device;
  Digest request;                        // SHA-256 of the request to join
  crypto::Signature countersignature{};  // the new device's, over admission_bytes()
  EpochInfo epoch;
  static constexpr auto kFields =
      wire::fields(&Admit::device, &Admit::request, &Admit::countersignature, &Admit::epoch);
};

struct Remove {
  wire::Bounded<ReaderId, kMaxDevices> devices;  // sorted, at least one, not the signer
  EpochInfo epoch;
  static constexpr auto kFields = wire::fields(&Remove::devices, &Remove::epoch);
};

struct Rotate {
  EpochInfo epoch;
  static constexpr auto kFields = wire::fields(&Rotate::epoch);
};

// To advanced: the custodian is a reader no more. To standard: this custodian becomes one.
struct SetLevel {
  Level level{};
  std::optional<CustodianInfo> custodian;  // where it becomes one
  std::uint64_t policy = 0;                // the version in effect that its signer saw; 0: none
  wire::Bounded<Bytes, 4> evidence;        // of ages: the signer's, then the cosigner's
  EpochInfo epoch;
  static constexpr auto kFields =
      wire::fields(&SetLevel::level, &SetLevel::custodian, &SetLevel::policy, &SetLevel::evidence,
                   &SetLevel::epoch);
};

struct SetVault {
  VaultId vault;
  std::string name;
  bool always_e2e = false;
  EpochInfo epoch;
  static constexpr auto kFields =
      wire::fields(&SetVault::vault, &SetVault::name, &SetVault::always_e2e, &SetVault::epoch);
};

struct SetRegion {
  std::string region;
  static constexpr auto kFields = wire::fields(&SetRegion::region);
};

struct RecoveryInfo {
  std::array<std::uint8_t, crypto::VerifyKey::kSize> verify_key{};
  std::array<std::uint8_t, crypto::WrapPublicKey::kSize> wrap_key{};
  LocateId locate;
  Bytes capsule;  // sealed under the recovery key
  static constexpr auto kFields = wire::fields(&RecoveryInfo::verify_key, &RecoveryInfo::wrap_key,
                                               &RecoveryInfo::locate, &RecoveryInfo::capsule);
};

struct SetRecovery {
  RecoveryInfo recovery;
  wire::Bounded<Bytes, 4>
      evidence;  // of ages: the signer's, then the cosigner's, where it is asked
  EpochInfo epoch;
  static constexpr auto kFields =
      wire::fields(&SetRecovery::recovery, &SetRecovery::evidence, &SetRecovery::epoch);
};

// A replacement of the recovery key, or a custodian's return, that nobody else vouches for waits
// three days, so that the owner of a stolen device can cancel it. No key is handed out before it is
// completed. Exactly one of the two.
struct Propose {
  std::optional<RecoveryInfo> recovery;
  std::optional<CustodianInfo> custodian;
  static constexpr auto kFields = wire::fields(&Propose::recovery, &Propose::custodian);
};

// The provider helps an owner who has no device left: signed by the fleet key, a proposal like the
// above. Completed, the owner's new keys read what the custodian reads, and sign nothing.
struct Assist {
  DeviceInfo helped;
  static constexpr auto kFields = wire::fields(&Assist::helped);
};

// That a member was shown a policy of the service.
struct PolicyAck {
  std::uint64_t version = 0;
  Digest policy;  // SHA-256 of the signed policy
  static constexpr auto kFields = wire::fields(&PolicyAck::version, &PolicyAck::policy);
};

struct Complete {
  std::uint64_t proposal = 0;  // its seq
  Bytes evidence;              // that it has stood long enough
  EpochInfo epoch;
  static constexpr auto kFields =
      wire::fields(&Complete::proposal, &Complete::evidence, &Complete::epoch);
};

struct Cancel {
  std::uint64_t proposal = 0;
  static constexpr auto kFields = wire::fields(&Cancel::proposal);
};

struct Recover {
  DeviceInfo device;
  crypto::Signature countersignature{};       // the new device's, over recovery_bytes()
  wire::Bounded<ReaderId, kMaxDevices> kept;  // sorted; every other device is removed
  EpochInfo epoch;
  static constexpr auto kFields =
      wire::fields(&Recover::device, &Recover::countersignature, &Recover::kept, &Recover::epoch);
};

// ---- the chain ----

struct Statement {
  wire::Fixed<"holdfast/v1/statement"> label;
  std::uint8_t suite = kSuite;
  CircleId circle;
  std::uint64_t seq = 0;     // genesis is 0
  Digest prev;               // head before; zero for genesis
  std::int64_t time_ms = 0;  // by the signer's clock; shown, never relied on
  StatementType type{};
  ReaderId signer;
  Bytes body;
  static constexpr auto kFields = wire::fields(
      &Statement::label, &Statement::suite, &Statement::circle, &Statement::seq, &Statement::prev,
      &Statement::time_ms, &Statement::type, &Statement::signer, &Statement::body);
};

struct Cosignature {
  ReaderId signer;
  crypto::Signature signature{};
  static constexpr auto kFields = wire::fields(&Cosignature::signer, &Cosignature::signature);
};

struct SignedStatement {
  Bytes statement;
  crypto::Signature signature{};
  wire::Bounded<Cosignature, 4> cosignatures;
  static constexpr auto kFields = wire::fields(
      &SignedStatement::statement, &SignedStatement::signature, &SignedStatement::cosignatures);
};

// ---- records of a vault ----

// What each kind carries beside the segments in use: docs/formats/circle.md#kinds-of-records.
enum class RecordKind : std::uint8_t {
  kSnapshot = 1,  // snapshot
  kForget,        // forgets
  kRekey,         // dropped, which may be empty
  kPrune,         // dropped
  kUndo,          // forgets and kept, either of which may be empty
  kLast = kUndo
};

struct KeySegmentRef {
  PackId object;            // SHA-256 of the sealed segment
  std::uint32_t epoch = 0;  // whose vault key seals it
  static constexpr auto kFields = wire::fields(&KeySegmentRef::object, &KeySegmentRef::epoch);
  bool operator==(const KeySegmentRef&) const = default;
};

struct Record {
  wire::Fixed<"holdfast/v1/record"> label;
  std::uint8_t suite = kSuite;
  CircleId circle;
  VaultId vault;
  std::uint64_t n = 0;  // the first is 1
  Digest prev;
  std::uint64_t circle_seq = 0;  // the newest statement its writer had verified
  Digest circle_head;            // its head: a record of one fork of the circle is void in another
  std::uint32_t epoch = 0;       // current at circle_seq
  std::int64_t time_ms = 0;      // by the signer's clock
  RecordKind kind{};
  ReaderId signer;
  std::optional<PackId> snapshot;  // the pack with the snapshot's root
  // All that are in use, not only new ones.
  wire::Bounded<KeySegmentRef, kMaxSegments> key_segments;
  wire::Bounded<PackId, kMaxSegments> index_segments;
  // The rest strictly ascending.
  wire::Bounded<std::uint64_t, kMaxForgets> forgets;  // records whose snapshots are shown no more
  wire::Bounded<PackId, kMaxDropped> dropped;         // the store may delete these after a time
  wire::Bounded<PackId, kMaxDropped> kept;            // not these after all
  static constexpr auto kFields = wire::fields(
      &Record::label, &Record::suite, &Record::circle, &Record::vault, &Record::n, &Record::prev,
      &Record::circle_seq, &Record::circle_head, &Record::epoch, &Record::time_ms, &Record::kind,
      &Record::signer, &Record::snapshot, &Record::key_segments, &Record::index_segments,
      &Record::forgets, &Record::dropped, &Record::kept);
};

struct SignedRecord {
  Bytes record;
  crypto::Signature signature{};
  static constexpr auto kFields = wire::fields(&SignedRecord::record, &SignedRecord::signature);
};

// ---- what a custodian says of its keys (circle/custody.h) ----

// That the provider destroyed the key of a custodian that is a reader no more.
struct DeletionReceipt {
  wire::Fixed<"holdfast/v1/custodian-receipt"> label;
  CircleId circle;
  ReaderId custodian;
  std::uint64_t seq = 0;  // of the newest statement that the custodian had verified
  Digest head;
  std::uint64_t time_s = 0;  // by its clock
  std::array<std::uint8_t, 32> nonce{};
  static constexpr auto kFields =
      wire::fields(&DeletionReceipt::label, &DeletionReceipt::circle, &DeletionReceipt::custodian,
                   &DeletionReceipt::seq, &DeletionReceipt::head, &DeletionReceipt::time_s,
                   &DeletionReceipt::nonce);
};

struct SignedReceipt {
  Bytes receipt;
  crypto::Ed25519Signature signature{};  // by the fleet key
  static constexpr auto kFields = wire::fields(&SignedReceipt::receipt, &SignedReceipt::signature);
};

// Whom a device trusts besides the circle itself. Hashed into genesis, MACed to joiners, kept in
// the recovery capsule. All empty where there is no service (`dir:`).
struct TrustRoots {
  wire::Fixed<"holdfast/v1/trust-roots"> label;
  Bytes tls_pin;
  Bytes log;  // encoded tlog::LogRoots: the log, its witnesses and quorum, its auditors
  Bytes policy_key;
  Bytes fleet_key;
  static constexpr auto kFields =
      wire::fields(&TrustRoots::label, &TrustRoots::tls_pin, &TrustRoots::log,
                   &TrustRoots::policy_key, &TrustRoots::fleet_key);
};

}  // namespace holdfast::circle
