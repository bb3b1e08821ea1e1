// Backs up what a Walker finds: reads what changed since the previous manifest and writes a new
// one.
#pragma once

#include "archive/packer.h"
#include "archive/walk.h"

namespace holdfast::archive {

struct BackupInput {
  Walker& walker;
  const Content* previous_tree = nullptr;  // of the snapshot to compare with
  std::int64_t previous_started_ms = 0;    // of this snapshot, by the clock of its device
  bool dry_run = false;                    // reads and counts, stores nothing
  std::string device;
  std::int64_t started_ms = 0;
};

struct TreeReport {
  Snapshot root;  // all but finished_ms; with a dry run no tree
  std::vector<PackId> new_packs;
  std::uint64_t new_bytes = 0;
  std::uint64_t stored_bytes = 0;
};

// Adds the new packs to the catalog. What cannot be read is a problem in `findings`, and is left
// out of the manifest; an error is the store's or the journal's and nothing else.
Result<TreeReport> write_tree(PackCache& cache, const VaultAccess& access, Catalog& catalog,
                              PackJournal& journal, BackupInput input, Progress& progress,
                              Findings& findings);

}  // namespace holdfast::archive
