#include "tlog/tile.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <set>

namespace holdfast::tlog {
namespace {

Tile hashes(std::uint8_t level, std::uint64_t index, std::uint16_t width = kTileWidth) {
  return {TileKind::kHashes, level, index, width};
}

// tlog-tiles, "Merkle Tree": index 1234067 is x001/x234/067.
TEST(TilePath, IsSpelledAsInTlogTiles) {
  EXPECT_EQ(tile_path(hashes(0, 1'234'067)), "tile/0/x001/x234/067");
  EXPECT_EQ(tile_path(hashes(1, 0, 17)), "tile/1/000.p/17");
  EXPECT_EQ(tile_path({TileKind::kEntries, 0, 1000, 3}), "tile/entries/x001/000.p/3");
}

TEST(TilePath, RefusesOtherSpellings) {
  for (const char* bad : {"",
                          "tile",
                          "tile/",
                          "tile/0",
                          "tile/0/",
                          "tile/0/1",
                          "tile/0/01",
                          "tile/0/0001",
                          "tile/00/001",
                          "tile/64/001",
                          "tile/-1/001",
                          "tile/0/x000/001",
                          "tile/0/x001",
                          "tile/0/001/",
                          "/tile/0/001",
                          "tile/0/001.p/0",
                          "tile/0/001.p/256",
                          "tile/0/001.p/01",
                          "tile/0/001.p/",
                          "tile/0/001.p/1/",
                          "tile/0/001.p/1.p/1",
                          "tile/0/x001.p/1/000",
                          "tile/0/ 01",
                          "tile/0/+01",
                          "tile/0/X001/000",
                          "tile/entries",
                          "tile/Entries/000",
                          "tile/8/0/000",
                          "tile/0/../000",
                          "tile/0/x999/x999/x999/x999/x999/x999/999"})
    EXPECT_FALSE(parse_tile_path(bad).ok()) << bad;
}

RC_GTEST_PROP(TilePath, ParsesWhatItWrites, ()) {
  Tile tile;
  tile.kind = *rc::gen::element(TileKind::kHashes, TileKind::kEntries);
  if (tile.kind == TileKind::kHashes) tile.level = *rc::gen::inRange<std::uint8_t>(0, 64);
  tile.index = *rc::gen::inRange<std::uint64_t>(0, 1'000'000'000'000'000'000);
  tile.width = *rc::gen::inRange<std::uint16_t>(1, 257);
  RC_ASSERT(*parse_tile_path(tile_path(tile)) == tile);
}

// tlog-tiles, "Partial Tiles".
TEST(Tiles, OfTheExampleInTlogTiles) {
  const auto tiles = tiles_between(0, 70'000);
  EXPECT_EQ(tiles.size(), 274U + 2U + 1U);
  const std::set<Tile> found(tiles.begin(), tiles.end());
  for (std::uint64_t i = 0; i < 273; ++i) EXPECT_TRUE(found.contains(hashes(0, i))) << i;
  EXPECT_TRUE(found.contains(hashes(0, 273, 112)));
  EXPECT_TRUE(found.contains(hashes(1, 0)));
  EXPECT_TRUE(found.contains(hashes(1, 1, 17)));
  EXPECT_TRUE(found.contains(hashes(2, 0, 1)));
  const std::vector<Tile> at_256 = {hashes(0, 0), hashes(1, 0, 1)};
  EXPECT_EQ(tiles_between(0, 256), at_256);
  EXPECT_TRUE(tiles_between(0, 0).empty());
}

RC_GTEST_PROP(Tiles, ThatChangedAreThoseOfTheNewTreeThatTheOldHasNot, ()) {
  const auto from = *rc::gen::inRange<std::uint64_t>(0, 140'000);
  const auto to = from + *rc::gen::inRange<std::uint64_t>(0, 2'000);
  const auto before = tiles_between(0, from);
  const auto after = tiles_between(0, to);
  std::set<Tile> expected(after.begin(), after.end());
  for (const Tile& tile : before) expected.erase(tile);
  const auto changed = tiles_between(from, to);
  RC_ASSERT(std::set<Tile>(changed.begin(), changed.end()) == expected);
  RC_ASSERT(changed.size() == expected.size());
  for (const Tile& tile : after) RC_ASSERT(tile.width == tile_width(to, tile.level, tile.index));
}

TEST(Tiles, HaveNoWidthBeyondTheTree) {
  EXPECT_EQ(tile_width(1000, 0, 4), 0);
  EXPECT_EQ(tile_width(1000, 0, UINT64_MAX), 0);
  EXPECT_EQ(tile_width(1000, 2, 0), 0);
  EXPECT_EQ(tile_width(UINT64_MAX, 8, 0), 0);
  EXPECT_EQ(tile_width(1024, 0, 3), 256);
  EXPECT_EQ(tile_width(1024, 0, 4), 0);
}

TEST(Bundle, HasItsLengthsInTwoBytes) {
  const std::vector<Bytes> entries = {{1, 2}, {}, Bytes(258, 7)};
  const Bytes bundle = encode_bundle(entries);
  EXPECT_EQ(to_hex(BytesView(bundle).first(8)), "0002010200000102");
  EXPECT_EQ(*decode_bundle(bundle, 3), entries);
  EXPECT_FALSE(decode_bundle(bundle, 2).ok());
  EXPECT_FALSE(decode_bundle(bundle, 4).ok());
  for (std::size_t n = 0; n < bundle.size(); ++n)
    EXPECT_FALSE(decode_bundle(BytesView(bundle).first(n), 3).ok()) << n;
}

}  // namespace
}  // namespace holdfast::tlog
