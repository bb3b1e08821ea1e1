// Sends no faster than a person allows.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>

#include "base/mutex.h"

namespace holdfast {

// So many bytes a second, on average since it began; 0: as fast as it goes. Several threads share
// one, each in its turn: what is sent slowly and side by side would look stalled to whoever reads.
class Pace {
 public:
  explicit Pace(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}

  bool limited() const { return rate_ != 0; }
  // Held while one thing is sent. Without a limit there is nothing to wait for.
  std::unique_lock<std::mutex> turn() {
    return limited() ? std::unique_lock(turn_) : std::unique_lock<std::mutex>();
  }
  // Returns when so many bytes more may go.
  void wait(std::uint64_t bytes) {
    if (!limited()) return;
    using Steady = std::chrono::steady_clock;
    const std::chrono::duration<double> takes(static_cast<double>(bytes) /
                                              static_cast<double>(rate_));
    Steady::time_point due;
    {
      const Lock lock(mutex_);
      due = std::max(next_, Steady::now());
      next_ = due + std::chrono::duration_cast<Steady::duration>(takes);
    }
    std::this_thread::sleep_until(due);
  }

 private:
  const std::uint64_t rate_;
  std::mutex turn_;  // guards the line
  Mutex mutex_;
  std::chrono::steady_clock::time_point next_ HF_GUARDED_BY(mutex_);
};

}  // namespace holdfast
