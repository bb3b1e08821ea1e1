// What a provider may try against the level of an account, with its real keys and its real
// database. Each with real processes too: tools/hostile_levels.py, in the story of the hostile
// service. Elsewhere: who else holds a key (tests/journeys/level_test.cpp), releases and their gate
// (src/custody/help_test.cpp), openings (log_notices_test.cpp), policies (policy_test.cpp), what a
// kept key opens (reseal_test.cpp).
#include "circle/custody.h"
#include "crypto/hash.h"
#include "crypto/key_file.h"
#include "custody/custodian.h"
#include "hostile/attack_parts.h"
#include "journeys/log_scene.h"
#include "sql/sqlite.h"
#include "support/direct_service.h"
#include "support/file_tree.h"
#include "support/policies.h"
#include "support/test_token.h"
#include "vault/account_state.h"

namespace holdfast::hostile {
namespace {

// Before the scene in the line of bases: its constructor asks for the custodian.
struct RealCustodian {
  custody::TestToken token;
  std::unique_ptr<custody::Custodian> custodian;

  std::string data() const { return token.folder() + "/data"; }
  api::Custodian* start(const tlog::LogRoots& log, std::shared_ptr<const Clock> clock) {
    custodian = must(custody::Custodian::open({data(), token.place(), log}, std::move(clock)));
    return custodian.get();
  }
};

class ProviderAgainstLevel : protected RealCustodian, public PublicLog {
 protected:
  ProviderAgainstLevel()
      : PublicLog([this](const tlog::LogRoots& log, std::shared_ptr<const Clock> clock) {
          return RealCustodian::start(log, std::move(clock));
        }) {}

