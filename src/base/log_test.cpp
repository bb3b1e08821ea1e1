#include "base/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <limits>
#include <type_traits>

#include "base/file.h"

namespace holdfast {
namespace {

// What one call of `write` puts into a pipe.
template <class Write>
std::string logged(const Write& write) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe(ends.data()), 0);
  const Fd from(ends[0]);
  Fd to(ends[1]);
  const ManualClock clock(1'700'000'000'042);
  write(Log(to.get(), clock));
  to.reset();
  std::string all(64 * 1024, '\0');
  const ssize_t size = ::read(from.get(), all.data(), all.size());
  all.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return all;
}

std::string value_of(const Field& field) { return field.json(); }

static_assert(!std::is_constructible_v<Field, Word, std::string>);
static_assert(!std::is_constructible_v<Field, Word, std::string_view>);
static_assert(!std::is_constructible_v<Field, Word, const char*>);
static_assert(!std::is_constructible_v<Field, Word, Bytes>);
static_assert(!std::is_constructible_v<Field, Word, BytesView>);

TEST(Log, AnEventIsOneLineOfJson) {
  const std::string line = logged([](const Log& log) {
    log.event(Level::kWarning, "pack_put",
              {{"bytes", std::uint64_t{18'446'744'073'709'551'615U}},
               {"seq", -3},
               {"ok", true},
               {"seconds", 0.25},
               {"kind", "data"},
               {"address", Plain("192.0.2.1")},
               {"vault", VaultId()}});
  });
  EXPECT_EQ(line,
            "{\"time\":\"2023-11-14T22:13:20.042Z\",\"level\":\"warning\",\"event\":\"pack_put\","
            "\"bytes\":18446744073709551615,\"seq\":-3,\"ok\":true,\"seconds\":0.25,"
            "\"kind\":\"data\",\"address\":\"192.0.2.1\","
            "\"vault\":\"00000000000000000000000000000000\"}\n");
}

TEST(Log, TextCannotLeaveItsString) {
  EXPECT_EQ(value_of({"m", Plain("a\"b\\c\nd\x7f")}), "\"a\\\"b\\\\c\\u000ad\\u007f\"");
  EXPECT_EQ(value_of({"m", Plain("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")}),
            "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

TEST(Log, WhatIsNotUtf8IsReplaced) {
  EXPECT_EQ(value_of({"m", Plain("\xff")}), "\"\\ufffd\"");
  EXPECT_EQ(value_of({"m", Plain("\xc0\xaf")}), "\"\\ufffd\\ufffd\"");
  EXPECT_EQ(value_of({"m", Plain("\xed\xa0\x80")}), "\"\\ufffd\\ufffd\\ufffd\"");
  EXPECT_EQ(value_of({"m", Plain("x\xe2\x82")}), "\"x\\ufffd\\ufffd\"");
}

TEST(Log, NumbersThatJsonLacksAreNull) {
  EXPECT_EQ(value_of({"m", std::numeric_limits<double>::infinity()}), "null");
  EXPECT_EQ(value_of({"m", std::numeric_limits<double>::quiet_NaN()}), "null");
}

TEST(Log, LongTextIsCut) {
  EXPECT_LT(value_of({"m", Plain(std::string(100'000, 'x'))}).size(), 2000U);
}

}  // namespace
}  // namespace holdfast
