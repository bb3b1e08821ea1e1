#include "crypto/sign.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"
#include "crypto/p256.h"
#include "crypto/primitives.h"

namespace holdfast::crypto {
namespace {

Bytes hex(std::string_view text) { return from_hex(text).value(); }

Bytes counting(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i);
  return out;
}

// n - s: the other spelling of the same signature.
Signature negated(Signature signature) {
  const BigNumber order(checked(
      BN_bin2bn(hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").data(), 32,
                nullptr)));
  const BigNumber s(checked(BN_bin2bn(signature.data() + 32, 32, nullptr)));
  HF_CHECK(BN_sub(s.get(), order.get(), s.get()) == 1);
  HF_CHECK(BN_bn2binpad(s.get(), signature.data() + 32, 32) == 32);
  return signature;
}

// RFC 6979 appendix A.2.5, SHA-256. The s of "sample" is high, that of "test" low.
const char* const kRfc6979Point =
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
const char* const kSample =
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
const char* const kTest =
    "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
    "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083";

TEST(EcdsaP256, VerifiesRfc6979Signatures) {
  EXPECT_TRUE(primitives::ecdsa_p256_verify(hex(kRfc6979Point), as_bytes("sample"), hex(kSample)));
  EXPECT_TRUE(primitives::ecdsa_p256_verify(hex(kRfc6979Point), as_bytes("test"), hex(kTest)));
  EXPECT_FALSE(primitives::ecdsa_p256_verify(hex(kRfc6979Point), as_bytes("test"), hex(kSample)));
}

TEST(EcdsaP256, RefusesOtherSizes) {
  for (const std::size_t size : {0u, 63u, 65u, 128u}) {
    Bytes signature = hex(kTest);
    signature.resize(size);
    EXPECT_FALSE(primitives::ecdsa_p256_verify(hex(kRfc6979Point), as_bytes("test"), signature));
  }
  const Bytes point = hex(kRfc6979Point);
  for (const std::size_t size : {0u, 1u, 33u, 64u})
    EXPECT_FALSE(
        primitives::ecdsa_p256_verify(BytesView(point).first(size), as_bytes("test"), hex(kTest)));
}

// 0 and n are outside [1, n-1].
TEST(EcdsaP256, RefusesNumbersOutOfRange) {
  const Bytes zero(32, 0);
  const Bytes order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
  for (const Bytes& bad : {zero, order}) {
    for (const std::size_t at : {0u, 32u}) {
      Bytes signature = hex(kTest);
      std::copy(bad.begin(), bad.end(), signature.begin() + static_cast<std::ptrdiff_t>(at));
      EXPECT_FALSE(primitives::ecdsa_p256_verify(hex(kRfc6979Point), as_bytes("test"), signature));
    }
  }
}

// SEC 2 section 2.4.2: n is this; the low half ends at (n - 1) / 2.
TEST(EcdsaP256, LowSEndsAtHalfTheOrder) {
  Signature signature{};
  const auto with_s = [&](std::string_view s) {
    const Bytes bytes = hex(s);
    std::copy(bytes.begin(), bytes.end(), signature.begin() + 32);
    return p256_low_s(signature);
  };
  EXPECT_TRUE(with_s("7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8"));
  EXPECT_FALSE(with_s("7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a9"));
  EXPECT_TRUE(with_s("0000000000000000000000000000000000000000000000000000000000000001"));
}

TEST(Sign, APointOffTheCurveIsNoKey) {
  const auto of = [](const Bytes& bytes) {
    VerifyKey key;
    std::ranges::copy(bytes, key.bytes.begin());
    return key;
  };
  const Bytes good = hex(kRfc6979Point);
  ASSERT_EQ(good.size(), VerifyKey::kSize);
  EXPECT_TRUE(is_point(of(good)));
  for (const std::size_t at : {std::size_t{0}, std::size_t{1}, std::size_t{40}, good.size() - 1}) {
    Bytes changed = good;
    changed[at] ^= 1;
    EXPECT_FALSE(is_point(of(changed))) << at;
  }
  EXPECT_FALSE(is_point(VerifyKey{}));
}

// Expected points: a P-256 of Python integers (affine formulas), with hmac and hashlib for HKDF.
TEST(SigningKey, IsWhatAnIndependentImplementationDerives) {
  const SigningKey key(Key<SigningPurpose>::from_bytes(counting(32)));
  EXPECT_EQ(to_hex(key.verify_key().bytes),
            "04cb269ba8e90e30305f68cfbee61b85351d62c018c11fb325fbe9c2bfc8dfd653"
            "aeaacd38e88282944494c95b1d7aabf79ffb4a18998c6025ebd86f773987e761");
}

// The ends of FIPS 186-5 A.2.1: 0 and n - 1 give the scalar 1, n - 2 gives n - 1.
TEST(SigningKey, ReducesToTheWholeRange) {
  const std::string g =
      "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
      "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
  const std::string minus_g =
      "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
      "b01cbd1c01e58065711814b583f061e9d431cca994cea1313449bf97c840ae0a";
  const auto point = [](std::string_view wide) {
    const Bytes bytes = hex(wide);
    return to_hex(p256_key_pair(std::span(bytes).first<48>()).point);
  };
  const std::string pad(32, '0');
  EXPECT_EQ(point(std::string(96, '0')), g);
  EXPECT_EQ(point(pad + "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550"), g);
  EXPECT_EQ(point(pad + "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63254f"),
            minus_g);
  EXPECT_EQ(point(std::string(96, 'f')),
            "044b0bac526bd810f3663527e929ee8e2188d5070146396d862fb139cbf107568c"
            "efa020c62d211153424929ffea5d1ad19fc3ea0fe3f0399039cdb5bcb434e195");
}

class Signing : public testing::Test {
 protected:
  const SigningKey key_{Key<SigningPurpose>::random()};
  const Bytes message_ = counting(100);
  const Signature signature_ = key_.sign("holdfast/v1/test/sig", message_);

