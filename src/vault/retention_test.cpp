#include "vault/retention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <random>
#include <set>

namespace holdfast::vault {
namespace {

using Numbers = std::vector<std::uint64_t>;
constexpr TimeMs kHour = 60LL * 60 * 1000;
constexpr TimeMs kDay = 24 * kHour;

// Noon of a day, local time.
TimeMs noon(int year, int month, int day) {
  std::tm when{};
  when.tm_year = year - 1900;
  when.tm_mon = month - 1;
  when.tm_mday = day;
  when.tm_hour = 12;
  when.tm_isdst = -1;
  return TimeMs{std::mktime(&when)} * 1000;
}
std::vector<Aged> at(const std::vector<TimeMs>& times) {
  std::vector<Aged> all;
  for (const TimeMs time : times) all.push_back({all.size() + 1, "", time, time});
  return all;
}

TEST(Retention, WithoutARuleNothingIsKept) {
  EXPECT_FALSE(KeepRules{}.any());
  EXPECT_EQ(outgrown(at({1, 2}), {}), (Numbers{1, 2}));
}

TEST(Retention, KeepsTheLast) {
  EXPECT_EQ(outgrown(at({1, 2, 3, 4}), {.last = 2}), (Numbers{1, 2}));
  EXPECT_TRUE(outgrown(at({1, 2}), {.last = 9}).empty());
  EXPECT_TRUE(outgrown({}, {.last = 1}).empty());
}

TEST(Retention, KeepsTheNewestOfEachHourAndDay) {
  const TimeMs day = noon(2026, 3, 2);
  EXPECT_EQ(outgrown(at({day, day + 1, day + kHour, day + kHour + 1}), {.hourly = 2}),
            (Numbers{1, 3}));
  EXPECT_EQ(outgrown(at({day, day + 1, day + kDay, day + kDay + kHour}), {.daily = 1}),
            (Numbers{1, 2, 3}));
  // Days without a snapshot do not count.
  EXPECT_EQ(outgrown(at({day - 300 * kDay, day - 20 * kDay, day}), {.daily = 2}), (Numbers{1}));
}

TEST(Retention, AWeekBeginsOnMondayAndCrossesTheYear) {
  // 2026-12-28 is a Monday, 2027-01-03 the Sunday after it.
  const auto across = at({noon(2026, 12, 27), noon(2026, 12, 28), noon(2027, 1, 1),
                          noon(2027, 1, 3), noon(2027, 1, 4)});
  EXPECT_EQ(outgrown(across, {.weekly = 3}), (Numbers{2, 3}));
  EXPECT_EQ(outgrown(across, {.weekly = 2}), (Numbers{1, 2, 3}));
}

TEST(Retention, KeepsMonthsAndYears) {
  const auto all = at({noon(2024, 1, 1), noon(2024, 12, 31), noon(2025, 1, 31), noon(2025, 2, 1),
                       noon(2025, 2, 28)});
  EXPECT_EQ(outgrown(all, {.monthly = 2}), (Numbers{1, 2, 4}));
  EXPECT_EQ(outgrown(all, {.yearly = 2}), (Numbers{1, 3, 4}));
  EXPECT_EQ(outgrown(all, {.last = 1, .yearly = 2}), (Numbers{1, 3, 4}));
}

TEST(Retention, RulesHoldWithinEachGroup) {
  const std::vector<Aged> all{{1, "a", 1, 1}, {2, "b", 2, 2}, {3, "a", 3, 3}};
  EXPECT_EQ(outgrown(all, {.last = 1}), (Numbers{1}));
}

// A machine that was taken over makes snapshots for every day of a year, within a minute.
TEST(Retention, AForgedClockPushesNothingOut) {
  const TimeMs day = noon(2026, 3, 2);
  std::vector<Aged> all;
  for (std::uint64_t n = 1; n <= 7; ++n)
    all.push_back(
        {n, "", day + static_cast<TimeMs>(n) * kDay, day + static_cast<TimeMs>(n) * kDay});
  for (std::uint64_t n = 8; n < 400; ++n)
    all.push_back({n, "", day + 7 * kDay + 1, day + static_cast<TimeMs>(n) * kDay});
  const auto gone = outgrown(all, {.daily = 7});
  for (std::uint64_t n = 1; n <= 6; ++n) EXPECT_EQ(std::count(gone.begin(), gone.end(), n), 0) << n;
}

TEST(Retention, AStoreThatGotAllBackOnOneDayLosesNoDay) {
  const TimeMs day = noon(2026, 3, 2);
  std::vector<Aged> all;
  for (std::uint64_t n = 1; n <= 5; ++n)
    all.push_back({n, "", day + 90 * kDay, day + static_cast<TimeMs>(n) * kDay});
  EXPECT_EQ(outgrown(all, {.daily = 4}), (Numbers{1}));
}

// Whatever anybody's clock says.
TEST(Retention, AnyTimesAreTaken) {
  const std::uint64_t seed = std::random_device()();
  std::mt19937_64 random(seed);
  std::vector<TimeMs> times{INT64_MIN, INT64_MAX, 0, -1};
  while (times.size() < 100) times.push_back(static_cast<TimeMs>(random()));
  const KeepRules all{1, 2, 3, 4, 5, 6};
  const auto gone = outgrown(at(times), all);
  EXPECT_EQ(std::count(gone.begin(), gone.end(), times.size()), 0) << "the newest, seed " << seed;
}

}  // namespace
}  // namespace holdfast::vault
