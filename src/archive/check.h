// Looks for damage: in packs by reading them, in snapshots by looking up all they refer to.
#pragma once

#include <set>

#include "archive/entries.h"

namespace holdfast::archive {

struct PackCheck {
  std::set<std::uint32_t> damaged;  // numbers in the catalog; also packs that are missing
  std::uint64_t read = 0;
  std::uint64_t bytes = 0;
};

// Why an object is not the pack that the entry and its index (Catalog::header) say: name, seal,
// header, every frame, the id of every chunk. kUnavailable, kNotFound: as the store says.
Result<void> check_object(PackCache& cache, const VaultAccess& access, const PackEntry& entry,
                          const std::optional<PackHeader>& indexed, const PackObject& object,
                          Progress& progress);

// Asks the store for every pack, and reads as many of them, chosen at random, as have `percent` of
// the bytes, as check_object() does. A damaged pack is a problem in `findings`.
Result<PackCheck> check_packs(PackCache& cache, const VaultAccess& access, const Catalog& catalog,
                              unsigned percent, Progress& progress, Findings& findings);

// Why a file's content cannot be had.
Result<void> check_content(ChunkReader& chunks, const VaultAccess& access, const Catalog& catalog,
                           const Entry& entry, const std::set<std::uint32_t>& damaged);

// A file of which a part is missing, or lies in one of the damaged packs, is a problem in
// `findings`. Fails where the manifest itself cannot be read.
Result<void> check_tree(PackCache& cache, const VaultAccess& access, const Catalog& catalog,
                        const Snapshot& snapshot, const std::set<std::uint32_t>& damaged,
                        Findings& findings);

}  // namespace holdfast::archive
