// Lies about the public log; as the tables in attack_parts.h. Test-only.
#pragma once

#include <atomic>
#include <map>

#include "hostile/lies.h"

namespace holdfast::hostile {

// A service may be honest for a while: some lies begin when this is set.
std::atomic<bool>& turned();

const std::map<std::string_view, std::function<Lies()>>& log_attacks();

}  // namespace holdfast::hostile
