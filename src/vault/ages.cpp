#include "vault/ages.h"

#include "tlog/map_labels.h"
#include "vault/account_state.h"

namespace holdfast::vault {

Result<tlog::ProvenAge> LogAges::read(BytesView evidence, std::uint64_t seq,
                                      const Digest& head) const {
  return tlog::verify_age(log_, {tlog::circle_label(*lookup_, seq), head}, evidence);
}

Result<void> LogAges::check(BytesView evidence, std::uint64_t seq, const Digest& head,
                            std::int64_t age_ms) const {
  return tlog::check_age(log_, {tlog::circle_label(*lookup_, seq), head}, evidence,
                         static_cast<std::uint64_t>(age_ms) / 1000);
}

Result<std::shared_ptr<const LogAges>> log_ages(const circle::TrustRoots& roots,
                                                std::shared_ptr<const keys::LookupKey> lookup) {
  if (roots.log.empty()) return std::shared_ptr<const LogAges>();
  const auto parsed = TRY(wire::decode<tlog::LogRoots>(roots.log));
  auto log = TRY(tlog::TrustedLog::open(parsed));
  return std::make_shared<const LogAges>(std::move(log), std::move(lookup));
}

Result<std::shared_ptr<const LogAges>> log_ages(const Home& home) {
  const auto roots = TRY(told_roots(home));
  auto lookup = std::make_shared<const keys::LookupKey>(TRY(home.lookup()));
  return log_ages(roots, std::move(lookup));
}

}  // namespace holdfast::vault
