#include "base/pace.h"

#include <gtest/gtest.h>

#include <vector>

namespace holdfast {
namespace {

double seconds_of(const auto& act) {
  const auto start = std::chrono::steady_clock::now();
  act();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(Pace, HoldsAcrossThreads) {
  Pace pace(1'000'000);
  const double took = seconds_of([&] {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        for (int k = 0; k < 5; ++k) pace.wait(10'000);
      });
  });
  EXPECT_GE(took, 0.19) << "all but the first 10 000 of 200 000 bytes wait for those before";
}

// What was not sent yesterday is not sent today on top.
TEST(Pace, SavesNothingUp) {
  Pace pace(1'000'000);
  pace.wait(1);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_GE(seconds_of([&] {
              for (int k = 0; k < 3; ++k) pace.wait(10'000);
            }),
            0.019);
}

TEST(Pace, WithoutALimitNothingWaits) {
  Pace pace(0);
  EXPECT_FALSE(pace.limited());
  const auto one = pace.turn();
  const auto other = pace.turn();
  for (int k = 0; k < 1000; ++k) pace.wait(UINT64_MAX);
  EXPECT_FALSE(one.owns_lock() || other.owns_lock());
}

}  // namespace
}  // namespace holdfast
