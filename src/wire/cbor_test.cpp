#include "wire/cbor.h"

#include <cbor.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <memory>

namespace holdfast::wire {
namespace {

Bytes hex(std::string_view text) { return from_hex(text).value(); }

// Reads whole items by the decoder's own calls and writes them again. The first byte of each item
// says which call to make.
class Copier {
 public:
  explicit Copier(BytesView in) : in_(in), from_(in), to_(out_) {}

  // nullopt when any call refuses or bytes remain.
  std::optional<Bytes> run() {
    if (!item(0) || !from_.finish().ok()) return std::nullopt;
    return out_;
  }

 private:
  static constexpr int kMaxDepth = 100;

  bool item(int depth) {
    if (from_.remaining() == 0 || depth > kMaxDepth) return false;
    const std::uint8_t lead = in_[in_.size() - from_.remaining()];
    switch (lead >> 5) {
      case 0: return put(from_.get_uint(), &Encoder::put_uint);
      case 1: return put(from_.get_int(), &Encoder::put_int);
      case 2: return put(from_.get_bytes(), &Encoder::put_bytes);
      case 3: return put(from_.get_text(), &Encoder::put_text);
      case 4: return array(depth);
      case 7: return lead == 0xf6 ? null() : put(from_.get_bool(), &Encoder::put_bool);
      default: return false;
    }
  }

  template <class T>
  bool put(const Result<T>& value, void (Encoder::*write)(T)) {
    if (value.ok()) (to_.*write)(*value);
    return value.ok();
  }

  bool null() {
    to_.put_null();
    return from_.get_null().ok();
  }

  bool array(int depth) {
    const auto items = from_.get_array();
    if (!items.ok()) return false;
    to_.put_array(*items);
    for (std::uint64_t i = 0; i < *items; ++i)
      if (!item(depth + 1)) return false;
    return true;
  }

