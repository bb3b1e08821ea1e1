// That something in an account changed, for those who wait for it.
#pragma once

#include <algorithm>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"

namespace holdfast::server {

// A number for each account that grows with each change, also over a restart: it begins at the
// service's time in milliseconds.
class Changes {
 public:
  explicit Changes(TimeMs start) : rest_(static_cast<std::uint64_t>(start)), last_(rest_) {}

  std::uint64_t of(const std::string& account) {
    const Lock guard(mutex_);
    const auto it = counters_.find(account);
    return it == counters_.end() ? rest_ : it->second;
  }

  void bump(const std::string& account, TimeMs now) {
    const Lock guard(mutex_);
    last_ = std::max(last_ + 1, static_cast<std::uint64_t>(now));
    if (counters_.size() >= kMaxCounters) {
      // Everyone who waits looks once more than needed.
      counters_.clear();
      rest_ = last_++;
    }
    counters_[account] = last_;
  }

 private:
  static constexpr std::size_t kMaxCounters = 100'000;

  Mutex mutex_;
  std::uint64_t rest_ HF_GUARDED_BY(mutex_);
  std::uint64_t last_ HF_GUARDED_BY(mutex_);
  std::map<std::string, std::uint64_t> counters_ HF_GUARDED_BY(mutex_);
};

}  // namespace holdfast::server
