// Tiles and entry bundles of C2SP tlog-tiles: their coordinates, paths and contents.
//
// Whoever serves them is not trusted: what is read from them must make a root that is signed.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::tlog {

constexpr std::uint64_t kTileWidth = 256;
constexpr std::size_t kMaxEntry = 65535;  // its length is written in two bytes
constexpr std::uint8_t kMaxTileLevel = 63;

enum class TileKind : std::uint8_t { kHashes, kEntries };

struct Tile {
  TileKind kind = TileKind::kHashes;
  std::uint8_t level = 0;  // 0 for entries
  std::uint64_t index = 0;
  std::uint16_t width = kTileWidth;  // 1 to 256; less than 256 is a partial tile
  auto operator<=>(const Tile&) const = default;
};

// "tile/0/x001/x234/067", "tile/1/000.p/17", "tile/entries/000.p/3".
std::string tile_path(const Tile& tile);
// kInvalid unless it is what tile_path() writes for some tile.
Result<Tile> parse_tile_path(std::string_view path);

// How many hashes the tile has in a tree of that size: 0 to 256.
std::uint16_t tile_width(std::uint64_t size, std::uint8_t level, std::uint64_t index);
// The hash tiles that a tree of size `to` has and one of size `from` has not, a partial tile that
// grew among them; level by level, from the left. The bundles of entries are those of level 0.
std::vector<Tile> tiles_between(std::uint64_t from, std::uint64_t to);

// Entries, each behind its length in two bytes, big-endian. At most 256 of at most 65535 bytes.
Bytes encode_bundle(const std::vector<Bytes>& entries);
// kCorrupt unless it holds exactly `width` entries.
Result<std::vector<Bytes>> decode_bundle(BytesView bundle, std::uint16_t width);

}  // namespace holdfast::tlog
