#pragma once

#include <string>

namespace holdfast::bench {

enum class First { kRaise, kRemove };

// At a service with a public log and a custodian on a SoftHSM2 token, over HTTPS on this machine:
// seconds until the command is done, and bytes in the bodies of its requests.
void measure_whole(const std::string& folder, First first);

}  // namespace holdfast::bench
