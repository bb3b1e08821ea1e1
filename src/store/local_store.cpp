#include "store/local_store.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "store/account.h"
#include "store/joins.h"
#include "store/layout.h"
#include "store/packs.h"

namespace holdfast::store {
namespace {

constexpr std::int64_t kGlanceMs = 100;

class LocalSession final : public api::Session {
 public:
  LocalSession(std::shared_ptr<Account> account, const std::shared_ptr<Files>& files,
               const std::string& name)
      : account_(std::move(account)), joins_(files, name), packs_(files, name) {}

  Result<std::vector<Bytes>> read_circle(std::uint64_t from) override {
    return account_->read_circle(from);
  }
  Result<api::Receipt> append(const api::Append& append) override {
    return account_->append(append);
  }
  Result<Bytes> get_blob(const BlobId& blob) override { return account_->get_blob(blob); }

  Result<std::vector<RequestId>> list_joins() override { return joins_.list(); }
  Result<void> drop_join(const RequestId& request) override { return joins_.drop(request); }

  Result<std::vector<Bytes>> read_records(const VaultId& vault, std::uint64_t from) override {
    return account_->read_records(vault, from);
  }
  Result<std::vector<TimeMs>> received(const VaultId& vault, std::uint64_t from) override {
    return account_->received(vault, from);
  }
  Result<api::Receipt> append_record(const VaultId& vault, BytesView record) override {
    TRY(packs_.persist_found());
    return account_->append_record(vault, record);
  }

  Result<void> put_pack(const PackId& pack, BytesView bytes) override {
    return packs_.put(pack, bytes);
  }
  Result<Bytes> get_pack(const PackId& pack) override { return packs_.get(pack); }
  Result<std::vector<bool>> have_packs(const std::vector<PackId>& packs) override {
    return packs_.have(packs);
  }

  Result<api::Usage> usage() override { return api::Usage{}; }
  Result<api::Usage> delete_account() override { return folder_is_yours(); }
  Result<api::Usage> keep_account() override { return folder_is_yours(); }
  Result<std::vector<api::Connection>> connections() override {
    return std::vector<api::Connection>();
  }
  // A folder tells nobody: it may have changed.
  Result<std::uint64_t> wait_for_change(std::uint64_t seen, std::int64_t patience_ms) override {
    std::this_thread::sleep_for(
        std::chrono::milliseconds(std::clamp<std::int64_t>(patience_ms, 0, kGlanceMs)));
    return seen + 1;
  }

 private:
  static Error folder_is_yours() {
    return {Code::kInvalid, "the store is a folder: whoever owns it deletes an account's files"};
  }

  const std::shared_ptr<Account> account_;
  Joins joins_;
  Packs packs_;
};

}  // namespace

LocalStore::LocalStore(std::shared_ptr<Files> files, std::shared_ptr<const Clock> clock)
    : files_(std::move(files)), clock_(std::move(clock)) {}

LocalStore::~LocalStore() = default;

// One object an account, so that its circle is replayed once.
Result<std::shared_ptr<Account>> LocalStore::account(const std::string& name) {
  TRY(check_account_name(name));
  const Lock guard(mutex_);
  auto& account = accounts_[name];
  if (!account) account = std::make_shared<Account>(files_, name);
  return account;
}

Result<std::shared_ptr<Account>> LocalStore::existing(const std::string& name) {
  auto found = TRY(account(name));
  if (!TRY(found->exists()))
    return Error{Code::kNotFound,
                 "there is no account \"" + name + "\" in the store at " + files_->place()};
  return found;
}

Result<std::vector<std::string>> LocalStore::accounts() {
  std::vector<std::string> names;
  for (const std::string& entry : TRY(files_->list("accounts"))) {
    const auto name = account_of(entry);
    if (!name) continue;
    const auto found = TRY(account(*name));
    if (TRY(found->exists())) names.push_back(*name);
  }
  return names;
}

Result<api::Receipt> LocalStore::create_account(const std::string& name,
                                                const api::Append& genesis) {
  const auto found = TRY(account(name));
  return found->create(genesis);
}

Result<void> LocalStore::put_join(const std::string& account, const RequestId& request,
                                  api::JoinMessage which, BytesView message) {
  TRY(existing(account));
  return Joins(files_, account).put(request, which, message, clock_->now());
}

Result<Bytes> LocalStore::get_join(const std::string& account, const RequestId& request,
                                   api::JoinMessage which) {
  TRY(check_account_name(account));
  return Joins(files_, account).get(request, which);
}

Result<api::Visitor::Admitted> LocalStore::get_admission(const std::string& name,
                                                         const RequestId& request) {
  const auto found = TRY(account(name));
  return found->get_admission(request);
}

// A folder holds few accounts: asking each is what can never disagree with them.
Result<api::Visitor::Capsule> LocalStore::find_capsule(const LocateId& locate) {
  std::optional<Error> damage;
  for (const std::string& name : TRY(accounts())) {
    const auto found = TRY(account(name));
    auto recovery = found->recovery();
    if (!recovery.ok()) {
      // One damaged account does not stand in the way of the others.
      damage = std::move(recovery).error();
    } else if (*recovery && (*recovery)->locate == locate) {
      return Capsule{name, std::move((*recovery)->capsule)};
    }
  }
  if (damage) return *std::move(damage);
  return Error{Code::kNotFound,
               "no account in the store at " + files_->place() + " has this recovery key"};
}

Result<std::unique_ptr<api::Session>> LocalStore::open_account(const std::string& name,
                                                               const api::Caller&) {
  auto found = TRY(existing(name));
  return std::unique_ptr<api::Session>(
      std::make_unique<LocalSession>(std::move(found), files_, name));
}

Result<std::unique_ptr<api::Store>> open_folder(const std::string& path, Create create) {
  return open_files(TRY(FolderFiles::open(path, create)));
}

std::unique_ptr<api::Store> open_memory() { return open_files(std::make_shared<MemoryFiles>()); }

std::unique_ptr<api::Store> open_files(std::shared_ptr<Files> files) {
  return std::make_unique<LocalStore>(std::move(files), std::make_shared<SystemClock>());
}

}  // namespace holdfast::store