  BytesView in_;
  Decoder from_;
  Bytes out_;
  Encoder to_;
};

std::optional<Bytes> copy(BytesView in) { return Copier(in).run(); }

// libcbor reads and writes the bytes; nullopt when it refuses or bytes remain.
std::optional<Bytes> libcbor_copy(BytesView in) {
  cbor_load_result result{};
  cbor_item_t* item = cbor_load(in.data(), in.size(), &result);
  if (item == nullptr) return std::nullopt;
  unsigned char* buffer = nullptr;
  std::size_t capacity = 0;
  const std::size_t size = cbor_serialize_alloc(item, &buffer, &capacity);
  const std::unique_ptr<unsigned char, decltype(&std::free)> owner(buffer, &std::free);
  cbor_decref(&item);
  if (size == 0 || result.read != in.size()) return std::nullopt;
  return Bytes(buffer, buffer + size);
}

// RFC 8949 appendix A, every example of the types in use, and -2^63, the least that get_int gives.
TEST(Cbor, CopiesTheExamplesOfItsTypes) {
  for (const char* text : {"00",
                           "01",
                           "0a",
                           "17",
                           "1818",
                           "1819",
                           "1864",
                           "1903e8",
                           "1a000f4240",
                           "1b000000e8d4a51000",
                           "1bffffffffffffffff",
                           "20",
                           "29",
                           "3863",
                           "3903e7",
                           "3b7fffffffffffffff",
                           "f4",
                           "f5",
                           "f6",
                           "40",
                           "4401020304",
                           "60",
                           "6161",
                           "6449455446",
                           "62225c",
                           "62c3bc",
                           "63e6b0b4",
                           "64f0908591",
                           "80",
                           "83010203",
                           "8301820203820405",
                           "98190102030405060708090a0b0c0d0e0f101112131415161718181819"})
    EXPECT_EQ(copy(hex(text)), hex(text)) << text;
}

TEST(Cbor, ReadsTheValuesOfTheExamples) {
  EXPECT_EQ(Decoder(hex("1b000000e8d4a51000")).get_uint().value(), 1'000'000'000'000u);
  EXPECT_EQ(Decoder(hex("1bffffffffffffffff")).get_uint().value(), UINT64_MAX);
  EXPECT_EQ(Decoder(hex("3903e7")).get_int().value(), -1000);
  EXPECT_EQ(Decoder(hex("1903e8")).get_int().value(), 1000);
  EXPECT_EQ(Decoder(hex("3b7fffffffffffffff")).get_int().value(), INT64_MIN);
  EXPECT_EQ(Decoder(hex("63e6b0b4")).get_text().value(), "\u6c34");
  EXPECT_EQ(to_bytes(Decoder(hex("4401020304")).get_bytes().value()), (Bytes{1, 2, 3, 4}));
}

// The rest of appendix A: big and very negative numbers, floats, undefined and simple values, tags,
// maps, indefinite lengths.
TEST(Cbor, RefusesTheOtherExamples) {
  for (const char* text : {"c249010000000000000000",
                           "3bffffffffffffffff",
                           "c349010000000000000000",
                           "f90000",
                           "f98000",
                           "f93c00",
                           "fb3ff199999999999a",
                           "f93e00",
                           "f97bff",
                           "fa47c35000",
                           "fa7f7fffff",
                           "fb7e37e43c8800759c",
                           "f90001",
                           "f90400",
                           "f9c400",
                           "fbc010666666666666",
                           "f97c00",
                           "f97e00",
                           "f9fc00",
                           "fa7f800000",
                           "fa7fc00000",
                           "faff800000",
                           "fb7ff0000000000000",
                           "fb7ff8000000000000",
                           "fbfff0000000000000",
                           "f7",
                           "f0",
                           "f818",
                           "f8ff",
                           "c074323031332d30332d32315432303a30343a30305a",
                           "c11a514b67b0",
                           "c1fb41d452d9ec200000",
                           "d74401020304",
                           "d818456449455446",
                           "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
                           "a0",
                           "a201020304",
                           "a26161016162820203",
                           "826161a161626163",
                           "a56161614161626142616361436164614461656145",
                           "5f42010243030405ff",
                           "7f657374726561646d696e67ff",
                           "9fff",
                           "9f018202039f0405ffff",
                           "9f01820203820405ff",
                           "83018202039f0405ff",
                           "83019f0203ff820405",
                           "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
                           "bf61610161629f0203ffff",
                           "826161bf61626163ff",
                           "bf6346756ef563416d7421ff"})
    EXPECT_FALSE(copy(hex(text))) << text;
}

// RFC 8949 section 4.2.1: the shortest form of every head, at each step and for each type.
TEST(Cbor, RefusesLongerHeadsThanNeeded) {
  for (const char* text : {"1800", "1817", "190000", "1900ff", "1a00000000", "1a0000ffff",
                           "1b0000000000000000", "1b00000000ffffffff", "3800", "3817", "3900ff",
                           "5800", "580101", "590001aa", "7800", "780161", "9800", "980100"})
    EXPECT_FALSE(copy(hex(text))) << text;
  for (const char* text :
       {"1818", "18ff", "190100", "19ffff", "1a00010000", "1affffffff", "1b0000000100000000"})
    EXPECT_EQ(copy(hex(text)), hex(text)) << text;
}

// RFC 8949 appendix F: ends too early, reserved, break outside an indefinite item.
TEST(Cbor, RefusesMalformedItems) {
  for (const char* text : {"",
                           "18",
                           "19",
                           "1a",
                           "1b",
                           "1901",
                           "1a0102",
                           "1b01020304050607",
                           "38",
                           "58",
                           "78",
                           "98",
                           "9a01ff00",
                           "41",
                           "61",
                           "5affffffff00",
                           "5bffffffffffffffff010203",
                           "7affffffff00",
                           "81",
                           "818181818181818181",
                           "8200",
                           "1c",
                           "1d",
                           "1e",
                           "1f",
                           "3c",
                           "5c",
                           "7c",
                           "9c",
                           "dc",
                           "fc",
                           "ff",
                           "f800",
                           "f81f",
                           "9bffffffffffffffff",
                           "9b00ffffffffffffff"})
    EXPECT_FALSE(copy(hex(text))) << text;
}

TEST(Cbor, RefusesTextThatIsNotUtf8) {
  for (const char* text :
       {"61ff", "6180", "61c3", "62c080", "62c1bf", "63e08080", "63eda080", "63edbfbf",
        "64f0808080", "64f4908080", "64f5808080", "62c328", "63e6b0", "627fc2"})
    EXPECT_FALSE(copy(hex(text))) << text;
  for (const char* text : {"62c280", "62dfbf", "63e0a080", "63ed9fbf", "63ee8080", "63efbfbf",
                           "64f0908080", "64f48fbfbf", "6100"})
    EXPECT_EQ(copy(hex(text)), hex(text)) << text;
}

TEST(Cbor, ArraysNeverPromiseMoreThanTheBytesThatRemain) {
  EXPECT_TRUE(Decoder(hex("83000000")).get_array().ok());
  EXPECT_FALSE(Decoder(hex("830000")).get_array().ok());
}

TEST(Cbor, EachCallRefusesOtherTypes) {
  const Bytes items[] = {hex("00"), hex("20"), hex("40"), hex("60"),
                         hex("80"), hex("f5"), hex("f6")};
  const auto accepted = [](const Bytes& item) {
    return std::array<bool, 7>{Decoder(item).get_uint().ok(),  Decoder(item).get_int().ok(),
                               Decoder(item).get_bytes().ok(), Decoder(item).get_text().ok(),
                               Decoder(item).get_array().ok(), Decoder(item).get_bool().ok(),
                               Decoder(item).get_null().ok()};
  };
  EXPECT_EQ(accepted(items[0]), (std::array{true, true, false, false, false, false, false}));
  EXPECT_EQ(accepted(items[1]), (std::array{false, true, false, false, false, false, false}));
  EXPECT_EQ(accepted(items[2]), (std::array{false, false, true, false, false, false, false}));
  EXPECT_EQ(accepted(items[3]), (std::array{false, false, false, true, false, false, false}));
  EXPECT_EQ(accepted(items[4]), (std::array{false, false, false, false, true, false, false}));
  EXPECT_EQ(accepted(items[5]), (std::array{false, false, false, false, false, true, false}));
  EXPECT_EQ(accepted(items[6]), (std::array{false, false, false, false, false, false, true}));
}

// --- random items, and libcbor as a second opinion ---

std::string random_text() {
  std::string text;
  const auto pieces = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "a", "\"", "\u00fc", "\u6c34", "\U00010151", std::string(1, '\0'), "a longer piece"));
  for (const std::string& piece : pieces) text += piece;
  return text;
}

