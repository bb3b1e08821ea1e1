// The public log end to end: a service, a witness who audits, devices; and what a service may lie.
#include "crypto/hash.h"
#include "net/client.h"
#include "net/http_server.h"
#include "net/routes.h"
#include "server/service.h"
#include "support/custodian.h"
#include "support/journey.h"
#include "tlog/notice.h"
#include "vault/log_audit.h"
#include "witness/witness.h"

namespace holdfast {
namespace {

using Alter = std::function<void(api::LogView&)>;

// A member's session whose view of the log, and of the account, may be altered on the way.
struct Lies {
  Alter view;
  std::function<void(std::vector<api::BatchView>&)> batches = {};
  std::function<void(api::Receipt&)> receipt = {};
  server::PublicLog* other_log = nullptr;  // shown in place of the service's own
  std::size_t hidden_statements = 0;
  bool hide_newest_record = false;
};

class LyingSession final : public api::Session {
 public:
  LyingSession(std::unique_ptr<api::Session> inner, const Lies& lies)
      : inner_(std::move(inner)), lies_(lies) {}
  Result<api::LogView> read_log(std::uint64_t from) override {
    auto view =
        lies_.other_log != nullptr ? lies_.other_log->view("me", from) : inner_->read_log(from);
    if (view.ok() && lies_.view) lies_.view(*view);
    return view;
  }
  Result<std::vector<api::BatchView>> read_batches(std::uint64_t from) override {
    auto page = inner_->read_batches(from);
    if (page.ok() && lies_.batches) lies_.batches(*page);
    return page;
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
  Result<api::Receipt> append(const api::Append& append) override {
    auto receipt = inner_->append(append);
    if (receipt.ok() && lies_.receipt) lies_.receipt(*receipt);
    return receipt;
  }
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
  Result<Bytes> get_log(const std::string& path) override {
    if (lies_.other_log == nullptr) return inner_.get_log(path);
    const auto file = TRY(lies_.other_log->open_file(path));
    return read_fd(file.file.get(), file.size);
  }
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

crypto::Ed25519Key policy_key() {
  return crypto::Ed25519Key(
      crypto::Key<crypto::Ed25519Purpose>::from_bytes(Bytes(32, std::uint8_t{50})));
}

Bytes any_policy(std::uint64_t version, std::uint64_t from_s, const Bytes& before) {
  tlog::Policy policy;
  policy.version = version;
  if (!before.empty()) policy.previous = crypto::sha256(before);
  policy.in_effect_from_s = from_s;
  policy.rules = to_bytes(as_bytes("rules " + std::to_string(version)));
  return tlog::sign_policy(policy_key(), policy);
}

// A service with a log, on loopback; can be stopped, and begun again on another folder.
class LoggedService {
 public:
  LoggedService(const std::string& data, const tlog::LogRoots& roots, const std::string& port,
                std::shared_ptr<const Clock> clock) {
    fs::create_directories(data);
    auto tls = must(net::ServerTls::load_or_make(data));
    server::ServiceOptions options;
    options.data = data;
    options.tls_pin = tls.pin();
    options.sign_up = server::SignUp::kOpen;
    options.log = server::LogOptions{data + "/log", data + "/log.key", "log.example", roots};
    options.log->policy_key = to_bytes(BytesView(policy_key().public_key().bytes));
    const Bytes pin = tls.pin();
    service = must(server::Service::open(std::move(options), std::move(clock)));
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
    witness_ = must(witness::Witness::open({folder_ / "witness", "w1", {}}, time_));
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
    logged_ = std::make_unique<LoggedService>(folder_ / "service", roots_, port, time_);
    store_ = logged_->store();
  }
  void watch() {
    witness_.reset();
    witness_ = must(witness::Witness::open(
        {folder_ / "witness", "w1", {logged_->service->log()->trusted().log()}}, time_));
  }

  // What the operator's program does, without the network between.
  void step() {
    show();
    must(logged_->service->step_log());
    pass(1);
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
  void pass(std::int64_t seconds) { time_->advance(seconds * 1000); }
  // Time goes by and witnesses sign; nothing new gets into the log.
  void wait_without_a_step(std::int64_t seconds) {
    pass(seconds);
    show();
  }
  void show() {
    server::PublicLog& log = *logged_->service->log();
    const auto due = log.due(10 * 60);
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
  const std::shared_ptr<ManualClock> time_ = std::make_shared<ManualClock>(SystemClock().now());
  const ManualClock& clock_ = *time_;
  vault::Home home_;
  tlog::LogRoots roots_;
  std::unique_ptr<witness::Witness> witness_;
  std::unique_ptr<LoggedService> logged_;
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

TEST_F(PublicLog, HasEveryKindOfEntryAndAnyoneChecksThemAll) {
  server::PublicLog& log = *logged_->service->log();
  const auto now = static_cast<std::uint64_t>(time_->now() / 1000);
  tlog::SoftwareRelease software;
  software.version = "1.0";
  software.platform = "linux";
  software.files.push_back({"holdfast", crypto::sha256(Bytes{1})});
  must_do(log.append_leaf(software));
  must_do(log.append_leaf(tlog::DeletionReceipt{{}, crypto::sha256(Bytes{2})}));
  must_do(log.append_leaf(tlog::CustodyKey{{}, {}, now + tlog::kNotice_s + 2 * server::kLead_s}));
  EXPECT_EQ(log.append_leaf(tlog::CustodyKey{{}, {}, now}).error().code, Code::kInvalid);
  EXPECT_EQ(log.append_leaf(tlog::MapEpoch{}).error().code, Code::kInvalid);
  EXPECT_EQ(log.append_leaf(tlog::PolicyLeaf{}).error().code, Code::kInvalid);
  EXPECT_EQ(log.append_leaf(tlog::ReleaseBatch{}).error().code, Code::kInvalid);
  must_do(log.append_policy(any_policy(1, now, {})));
  testkit::Custodian custodian(log);
  custodian.release({account_->circle().id()}, {}, 0);
  step();
  custodian.release({account_->circle().id()}, {}, 0);
  step();
  must_do(account_->sync());
  const vault::ReadLogFile read = [&](const std::string& path) { return store_->get_log(path); };
  const auto roots = must(wire::decode<tlog::LogRoots>(must(store_->get_log("roots"))));
  const auto audit = must(vault::verify_log(read, roots));
  EXPECT_EQ(audit.releases, 2u);
  EXPECT_EQ(audit.policies, 1u);
  EXPECT_EQ(audit.receipts, 1u);
  EXPECT_EQ(audit.custody_keys, 1u);
  ASSERT_NE(vault::find_release(audit, crypto::sha256(Bytes{1})), nullptr);
  EXPECT_EQ(vault::find_release(audit, crypto::sha256(Bytes{2})), nullptr);
  // Another policy in its place, or no sign of when something was logged.
  const auto without = [&](const std::string& hidden, const Bytes& instead) {
    return vault::verify_log(
        [&](const std::string& path) -> Result<Bytes> {
          if (!path.starts_with(hidden)) return store_->get_log(path);
          if (instead.empty()) return Error{Code::kNotFound, "hidden"};
          return instead;
        },
        roots);
  };
  EXPECT_EQ(without("policy/1", any_policy(1, now + 1, {})).error().code, Code::kUnsafe);
  EXPECT_EQ(without("notice/", {}).error().code, Code::kUnsafe);
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
  must_do(logged_->service->log()->append_leaf(tlog::DeletionReceipt{{}, tlog::empty_root()}));
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
  must_do(logged_->service->log()->append_leaf(tlog::DeletionReceipt{{}, Digest()}));
  step();
  const auto opened = vault::Account::open(home_, *store_, clock_);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kUnsafe);
  EXPECT_NE(opened.error().message.find("two trees of one size"), std::string::npos)
      << opened.error().message;
  EXPECT_NE(must(judge_evidence()).find("two histories"), std::string::npos);
}

// ---- promises ----

TEST_F(PublicLog, APromiseMustBeOfWhatWasSentAndForSoon) {
  Lies lies;
  auto mine = must(open(lies));
  const auto refused = [&](const std::function<void(api::Receipt&)>& lie, std::string_view words) {
    lies.receipt = lie;
    const auto done = mine.set_region("DE");
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Code::kUnsafe);
    EXPECT_NE(done.error().message.find(words), std::string::npos) << done.error().message;
    lies.receipt = {};
    mine = must(open(lies));
  };
  refused([](api::Receipt& receipt) { receipt.promise.reset(); }, "no promise");
  Bytes other;
  lies.receipt = [&](api::Receipt& receipt) { other = *receipt.promise; };
  must_do(mine.set_region("FR"));
  refused([&](api::Receipt& receipt) { receipt.promise = other; }, "something else");
  refused([](api::Receipt& receipt) { (*receipt.promise)[40] ^= 1; }, "");
  // Sixteen minutes behind, a device takes the promise for one of too late.
  lies.receipt = [&](api::Receipt&) { time_->advance(-16 * 60 * 1000); };
  const auto late = mine.set_region("IT");
  ASSERT_FALSE(late.ok());
  EXPECT_NE(late.error().message.find("later than in ten minutes"), std::string::npos);
}

TEST_F(PublicLog, AMissedPromiseIsEvidence) {
  must_do(account_->set_region("DE"));
  wait_without_a_step(9 * 60);
  must_do(account_->sync());
  wait_without_a_step(2 * 60 + 600);
  const auto synced = account_->sync();
  ASSERT_FALSE(synced.ok());
  EXPECT_EQ(synced.error().code, Code::kUnsafe);
  EXPECT_NE(synced.error().message.find("promised"), std::string::npos) << synced.error().message;
  EXPECT_NE(must(judge_evidence()).find("promised to have statement"), std::string::npos);
}

// ---- a new reader ----

TEST_F(PublicLog, ANewReaderOpensNothingBeforeTheLogHasIt) {
  vault::Home desk_home = new_home(folder_ / "desk");
  vault::Account desk = join(*account_, desk_home, *store_, clock_, "desk");
  archive::Findings findings;
  const auto early = desk.snapshots("main", findings);
  ASSERT_FALSE(early.ok());
  EXPECT_EQ(early.error().code, Code::kUnavailable);
  EXPECT_NE(early.error().message.find("does not show it yet"), std::string::npos);
  // A removal acts at once all the same.
  must_do(account_->remove_devices({"desk"}));
  EXPECT_EQ(desk.sync().error().code, Code::kDenied);
}

TEST_F(PublicLog, ANewReaderReadsOnceTheLogHasIt) {
  vault::Home desk_home = new_home(folder_ / "desk");
  vault::Account desk = join(*account_, desk_home, *store_, clock_, "desk");
  step();
  must_do(desk.sync());
  archive::Findings findings;
  EXPECT_EQ(must(desk.snapshots("main", findings)).size(), 1u);
}

// ---- release batches ----

TEST_F(PublicLog, ABatchThatReleasesNothingChangesNothing) {
  testkit::Custodian custodian(*logged_->service->log());
  const std::uint32_t epoch = account_->circle().epoch();
  custodian.release({account_->circle().id()}, {}, 0);
  step();
  custodian.open_all();
  must_do(account_->sync());
  EXPECT_EQ(account_->log_status()->batches, 1u);
  EXPECT_EQ(account_->log_status()->closed, 0u);
  EXPECT_TRUE(account_->log_status()->released.empty());
  EXPECT_EQ(account_->circle().epoch(), epoch);
}

TEST_F(PublicLog, AReleaseIsLoggedThenShownAndTheDeviceRotates) {
  testkit::Custodian custodian(*logged_->service->log());
  const std::uint32_t epoch = account_->circle().epoch();
  tlog::Release release;
  release.vault = account_->circle().vaults().at(0).id;
  release.epoch = epoch;
  custodian.release({account_->circle().id()}, {release}, 2);
  // The gate: nothing is done before the log has it, at quorum.
  EXPECT_FALSE(custodian.may_act(release, time_->now()));
  step();
  EXPECT_TRUE(custodian.may_act(release, time_->now()));
  must_do(account_->sync());
  EXPECT_EQ(account_->log_status()->closed, 1u);
  EXPECT_EQ(account_->circle().epoch(), epoch);
  pass(2 * 24 * 60 * 60);
  custodian.open_all();
  wait_without_a_step(1);
  must_do(account_->sync());
  EXPECT_EQ(account_->circle().epoch(), epoch + 1);
  step();
  must_do(account_->sync());
  ASSERT_EQ(account_->log_status()->released.size(), 1u);
  EXPECT_EQ(account_->log_status()->released[0].what, release);
  EXPECT_EQ(account_->log_status()->closed, 0u);
  EXPECT_EQ(account_->circle().epoch(), epoch + 1);
}

TEST_F(PublicLog, AnOpeningThatDoesNotComeIsRed) {
  testkit::Custodian custodian(*logged_->service->log());
  custodian.release({account_->circle().id()}, {}, 1);
  step();
  must_do(account_->sync());
  wait_without_a_step(2 * 24 * 60 * 60 - 60);
  must_do(account_->sync());
  EXPECT_TRUE(account_->log_status()->alarms.empty());
  wait_without_a_step(60 * 60);
  must_do(account_->sync());
  ASSERT_EQ(account_->log_status()->alarms.size(), 1u);
  EXPECT_NE(account_->log_status()->alarms[0].find("should have been opened"), std::string::npos);
}

TEST_F(PublicLog, AFalsePositionOrOpeningIsRefused) {
  testkit::Custodian custodian(*logged_->service->log());
  custodian.release({account_->circle().id()}, {}, 0);
  step();
  custodian.open_all();
  Lies lies;
  lies.batches = [](std::vector<api::BatchView>& page) {
    auto proof = *wire::decode<tlog::PositionProof>(page[0].position);
    proof.value.reset();
    page[0].position = wire::encode(proof);
  };
  expect_refused(lies, "at this account's position");
  lies.batches = [](std::vector<api::BatchView>& page) { page[0].opening->back() ^= 1; };
  expect_refused(lies, "");
  lies.batches = [](std::vector<api::BatchView>& page) { page.clear(); };
  EXPECT_EQ(open(lies).error().code, Code::kUnavailable);
  lies.batches = {};
  EXPECT_TRUE(open(lies).ok());
}

// ---- policies ----

TEST_F(PublicLog, APolicyIsShownAndGivesSevenDays) {
  server::PublicLog& log = *logged_->service->log();
  const auto now = static_cast<std::uint64_t>(time_->now() / 1000);
  const Bytes first = any_policy(1, now, {});
  const std::uint64_t next = now + tlog::kNotice_s + server::kLead_s + 60;
  must_do(log.append_policy(first));
  EXPECT_EQ(log.append_policy(any_policy(2, now + 60, first)).error().code, Code::kInvalid);
  EXPECT_EQ(log.append_policy(any_policy(3, next, first)).error().code, Code::kInvalid);
  must_do(log.append_policy(any_policy(2, next, first)));
  step();
  must_do(account_->sync());
  const auto* status = &*account_->log_status();
  EXPECT_TRUE(status->alarms.empty()) << status->alarms.at(0);
  ASSERT_EQ(status->policies.size(), 2u);
  EXPECT_TRUE(status->policies[0].in_effect);
  EXPECT_FALSE(status->policies[1].in_effect);
  EXPECT_EQ(as_text(status->policies[1].rules), "rules 2");
  wait_without_a_step(8 * 24 * 60 * 60);
  must_do(account_->sync());
  status = &*account_->log_status();
  ASSERT_EQ(status->policies.size(), 1u);
  EXPECT_EQ(status->policies[0].version, 2u);
  EXPECT_TRUE(status->alarms.empty());
  // A device that comes later sees by the first checkpoint that notice was given.
  vault::Home desk_home = new_home(folder_ / "desk");
  vault::Account desk = join(*account_, desk_home, *store_, clock_, "desk");
  EXPECT_EQ(desk.log_status()->policies.size(), 1u);
  EXPECT_TRUE(desk.log_status()->alarms.empty()) << desk.log_status()->alarms.at(0);
}

// ---- trust roots ----

TEST_F(PublicLog, OtherWitnessesCountSevenDaysAfterTheOldOnesSaidSo) {
  auto other = must(witness::Witness::open(
      {folder_ / "witness-2", "w2", {logged_->service->log()->trusted().log()}}, time_));
  tlog::LogRoots next_log = must(wire::decode<tlog::LogRoots>(must(store_->get_log("roots"))));
  circle::TrustRoots standing;
  standing.tls_pin = store_->tls_pin();
  standing.log = wire::encode(next_log);
  standing.policy_key = must(store_->get_log("policy-key"));
  next_log.witnesses = {};
  next_log.witnesses.push_back({"w2", other->key().key.bytes});
  next_log.auditors = {};
  tlog::TrustChange change;
  change.previous = crypto::sha256(wire::encode(standing));
  circle::TrustRoots next = standing;
  next.log = wire::encode(next_log);
  change.roots = wire::encode(next);
  const auto now = static_cast<std::uint64_t>(time_->now() / 1000);
  server::PublicLog& log = *logged_->service->log();
  change.in_effect_from_s = now + tlog::kNotice_s;
  EXPECT_EQ(log.append_leaf(change).error().code, Code::kInvalid);
  change.in_effect_from_s = now + tlog::kNotice_s + server::kLead_s + 60;
  must_do(log.append_leaf(change));
  step();
  must_do(account_->sync());
  EXPECT_EQ(account_->log_status()->trust_change_s, change.in_effect_from_s);

  // The new witnesses alone, before their time: refused; after it: followed.
  roots_ = next_log;
  witness_ = std::move(other);
  logged_.reset();
  begin("0");
  wait_without_a_step(60 * 60);
  Lies lies;
  expect_refused(lies, "cosigned by 0 witnesses");
  wait_without_a_step(8 * 24 * 60 * 60);
  account_.emplace(must(open(lies)));
  EXPECT_EQ(account_->log_status()->witnesses, 1u);
  must_do(account_->sync());
  // Whoever joins with the roots of the genesis follows the same way.
  vault::Home desk_home = new_home(folder_ / "desk");
  join(*account_, desk_home, *store_, clock_, "desk");
}

// ---- devices compare ----

// A log with two histories from one moment on, each with a witness who was fooled: one is shown to
// "desk", who makes a snapshot, the other to the laptop.
class TwoHistories : public PublicLog {
 protected:
  TwoHistories() : desk_home_(new_home(folder_ / "desk")) {
    join(*account_, desk_home_, *store_, clock_, "desk");
    step();
    must_do(account_->sync());
    logged_.reset();
    witness_.reset();
    for (const char* name : {"service", "witness"})
      fs::copy(folder_ / name, folder_ / (std::string(name) + "-2"), fs::copy_options::recursive);
    // Here is what the laptop sees.
    twin_ = std::make_unique<LoggedService>(folder_ / "service-2", roots_, "0", time_);
    twin_witness_ = must(witness::Witness::open(
        {folder_ / "witness-2", "w1", {twin_->service->log()->trusted().log()}}, time_));
    begin("0");
    watch();
    add(*logged_, 1);
    step();
    vault::Account desk = must(vault::Account::open(desk_home_, *store_, clock_));
    backup_id(desk, folder_ / "data");
    step();
    lies_.other_log = twin_->service->log();
  }
  static void add(LoggedService& service, std::uint8_t number) {
    must_do(service.service->log()->append_leaf(
        tlog::DeletionReceipt{{}, crypto::sha256(Bytes{number})}));
  }
  void grow_twin(std::uint8_t entries) {
    for (std::uint8_t i = 0; i < entries; ++i) {
      add(*twin_, static_cast<std::uint8_t>(100 + i));
      std::swap(logged_, twin_);
      std::swap(witness_, twin_witness_);
      step();
      std::swap(logged_, twin_);
      std::swap(witness_, twin_witness_);
    }
    lies_.other_log = twin_->service->log();
  }
  void expect_seen(std::string_view proven) {
    auto laptop = must(open(lies_));
    archive::Findings findings;
    const auto read = laptop.snapshots("main", findings);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code, Code::kUnsafe);
    EXPECT_NE(read.error().message.find("than it showed \"desk\""), std::string::npos)
        << read.error().message;
    const auto judged = judge_evidence();
    if (proven.empty()) return;
    ASSERT_TRUE(judged.ok()) << judged.error().message;
    EXPECT_NE(judged->find(proven), std::string::npos) << *judged;
  }

  vault::Home desk_home_;
  std::unique_ptr<LoggedService> twin_;
  std::unique_ptr<witness::Witness> twin_witness_;
  Lies lies_;
};

TEST_F(TwoHistories, OfOneSizeAreSeenByDevicesThatShareASnapshot) {
  grow_twin(1);
  expect_seen("two trees of");
}

TEST_F(TwoHistories, AreSeenWhereOneIsLonger) {
  grow_twin(3);
  expect_seen("begins with others");
}

TEST_F(TwoHistories, AreSeenWhereOneHasStopped) { expect_seen(""); }

TEST_F(TwoHistories, OneHistoryIsNone) {
  lies_.other_log = nullptr;
  auto laptop = must(open(lies_));
  archive::Findings findings;
  EXPECT_EQ(must(laptop.snapshots("main", findings)).size(), 2u);
}

}  // namespace
}  // namespace holdfast
