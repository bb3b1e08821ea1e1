#include "tlog/follow.h"

#include <algorithm>

namespace holdfast::tlog {

Result<void> check_epoch_follows(const MapEpoch& epoch, std::uint64_t newest_n,
                                 const std::optional<Digest>& newest) {
  if (epoch.n == newest_n + 1 && epoch.previous == newest) return Ok{};
  return Error{Code::kUnsafe,
               "the service's log leaves out a generation of its map: do not trust it"};
}

Result<std::uint64_t> check_audited(const TrustedLog& log, BytesView signed_audit,
                                    std::uint64_t newest_n, const std::optional<Digest>& newest) {
  const Audit audit = TRY(verify_audit(log, signed_audit));
  if (audit.n == newest_n && newest && audit.leaf != *newest)
    return Error{Code::kUnsafe,
                 "an auditor vouches for another map than the log shows: do not trust it"};
  return std::min(audit.n, newest_n);
}

}  // namespace holdfast::tlog
