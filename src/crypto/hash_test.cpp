#include "crypto/hash.h"

#include <gtest/gtest.h>

#include "crypto/primitives.h"

namespace holdfast::crypto {
namespace {

struct AnyPurpose {};

Bytes hex(std::string_view text) { return from_hex(text).value(); }

Bytes text(std::string_view t) { return to_bytes(as_bytes(t)); }

// FIPS 180-2 appendix B.
TEST(Sha256, MatchesThePublishedExamples) {
  EXPECT_EQ(sha256(as_bytes("abc")).hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(BytesView{}).hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, ALabelIsHashedInFrontOfTheBytes) {
  EXPECT_EQ(sha256("label", as_bytes("bytes")), sha256(as_bytes("labelbytes")));
}

TEST(Sha256, PartsAndWholeAgree) {
  const Bytes bytes(100'000, 0x61);
  Sha256 hash;
  for (std::size_t at = 0; at < bytes.size(); at += 777)
    hash.update(BytesView(bytes).subspan(at, std::min<std::size_t>(777, bytes.size() - at)));
  EXPECT_EQ(hash.finish(), sha256(bytes));
}

TEST(Sha512, MatchesThePublishedExample) {
  EXPECT_EQ(to_hex(primitives::sha512(as_bytes("abc"))),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

struct HmacCase {
  Bytes key;
  Bytes message;
  std::string tag;
};

// RFC 4231 sections 4.2 to 4.8; case 5 publishes the first 16 bytes only.
TEST(Hmac, MatchesRfc4231) {
  const HmacCase cases[] = {
      {Bytes(20, 0x0b), text("Hi There"),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {text("Jefe"), text("what do ya want for nothing?"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {Bytes(20, 0xaa), Bytes(50, 0xdd),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {hex("0102030405060708090a0b0c0d0e0f10111213141516171819"), Bytes(50, 0xcd),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {Bytes(20, 0x0c), text("Test With Truncation"), "a3b6167473100ee06e0c796c2955552b"},
      {Bytes(131, 0xaa), text("Test Using Larger Than Block-Size Key - Hash Key First"),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {Bytes(131, 0xaa),
       text("This is a test using a larger than block-size key and a larger than block-size data. "
            "The key needs to be hashed before being used by the HMAC algorithm."),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (const HmacCase& c : cases)
    EXPECT_EQ(to_hex(primitives::hmac_sha256(c.key, c.message)).substr(0, c.tag.size()), c.tag);
}

// Expected value: Python's hmac.
TEST(Mac, IsOverTheLabelAndTheBytes) {
  Bytes counting(32);
  for (std::size_t i = 0; i < counting.size(); ++i) counting[i] = static_cast<std::uint8_t>(i);
  const auto key = Key<AnyPurpose>::from_bytes(counting);
  EXPECT_EQ(mac(key, "label", as_bytes("bytes")).hex(),
            "795bab621f5b5e6184327762b214d7680265e8d10f948e7605b3f05c7bd24844");
}

TEST(Mac, KeyedOnceGivesTheSameForEveryMessage) {
  const auto key = Key<AnyPurpose>::random();
  Mac keyed(key);
  for (const std::size_t size : {0u, 1u, 63u, 64u, 65u, 1000u}) {
    Bytes typed(1 + size, 0x5a);
    typed[0] = 3;
    const BytesView message = BytesView(typed).subspan(1);
    EXPECT_EQ(to_bytes(keyed.compute(3, message).view()),
              primitives::hmac_sha256(expose(key), typed));
  }
}

TEST(Mac, DependsOnTypeKeyAndMessage) {
  Mac a(Key<AnyPurpose>::random());
  Mac b(Key<AnyPurpose>::random());
  const Bytes message = {1, 2, 3};
  EXPECT_NE(a.compute(1, message), a.compute(2, message));
  EXPECT_NE(a.compute(1, message), b.compute(1, message));
  EXPECT_NE(a.compute(1, message), a.compute(1, {}));
}

// RFC 5869 appendix A.1 to A.3.
TEST(Hkdf, MatchesRfc5869) {
  EXPECT_EQ(to_hex(*primitives::hkdf_sha256(Bytes(22, 0x0b), hex("000102030405060708090a0b0c"),
                                            hex("f0f1f2f3f4f5f6f7f8f9"), 42)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  Bytes ikm;
  Bytes salt;
  Bytes info;
  for (int i = 0; i < 80; ++i) {
    ikm.push_back(static_cast<std::uint8_t>(i));
    salt.push_back(static_cast<std::uint8_t>(0x60 + i));
    info.push_back(static_cast<std::uint8_t>(0xb0 + i));
  }
  EXPECT_EQ(
      to_hex(*primitives::hkdf_sha256(ikm, salt, info, 82)),
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c6"
      "5e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
  EXPECT_EQ(to_hex(*primitives::hkdf_sha256(Bytes(22, 0x0b), {}, {}, 42)),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(Hkdf, GivesAtMost255Blocks) {
  EXPECT_EQ(primitives::hkdf_sha256({}, {}, {}, 255 * 32).value().size(), 255u * 32);
  EXPECT_FALSE(primitives::hkdf_sha256({}, {}, {}, 255 * 32 + 1));
}

TEST(Equal, ComparesSizesAndEveryByte) {
  const Bytes a(32, 1);
  EXPECT_TRUE(equal({}, {}));
  EXPECT_TRUE(equal(a, Bytes(32, 1)));
  EXPECT_FALSE(equal(a, Bytes(31, 1)));
  for (std::size_t i = 0; i < a.size(); ++i) {
    Bytes b = a;
    b[i] ^= 0x80;
    EXPECT_FALSE(equal(a, b)) << i;
  }
}

}  // namespace
}  // namespace holdfast::crypto
