// What a device remembers of the log, and evidence against one. docs/formats/evidence.md
#pragma once

#include "circle/format.h"
#include "tlog/format.h"
#include "tlog/tree.h"

namespace holdfast::vault {

// A batch that has something at the account's position, and has not been opened.
struct ClosedBatch {
  std::uint64_t n = 0;
  Digest value;
  std::uint64_t due_s = 0;
  static constexpr auto kFields =
      wire::fields(&ClosedBatch::n, &ClosedBatch::value, &ClosedBatch::due_s);
};

enum class Notice : std::uint8_t { kUnproven = 1, kGiven, kShort, kLast = kShort };

struct SeenPolicy {
  Bytes leaf;
  std::uint64_t index = 0;
  Notice notice{};
  static constexpr auto kFields =
      wire::fields(&SeenPolicy::leaf, &SeenPolicy::index, &SeenPolicy::notice);
};

// The newest tree that this device replayed, entry by entry.
struct LogPins {
  wire::Fixed<"holdfast/v1/log-pins"> label;
  std::uint64_t size = 0;
  Digest root;
  wire::Bounded<Digest, tlog::kMaxProof> edge;
  Bytes checkpoint;                  // the signed note
  std::uint64_t epoch = 0;           // of the map; 0: none yet
  std::optional<Digest> epoch_leaf;  // leaf hash of its entry
  Bytes epoch_entry;
  std::uint64_t epoch_index = 0;
  Digest map_root;
  // The first statement, and the first moment by this device's clock, that it knew and the map
  // did not; likewise for records.
  std::uint64_t circle_behind = 0;
  std::int64_t circle_behind_ms = 0;
  std::uint64_t data_behind = 0;
  std::int64_t data_behind_ms = 0;
  wire::Bounded<Bytes, 64> promises;         // signed, for statements that the map has not
  wire::Bounded<Bytes, 64> record_promises;  // likewise for records of vaults
  std::uint64_t included = 0;  // statements of the circle that the map was proven to have
  // Release batches: the newest, what waits for its opening, what was released and shown.
  std::uint64_t batch = 0;
  std::optional<Digest> batch_leaf;
  wire::Bounded<ClosedBatch, 4096> closed;
  wire::Bounded<Bytes, 1024> released;     // encoded batch entries, the newest first
  wire::Bounded<SeenPolicy, 64> policies;  // the newest last
  wire::Bounded<Bytes, 16> changes;        // of trust roots: their leaves, the newest last
  static constexpr auto kFields = wire::fields(
      &LogPins::label, &LogPins::size, &LogPins::root, &LogPins::edge, &LogPins::checkpoint,
      &LogPins::epoch, &LogPins::epoch_leaf, &LogPins::epoch_entry, &LogPins::epoch_index,
      &LogPins::map_root, &LogPins::circle_behind, &LogPins::circle_behind_ms,
      &LogPins::data_behind, &LogPins::data_behind_ms, &LogPins::promises,
      &LogPins::record_promises, &LogPins::included, &LogPins::batch, &LogPins::batch_leaf,
      &LogPins::closed, &LogPins::released, &LogPins::policies, &LogPins::changes);
};

// What a device found that cannot be true of its service, and how the person judged it. Text as
// bytes: it may have a path in it.
struct Contradiction {
  Bytes sentence;
  std::int64_t found_ms = 0;
  std::int64_t judged_ms = 0;  // 0: it stands
  Bytes reason{};
  static constexpr auto kFields = wire::fields(&Contradiction::sentence, &Contradiction::found_ms,
                                               &Contradiction::judged_ms, &Contradiction::reason);
};

struct Contradictions {
  wire::Fixed<"holdfast/v1/log-contradictions"> label;
  wire::Bounded<Contradiction, 64> all;  // the newest last; only that one may stand
  static constexpr auto kFields = wire::fields(&Contradictions::label, &Contradictions::all);
};

enum class EvidenceKind : std::uint8_t {
  kFork = 1,       // two checkpoints of one size
  kInconsistent,   // two checkpoints; the newer does not follow from the older
  kMissedPromise,  // a promise, and a checkpoint after it was due whose map has not the statement
  kMissedRecord,   // the same of a record: the map's newest heads of the vaults are from before
  kLast = kMissedRecord
};

// The heads of an account's vaults, as the last label of its data series stands for them.
struct ShownHeads {
  tlog::MapLabel map_label;
  tlog::MapProof presence;
  wire::Bounded<circle::VaultHead, circle::kMaxVaults> heads;
  static constexpr auto kFields =
      wire::fields(&ShownHeads::map_label, &ShownHeads::presence, &ShownHeads::heads);
};

constexpr std::size_t kMaxLater = 256;

// Self-contained: signatures of the log itself, and what they contradict.
struct Evidence {
  wire::Fixed<"holdfast/v1/log-evidence"> label;
  EvidenceKind kind{};
  tlog::LogRoots roots;
  Bytes first;   // the older checkpoint, or the promise
  Bytes second;  // the newer checkpoint
  // Of a missed promise: the map epoch's entry in `second`, its place, all entries after it (none:
  // there are none, or too many), and that the label is absent. Of an inconsistent log `inclusion`
  // is for tlog::prefix_root(); none: it was withheld.
  Bytes epoch{};
  std::uint64_t index = 0;
  wire::Bounded<Digest, tlog::kMaxProof + 1> inclusion{};
  wire::Bounded<Bytes, kMaxLater> later{};
  tlog::MapLabel map_label{};
  tlog::MapProof absence{};
  std::optional<ShownHeads> shown{};  // of a record; none: the series has no label yet
  static constexpr auto kFields =
      wire::fields(&Evidence::label, &Evidence::kind, &Evidence::roots, &Evidence::first,
                   &Evidence::second, &Evidence::epoch, &Evidence::index, &Evidence::inclusion,
                   &Evidence::later, &Evidence::map_label, &Evidence::absence, &Evidence::shown);
};

}  // namespace holdfast::vault
