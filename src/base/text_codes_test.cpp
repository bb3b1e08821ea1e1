#include "base/text_codes.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace holdfast {
namespace {

// BIP-350, "Test vectors for Bech32m".
TEST(Bech32m, AcceptsThePublishedValidOnes) {
  for (
      const char* text :
      {"A1LQFN3A", "a1lqfn3a",
       "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
       "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
       "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8",
       "split1checkupstagehandshakeupstreamerranterredcaperredlc445v", "?1v759aa"})
    EXPECT_TRUE(bech32m_valid(text)) << text;
}

TEST(Bech32m, RefusesThePublishedInvalidOnes) {
  for (const char* text :
       {"\x20"
        "1xj0phk",
        "\x7f"
        "1g6xzxy",
        "\x80"
        "1vctc34",
        "an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts"
        "4",
        "qyrz8wqd2c9m", "1qyrz8wqd2c9m", "y1b0jsk6g", "lt1igcx5c0", "in1muywd", "mm1crxm3i",
        "au1s5cgom", "M1VUXWEZ", "16plkw9", "1p2gdwpf"})
    EXPECT_FALSE(bech32m_valid(text)) << text;
}

// BIP-173's own examples: the older checksum.
TEST(Bech32m, RefusesBech32) {
  for (const char* text : {"A12UEL5L", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "?1ezyfcl"})
    EXPECT_FALSE(bech32m_valid(text)) << text;
}

RC_GTEST_PROP(Bech32m, DecodesWhatItEncodes, ()) {
  const auto size = *rc::gen::inRange<std::size_t>(0, 41);
  const auto data = *rc::gen::container<Bytes>(size, rc::gen::arbitrary<std::uint8_t>());
  const std::string text = bech32m_encode("hfrec", data);
  RC_ASSERT(bech32m_valid(text));
  RC_ASSERT(bech32m_decode("hfrec", text).value() == data);
}

// The recovery key: 160 bits. Any single mistake is found (BIP-173: up to four are).
TEST(Bech32m, RefusesEveryChangedLeftOutAndDoubledCharacter) {
  const std::string good = bech32m_encode("hfrec", Bytes(20, 0x5a));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const char c : std::string_view("qpzry9x8gf2tvdw0s3jn54khce6mua7l1b")) {
      std::string bad = good;
      bad[at] = c;
      EXPECT_EQ(bech32m_decode("hfrec", bad).ok(), c == good[at]) << bad;
    }
    EXPECT_FALSE(bech32m_decode("hfrec", std::string(good).erase(at, 1)).ok()) << at;
    EXPECT_FALSE(bech32m_decode("hfrec", std::string(good).insert(at, 1, good[at])).ok()) << at;
  }
}

TEST(Bech32m, RefusesSwappedNeighbours) {
  const std::string good = bech32m_encode("hfrec", Bytes{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  for (std::size_t at = 0; at + 1 < good.size(); ++at) {
    std::string bad = good;
    std::swap(bad[at], bad[at + 1]);
    EXPECT_EQ(bech32m_decode("hfrec", bad).ok(), bad == good) << bad;
  }
}

TEST(Bech32m, ReadsUpperCaseAndRefusesMixedCase) {
  const std::string good = bech32m_encode("hfrec", Bytes(20, 7));
  std::string upper = good;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(bech32m_decode("hfrec", upper).value(), Bytes(20, 7));
  upper[0] = 'h';
  EXPECT_FALSE(bech32m_decode("hfrec", upper).ok());
}

TEST(Bech32m, RefusesAnotherPrefixAndSaysWhich) {
  const auto decoded = bech32m_decode("hfrec", bech32m_encode("other", Bytes(20)));
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.error().code, Code::kInvalid);
  EXPECT_NE(decoded.error().message.find("hfrec"), std::string::npos);
}

// Made with BIP-350's Python from the five-bit groups named.
TEST(Bech32m, EncodesAsTheReferenceDoes) {
  Bytes key(20);
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(bech32m_encode("hfrec", key), "hfrec1qqqsyqcyq5rqwzqfpg9scrgwpugpzysngw0nsk");
  EXPECT_EQ(bech32m_encode("hfrec", Bytes{0xff}), "hfrec1luxuq7sz");  // 31 28
}

TEST(Bech32m, RefusesASecondSpellingOfThePadding) {
  for (const char* text : {"hfrec1lam25tds",      // 31 29: padding that is not zero
                           "hfrec1luqw7lhl0"}) {  // 31 28 0: more of it than needed
    EXPECT_TRUE(bech32m_valid(text)) << text;
    EXPECT_FALSE(bech32m_decode("hfrec", text).ok()) << text;
  }
}

// Ten bytes, as a device code has: 16 characters. Value: Python, int to base 32 with the alphabet
// of https://www.crockford.com/base32.html.
TEST(Crockford, SpellsEightyBitsAsAnIndependentImplementationDoes) {
  const Bytes data = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xf0, 0x0f};
  EXPECT_EQ(crockford_encode(data), "04HMASW9NF6YZW0F");
  EXPECT_EQ(crockford_decode("04HMASW9NF6YZW0F"), data);
}

TEST(Crockford, ForgivesCaseSeparatorsAndLookAlikes) {
  const auto data = crockford_decode("04HMASW9NF6YZW0F");
  EXPECT_EQ(crockford_decode("04hm-asw9-nf6y-zw0f"), data);
  EXPECT_EQ(crockford_decode(" o4hm asw9 nf6y zwOf\n"), data);
  EXPECT_EQ(crockford_decode("1111111111111111"), crockford_decode("iIlLiIlLiIlLiIlL"));
}

TEST(Crockford, RefusesOtherCharacters) {
  for (const char* text : {"U4HMASW9NF6YZW0F", "04HMASW9NF6YZW0!", "04HMASW9NF6YZW0\xc3\xa9"})
    EXPECT_FALSE(crockford_decode(text)) << text;
}

TEST(Crockford, RefusesWhatIsNotWholeBytes) {
  EXPECT_FALSE(crockford_decode("0"));
  EXPECT_FALSE(crockford_decode("000"));
  EXPECT_EQ(crockford_decode("00"), Bytes(1, 0));
  EXPECT_FALSE(crockford_decode("01"));  // left-over bits that are not zero
}

RC_GTEST_PROP(Crockford, DecodesWhatItEncodes, (const Bytes& data)) {
  RC_ASSERT(crockford_decode(crockford_encode(data)) == data);
}

}  // namespace
}  // namespace holdfast
