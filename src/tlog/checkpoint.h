// Checkpoints (C2SP tlog-checkpoint): a log's signed tree head, who cosigned it, and what time that
// proves. docs/decisions/0010-proven-time.md has the argument for the times.
//
// Holding a Checkpoint means that the log signed it and a quorum of witnesses did. Trusted: that
// fewer witnesses than the quorum lie. Then the log can show nobody another history, and neither
// it nor those witnesses can make an old checkpoint look fresh. They can withhold one: whoever
// leaves out cosignatures can make it look older than it is, or unproven.
#pragma once

#include "tlog/quorum.h"
#include "tlog/tree.h"

namespace holdfast::tlog {

constexpr std::uint64_t kMaxCheckpointAge_s = 24 * 60 * 60;  // for what depends on fresh state
constexpr std::uint64_t kClockTolerance_s = 5 * 60;

// The text of a checkpoint, before anything is known of its signatures.
struct CheckpointText {
  std::string origin;
  TreeHead head;
  std::vector<std::string> extensions;  // ours has none; another log's are signed with the rest

  static Result<CheckpointText> parse(std::string_view text);
  std::string format() const;
  bool operator==(const CheckpointText&) const = default;
};

// Unix times in seconds, by honest witnesses' clocks.
struct ProvenTime {
  std::uint64_t current_at = 0;  // at this time or later it was the newest that a witness had seen
  std::uint64_t existed_by = 0;  // at this time or earlier a witness had seen it
  bool operator==(const ProvenTime&) const = default;
};

struct Witnessed {
  std::string witness;
  std::uint64_t time_s = 0;
};

class Checkpoint {
 public:
  // kCorrupt where it is no checkpoint, kUnsafe where it is not this log's, a known key's signature
  // is false, or fewer witnesses signed than the quorum.
  static Result<Checkpoint> verify(const TrustedLog& log, BytesView note);

  const TreeHead& head() const { return head_; }
  const std::string& origin() const { return origin_; }
  const std::vector<Witnessed>& witnessed() const { return witnessed_; }
  // Nothing where the log has no witnesses.
  const std::optional<ProvenTime>& time() const { return time_; }
  const Bytes& note() const { return note_; }  // as it came: evidence

 private:
  Checkpoint() = default;
  std::string origin_;
  TreeHead head_;
  std::vector<Witnessed> witnessed_;
  std::optional<ProvenTime> time_;
  Bytes note_;
};

// From the times of at least `quorum` witnesses, fewer than `quorum` of whom lie.
ProvenTime prove_time(const std::vector<Witnessed>& witnessed, std::size_t quorum);

// How long ago it was surely the newest. kInvalid where this device's clock is behind the proven
// time by more than five minutes: the clock is wrong, and no age can be told.
Result<std::uint64_t> age_s(const ProvenTime& time, std::uint64_t now_s);
// How much time surely lay between two checkpoints; 0 where it is not sure that any did.
std::uint64_t elapsed_s(const ProvenTime& start, const ProvenTime& end);

}  // namespace holdfast::tlog
