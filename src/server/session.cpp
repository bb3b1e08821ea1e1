#include "server/session.h"

namespace holdfast::server {
namespace {

class Sink final : public api::PackSink {
 public:
  Sink(Core& core, std::string account, std::unique_ptr<Arrival> arrival,
       std::unique_ptr<api::PackSink> to)
      : core_(core),
        account_(std::move(account)),
        arrival_(std::move(arrival)),
        to_(std::move(to)) {}
  Result<void> write(BytesView piece) override { return to_->write(piece); }
  Result<void> commit() override { return core_.commit(account_, *to_); }

 private:
  Core& core_;
  const std::string account_;
  const std::unique_ptr<Arrival> arrival_;
  const std::unique_ptr<api::PackSink> to_;
};

// Every function but read_circle() first asks: a device that was removed learns by whom, and
// nothing else; an owner whom the provider helps reads what there is, and does nothing.
using Rights = store::Account::Rights;

class Session final : public api::ServiceSession {
 public:
  Session(Core& core, std::string name, std::shared_ptr<store::Account> account, Rights rights)
      : core_(core), name_(std::move(name)), account_(std::move(account)), rights_(rights) {}

  Result<std::vector<Bytes>> read_circle(std::uint64_t from) override {
    return account_->read_circle(from);
  }
  Result<api::Receipt> append(const api::Append& append) override {
    TRY(allowed());
    return core_.append(*account_, name_, append);
  }
  Result<Bytes> get_blob(const BlobId& blob) override {
    TRY(may_read());
    return account_->get_blob(blob);
  }

  Result<std::vector<RequestId>> list_joins() override {
    TRY(allowed());
    return core_.joins().list(name_, core_.clock());
  }
  Result<void> drop_join(const RequestId& request) override {
    TRY(allowed());
    return core_.drop_join(name_, request);
  }

  Result<std::vector<Bytes>> read_records(const VaultId& vault, std::uint64_t from) override {
    TRY(may_read());
    return account_->read_records(vault, from);
  }
  Result<std::vector<TimeMs>> received(const VaultId& vault, std::uint64_t from) override {
    TRY(may_read());
    return account_->received(vault, from);
  }
  Result<api::Receipt> append_record(const VaultId& vault, BytesView record) override {
    TRY(allowed());
    return core_.append_record(*account_, name_, vault, record);
  }

  Result<void> put_pack(const PackId& pack, BytesView bytes) override {
    const auto sink = TRY(begin_pack(pack, bytes.size()));
    TRY(sink->write(bytes));
    return sink->commit();
  }
  Result<std::unique_ptr<api::PackSink>> begin_pack(const PackId& pack,
                                                    std::uint64_t size) override {
    TRY(allowed());
    if (size == 0 || size > api::kMaxPackBytes)
      return Error{Code::kInvalid, "a pack is empty or too large"};
    TRY(core_.check_keeps_pack(*account_, size));
    auto arrival = TRY(core_.make_room(name_, pack, size));
    auto to = TRY(core_.storage().begin(name_, pack, size));
    return std::unique_ptr<api::PackSink>(
        std::make_unique<Sink>(core_, name_, std::move(arrival), std::move(to)));
  }
  Result<Bytes> get_pack(const PackId& pack) override {
    TRY(may_read());
    return core_.storage().get(name_, pack);
  }
  Result<api::StoredFile> open_pack(const PackId& pack) override {
    TRY(may_read());
    return core_.storage().open(name_, pack);
  }
  Result<std::vector<bool>> have_packs(const std::vector<PackId>& packs) override {
    TRY(may_read());
    if (packs.size() > api::kMaxHavePacks)
      return Error{Code::kInvalid, "too many packs are asked for at one time"};
    return core_.storage().have(name_, packs);
  }

  Result<api::Usage> usage() override {
    TRY(may_read());
    return core_.usage(name_);
  }
  Result<api::Usage> delete_account() override {
    TRY(allowed());
    return core_.delete_account(name_);
  }
  Result<api::Usage> keep_account() override {
    TRY(allowed());
    return core_.keep_account(name_);
  }
  Result<std::vector<api::Connection>> connections() override {
    TRY(allowed());
    return core_.connections().read(name_);
  }
  Result<api::LogView> read_log(std::uint64_t from) override {
    TRY(may_read());
    if (core_.log() == nullptr) return api::no_log();
    return core_.log()->view(name_, from);
  }
  Result<std::vector<api::BatchView>> read_batches(std::uint64_t from) override {
    TRY(may_read());
    if (core_.log() == nullptr) return api::no_log();
    const CircleId circle = TRY(account_->circle_id());
    return core_.log()->batches(circle, from);
  }
  Result<Bytes> prove_age(std::uint64_t seq) override {
    TRY(allowed());
    if (core_.log() == nullptr) return api::no_log();
    return core_.log()->prove_age(name_, seq);
  }
  Result<api::CustodyStatus> custody() override {
    TRY(allowed());
    return core_.custody(*account_, name_);
  }
  // At once: the network front waits, without a thread, until on_change.
  Result<std::uint64_t> wait_for_change(std::uint64_t, std::int64_t) override {
    TRY(may_read());
    return core_.change_of(name_);
  }

 private:
  Result<void> may_read() const {
    if (rights_ != Rights::kNone) return Ok{};
    return Error{Code::kDenied, "this device was removed from the account"};
  }
  Result<void> allowed() const {
    TRY(may_read());
    if (rights_ == Rights::kAll) return Ok{};
    return Error{Code::kDenied, "whom the provider helps may read, and nothing else"};
  }

  Core& core_;
  const std::string name_;
  const std::shared_ptr<store::Account> account_;
  const Rights rights_;
};

}  // namespace

std::unique_ptr<api::ServiceSession> make_session(Core& core, const std::string& name,
                                                  std::shared_ptr<store::Account> account,
                                                  store::Account::Rights rights) {
  return std::make_unique<Session>(core, name, std::move(account), rights);
}

}  // namespace holdfast::server
