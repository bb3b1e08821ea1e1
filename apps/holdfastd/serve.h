#pragma once

#include "options.h"

namespace holdfast::daemon {

// Serves until SIGTERM or SIGINT, then finishes what is in flight.
Result<void> serve(const Options& options);

}  // namespace holdfast::daemon
