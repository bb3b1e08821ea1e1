// The public log as the custodian sees it: S1 to S3 of what a device asks at each sync, on pins of
// its own. What is shown comes from the service and is not trusted.
#pragma once

#include "api/doors.h"
#include "custody/format.h"
#include "tlog/checkpoint.h"
#include "tlog/follow.h"
#include "tlog/frontier.h"
#include "tlog/map_labels.h"

namespace holdfast::custody {

// One thread at a time.
class Follower {
 public:
  // kCorrupt: the pins are none.
  static Result<Follower> open(tlog::TrustedLog trusted, Pins pins);

  const tlog::TrustedLog& trusted() const { return trusted_; }
  const Pins& pins() const { return pins_; }
  // Entries taken in so far; those that no checkpoint covers yet are forgotten at a restart.
  std::uint64_t size() const { return frontier_.size(); }

  // Takes in the view's entries, which begin at size(). True: they are all that its checkpoint has,
  // and pins() is that tree now, to be stored. False: others are to come first.
  // kUnsafe: the log contradicts what this custodian saw of it. kUnavailable: it is not whole.
  Result<bool> take(const api::LogView& view);
  // After take() was true of this view: that the checkpoint is fresh, and that an auditor, where
  // the log has any, vouches for the newest map (kUnavailable).
  Result<void> check_fresh(const api::LogView& view, TimeMs now) const;
  // S4 of the circle's series: it has `count` statements, and `head` after the last. kUnavailable:
  // it has fewer yet, or more than was shown. kUnsafe: it has others.
  template <class LookupPurpose>
  Result<void> check_circle(const api::LogView& view, const crypto::Key<LookupPurpose>& lookup,
                            std::uint64_t count, const Digest& head) const;

 private:
  Follower(tlog::TrustedLog trusted, Pins pins, tlog::Frontier frontier)
      : trusted_(std::move(trusted)), pins_(std::move(pins)), frontier_(std::move(frontier)) {
    learnt_ = learnt();
  }

  struct Learnt {
    std::uint64_t epoch = 0;  // of the map
    std::optional<Digest> leaf;
    Digest root;
    Bytes batch;
  };
  Learnt learnt() const { return {pins_.epoch, pins_.epoch_leaf, pins_.map_root, pins_.batch}; }
  Result<void> compare(const tlog::Checkpoint& newest) const;
  Result<void> learn(const Bytes& entry);
  void start_over();
  Result<void> check_count(const api::LogView& view, std::uint64_t count) const;
  Digest map_root() const;

  tlog::TrustedLog trusted_;
  Pins pins_;
  tlog::Frontier frontier_;  // beyond the pins by what no checkpoint has covered yet
  Learnt learnt_;            // likewise
};

template <class LookupPurpose>
Result<void> Follower::check_circle(const api::LogView& view,
                                    const crypto::Key<LookupPurpose>& lookup, std::uint64_t count,
                                    const Digest& head) const {
  TRY(check_count(view, count));
  return tlog::verify_series(map_root(), view.circle_proof, count, head,
                             [&](std::uint64_t n) { return tlog::circle_label(lookup, n); });
}

}  // namespace holdfast::custody
