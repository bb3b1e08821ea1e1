// The newest tree of the log that this device replayed, in its home.
#pragma once

#include "vault/home.h"
#include "vault/log_format.h"

namespace holdfast::vault {

Result<LogPins> load_pins(const Home& home);
Result<void> save_pins(Home& home, const LogPins& pins);

}  // namespace holdfast::vault
