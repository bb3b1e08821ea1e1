#include "server/replay.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "server/test_data.h"

namespace holdfast::server {
namespace {

constexpr TimeMs kStart = 1'700'000'000'000;
constexpr TimeMs kMinute = 60'000;
constexpr TimeMs kHour = 60 * kMinute;

// A disk that can be full.
class Disk final : public Writer {
 public:
  explicit Disk(std::unique_ptr<Writer> writer) : writer_(std::move(writer)) {}
  Result<void> write(const Work& work) override {
    if (full) return Error{Code::kUnavailable, "the disk is full"};
    return writer_->write(work);
  }
  Result<void> read(const Work& work) override { return writer_->read(work); }
  std::size_t waiting() override { return writer_->waiting(); }

  std::atomic<bool> full = false;

 private:
  const std::unique_ptr<Writer> writer_;
};

// The service's clock and database; what runs can be killed and started again.
class ReplayTest : public testing::Test {
 protected:
  void SetUp() override { start(); }
  void start() {
    replay_.reset();
    const bool full = disk_ && disk_->full;
    disk_.reset();
    disk_ =
        std::make_unique<Disk>(Writer::open(folder_.file("service.db"), Replay::kSchema).value());
    disk_->full = full;
    replay_ = Replay::open(*disk_, clock_, limits_).value();
  }
  Result<void> accept(TimeMs time, std::uint8_t nonce = 1, std::uint8_t caller = 1) {
    ReaderId id;
    id.bytes.fill(caller);
    api::Nonce of;
    of.bytes.fill(nonce);
    return replay_->accept(id, of, time);
  }

