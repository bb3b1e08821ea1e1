// What is due and what ends, of the matters that are open.
#pragma once

#include <string>
#include <vector>

#include "lawful/law.h"
#include "lawful/trail.h"

namespace holdfast::lawful {

struct Deadline {
  std::uint64_t matter = 0;
  std::string what;
  std::string statute;  // "": the demand's own words
  TimeMs at_ms = 0;
};

// The next one first.
std::vector<Deadline> deadlines(const Law& law, const Trail& trail, TimeMs now);

}  // namespace holdfast::lawful
