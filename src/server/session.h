// What one proven caller may do in its account.
#pragma once

#include "server/core.h"

namespace holdfast::server {

// `current`: not removed.
std::unique_ptr<api::ServiceSession> make_session(Core& core, const std::string& name,
                                                  std::shared_ptr<store::Account> account,
                                                  store::Account::Rights rights);

}  // namespace holdfast::server
