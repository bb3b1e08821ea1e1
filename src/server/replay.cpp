#include "server/replay.h"

#include <algorithm>

#include "crypto/hash.h"
#include "server/rows.h"

namespace holdfast::server {
namespace {

constexpr TimeMs kMinuteMs = 60'000;
constexpr TimeMs kStepMs = kMinuteMs;  // one durable write covers so much time
// While time stands still: how long a device that learned it can sign before it must ask again.
constexpr TimeMs kStillMs = 4 * kMinuteMs;

Error wrong_time() { return {Code::kDenied, std::string(kWrongTime)}; }

}  // namespace

const std::string Replay::kSchema =
    "CREATE TABLE IF NOT EXISTS replay("
    "  id INTEGER PRIMARY KEY CHECK(id = 1),"
    "  ceiling INTEGER NOT NULL);";

Result<std::unique_ptr<Replay>> Replay::open(Writer& writer, std::shared_ptr<const Clock> clock,
                                             ReplayLimits limits) {
  TimeMs floor = 0;
  const Result<void> done = writer.read([&](sql::Database& database) -> Result<void> {
    sql::Statement row = TRY(database.prepare_cached("SELECT ceiling FROM replay WHERE id = 1"));
    const bool there = TRY(row.step());
    if (there) floor = TRY(row.column_int(0));
    return Ok{};
  });
  TRY(done);
  return std::unique_ptr<Replay>(new Replay(writer, std::move(clock), limits, floor));
}

// The times that were accepted are at most a window ahead of the clock.
Result<void> Replay::raise_floor(const std::string& path, TimeMs now) {
  auto database = TRY(sql::Database::open(path));
  TRY(database.execute(kSchema));
  return run(database,
             "INSERT INTO replay(id, ceiling) VALUES(1, ?1) "
             "ON CONFLICT(id) DO UPDATE SET ceiling = max(ceiling, ?1)",
             now + api::kRequestWindowMs);
}

Replay::Replay(Writer& writer, std::shared_ptr<const Clock> clock, ReplayLimits limits,
               TimeMs floor)
    : writer_(writer),
      clock_(std::move(clock)),
      limits_(limits),
      floor_(floor),
      ceiling_(floor),
      highest_(floor),
      last_clock_(clock_->now()),
      // Past the floor, so that whoever signs with the service's time is accepted.
      ahead_(std::max<TimeMs>(0, floor + 1 - last_clock_)) {}

TimeMs Replay::advance() {
  const TimeMs clock = clock_->now();
  const TimeMs passed = clock - last_clock_;
  last_clock_ = clock;
  if (passed < 0) {
    ahead_ -= passed;
  } else if (ahead_ > 0) {
    uncounted_ += passed;
    ahead_ -= std::min(ahead_, uncounted_ / 2);
    uncounted_ %= 2;
  }
  return clock + ahead_;
}

// The first time that could still be accepted while time stands still.
TimeMs Replay::open_since() const { return std::max(floor_ + 1, forgotten_); }

TimeMs Replay::now() {
  const Lock guard(mutex_);
  const TimeMs now = advance();
  return still_ ? std::min(now, std::max(open_since(), ceiling_ - kStillMs)) : now;
}

// While time stands still, any time up to the ceiling is as good as in its own minute: no proof
// since is forgotten.
Result<void> Replay::judge(TimeMs time) {
  if (stopped_) return Error{Code::kUnavailable, "the service is stopping"};
  const TimeMs now = advance();
  const bool late = time < now - api::kRequestWindowMs && !(still_ && time <= ceiling_);
  if (time < open_since() || late || time > now + api::kRequestWindowMs) return wrong_time();
  return Ok{};
}

Result<void> Replay::check_time(TimeMs time) {
  const Lock guard(mutex_);
  return judge(time);
}

// A minute goes when every time in it is out of the window, and then it is out for good.
void Replay::forget(TimeMs now) {
  if (still_) return;
  forgotten_ = std::max(forgotten_, now - api::kRequestWindowMs);
  while (!minutes_.empty() && (minutes_.begin()->first + 1) * kMinuteMs <= forgotten_) {
    const Minute& oldest = minutes_.begin()->second;
    size_ -= oldest.proofs.size();
    for (const auto& [caller, count] : oldest.callers) {
      const auto all = callers_.find(caller);
      all->second -= count;
      if (all->second == 0) callers_.erase(all);
    }
    minutes_.erase(minutes_.begin());
  }
}

Result<void> Replay::write_ceiling(TimeMs ceiling) {
  return writer_.write([&](sql::Database& database) {
    return run(database, "INSERT OR REPLACE INTO replay(id, ceiling) VALUES(1, ?)", ceiling);
  });
}

Result<bool> Replay::needs_raise(TimeMs time) {
  const Lock guard(mutex_);
  TRY(judge(time));
  return time > ceiling_;
}

Result<void> Replay::raise(TimeMs time) {
  const bool early = TRY(needs_raise(time));
  if (!early) return Ok{};
  const Lock one(raising_);
  const bool still = TRY(needs_raise(time));
  if (!still) return Ok{};
  auto written = write_ceiling(time + kStepMs);
  if (!written.ok()) return stand_still(std::move(written).error());
  const Lock guard(mutex_);
  still_ = false;
  ceiling_ = time + kStepMs;
  return Ok{};
}

// Devices learn from the refusal which times are covered by the ceiling as it is, and sign again.
Error Replay::stand_still(Error why) {
  const Lock guard(mutex_);
  still_ = true;
  return open_since() <= ceiling_ ? wrong_time() : why;
}

Result<void> Replay::accept(const ReaderId& caller, const api::Nonce& nonce, TimeMs time) {
  TRY(raise(time));
  Bytes both = to_bytes(caller.view());
  append(both, nonce.view());
  const Digest digest = crypto::sha256(both);
  const Proof proof = *Proof::from(digest.view().first(Proof::kSize));

  const Lock guard(mutex_);
  // Judged once more beside the set: time has passed since, and minutes go by the same time.
  TRY(judge(time));
  forget(last_clock_ + ahead_);
  for (const auto& [start, minute] : minutes_)
    if (minute.proofs.contains(proof))
      return Error{Code::kDenied, "this request was made before; sign a new one"};
  const auto known = callers_.find(caller);
  if (size_ >= limits_.all || (known != callers_.end() && known->second >= limits_.of_a_caller))
    return Error{Code::kUnavailable, "too many requests in a short time; try again in ten minutes"};
  Minute& minute = minutes_[time / kMinuteMs];
  minute.proofs.insert(proof);
  ++minute.callers[caller];
  ++callers_[caller];
  ++size_;
  highest_ = std::max(highest_, time);
  return Ok{};
}

Result<void> Replay::stop() {
  const Lock one(raising_);
  TimeMs highest = 0;
  {
    const Lock guard(mutex_);
    if (stopped_) return Ok{};
    stopped_ = true;
    highest = highest_;
  }
  return write_ceiling(highest);
}

}  // namespace holdfast::server
