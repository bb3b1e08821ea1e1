// One look of a device at the log, with the roots that count now.
#pragma once

#include "vault/log_check.h"

namespace holdfast::vault {

struct LogSight {
  circle::TrustRoots roots;  // that count now
  tlog::LogRoots log;
  LogStatus status;
};

// A first look that finds a contradiction keeps no evidence of it: something may have been added
// since the replica was read, or others sign the log by now. Who looks again has read the replica
// again.
enum class Look { kFirst, kAgain };

// As check_log(). `genesis`: the roots that the account began with; each change since is followed.
Result<LogSight> look_at_log(Home& home, Replica& replica, api::Visitor& files,
                             const circle::TrustRoots& genesis, const keys::LookupKey& lookup,
                             TimeMs now, Look look);

// kUnavailable: the newest state of the log that witnesses signed is too old to admit anybody by.
// Whoever was removed meanwhile may stand behind such a log.
Result<void> check_admits(const LogStatus& status);

}  // namespace holdfast::vault
