// For tests of this module: a tree by the book, RFC 9162 section 2.1.1 word for word, and a log
// that keeps its tiles in a map.
#pragma once

#include <bit>
#include <map>

#include "crypto/hash.h"
#include "tlog/frontier.h"
#include "tlog/tile_tree.h"

namespace holdfast::tlog::testkit {

inline Bytes any_entry(std::uint64_t number) {
  return to_bytes(as_bytes("entry " + std::to_string(number)));
}

inline Digest naive_root(const std::vector<Bytes>& entries, std::size_t begin, std::size_t end) {
  if (begin == end) return crypto::sha256({});
  Bytes bytes;
  if (end - begin == 1) {
    bytes = {0};
    append(bytes, entries[begin]);
    return crypto::sha256(bytes);
  }
  std::size_t k = 1;
  while (k * 2 < end - begin) k *= 2;
  bytes = {1};
  append(bytes, naive_root(entries, begin, begin + k).view());
  append(bytes, naive_root(entries, begin + k, end).view());
  return crypto::sha256(bytes);
}

class TestLog {
 public:
  TestLog() = default;
  explicit TestLog(std::uint64_t size) {
    while (entries.size() < size) add(any_entry(entries.size()));
  }

  void add(const Bytes& entry) {
    entries.push_back(entry);
    for (const TileHash& hash : frontier.append(leaf_hash(entry))) {
      std::vector<Digest>& level = levels[hash.level];
      HF_CHECK(level.size() == hash.index);
      level.push_back(hash.hash);
    }
  }

  // As at an earlier size: a partial tile of then is the beginning of the tile of now.
  TileTree tree(std::uint64_t size) const {
    return {size, [this](const Tile& tile) { return read(tile); }};
  }
  TreeHead head(std::uint64_t size) const { return {size, *tree(size).root()}; }

  Result<Bytes> read(const Tile& tile) const {
    const auto level = levels.find(tile.level);
    Bytes out;
    for (std::uint64_t i = 0; i < tile.width; ++i) {
      const std::uint64_t at = tile.index * kTileWidth + i;
      if (level == levels.end() || at >= level->second.size())
        return Error{Code::kNotFound, "no such tile"};
      append(out, level->second[at].view());
    }
    return out;
  }

  std::vector<Bytes> entries;
  std::map<std::uint8_t, std::vector<Digest>> levels;
  Frontier frontier;
};

}  // namespace holdfast::tlog::testkit
