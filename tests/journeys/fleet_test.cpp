// Whose custodian it is: the provider's fleet key signs it, and changes only as trust roots do. And
// one that a thief's device takes in, with a service that helps the thief.
#include "log_scene.h"
#include "sql/sqlite.h"
#include "support/circle_maker.h"
#include "vault/account_state.h"
#include "vault/ages.h"

namespace holdfast {
namespace {

constexpr std::int64_t kFleetDay_s = 24 * 60 * 60;

// Issues keys by its fleet key, and destroys none.
class FleetCustodian final : public api::Custodian {
 public:
  explicit FleetCustodian(std::string name) : name_(name), key_(testkit::make_fleet(name)) {}
  Bytes key() const { return to_bytes(key_.public_key().bytes); }
  Result<Bytes> fleet_key() override { return key(); }
  circle::CustodianInfo info(const CircleId& circle) const {
    const auto wrap = testkit::make_signer(name_ + circle.hex()).wrap;
    return circle::sign_custodian(key_, circle, crypto::wrap_public_key(*wrap));
  }
  Result<Bytes> issue(const CircleId& circle) override { return wire::encode(info(circle)); }
  Result<void> keep(const CircleId&, const ReaderId&, BytesView) override { return Ok{}; }
  Result<api::CustodianSeen> seen(const CircleId&) override { return api::CustodianSeen{}; }
  Result<void> follow(const api::LogView&) override { return Ok{}; }
  Result<void> show(const CircleId&, const api::CircleEvidence&) override { return Ok{}; }
  Result<void> retire(const CircleId&, const ReaderId&) override { return Ok{}; }
  Result<Bytes> destroy(const CircleId&, const ReaderId&, const api::CircleEvidence&) override {
    return Error{Code::kUnavailable, "it destroys nothing"};
  }

 private:
  std::string name_;
  crypto::Ed25519Key key_;
};

// First in the line of bases: the scene's constructor uses it.
struct FirstFleet {
  FleetCustodian first{"first"};
};

class Fleets : private FirstFleet, public PublicLog {
 protected:
  Fleets() : PublicLog([this](const tlog::LogRoots&, auto) { return &first; }) {
    step();  // the service keeps since when a statement stands in the log with its next step
    pass(7 * kFleetDay_s + 60 * 60);
    step();
    must_do(account_->sync());
  }

  // What the service takes for its custodian's, by an edit of its database.
  void set_row(const FleetCustodian& one) {
    auto database = must(sql::Database::open(folder_ / "service/service.db"));
    auto row = must(database.prepare("UPDATE custody_fleet SET fleet = ?"));
    const Bytes key = one.key();
    must_do(row.bind(1, BytesView(key)));
    must_do(row.run());
  }
  // Announced, logged, cosigned; after its notice the provider begins to use it.
  void change_provider(FleetCustodian& next) {
    circle::TrustRoots roots = must(vault::trust_roots(*store_));
    tlog::TrustChange change;
    change.previous = crypto::sha256(wire::encode(roots));
    roots.fleet_key = next.key();
    change.roots = wire::encode(roots);
    change.in_effect_from_s =
        static_cast<std::uint64_t>(time_->now() / 1000) + tlog::kNotice_s + server::kLead_s + 60;
    tlog::CustodyKey key;
    std::ranges::copy(next.key(), key.fleet_key.begin());
    key.in_effect_from_s = change.in_effect_from_s;
    must_do(logged_->service->log()->append_leaf(change));
    must_do(logged_->service->log()->append_leaf(key));
    step();
    pass(8 * kFleetDay_s);
    step();
    set_row(next);
    custodian_ = &next;
    begin("0");
    step();
  }
  vault::Account open_device() { return must(vault::Account::open(home_, *store_, clock_)); }
  static std::string alarms(const vault::Account& account) {
    std::string all;
    if (!account.log_status()) return "the log is not believed";
    for (const std::string& one : account.log_status()->alarms) all += one + "\n";
    return all;
  }
  // Nothing is amiss, and it may send.
  void expect_trusts(vault::Account& account) {
    EXPECT_EQ(alarms(account), "");
    must_do(account.rotate());
    step();
  }
  Code save_code(vault::Account& account) {
    archive::Progress progress;
    vault::Account::BackupOptions options;
    options.walk.roots = {folder_ / "data"};
    const auto saved = account.backup(options, progress);
    return saved.ok() ? Code::kConflict : saved.error().code;
  }

