#include "crypto/blocks.h"

#include <gtest/gtest.h>

namespace holdfast::crypto {
namespace {

struct BlockPurpose {
  static constexpr std::size_t kSize = 16;
};

Bytes hex(std::string_view text) { return from_hex(text).value(); }

// FIPS 197 appendix C.1.
TEST(BlockFunction, MatchesFips197) {
  BlockFunction function(Key<BlockPurpose>::from_bytes(hex("000102030405060708090a0b0c0d0e0f")));
  Bytes block = hex("00112233445566778899aabbccddeeff");
  function.apply(block);
  EXPECT_EQ(to_hex(block), "69c4e0d86a7b0430d8cdb78070b4c55a");
}

// The same block so often that it goes through the path for many.
TEST(BlockFunction, MatchesFips197ForMany) {
  BlockFunction function(Key<BlockPurpose>::from_bytes(hex("000102030405060708090a0b0c0d0e0f")));
  Bytes blocks;
  Bytes expected;
  for (int i = 0; i < 50; ++i) {
    append(blocks, hex("00112233445566778899aabbccddeeff"));
    append(expected, hex("69c4e0d86a7b0430d8cdb78070b4c55a"));
  }
  function.apply(blocks);
  EXPECT_EQ(to_hex(blocks), to_hex(expected));
}

TEST(BlockFunction, TreatsEachBlockAlone) {
  BlockFunction function(Key<BlockPurpose>::random());
  Bytes many(16 * 1000);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::uint8_t>(i / 16);
  Bytes one_by_one = many;
  function.apply(many);
  for (std::size_t at = 0; at < one_by_one.size(); at += 16)
    function.apply(std::span(one_by_one).subspan(at, 16));
  EXPECT_EQ(many, one_by_one);
}

TEST(BlockFunction, TakesNothing) {
  BlockFunction function(Key<BlockPurpose>::random());
  function.apply({});
}

TEST(BlockFunction, Moves) {
  const auto key = Key<BlockPurpose>::random();
  BlockFunction first(key);
  BlockFunction second(std::move(first));
  Bytes a(16, 1);
  Bytes b(16, 1);
  second.apply(a);
  BlockFunction(key).apply(b);
  EXPECT_EQ(a, b);
}

}  // namespace
}  // namespace holdfast::crypto
