// One look of a device at the log: with the roots that count now, and once more before anything is
// held against the service, for something may have been added between its two answers.
#pragma once

#include "vault/log_check.h"

namespace holdfast::vault {

struct LogSight {
  circle::TrustRoots roots;  // that count now
  tlog::LogRoots log;
  LogStatus status;
};

// As check_log(). `genesis`: the roots that the account began with; each change since is followed.
// `pins`: of the replica, as for its sync(); none for a recovery.
Result<LogSight> look_at_log(Home& home, Home* pins, Replica& replica, api::Visitor& files,
                             const circle::TrustRoots& genesis, const keys::LookupKey& lookup,
                             TimeMs now);

// kUnavailable: the newest state of the log that witnesses signed is too old to admit anybody by.
// Whoever was removed meanwhile may stand behind such a log.
Result<void> check_admits(const LogStatus& status);

}  // namespace holdfast::vault
