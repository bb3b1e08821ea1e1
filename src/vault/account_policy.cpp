#include "vault/account_state.h"

namespace holdfast::vault {

PolicyHere Account::policy_in(const std::string& region) const {
  return vault::policy_in(region, state_->log_status.value_or(LogStatus()), 0);
}

// The service would refuse it as well, once everything was read and the first pack was sent.
Result<void> Account::State::check_keeps() const {
  if (circle().level() != circle::Level::kAdvanced || !log_status) return Ok{};
  const PolicyHere here = vault::policy_in(circle().region(), *log_status, 0);
  if (!here.paused()) return Ok{};
  return circle::paused(here.region, here.now->version, here.now->standing);
}

}  // namespace holdfast::vault
