// The public log end to end: a service, a witness who audits, devices; and what a service may lie.
#include "net/client.h"
#include "net/http_server.h"
#include "net/routes.h"
#include "server/service.h"
#include "support/journey.h"
#include "vault/log_audit.h"
#include "witness/witness.h"

namespace holdfast {
namespace {

using Alter = std::function<void(api::LogView&)>;

// A member's session whose view of the log, and of the account, may be altered on the way.
struct Lies {
  Alter view;
  std::size_t hidden_statements = 0;
  bool hide_newest_record = false;
};

class LyingSession final : public api::Session {
 public:
  LyingSession(std::unique_ptr<api::Session> inner, const Lies& lies)
      : inner_(std::move(inner)), lies_(lies) {}
  Result<api::LogView> read_log(std::uint64_t from) override {
    auto view = inner_->read_log(from);
    if (view.ok() && lies_.view) lies_.view(*view);
    return view;
  }
  Result<std::vector<Bytes>> read_circle(std::uint64_t from) override {
    auto page = TRY(inner_->read_circle(from));
    page.resize(page.size() - std::min(page.size(), lies_.hidden_statements));
    return page;
  }
  Result<std::vector<Bytes>> read_records(const VaultId& vault, std::uint64_t from) override {
    auto page = TRY(inner_->read_records(vault, from));
    if (lies_.hide_newest_record && !page.empty()) page.pop_back();
    return page;
  }
  Result<api::Receipt> append(const api::Append& append) override { return inner_->append(append); }
  Result<Bytes> get_blob(const BlobId& blob) override { return inner_->get_blob(blob); }
  Result<std::vector<RequestId>> list_joins() override { return inner_->list_joins(); }
  Result<void> drop_join(const RequestId& request) override { return inner_->drop_join(request); }
  Result<api::Receipt> append_record(const VaultId& vault, BytesView record) override {
    return inner_->append_record(vault, record);
  }
  Result<void> put_pack(const PackId& pack, BytesView bytes) override {
    return inner_->put_pack(pack, bytes);
  }
  Result<Bytes> get_pack(const PackId& pack) override { return inner_->get_pack(pack); }
  Result<std::vector<bool>> have_packs(const std::vector<PackId>& packs) override {
    return inner_->have_packs(packs);
  }
  Result<api::Usage> usage() override { return inner_->usage(); }
  Result<api::Usage> delete_account() override { return inner_->delete_account(); }
  Result<api::Usage> keep_account() override { return inner_->keep_account(); }
  Result<std::vector<api::Connection>> connections() override { return inner_->connections(); }
  Result<std::uint64_t> wait_for_change(std::uint64_t seen, std::int64_t patience_ms) override {
    return inner_->wait_for_change(seen, patience_ms);
  }

 private:
  const std::unique_ptr<api::Session> inner_;
  const Lies& lies_;
};

class LyingStore final : public api::Store {
 public:
  LyingStore(api::Store& inner, const Lies& lies) : inner_(inner), lies_(lies) {}
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
  Result<Capsule> find_capsule(const LocateId& locate) override {
    return inner_.find_capsule(locate);
  }
  Result<Bytes> get_log(const std::string& path) override { return inner_.get_log(path); }
  Result<std::unique_ptr<api::Session>> open_account(const std::string& account,
                                                     const api::Caller& caller) override {
    auto session = TRY(inner_.open_account(account, caller));
    return std::unique_ptr<api::Session>(std::make_unique<LyingSession>(std::move(session), lies_));
  }
  Bytes tls_pin() const override { return inner_.tls_pin(); }

 private:
  api::Store& inner_;
  const Lies& lies_;
};

// A service with a log, on loopback; can be stopped, and begun again on another folder.
class LoggedService {
 public:
  LoggedService(const std::string& data, const tlog::LogRoots& roots, const std::string& port) {
    fs::create_directories(data);
    auto tls = must(net::ServerTls::load_or_make(data));
    server::ServiceOptions options;
    options.data = data;
    options.tls_pin = tls.pin();
    options.sign_up = server::SignUp::kOpen;
    options.log = server::LogOptions{data + "/log", data + "/log.key", "log.example", roots};
    const Bytes pin = tls.pin();
    service = must(server::Service::open(std::move(options), std::make_shared<SystemClock>()));
    routes_ = std::make_unique<net::Routes>(*service, pin);
    net::ServerOptions front;
    front.port = port;
    server_ = must(net::HttpServer::start(front, std::move(tls), *routes_, metrics_));
  }
  ~LoggedService() { server_->stop(); }
  std::unique_ptr<api::Store> store() {
    return net::open_service({"127.0.0.1", server_->port()}, server_->pin(), "");
  }
  std::string port() const { return server_->port(); }

  std::unique_ptr<server::Service> service;

