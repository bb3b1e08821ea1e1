#include "base/queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

namespace holdfast {
namespace {

TEST(BoundedQueue, HandsOutInOrder) {
  BoundedQueue<int> queue(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.push(i));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.pop(), i);
}

TEST(BoundedQueue, HandsOutWhatIsQueuedAfterClosingAndThenNothing) {
  BoundedQueue<int> queue(2);
  queue.push(1);
  queue.close();
  EXPECT_FALSE(queue.push(2));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(BoundedQueue, MovesWhatCannotBeCopied) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  queue.push(std::make_unique<int>(4));
  EXPECT_EQ(**queue.pop(), 4);
}

TEST(BoundedQueue, NeverHoldsMoreThanItsCapacity) {
  BoundedQueue<int> queue(2);
  std::atomic<int> pushed{0};
  std::thread producer([&] {
    for (int i = 0; i < 100; ++i) {
      queue.push(i);
      ++pushed;
    }
    queue.close();
  });
  int popped = 0;
  while (queue.pop()) {
    ++popped;
    // One more may have been pushed and not counted, one popped and not counted.
    EXPECT_LE(pushed.load(), popped + 2);
  }
  producer.join();
  EXPECT_EQ(popped, 100);
}

TEST(BoundedQueue, LosesAndRepeatsNothingBetweenManyThreads) {
  constexpr int kEach = 2000;
  BoundedQueue<int> queue(7);
  std::atomic<long> sum{0};
  std::atomic<int> count{0};
  std::vector<std::thread> consumers;
  std::vector<std::thread> producers;
  for (int t = 0; t < 3; ++t)
    consumers.emplace_back([&] {
      while (const std::optional<int> item = queue.pop()) {
        sum += *item;
        ++count;
      }
    });
  for (int t = 0; t < 3; ++t)
    producers.emplace_back([&] {
      for (int i = 1; i <= kEach; ++i) queue.push(i);
    });
  for (std::thread& thread : producers) thread.join();
  queue.close();
  for (std::thread& thread : consumers) thread.join();
  EXPECT_EQ(count.load(), 3 * kEach);
  EXPECT_EQ(sum.load(), 3L * kEach * (kEach + 1) / 2);
}

TEST(BoundedQueue, ClosingWakesAWaitingPopAndAWaitingPush) {
  BoundedQueue<int> empty(1);
  BoundedQueue<int> full(1);
  full.push(0);
  std::thread popper([&] { EXPECT_EQ(empty.pop(), std::nullopt); });
  std::thread pusher([&] { EXPECT_FALSE(full.push(1)); });
  empty.close();
  full.close();
  popper.join();
  pusher.join();
}

}  // namespace
}  // namespace holdfast
