// What the service shows its custodian, so that it need not be believed.
#pragma once

#include "api/custodian.h"
#include "server/public_log.h"
#include "store/account.h"

namespace holdfast::server {

// Shows the custodian entries of the log, as many requests as they take, up to the newest.
Result<void> show_log(api::Custodian& custodian, PublicLog& log);

// What the custodian has not seen of the account: statements that the log has, with the last of
// them. Shows it entries and statements first that are too many for one piece.
Result<api::CircleEvidence> gather_evidence(api::Custodian& custodian, PublicLog& log,
                                            const std::string& account, store::Account& in,
                                            const circle::Circle& circle);

}  // namespace holdfast::server
