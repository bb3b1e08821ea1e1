// What a backup may rely on, as it stood when the backup began.
#pragma once

#include "vault/vault_data.h"

namespace holdfast::vault {

struct Footing {
  std::set<PackId> dropped;
  std::vector<circle::KeySegmentRef> key_segments;
  std::vector<PackId> index_segments;
};

Footing footing(Account::State& account, const VaultData& data);

// Whether all that a backup builds on is still there for good: `sent` by itself, and the packs of
// the vault that it knew when it `began`. Other devices may have written the lists anew meanwhile,
// and sealed packs again into other objects.
Result<bool> stands(VaultData& data, const Footing& began, const Footing& now,
                    const std::vector<PackId>& sent);

}  // namespace holdfast::vault
