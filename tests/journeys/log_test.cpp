// The public log end to end: a service, a witness who audits, devices; and what a service may lie.
#include "crypto/hash.h"
#include "hostile/hostile_member.h"
#include "hostile/lies.h"
#include "net/client.h"
#include "net/http_server.h"
#include "net/routes.h"
#include "server/service.h"
#include "support/custodian.h"
#include "support/journey.h"
#include "tlog/notice.h"
#include "vault/account_state.h"
#include "vault/log_audit.h"
#include "witness/witness.h"

namespace holdfast {
namespace {

using hostile::HostileStore;
using hostile::Lies;

// What the service says of its log, altered on the way.
void alter_view(Lies& lies, std::function<void(api::LogView&)> alter) {
  lies.log = [alter = std::move(alter)](Lies::Honest&, std::uint64_t, Result<api::LogView>& view) {
    if (view.ok()) alter(*view);
  };
}
void hide_statement(Lies& lies) {
  lies.circle = [](Lies::Honest&, std::uint64_t, std::vector<Bytes>& page) {
    if (!page.empty()) page.pop_back();
  };
}
void hide_record(Lies& lies) {
  lies.records = [](Lies::Honest&, const VaultId&, std::uint64_t, std::vector<Bytes>& page) {
    if (!page.empty()) page.pop_back();
  };
}
// Another log in place of the service's own.
void show_log(Lies& lies, server::PublicLog& other) {
  lies.log = [&](Lies::Honest&, std::uint64_t from, Result<api::LogView>& view) {
    view = other.view("me", from);
  };
  lies.log_file = [&](const std::string& path, Result<Bytes>& bytes) {
    const auto file = other.open_file(path);
    bytes = file.ok() ? read_fd(file->file.get(), file->size) : Result<Bytes>(file.error());
  };
}

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
    auto begun = must(vault::init(home_, *store_, clock_, {"me", "laptop", "ZZ"}));
    paper_.emplace(std::move(begun.recovery));
    account_.emplace(std::move(begun.account));
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
    step_unaudited();
    audit();
  }
  void step_unaudited() {
    show();
    must(logged_->service->step_log());
    pass(1);
    show();
  }
  void audit() {
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
  // The account opens, and what contradicts is said and stays; then the person judges it.
  void expect_contradiction(const Lies& lies, std::string_view words) {
    const auto opened = open(lies);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    expect_stands(*opened, words);
    must_do(vault::judge_contradiction(home_, "as the operator said", clock_.now()));
  }
  static void expect_stands(const vault::Account& account, std::string_view words) {
    ASSERT_TRUE(account.contradiction());
    const std::string_view sentence = as_text(account.contradiction()->sentence);
    EXPECT_NE(sentence.find(words), std::string::npos) << sentence;
    EXPECT_FALSE(account.log_status());
  }
  template <class T>
  static void expect_stopped(const Result<T>& done) {
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Code::kUnsafe) << done.error().message;
    EXPECT_NE(done.error().message.find("contradicted itself"), std::string::npos)
        << done.error().message;
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
  std::optional<HostileStore> lying_;
  std::optional<keys::RecoveryKey> paper_;
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
  hide_statement(lies);
  lying_.emplace(*store_, lies);
  expect_stands(must(vault::Account::open(desk_home, *lying_, clock_)), "kept from this device");
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
  hide_record(lies);
  lying_.emplace(*store_, lies);
  expect_stands(must(vault::Account::open(desk_home, *lying_, clock_)), "newer snapshots");
}

TEST_F(PublicLog, AnOlderCheckpointIsARollback) {
  Lies lies;
  std::optional<api::LogView> before;
  alter_view(lies, [&](api::LogView& view) { before = view; });
  must(open(lies));
  write(folder_ / "data/b", "beta");
  backup_id(*account_, folder_ / "data");
  step();
  must_do(account_->sync());
  alter_view(lies, [&](api::LogView& view) { view = *before; });
  expect_contradiction(lies, "older state of its log");
}

TEST_F(PublicLog, ALogWithoutItsWitnessIsRefused) {
  Lies lies;
  alter_view(lies, [](api::LogView& view) {
    std::string text(as_text(view.checkpoint));
    text.erase(text.find("\u2014 w1"));
    view.checkpoint = to_bytes(as_bytes(text));
  });
  expect_contradiction(lies, "");
}

TEST_F(PublicLog, ASeriesCutShortIsRefused) {
  Lies lies;
  alter_view(lies, [](api::LogView& view) { --view.circle_next; });
  expect_contradiction(lies, "another history");
  alter_view(lies, [](api::LogView& view) { --view.data_next; });
  expect_contradiction(lies, "other snapshots");
}

TEST_F(PublicLog, EveryBitOfTheProofsCounts) {
  Lies lies;
  for (const auto& field :
       {&api::LogView::circle_proof, &api::LogView::data_proof, &api::LogView::checkpoint}) {
    std::size_t size = 0;
    alter_view(lies, [&](api::LogView& view) { size = (view.*field).size(); });
    must(open(lies));
    for (std::size_t at = 0; at < size; at += 7) {
      alter_view(lies, [&](api::LogView& view) { (view.*field)[at] ^= 1; });
      const auto opened = open(lies);
      if (!opened.ok()) continue;
      ASSERT_TRUE(opened->contradiction()) << at;
      must_do(vault::judge_contradiction(home_, "", clock_.now()));
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
  auto opened = must(vault::Account::open(home_, *store_, clock_));
  expect_stands(opened, "two trees of one size");
  EXPECT_NE(must(judge_evidence()).find("two histories"), std::string::npos);
  // The person may go on with the log as it is now: it agrees with what the device knows.
  const std::uint64_t known = opened.circle().seq();
  must_do(opened.accept_contradiction("the operator restored a copy, and says so in the paper"));
  EXPECT_FALSE(opened.contradiction());
  EXPECT_TRUE(opened.log_status()->circle_included);
  EXPECT_EQ(opened.circle().seq(), known);
  EXPECT_TRUE(fs::exists(folder_ / "laptop/evidence"));
  EXPECT_EQ(must(opened.contradictions()).back().judged_ms, clock_.now());
}

// ---- what lags ----

TEST_F(PublicLog, AnAuditorThatLagsIsSaidAndStopsNothing) {
  must_do(account_->set_region("DE"));
  step_unaudited();
  must_do(account_->sync());
  EXPECT_TRUE(account_->log_status()->circle_included);
  EXPECT_EQ(account_->log_status()->audited + 1, account_->log_status()->epoch);
  audit();
  must_do(account_->sync());
  EXPECT_EQ(account_->log_status()->audited, account_->log_status()->epoch);
  // Nobody's word is not an auditor's.
  Lies lies;
  alter_view(lies, [](api::LogView& view) { view.audit.reset(); });
  EXPECT_EQ(must(open(lies)).log_status()->audited, 0u);
  alter_view(lies, [](api::LogView& view) { view.audit->back() ^= 1; });
  expect_contradiction(lies, "");
}

TEST_F(PublicLog, ALogThatNobodySignsStopsApprovalsAfterThreeDaysAndBackupsNever) {
  pass(25 * 60 * 60);
  must_do(account_->sync());
  EXPECT_TRUE(account_->log_status()->stale());
  backup_id(*account_, folder_ / "data");
  vault::Home desk_home = new_home(folder_ / "desk");
  join(*account_, desk_home, *store_, clock_, "desk");
  pass(48 * 60 * 60);
  must_do(account_->sync());
  backup_id(*account_, folder_ / "data");
  EXPECT_FALSE(account_->contradiction());
  vault::Home phone_home = new_home(folder_ / "phone");
  const auto asking = must(vault::Join::start(phone_home, *store_, clock_, "me", "phone"));
  const auto approved = account_->approve(asking.code(), 0);
  ASSERT_FALSE(approved.ok());
  EXPECT_EQ(approved.error().code, Code::kUnavailable) << approved.error().message;
  EXPECT_NE(approved.error().message.find("more than three days old"), std::string::npos);
}

TEST_F(PublicLog, AStatementThatDoesNotReplayEndsTheSyncAndIsNotPinned) {
  const circle::Circle& circle = account_->circle();
  const std::uint64_t seq = circle.seq() + 1;
  const circle::Draft statement{circle.id(),
                                seq,
                                circle.head(),
                                clock_.now(),
                                circle::StatementType::kSetRegion,
                                account_->self().id,
                                wire::encode(circle::SetRegion{"FR"})};
  const Bytes forged = wire::encode(circle::sign_statement(
      statement, crypto::SigningKey(crypto::Key<crypto::SigningPurpose>::random())));
  Lies lies;
  lies.circle = [&](Lies::Honest&, std::uint64_t, std::vector<Bytes>& page) {
    page.push_back(forged);
  };
  const auto opened = open(lies);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kUnsafe);
  EXPECT_NE(opened.error().message.find("signature is wrong"), std::string::npos)
      << opened.error().message;
  EXPECT_EQ(must(home_.statements()).size(), seq);
  must_do(account_->sync());
  EXPECT_FALSE(account_->contradiction());
}

// ---- promises ----

TEST_F(PublicLog, APromiseMustBeOfWhatWasSentAndForSoon) {
  Lies lies;
  auto mine = must(open(lies));
  const auto refused = [&](const std::function<void(Result<api::Receipt>&)>& lie,
                           std::string_view words) {
    lies.receipt = lie;
    const auto done = mine.set_region("DE");
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Code::kUnsafe);
    EXPECT_NE(done.error().message.find(words), std::string::npos) << done.error().message;
    lies.receipt = {};
    must_do(vault::judge_contradiction(home_, "", clock_.now()));
    mine = must(open(lies));
  };
  refused([](Result<api::Receipt>& receipt) { receipt->promise.reset(); }, "no promise");
  Bytes other;
  lies.receipt = [&](Result<api::Receipt>& receipt) { other = *receipt->promise; };
  must_do(mine.set_region("FR"));
  refused([&](Result<api::Receipt>& receipt) { receipt->promise = other; }, "something else");
  refused([](Result<api::Receipt>& receipt) { (*receipt->promise)[40] ^= 1; }, "");
  // Sixteen minutes behind, a device takes the promise for one of too late.
  lies.receipt = [&](Result<api::Receipt>&) { time_->advance(-16 * 60 * 1000); };
  const auto late = mine.set_region("IT");
  ASSERT_FALSE(late.ok());
  EXPECT_NE(late.error().message.find("later than in ten minutes"), std::string::npos);
}

TEST_F(PublicLog, AMissedPromiseIsEvidence) {
  must_do(account_->set_region("DE"));
  wait_without_a_step(9 * 60);
  must_do(account_->sync());
  wait_without_a_step(2 * 60 + 600);
  must_do(account_->sync());
  expect_stands(*account_, "promised");
  const std::string judged = must(judge_evidence());
  EXPECT_NE(judged.find("promised to have statement"), std::string::npos);
  EXPECT_NE(judged.find("is the newest in the tree"), std::string::npos) << judged;
}

TEST_F(PublicLog, ARecordIsPromisedAndAKeptPromiseIsForgotten) {
  backup_id(*account_, folder_ / "data");
  EXPECT_FALSE(account_->log_status()->data_included);
  step();
  must_do(account_->sync());
  EXPECT_TRUE(account_->log_status()->data_included);
  wait_without_a_step(60 * 60);
  must_do(account_->sync());
  EXPECT_FALSE(account_->contradiction());
}

TEST_F(PublicLog, APromiseOfARecordMustBeOfThatRecord) {
  Lies lies;
  auto mine = must(open(lies));
  Bytes other;
  lies.receipt = [&](Result<api::Receipt>& receipt) { other = *receipt->promise; };
  backup_id(mine, folder_ / "data");
  const auto refused = [&](const std::function<void(api::Receipt&)>& lie, std::string_view words) {
    lies.receipt = [&](Result<api::Receipt>& receipt) { lie(*receipt); };
    archive::Progress progress;
    vault::Account::BackupOptions options;
    options.walk.roots = {folder_ / "data"};
    expect_stopped(mine.backup(options, progress));
    expect_stands(mine, words);
    must_do(vault::judge_contradiction(home_, "", clock_.now()));
    lies.receipt = {};
    must_do(mine.sync());
  };
  refused([](api::Receipt& receipt) { receipt.promise.reset(); }, "no promise");
  refused([&](api::Receipt& receipt) { receipt.promise = other; }, "something else");
  refused([](api::Receipt& receipt) { (*receipt.promise)[40] ^= 1; }, "not signed by the log");
}

// The log goes on with the account's statements, and leaves out its newest record.
TEST_F(PublicLog, AMissedPromiseOfARecordIsEvidence) {
  backup_id(*account_, folder_ / "data");
  wait_without_a_step(9 * 60);
  must_do(account_->sync());
  EXPECT_FALSE(account_->contradiction());
  wait_without_a_step(2 * 60 + 600);
  must_do(account_->sync());
  expect_stands(*account_, "promised to have record 2");
  const std::string judged = must(judge_evidence());
  EXPECT_NE(judged.find("are from before that record"), std::string::npos) << judged;
  EXPECT_NE(judged.find("is the newest in the tree"), std::string::npos) << judged;
}

// An honest service whose witness is away for long: what was promised meanwhile is in the step
// after the one that waited, and nobody is shown that one in between.
TEST_F(PublicLog, AWitnessThatWasAwayMakesNoMissedPromise) {
  must_do(account_->set_region("DE"));
  must(logged_->service->step_log());
  backup_id(*account_, folder_ / "data");
  pass(30 * 60);
  show();
  const auto early = account_->sync();
  ASSERT_FALSE(early.ok());
  EXPECT_EQ(early.error().code, Code::kUnavailable) << early.error().message;
  step();
  must_do(account_->sync());
  EXPECT_FALSE(account_->contradiction());
  EXPECT_TRUE(account_->log_status()->data_included);
}

// ---- a contradiction, and after it ----

class Contradicted : public PublicLog {
 protected:
  // A lie of one moment.
  vault::Account contradicted() {
    alter_view(lies_, [](api::LogView& view) { --view.circle_next; });
    must(open(lies_));
    lies_ = {};
    auto account = must(open(lies_));
    expect_stands(account, "another history");
    return account;
  }
  Lies lies_;
};

TEST_F(Contradicted, OutlivesTheLieAndStopsWhatIsSent) {
  auto account = contradicted();
  archive::Progress progress;
  vault::Account::BackupOptions options;
  options.walk.roots = {folder_ / "data"};
  expect_stopped(account.backup(options, progress));
  expect_stopped(account.approve("0000-0000-0000-0000", 0));
  expect_stopped(account.rotate());
  expect_stopped(account.create_vault("photos", false));
  expect_stopped(account.set_always_e2e("main"));
  expect_stopped(account.set_region("DE"));
  const auto key = keys::RecoveryKey::random();
  expect_stopped(account.set_recovery(key, &*paper_));
  expect_stopped(account.propose_recovery(key));
  expect_stopped(vault::resend(home_, *store_));
}

TEST_F(Contradicted, DoesNotStopReading) {
  auto account = contradicted();
  archive::Findings findings;
  EXPECT_EQ(must(account.snapshots("main", findings)).size(), 1u);
  restore_to(account, folder_ / "data", folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/a"), "alpha");
  archive::Progress progress;
  EXPECT_TRUE(must(account.check("main", 100, progress)).findings.problems.empty());
}

TEST_F(Contradicted, DoesNotKeepAThiefIn) {
  vault::Home desk_home = new_home(folder_ / "desk");
  join(*account_, desk_home, *store_, clock_, "desk");
  step();
  auto account = contradicted();
  must_do(account.remove_devices({"desk"}));
  EXPECT_EQ(account.circle().member_named("desk"), nullptr);
  expect_stands(account, "another history");
}

// The service deletes what was dropped, after its grace time: undoing that cannot wait.
TEST_F(Contradicted, DoesNotKeepAThiefsForgettingFromBeingUndone) {
  vault::Home desk_home = new_home(folder_ / "desk");
  join(*account_, desk_home, *store_, clock_, "desk");
  step();
  hostile::HostileMember(desk_home, *store_, clock_).forget_everything();
  step();
  auto account = contradicted();
  archive::Findings findings;
  EXPECT_TRUE(must(account.snapshots("main", findings)).empty());
  EXPECT_EQ(must(account.undo("main", 2)).snapshots, 1u);
  EXPECT_EQ(must(account.snapshots("main", findings)).size(), 1u);
  expect_stands(account, "another history");
}

TEST_F(Contradicted, OpensNothingForANewReader) {
  vault::Home desk_home = new_home(folder_ / "desk");
  join(*account_, desk_home, *store_, clock_, "desk");
  alter_view(lies_, [](api::LogView& view) { --view.circle_next; });
  lying_.emplace(*store_, lies_);
  must(vault::Account::open(desk_home, *lying_, clock_));
  step();
  auto desk = must(vault::Account::open(desk_home, *store_, clock_));
  expect_stands(desk, "another history");
  archive::Findings findings;
  EXPECT_EQ(desk.snapshots("main", findings).error().code, Code::kUnavailable);
  must_do(desk.accept_contradiction("a bug, says the operator"));
  EXPECT_EQ(must(desk.snapshots("main", findings)).size(), 1u);
}

TEST_F(Contradicted, IsOverOnceThePersonSaysSo) {
  auto account = contradicted();
  must_do(account.accept_contradiction("a bug, says the operator"));
  backup_id(account, folder_ / "data");
  EXPECT_EQ(account.accept_contradiction("again").error().code, Code::kNotFound);
  const auto all = must(account.contradictions());
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(as_text(all[0].reason), "a bug, says the operator");
}

// What the log has of the account is no matter of trust.
TEST_F(Contradicted, StaysWhereTheLogHasAnotherAccount) {
  auto account = contradicted();
  alter_view(lies_, [](api::LogView& view) { --view.circle_next; });
  EXPECT_EQ(account.accept_contradiction("whatever").error().code, Code::kUnsafe);
  expect_stands(account, "another history");
  lies_ = {};
  must_do(account.accept_contradiction("a bug, says the operator"));
  // What the device knew of the log from before is still there.
  EXPECT_TRUE(account.log_status()->circle_included);
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
  expect_contradiction(lies, "at this account's position");
  lies.batches = [](std::vector<api::BatchView>& page) { page[0].opening->back() ^= 1; };
  expect_contradiction(lies, "");
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
  expect_contradiction(lies, "cosigned by 0 witnesses");
  wait_without_a_step(8 * 24 * 60 * 60);
  account_.emplace(must(open(lies)));
  EXPECT_EQ(account_->log_status()->witnesses, 1u);
  must_do(account_->sync());
  // Whoever joins with the roots of the genesis follows the same way.
  vault::Home desk_home = new_home(folder_ / "desk");
  join(*account_, desk_home, *store_, clock_, "desk");
}

// ---- the recovery key ----

// Nothing of the account is changed, and no key of it opened, before the log was asked.
class RecoveryKey : public PublicLog {
 protected:
  Result<vault::Account> recover(Lies lies) {
    lies.blob = [this](Lies::Honest&, const BlobId&, Bytes&) { ++keys_read_; };
    lying_.emplace(*store_, lies_ = std::move(lies));
    bare_.reset();
    bare_.emplace(new_home(folder_ / "bare"));
    return vault::recover(*bare_, *lying_, clock_, *paper_, {"bare", {}});
  }
  void expect_nothing_done(Lies lies, Code code, std::string_view words) {
    const std::uint64_t before = account_->circle().seq();
    const auto recovered = recover(std::move(lies));
    ASSERT_FALSE(recovered.ok());
    EXPECT_EQ(recovered.error().code, code) << recovered.error().message;
    EXPECT_NE(recovered.error().message.find(words), std::string::npos)
        << recovered.error().message;
    EXPECT_EQ(keys_read_, 0);
    EXPECT_FALSE(bare_->is_member());
    EXPECT_EQ(fs::exists(folder_ / "bare/evidence"), code == Code::kUnsafe);
    const auto session = must(store_->open_account("me", vault::caller(home_.device_key())));
    EXPECT_EQ(must(session->read_circle(0)).size(), before + 1);
  }

  Lies lies_;
  std::optional<vault::Home> bare_;
  int keys_read_ = 0;
};

TEST_F(RecoveryKey, BringsBackWhatTheLogShows) {
  lying_.emplace(*store_, lies_);
  bare_.emplace(new_home(folder_ / "bare"));
  auto recovery = must(vault::Recovery::find(*bare_, *lying_, clock_, *paper_));
  EXPECT_TRUE(recovery.shown().witnessed());
  EXPECT_TRUE(recovery.shown().log->circle_included);
  EXPECT_EQ(recovery.shown().record_ms, account_->newest_snapshot_ms());
  auto bare = must(recovery.finish({"bare", {}}));
  EXPECT_EQ(account_->sync().error().code, Code::kDenied);
  step();
  must_do(bare.sync());
  EXPECT_TRUE(bare.log_status()->circle_included);
}

TEST_F(RecoveryKey, RefusesAnAccountOfBefore) {
  must_do(account_->set_region("DE"));
  step();
  hide_statement(lies_);
  expect_nothing_done(lies_, Code::kUnsafe, "the service does not show it");
}

TEST_F(RecoveryKey, RefusesAForkOfTheAccount) {
  const circle::Circle& circle = account_->circle();
  const std::uint64_t seq = circle.seq() + 1;
  const Bytes other = wire::encode(circle::sign_statement(
      {circle.id(), seq, circle.head(), clock_.now(), circle::StatementType::kSetRegion,
       account_->self().id, wire::encode(circle::SetRegion{"FR"})},
      vault::signing_key(home_.device_key())));
  must_do(account_->set_region("DE"));
  step();
  lies_.circle = [&](Lies::Honest&, std::uint64_t from, std::vector<Bytes>& page) {
    if (from <= seq && seq < from + page.size()) page[seq - from] = other;
  };
  expect_nothing_done(lies_, Code::kUnsafe, "another history of this account's circle");
}

TEST_F(RecoveryKey, RefusesAVaultOfBefore) {
  hide_record(lies_);
  expect_nothing_done(lies_, Code::kUnsafe, "newer snapshots of the vault");
}

TEST_F(RecoveryKey, RefusesAnAccountWhoseLogIsDenied) {
  lies_.log = [](Lies::Honest&, std::uint64_t, Result<api::LogView>& view) {
    view = api::no_log();
  };
  const auto recovered = recover(lies_);
  ASSERT_FALSE(recovered.ok());
  EXPECT_EQ(recovered.error().code, Code::kUnsafe);
  EXPECT_EQ(keys_read_, 0);
}

TEST_F(RecoveryKey, WaitsWhereNobodyHasSignedTheLogForThreeDays) {
  pass(49 * 60 * 60);
  lying_.emplace(*store_, lies_);
  {
    vault::Home home = new_home(folder_ / "two-days");
    EXPECT_TRUE(must(vault::Recovery::find(home, *lying_, clock_, *paper_)).shown().log->stale());
  }
  pass(24 * 60 * 60);
  expect_nothing_done(lies_, Code::kUnavailable, "more than three days old");
  wait_without_a_step(1);
  must(recover({}));
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
    show_log(lies_, *twin_->service->log());
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
    show_log(lies_, *twin_->service->log());
  }
  void expect_seen(std::string_view proven) {
    auto laptop = must(open(lies_));
    expect_stands(laptop, "than it showed \"desk\"");
    archive::Findings findings;
    EXPECT_EQ(must(laptop.snapshots("main", findings)).size(), 2u);
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
  lies_ = {};
  EXPECT_FALSE(must(open(lies_)).contradiction());
}

TEST_F(TwoHistories, AreNotComparedAgainOnceThePersonHasJudged) {
  grow_twin(1);
  auto laptop = must(open(lies_));
  must_do(laptop.accept_contradiction("two machines, says the operator"));
  must_do(laptop.sync());
  EXPECT_FALSE(laptop.contradiction());
}

TEST_F(TwoHistories, ASyncReadsNoIndexAndOnceOnly) {
  lies_ = {};
  std::vector<PackId> packs;
  int keys = 0;
  lies_.pack = [&](Lies::Honest&, const PackId& pack, Bytes&) { packs.push_back(pack); };
  lies_.blob = [&](Lies::Honest&, const BlobId&, Bytes&) { ++keys; };
  fs::remove_all(folder_ / "laptop/cache");
  fs::create_directory(folder_ / "laptop/cache");
  auto laptop = must(open(lies_));
  const VaultId vault = laptop.circle().vaults().at(0).id;
  const auto session = must(store_->open_account("me", vault::caller(home_.device_key())));
  const auto outer =
      must(wire::decode<circle::SignedRecord>(must(session->read_records(vault, 2)).at(0)));
  const auto record = must(wire::decode<circle::Record>(outer.record));
  std::vector<PackId> wanted;
  for (const auto& segment : record.key_segments) wanted.push_back(segment.object);
  wanted.push_back(*record.snapshot);
  EXPECT_EQ(packs, wanted);
  packs.clear();
  keys = 0;
  must_do(laptop.sync());
  must(open(lies_));
  EXPECT_TRUE(packs.empty());
  EXPECT_EQ(keys, 0);
}

}  // namespace
}  // namespace holdfast
