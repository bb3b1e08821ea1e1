#include "crypto/seal.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "crypto/primitives.h"

namespace holdfast::crypto {
namespace {

struct OuterPurpose {};
struct InnerPurpose {};
struct ShortPurpose {
  static constexpr std::size_t kSize = 16;
};
using OuterKey = Key<OuterPurpose>;

constexpr std::size_t kHeader = 56;
constexpr std::size_t kChunk = 16384;
constexpr std::size_t kSealedChunk = kChunk + 16;

Bytes hex(std::string_view text) { return from_hex(text).value(); }

Bytes pattern(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 31 + i / 251);
  return out;
}

Bytes flipped(Bytes bytes, std::size_t bit) {
  bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
  return bytes;
}

// "The Galois/Counter Mode of Operation" (McGrew, Viega), appendix B: test cases 13 to 16.
TEST(AesGcm, MatchesThePublishedCases) {
  const Bytes zero_key(32, 0);
  const Bytes zero_nonce(12, 0);
  EXPECT_EQ(to_hex(primitives::aes256gcm_seal(zero_key, zero_nonce, {}, {})),
            "530f8afbc74536b9a963b4f1c4cb738b");
  EXPECT_EQ(to_hex(primitives::aes256gcm_seal(zero_key, zero_nonce, {}, Bytes(16, 0))),
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
  const Bytes key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  const Bytes nonce = hex("cafebabefacedbaddecaf888");
  const Bytes plain =
      hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
          "49a6b525b16aedf5aa0de657ba637b391aafd255");
  const std::string sealed =
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b105682"
      "8838"
      "c5f61e6393ba7a0abcc9f662";
  EXPECT_EQ(to_hex(primitives::aes256gcm_seal(key, nonce, {}, plain)),
            sealed + "898015ad" + "b094dac5d93471bdec1a502270e3cc6c");
  const Bytes aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  EXPECT_EQ(to_hex(primitives::aes256gcm_seal(key, nonce, aad, BytesView(plain).first(60))),
            sealed + "76fc6ece0f4e1768cddf8853bb2d551b");
}

TEST(AesGcm, RefusesEveryFlippedBit) {
  const Bytes key(32, 1);
  const Bytes nonce(12, 2);
  const Bytes aad = pattern(5);
  const Bytes sealed = primitives::aes256gcm_seal(key, nonce, aad, pattern(20));
  EXPECT_EQ(primitives::aes256gcm_open(key, nonce, aad, sealed), pattern(20));
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit)
    EXPECT_FALSE(primitives::aes256gcm_open(key, nonce, aad, flipped(sealed, bit))) << bit;
  for (std::size_t bit = 0; bit < aad.size() * 8; ++bit)
    EXPECT_FALSE(primitives::aes256gcm_open(key, nonce, flipped(aad, bit), sealed)) << bit;
}

TEST(Seal, OpensToTheSameBytesAtEverySizeAroundAChunk) {
  const auto key = OuterKey::random();
  for (const std::size_t size :
       {0ul, 1ul, kChunk - 1, kChunk, kChunk + 1, 2 * kChunk - 1, 2 * kChunk, 300 * kChunk + 5}) {
    const Bytes plain = pattern(size);
    const Bytes sealed = seal(key, as_bytes("here"), plain);
    EXPECT_EQ(sealed.size(), sealed_size(size));
    EXPECT_EQ(opened_size(sealed.size()), size);
    EXPECT_EQ(open(key, as_bytes("here"), sealed).value(), plain) << size;
  }
}

RC_GTEST_PROP(Seal, OpensToTheSameBytes, (const Bytes& plain, const Bytes& context)) {
  const auto key = OuterKey::random();
  RC_ASSERT(open(key, context, seal(key, context, plain)).value() == plain);
}

TEST(Seal, OpenedSizeIsTheLargestThatFits) {
  for (std::uint64_t limit = 72; limit < 72 + 3 * kSealedChunk; ++limit) {
    EXPECT_LE(sealed_size(opened_size(limit)), limit);
    EXPECT_GT(sealed_size(opened_size(limit) + 1), limit);
  }
  EXPECT_EQ(opened_size(0), 0u);
  EXPECT_EQ(opened_size(71), 0u);
}

TEST(Seal, NeverGivesTheSameBytesTwice) {
  const auto key = OuterKey::random();
  EXPECT_NE(seal(key, {}, {}), seal(key, {}, {}));
}

TEST(Open, RefusesEveryFlippedBit) {
  const auto key = OuterKey::random();
  const Bytes sealed = seal(key, as_bytes("c"), pattern(50));
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    const Result<Bytes> opened = open(key, as_bytes("c"), flipped(sealed, bit));
    ASSERT_FALSE(opened.ok()) << bit;
    EXPECT_EQ(opened.error().code, Code::kCorrupt);
  }
}

