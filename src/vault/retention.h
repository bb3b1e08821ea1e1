// Which snapshots have outgrown what a person wants to keep. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace holdfast::vault {

// The newest so many, and the newest of each of the so many newest hours, days, ... that have one.
struct KeepRules {
  unsigned last = 0;
  unsigned hourly = 0;
  unsigned daily = 0;
  unsigned weekly = 0;  // from Monday
  unsigned monthly = 0;
  unsigned yearly = 0;

  bool any() const { return (last | hourly | daily | weekly | monthly | yearly) != 0; }
};

struct Aged {
  std::uint64_t n = 0;     // of its record
  std::string group;       // rules hold within each: a device's snapshots of the same paths
  TimeMs received_ms = 0;  // by the store
  TimeMs made_ms = 0;      // by its device's clock, which says what it likes
};

// Numbers of those that no rule keeps, ascending; `all` stands in the order of the records. What
// either of the two times would keep is kept: a device that forges its clock can so make more stay,
// never less, nor does a store that was given everything back on one day.
std::vector<std::uint64_t> outgrown(const std::vector<Aged>& all, const KeepRules& rules);

}  // namespace holdfast::vault
