// A service as a store without the network between: each call is proven as over HTTPS. Test-only.
#pragma once

#include "server/service.h"

namespace holdfast::testkit {

class DirectSession final : public api::Session {
 public:
  DirectSession(server::Service& service, Bytes pin, std::string account, api::Caller caller)
      : service_(service),
        line_{std::move(pin), "POST", "/direct"},
        account_(std::move(account)),
        caller_(std::move(caller)) {}

  Result<std::vector<Bytes>> read_circle(std::uint64_t from) override {
    return TRY(enter())->read_circle(from);
  }
  Result<api::Receipt> append(const api::Append& append) override {
    return TRY(enter())->append(append);
  }
  Result<Bytes> get_blob(const BlobId& blob) override { return TRY(enter())->get_blob(blob); }
  Result<std::vector<RequestId>> list_joins() override { return TRY(enter())->list_joins(); }
  Result<void> drop_join(const RequestId& request) override {
    return TRY(enter())->drop_join(request);
  }
  Result<std::vector<Bytes>> read_records(const VaultId& vault, std::uint64_t from) override {
    return TRY(enter())->read_records(vault, from);
  }
  Result<std::vector<TimeMs>> received(const VaultId& vault, std::uint64_t from) override {
    return TRY(enter())->received(vault, from);
  }
  Result<api::Receipt> append_record(const VaultId& vault, BytesView record) override {
    return TRY(enter())->append_record(vault, record);
  }
  Result<void> put_pack(const PackId& pack, BytesView bytes) override {
    return TRY(enter())->put_pack(pack, bytes);
  }
  Result<Bytes> get_pack(const PackId& pack) override { return TRY(enter())->get_pack(pack); }
  Result<std::vector<bool>> have_packs(const std::vector<PackId>& packs) override {
    return TRY(enter())->have_packs(packs);
  }
  Result<api::Usage> usage() override { return TRY(enter())->usage(); }
  Result<api::Usage> delete_account() override { return TRY(enter())->delete_account(); }
  Result<api::Usage> keep_account() override { return TRY(enter())->keep_account(); }
  Result<std::vector<api::Connection>> connections() override {
    return TRY(enter())->connections();
  }
  Result<api::LogView> read_log(std::uint64_t from) override {
    return TRY(enter())->read_log(from);
  }
  Result<std::vector<api::BatchView>> read_batches(std::uint64_t from) override {
    return TRY(enter())->read_batches(from);
  }
  Result<Bytes> prove_age(std::uint64_t seq) override { return TRY(enter())->prove_age(seq); }
  Result<api::CustodyStatus> custody() override { return TRY(enter())->custody(); }
  Result<std::uint64_t> wait_for_change(std::uint64_t seen, std::int64_t patience_ms) override {
    return TRY(enter())->wait_for_change(seen, patience_ms);
  }

 private:
  Result<std::unique_ptr<api::ServiceSession>> enter() {
    api::RequestProof proof;
    proof.account = account_;
    proof.caller = caller_.id;
    proof.time_ms = service_.now();
    crypto::random_fill(proof.nonce.bytes);
    api::sign_request(proof, line_, *caller_.key);
    return service_.prove(proof, line_, "192.0.2.1");
  }

  server::Service& service_;
  const api::RequestLine line_;
  const std::string account_;
  const api::Caller caller_;
};

class DirectStore final : public api::Store {
 public:
  DirectStore(server::Service& service, Bytes pin) : service_(service), pin_(std::move(pin)) {}

  Result<std::vector<std::string>> accounts() override { return service_.visitor().accounts(); }
  Result<api::Receipt> create_account(const std::string& account,
                                      const api::Append& genesis) override {
    return service_.sign_up(account, genesis, "", "192.0.2.1");
  }
  Result<void> put_join(const std::string& account, const RequestId& request,
                        api::JoinMessage which, BytesView message) override {
    return service_.visitor().put_join(account, request, which, message);
  }
  Result<Bytes> get_join(const std::string& account, const RequestId& request,
                         api::JoinMessage which) override {
    return service_.visitor().get_join(account, request, which);
  }
  Result<Admitted> get_admission(const std::string& account, const RequestId& request) override {
    return service_.visitor().get_admission(account, request);
  }
  Result<Capsule> find_capsule(const LocateId& locate) override {
    return service_.visitor().find_capsule(locate);
  }
  Result<Bytes> get_log(const std::string& path) override {
    return service_.visitor().get_log(path);
  }
  Result<Bytes> custodian_key(const CircleId& circle) override {
    return service_.visitor().custodian_key(circle);
  }
  Result<std::unique_ptr<api::Session>> open_account(const std::string& account,
                                                     const api::Caller& caller) override {
    return std::unique_ptr<api::Session>(
        std::make_unique<DirectSession>(service_, pin_, account, caller));
  }
  Bytes tls_pin() const override { return pin_; }

 private:
  server::Service& service_;
  const Bytes pin_;
};

}  // namespace holdfast::testkit
