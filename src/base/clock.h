// Time as a parameter: product code asks a Clock, tests move a ManualClock.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast {

// Milliseconds since 1970, as this machine believes. Not trusted to be right or monotonic.
using TimeMs = std::int64_t;

// "2026-11-24 10:30:05", local: for people.
std::string human_time(TimeMs ms);

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimeMs now() const = 0;
};

class SystemClock final : public Clock {
 public:
  TimeMs now() const override;
};

class ManualClock final : public Clock {
 public:
  explicit ManualClock(TimeMs start) : now_(start) {}
  TimeMs now() const override { return now_; }
  void advance(TimeMs by) { now_ += by; }

 private:
  TimeMs now_;
};

}  // namespace holdfast
