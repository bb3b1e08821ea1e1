#include "server/storage.h"

#include "server/pack_files.h"
#include "server/sql_files.h"
#include "store/layout.h"

namespace holdfast::server {
namespace {

class FileStorage final : public Storage {
 public:
  FileStorage(Writer& writer, std::unique_ptr<PackFiles> packs, std::shared_ptr<const Clock> clock,
              SqlFiles::Grown grown)
      : packs_(std::move(packs)),
        files_(std::make_shared<SqlFiles>(writer, *packs_, std::move(clock), std::move(grown))) {}

  std::shared_ptr<store::Files> files() override { return files_; }

  Result<std::unique_ptr<api::PackSink>> begin(const std::string& account, const PackId& pack,
                                               std::uint64_t size) override {
    return packs_->begin(account, pack, size);
  }
  Result<Bytes> get(const std::string& account, const PackId& pack) override {
    return packs_->get(account, pack);
  }
  Result<api::StoredFile> open(const std::string& account, const PackId& pack) override {
    return packs_->open(account, pack);
  }
  Result<std::vector<bool>> have(const std::string& account,
                                 const std::vector<PackId>& packs) override {
    return packs_->have(account, packs);
  }
  Result<std::vector<PackId>> list(const std::string& account) override {
    return packs_->list(account);
  }
  Result<std::uint64_t> bytes_of(const std::string& account) override {
    const PackFiles::Totals packs = TRY(packs_->of(account));
    const SqlFiles::Totals objects = TRY(files_->below(store::account_folder(account)));
    return packs.bytes + packs.packs * kPackCost + objects.bytes + objects.objects * kObjectCost;
  }
  Result<Totals> totals() override {
    const PackFiles::Totals now = TRY(packs_->totals());
    return Totals{now.packs, now.bytes};
  }
  Result<void> remove(const std::string& account, const PackId& pack) override {
    return packs_->remove(account, pack);
  }
  Result<void> remove_account(const std::string& account) override {
    TRY(packs_->remove_account(account));
    return files_->remove_account(store::account_folder(account));
  }

 private:
  const std::unique_ptr<PackFiles> packs_;
  const std::shared_ptr<SqlFiles> files_;
};

}  // namespace

std::string Storage::schema() { return SqlFiles::kSchema + PackFiles::kSchema; }

Result<std::unique_ptr<Storage>> Storage::open(const std::string& data, Writer& writer,
                                               std::shared_ptr<const Clock> clock, Grown grown) {
  auto packs = TRY(PackFiles::start(data, writer));
  return std::unique_ptr<Storage>(
      std::make_unique<FileStorage>(writer, std::move(packs), std::move(clock), std::move(grown)));
}

}  // namespace holdfast::server
