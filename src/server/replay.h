// No proof of a request counts twice, not even after a crash, and reads cost no write.
// docs/decisions/0005-replay.md
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "api/request.h"
#include "base/mutex.h"
#include "server/writer.h"

namespace holdfast::server {

// The refusal of a proof whose time is not the service's: the device learns the time and signs
// again.
inline constexpr std::string_view kWrongTime =
    "the time of this request is not the time of the service";

// Proofs remembered at one time; more are refused with kUnavailable.
struct ReplayLimits {
  std::size_t all = 1'000'000;
  std::size_t of_a_caller = 20'000;
};

// Safe from several threads. Not for two processes at once on one database.
class Replay {
 public:
  static const std::string kSchema;

  static Result<std::unique_ptr<Replay>> open(Writer& writer, std::shared_ptr<const Clock> clock,
                                              ReplayLimits limits = {});

  // Of a database that is an older copy of one in use until `now`: what that accepted since the
  // copy was made counts as accepted.
  static Result<void> raise_floor(const std::string& database, TimeMs now);

  // The service's time: after every time accepted before the start, and never going back. Where
  // the clock is behind, it runs at half speed until the clock has caught up. While nothing can be
  // written it stands still, a little before the ceiling: whoever signs with it is accepted.
  TimeMs now();

  // kDenied with kWrongTime. Cheap, to ask before the signature.
  Result<void> check_time(TimeMs time);
  // Once per proof, and only for a valid signature: kDenied if it was accepted before or its time
  // is wrong, kUnavailable if too many are remembered.
  Result<void> accept(const ReaderId& caller, const api::Nonce& nonce, TimeMs time);

  // A clean stop: the next start need not be careful beyond the times really accepted. Nothing is
  // accepted any more.
  Result<void> stop();

 private:
  using Proof = Id<struct ProofTag, 16>;
  struct Minute {
    std::unordered_set<Proof, IdHash> proofs;
    std::unordered_map<ReaderId, std::size_t, IdHash> callers;
  };

  Replay(Writer& writer, std::shared_ptr<const Clock> clock, ReplayLimits limits, TimeMs floor);

  TimeMs advance() HF_REQUIRES(mutex_);
  Result<void> judge(TimeMs time) HF_REQUIRES(mutex_);
  void forget(TimeMs now) HF_REQUIRES(mutex_);
  TimeMs open_since() const HF_REQUIRES(mutex_);
  Result<bool> needs_raise(TimeMs time);
  Result<void> raise(TimeMs time);
  Result<void> write_ceiling(TimeMs ceiling);
  Error stand_still(Error why);

  Writer& writer_;
  const std::shared_ptr<const Clock> clock_;
  const ReplayLimits limits_;
  const TimeMs floor_;  // no time up to here is accepted

  Mutex raising_;  // taken before mutex_
  Mutex mutex_;
  bool stopped_ HF_GUARDED_BY(mutex_) = false;
  TimeMs ceiling_ HF_GUARDED_BY(mutex_);        // durable; at least every time accepted
  bool still_ HF_GUARDED_BY(mutex_) = false;    // the ceiling could not be raised
  TimeMs forgotten_ HF_GUARDED_BY(mutex_) = 0;  // proofs of times before may have been forgotten
  TimeMs highest_ HF_GUARDED_BY(mutex_);
  TimeMs last_clock_ HF_GUARDED_BY(mutex_);
  TimeMs ahead_ HF_GUARDED_BY(mutex_) = 0;  // of the clock
  TimeMs uncounted_ HF_GUARDED_BY(mutex_) = 0;
  std::map<TimeMs, Minute> minutes_ HF_GUARDED_BY(mutex_);  // by the proofs' own time
  std::unordered_map<ReaderId, std::size_t, IdHash> callers_ HF_GUARDED_BY(mutex_);
  std::size_t size_ HF_GUARDED_BY(mutex_) = 0;
};

}  // namespace holdfast::server
