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

Result<LogSight> look_once(Home& home, Replica& replica, api::Visitor& files,
                           const circle::TrustRoots& genesis, const keys::LookupKey& lookup,
                           TimeMs now, Keep keep) {
  LogSight sight;
  sight.roots = TRY(roots_in_effect(home, genesis));
  sight.status = TRY(check_log(home, replica, files, sight.roots, lookup, now, keep));
  const auto& change = sight.status.trust_change_s;
  if (change && *change <= static_cast<std::uint64_t>(now / 1000))
    sight.roots = TRY(follow_changes(home, files, genesis, now));
  sight.log = TRY(wire::decode<tlog::LogRoots>(sight.roots.log));
  return sight;
}

}  // namespace

Result<LogSight> look_at_log(Home& home, Home* pins, Replica& replica, api::Visitor& files,
                             const circle::TrustRoots& genesis, const keys::LookupKey& lookup,
                             TimeMs now) {
  auto first = look_once(home, replica, files, genesis, lookup, now, Keep::kNothing);
  if (first.ok() || first.error().code != Code::kUnsafe) return first;
  TRY(replica.sync(pins));
  TRY(follow_changes(home, files, genesis, now));
  return look_once(home, replica, files, genesis, lookup, now, Keep::kEvidence);
}

Result<void> check_admits(const LogStatus& status) {
  if (!status.stops_approvals()) return Ok{};
  return Error{Code::kUnavailable,
               "the newest state of the service's log that witnesses signed is more than three "
               "days old: nobody is admitted by it. Ask the operator, by another way, why"};
}

}  // namespace holdfast::vault
