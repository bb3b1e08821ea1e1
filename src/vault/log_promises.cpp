// Promises of the service for its log, kept until the log has what they are for.
#include "tlog/promise.h"
#include "vault/log_check.h"
#include "vault/log_pins.h"

namespace holdfast::vault {
namespace {

Error wrong_promise() {
  return {Code::kUnsafe, "the service promises something else than what was sent"};
}

// A device cannot tell a promise for too late from a clock of its own that is behind, so nobody is
// accused. Nothing is lost by that: the promise is kept, and what the log lacks for long is noticed
// without one (Check::wait_for).
Result<void> check_include_by(std::uint64_t include_by_s, TimeMs now) {
  if (include_by_s <=
      static_cast<std::uint64_t>(now / 1000) + tlog::kMaxPromise_s + tlog::kClockTolerance_s)
    return Ok{};
  return Error{Code::kInvalid,
               "your clock: by it the service promises to log what was sent later than in ten "
               "minutes, at " +
                   human_time(static_cast<TimeMs>(include_by_s) * 1000) +
                   ". Set this device's clock; if it is right, the service's is not, and its "
                   "operator must hear of it. What was sent is in the account"};
}

// One that cannot be read is as bad as one of something else: nothing is damaged on the way from a
// service that this device knows by its key.
template <class T>
Result<T> readable(Result<T> promise) {
  if (promise.ok() || promise.error().code == Code::kUnsafe) return promise;
  return Error{Code::kUnsafe,
               "the service's promise for its log cannot be read: " + promise.error().message};
}

Result<void> keep(Home& home, wire::Bounded<Bytes, 64> LogPins::* where, const Bytes& promise) {
  LogPins pins = TRY(load_pins(home));
  if ((pins.*where).size() == 64) return Ok{};  // the first ones are due first
  (pins.*where).push_back(promise);
  return save_pins(home, pins);
}

}  // namespace

Result<void> keep_promise(Home& home, const tlog::LogRoots& roots, const CircleId& circle,
                          std::uint64_t seq, const Digest& head,
                          const std::optional<Bytes>& promise, TimeMs now) {
  const auto trusted = TRY(tlog::TrustedLog::open(roots));
  if (!promise) return Error{Code::kUnsafe, "the service gives no promise for its log"};
  const tlog::Promise said = TRY(readable(tlog::verify_promise(trusted, *promise)));
  if (said.circle != circle || said.seq != seq || said.head != head) return wrong_promise();
  TRY(keep(home, &LogPins::promises, *promise));
  return check_include_by(said.include_by_s, now);
}

Result<void> keep_promise(Home& home, const tlog::LogRoots& roots, const CircleId& circle,
                          const circle::VaultHead& head, const std::optional<Bytes>& promise,
                          TimeMs now) {
  const auto trusted = TRY(tlog::TrustedLog::open(roots));
  if (!promise) return Error{Code::kUnsafe, "the service gives no promise for its log"};
  const tlog::RecordPromise said = TRY(readable(tlog::verify_record_promise(trusted, *promise)));
  if (said.circle != circle || circle::VaultHead{said.vault, said.n, said.head} != head)
    return wrong_promise();
  TRY(keep(home, &LogPins::record_promises, *promise));
  return check_include_by(said.include_by_s, now);
}

}  // namespace holdfast::vault
