#include "tlog/base64.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace holdfast::tlog {
namespace {

// RFC 4648 section 10.
TEST(Base64, SpellsTheExamplesOfTheRfc) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [plain, text] : cases) {
    EXPECT_EQ(base64_encode(as_bytes(plain)), text);
    EXPECT_EQ(base64_decode(text), to_bytes(as_bytes(plain)));
  }
}

TEST(Base64, RefusesSecondSpellings) {
  for (const char* bad : {"Zg", "Zg=", "Zh==", "Zm9=", "Zm9v====", "Zg==Zg==", "Zm 9", "Zm9v\n",
                          "Zm9-", "====", "=", "Z===", "Zm8=Zm8=", "QUJDQUJD="})
    EXPECT_FALSE(base64_decode(bad).has_value()) << bad;
}

RC_GTEST_PROP(Base64, DecodesWhatItEncodes, (const Bytes& bytes)) {
  RC_ASSERT(base64_decode(base64_encode(bytes)) == bytes);
}

RC_GTEST_PROP(Base64, WhatItAcceptsIsTheOnlySpelling, ()) {
  const auto text =
      *rc::gen::container<std::string>(rc::gen::element('A', 'B', 'Z', '/', '+', '='));
  const auto bytes = base64_decode(text);
  if (bytes) RC_ASSERT(base64_encode(*bytes) == text);
}

}  // namespace
}  // namespace holdfast::tlog
