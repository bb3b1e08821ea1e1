// The accounts whose circles are in memory, those used last.
#pragma once

#include <array>
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "base/mutex.h"
#include "store/account.h"

namespace holdfast::server {

// Safe from several threads. Appends to different accounts need not wait for each other.
class Loaded {
 public:
  Loaded(std::shared_ptr<store::Files> files, std::size_t limit, store::MakeAges make_ages)
      : files_(std::move(files)), limit_(limit), make_ages_(std::move(make_ages)) {}

  std::shared_ptr<store::Account> make(const std::string& name);
  // Null where there is none: names that strangers try take no place here.
  Result<std::shared_ptr<store::Account>> find(const std::string& name);
  void forget(const std::string& name);

 private:
  static constexpr std::size_t kStripes = 256;
  struct One {
    std::string name;
    std::shared_ptr<store::Account> account;
  };

  std::shared_ptr<store::Account> known_of(const std::string& name);

  const std::shared_ptr<store::Files> files_;
  const std::size_t limit_;
  const store::MakeAges make_ages_;
  std::array<std::mutex, kStripes> stripes_;
  Mutex mutex_;
  std::list<One> order_ HF_GUARDED_BY(mutex_);  // newest use first
  std::map<std::string, std::list<One>::iterator> places_ HF_GUARDED_BY(mutex_);
};

}  // namespace holdfast::server
