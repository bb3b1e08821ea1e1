// A device's judge of ages: by the account's lookup key and the trust roots in its genesis.
#pragma once

#include <memory>

#include "circle/circle.h"
#include "tlog/age.h"
#include "vault/home.h"

namespace holdfast::vault {

class LogAges final : public circle::Ages {
 public:
  LogAges(tlog::TrustedLog log, std::shared_ptr<const keys::LookupKey> lookup)
      : log_(std::move(log)), lookup_(std::move(lookup)) {}

  const tlog::TrustedLog& log() const { return log_; }
  Result<void> check(BytesView evidence, std::uint64_t seq, const Digest& head,
                     std::int64_t age_ms) const override;
  // kUnsafe: it proves nothing.
  Result<tlog::ProvenAge> read(BytesView evidence, std::uint64_t seq, const Digest& head) const;

 private:
  const tlog::TrustedLog log_;
  const std::shared_ptr<const keys::LookupKey> lookup_;
};

// Null where the roots name no log. kInvalid: they make no sense.
Result<std::shared_ptr<const LogAges>> log_ages(const circle::TrustRoots& roots,
                                                std::shared_ptr<const keys::LookupKey> lookup);
// Of the account that this device belongs to.
Result<std::shared_ptr<const LogAges>> log_ages(const Home& home);

}  // namespace holdfast::vault
