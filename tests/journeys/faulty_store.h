// A store whose writes fail or whose answers get lost, and which lets a test act between a
// device's calls. A decorator of the doors: the device cannot tell it from a bad line.
#pragma once

#include <functional>
#include <memory>

#include "api/doors.h"
#include "base/mutex.h"

namespace holdfast {

enum class Lost { kCall, kAnswer };  // not applied, or applied but reported lost

struct Faults {
  int writes_left = -1;  // the write that makes it 0 fails, and all after it; negative: none
  Lost lost = Lost::kCall;
  int writes = 0;                        // seen so far
  std::function<void()> before_record;   // runs once, before the next append_record
  std::function<void()> before_records;  // likewise, before the next read_records
  std::optional<PackId> lost_pack = {};  // that the store has no more

  bool dead() const { return writes_left == 0; }
};

class FaultySession final : public api::Session {
 public:
  FaultySession(std::unique_ptr<api::Session> inner, Faults& faults)
      : inner_(std::move(inner)), faults_(faults) {}

  Result<std::vector<Bytes>> read_circle(std::uint64_t from) override {
    return read([&] { return inner_->read_circle(from); });
  }
  Result<api::Receipt> append(const api::Append& append) override {
    return write([&] { return inner_->append(append); });
  }
  Result<Bytes> get_blob(const BlobId& blob) override {
    return read([&] { return inner_->get_blob(blob); });
  }
  Result<std::vector<RequestId>> list_joins() override {
    return read([&] { return inner_->list_joins(); });
  }
  Result<void> drop_join(const RequestId& request) override {
    return write([&] { return inner_->drop_join(request); });
  }
  Result<std::vector<Bytes>> read_records(const VaultId& vault, std::uint64_t from) override {
    if (const auto act = take_act(faults_.before_records)) act();
    return read([&] { return inner_->read_records(vault, from); });
  }
  Result<std::vector<TimeMs>> received(const VaultId& vault, std::uint64_t from) override {
    return read([&] { return inner_->received(vault, from); });
  }
  Result<api::Receipt> append_record(const VaultId& vault, BytesView record) override {
    if (const auto act = take_act(faults_.before_record)) act();
    return write([&] { return inner_->append_record(vault, record); });
  }
  Result<void> put_pack(const PackId& pack, BytesView bytes) override {
    return write([&] { return inner_->put_pack(pack, bytes); });
  }
  Result<Bytes> get_pack(const PackId& pack) override {
    return read([&]() -> Result<Bytes> {
      if (pack == faults_.lost_pack) return Error{Code::kNotFound, "the store has no such pack"};
      return inner_->get_pack(pack);
    });
  }
  Result<std::vector<bool>> have_packs(const std::vector<PackId>& packs) override {
    return read([&]() -> Result<std::vector<bool>> {
      auto there = TRY(inner_->have_packs(packs));
      for (std::size_t i = 0; i < packs.size(); ++i)
        if (packs[i] == faults_.lost_pack) there[i] = false;
      return there;
    });
  }
  Result<api::Usage> usage() override {
    return read([&] { return inner_->usage(); });
  }
  Result<api::Usage> delete_account() override {
    return write([&] { return inner_->delete_account(); });
  }
  Result<api::Usage> keep_account() override {
    return write([&] { return inner_->keep_account(); });
  }
  Result<std::vector<api::Connection>> connections() override {
    return read([&] { return inner_->connections(); });
  }
  Result<std::vector<api::BatchView>> read_batches(std::uint64_t from) override {
    return read([&] { return inner_->read_batches(from); });
  }
  Result<api::LogView> read_log(std::uint64_t from) override {
    return read([&] { return inner_->read_log(from); });
  }
  Result<Bytes> prove_age(std::uint64_t seq) override {
    return read([&] { return inner_->prove_age(seq); });
  }
  Result<std::uint64_t> wait_for_change(std::uint64_t seen, std::int64_t patience_ms) override {
    return inner_->wait_for_change(seen, patience_ms);
  }

 private:
  std::function<void()> take_act(std::function<void()>& act) {
    const Lock lock(mutex_);
    return std::exchange(act, nullptr);
  }
  static Error gone() { return {Code::kUnavailable, "the store does not answer"}; }
  template <class Call>
  auto read(Call&& call) -> decltype(call()) {
    const Lock lock(mutex_);
    if (faults_.dead()) return gone();
    return call();
  }
  // Packs are put from several threads; which of them is the k-th does not matter.
  template <class Call>
  auto write(Call&& call) -> decltype(call()) {
    const Lock lock(mutex_);
    ++faults_.writes;
    if (faults_.dead()) return gone();
    if (faults_.writes_left < 0 || --faults_.writes_left > 0) return call();
    if (faults_.lost == Lost::kAnswer) static_cast<void>(call().ok());
    return gone();
  }

  const std::unique_ptr<api::Session> inner_;
  Mutex mutex_;
  Faults& faults_ HF_GUARDED_BY(mutex_);
};

// Only what a member does is faulty; visitors are the store's own tests' matter.
class FaultyStore final : public api::Store {
 public:
  FaultyStore(api::Store& inner, Faults& faults) : inner_(inner), faults_(faults) {}
  Result<std::vector<std::string>> accounts() override { return inner_.accounts(); }
  Result<api::Receipt> create_account(const std::string& account,
                                      const api::Append& genesis) override {
    return inner_.create_account(account, genesis);
  }
  Result<void> put_join(const std::string& account, const RequestId& request,
                        api::JoinMessage which, BytesView message) override {
    return inner_.put_join(account, request, which, message);
  }
  Result<Bytes> get_join(const std::string& account, const RequestId& request,
                         api::JoinMessage which) override {
    return inner_.get_join(account, request, which);
  }
  Result<Admitted> get_admission(const std::string& account, const RequestId& request) override {
    return inner_.get_admission(account, request);
  }
  Bytes tls_pin() const override { return inner_.tls_pin(); }
  Result<Capsule> find_capsule(const LocateId& locate) override {
    return inner_.find_capsule(locate);
  }
  Result<Bytes> get_log(const std::string& path) override { return inner_.get_log(path); }
  Result<std::unique_ptr<api::Session>> open_account(const std::string& account,
                                                     const api::Caller& caller) override {
    auto session = TRY(inner_.open_account(account, caller));
    return std::unique_ptr<api::Session>(
        std::make_unique<FaultySession>(std::move(session), faults_));
  }

 private:
  api::Store& inner_;
  Faults& faults_;
};

}  // namespace holdfast
