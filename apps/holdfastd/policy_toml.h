// A policy as its operator writes it, in TOML; docs/operations.md#publishing-a-policy has the
// names.
#pragma once

#include <optional>
#include <string>

#include "circle/policy.h"

namespace holdfast::daemon {

struct PolicyDraft {
  std::optional<std::uint64_t> in_effect_from_s;  // none: at once
  circle::RegionRules rules;
};

// kInvalid, with the line or the name: a name or value that means nothing here, or rules that
// contradict themselves.
Result<PolicyDraft> read_policy_toml(const std::string& path);

}  // namespace holdfast::daemon
