#include "archive/chunker.h"

#include <gtest/gtest.h>

#include <cstring>
#include <iostream>
#include <random>
#include <set>

namespace holdfast::archive {
namespace {

std::mt19937_64 random_of_a_seed() {
  const auto seed = static_cast<std::uint64_t>(std::random_device{}());
  std::cout << "seed " << seed << "\n";
  return std::mt19937_64(seed);
}

Bytes noise(std::mt19937_64& random, std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t word = random();
    std::memcpy(bytes.data() + i, &word, std::min<std::size_t>(8, size - i));
  }
  return bytes;
}

std::vector<Bytes> cut_all(Chunker& chunker, BytesView data) {
  std::vector<Bytes> chunks;
  while (!data.empty()) {
    const std::size_t n = chunker.cut(data.first(std::min<std::size_t>(data.size(), kMaxChunk)));
    chunks.push_back(to_bytes(data.first(n)));
    data = data.subspan(n);
  }
  return chunks;
}

TEST(Chunker, CutsWithinLimitsAndLosesNothing) {
  auto random = random_of_a_seed();
  const auto key = keys::CuttingKey::random();
  Chunker chunker(key);
  for (const std::size_t size : {1U, 100U, kMinChunk, kMinChunk + 1, 20U << 20}) {
    const Bytes data = noise(random, size);
    Bytes joined;
    const auto chunks = cut_all(chunker, data);
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      EXPECT_LE(chunks[i].size(), kMaxChunk);
      EXPECT_GT(chunks[i].size(), 0U);
      if (i + 1 < chunks.size()) {
        EXPECT_GE(chunks[i].size(), kMinChunk);
      }
      append(joined, chunks[i]);
    }
    EXPECT_EQ(joined, data);
  }
}

TEST(Chunker, CutsZerosAtTheLimit) {
  const auto key = keys::CuttingKey::random();
  Chunker chunker(key);
  const Bytes zeros(kMaxChunk);
  const std::size_t n = chunker.cut(zeros);
  EXPECT_TRUE(n == kMaxChunk || n == kMinChunk);  // one digest: a cut at once or never
}

TEST(Chunker, FindsTheSameCutsAfterAnInsertion) {
  auto random = random_of_a_seed();
  const auto key = keys::CuttingKey::random();
  Chunker chunker(key);
  Bytes data = noise(random, 40U << 20);
  const auto before = cut_all(chunker, data);
  data.insert(data.begin() + 1000, {1, 2, 3});
  const auto after = cut_all(chunker, data);
  const std::set<Bytes> known(before.begin(), before.end());
  std::size_t same = 0;
  for (const Bytes& chunk : after) same += known.contains(chunk) ? 1U : 0U;
  EXPECT_GE(same * 2, before.size());
}

TEST(Chunker, CutsElsewhereUnderAnotherKey) {
  auto random = random_of_a_seed();
  const Bytes data = noise(random, 20U << 20);
  const auto one = keys::CuttingKey::random();
  const auto two = keys::CuttingKey::random();
  Chunker first(one);
  Chunker second(two);
  EXPECT_NE(cut_all(first, data), cut_all(second, data));
}

// ---- another implementation, from docs/formats/archive.md#chunks ----

constexpr std::size_t kWindowBytes = 64;

// Each window by its definition: the sum of x^(63-i) times the weight of its byte i.
class Definition {
 public:
  explicit Definition(const keys::CuttingKey& key)
      : block_(crypto::derive<keys::CutBlockPurpose>(key)) {
    Bytes tables(2 * 256 * 8);
    crypto::expand(key, "holdfast/v1/cutting/tables", tables);
    for (std::size_t t = 0; t < 2; ++t)
      for (std::size_t v = 0; v < 256; ++v)
        for (std::size_t i = 0; i < 8; ++i)
          weights_[t][v] |= std::uint64_t{tables[(t * 256 + v) * 8 + i]} << (8 * i);
  }

  bool is_cut(const std::uint8_t* position) {
    std::array<std::uint8_t, 16> block{};
    for (std::size_t t = 0; t < 2; ++t) {
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < kWindowBytes; ++i) {
        const bool carry = sum >> 63 != 0;
        sum <<= 1;
        if (carry) sum ^= 0x1b;
        sum ^= weights_[t][*(position - kWindowBytes + i)];
      }
      for (std::size_t i = 0; i < 8; ++i)
        block[t * 8 + i] = static_cast<std::uint8_t>(sum >> (8 * i));
    }
    block_.apply(block);  // one alone: OpenSSL's, on every machine
    return block[0] == 0 && block[1] == 0 && (block[2] & 0x0f) == 0;
  }

  std::size_t cut(BytesView data) {
    if (data.size() <= kMinChunk) return data.size();
    const std::size_t end = std::min<std::size_t>(data.size(), kMaxChunk);
    for (std::size_t at = kMinChunk; at < end; ++at)
      if (is_cut(data.data() + at)) return at;
    return end;
  }

 private:
  std::uint64_t weights_[2][256] = {};
  crypto::BlockFunction block_;
};

TEST(Chunker, CutsWhereTheDefinitionSays) {
  auto random = random_of_a_seed();
  const auto key = keys::CuttingKey::random();
  Chunker chunker(key);
  Definition definition(key);
  const Bytes data = noise(random, 4U << 20);
  BytesView rest(data);
  for (int i = 0; i < 2 && !rest.empty(); ++i) {
    const std::size_t n = chunker.cut(rest);
    EXPECT_EQ(n, definition.cut(rest));
    rest = rest.subspan(n);
  }
  // Ends within the last positions that are scanned one stretch at a time, and just at them.
  for (const std::size_t size : {kMinChunk + 1, kMinChunk + 16383, kMinChunk + 16384 + 7}) {
    const BytesView part = BytesView(data).subspan(random() % kMinChunk, size);
    EXPECT_EQ(chunker.cut(part), definition.cut(part));
  }
}

// A period of the content makes every lane find a cut at once: the first counts.
TEST(Chunker, TakesTheFirstOfSeveralCuts) {
  auto random = random_of_a_seed();
  const auto key = keys::CuttingKey::random();
  Definition definition(key);
  Bytes data;
  std::size_t at = 0;
  // One place in a million is a cut: 30 MiB without one are not seen in a lifetime.
  for (int tries = 0; tries < 30 && at == data.size(); ++tries) {
    data = noise(random, 1U << 20);
    at = kWindowBytes;
    while (at < data.size() && !definition.is_cut(data.data() + at)) ++at;
  }
  ASSERT_LT(at, data.size());
  const Bytes window(data.begin() + static_cast<std::ptrdiff_t>(at - kWindowBytes),
                     data.begin() + static_cast<std::ptrdiff_t>(at));
  Bytes many(kMinChunk + 20000);
  for (std::size_t place = kMinChunk + 1000; place + 64 < many.size(); place += 777)
    std::ranges::copy(window, many.begin() + static_cast<std::ptrdiff_t>(place));
  EXPECT_EQ(Chunker(key).cut(many), definition.cut(many));
}

}  // namespace
}  // namespace holdfast::archive
