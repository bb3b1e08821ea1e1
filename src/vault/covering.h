// Whether the lists of a vault still give what earlier ones gave.
#pragma once

#include <set>

#include "vault/vault_data.h"

namespace holdfast::vault {

struct Compared {
  std::uint64_t lost = 0;     // packs that stay in the store and are not found or opened any more
  std::uint64_t dropped = 0;  // likewise, and the store may delete them, which is another loss
  // Numbers in the later catalog of packs that now lie in objects which the earlier one has not.
  std::vector<std::uint32_t> moved;
};
// By the lists alone.
Compared compare_lists(const archive::Catalog& before, const archive::Catalog& after,
                       const circle::VaultState& state);

// Whether packs that moved are where the lists say: the store has each of their objects, and some
// of each answer, taken at random, are the packs that they were. A lie about many is seen by that,
// one about few by a check that reads all. For one catalog; what was found is not looked for again.
class MovedPacks {
 public:
  Result<bool> are_there(archive::PackCache& cache, const archive::VaultAccess& access,
                         const archive::Catalog& after, const std::vector<std::uint32_t>& moved);

 private:
  std::set<std::uint32_t> there_;
  std::set<std::uint32_t> read_;
};

}  // namespace holdfast::vault
