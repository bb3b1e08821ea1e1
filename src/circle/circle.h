// The circle: who belongs to an account and what was chosen, as one linear, signed, hash-chained
// list of statements. Device and store run the same Circle::apply.
//
// Holding a Circle means every statement in it was verified from genesis on: there is no other way
// to make one. Nothing here reads a clock, a file or a socket.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "circle/format.h"

namespace holdfast::circle {

// What a blob of an epoch statement is: an envelope (R_e to a reader, D_e to a vault reader) or a
// key sealed under R_e (under D_e for kVaultLink).
enum class BlobKind { kBacklink, kRoot, kVaultKey, kVaultLink, kNaming, kCutting, kVaultReader };

struct BlobSlot {
  BlobKind kind;
  ReaderId reader;  // kRoot, kVaultReader
  VaultId vault;    // the kinds of a vault
  auto operator<=>(const BlobSlot&) const = default;
};

struct Device {
  ReaderId id;
  DeviceInfo info;
  std::uint64_t admitted_seq = 0;
  std::int64_t admitted_ms = 0;  // as its admitter's clock said
  std::optional<std::uint64_t> removed_seq;
  ReaderId removed_by;

  bool member_at(std::uint64_t seq) const {
    return admitted_seq <= seq && (!removed_seq || seq < *removed_seq);
  }
};

struct Recovery {
  ReaderId id;
  RecoveryInfo info;
  std::uint64_t set_seq = 0;
  std::int64_t set_ms = 0;
};

// The provider's key holder: a reader of every vault that is not always end-to-end.
struct Custodian {
  ReaderId id;
  CustodianInfo info;
  std::uint64_t since_seq = 0;
  std::int64_t since_ms = 0;              // by the signer's clock
  std::optional<std::uint64_t> left_seq;  // the statement by which it is a reader no more
};

// An owner without devices whom the provider helped: reads what the custodian reads, in the epoch
// of the help and those before; never a member.
struct Helped {
  ReaderId id;
  DeviceInfo info;
  std::uint64_t since_seq = 0;
  std::int64_t since_ms = 0;
  std::optional<std::uint64_t> left_seq;
};

// What waits: a new recovery key, a custodian (standard level), help for an owner without devices.
struct Proposal {
  using What = std::variant<RecoveryInfo, CustodianInfo, DeviceInfo>;
  std::uint64_t seq = 0;
  std::int64_t time_ms = 0;  // as its proposer's clock said
  ReaderId proposer;
  What what;

  const RecoveryInfo* recovery() const { return std::get_if<RecoveryInfo>(&what); }
  const CustodianInfo* custodian() const { return std::get_if<CustodianInfo>(&what); }
  const DeviceInfo* helped() const { return std::get_if<DeviceInfo>(&what); }
};

struct Vault {
  VaultId id;
  std::string name;
  bool always_e2e = false;
  std::uint64_t since_seq = 0;
  std::uint32_t first_epoch = 0;
};

// What one epoch brought: the blobs by slot, filled also by statements that only add a reader.
struct Epoch {
  std::uint32_t number = 0;
  std::uint64_t start_seq = 0;
  Digest check;
  std::map<BlobSlot, BlobId> blobs;
};

// Vault heads that a statement committed to. `fresh_epoch`: it also began an epoch.
struct HeadMark {
  std::uint64_t seq = 0;
  std::uint32_t epoch = 0;
  bool fresh_epoch = false;
  std::vector<VaultHead> heads;
};

// Judges evidence of ages, where a log proves times. Pure: the same evidence is judged alike by
// everyone and for ever. (Its verifier lives with the log; the circle knows only the answer.)
class Ages {
 public:
  virtual ~Ages() = default;
  // kUnsafe unless `evidence` proves that statement `seq` with this head stood in the log for at
  // least `age_ms`, by checkpoints at the witnesses' quorum.
  virtual Result<void> check(BytesView evidence, std::uint64_t seq, const Digest& head,
                             std::int64_t age_ms) const = 0;
};

constexpr std::int64_t kMemberAgeMs = 7LL * 24 * 60 * 60 * 1000;
constexpr std::int64_t kProposalAgeMs = 3LL * 24 * 60 * 60 * 1000;
// How long a service serves an owner whom the provider helps.
constexpr std::int64_t kHelpMs = 7LL * 24 * 60 * 60 * 1000;
constexpr std::size_t kMaxProposals = 4;  // of each sort

class Circle {
 public:
  // Verifies a genesis. kCorrupt: not a statement; kUnsafe: a rule is broken; kOutdated: newer.
  // `ages`: for a circle with a log; without it every statement that relies on an age is refused.
  static Result<Circle> start(BytesView signed_genesis, std::shared_ptr<const Ages> ages = nullptr);
  // The circle after one more statement; this one is unchanged.
  // kConflict when it does not follow the head; else as start().
  Result<Circle> apply(BytesView signed_statement) const;

  const CircleId& id() const { return id_; }
  std::uint64_t seq() const { return seq_; }
  const Digest& head() const { return head_; }
  Level level() const { return level_; }
  bool has_log() const { return has_log_; }
  const std::string& region() const { return region_; }
  const Digest& trust_roots() const { return trust_roots_; }
  const Digest& lookup() const { return lookup_; }

