// Which chunks snapshots refer to.
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "archive/entries.h"

namespace holdfast::archive {

// Takes one tree after another; a part of a manifest that an earlier one shares is not read again.
class Reached {
 public:
  Reached(ChunkReader& chunks, const VaultAccess& access)
      : chunks_(chunks), access_(access), names_(access) {}

  // Everything a restore of this snapshot could ask for, and its guide. Fails where the manifest,
  // or a list of chunks, cannot be read whole; what was reached by then stays.
  Result<void> add(const Snapshot& snapshot);

  bool has(const ChunkId& id) const { return ids_.contains(id); }
  bool has_one_of(const PackHeader& header) const;
  // Bytes of its chunks.
  struct Share {
    std::uint64_t reached = 0;
    std::uint64_t others = 0;
  };
  Share share_of(const PackHeader& header) const;

 private:
  Result<void> add_content(const Content& content);
  Result<void> add_piece(const Extent& extent, Bytes& rest);
  Result<void> add_entries(Bytes& bytes);

  ChunkReader& chunks_;
  const VaultAccess& access_;
  ChunkNames names_;
  std::unordered_set<ChunkId, IdHash> ids_;
  // What is left of a piece of a manifest after its last whole entry, by the piece and by what was
  // left before it: entries lie across pieces.
  std::unordered_map<Digest, Bytes, IdHash> read_;
};

}  // namespace holdfast::archive
