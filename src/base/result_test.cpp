#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/clock.h"
#include "base/id.h"

namespace holdfast {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return Error{Code::kInvalid, "an odd number"};
  return n / 2;
}

Result<void> even(int n) {
  if (n % 2 != 0) return Error{Code::kConflict, "odd"};
  return Ok{};
}

Result<int> quarter(int n) {
  const int h = TRY(half(n));
  TRY(even(h));
  return TRY(half(h));
}

TEST(Result, TryYieldsTheValue) { EXPECT_EQ(quarter(12).value(), 3); }

TEST(Result, TryPassesTheFirstErrorUp) {
  EXPECT_EQ(quarter(3).error().code, Code::kInvalid);
  EXPECT_EQ(quarter(6).error().code, Code::kConflict);
}

TEST(Result, TryMovesOutOfATemporary) {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(5); };
  const auto take = [&]() -> Result<int> {
    const std::unique_ptr<int> p = TRY(make());
    return *p;
  };
  EXPECT_EQ(take().value(), 5);
}

// A named Result keeps its value: TRY copies or refers, it does not move out of an lvalue.
TEST(Result, TryLeavesANamedResultWhole) {
  const auto use = []() -> Result<std::string> {
    Result<std::string> named = std::string("a value too long for the small string optimisation");
    const std::string copy = TRY(named);
    return named.value() + copy;
  };
  EXPECT_EQ(use().value().size(), 2 * std::string("a value too long for the small string "
                                                  "optimisation")
                                          .size());
}

TEST(Result, AnErrorSeenFromFurtherOutNamesWhere) {
  EXPECT_EQ((Error{Code::kCorrupt, "damaged"}.in("pack 1").in("vault main").message),
            "vault main: pack 1: damaged");
}

TEST(Result, EveryCodeHasItsOwnName) {
  std::vector<std::string_view> names;
  for (const Code code : {Code::kNotFound, Code::kDenied, Code::kInvalid, Code::kCorrupt,
                          Code::kConflict, Code::kUnavailable, Code::kUnsafe, Code::kOutdated})
    names.push_back(code_name(code));
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(ResultDeathTest, AskingForWhatIsNotThereEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(half(3).value(), "internal error");
  EXPECT_DEATH(static_cast<void>(half(2).error()), "internal error");
}

TEST(Id, TakesExactlyItsSize) {
  EXPECT_TRUE(VaultId::from(Bytes(16)));
  EXPECT_FALSE(VaultId::from(Bytes(15)));
  EXPECT_FALSE(VaultId::from(Bytes(17)));
  EXPECT_TRUE(VaultId().is_zero());
  EXPECT_FALSE(VaultId::from(Bytes(16, 1))->is_zero());
  EXPECT_EQ(VaultId::from(Bytes(16, 0xab))->hex(), "abababababababababababababababab");
}

static_assert(!std::is_convertible_v<PackId, ChunkId>);
static_assert(!std::is_constructible_v<PackId, ChunkId>);
static_assert(!std::is_convertible_v<std::array<std::uint8_t, 32>, PackId>);

TEST(Clock, AManualClockMovesOnlyWhenToldTo) {
  ManualClock clock(1000);
  EXPECT_EQ(clock.now(), 1000);
  clock.advance(5);
  EXPECT_EQ(clock.now(), 1005);
}

TEST(Clock, TheSystemsClockIsInThisCentury) {
  EXPECT_GT(SystemClock().now(), 1'600'000'000'000);
  EXPECT_LT(SystemClock().now(), 4'200'000'000'000);
}

}  // namespace
}  // namespace holdfast