TEST(Open, RefusesEveryTruncation) {
  const auto key = OuterKey::random();
  const Bytes sealed = seal(key, as_bytes("c"), pattern(100));
  for (std::size_t n = 0; n < sealed.size(); ++n)
    EXPECT_FALSE(open(key, as_bytes("c"), BytesView(sealed).first(n)).ok()) << n;
}

// Lengths at which a careless reader would see a shorter but whole message.
TEST(Open, RefusesTruncationAtAndAroundEveryChunk) {
  const auto key = OuterKey::random();
  const Bytes sealed = seal(key, {}, pattern(3 * kChunk + 100));
  for (std::size_t chunk = 0; chunk <= 3; ++chunk) {
    for (int off = -17; off <= 17; ++off) {
      const auto n = static_cast<std::ptrdiff_t>(kHeader + chunk * kSealedChunk) + off;
      EXPECT_FALSE(open(key, {}, BytesView(sealed).first(static_cast<std::size_t>(n))).ok()) << n;
    }
  }
}

TEST(Open, RefusesTrailingBytes) {
  const auto key = OuterKey::random();
  Bytes sealed = seal(key, {}, pattern(2 * kChunk));
  for (int i = 0; i < 40; ++i) {
    sealed.push_back(0);
    EXPECT_FALSE(open(key, {}, sealed).ok()) << i;
  }
}

TEST(Open, RefusesChunksInAnotherOrder) {
  const auto key = OuterKey::random();
  Bytes sealed = seal(key, {}, pattern(2 * kChunk + 1));
  const auto first = sealed.begin() + kHeader;
  std::swap_ranges(first, first + kSealedChunk, first + kSealedChunk);
  EXPECT_FALSE(open(key, {}, sealed).ok());
}

TEST(Open, RefusesAChunkOfAnotherMessageUnderTheSameKey) {
  const auto key = OuterKey::random();
  Bytes sealed = seal(key, {}, pattern(kChunk + 1));
  const Bytes other = seal(key, {}, pattern(kChunk + 1));
  std::copy(other.begin() + kHeader, other.end(), sealed.begin() + kHeader);
  EXPECT_FALSE(open(key, {}, sealed).ok());
}

TEST(Open, RefusesAnotherContext) {
  const auto key = OuterKey::random();
  const Bytes sealed = seal(key, as_bytes("here"), pattern(10));
  for (const char* other : {"", "her", "here ", "Here", "there"})
    EXPECT_FALSE(open(key, as_bytes(other), sealed).ok()) << other;
}

TEST(Open, RefusesAnotherKey) {
  const Bytes sealed = seal(OuterKey::random(), {}, pattern(10));
  EXPECT_FALSE(open(OuterKey::random(), {}, sealed).ok());
}

// Without a commitment one AES-GCM ciphertext can be made that opens under two keys. Here the
// commitment of the second key stands nowhere in what the first one sealed, and the right chunks
// under a foreign commitment are refused too.
TEST(Open, IsCommittedToOneKey) {
  const Bytes salt(24, 9);
  const Bytes a = primitives::cobblestone256_seal(Bytes(32, 1), {}, salt, pattern(10));
  const Bytes b = primitives::cobblestone256_seal(Bytes(32, 2), {}, salt, pattern(10));
  Bytes mixed = a;
  std::copy_n(b.begin() + 24, 32, mixed.begin() + 24);
  EXPECT_FALSE(primitives::cobblestone256_open(Bytes(32, 1), {}, mixed));
  EXPECT_FALSE(primitives::cobblestone256_open(Bytes(32, 2), {}, mixed));
  EXPECT_TRUE(primitives::cobblestone256_open(Bytes(32, 1), {}, a));
}

RC_GTEST_PROP(Open, RefusesRandomBytes, (const Bytes& bytes)) {
  RC_ASSERT(!open(OuterKey::random(), {}, bytes).ok());
}

TEST(SealKey, OpensToTheSameKey) {
  const auto outer = OuterKey::random();
  const auto inner = Key<InnerPurpose>::random();
  const Bytes sealed = seal_key(outer, as_bytes("c"), inner);
  const auto opened = open_key<InnerPurpose>(outer, as_bytes("c"), sealed);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(to_hex(expose(*opened)), to_hex(expose(inner)));
}

TEST(SealKey, RefusesAKeyOfAnotherSize) {
  const auto outer = OuterKey::random();
  const Bytes sealed = seal_key(outer, {}, Key<ShortPurpose>::random());
  EXPECT_EQ(open_key<InnerPurpose>(outer, {}, sealed).error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace holdfast::crypto
