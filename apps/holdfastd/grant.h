// Acts of operators on requests for help by owners without devices.
#pragma once

#include "options.h"

namespace holdfast::daemon {

struct HelpOptions {
  std::string code;    // as the owner reads it out
  std::string acting;  // file of the acting operator's key
};

Result<void> list_help(const Options& options);
Result<void> grant_help(const Options& options, const HelpOptions& help);
Result<void> refuse_help(const Options& options, const HelpOptions& help);

}  // namespace holdfast::daemon
