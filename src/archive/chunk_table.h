// Where chunks lie, in memory: a flat table of 48 bytes a chunk and about 8 for finding it.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

#include "archive/format.h"

namespace holdfast::archive {

struct ChunkPlace {
  std::uint32_t pack = 0;    // Catalog::pack_at
  std::uint32_t offset = 0;  // in the raw frame
  std::uint32_t length = 0;
  std::uint16_t frame = 0;  // a pack has at most 65536
  ChunkType type{};
};

struct ChunkRow {
  ChunkId id;
  ChunkPlace place;
};
static_assert(sizeof(ChunkRow) == 48);

// Calls `with` for each chunk of a pack's header, in order.
void for_each_chunk(const PackHeader& header, std::uint32_t pack, auto&& with) {
  for (std::size_t f = 0; f < header.frames.size(); ++f) {
    std::uint32_t offset = 0;
    for (const ChunkInfo& chunk : header.frames[f].chunks) {
      with(ChunkRow{chunk.id,
                    {pack, offset, chunk.length, static_cast<std::uint16_t>(f), chunk.type}});
      offset += chunk.length;
    }
  }
}

// For tables of names that somebody may have chosen: a device that was taken over writes what it
// likes into an index, and what that becomes here it cannot know.
class TableHash {
 public:
  TableHash();
  // The upper bits are the good ones.
  std::uint64_t operator()(const std::array<std::uint8_t, 32>& name) const;

 private:
  std::array<std::uint64_t, 4> random_;
};

class ChunkTable {
 public:
  const ChunkPlace* find(const ChunkId& id) const;
  // The place that was there, if any, is forgotten.
  void put(const ChunkRow& row);
  const std::vector<ChunkRow>& rows() const { return rows_; }
  void clear();

 private:
  std::size_t slot_of(const ChunkId& id) const;
  void grow();

  TableHash hash_;
  std::vector<ChunkRow> rows_;
  std::vector<std::uint32_t> slots_;  // row number + 1; 0: free
};

// Which of so many slots, a power of two, a hash means.
inline std::size_t slot_for(std::uint64_t hash, std::size_t slots) {
  return static_cast<std::size_t>(hash >> (64 - std::bit_width(slots - 1)));
}

}  // namespace holdfast::archive
