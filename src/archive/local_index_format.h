// How the local index is laid out; docs/formats/archive.md#the-local-index.
#pragma once

#include "archive/chunk_table.h"
#include "archive/format.h"
#include "crypto/numbered.h"

namespace holdfast::archive::local_index {

constexpr std::size_t kBlock = 1024;
constexpr std::size_t kPlainBlock = kBlock - crypto::kNumberedTag;
constexpr std::size_t kRow = 48;
constexpr std::size_t kRowsPerBlock = kPlainBlock / kRow;
constexpr std::size_t kPrefixesPerBlock = kPlainBlock / 8;
constexpr std::size_t kTrailer = 12;  // number and size of the sealed head
constexpr std::size_t kMaxStart = 4096;
constexpr std::size_t kMaxHead = 1024 * 1024;
constexpr std::size_t kMaxIndexSegments = 4096;

// In plain, after its size in 4 bytes.
struct Start {
  wire::Fixed<"holdfast/v1/local-index"> label;
  std::uint32_t epoch = 0;
  Bytes key;  // of this file, sealed under the segment key of that epoch
  static constexpr auto kFields = wire::fields(&Start::label, &Start::epoch, &Start::key);
};

struct Head {
  std::uint64_t headers = 0;  // where the headers end and the blocks begin
  std::uint32_t packs = 0;
  std::uint64_t chunks = 0;
  wire::Bounded<PackId, kMaxIndexSegments> segments;
  static constexpr auto kFields =
      wire::fields(&Head::headers, &Head::packs, &Head::chunks, &Head::segments);
};

constexpr std::uint64_t blocks_for(std::uint64_t items, std::size_t in_block) {
  return (items + in_block - 1) / in_block;
}

inline void put_number(std::uint8_t* to, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i)
    to[i] = static_cast<std::uint8_t>(value >> (8 * (bytes - 1 - i)));
}
inline std::uint64_t get_number(const std::uint8_t* from, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | from[i];
  return value;
}

// The first bytes of an id, which a directory has of the first row of each block.
inline std::uint64_t prefix_of(const ChunkId& id) { return get_number(id.bytes.data(), 8); }

inline void put_row(std::uint8_t* to, const ChunkRow& row) {
  std::copy(row.id.bytes.begin(), row.id.bytes.end(), to);
  put_number(to + 32, row.place.pack, 4);
  put_number(to + 36, row.place.offset, 4);
  put_number(to + 40, row.place.length, 4);
  put_number(to + 44, row.place.frame, 2);
  to[46] = static_cast<std::uint8_t>(row.place.type);
  to[47] = 0;
}
inline ChunkRow get_row(const std::uint8_t* from) {
  ChunkRow row;
  std::copy(from, from + 32, row.id.bytes.begin());
  row.place = {static_cast<std::uint32_t>(get_number(from + 32, 4)),
               static_cast<std::uint32_t>(get_number(from + 36, 4)),
               static_cast<std::uint32_t>(get_number(from + 40, 4)),
               static_cast<std::uint16_t>(get_number(from + 44, 2)),
               static_cast<ChunkType>(from[46])};
  return row;
}

}  // namespace holdfast::archive::local_index
