#include "crypto/ed25519.h"

#include <gtest/gtest.h>

namespace holdfast::crypto {
namespace {

Bytes hex(std::string_view text) { return from_hex(text).value(); }

struct Case {
  const char* seed;
  const char* key;
  const char* message;
  const char* signature;
};

// RFC 8032 section 7.1, tests 1 to 3.
const Case kCases[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
     "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da0"
     "85ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac1"
     "8ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

TEST(Ed25519Key, MakesTheKeysAndSignaturesOfRfc8032) {
  for (const Case& c : kCases) {
    const Ed25519Key key(Key<Ed25519Purpose>::from_bytes(hex(c.seed)));
    EXPECT_EQ(to_hex(key.public_key().bytes), c.key);
    EXPECT_EQ(to_hex(key.sign(hex(c.message))), c.signature);
  }
}

TEST(Ed25519Key, SignaturesVerifyAndNoFlippedBitDoes) {
  const Ed25519Key key(Key<Ed25519Purpose>::random());
  Bytes message = hex("00112233");
  Ed25519Signature signature = key.sign(message);
  EXPECT_TRUE(ed25519_verify(key.public_key(), message, signature));
  for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
    const auto mask = static_cast<std::uint8_t>(1u << (bit % 8));
    signature[bit / 8] ^= mask;
    EXPECT_FALSE(ed25519_verify(key.public_key(), message, signature)) << bit;
    signature[bit / 8] ^= mask;
  }
  for (std::size_t bit = 0; bit < Ed25519PublicKey::kSize * 8; ++bit) {
    Ed25519PublicKey other = key.public_key();
    other.bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    EXPECT_FALSE(ed25519_verify(other, message, signature)) << bit;
  }
  message.push_back(0);
  EXPECT_FALSE(ed25519_verify(key.public_key(), message, signature));
}

// RFC 8032 section 5.1.7: s must be below the order, so that s + order is no second spelling.
TEST(Ed25519Key, RefusesAnSOutOfRange) {
  const Bytes order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  const Case& c = kCases[1];
  Ed25519Signature signature{};
  const Bytes good = hex(c.signature);
  std::copy(good.begin(), good.end(), signature.begin());
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += signature[32 + i] + order[i];
    signature[32 + i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  Ed25519PublicKey key;
  const Bytes point = hex(c.key);
  std::copy(point.begin(), point.end(), key.bytes.begin());
  EXPECT_FALSE(ed25519_verify(key, hex(c.message), signature));
}

}  // namespace
}  // namespace holdfast::crypto
