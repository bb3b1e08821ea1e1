// What waits three days in an account, in words.
#pragma once

#include "console.h"
#include "vault/vault.h"

namespace holdfast::app {

using Waits = vault::Account::Waits;
using Waiting = vault::Account::Waiting;

bool is_due(const Waiting& waiting);
// "number 7, proposed by laptop on ... by its clock; it may be completed from ... on"
std::string describe(const vault::Account& account, const Waiting& waiting);
std::string proposer_of(const vault::Account& account, const Waiting& waiting);
void report(const vault::Account& account, const Waiting& waiting, Console& console);

// Of these sorts; `number` 0: all. kNotFound, with this sentence: there is none.
Result<std::vector<Waiting>> chosen(vault::Account& account, const std::vector<Waits>& sorts,
                                    std::uint64_t number, const std::string& none);
// kInvalid where there are several: which must be said.
Result<Waiting> only(std::vector<Waiting> waiting);

// An attacker may have proposed it: a warning for each.
Result<void> tell_waiting(vault::Account& account, Console& console);

}  // namespace holdfast::app
