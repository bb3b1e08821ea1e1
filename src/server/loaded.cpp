#include "server/loaded.h"

namespace holdfast::server {
namespace {

// The objects of one account, with a lock of their own.
class AccountFiles final : public store::Files {
 public:
  AccountFiles(std::shared_ptr<store::Files> all, std::mutex& exclusive)
      : all_(std::move(all)), exclusive_(exclusive) {}

  Result<Bytes> get(const std::string& path, std::uint64_t limit) override {
    return all_->get(path, limit);
  }
  Result<void> create(const std::string& path, BytesView bytes) override {
    return all_->create(path, bytes);
  }
  Result<void> create_all(const std::vector<New>& files) override {
    return all_->create_all(files);
  }
  Result<void> replace(const std::string& path, BytesView bytes) override {
    return all_->replace(path, bytes);
  }
  Result<void> remove(const std::string& path) override { return all_->remove(path); }
  Result<void> persist(const std::string& path) override { return all_->persist(path); }
  Result<store::FileInfo> info(const std::string& path) override { return all_->info(path); }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    return all_->list(folder);
  }
  Result<std::unique_ptr<Lock>> lock() override {
    return std::unique_ptr<Lock>(std::make_unique<Held>(exclusive_));
  }
  std::string place() const override { return "this service"; }

 private:
  class Held final : public Lock {
   public:
    explicit Held(std::mutex& exclusive) : held_(exclusive) {}

   private:
    std::unique_lock<std::mutex> held_;
  };

  const std::shared_ptr<store::Files> all_;
  std::mutex& exclusive_;
};

}  // namespace

std::shared_ptr<store::Account> Loaded::make(const std::string& name) {
  auto& stripe = stripes_[std::hash<std::string>{}(name) % kStripes];
  return std::make_shared<store::Account>(std::make_shared<AccountFiles>(files_, stripe), name,
                                          make_ages_);
}

Result<std::shared_ptr<store::Account>> Loaded::find(const std::string& name) {
  if (auto known = known_of(name)) return known;
  auto account = make(name);
  const bool there = TRY(account->exists());
  if (!there) return std::shared_ptr<store::Account>();
  const Lock guard(mutex_);
  const auto [it, added] = places_.try_emplace(name);
  if (!added) return it->second->account;
  order_.push_front({name, account});
  it->second = order_.begin();
  if (order_.size() > limit_) {
    places_.erase(order_.back().name);
    order_.pop_back();
  }
  return account;
}

void Loaded::forget(const std::string& name) {
  const Lock guard(mutex_);
  const auto it = places_.find(name);
  if (it == places_.end()) return;
  order_.erase(it->second);
  places_.erase(it);
}

std::shared_ptr<store::Account> Loaded::known_of(const std::string& name) {
  const Lock guard(mutex_);
  const auto it = places_.find(name);
  if (it == places_.end()) return nullptr;
  order_.splice(order_.begin(), order_, it->second);
  return it->second->account;
}

}  // namespace holdfast::server
