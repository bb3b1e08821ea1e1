// The custodian as devices meet it: whose key it is, and what became of it.
#pragma once

#include "vault/account_state.h"

namespace holdfast::vault {

// A custodian's key for this account, as its service gives it out: of the fleet that the account
// trusts. kNotFound: the service has no custodian. kUnsafe: it is somebody else's.
Result<circle::CustodianInfo> ask_custodian(api::Visitor& store, const CircleId& circle,
                                            const circle::TrustRoots& roots);
// kUnsafe unless the fleet key is one that the account trusts, by its genesis or by changes since.
Result<void> check_fleet(const circle::CustodianInfo& custodian, const circle::TrustRoots& roots,
                         const circle::TrustRoots& roots_now);

}  // namespace holdfast::vault
