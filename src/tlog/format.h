// What the log's entries, its map's files and its promises are made of. docs/formats/tlog.md has
// the CDDL and an example of each; notes, tiles and checkpoints are C2SP's and not repeated here.
//
// All of it is public and comes from the service, which is not trusted: an entry counts once it is
// proven to be in a verified checkpoint, a promise or an audit once its signature is verified.
#pragma once

#include <array>
#include <compare>

#include "base/id.h"
#include "wire/fields.h"

namespace holdfast::tlog {

using MapLabel = Id<struct MapLabelTag, 32>;  // where a value stands in a map; tells nobody what

constexpr std::size_t kMaxWitnesses = 16;
constexpr std::size_t kMaxAuditors = 4;
constexpr std::size_t kMaxDelta = std::size_t{1} << 20;
constexpr std::uint64_t kNotice_s = 7 * 24 * 60 * 60;  // from an entry to what it brings in

// ---- trust roots ----

struct KeyHolder {
  std::string name;
  std::array<std::uint8_t, 32> key{};  // Ed25519
  static constexpr auto kFields = wire::fields(&KeyHolder::name, &KeyHolder::key);
  bool operator==(const KeyHolder&) const = default;
};

// The part of an account's trust roots that concerns the log; quorum.h says what makes sense.
struct LogRoots {
  wire::Fixed<"holdfast/v1/log-roots"> label;
  KeyHolder log;  // its name is the origin of its checkpoints
  wire::Bounded<KeyHolder, kMaxWitnesses> witnesses;
  std::uint32_t quorum = 0;
  wire::Bounded<KeyHolder, kMaxAuditors> auditors;
  static constexpr auto kFields =
      wire::fields(&LogRoots::label, &LogRoots::log, &LogRoots::witnesses, &LogRoots::quorum,
                   &LogRoots::auditors);
};

// ---- entries of the log ----

// A generation of the map of accounts. Each names the one before: none can be left out.
struct MapEpoch {
  wire::Fixed<"holdfast/v1/leaf/map-epoch"> label;
  std::uint64_t n = 0;             // the first is 1
  std::optional<Digest> previous;  // leaf hash of epoch n - 1
  Digest root;                     // of the map
  std::uint64_t entries = 0;       // in the whole map
  Digest delta;                    // SHA-256 of the encoded MapDelta
  std::uint64_t audited = 0;       // newest epoch of which the log held an audit; 0 for none
  static constexpr auto kFields =
      wire::fields(&MapEpoch::label, &MapEpoch::n, &MapEpoch::previous, &MapEpoch::root,
                   &MapEpoch::entries, &MapEpoch::delta, &MapEpoch::audited);
};

struct PolicyLeaf {
  wire::Fixed<"holdfast/v1/leaf/policy"> label;
  std::uint64_t version = 0;
  Digest policy;  // SHA-256 of the signed policy
  std::uint64_t in_effect_from_s = 0;
  static constexpr auto kFields = wire::fields(&PolicyLeaf::label, &PolicyLeaf::version,
                                               &PolicyLeaf::policy, &PolicyLeaf::in_effect_from_s);
};

// The key that signs the custodian's public keys.
struct CustodyKey {
  wire::Fixed<"holdfast/v1/leaf/custody-key"> label;
  std::array<std::uint8_t, 32> fleet_key{};
  std::uint64_t in_effect_from_s = 0;
  static constexpr auto kFields =
      wire::fields(&CustodyKey::label, &CustodyKey::fleet_key, &CustodyKey::in_effect_from_s);
};

// That the custodian deleted somebody's key. Only who holds the receipt knows whose.
struct DeletionReceipt {
  wire::Fixed<"holdfast/v1/leaf/deletion-receipt"> label;
  Digest receipt;  // SHA-256 of the signed receipt, which has a random nonce
  static constexpr auto kFields = wire::fields(&DeletionReceipt::label, &DeletionReceipt::receipt);
};

struct ReleasedFile {
  std::string name;
  Digest sha256;
  static constexpr auto kFields = wire::fields(&ReleasedFile::name, &ReleasedFile::sha256);
};

struct SoftwareRelease {
  wire::Fixed<"holdfast/v1/leaf/software-release"> label;
  std::string version;
  std::string platform;
  wire::Bounded<ReleasedFile, 64> files;
  static constexpr auto kFields = wire::fields(&SoftwareRelease::label, &SoftwareRelease::version,
                                               &SoftwareRelease::platform, &SoftwareRelease::files);
};

// New trust roots. They count once this entry was cosigned by the old quorum, and not before the
// notice is over.
struct TrustChange {
  wire::Fixed<"holdfast/v1/leaf/trust-change"> label;
  Digest previous;  // SHA-256 of the encoded trust roots that these replace
  Bytes roots;      // encoded trust roots
  std::uint64_t in_effect_from_s = 0;
  static constexpr auto kFields = wire::fields(&TrustChange::label, &TrustChange::previous,
                                               &TrustChange::roots, &TrustChange::in_effect_from_s);
};

// What the custodian released: a map with one position for every standard account.
struct ReleaseBatch {
  wire::Fixed<"holdfast/v1/leaf/release-batch"> label;
  std::uint64_t n = 0;             // the first is 1
  std::optional<Digest> previous;  // leaf hash of batch n - 1
  Digest root;                     // of the map of positions
  std::uint64_t accounts = 0;      // positions
  std::uint8_t open_days = 0;      // by then each account has its opening; 90 at most
  static constexpr auto kFields =
      wire::fields(&ReleaseBatch::label, &ReleaseBatch::n, &ReleaseBatch::previous,
                   &ReleaseBatch::root, &ReleaseBatch::accounts, &ReleaseBatch::open_days);
};

// ---- maps ----

struct MapEntry {
  MapLabel label;
  Digest value;
  static constexpr auto kFields = wire::fields(&MapEntry::label, &MapEntry::value);
  auto operator<=>(const MapEntry&) const = default;
};

// The file that an epoch's `delta` is the SHA-256 of.
struct MapDelta {
  wire::Fixed<"holdfast/v1/map-delta"> label;
  std::uint64_t n = 0;
  wire::Bounded<MapEntry, kMaxDelta> entries;  // labels strictly increasing
  static constexpr auto kFields = wire::fields(&MapDelta::label, &MapDelta::n, &MapDelta::entries);
};

// That a label stands in a map, or that it does not; map.h verifies it.
struct MapProof {
  wire::Bounded<Digest, 256> siblings;  // from the root down
  std::optional<MapEntry> other;        // the entry that stands where an absent label would
  static constexpr auto kFields = wire::fields(&MapProof::siblings, &MapProof::other);
  bool operator==(const MapProof&) const = default;
};

// That a series has its numbers up to one, and no next: what a device is shown of its account.
struct SeriesProof {
  std::optional<MapProof> last;  // none where the series is empty
  MapProof next;
  static constexpr auto kFields = wire::fields(&SeriesProof::last, &SeriesProof::next);
};

// ---- what a batch has at one account's position (batch.h) ----

// One vault's key, given to somebody.
struct Release {
  VaultId vault;
  std::uint32_t epoch = 0;
  Digest recipient;   // SHA-256 of the public key it was wrapped to
  Digest instrument;  // SHA-256 of the demand
  static constexpr auto kFields =
      wire::fields(&Release::vault, &Release::epoch, &Release::recipient, &Release::instrument);
  bool operator==(const Release&) const = default;
};

constexpr std::size_t kMaxReleases = 256;
struct BatchEntry {
  wire::Fixed<"holdfast/v1/batch-entry"> label;
  CircleId circle;
  std::uint64_t batch = 0;
  wire::Bounded<Release, kMaxReleases> releases;  // mostly none
  static constexpr auto kFields = wire::fields(&BatchEntry::label, &BatchEntry::circle,
                                               &BatchEntry::batch, &BatchEntry::releases);
};

// What hides the entry until the account is told: its value in the batch's map is a hash over both.
struct BatchOpening {
  std::array<std::uint8_t, 32> nonce{};
  Bytes entry;  // encoded BatchEntry
  static constexpr auto kFields = wire::fields(&BatchOpening::nonce, &BatchOpening::entry);
};

// What a batch has at an account's position: this value, or nothing.
struct PositionProof {
  std::optional<Digest> value;
  MapProof proof;
  static constexpr auto kFields = wire::fields(&PositionProof::value, &PositionProof::proof);
};

// ---- policies (notice.h) ----

struct Policy {
  wire::Fixed<"holdfast/v1/policy"> label;
  std::uint64_t version = 0;       // the first is 1
  std::optional<Digest> previous;  // SHA-256 of the signed policy before
  std::uint64_t in_effect_from_s = 0;
  Bytes rules;  // what it says, for who enforces it
  static constexpr auto kFields = wire::fields(&Policy::label, &Policy::version, &Policy::previous,
                                               &Policy::in_effect_from_s, &Policy::rules);
};

struct SignedPolicy {
  Bytes policy;
  std::array<std::uint8_t, 64> signature{};  // by the policy key
  static constexpr auto kFields = wire::fields(&SignedPolicy::policy, &SignedPolicy::signature);
};

// An entry, proven to be in a checkpoint that the log and its witnesses signed. With the first such
// checkpoint it proves how long before it takes effect something stood in the log.
struct LeafProof {
  Bytes leaf;
  std::uint64_t index = 0;
  wire::Bounded<Digest, 63> inclusion;
  Bytes checkpoint;  // a signed note
  static constexpr auto kFields = wire::fields(&LeafProof::leaf, &LeafProof::index,
                                               &LeafProof::inclusion, &LeafProof::checkpoint);
};

// That an entry stood in the map of accounts for some time: in a generation of the map that both
// checkpoints have. tlog/age.h judges it.
struct AgeEvidence {
  wire::Fixed<"holdfast/v1/age-evidence"> label;
  Bytes start;  // signed notes
  Bytes end;
  Bytes epoch;              // the MapEpoch
  std::uint64_t index = 0;  // its place in the log
  wire::Bounded<Digest, 63> in_start;
  wire::Bounded<Digest, 63> in_end;
  MapProof proof;  // that the entry stands in that generation
  static constexpr auto kFields = wire::fields(
      &AgeEvidence::label, &AgeEvidence::start, &AgeEvidence::end, &AgeEvidence::epoch,
      &AgeEvidence::index, &AgeEvidence::in_start, &AgeEvidence::in_end, &AgeEvidence::proof);
};
// Two of them, and the keys of an epoch, fit into one statement.
constexpr std::size_t kMaxAgeEvidence = 24 * 1024;

// ---- what is signed besides notes ----

// That a statement, once accepted, will be in the map by then. Signed by the log's key.
struct Promise {
  wire::Fixed<"holdfast/v1/promise"> label;
  CircleId circle;
  std::uint64_t seq = 0;
  Digest head;
  std::uint64_t include_by_s = 0;
  static constexpr auto kFields = wire::fields(&Promise::label, &Promise::circle, &Promise::seq,
                                               &Promise::head, &Promise::include_by_s);
};

// The same of a record of a vault: by then it, or one that follows it, stands in the account's data
// series.
struct RecordPromise {
  wire::Fixed<"holdfast/v1/record-promise"> label;
  CircleId circle;
  VaultId vault;
  std::uint64_t n = 0;
  Digest head;
  std::uint64_t include_by_s = 0;
  static constexpr auto kFields =
      wire::fields(&RecordPromise::label, &RecordPromise::circle, &RecordPromise::vault,
                   &RecordPromise::n, &RecordPromise::head, &RecordPromise::include_by_s);
};

// Of either; each is signed under a label of its own.
struct SignedPromise {
  Bytes promise;
  std::array<std::uint8_t, 64> signature{};
  static constexpr auto kFields = wire::fields(&SignedPromise::promise, &SignedPromise::signature);
};

// That an auditor replayed every delta up to an epoch of the map, and found the epoch's entry in
// this tree.
struct Audit {
  wire::Fixed<"holdfast/v1/map-audit"> label;
  std::string origin;
  std::uint64_t n = 0;
  Digest leaf;  // leaf hash of the epoch
  std::uint64_t tree_size = 0;
  Digest tree_root;
  std::uint64_t time_s = 0;  // by the auditor's clock
  static constexpr auto kFields =
      wire::fields(&Audit::label, &Audit::origin, &Audit::n, &Audit::leaf, &Audit::tree_size,
                   &Audit::tree_root, &Audit::time_s);
};

// What an auditor is sent: an epoch's entry, proven to be in a checkpoint, and its delta.
struct AuditBody {
  Bytes checkpoint;  // a signed note
  std::uint64_t index = 0;
  Bytes leaf;
  wire::Bounded<Digest, 63> inclusion;
  Bytes delta;
  static constexpr auto kFields =
      wire::fields(&AuditBody::checkpoint, &AuditBody::index, &AuditBody::leaf,
                   &AuditBody::inclusion, &AuditBody::delta);
};
constexpr std::size_t kMaxAuditBody = 16 * 1024 * 1024;

struct SignedAudit {
  std::array<std::uint8_t, 32> auditor{};  // its key
  Bytes audit;
  std::array<std::uint8_t, 64> signature{};
  static constexpr auto kFields =
      wire::fields(&SignedAudit::auditor, &SignedAudit::audit, &SignedAudit::signature);
};

}  // namespace holdfast::tlog
