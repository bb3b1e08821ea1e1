#include "vault/policy_here.h"

namespace holdfast::vault {

PolicyHere policy_in(const std::string& region, const LogStatus& log, std::uint64_t accepted) {
  PolicyHere here;
  here.region = region;
  here.now_s = log.now_s;
  here.accepted = accepted;
  for (const PolicyStatus& policy : log.policies) {
    if (!policy.rules) continue;  // an alarm says so; what cannot be read stops nothing here
    here.newest = policy.version;
    const std::uint64_t at = std::max(log.now_s, policy.in_effect_from_s);
    PolicyHere::One one{policy.version, policy.in_effect_from_s,
                        circle::judge(&*policy.rules, region, at)};
    if (policy.in_effect) {
      here.now = std::move(one);
    } else if (!here.next) {
      const circle::Terms before = here.now ? here.now->standing.terms : circle::Terms{};
      if (one.standing.terms != before) here.next = std::move(one);
    }
  }
  return here;
}

std::optional<std::uint64_t> PolicyHere::leave_by_s() const {
  if (next) return next->standing.terms.leave_by_s;
  return now ? now->standing.terms.leave_by_s : std::nullopt;
}

bool PolicyHere::news() const {
  if (newest <= accepted) return false;
  const bool says_something = (now && now->standing.terms != circle::Terms{}) || next;
  return says_something || accepted > 0;
}

std::string PolicyHere::sentence() const {
  const std::string place = "in region " + region + ": ";
  if (next)
    return "From " + circle::spell_time(next->from_s) + " on, " + place +
           circle::describe(next->standing.terms);
  return "Now, " + place + circle::describe(now ? now->standing.terms : circle::Terms{});
}

}  // namespace holdfast::vault
