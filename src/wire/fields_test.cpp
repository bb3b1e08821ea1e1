#include "wire/fields.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace holdfast::wire {
namespace {

enum class Colour : std::uint8_t { kRed = 1, kGreen = 2, kLast = kGreen };

struct Inner {
  std::uint8_t small = 0;
  std::int32_t with_sign = 0;
  bool operator==(const Inner&) const = default;
  static constexpr auto kFields = fields(&Inner::small, &Inner::with_sign);
};

struct Outer {
  Fixed<"holdfast/v1/test"> label;
  std::uint64_t number = 0;
  bool flag = false;
  std::string text;
  Bytes bytes;
  VaultId id;
  std::array<std::uint8_t, 3> three{};
  Colour colour = Colour::kRed;
  std::optional<std::uint16_t> maybe;
  Bounded<Inner, 4> list;
  bool operator==(const Outer&) const = default;
  static constexpr auto kFields =
      fields(&Outer::label, &Outer::number, &Outer::flag, &Outer::text, &Outer::bytes, &Outer::id,
             &Outer::three, &Outer::colour, &Outer::maybe, &Outer::list);
};

Outer any_outer() {
  Outer outer;
  outer.number = 1000;
  outer.flag = true;
  outer.text = "text";
  outer.bytes = {1, 2};
  outer.id = *VaultId::from(Bytes(16, 9));
  outer.three = {7, 8, 9};
  outer.colour = Colour::kGreen;
  outer.maybe = 300;
  outer.list = {Inner{1, -1}, Inner{2, 2}};
  return outer;
}

// A struct whose single field is spelled by hand.
template <class T>
struct One {
  T value{};
  static constexpr auto kFields = fields(&One::value);
};

template <class T>
Result<T> decode_one(std::string_view hex) {
  One<T> one = TRY(decode<One<T>>(from_hex("81" + std::string(hex)).value()));
  return one.value;
}

// By hand from RFC 8949 section 3.
TEST(Fields, AreAnArrayInTheirOrder) {
  EXPECT_EQ(to_hex(encode(any_outer())),
            "8a"
            "70686f6c64666173742f76312f74657374"
            "1903e8"
            "f5"
            "6474657874"
            "420102"
            "5009090909090909090909090909090909"
            "43070809"
            "02"
            "19012c"
            "82820120820202");
}

TEST(Fields, DecodeToTheSameValue) {
  EXPECT_EQ(decode<Outer>(encode(any_outer())).value(), any_outer());
}

RC_GTEST_PROP(Fields, DecodeWhatTheyEncode,
              (std::uint64_t number, bool flag, const Bytes& bytes, std::uint16_t maybe,
               std::int32_t with_sign)) {
  Outer outer = any_outer();
  outer.number = number;
  outer.flag = flag;
  outer.bytes = bytes;
  outer.maybe = flag ? std::optional(maybe) : std::nullopt;
  outer.list = {Inner{static_cast<std::uint8_t>(maybe), with_sign}};
  RC_ASSERT(decode<Outer>(encode(outer)).value() == outer);
}

RC_GTEST_PROP(Fields, WhatIsAcceptedEncodesToItself, (std::size_t at, std::uint8_t change)) {
  Bytes bytes = encode(any_outer());
  bytes[at % bytes.size()] ^= change;
  const Result<Outer> decoded = decode<Outer>(bytes);
  if (decoded.ok()) RC_ASSERT(encode(*decoded) == bytes);
}

TEST(Fields, RefuseEveryTruncationAndTrailingBytes) {
  Bytes good = encode(any_outer());
  for (std::size_t n = 0; n < good.size(); ++n)
    EXPECT_EQ(decode<Outer>(BytesView(good).first(n)).error().code, Code::kCorrupt) << n;
  good.push_back(0);
  EXPECT_EQ(decode<Outer>(good).error().code, Code::kCorrupt);
}

TEST(Fields, RefuseMoreAndFewerFields) {
  EXPECT_TRUE(decode<Inner>(from_hex("820101").value()).ok());
  EXPECT_FALSE(decode<Inner>(from_hex("8101").value()).ok());
  EXPECT_FALSE(decode<Inner>(from_hex("83010101").value()).ok());
}

TEST(Fields, AnotherLabelSaysUpdateRequired) {
  using Newer = One<Fixed<"holdfast/v2/test">>;
  using Older = One<Fixed<"holdfast/v1/test">>;
  EXPECT_EQ(decode<Older>(encode(Newer{})).error().code, Code::kOutdated);
  EXPECT_TRUE(decode<Older>(encode(Older{})).ok());
}

TEST(Fields, AnUnknownKindSaysUpdateRequired) {
  EXPECT_EQ(decode_one<Colour>("01").value(), Colour::kRed);
  EXPECT_EQ(decode_one<Colour>("02").value(), Colour::kGreen);
  for (const char* kind : {"00", "03", "18ff", "190101", "1b0000000100000001"})
    EXPECT_EQ(decode_one<Colour>(kind).error().code, Code::kOutdated) << kind;
  EXPECT_EQ(decode_one<Colour>("20").error().code, Code::kCorrupt);
}

TEST(Fields, NumbersThatDoNotFitAreRefused) {
  EXPECT_EQ(decode_one<std::uint8_t>("18ff").value(), 255);
  EXPECT_FALSE(decode_one<std::uint8_t>("190100").ok());
  EXPECT_FALSE(decode_one<std::uint8_t>("20").ok());
  EXPECT_EQ(decode_one<std::int8_t>("387f").value(), -128);
  EXPECT_FALSE(decode_one<std::int8_t>("3880").ok());
  EXPECT_FALSE(decode_one<std::int8_t>("1880").ok());
  EXPECT_FALSE(decode_one<std::uint32_t>("1b0000000100000000").ok());
  EXPECT_FALSE(decode_one<std::int64_t>("1b8000000000000000").ok());
  EXPECT_FALSE(decode_one<std::int64_t>("3b8000000000000000").ok());
  EXPECT_EQ(decode_one<std::int64_t>("3b7fffffffffffffff").value(), INT64_MIN);
}

TEST(Fields, ByteStringsOfAnotherLengthAreRefused) {
  using Three = std::array<std::uint8_t, 3>;
  EXPECT_TRUE(decode_one<Three>("43010203").ok());
  EXPECT_FALSE(decode_one<Three>("420102").ok());
  EXPECT_FALSE(decode_one<Three>("4401020304").ok());
  EXPECT_FALSE(decode_one<VaultId>("4f" + std::string(30, '0')).ok());
}

TEST(Fields, ListsAreBounded) {
  using Numbers = Bounded<std::uint8_t, 3>;
  EXPECT_EQ(decode_one<Numbers>("83010203").value().size(), 3u);
  EXPECT_FALSE(decode_one<Numbers>("8401020304").ok());
  // A length that no input could hold fails before anything is reserved for it.
  EXPECT_FALSE(decode_one<std::vector<std::uint8_t>>("9b00ffffffffffffff").ok());
}

TEST(Fields, AnAbsentValueIsNull) {
  EXPECT_EQ(decode_one<std::optional<std::uint8_t>>("f6").value(), std::nullopt);
  EXPECT_EQ(decode_one<std::optional<std::uint8_t>>("05").value(), 5);
  EXPECT_FALSE(decode_one<std::optional<std::uint8_t>>("f7").ok());
  EXPECT_EQ(to_hex(encode(One<std::optional<std::uint8_t>>{})), "81f6");
}

TEST(Fields, AnArrayOfArgumentsIsUnambiguous) {
  EXPECT_EQ(to_hex(encode_array("a", std::uint8_t{5}, BytesView(Bytes{1}))), "836161054101");
  EXPECT_NE(encode_array("ab", "c"), encode_array("a", "bc"));
  EXPECT_NE(encode_array(std::string("a")), encode_array(Bytes{'a'}));
}

}  // namespace
}  // namespace holdfast::wire
