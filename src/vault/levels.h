// The custodian as devices meet it: whose key it is, and what became of it.
#pragma once

#include "vault/account_state.h"

namespace holdfast::vault {

// A custodian's key for this account, as its service gives it out: of the fleet that the account
// trusts now. kNotFound: the service has no custodian. kUnsafe: it is somebody else's.
Result<circle::CustodianInfo> ask_custodian(api::Visitor& store, const CircleId& circle,
                                            const circle::TrustRoots& roots);
// kUnsafe unless its fleet key is one of these.
Result<void> check_fleet(const circle::CustodianInfo& custodian, const std::vector<Bytes>& fleets);
// Of one that is a reader already: kUnsafe unless a key that the account trusts, or ever did,
// issued it. A device that was stolen can take in any.
Result<void> check_custodian(const Home& home, const circle::Circle& circle,
                             const circle::TrustRoots& genesis);

}  // namespace holdfast::vault
