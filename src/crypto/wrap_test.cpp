#include "crypto/wrap.h"

#include <gtest/gtest.h>

#include "crypto/primitives.h"

namespace holdfast::crypto {
namespace {

struct InnerPurpose {};
struct ShortPurpose {
  static constexpr std::size_t kSize = 16;
};

Bytes hex(std::string_view text) { return from_hex(text).value(); }

class Wrap : public testing::Test {
 protected:
  const Key<WrapPurpose> key_ = Key<WrapPurpose>::random();
  const WrapPublicKey public_ = wrap_public_key(key_);
  const Key<InnerPurpose> inner_ = Key<InnerPurpose>::random();
  const Bytes wrapped_ = wrap_key(public_, as_bytes("info"), inner_).value();

  bool unwraps(BytesView wrapped, std::string_view info = "info") const {
    return unwrap_key<InnerPurpose>(key_, as_bytes(info), wrapped).ok();
  }
};

// RFC 7748 section 5.2: both examples, and 1 and 1000 iterations.
TEST(X25519, MatchesRfc7748) {
  EXPECT_EQ(to_hex(primitives::x25519(
                       hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                       hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"))
                       .value()),
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
  EXPECT_EQ(to_hex(primitives::x25519(
                       hex("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d"),
                       hex("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493"))
                       .value()),
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
  Bytes k = hex("0900000000000000000000000000000000000000000000000000000000000000");
  Bytes u = k;
  for (int i = 0; i < 1000; ++i) {
    Bytes next = primitives::x25519(k, u).value();
    u = std::move(k);
    k = std::move(next);
    if (i == 0) {
      EXPECT_EQ(to_hex(k), "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
  }
  EXPECT_EQ(to_hex(k), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

TEST_F(Wrap, UnwrapsToTheSameKey) {
  EXPECT_EQ(wrapped_.size(), kWrappedKeySize);
  const auto opened = unwrap_key<InnerPurpose>(key_, as_bytes("info"), wrapped_);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(to_hex(expose(*opened)), to_hex(expose(inner_)));
}

TEST_F(Wrap, NeverGivesTheSameBytesTwice) {
  EXPECT_NE(wrap_key(public_, as_bytes("info"), inner_).value(), wrapped_);
}

TEST_F(Wrap, RefusesEveryFlippedBit) {
  for (std::size_t bit = 0; bit < wrapped_.size() * 8; ++bit) {
    Bytes bad = wrapped_;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    // X25519 ignores the top bit of a point (RFC 7748 section 5), but X-Wing hashes it.
    EXPECT_FALSE(unwraps(bad)) << bit;
  }
}

TEST_F(Wrap, RefusesEveryTruncationAndTrailingBytes) {
  for (std::size_t n = 0; n < wrapped_.size(); ++n)
    EXPECT_FALSE(unwraps(BytesView(wrapped_).first(n))) << n;
  Bytes longer = wrapped_;
  longer.push_back(0);
  EXPECT_FALSE(unwraps(longer));
}

TEST_F(Wrap, RefusesAnotherInfo) {
  for (const char* info : {"", "inf", "info ", "Info"}) EXPECT_FALSE(unwraps(wrapped_, info));
}

TEST_F(Wrap, RefusesAnotherRecipient) {
  const auto other = Key<WrapPurpose>::random();
  const auto opened = unwrap_key<InnerPurpose>(other, as_bytes("info"), wrapped_);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kCorrupt);
}

TEST_F(Wrap, RefusesAKeyOfAnotherSize) {
  const Bytes wrapped = wrap_key(public_, as_bytes("info"), Key<ShortPurpose>::random()).value();
  EXPECT_FALSE(unwraps(wrapped));
}

// FIPS 203 section 7.2: coefficients are below 3329. The first two bytes here say 4095.
TEST_F(Wrap, RefusesAPublicKeyThatIsNotReduced) {
  WrapPublicKey bad = public_;
  bad.bytes[0] = 0xff;
  bad.bytes[1] |= 0x0f;
  const Result<Bytes> wrapped = wrap_key(bad, as_bytes("info"), inner_);
  ASSERT_FALSE(wrapped.ok());
  EXPECT_EQ(wrapped.error().code, Code::kInvalid);
}

// All points of small order (RFC 7748 section 6.1 asks for the check; the list is Cremers and
// Jackson, "Prime, Order Please!", for the canonical ones).
TEST_F(Wrap, RefusesAPublicKeyOfLowOrder) {
  for (const char* point : {"0000000000000000000000000000000000000000000000000000000000000000",
                            "0100000000000000000000000000000000000000000000000000000000000000",
                            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
    WrapPublicKey bad = public_;
    const Bytes bytes = hex(point);
    std::copy(bytes.begin(), bytes.end(), bad.bytes.end() - 32);
    EXPECT_FALSE(wrap_key(bad, as_bytes("info"), inner_).ok()) << point;
    Bytes wrapped = wrapped_;
    std::copy(bytes.begin(), bytes.end(), wrapped.begin() + kWrapEncSize - 32);
    EXPECT_FALSE(unwraps(wrapped)) << point;
  }
}

TEST_F(Wrap, OneSeedGivesOnePublicKey) { EXPECT_EQ(wrap_public_key(key_), public_); }

TEST(MlKem, TheExpandedKeyDecapsulatesAsTheSeedDoes) {
  const Bytes seed(64, 0x21);
  const auto pair = primitives::mlkem768_from_seed(seed).value();
  ASSERT_EQ(pair.private_key.size(), 2400u);
  const auto sent = primitives::mlkem768_encapsulate(pair.public_key, Bytes(32, 7)).value();
  EXPECT_EQ(primitives::mlkem768_decapsulate(seed, sent.ciphertext), sent.shared);
  EXPECT_EQ(primitives::mlkem768_decapsulate(pair.private_key, sent.ciphertext), sent.shared);
}

TEST(MlKem, ADamagedCiphertextGivesTheSameOtherSecretFromBothKeys) {
  const Bytes seed(64, 0x22);
  const auto pair = primitives::mlkem768_from_seed(seed).value();
  auto sent = primitives::mlkem768_encapsulate(pair.public_key, Bytes(32, 7)).value();
  sent.ciphertext[100] ^= 1;
  const auto shared = primitives::mlkem768_decapsulate(seed, sent.ciphertext);
  EXPECT_NE(shared, sent.shared);
  EXPECT_EQ(primitives::mlkem768_decapsulate(pair.private_key, sent.ciphertext), shared);
}

}  // namespace
}  // namespace holdfast::crypto
