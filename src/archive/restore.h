// Restores a snapshot, or part of it, into a directory.
#pragma once

#include "archive/entries.h"
#include "archive/filter.h"

namespace holdfast::archive {

struct RestoreInput {
  // A directory's contents go straight into the target, anything else goes into it under its own
  // name. Empty: the whole tree.
  std::vector<Bytes> path;
  // Entries that match (by their paths in the snapshot), all below them, and the directories that
  // lead to them; none: everything.
  std::vector<Glob> include;
  TargetOptions target;
};

struct RestoreReport {
  std::uint64_t files = 0;  // regular files, also under further names
  std::uint64_t bytes = 0;
  std::uint64_t skipped = 0;
};

// kNotFound when the snapshot has nothing at `path`. What cannot be restored is a problem in
// `findings`; the rest goes on. Where the manifest is damaged everything before that is restored.
Result<RestoreReport> restore_tree(PackCache& cache, const VaultAccess& access,
                                   const Catalog& catalog, const Snapshot& snapshot,
                                   const RestoreInput& input, Progress& progress,
                                   Findings& findings);

}  // namespace holdfast::archive