 private:
  net::Metrics metrics_;
  std::unique_ptr<net::Routes> routes_;
  std::unique_ptr<net::HttpServer> server_;
};

class PublicLog : public ::testing::Test {
 protected:
  PublicLog() : home_(new_home(folder_ / "laptop")) {
    witness_ = must(
        witness::Witness::open({folder_ / "witness", "w1", {}}, std::make_shared<SystemClock>()));
    roots_.witnesses.push_back({"w1", witness_->key().key.bytes});
    roots_.auditors.push_back({"w1", witness_->auditor_key().bytes});
    roots_.quorum = 1;
    begin("0");
    witness_.reset();
    watch();
    write(folder_ / "data/a", "alpha");
    step();
    account_.emplace(must(vault::init(home_, *store_, clock_, {"me", "laptop", "ZZ"})).account);
    backup_id(*account_, folder_ / "data");
    step();
  }

  void begin(const std::string& port) {
    logged_.emplace(folder_ / "service", roots_, port);
    store_ = logged_->store();
  }
  void watch() {
    witness_.reset();
    witness_ = must(witness::Witness::open(
        {folder_ / "witness", "w1", {logged_->service->log()->trusted().log()}},
        std::make_shared<SystemClock>()));
  }

  // What the operator's program does, without the network between.
  void step() {
    show();
    must(logged_->service->step_log());
    show();
    server::PublicLog& log = *logged_->service->log();
    for (std::uint64_t n = 0;;) {
      const auto next = must(log.next_audit(n));
      if (!next) return;
      tlog::AuditBody body;
      body.checkpoint = must(log.shown_note());
      body.index = next->index;
      body.leaf = next->leaf;
      for (const Digest& hash : next->inclusion) body.inclusion.push_back(hash);
      body.delta = next->delta;
      const witness::Answer answer = witness_->audit(wire::encode(body));
      if (answer.status == 200) must_do(log.add_audit(answer.body));
      n = answer.status == 200 ? n + 1 : must(tlog::parse_size(as_text(answer.body)));
    }
  }
  void show() {
    server::PublicLog& log = *logged_->service->log();
    const auto due = log.due(60 * 60);
    if (!due) return;
    tlog::AddCheckpoint request;
    request.note = must(tlog::Note::parse(due->note));
    for (int attempt = 0; attempt < 2; ++attempt) {
      request.proof = must(log.consistency(request.old_size, due->head.size));
      const auto answer = witness_->add_checkpoint(as_bytes(request.format()));
      if (answer.status == 409) {
        request.old_size = must(tlog::parse_size(as_text(answer.body)));
        continue;
      }
      ASSERT_EQ(answer.status, 200u) << as_text(answer.body);
      must(log.cosign(*due, must(tlog::parse_signatures(as_text(answer.body)))));
      return;
    }
    FAIL() << "the witness has another log";
  }

  Result<vault::Account> open(const Lies& lies) {
    lying_.emplace(*store_, lies);
    return vault::Account::open(home_, *lying_, clock_);
  }
  void expect_refused(const Lies& lies, std::string_view words) {
    const auto opened = open(lies);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, Code::kUnsafe) << opened.error().message;
    EXPECT_NE(opened.error().message.find(words), std::string::npos) << opened.error().message;
  }

  // Of the one file that the device saved, by what stands in it alone.
  Result<std::string> judge_evidence() {
    for (const auto& entry : fs::directory_iterator(folder_ / "laptop/evidence")) {
      const std::string bytes = read(entry.path());
      const auto items = TRY(wire::decode<std::vector<Bytes>>(as_bytes(bytes)));
      const auto evidence = TRY(wire::decode<vault::Evidence>(items.at(0)));
      return vault::verify_evidence(evidence);
    }
    return Error{Code::kNotFound, "the device saved no evidence"};
  }

