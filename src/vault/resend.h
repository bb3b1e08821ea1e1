// What a store has lost of what this device saw.
#pragma once

#include "vault/replica.h"

namespace holdfast::vault {

// A sentence for a store that ends before `statements`, all of which this device saw: since when,
// and what to do.
Result<std::string> tell_older(api::Session& session, const std::vector<Bytes>& statements);
// The same for a vault.
Result<std::string> tell_older(api::Session& session, const VaultId& vault,
                               const std::vector<circle::LinkedRecord>& records);

}  // namespace holdfast::vault
