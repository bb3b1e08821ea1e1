// An owner without devices asks the provider for help: new keys, and a request that waits for two
// operators and then for three days. Standard level only.
//
// The keys read, once help is given, what the provider reads; they never become a member. What
// reads with them then is checked like any reading.
#pragma once

#include <string>

#include "api/doors.h"
#include "vault/home.h"

namespace holdfast::vault {

// Asks with the keys of this home, which is of no account. The request's code: what operators are
// told by another way.
// kUnavailable: too many wait there. kNotFound: the store has no custodian.
Result<std::string> ask_for_help(Home& home, api::Store& store, const Clock& clock,
                                 const std::string& account, const std::string& device_name);
// The code of the request that was sent from this home; "": none was.
Result<std::string> asked_for_help(const Home& home);
// Whether the account's circle has these keys as helped by now, as the store says; what it shows
// is verified by whoever reads.
Result<bool> help_was_given(const Home& home, api::Store& store);

}  // namespace holdfast::vault
