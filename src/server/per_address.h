// What addresses have of something that strangers may ask for: each a few at a time, so that one
// does not take all the places. In memory: who asked is nobody's business afterwards.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"

namespace holdfast::server {

enum class Place { kNew, kHadOne, kNone };

// Safe from several threads. As large as what was added and neither removed nor a `life` old.
template <class Key>
class PerAddress {
 public:
  PerAddress(std::size_t limit, TimeMs life) : limit_(limit), life_(life) {}

  // kNone: the address has as many as it may. The same key again takes no second place.
  Place add(const Key& key, const std::string& address, TimeMs now) {
    const Lock guard(mutex_);
    while (!by_time_.empty() && by_time_.begin()->first <= now - life_)
      remove_now(Key(by_time_.begin()->second));
    if (all_.contains(key)) return Place::kHadOne;
    const auto [has, is_new] = has_.try_emplace(address, 0);
    if (has->second >= limit_) {
      if (is_new) has_.erase(has);
      return Place::kNone;
    }
    ++has->second;
    all_[key] = {address, now};
    by_time_.emplace(now, key);
    return Place::kNew;
  }

  void remove(const Key& key) {
    const Lock guard(mutex_);
    remove_now(key);
  }

 private:
  struct One {
    std::string address;
    TimeMs since = 0;
  };

  void remove_now(const Key& key) HF_REQUIRES(mutex_) {
    const auto it = all_.find(key);
    if (it == all_.end()) return;
    const auto has = has_.find(it->second.address);
    if (--has->second == 0) has_.erase(has);
    by_time_.erase({it->second.since, key});
    all_.erase(it);
  }

  const std::size_t limit_;
  const TimeMs life_;
  Mutex mutex_;
  std::map<Key, One> all_ HF_GUARDED_BY(mutex_);
  std::set<std::pair<TimeMs, Key>> by_time_ HF_GUARDED_BY(mutex_);
  std::map<std::string, std::size_t> has_ HF_GUARDED_BY(mutex_);  // of an address, none at zero
};

}  // namespace holdfast::server
