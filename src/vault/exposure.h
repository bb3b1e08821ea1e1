// What keys that were copied before a reader went could still open.
#pragma once

#include "vault/vault_data.h"

namespace holdfast::vault {

// The newest epoch at whose beginning somebody lost the right to read the vault, who held the keys
// of all epochs before; 0: nobody ever did. By the envelopes, whoever they are for.
std::uint32_t epoch_without_former_readers(const circle::Circle& circle, const VaultId& vault);

// Of a pack whose key was first sealed for an epoch before `safe`, the objects that stay.
bool is_exposed(const archive::PackEntry& pack, std::uint32_t safe,
                const std::set<PackId>& dropped);

}  // namespace holdfast::vault
