// Whose requests to join are waiting: one address may have a few, so that a stranger does not take
// all the places. In memory: who asked is nobody's business once the request has ended.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/id.h"
#include "base/mutex.h"

namespace holdfast::server {

// Safe from several threads. As large as the requests that are waiting, if those that the service
// refused are removed.
class OpenJoins {
 public:
  static constexpr std::size_t kOfAnAddress = 24;

  // Of one request; nothing of an account is known by it alone.
  using Key = std::pair<std::string, RequestId>;

  // False: the address has as many as it may. The same request again is no other.
  bool add(const Key& key, const std::string& address, TimeMs now, TimeMs life) {
    const Lock guard(mutex_);
    while (!by_time_.empty() && by_time_.begin()->first <= now - life)
      remove_now(Key(by_time_.begin()->second));
    if (all_.contains(key)) return true;
    std::size_t& open = open_[address];
    if (open >= kOfAnAddress) return false;
    ++open;
    all_[key] = {address, now};
    by_time_.emplace(now, key);
    return true;
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
    const auto open = open_.find(it->second.address);
    if (--open->second == 0) open_.erase(open);
    by_time_.erase({it->second.since, key});
    all_.erase(it);
  }

  Mutex mutex_;
  std::map<Key, One> all_ HF_GUARDED_BY(mutex_);
  std::set<std::pair<TimeMs, Key>> by_time_ HF_GUARDED_BY(mutex_);
  std::map<std::string, std::size_t> open_ HF_GUARDED_BY(mutex_);  // of an address, none at zero
};

}  // namespace holdfast::server
