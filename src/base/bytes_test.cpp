#include "base/bytes.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace holdfast {
namespace {

TEST(Hex, SpellsBytesInLowerCase) {
  EXPECT_EQ(to_hex(Bytes{0x00, 0x0a, 0xf0, 0xff}), "000af0ff");
  EXPECT_EQ(to_hex({}), "");
}

TEST(Hex, ReadsEitherCase) {
  EXPECT_EQ(from_hex("000aF0Ff"), (Bytes{0x00, 0x0a, 0xf0, 0xff}));
  EXPECT_EQ(from_hex(""), Bytes{});
}

TEST(Hex, RefusesWhatIsNoHex) {
  for (const char* text : {"0", "000", "0g", "g0", " 00", "00 ", "0x00", "+1", "-1", "\xc3\xa9"})
    EXPECT_FALSE(from_hex(text)) << text;
}

RC_GTEST_PROP(Hex, ReadsWhatItSpells, (const Bytes& bytes)) {
  RC_ASSERT(from_hex(to_hex(bytes)) == bytes);
}

TEST(Bytes, TextAndBytesAreTwoViewsOfOneThing) {
  EXPECT_EQ(as_text(as_bytes("caf\xc3\xa9")), "caf\xc3\xa9");
  Bytes bytes = to_bytes(as_bytes("ab"));
  append(bytes, as_bytes("c"));
  EXPECT_EQ(as_text(bytes), "abc");
}

}  // namespace
}  // namespace holdfast
