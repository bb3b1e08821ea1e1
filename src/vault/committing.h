// A new snapshot becomes part of its vault.
#pragma once

#include "vault/footing.h"

namespace holdfast::vault {

// What a commit adds to the vault, whatever record it will follow.
struct Addition {
  PackId snapshot;
  std::vector<PackId> packs;           // whose keys the record must list
  std::vector<PackId> index_segments;  // new ones
  std::vector<PackId> replaced_index;  // these are covered by the new ones
};

// Stores the root and the indexes of the new packs, which are in the catalog.
Result<Addition> prepare(VaultData& data, const Footing& base, const archive::Snapshot& root,
                         std::vector<PackId> new_packs, std::uint64_t& stored);

// One compare-and-swap commits. On conflict the record is made again on top of what came between;
// if the epoch moved, its keys are sealed anew; no data is sent twice. nullopt: what the snapshot
// would rest on was dropped, or is listed no more.
Result<std::optional<circle::LinkedRecord>> commit(Account::State& account, VaultData& data,
                                                   const Footing& began, const Addition& addition,
                                                   std::uint64_t& stored);

}  // namespace holdfast::vault