  crypto::Ed25519Key fleet() const {
    return crypto::Ed25519Key(must(crypto::load_or_make_key(data() + "/fleet.key")));
  }
  void raise() {
    must_do(account_->raise_level());
    step();
    ASSERT_FALSE(logged_->service->step_custody()->failed);
    step();
    must_do(account_->sync());
    ASSERT_TRUE(must(account_->custody()).former[0].receipt);
  }
  void stop_service() {
    account_.reset();
    store_.reset();
    logged_.reset();
  }
  void go_on() {
    begin("0");
    account_.emplace(must(vault::Account::open(home_, *store_, clock_)));
  }
  // The account as the service has it.
  std::unique_ptr<api::Session> session() {
    return must(store_->open_account("me", vault::caller(home_.device_key())));
  }
  // What the device is told ends it, or it is as it was.
  void expect_no_lowering(const std::string& what, const Bytes& shown) {
    Lies lies;
    lies.circle = [&](Honest&, std::uint64_t, Page& page) { page.push_back(shown); };
    const auto opened = open(lies);
    ASSERT_FALSE(opened.ok()) << what;
    EXPECT_TRUE(opened.error().code == Code::kUnsafe || opened.error().code == Code::kOutdated)
        << what << ": " << opened.error().message;
  }
};

// ---- statements ----

// Bodies that would make somebody a reader again, or the provider's key a member.
Bytes body_for(StatementType type, const Circle& circle, const crypto::Ed25519Key& fleet,
               const circle::EpochInfo& epoch) {
  const auto info =
      circle::sign_custodian(fleet, circle.id(), crypto::wrap_public_key(*ghost().wrap));
  switch (type) {
    case StatementType::kSetLevel: {
      circle::SetLevel body;
      body.level = circle::Level::kStandard;
      body.custodian = info;
      body.epoch = epoch;
      return wire::encode(body);
    }
    case StatementType::kPropose: {
      circle::Propose body;
      body.custodian = info;
      return wire::encode(body);
    }
    case StatementType::kComplete: return wire::encode(circle::Complete{1, Bytes(64), epoch});
    case StatementType::kAssist: return wire::encode(circle::Assist{ghost().info});
    case StatementType::kAdmit: {
      circle::Admit body;
      body.device = ghost().info;
      body.epoch = epoch;
      return wire::encode(body);
    }
    case StatementType::kRecover: {
      circle::Recover body;
      body.device = ghost().info;
      body.epoch = epoch;
      return wire::encode(body);
    }
    case StatementType::kSetRecovery:
      return wire::encode(circle::SetRecovery{testkit::make_recovery("ghost").info, {}, epoch});
    case StatementType::kRotate: return wire::encode(circle::Rotate{epoch});
    case StatementType::kSetRegion: return wire::encode(circle::SetRegion{"GB"});
    case StatementType::kCancel: return wire::encode(circle::Cancel{1});
    case StatementType::kGenesis: return wire::encode(testkit::genesis_body(ghost()));
    case StatementType::kRemove:
      return wire::encode(circle::Remove{{circle.members()[0]->id}, epoch});
    case StatementType::kSetVault:
      return wire::encode(circle::SetVault{testkit::vault_id("planted"), "planted", false, epoch});
    case StatementType::kPolicyAck: return wire::encode(circle::PolicyAck{1, circle.head()});
    case StatementType::kGrantWeb:  // reserved, as is the next
    case StatementType::kRevokeWeb: return {0x80};
  }
  std::abort();
}

// "There is no message by which the service lowers the level" (issue 5, point 4; the demand that
// Apple was made in 2025, as far as it is public). Every kind of statement there is, by every key
// that a provider has, in every name that it may sign in.
TEST_F(ProviderAgainstLevel, NoStatementThatItSignsLowersTheLevel) {
  raise();
  const auto honest = session();
  const Circle circle = circle_of(*honest);
  const crypto::Ed25519Key keeper = fleet();
  for (int type = 1; type <= static_cast<int>(StatementType::kLast); ++type) {
    circle::EpochInfo epoch = standing_epoch(*honest, circle, 5);
    ++epoch.epoch;
    const auto kind = static_cast<StatementType>(type);
    circle::Draft draft = next_draft(circle, kind, body_for(kind, circle, keeper, epoch));
    const std::string name = "type " + std::to_string(type);
    expect_no_lowering(name + ", by a key of its own",
                       wire::encode(circle::sign_statement(draft, *ghost().key)));
    expect_no_lowering(name + ", by its fleet as the person's device",
                       wire::encode(circle::sign_statement(draft, keeper)));
    expect_no_lowering(name + ", by the key of its policies",
                       wire::encode(circle::sign_statement(draft, testkit::policy_key())));
    draft.signer = circle.custodians()[0].id;
    expect_no_lowering(name + ", by its fleet as the custodian that was",
                       wire::encode(circle::sign_statement(draft, keeper)));
    draft.signer = ghost().id;
    expect_no_lowering(name + ", by a key of its own as itself",
                       wire::encode(circle::sign_statement(draft, *ghost().key)));
  }
  EXPECT_EQ(must(open({})).circle().level(), circle::Level::kAdvanced);
}

// Hofmann, Truong: End-to-End Encrypted Cloud Storage in the Wild, CCS 2024: what was signed once,
// shown again. The person's own statements, from when the level was another.
TEST_F(ProviderAgainstLevel, NothingThatThePersonEverSignedLowersItAgain) {
  raise();
  pass(8LL * 24 * 60 * 60);
  step();
  must_do(account_->sync());
  must_do(account_->lower_level(*paper_));
  step();
  raise();
  const Page all = must(home_.statements());
  ASSERT_GE(all.size(), 6u);
  for (std::size_t i = 0; i < all.size(); ++i)
    expect_no_lowering("statement " + std::to_string(i), all[i]);
  const auto honest = session();
  for (const char* const lie : {"level-replayed", "level-forged"}) {
    const auto opened = open(*attack(lie, 1));
    ASSERT_FALSE(opened.ok()) << lie;
    EXPECT_EQ(opened.error().code, Code::kUnsafe) << lie << ": " << opened.error().message;
  }
  const auto by_fleet = open(*attack("level-by-fleet:" + data() + "/fleet.key", 1));
  ASSERT_FALSE(by_fleet.ok());
  EXPECT_EQ(by_fleet.error().code, Code::kUnsafe) << by_fleet.error().message;
}

// Whoever comes with the recovery key alone has seen nothing: the signature tells.
TEST_F(ProviderAgainstLevel, RaisingIsNotShownAsLowering) {
  raise();
  const Lies lies = *attack("level-altered", 1);
  HostileStore lying(*store_, lies);
  vault::Home bare = new_home(folder_ / "bare");
  const auto recovered = vault::recover(bare, lying, clock_, *paper_, {"bare", {}});
  ASSERT_FALSE(recovered.ok());
  EXPECT_EQ(recovered.error().code, Code::kUnsafe) << recovered.error().message;
}

// ---- two custodians ----

// Backendal, Haller, Paterson: MEGA, S&P 2023: the server hands out keys. Here a second
// custodian's, with a token and a fleet of its own, for an account that trusts the first.
TEST_F(ProviderAgainstLevel, ASecondCustodianIsNobodysCustodian) {
  stop_service();
  custodian.reset();  // one at a time has the module of the token
  RealCustodian second;
  const auto log =
      must(wire::decode<tlog::LogRoots>(as_bytes(read(folder_ / "service/log/roots"))));
  custodian_ = second.start(log, time_);
  begin("0");
  vault::Home home = new_home(folder_ / "late");
  const auto made =
      vault::init(home, *store_, clock_, {"late", "late", "ZZ", circle::Level::kStandard});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, Code::kUnsafe) << made.error().message;
  account_.emplace(must(vault::Account::open(home_, *store_, clock_)));
  must_do(account_->raise_level());
  step();
  // It has no such key, so there is nothing that it could say it destroyed.
  EXPECT_TRUE(logged_->service->step_custody()->failed);
  must_do(account_->sync());
  EXPECT_FALSE(must(account_->custody()).former[0].receipt);
  account_.reset();
  store_.reset();
  logged_.reset();
}

// While one stands, no second one comes in, whoever signs; only the person's device could.
TEST_F(ProviderAgainstLevel, ASecondCustodianBesideTheFirstIsRefused) {
  const Circle& circle = account_->circle();
  const auto honest = session();
  circle::SetLevel body;
  body.level = circle::Level::kStandard;
  body.custodian =
      circle::sign_custodian(fleet(), circle.id(), crypto::wrap_public_key(*ghost().wrap));
  body.epoch = standing_epoch(*honest, circle, 7);
  ++body.epoch.epoch;
  const crypto::SigningKey member(crypto::derive<crypto::SigningPurpose>(home_.device_key()));
  expect_no_lowering(
      "beside the first",
      wire::encode(circle::sign_statement(
          next_draft(circle, StatementType::kSetLevel, wire::encode(body)), member)));
}

// ---- keys that were given out, batches and policies ----

// "A swapped custodian key": tests/journeys/level_test.cpp has the one that no fleet issued.
TEST_F(ProviderAgainstLevel, TheKeyOfAnotherAccountIsNoCustodian) {
  for (const char* const name : {"custodian-of-its-own", "custodian-of-another"}) {
    const Lies lies = *attack(name, 1);
    HostileStore lying(*store_, lies);
    vault::Home first = new_home(folder_ / (std::string("first-") + name));
    static_cast<void>(
        vault::init(first, lying, clock_, {"first", "one", "ZZ", circle::Level::kStandard}));
    vault::Home second = new_home(folder_ / (std::string("second-") + name));
    const auto made =
        vault::init(second, lying, clock_, {"second", "two", "ZZ", circle::Level::kStandard});
    ASSERT_FALSE(made.ok()) << name;
    EXPECT_EQ(made.error().code, Code::kUnsafe) << name << ": " << made.error().message;
    EXPECT_FALSE(second.is_member());
  }
}

// Melara and others: CONIKS, USENIX Security 2015: equivocation. In one person's log the policy is
// another one, and their position in a release batch is empty.
TEST_F(ProviderAgainstLevel, WhatOnlyOnePersonIsShownDoesNotFitTheLog) {
  must_do(logged_->service->log()->append_policy(
      any_policy(1, static_cast<std::uint64_t>(time_->now() / 1000), {})));
  step();
  expect_contradiction(*attack("policy-for-one", 1), "does not follow from what this device saw");
  pass(60);
  must_do(logged_->service->step_releases()->failed
              ? Result<void>(*logged_->service->step_releases()->failed)
              : Result<void>(Ok{}));
  step();
  expect_contradiction(*attack("batch-denied", 1), "at this account's position");
}

// A policy that counts at once is put where the log takes its entries from.
TEST_F(ProviderAgainstLevel, APolicyWithoutNoticeIsToldInRed) {
  const auto now = static_cast<std::uint64_t>(time_->now() / 1000);
  const Bytes first = any_policy(1, now, {});
  must_do(logged_->service->log()->append_policy(first));
  step();
  must_do(account_->sync());
  EXPECT_TRUE(account_->log_status()->alarms.empty());
  const Bytes second = any_policy(2, now + 60, first);
  {
    auto database = must(sql::Database::open(folder_ / "service/service.db"));
    auto row = must(database.prepare("INSERT INTO log_queue(leaf) VALUES(?)"));
    const Bytes leaf = wire::encode(tlog::PolicyLeaf{{}, 2, crypto::sha256(second), now + 60});
    must_do(row.bind(1, BytesView(leaf)));
    must_do(row.run());
  }
  step();
  Lies lies;
  lies.log_file = [&](const std::string& path, Result<Bytes>& file) {
    if (path == "policy/2") file = Bytes(second);
  };
  const auto shown = must(open(lies));
  ASSERT_TRUE(shown.log_status());
  ASSERT_EQ(shown.log_status()->alarms.size(), 1u);
  EXPECT_NE(shown.log_status()->alarms[0].find("without the seven days of notice"),
            std::string::npos)
      << shown.log_status()->alarms[0];
}

// ---- its own database ----

// One edit of the database that stands, towards the one from before.
struct Edit {
  std::string what;
  std::string sql;
};

std::vector<std::vector<std::string>> texts(sql::Database& db, const std::string& query,
                                            int columns) {
  std::vector<std::vector<std::string>> out;
  auto rows = must(db.prepare(query));
  while (must(rows.step())) {
    auto& row = out.emplace_back();
    for (int i = 0; i < columns; ++i) row.emplace_back(must(rows.column_text(i)));
  }
  return out;
}

// Each row that differs, put back or taken out; and each table as a whole.
std::vector<Edit> edits_towards(sql::Database& db) {
  std::vector<Edit> out;
  for (const auto& table : texts(db,
                                 "SELECT name FROM main.sqlite_master WHERE type = 'table' AND "
                                 "name NOT LIKE 'sqlite_%'",
                                 1)) {
    const std::string& name = table[0];
    std::string where;
    for (const auto& key :
         texts(db, "SELECT name FROM pragma_table_info('" + name + "') WHERE pk > 0", 1))
      where += (where.empty() ? "'" : " || ' AND ") + key[0] + " IS ' || quote(" + key[0] + ")";
    if (where.empty()) continue;
    const std::string now = "SELECT * FROM main." + name;
    const std::string then = "SELECT * FROM old." + name;
    const auto differing =
        texts(db,
              "SELECT DISTINCT " + where + " FROM (SELECT * FROM (" + now + " EXCEPT " + then +
                  ") UNION SELECT * FROM (" + then + " EXCEPT " + now + "))",
              1);
    for (const auto& row : differing)
      out.push_back({name + ": " + row[0], "DELETE FROM main." + name + " WHERE " + row[0] +
                                               "; INSERT INTO main." + name +
                                               " SELECT * FROM old." + name + " WHERE " + row[0]});
    if (!differing.empty())
      out.push_back({name + ", all of it",
                     "DELETE FROM main." + name + "; INSERT INTO main." + name + " " + then});
  }
  return out;
}

class ProviderEditsItsDatabase : public ProviderAgainstLevel {
 protected:
  // From "before", at the standard level, to "after".
  void SetUp() override {
    must_do(account_->sync());
    fs::copy(folder_ / "laptop", folder_ / "earlier", fs::copy_options::recursive);
    pin_ = store_->tls_pin();
    stop_service();
    fs::copy(folder_ / "service", folder_ / "before", fs::copy_options::recursive);
    go_on();
    raise();
    stop_service();
    fs::copy(folder_ / "service", folder_ / "after", fs::copy_options::recursive);
  }
  static sql::Database with_old(const std::string& path, const std::string& old) {
    auto db = must(sql::Database::open(path));
    must_do(db.execute("ATTACH '" + old + "' AS old"));
    return db;
  }
  Result<std::unique_ptr<server::Service>> open_service(const std::string& data) {
    server::ServiceOptions options;
    options.data = data;
    options.tls_pin = pin_;
    options.log = server::LogOptions{data + "/log", data + "/log.key", "log.example", roots_};
    options.log->policy_key = testkit::policy_public_key();
    options.custodian = custodian_;
    return server::Service::open(std::move(options), time_);
  }
  // What the device in that home makes of it: true where it is at the standard level and saw
  // nothing wrong.
  bool lowered(api::Store& store, const std::string& from, const std::string& at) {
    fs::copy(folder_ / from, at, fs::copy_options::recursive);
    vault::Home home = must(vault::Home::open(at));
    must_do(home.unlock({}));
    const auto opened = vault::Account::open(home, store, clock_);
    if (!opened.ok() || opened->contradiction() || !opened->log_withheld().empty()) return false;
    return opened->circle().level() != circle::Level::kAdvanced ||
           opened->circle().custodian() != nullptr || !opened->circle().vault_readers().empty();
  }

