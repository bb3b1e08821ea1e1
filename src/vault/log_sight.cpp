#include "vault/log_sight.h"

namespace holdfast::vault {
namespace {

Result<circle::TrustRoots> follow_changes(Home& home, api::Visitor& files,
                                          const circle::TrustRoots& genesis, TimeMs now) {
  auto roots = TRY(roots_in_effect(home, genesis));
  while (TRY(follow_trust_change(home, files, roots, now)))
    roots = TRY(roots_in_effect(home, genesis));
  return roots;
}

}  // namespace

Result<LogSight> look_at_log(Home& home, Replica& replica, api::Visitor& files,
                             const circle::TrustRoots& genesis, const keys::LookupKey& lookup,
                             TimeMs now, Look look) {
  LogSight sight;
  const bool again = look == Look::kAgain;
  sight.roots =
      TRY(again ? follow_changes(home, files, genesis, now) : roots_in_effect(home, genesis));
  sight.status = TRY(check_log(home, replica, files, sight.roots, lookup, now,
                               again ? Keep::kEvidence : Keep::kNothing));
  const auto& change = sight.status.trust_change_s;
  if (change && *change <= static_cast<std::uint64_t>(now / 1000))
    sight.roots = TRY(follow_changes(home, files, genesis, now));
  sight.log = TRY(wire::decode<tlog::LogRoots>(sight.roots.log));
  return sight;
}

Result<void> check_admits(const LogStatus& status) {
  if (!status.stops_approvals()) return Ok{};
  return Error{Code::kUnavailable,
               "the newest state of the service's log that witnesses signed is more than three "
               "days old: nobody is admitted by it. Ask the operator, by another way, why"};
}

}  // namespace holdfast::vault
