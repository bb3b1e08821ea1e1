#include "custody/follower.h"

#include "tlog/batch.h"
#include "tlog/leaves.h"

namespace holdfast::custody {
namespace {

Error withheld(const std::string& what) {
  return {Code::kUnavailable, "the service does not show all of its log: " + what};
}

Result<tlog::Frontier> frontier_of(const Pins& pins) {
  return tlog::Frontier::open({pins.size, pins.root},
                              std::vector<Digest>(pins.edge.begin(), pins.edge.end()));
}

}  // namespace

Result<Follower> Follower::open(tlog::TrustedLog trusted, Pins pins) {
  auto frontier = TRY(frontier_of(pins));
  return Follower(std::move(trusted), std::move(pins), std::move(frontier));
}

Result<bool> Follower::take(const api::LogView& view) {
  const auto newest = TRY(tlog::Checkpoint::verify(trusted_, view.checkpoint));
  TRY(compare(newest));
  if (frontier_.size() > newest.head().size) start_over();
  for (const Bytes& entry : view.leaves) {
    if (frontier_.size() == newest.head().size) break;
    auto learnt = learn(entry);
    if (!learnt.ok()) {
      start_over();
      return std::move(learnt).error();
    }
    frontier_.append(tlog::leaf_hash(entry));
  }
  if (frontier_.size() < newest.head().size) return false;
  if (frontier_.head() != newest.head()) {
    start_over();
    if (pins_.checkpoint.empty()) return withheld("its entries do not make the tree it signed");
    return Error{Code::kUnsafe,
                 "the service's log does not follow from what this custodian saw of it"};
  }
  pins_.size = frontier_.size();
  pins_.root = newest.head().root;
  pins_.edge = wire::Bounded<Digest, tlog::kMaxProof>(frontier_.edge());
  pins_.checkpoint = newest.note();
  pins_.epoch = learnt_.epoch;
  pins_.epoch_leaf = learnt_.leaf;
  pins_.map_root = learnt_.root;
  pins_.batch = learnt_.batch;
  return true;
}

// Where sizes alone decide.
Result<void> Follower::compare(const tlog::Checkpoint& newest) const {
  if (pins_.checkpoint.empty() || newest.head().size > pins_.size) return Ok{};
  if (newest.head() == tlog::TreeHead{pins_.size, pins_.root}) return Ok{};
  if (newest.head().size < pins_.size)
    return Error{Code::kUnsafe,
                 "the service shows an older state of its log than this custodian saw"};
  return Error{Code::kUnsafe,
               "the service's log has two histories: it signed two trees of one size"};
}

Result<void> Follower::learn(const Bytes& entry) {
  const tlog::Leaf leaf = TRY(tlog::decode_leaf(entry));
  if (const auto* const epoch = std::get_if<tlog::MapEpoch>(&leaf)) {
    TRY(tlog::check_epoch_follows(*epoch, learnt_.epoch, learnt_.leaf));
    learnt_.epoch = epoch->n;
    learnt_.leaf = tlog::leaf_hash(entry);
    learnt_.root = epoch->root;
  }
  if (const auto* const batch = std::get_if<tlog::ReleaseBatch>(&leaf)) {
    std::uint64_t newest = 0;
    std::optional<Digest> hash;
    if (!learnt_.batch.empty()) {
      newest = TRY(wire::decode<tlog::ReleaseBatch>(learnt_.batch)).n;
      hash = tlog::leaf_hash(learnt_.batch);
    }
    TRY(tlog::check_batch_follows(*batch, newest, hash));
    learnt_.batch = entry;
  }
  return Ok{};
}

void Follower::start_over() {
  auto back = frontier_of(pins_);
  HF_CHECK(back.ok());  // it was, when they were taken
  frontier_ = std::move(back).value();
  learnt_ = learnt();
}

// Where nobody witnesses the log, no time is proven, and the service's word is all there is.
Result<void> Follower::check_fresh(const api::LogView& view, TimeMs now) const {
  const auto checkpoint = TRY(tlog::Checkpoint::verify(trusted_, view.checkpoint));
  if (checkpoint.time()) {
    const auto age = TRY(tlog::age_s(*checkpoint.time(), static_cast<std::uint64_t>(now / 1000)));
    if (age > tlog::kMaxCheckpointAge_s)
      return Error{Code::kUnavailable, "the newest state of the log is older than a day"};
  }
  if (trusted_.auditors().empty() || pins_.epoch == 0) return Ok{};
  // A device is told of an audit that lags, and decides. Here nobody is, and what follows cannot be
  // undone: a map from which an entry was taken out hides what the account said last.
  if (!view.audit) return withheld("no auditor's word on its map");
  const std::uint64_t audited =
      TRY(tlog::check_audited(trusted_, *view.audit, pins_.epoch, pins_.epoch_leaf));
  if (audited < pins_.epoch)
    return Error{Code::kUnavailable, "no auditor has looked at the newest map of the log yet"};
  return Ok{};
}

Result<void> Follower::check_count(const api::LogView& view, std::uint64_t count) const {
  if (view.circle_next < count)
    return Error{Code::kUnavailable,
                 "the log has not the account's newest statement yet; it is promised within ten "
                 "minutes"};
  if (view.circle_next > count) return withheld("the account has newer statements");
  return Ok{};
}

Digest Follower::map_root() const {
  return pins_.epoch == 0 ? tlog::empty_map_root() : pins_.map_root;
}

}  // namespace holdfast::custody
