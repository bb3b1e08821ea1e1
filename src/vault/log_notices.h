// What stands in the log for a device besides the map: release batches (S6), policies (S7) and
// changes of the trust roots. Parts of check_log(); not for others.
#pragma once

#include "tlog/batch.h"
#include "tlog/notice.h"
#include "vault/log_check.h"
#include "vault/log_format.h"

namespace holdfast::vault {

// What one sync knows, for the functions below.
struct LogMoment {
  const tlog::TrustedLog& log;
  const circle::TrustRoots& trust;
  const tlog::Checkpoint& checkpoint;
  std::optional<tlog::ProvenTime> before;  // of the checkpoint that this device had until now
  std::uint64_t known = 0;                 // entries that it had seen until now
  std::uint64_t now_s = 0;                 // proven where witnesses prove it, else this device's
};

// kUnsafe: a batch is left out.
Result<void> learn_batch(LogPins& pins, const tlog::ReleaseBatch& batch, BytesView entry);
// Never refused, only said: a policy stops nothing here.
void learn_policy(LogPins& pins, const tlog::PolicyLeaf& policy, BytesView entry,
                  std::uint64_t index, LogStatus& status);

// Asks for this account's position in each new batch, and for every opening that is due. kUnsafe:
// it is not what the log has. kUnavailable: the service does not show it.
Result<void> check_batches(LogPins& pins, const std::vector<tlog::ReleaseBatch>& fresh,
                           api::Session& session, const CircleId& circle, const LogMoment& moment,
                           LogStatus& status);
Result<void> check_policies(LogPins& pins, api::Visitor& files, const LogMoment& moment,
                            LogStatus& status);
void tell_trust_change(const LogPins& pins, const LogMoment& moment, LogStatus& status);

}  // namespace holdfast::vault