  bool verifies(const Signature& signature) const {
    return verify(key_.verify_key(), "holdfast/v1/test/sig", message_, signature);
  }
};

TEST_F(Signing, Verifies) { EXPECT_TRUE(verifies(signature_)); }

TEST_F(Signing, IsOverTheLabelAndTheHashOfTheBytes) {
  Bytes message = to_bytes(as_bytes("holdfast/v1/test/sig"));
  append(message, sha256(message_).view());
  EXPECT_TRUE(primitives::ecdsa_p256_verify(key_.verify_key().bytes, message, signature_));
}

TEST_F(Signing, RefusesEveryFlippedBitOfTheSignature) {
  for (std::size_t bit = 0; bit < signature_.size() * 8; ++bit) {
    Signature bad = signature_;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    EXPECT_FALSE(verifies(bad)) << bit;
  }
}

TEST_F(Signing, RefusesEveryFlippedBitOfTheMessage) {
  for (std::size_t bit = 0; bit < message_.size() * 8; ++bit) {
    Bytes bad = message_;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    EXPECT_FALSE(verify(key_.verify_key(), "holdfast/v1/test/sig", bad, signature_)) << bit;
  }
}

TEST_F(Signing, RefusesEveryFlippedBitOfTheKey) {
  for (std::size_t bit = 0; bit < VerifyKey::kSize * 8; ++bit) {
    VerifyKey bad = key_.verify_key();
    bad.bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    EXPECT_FALSE(verify(bad, "holdfast/v1/test/sig", message_, signature_)) << bit;
  }
}

TEST_F(Signing, RefusesEveryTruncationOfTheMessage) {
  for (std::size_t n = 0; n < message_.size(); ++n)
    EXPECT_FALSE(verify(key_.verify_key(), "holdfast/v1/test/sig", BytesView(message_).first(n),
                        signature_));
}

TEST_F(Signing, RefusesAnotherLabelAndAnotherKey) {
  EXPECT_FALSE(verify(key_.verify_key(), "holdfast/v1/test/other", message_, signature_));
  const SigningKey other(Key<SigningPurpose>::random());
  EXPECT_FALSE(verify(other.verify_key(), "holdfast/v1/test/sig", message_, signature_));
}

// The product's rule beyond ECDSA: one spelling of a signature.
TEST_F(Signing, RefusesTheSameSignatureWithHighS) {
  const Signature high = negated(signature_);
  Bytes message = to_bytes(as_bytes("holdfast/v1/test/sig"));
  append(message, sha256(message_).view());
  EXPECT_TRUE(primitives::ecdsa_p256_verify(key_.verify_key().bytes, message, high));
  EXPECT_FALSE(verifies(high));
}

TEST_F(Signing, AlwaysSignsWithLowS) {
  for (std::uint8_t i = 0; i < 64; ++i) {
    const Signature signature = key_.sign("holdfast/v1/test/sig", Bytes{i});
    EXPECT_TRUE(p256_low_s(signature));
    EXPECT_TRUE(verify(key_.verify_key(), "holdfast/v1/test/sig", Bytes{i}, signature));
  }
}

TEST_F(Signing, RefusesAZeroKey) {
  EXPECT_FALSE(verify(VerifyKey{}, "holdfast/v1/test/sig", message_, signature_));
  VerifyKey origin;
  origin.bytes[0] = 4;
  EXPECT_FALSE(verify(origin, "holdfast/v1/test/sig", message_, signature_));
}

struct Ed25519Case {
  const char* key;
  const char* message;
  const char* signature;
};

// RFC 8032 section 7.1, tests 1 to 3.
TEST(Ed25519, VerifiesRfc8032Signatures) {
  const Ed25519Case cases[] = {
      {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf"
       "9b4"
       "6bd25bf5f0595bbe24655141438e7a100b"},
      {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
       "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f"
       "11d"
       "8c387b2eaeb4302aeeb00d291612bb0c00"},
      {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
       "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984"
       "dc6"
       "594a7c15e9716ed28dc027beceea1ec40a"},
  };
  for (const Ed25519Case& c : cases) {
    Bytes signature = hex(c.signature);
    EXPECT_TRUE(primitives::ed25519_verify(hex(c.key), hex(c.message), signature));
    for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
      signature[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
      EXPECT_FALSE(primitives::ed25519_verify(hex(c.key), hex(c.message), signature)) << bit;
      signature[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    }
  }
}

}  // namespace
}  // namespace holdfast::crypto
