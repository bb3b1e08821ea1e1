// check, backup and restore of a data directory, told to a person or as JSON.
#pragma once

#include "options.h"
#include "server/maintenance.h"

namespace holdfast::daemon {

// True: everything is whole.
Result<bool> check(const Options& options, const server::CheckOptions& wanted);
Result<bool> backup(const Options& options, const std::string& target);
Result<bool> restore(const Options& options, const std::string& backup);

}  // namespace holdfast::daemon