  TemporaryFolder folder_;
  const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>(kStart);
  ReplayLimits limits_;
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<Replay> replay_;
};

TEST_F(ReplayTest, AProofCountsOnce) {
  EXPECT_TRUE(accept(kStart).ok());
  const auto again = accept(kStart);
  EXPECT_EQ(code(again), Code::kDenied);
  EXPECT_EQ(again.error().message.find(kWrongTime), std::string::npos);
  EXPECT_TRUE(accept(kStart, 2).ok());
  EXPECT_TRUE(accept(kStart, 1, 2).ok());
}

TEST_F(ReplayTest, ANonceCountsOnceAtAnyTimeOfTheWindow) {
  EXPECT_TRUE(accept(kStart + 5 * kMinute).ok());
  clock_->advance(10 * kMinute);
  EXPECT_EQ(code(accept(kStart + 5 * kMinute)), Code::kDenied);
  EXPECT_EQ(code(accept(kStart + 14 * kMinute)), Code::kDenied);
  clock_->advance(kMinute + 1);
  EXPECT_EQ(code(accept(kStart + 5 * kMinute)), Code::kDenied);  // too old now
}

TEST_F(ReplayTest, ATimeOutsideTheWindowIsRefusedRecognisably) {
  std::uint8_t nonce = 0;
  for (const TimeMs off : {-kHour, -5 * kMinute - 1, 5 * kMinute + 1, kHour}) {
    const auto refused = accept(kStart + off);
    ASSERT_EQ(code(refused), Code::kDenied) << off;
    EXPECT_EQ(refused.error().message, kWrongTime);
    EXPECT_EQ(code(replay_->check_time(kStart + off)), Code::kDenied);
    // The device learns the time and signs again.
    EXPECT_TRUE(accept(replay_->now(), ++nonce).ok());
  }
  EXPECT_TRUE(accept(kStart - 5 * kMinute, 200).ok());
  EXPECT_TRUE(accept(kStart + 5 * kMinute, 201).ok());
  EXPECT_EQ(code(accept(INT64_MAX)), Code::kDenied);
  EXPECT_EQ(code(accept(INT64_MIN)), Code::kDenied);
  EXPECT_EQ(code(accept(0)), Code::kDenied);
}

TEST_F(ReplayTest, ARestartForgetsNothing) {
  EXPECT_TRUE(accept(kStart + 1000).ok());
  ASSERT_TRUE(replay_->stop().ok());
  EXPECT_EQ(code(accept(kStart + 1001, 2)), Code::kUnavailable);
  start();
  EXPECT_EQ(code(accept(kStart + 1000)), Code::kDenied);
  // After a clean stop, only times really accepted are lost.
  EXPECT_EQ(replay_->now(), kStart + 1001);
  EXPECT_TRUE(accept(kStart + 1001, 2).ok());
}

TEST_F(ReplayTest, ACrashForgetsNothing) {
  EXPECT_TRUE(accept(kStart + 5 * kMinute).ok());
  start();
  EXPECT_EQ(code(accept(kStart + 5 * kMinute)), Code::kDenied);
  EXPECT_EQ(code(accept(kStart)), Code::kDenied);
  const TimeMs now = replay_->now();
  EXPECT_GT(now, kStart + 5 * kMinute);
  EXPECT_LE(now, kStart + 6 * kMinute + 1);
  EXPECT_TRUE(accept(now, 2).ok());
}

TEST_F(ReplayTest, AClockSetBackDoesNotTurnTimeBack) {
  EXPECT_TRUE(accept(kStart).ok());
  clock_->advance(-kHour);
  EXPECT_EQ(replay_->now(), kStart);
  EXPECT_EQ(code(accept(kStart)), Code::kDenied);
  EXPECT_EQ(code(accept(kStart - kHour, 2)), Code::kDenied);
  EXPECT_TRUE(accept(kStart, 3).ok());
  // At half speed until the clock has caught up.
  clock_->advance(kHour);
  EXPECT_EQ(replay_->now(), kStart + kHour / 2);
  clock_->advance(kHour);
  EXPECT_EQ(replay_->now(), kStart + kHour);
  clock_->advance(kHour);
  EXPECT_EQ(replay_->now(), kStart + 2 * kHour);
}

TEST_F(ReplayTest, AClockSetBackBetweenRunsDoesNotTurnTimeBack) {
  EXPECT_TRUE(accept(kStart).ok());
  clock_->advance(-kHour);
  start();
  EXPECT_GT(replay_->now(), kStart);
  EXPECT_EQ(code(accept(kStart)), Code::kDenied);
  EXPECT_TRUE(accept(replay_->now(), 2).ok());
}

TEST_F(ReplayTest, TheMemoryIsBounded) {
  limits_ = {6, 4};
  start();
  for (std::uint8_t n = 1; n <= 4; ++n) EXPECT_TRUE(accept(kStart, n, 1).ok());
  EXPECT_EQ(code(accept(kStart, 5, 1)), Code::kUnavailable);
  EXPECT_TRUE(accept(kStart, 1, 2).ok());
  EXPECT_TRUE(accept(kStart, 2, 2).ok());
  EXPECT_EQ(code(accept(kStart, 1, 3)), Code::kUnavailable);
  clock_->advance(6 * kMinute);
  EXPECT_TRUE(accept(kStart + 6 * kMinute, 5, 1).ok());
  EXPECT_TRUE(accept(kStart + 6 * kMinute, 1, 3).ok());
}

TEST_F(ReplayTest, OneOfManyAtOnceIsAccepted) {
  for (std::uint8_t round = 1; round < 20; ++round) {
    std::atomic<int> accepted = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&] { accepted += accept(kStart + round * 90'000 / 8, round).ok(); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(accepted, 1);
  }
}

TEST_F(ReplayTest, OnAFullDiskTimeStandsStillAndRequestsGoOn) {
  EXPECT_TRUE(accept(kStart).ok());
  disk_->full = true;
  clock_->advance(kMinute);
  std::uint8_t nonce = 1;
  for (int minute = 1; minute < 40; ++minute) {
    clock_->advance(kMinute);
    // By its own clock, or by what it learned a while ago, a device is refused; then it asks again.
    EXPECT_EQ(code(accept(clock_->now(), ++nonce)), Code::kDenied);
    const TimeMs learned = replay_->now();
    EXPECT_LE(learned, kStart + kMinute);
    ASSERT_TRUE(accept(learned, ++nonce).ok()) << minute;
    EXPECT_EQ(code(accept(learned, nonce)), Code::kDenied);
    EXPECT_EQ(code(accept(kStart)), Code::kDenied);
  }
  disk_->full = false;
  EXPECT_TRUE(accept(clock_->now(), 200).ok());
  EXPECT_EQ(replay_->now(), clock_->now());
  EXPECT_EQ(code(accept(kStart + 1, 201)), Code::kDenied);
}

TEST_F(ReplayTest, OnAFullDiskACrashStillForgetsNothing) {
  EXPECT_TRUE(accept(kStart).ok());
  disk_->full = true;
  clock_->advance(2 * kMinute);
  EXPECT_EQ(code(accept(clock_->now(), 2)), Code::kDenied);
  const TimeMs learned = replay_->now();
  EXPECT_TRUE(accept(learned, 2).ok());
  start();
  // Nothing is covered any more: the reason is the disk.
  EXPECT_EQ(code(accept(learned, 2)), Code::kDenied);
  EXPECT_EQ(code(accept(replay_->now(), 3)), Code::kUnavailable);
  disk_->full = false;
  EXPECT_EQ(code(accept(learned, 2)), Code::kDenied);
  EXPECT_TRUE(accept(replay_->now(), 3).ok());
}

TEST_F(ReplayTest, NoProofIsAcceptedTwiceWhateverHappens) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const auto below = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(random); };
  struct Proof {
    TimeMs time;
    std::uint8_t nonce;
    std::uint8_t caller;
    auto operator<=>(const Proof&) const = default;
  };
  std::vector<Proof> recorded;
  std::set<Proof> accepted;
  std::size_t fresh = 0;
  for (int step = 0; step < 4000; ++step) {
    if (below(30) == 0) disk_->full = !disk_->full;
    if (below(100) == 0) {
      if (below(2) == 0) {
        ASSERT_TRUE(disk_->full || replay_->stop().ok());
      }
      if (below(4) == 0) clock_->advance(below(4 * 3'600'000) - 2 * 3'600'000);
      start();
    }
    clock_->advance(below(20'000) - (below(20) == 0 ? 60'000 : 0));
    Proof proof{replay_->now() + below(660'000) - 330'000, static_cast<std::uint8_t>(below(256)),
                static_cast<std::uint8_t>(below(4))};
    if (!recorded.empty() && below(2) == 0)
      proof = recorded[recorded.size() - 1 -
                       static_cast<std::size_t>(
                           below(static_cast<int>(std::min<std::size_t>(recorded.size(), 60))))];
    recorded.push_back(proof);
    if (!accept(proof.time, proof.nonce, proof.caller).ok()) continue;
    ASSERT_TRUE(accepted.insert(proof).second) << "accepted twice at step " << step;
    ++fresh;
  }
  EXPECT_GT(fresh, 200u);
}

}  // namespace
}  // namespace holdfast::server