void put_random_item(Encoder& to, int depth) {
  switch (*rc::gen::inRange(0, depth > 0 ? 7 : 6)) {
    case 0: to.put_uint(*rc::gen::arbitrary<std::uint64_t>()); break;
    case 1: to.put_int(*rc::gen::arbitrary<std::int64_t>()); break;
    case 2: to.put_bytes(*rc::gen::arbitrary<Bytes>()); break;
    case 3: to.put_text(random_text()); break;
    case 4: to.put_bool(*rc::gen::arbitrary<bool>()); break;
    case 5: to.put_null(); break;
    case 6: {
      const auto items = *rc::gen::inRange<std::uint64_t>(0, 5);
      to.put_array(items);
      for (std::uint64_t i = 0; i < items; ++i) put_random_item(to, depth - 1);
    }
  }
}

Bytes random_item() {
  Bytes out;
  Encoder to(out);
  put_random_item(to, 4);
  return out;
}

RC_GTEST_PROP(Cbor, ReadsWhatItWritesAndSoDoesLibcbor, ()) {
  const Bytes item = random_item();
  RC_ASSERT(copy(item) == item);
  RC_ASSERT(libcbor_copy(item) == item);
}

RC_GTEST_PROP(Cbor, RefusesEveryTruncation, ()) {
  const Bytes item = random_item();
  for (std::size_t n = 0; n < item.size(); ++n) RC_ASSERT(!copy(BytesView(item).first(n)));
}

RC_GTEST_PROP(Cbor, WhatItAcceptsItWritesAgainAndLibcborAccepts, (const Bytes& noise)) {
  Bytes changed = random_item();
  if (!noise.empty()) changed[noise[0] % changed.size()] ^= noise.back();
  for (const Bytes& bytes : {noise, changed}) {
    const std::optional<Bytes> copied = copy(bytes);
    if (!copied) continue;
    RC_ASSERT(*copied == bytes);
    RC_ASSERT(libcbor_copy(bytes) == bytes);
  }
}

}  // namespace
}  // namespace holdfast::wire
