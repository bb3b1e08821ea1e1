// A hostile service: an honest one whose answers are altered on their way to the device. The same
// lies are told in this process (HostileStore) and over HTTPS (HostileService). Test-only.
#pragma once

#include <sys/mman.h>

#include <functional>
#include <memory>
#include <utility>

#include "api/service.h"

namespace holdfast::hostile {

// What becomes of each answer; where nothing is set, the service is honest. `honest` is the
// account as the honest service has it, for whoever lies by showing one thing for another.
// Called from several threads.
struct Lies {
  using Honest = api::Session;
  using Join = std::pair<RequestId, api::JoinMessage>;

  std::function<void(Honest& honest, std::uint64_t from, std::vector<Bytes>& page)> circle = {};
  std::function<void(Honest& honest, const VaultId& vault, std::uint64_t from,
                     std::vector<Bytes>& page)>
      records = {};
  std::function<void(Honest& honest, const BlobId& blob, Bytes& bytes)> blob = {};
  std::function<void(Honest& honest, const PackId& pack, Bytes& bytes)> pack = {};
  std::function<void(std::vector<bool>& there)> have = {};
  std::function<void(std::vector<RequestId>& requests)> joins = {};
  std::function<void(const Join& join, Result<Bytes>& message)> join = {};
  std::function<void(Result<api::Visitor::Admitted>& admitted)> admission = {};
  std::function<void(Result<api::Visitor::Capsule>& capsule)> capsule = {};
  std::function<void(Honest& honest, std::uint64_t from, Result<api::LogView>& view)> log = {};
  std::function<void(const std::string& path, Result<Bytes>& file)> log_file = {};
  std::function<void(std::vector<api::BatchView>& page)> batches = {};
  std::function<void(Result<api::Receipt>& receipt)> receipt = {};
  bool stops_log = false;  // it takes nothing more into its log
  // True: the service says yes and does nothing.
  std::function<bool(const Join& join, BytesView message)> ignore_join = {};
  std::function<void(std::uint64_t seq, Result<Bytes>& evidence)> age = {};
  std::function<void(const CircleId& circle, Result<Bytes>& key)> custodian = {};
  std::function<void(Result<api::CustodyStatus>& custody)> custody = {};
  bool keeps_joins = false;
};

// A member's session. Streams are kept whole: what is altered must be in memory first.
class HostileSession final : public api::ServiceSession {
 public:
  HostileSession(std::unique_ptr<api::Session> inner, const Lies& lies)
      : inner_(std::move(inner)), lies_(lies) {}

  Result<std::vector<Bytes>> read_circle(std::uint64_t from) override {
    auto page = inner_->read_circle(from);
    if (page.ok() && lies_.circle) lies_.circle(*inner_, from, *page);
    return page;
  }
  Result<api::Receipt> append(const api::Append& append) override {
    auto receipt = inner_->append(append);
    if (lies_.receipt) lies_.receipt(receipt);
    return receipt;
  }
  Result<Bytes> get_blob(const BlobId& blob) override {
    auto bytes = inner_->get_blob(blob);
    if (bytes.ok() && lies_.blob) lies_.blob(*inner_, blob, *bytes);
    return bytes;
  }
  Result<std::vector<RequestId>> list_joins() override {
    auto requests = inner_->list_joins();
    if (requests.ok() && lies_.joins) lies_.joins(*requests);
    return requests;
  }
  Result<void> drop_join(const RequestId& request) override {
    if (lies_.keeps_joins) return Ok{};
    return inner_->drop_join(request);
  }
  Result<std::vector<api::BatchView>> read_batches(std::uint64_t from) override {
    auto page = inner_->read_batches(from);
    if (page.ok() && lies_.batches) lies_.batches(*page);
    return page;
  }
  Result<Bytes> prove_age(std::uint64_t seq) override {
    auto evidence = inner_->prove_age(seq);
    if (lies_.age) lies_.age(seq, evidence);
    return evidence;
  }
  Result<api::CustodyStatus> custody() override {
    auto custody = inner_->custody();
    if (lies_.custody) lies_.custody(custody);
    return custody;
  }
  Result<std::vector<TimeMs>> received(const VaultId& vault, std::uint64_t from) override {
    return inner_->received(vault, from);
  }
  Result<std::vector<Bytes>> read_records(const VaultId& vault, std::uint64_t from) override {
    auto page = inner_->read_records(vault, from);
    if (page.ok() && lies_.records) lies_.records(*inner_, vault, from, *page);
    return page;
  }
  Result<api::Receipt> append_record(const VaultId& vault, BytesView record) override {
    auto receipt = inner_->append_record(vault, record);
    if (lies_.receipt) lies_.receipt(receipt);
    return receipt;
  }
  Result<void> put_pack(const PackId& pack, BytesView bytes) override {
    return inner_->put_pack(pack, bytes);
  }
  Result<Bytes> get_pack(const PackId& pack) override {
    auto bytes = inner_->get_pack(pack);
    if (bytes.ok() && lies_.pack) lies_.pack(*inner_, pack, *bytes);
    return bytes;
  }
  Result<std::vector<bool>> have_packs(const std::vector<PackId>& packs) override {
    auto there = inner_->have_packs(packs);
    if (there.ok() && lies_.have) lies_.have(*there);
    return there;
  }
  Result<api::LogView> read_log(std::uint64_t from) override {
    auto view = inner_->read_log(from);
    if (lies_.log) lies_.log(*inner_, from, view);
    return view;
  }
  Result<api::Usage> usage() override { return inner_->usage(); }
  Result<api::Usage> delete_account() override { return inner_->delete_account(); }
  Result<api::Usage> keep_account() override { return inner_->keep_account(); }
  Result<std::vector<api::Connection>> connections() override { return inner_->connections(); }
  Result<std::uint64_t> wait_for_change(std::uint64_t seen, std::int64_t patience_ms) override {
    return inner_->wait_for_change(seen, patience_ms);
  }

