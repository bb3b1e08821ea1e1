// Where the service keeps what its accounts store: objects in the database, packs in files.
#pragma once

#include <memory>

#include "api/service.h"
#include "server/writer.h"
#include "store/files.h"

namespace holdfast::server {

// What each thing takes beside its own bytes: a file's last block, its inode and its row; or a row.
// They count against a quota, so that many small things do not fill the disk beyond it.
constexpr std::uint64_t kPackCost = 4096;
constexpr std::uint64_t kObjectCost = 512;

// Safe from several threads.
class Storage {
 public:
  static std::string schema();
  // `grown` is called within each write that adds objects to an account, with the path of the last:
  // a statement or a record, where they bring one.
  using Grown =
      std::function<Result<void>(sql::Database&, std::string_view account, std::string_view path)>;
  static Result<std::unique_ptr<Storage>> open(const std::string& data, Writer& writer,
                                               std::shared_ptr<const Clock> clock,
                                               Grown grown = nullptr);
  virtual ~Storage() = default;

  // Statements, records and blobs; no packs.
  virtual std::shared_ptr<store::Files> files() = 0;

  // As api::ServiceSession.
  virtual Result<std::unique_ptr<api::PackSink>> begin(const std::string& account,
                                                       const PackId& pack, std::uint64_t size) = 0;
  virtual Result<Bytes> get(const std::string& account, const PackId& pack) = 0;
  virtual Result<api::StoredFile> open(const std::string& account, const PackId& pack) = 0;
  virtual Result<std::vector<bool>> have(const std::string& account,
                                         const std::vector<PackId>& packs) = 0;

  // Sorted.
  virtual Result<std::vector<PackId>> list(const std::string& account) = 0;

  // Of everything, with what it costs.
  virtual Result<std::uint64_t> bytes_of(const std::string& account) = 0;
  struct Totals {
    std::uint64_t packs = 0;
    std::uint64_t bytes = 0;
  };
  virtual Result<Totals> totals() = 0;

  // Nothing there is success; can be repeated.
  virtual Result<void> remove(const std::string& account, const PackId& pack) = 0;
  // Every object and pack of the account.
  virtual Result<void> remove_account(const std::string& account) = 0;
};

}  // namespace holdfast::server
