// What packs that are on their way in will take of a quota.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/mutex.h"

namespace holdfast::server {

// Bytes of packs that are on their way in: they count against the quota already.
class Arriving {
 public:
  std::uint64_t add(const std::string& account, std::uint64_t bytes) {
    const Lock guard(mutex_);
    all_ += bytes;
    return bytes_[account] += bytes;
  }
  std::uint64_t all() {
    const Lock guard(mutex_);
    return all_;
  }
  void remove(const std::string& account, std::uint64_t bytes) {
    const Lock guard(mutex_);
    const auto it = bytes_.find(account);
    it->second -= bytes;
    all_ -= bytes;
    if (it->second == 0) bytes_.erase(it);
  }

 private:
  Mutex mutex_;
  std::uint64_t all_ HF_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::uint64_t> bytes_ HF_GUARDED_BY(mutex_);
};

class Arrival {
 public:
  Arrival(Arriving& arriving, std::string account, std::uint64_t bytes)
      : arriving_(arriving), account_(std::move(account)), bytes_(bytes) {
    with_others_ = arriving_.add(account_, bytes_);
  }
  ~Arrival() { arriving_.remove(account_, bytes_); }
  Arrival(const Arrival&) = delete;
  Arrival& operator=(const Arrival&) = delete;
  std::uint64_t with_others() const { return with_others_; }

 private:
  Arriving& arriving_;
  const std::string account_;
  const std::uint64_t bytes_;
  std::uint64_t with_others_ = 0;
};

}  // namespace holdfast::server