  Folder folder_;
  SystemClock clock_;
  vault::Home home_;
  tlog::LogRoots roots_;
  std::unique_ptr<witness::Witness> witness_;
  std::optional<LoggedService> logged_;
  std::unique_ptr<api::Store> store_;
  std::optional<LyingStore> lying_;
  std::optional<vault::Account> account_;
};

TEST_F(PublicLog, HasAllThatADeviceKnows) {
  must_do(account_->sync());
  const auto& status = *account_->log_status();
  EXPECT_TRUE(status.circle_included);
  EXPECT_TRUE(status.data_included);
  EXPECT_EQ(status.witnesses, 1u);
  EXPECT_EQ(status.audited, status.epoch);
  EXPECT_FALSE(status.stale());
}

TEST_F(PublicLog, PromisesWhatItHasNotYet) {
  must_do(account_->set_region("DE"));
  EXPECT_FALSE(account_->log_status()->circle_included);
  step();
  must_do(account_->sync());
  EXPECT_TRUE(account_->log_status()->circle_included);
}

TEST_F(PublicLog, IsWholeToAnyone) {
  const vault::ReadLogFile read = [&](const std::string& path) { return store_->get_log(path); };
  const auto roots = must(wire::decode<tlog::LogRoots>(must(store_->get_log("roots"))));
  const auto audit = must(vault::verify_log(read, roots));
  EXPECT_GE(audit.epochs, 1u);
  EXPECT_EQ(audit.witnesses, 1u);
  EXPECT_EQ(must(store_->get_log("checkpoint")), must(logged_->service->log()->shown_note()));
  EXPECT_EQ(store_->get_log("../service.db").error().code, Code::kNotFound);
}

TEST_F(PublicLog, AHiddenStatementIsSeenByADeviceThatNeverSawIt) {
  vault::Home desk_home = new_home(folder_ / "desk");
  vault::Join joining = must(vault::Join::start(desk_home, *store_, clock_, "me", "desk"));
  const std::string code = joining.code();
  std::thread other([&] { must(account_->approve(code, 60'000)); });
  vault::Account desk = must(joining.wait());
  other.join();
  step();
  must_do(desk.sync());
  must_do(account_->rotate());
  step();
  Lies lies;
  lies.hidden_statements = 1;
  lying_.emplace(*store_, lies);
  const auto opened = vault::Account::open(desk_home, *lying_, clock_);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kUnsafe);
  EXPECT_NE(opened.error().message.find("kept from this device"), std::string::npos)
      << opened.error().message;
}

TEST_F(PublicLog, AHiddenSnapshotIsSeenByADeviceThatNeverSawIt) {
  vault::Home desk_home = new_home(folder_ / "desk");
  vault::Join joining = must(vault::Join::start(desk_home, *store_, clock_, "me", "desk"));
  const std::string code = joining.code();
  std::thread other([&] { must(account_->approve(code, 60'000)); });
  vault::Account desk = must(joining.wait());
  other.join();
  write(folder_ / "data/b", "beta");
  backup_id(*account_, folder_ / "data");
  step();
  Lies lies;
  lies.hide_newest_record = true;
  lying_.emplace(*store_, lies);
  const auto opened = vault::Account::open(desk_home, *lying_, clock_);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kUnsafe) << opened.error().message;
}

TEST_F(PublicLog, AnOlderCheckpointIsARollback) {
  Lies lies;
  std::optional<api::LogView> before;
  lies.view = [&](api::LogView& view) { before = view; };
  must(open(lies));
  write(folder_ / "data/b", "beta");
  backup_id(*account_, folder_ / "data");
  step();
  must_do(account_->sync());
  lies.view = [&](api::LogView& view) { view = *before; };
  expect_refused(lies, "older state of its log");
}

TEST_F(PublicLog, ALogWithoutItsWitnessIsRefused) {
  Lies lies;
  lies.view = [](api::LogView& view) {
    std::string text(as_text(view.checkpoint));
    text.erase(text.find("\u2014 w1"));
    view.checkpoint = to_bytes(as_bytes(text));
  };
  expect_refused(lies, "");
}

TEST_F(PublicLog, ASeriesCutShortIsRefused) {
  Lies lies;
  lies.view = [](api::LogView& view) { --view.circle_next; };
  expect_refused(lies, "another history");
  lies.view = [](api::LogView& view) { --view.data_next; };
  expect_refused(lies, "other snapshots");
}

TEST_F(PublicLog, EveryBitOfTheProofsCounts) {
  Lies lies;
  for (const auto& field :
       {&api::LogView::circle_proof, &api::LogView::data_proof, &api::LogView::checkpoint}) {
    std::size_t size = 0;
    lies.view = [&](api::LogView& view) { size = (view.*field).size(); };
    must(open(lies));
    for (std::size_t at = 0; at < size; at += 7) {
      lies.view = [&](api::LogView& view) { (view.*field)[at] ^= 1; };
      EXPECT_FALSE(open(lies).ok()) << at;
    }
  }
}

// One key, two histories: the folder was copied, and both went on.
TEST_F(PublicLog, TwoTreesOfOneSizeAreEvidence) {
  logged_.reset();
  fs::copy(folder_ / "service", folder_ / "twin", fs::copy_options::recursive);
  fs::copy(folder_ / "witness", folder_ / "witness-twin", fs::copy_options::recursive);
  begin("0");
  watch();
  must_do(logged_->service->log()->queue(tlog::DeletionReceipt{{}, tlog::empty_root()}));
  step();
  account_.emplace(must(vault::Account::open(home_, *store_, clock_)));
  // The twin, with a witness who was fooled or lies, shows another tree of that size.
  logged_.reset();
  fs::rename(folder_ / "service", folder_ / "first");
  fs::rename(folder_ / "twin", folder_ / "service");
  witness_.reset();
  fs::rename(folder_ / "witness", folder_ / "witness-first");
  fs::rename(folder_ / "witness-twin", folder_ / "witness");
  begin("0");
  watch();
  must_do(logged_->service->log()->queue(tlog::DeletionReceipt{{}, Digest()}));
  step();
  const auto opened = vault::Account::open(home_, *store_, clock_);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kUnsafe);
  EXPECT_NE(opened.error().message.find("two trees of one size"), std::string::npos)
      << opened.error().message;
  EXPECT_NE(must(judge_evidence()).find("two histories"), std::string::npos);
}

}  // namespace
}  // namespace holdfast
