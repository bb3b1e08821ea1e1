// What the service does for the commands on lawful demands, asked through DATA/control.
#pragma once

#include "base/clock.h"
#include "json.h"
#include "server/service.h"

namespace holdfast::daemon {

// An act whose name begins with "lawful_".
Result<Json> lawful_act(server::Service& service, const Clock& clock, const std::string& what,
                        const Json& request);

}  // namespace holdfast::daemon