  Result<std::unique_ptr<api::PackSink>> begin_pack(const PackId& pack,
                                                    std::uint64_t size) override {
    auto* const service = dynamic_cast<api::ServiceSession*>(inner_.get());
    HF_CHECK(service != nullptr);
    return service->begin_pack(pack, size);
  }
  Result<api::StoredFile> open_pack(const PackId& pack) override {
    const Bytes bytes = TRY(get_pack(pack));
    Fd file(::memfd_create("pack", MFD_CLOEXEC));
    TRY(write_all(file.get(), bytes, "the altered pack"));
    HF_CHECK(::lseek(file.get(), 0, SEEK_SET) == 0);
    return api::StoredFile{std::move(file), bytes.size()};
  }

 private:
  const std::unique_ptr<api::Session> inner_;
  const Lies& lies_;
};

// What anyone may ask, altered. Base: api::Visitor, or api::Store.
template <class Base>
class HostileVisitor : public Base {
 public:
  HostileVisitor(Base& inner, const Lies& lies) : inner_(inner), lies_(lies) {}

  Result<std::vector<std::string>> accounts() override { return inner_.accounts(); }
  Result<api::Receipt> create_account(const std::string& account,
                                      const api::Append& genesis) override {
    return inner_.create_account(account, genesis);
  }
  Result<void> put_join(const std::string& account, const RequestId& request,
                        api::JoinMessage which, BytesView message) override {
    if (lies_.ignore_join && lies_.ignore_join({request, which}, message)) return Ok{};
    return inner_.put_join(account, request, which, message);
  }
  Result<Bytes> get_join(const std::string& account, const RequestId& request,
                         api::JoinMessage which) override {
    auto message = inner_.get_join(account, request, which);
    if (lies_.join) lies_.join({request, which}, message);
    return message;
  }
  Result<api::Visitor::Admitted> get_admission(const std::string& account,
                                               const RequestId& request) override {
    auto admitted = inner_.get_admission(account, request);
    if (lies_.admission) lies_.admission(admitted);
    return admitted;
  }
  Result<api::Visitor::Capsule> find_capsule(const LocateId& locate) override {
    auto capsule = inner_.find_capsule(locate);
    if (lies_.capsule) lies_.capsule(capsule);
    return capsule;
  }
  Result<Bytes> get_log(const std::string& path) override {
    auto file = inner_.get_log(path);
    if (lies_.log_file) lies_.log_file(path, file);
    return file;
  }
  Result<Bytes> custodian_key(const CircleId& circle) override {
    auto key = inner_.custodian_key(circle);
    if (lies_.custodian) lies_.custodian(circle, key);
    return key;
  }

 protected:
  Base& inner_;
  const Lies& lies_;
};

class HostileStore final : public HostileVisitor<api::Store> {
 public:
  using HostileVisitor::HostileVisitor;
  Result<std::unique_ptr<api::Session>> open_account(const std::string& account,
                                                     const api::Caller& caller) override {
    auto session = TRY(inner_.open_account(account, caller));
    return std::unique_ptr<api::Session>(
        std::make_unique<HostileSession>(std::move(session), lies_));
  }
  Bytes tls_pin() const override { return inner_.tls_pin(); }
};

class HostileService final : public api::Service {
 public:
  HostileService(api::Service& inner, const Lies& lies)
      : inner_(inner), lies_(lies), visitor_(inner.visitor(), lies) {}

  api::Visitor& visitor() override { return visitor_; }
  Result<api::Receipt> sign_up(const std::string& account, const api::Append& genesis,
                               const std::string& invitation, const std::string& peer) override {
    return inner_.sign_up(account, genesis, invitation, peer);
  }
  Result<void> put_join(const std::string& account, const RequestId& request,
                        api::JoinMessage which, BytesView message,
                        const std::string& peer) override {
    if (lies_.ignore_join && lies_.ignore_join({request, which}, message)) return Ok{};
    return inner_.put_join(account, request, which, message, peer);
  }
  Result<std::unique_ptr<api::ServiceSession>> prove(const api::RequestProof& proof,
                                                     const api::RequestLine& line,
                                                     const std::string& address) override {
    auto session = TRY(inner_.prove(proof, line, address));
    return std::unique_ptr<api::ServiceSession>(
        std::make_unique<HostileSession>(std::move(session), lies_));
  }
  Result<api::StoredFile> open_log(const std::string& path) override {
    return inner_.open_log(path);
  }
  Result<Bytes> custodian_key(const CircleId& circle, const std::string& invitation,
                              const std::string& peer) override {
    auto key = inner_.custodian_key(circle, invitation, peer);
    if (lies_.custodian) lies_.custodian(circle, key);
    return key;
  }
  TimeMs now() override { return inner_.now(); }
  std::vector<std::pair<std::string, double>> gauges() override { return inner_.gauges(); }
  Result<void> ready() override { return inner_.ready(); }

 private:
  api::Service& inner_;
  const Lies& lies_;
  HostileVisitor<api::Visitor> visitor_;
};

}  // namespace holdfast::hostile
