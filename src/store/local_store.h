// A folder, or memory, as a store: both doors without a service.
//
// Advanced level only, and no log: nothing promises inclusion, and two copies of a folder fork.
// Two processes at once are normal. docs/formats/store.md says what lies where.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "api/doors.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "store/files.h"

namespace holdfast::store {

class Account;

// Sessions may outlive it.
class LocalStore final : public api::Store {
 public:
  // The clock only tells which requests to join are a day old.
  LocalStore(std::shared_ptr<Files> files, std::shared_ptr<const Clock> clock);
  ~LocalStore() override;

  Result<std::vector<std::string>> accounts() override;
  Result<api::Receipt> create_account(const std::string& account,
                                      const api::Append& genesis) override;
  Result<void> put_join(const std::string& account, const RequestId& request,
                        api::JoinMessage which, BytesView message) override;
  Result<Bytes> get_join(const std::string& account, const RequestId& request,
                         api::JoinMessage which) override;
  Result<Admitted> get_admission(const std::string& account, const RequestId& request) override;
  Result<Capsule> find_capsule(const LocateId& locate) override;
  Result<std::unique_ptr<api::Session>> open_account(const std::string& account,
                                                     const api::Caller& caller) override;
  Bytes tls_pin() const override { return {}; }

 private:
  Result<std::shared_ptr<Account>> account(const std::string& name);
  Result<std::shared_ptr<Account>> existing(const std::string& name);

  const std::shared_ptr<Files> files_;
  const std::shared_ptr<const Clock> clock_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<Account>> accounts_ HF_GUARDED_BY(mutex_);
};

// As FolderFiles::open.
Result<std::unique_ptr<api::Store>> open_folder(const std::string& path, Create create);
std::unique_ptr<api::Store> open_memory();
std::unique_ptr<api::Store> open_files(std::shared_ptr<Files> files);

}  // namespace holdfast::store
