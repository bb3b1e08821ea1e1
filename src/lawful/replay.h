// An account's circle from statements that a service showed: for a custodian, and for whoever opens
// or checks a case. Pure; nothing is trusted.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "circle/circle.h"
#include "tlog/quorum.h"

namespace holdfast::lawful {

struct LookupPurpose {};
using LookupKey = crypto::Key<LookupPurpose>;

// Takes an account's statements one by one from its genesis on, ages judged by the log that the
// genesis names. `roots` and `log` must outlive it.
class CircleReplay {
 public:
  CircleReplay(const CircleId& circle, std::shared_ptr<const LookupKey> lookup, BytesView roots,
               const tlog::TrustedLog& log)
      : id_(circle), lookup_(std::move(lookup)), roots_(roots), log_(log) {}

  // kUnsafe: it is of another circle or breaks its rules, the lookup key or the trust roots are not
  // those that the genesis commits to, or its log is not `log`.
  Result<void> take(BytesView statement);
  // After the last of them. kInvalid: none was taken.
  Result<circle::Circle> circle() &&;

 private:
  Result<void> start(BytesView genesis);

  const CircleId id_;
  const std::shared_ptr<const LookupKey> lookup_;
  const BytesView roots_;
  const tlog::TrustedLog& log_;
  std::optional<circle::Circle> circle_;
};

// All of them at once.
Result<circle::Circle> replay_circle(const CircleId& circle, const std::vector<Bytes>& statements,
                                     std::shared_ptr<const LookupKey> lookup, BytesView roots,
                                     const tlog::TrustedLog& log);
// kInvalid: it has another length.
Result<LookupKey> lookup_of(BytesView bytes);

}  // namespace holdfast::lawful