  const std::vector<Device>& devices() const {
    return devices_;
  }  // all ever, in order of admission
  std::vector<const Device*> members() const;
  const Device* device(const ReaderId& id) const;  // also removed ones; nullptr if never admitted
  const Device* member(const ReaderId& id) const;
  const Device* member_named(std::string_view name) const;
  const std::optional<Recovery>& recovery() const { return recovery_; }
  const std::vector<Proposal>& proposals() const { return proposals_; }
  // The one that reads now; nullptr at the advanced level. All ever, the oldest first.
  const Custodian* custodian() const;
  const std::vector<Custodian>& custodians() const { return custodians_; }
  const std::vector<Helped>& helped() const { return helped_; }  // all ever
  // What a member was last shown of the service's policy; none: nothing.
  const std::optional<PolicyAck>& acknowledged() const { return acknowledged_; }
  // Whether a member's age must be proven before its word counts for a new recovery key: where a
  // log proves times, and while an older member remains.
  bool needs_age(const Device& member) const;
  std::vector<ReaderId> readers() const;  // members and the recovery key, sorted
  // Of each vault that is not always end-to-end, from the next epoch on: the custodian.
  std::vector<ReaderId> vault_readers() const;

  const std::vector<Vault>& vaults() const { return vaults_; }  // sorted by id
  const Vault* vault(const VaultId& id) const;
  const Vault* vault_named(std::string_view name) const;

  std::uint32_t epoch() const { return epochs_.back().number; }
  const std::vector<Epoch>& epochs() const { return epochs_; }  // epochs()[e - 1]
  std::uint32_t epoch_at(std::uint64_t seq) const;
  const std::vector<HeadMark>& head_marks() const { return marks_; }
  // kNotFound: no statement brought such a blob, so none may be opened.
  Result<BlobId> blob(std::uint32_t epoch, const BlobSlot& slot) const;
  // The capsule of this set_recovery, which may have been replaced since.
  bool ever_committed_capsule(const Digest& capsule) const;
  // Head after statement `seq`; seq must be at most seq().
  const Digest& head_at(std::uint64_t seq) const { return heads_.at(seq); }

 private:
  Circle() = default;
  friend class Applier;

  CircleId id_;
  std::uint64_t seq_ = 0;
  Digest head_;
  std::shared_ptr<const Ages> ages_;
  Level level_ = Level::kAdvanced;
  bool has_log_ = false;
  std::string region_;
  Digest trust_roots_;
  Digest lookup_;
  std::vector<Device> devices_;
  std::optional<Recovery> recovery_;
  std::vector<RecoveryInfo> past_recoveries_;  // their keys only
  std::vector<Proposal> proposals_;
  std::vector<Custodian> custodians_;
  std::vector<Helped> helped_;
  std::optional<PolicyAck> acknowledged_;
  std::vector<Vault> vaults_;
  std::vector<Epoch> epochs_;
  std::vector<HeadMark> marks_;
  std::map<Digest, std::uint64_t> capsules_;  // SHA-256 of each capsule -> its set_recovery
  std::vector<Digest> heads_;
};

// The blobs of a statement that begins an epoch, in order: the backlink (from epoch 2 on), the root
// for each reader, then for each vault its key, that key for each vault reader (where the vault is
// not always end-to-end), link, naming and cutting keys. All as after the statement, and sorted.
std::vector<BlobSlot> epoch_slots(const std::vector<Vault>& vaults,
                                  const std::vector<ReaderId>& readers,
                                  const std::vector<ReaderId>& vault_readers);
// Of the statements that only add: admit and the first set_recovery; a new vault; help.
std::vector<BlobSlot> reader_slots(const ReaderId& reader);
std::vector<BlobSlot> vault_slots(const Vault& vault, const std::vector<ReaderId>& vault_readers);
std::vector<BlobSlot> assist_slots(const Circle& circle, const ReaderId& helped);

// Of a statement that apply() accepted; nullopt: it brings no keys.
Result<std::optional<EpochInfo>> epoch_info(const Statement& statement);

ReaderId reader_id(const DeviceInfo& device);
ReaderId reader_id(const RecoveryInfo& recovery);
CircleId circle_id(const DeviceInfo& first, const std::array<std::uint8_t, 32>& nonce);
Digest roots_hash(const TrustRoots& roots);  // what a genesis has of them

// What a new device signs to be admitted, and to be made a member by the recovery key.
Bytes admission_bytes(const CircleId& circle, const Digest& request, const ReaderId& device);
Bytes recovery_bytes(const CircleId& circle, const Digest& prev, const ReaderId& device);

// ---- making statements; the signer checks nothing, apply() does ----

struct Draft {
  CircleId circle;
  std::uint64_t seq = 0;
  Digest prev;
  std::int64_t time_ms = 0;
  StatementType type{};
  ReaderId signer;
  Bytes body;
};
SignedStatement sign_statement(const Draft& draft, const crypto::SigningKey& key);
// By a custodian, whose signature is Ed25519.
SignedStatement sign_statement(const Draft& draft, const crypto::Ed25519Key& fleet);
void cosign(SignedStatement& statement, const ReaderId& signer, const crypto::SigningKey& key);

// The first statement's place: what apply() will read from it.
Digest statement_head(BytesView signed_statement);

inline constexpr std::string_view kAdmissionLabel = "holdfast/v1/admission/countersign";
inline constexpr std::string_view kRecoveryLabel = "holdfast/v1/recovery/countersign";

}  // namespace holdfast::circle
