// A place for a store (store/files.h) in the service's database; packs lie in files of their own.
#pragma once

#include <memory>
#include <mutex>

#include "base/clock.h"
#include "server/pack_files.h"
#include "server/writer.h"
#include "store/files.h"

namespace holdfast::server {

// Each change is one write() of the writer: those of many callers become durable together.
class SqlFiles final : public store::Files {
 public:
  static const std::string kSchema;

  // Called within the write that creates objects of an account, with the path of the last.
  using Grown =
      std::function<Result<void>(sql::Database&, std::string_view account, std::string_view path)>;

  // `writer` has kSchema and PackFiles::kSchema; both outlive this.
  SqlFiles(Writer& writer, PackFiles& packs,
           std::shared_ptr<const Clock> clock = std::make_shared<SystemClock>(),
           Grown grown = nullptr)
      : writer_(writer), packs_(packs), clock_(std::move(clock)), grown_(std::move(grown)) {}

  Result<Bytes> get(const std::string& path, std::uint64_t limit) override;
  Result<void> create(const std::string& path, BytesView bytes) override;
  // Objects only. All or nothing, in one write.
  Result<void> create_all(const std::vector<New>& files) override;
  Result<void> replace(const std::string& path, BytesView bytes) override;
  Result<void> remove(const std::string& path) override;
  Result<void> persist(const std::string& path) override;
  Result<store::FileInfo> info(const std::string& path) override;
  // One seek for each name that is a folder, however much lies below it.
  Result<std::vector<std::string>> list(const std::string& folder) override;
  // One process owns the database: a mutex. Whoever serves many accounts puts finer locks before
  // it, for callers that hold this one cannot become durable together.
  Result<std::unique_ptr<Lock>> lock() override;
  std::string place() const override { return "this service"; }

  // Of store::account_folder(): what lies below, packs excepted.
  struct Totals {
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
  };
  Result<Totals> below(const std::string& folder);
  // In several writes.
  Result<void> remove_account(const std::string& folder);

 private:
  Result<std::vector<std::string>> list_objects(const std::string& folder);
  Result<std::vector<std::string>> list_packs(const std::string& folder);

  Writer& writer_;
  PackFiles& packs_;
  const std::shared_ptr<const Clock> clock_;
  const Grown grown_;
  std::mutex exclusive_;
};

}  // namespace holdfast::server
