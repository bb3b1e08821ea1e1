// What the policies of a service mean in one region, as this device read them in the log. Pure.
#pragma once

#include <optional>
#include <string>

#include "circle/policy.h"
#include "vault/log_check.h"

namespace holdfast::vault {

struct PolicyHere {
  struct One {
    std::uint64_t version = 0;
    std::uint64_t from_s = 0;
    circle::Standing standing;  // in effect: now; to come: when it takes effect
  };
  std::string region;
  std::uint64_t now_s = 0;     // proven, where witnesses prove it
  std::optional<One> now;      // none: no policy that this device can read is in effect
  std::optional<One> next;     // the first to come that says something else for the region
  std::uint64_t newest = 0;    // version that this device can read; 0: none
  std::uint64_t accepted = 0;  // version that a device of the account acknowledged

  bool may_enable() const { return !now || now->standing.may_enable; }
  bool paused() const { return now && now->standing.paused; }
  // When nothing new is kept at the advanced level any more, as far as it is announced.
  std::optional<std::uint64_t> leave_by_s() const;
  // Whether somebody should be told: a policy says something for the region, or did when it was
  // acknowledged last, and the newest is not acknowledged.
  bool news() const;
  // One sentence on what is to come, or else what is.
  std::string sentence() const;
};

PolicyHere policy_in(const std::string& region, const LogStatus& log, std::uint64_t accepted);

}  // namespace holdfast::vault
