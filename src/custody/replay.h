// An account's circle from statements that the service showed. Pure; nothing is trusted.
#pragma once

#include "api/custodian.h"
#include "circle/circle.h"
#include "tlog/quorum.h"

namespace holdfast::custody {

struct LookupPurpose {};
using LookupKey = crypto::Key<LookupPurpose>;

// Every statement from genesis on, ages judged by the log that the genesis names.
// kUnsafe: they are of another circle or break its rules, the lookup key or the trust roots are not
// those that the genesis commits to, or its log is not `log`.
Result<circle::Circle> replay_circle(const CircleId& circle, const std::vector<Bytes>& statements,
                                     std::shared_ptr<const LookupKey> lookup, BytesView roots,
                                     const tlog::TrustedLog& log);
// kInvalid: it has another length.
Result<LookupKey> lookup_of(BytesView bytes);

}  // namespace holdfast::custody