  Bytes pin_;
};

// "... or database edit": each row and each table of the service's database that changed when the
// level was raised, put back as it was. A device that saw it raised, and one that did not.
// Mazieres, Shasha: Building Secure File Systems out of Byzantine Storage, PODC 2002.
TEST_F(ProviderEditsItsDatabase, NoEditLowersTheLevel) {
  std::vector<Edit> edits;
  {
    auto db = with_old(folder_ / "after/service.db", folder_ / "before/service.db");
    edits = edits_towards(db);
  }
  ASSERT_GT(edits.size(), 20u);
  {
    // Asked of what stood before, the answer is another: the question can be failed.
    const testkit::TempDir place(testkit::Where::kMemory);
    fs::copy(folder_ / "before", place / "service", fs::copy_options::recursive);
    const auto service = must(open_service(place / "service"));
    testkit::DirectStore store(*service, pin_);
    EXPECT_TRUE(lowered(store, "earlier", place / "earlier"));
  }
  int refused = 0;
  for (const Edit& edit : edits) {
    const testkit::TempDir place(testkit::Where::kMemory);
    fs::copy(folder_ / "after", place / "service", fs::copy_options::recursive);
    {
      auto db = with_old(place / "service/service.db", folder_ / "before/service.db");
      must_do(db.execute(edit.sql));
    }
    const auto service = open_service(place / "service");
    if (!service.ok()) {
      ++refused;
      continue;
    }
    testkit::DirectStore store(**service, pin_);
    EXPECT_FALSE(lowered(store, "laptop", place / "laptop")) << edit.what;
    EXPECT_FALSE(lowered(store, "earlier", place / "earlier")) << edit.what;
  }
  EXPECT_LT(refused, static_cast<int>(edits.size()) / 2) << "most edits reach the devices";
}

}  // namespace
}  // namespace holdfast::hostile
