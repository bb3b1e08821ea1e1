// What a device remembers of a service that contradicted itself. It outlives the lie: a service
// that shows the good log again is not believed before the person has judged what was seen.
//
// While a contradiction stands, nothing new is saved, nobody is admitted and no key goes to anyone.
// What cannot wait goes on, for it gives nobody more than they have: a device is removed, a new
// recovery key cancelled, what a thief took away undone before it is deleted. So does reading, by
// what this device verified and what follows from that; a device whose admission it has not seen in
// the log opens nothing.
#pragma once

#include <optional>

#include "base/clock.h"
#include "vault/home.h"
#include "vault/log_format.h"

namespace holdfast::vault {

Result<std::vector<Contradiction>> contradictions(const Home& home);  // the oldest first
Result<std::optional<Contradiction>> standing_contradiction(const Home& home);
// The first one stays until it is judged.
Result<void> remember_contradiction(Home& home, const std::string& sentence, TimeMs now);
// kNotFound: none stands.
Result<void> judge_contradiction(Home& home, const std::string& reason, TimeMs now);

// What stops what would add or upload: kUnsafe, with what to do.
Error stopped_by(const Contradiction& standing);
Result<void> check_no_contradiction(const Home& home);

}  // namespace holdfast::vault
