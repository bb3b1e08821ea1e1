#include <algorithm>

#include "vault/account_state.h"

namespace holdfast::vault {
namespace {

const PolicyStatus* version_of(const LogStatus& log, std::uint64_t version) {
  const auto found = std::ranges::find(log.policies, version, &PolicyStatus::version);
  return found == log.policies.end() ? nullptr : &*found;
}

// What the account's devices were shown. A thief may acknowledge versions to come, or another text:
// that silences nothing.
std::uint64_t accepted_of(const LogStatus& log, const std::optional<circle::PolicyAck>& said) {
  if (!said || log.policies.empty()) return 0;
  const PolicyStatus* const mine = version_of(log, said->version);
  const bool older = said->version < log.policies.front().version;
  if (older || (mine != nullptr && mine->policy == said->policy)) return said->version;
  return log.policies.back().version - 1;
}

}  // namespace

PolicyHere Account::State::policy_in(const std::string& region) const {
  const LogStatus known = log_status.value_or(LogStatus());
  return vault::policy_in(region, known, accepted_of(known, circle().acknowledged()));
}

PolicyHere Account::policy_in(const std::string& region) const { return state_->policy_in(region); }

// The service would refuse it as well, once everything was read and the first pack was sent.
Result<void> Account::State::check_keeps() const {
  if (circle().level() != circle::Level::kAdvanced) return Ok{};
  const PolicyHere here = policy_in(circle().region());
  if (!here.paused()) return Ok{};
  return circle::paused(here.region, here.now->version, here.now->standing);
}

// The log has one policy of each version for everyone: two are two logs, or a device that lies.
void Account::State::compare_acknowledged() {
  const auto& said = circle().acknowledged();
  if (!said) return;
  const PolicyStatus* const mine = version_of(*log_status, said->version);
  if (mine == nullptr || mine->policy == said->policy) return;
  log_status->alarms.push_back("A device of this account acknowledged another version " +
                               std::to_string(said->version) +
                               " of the service's policy than this device is shown: the service "
                               "shows your devices different "
                               "policies.");
}

Result<std::uint64_t> Account::acknowledge_policy() {
  const PolicyHere here = policy_here();
  if (here.newest == 0)
    return Error{Code::kNotFound,
                 "there is no policy of the service that this device can read: nothing to "
                 "acknowledge"};
  if (here.newest <= here.accepted) return here.newest;
  const circle::PolicyAck body{here.newest, version_of(*state_->log_status, here.newest)->policy};
  TRY(state_->append([&]() -> Result<State::Made> {
    return State::Made{circle::StatementType::kPolicyAck, wire::encode(body), {}};
  }));
  return here.newest;
}

}  // namespace holdfast::vault