  // The thief lowers the level with the recovery key, which it found too, for a custodian of its
  // own.
  api::Append take_in(const FleetCustodian& ghost) {
    vault::Account::State thief{
        home_, *store_, clock_, vault::signing_key(home_.device_key()),
        vault::Replica(must(store_->open_account("me", vault::caller(home_.device_key()))),
                       account_->self().id, crypto::derive<crypto::WrapPurpose>(home_.device_key()),
                       must(vault::log_ages(home_)))};
    must_do(thief.replica.sync(&home_));
    circle::SetLevel body;
    body.level = circle::Level::kStandard;
    body.custodian = ghost.info(thief.circle().id());
    body.evidence.push_back(
        must(thief.replica.session().prove_age(thief.circle().recovery()->set_seq)));
    auto readers = thief.replica.readers();
    readers.of_vaults[circle::reader_id(*body.custodian)].bytes = body.custodian->wrap_key;
    auto draft = must(thief.replica.next_epoch(readers));
    body.epoch = draft.info;
    auto statement = circle::sign_statement(
        {thief.circle().id(), thief.circle().seq() + 1, thief.circle().head(), clock_.now(),
         circle::StatementType::kSetLevel, account_->self().id, wire::encode(body)},
        thief.signing);
    circle::cosign(statement, thief.circle().recovery()->id,
                   crypto::SigningKey(crypto::derive<crypto::SigningPurpose>(*paper_)));
    return {wire::encode(statement), draft.blobs, std::nullopt, std::nullopt};
  }
  void begin_theft(const FleetCustodian& ghost) {
    must_do(account_->raise_level());
    step();
    const api::Append append = take_in(ghost);
    auto session = must(store_->open_account("me", vault::caller(home_.device_key())));
    // An honest service knows whose custodian it has.
    EXPECT_EQ(session->append(append).error().code, Code::kInvalid);
    set_row(ghost);
    must(session->append(append));
    set_row(first);
    step();
  }

  using FirstFleet::first;
};

TEST_F(Fleets, AChangeOfTheProvidersKeyIsFollowedByEveryDevice) {
  FleetCustodian second("second");
  FleetCustodian third("third");
  change_provider(second);
  account_.emplace(open_device());
  expect_trusts(*account_);  // with the custodian of before, who stays who it is
  must_do(account_->raise_level());
  step();
  step();
  must_do(account_->lower_level(*paper_));
  step();
  EXPECT_EQ(to_bytes(account_->circle().custodian()->info.fleet_key), second.key());
  expect_trusts(*account_);

  // Neither the genesis's key nor the newest one.
  change_provider(third);
  account_.emplace(open_device());
  expect_trusts(*account_);
  vault::Home desk_home = new_home(folder_ / "desk");
  auto desk = join(*account_, desk_home, *store_, clock_, "desk");
  step();
  must_do(desk.sync());
  expect_trusts(desk);
  vault::Home bare_home = new_home(folder_ / "bare");
  auto found = must(vault::Recovery::find(bare_home, *store_, clock_, *paper_));
  EXPECT_EQ(found.shown().foreign_custodian, "");
  auto bare = must(found.finish({"bare", {}}));
  step();
  must_do(bare.sync());
  expect_trusts(bare);
}

// A provider whose key was taken from it: nobody becomes a reader by the old one any more.
TEST_F(Fleets, AKeyThatWasReplacedMakesNoNewCustodian) {
  FleetCustodian second("second");
  must_do(account_->raise_level());
  step();
  change_provider(second);
  account_.emplace(open_device());
  Lies lies;
  FleetCustodian once_more("first");
  lies.custodian = [&](const CircleId& circle, Result<Bytes>& key) {
    key = wire::encode(once_more.info(circle));
  };
  auto told = must(open(lies));
  EXPECT_EQ(told.lower_level(*paper_).error().code, Code::kUnsafe);
  EXPECT_EQ(told.propose_standard().error().code, Code::kUnsafe);
}

// Every device sees it and saves nothing there; nothing is lost to the person by it.
TEST_F(Fleets, ACustodianThatAThiefTookInGetsNothingNew) {
  FleetCustodian ghost("ghost");
  vault::Home desk_home = new_home(folder_ / "desk");
  join(*account_, desk_home, *store_, clock_, "desk");
  step();
  begin_theft(ghost);
  account_.emplace(open_device());
  ASSERT_NE(account_->circle().custodian(), nullptr);
  EXPECT_NE(alarms(*account_).find("not of the provider"), std::string::npos) << alarms(*account_);
  EXPECT_EQ(save_code(*account_), Code::kUnsafe);
  EXPECT_EQ(account_->rotate().error().code, Code::kUnsafe);
  EXPECT_EQ(account_->create_vault("new", false).error().code, Code::kUnsafe);
  EXPECT_EQ(account_->rekey("main").error().code, Code::kUnsafe);
  restore_to(*account_, folder_ / "data", folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/a"), "alpha");

  must_do(account_->remove_devices({"desk"}));
  must_do(account_->raise_level());
  step();
  must_do(account_->sync());
  EXPECT_EQ(alarms(*account_), "");
  backup_id(*account_, folder_ / "data");
}

TEST_F(Fleets, TheRecoveryKeyBringsBackAnAccountWithAThiefsCustodian) {
  FleetCustodian ghost("ghost");
  begin_theft(ghost);
  vault::Home bare_home = new_home(folder_ / "bare");
  auto found = must(vault::Recovery::find(bare_home, *store_, clock_, *paper_));
  EXPECT_NE(found.shown().foreign_custodian.find("not of the provider"), std::string::npos);
  auto bare = must(found.finish({"bare", {}}));
  step();
  must_do(bare.sync());
  restore_to(bare, folder_ / "data", folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/a"), "alpha");
  EXPECT_EQ(save_code(bare), Code::kUnsafe);
  must_do(bare.raise_level());
  step();
  must_do(bare.sync());
  backup_id(bare, folder_ / "data");
}

}  // namespace
}  // namespace holdfast
