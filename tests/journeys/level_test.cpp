// The levels with everything real: a custodian whose keys lie in a SoftHSM2 token, a service with a
// log and a witness, devices. And what a provider may try to lower a level.
#include "circle/custody.h"
#include "crypto/hash.h"
#include "crypto/key_file.h"
#include "custody/custodian.h"
#include "log_scene.h"
#include "sql/sqlite.h"
#include "support/circle_maker.h"
#include "support/direct_service.h"
#include "support/test_token.h"
#include "vault/account_state.h"

namespace holdfast {
namespace {

using Waits = vault::Account::Waits;

constexpr std::int64_t kOneHour_s = 60 * 60;
constexpr std::int64_t kOneDay_s = 24 * kOneHour_s;

enum class Over { kDirect, kHttps };

class Levels : public PublicLog, public ::testing::WithParamInterface<Over> {
 protected:
  Levels() : ann_home_(new_home(folder_ / "ann")) {
    account_.reset();
    store_.reset();
    const tlog::LogRoots roots =
        must(wire::decode<tlog::LogRoots>(as_bytes(read(folder_ / "service/log/roots"))));
    logged_.reset();
    real_ = must(custody::Custodian::open({folder_ / "custodian", token_.place(), roots}, time_));
    custodian_ = real_.get();
    begin("0");
    watch();
    if (GetParam() == Over::kDirect)
      store_ = std::make_unique<testkit::DirectStore>(*logged_->service, store_->tls_pin());
    step();
    auto begun = must(
        vault::init(ann_home_, *store_, clock_, {"ann", "ann", "ZZ", circle::Level::kStandard}));
    paper_.emplace(std::move(begun.recovery));
    ann_.emplace(std::move(begun.account));
    backup_id(*ann_, folder_ / "data");
    step();
  }
  // As whoever has the custodian's files signs.
  crypto::Ed25519Key fleet() const {
    return crypto::Ed25519Key(must(crypto::load_or_make_key(folder_ / "custodian/fleet.key")));
  }
  // Objects of accounts' keys in the token.
  std::uint64_t live() { return must(real_->counts()).live; }
  void work() {
    step();
    must_do(logged_->service->step_custody()->failed
                ? Result<void>(*logged_->service->step_custody()->failed)
                : Result<void>(Ok{}));
    step();
  }
  bool in_envelopes(const ReaderId& reader, const std::string& vault) const {
    const circle::Circle& circle = ann_->circle();
    return circle
        .blob(circle.epoch(),
              {circle::BlobKind::kVaultReader, reader, circle.vault_named(vault)->id})
        .ok();
  }
  void raise() {
    must_do(ann_->raise_level());
    step();
  }
  vault::Account open_ann() { return must(vault::Account::open(ann_home_, *store_, clock_)); }

  custody::TestToken token_;
  std::unique_ptr<custody::Custodian> real_;
  vault::Home ann_home_;
  std::optional<vault::Account> ann_;
};

INSTANTIATE_TEST_SUITE_P(Service, Levels, testing::Values(Over::kDirect, Over::kHttps),
                         [](const auto& way) {
                           return way.param == Over::kDirect ? "Direct" : "Https";
                         });

TEST_P(Levels, BeginAtStandardWithTheCustodianOnTheList) {
  const circle::Circle& circle = ann_->circle();
  EXPECT_EQ(circle.level(), circle::Level::kStandard);
  ASSERT_NE(circle.custodian(), nullptr);
  EXPECT_TRUE(in_envelopes(circle.custodian()->id, "main"));
  must_do(ann_->create_vault("diary", true));
  EXPECT_FALSE(in_envelopes(circle.custodian()->id, "diary"));
  must_do(ann_->rotate());
  EXPECT_TRUE(in_envelopes(ann_->circle().custodian()->id, "main"));
  EXPECT_FALSE(in_envelopes(ann_->circle().custodian()->id, "diary"));
  must_do(ann_->set_always_e2e("main"));
  EXPECT_FALSE(in_envelopes(ann_->circle().custodian()->id, "main"));
}

TEST_P(Levels, RaisingEndsTheCustodianAndItsKey) {
  ASSERT_EQ(live(), 1u);
  raise();
  EXPECT_EQ(ann_->circle().custodian(), nullptr);
  const auto before = must(ann_->custody());
  ASSERT_EQ(before.former.size(), 1u);
  EXPECT_FALSE(before.former[0].receipt);
  EXPECT_TRUE(before.pending_since);

  work();
  EXPECT_EQ(live(), 0u);
  const auto after = must(ann_->custody());
  ASSERT_TRUE(after.former[0].receipt);
  EXPECT_EQ(after.former[0].receipt->custodian, after.former[0].custodian.id);
  EXPECT_FALSE(after.pending_since);
  // What was backed up is there, and backups go on.
  backup_id(*ann_, folder_ / "data");
  must_do(ann_->sync());
}

TEST_P(Levels, TheReceiptIsKeptWhateverTheServiceSaysLater) {
  raise();
  work();
  ASSERT_TRUE(must(ann_->custody()).former[0].receipt);
  Lies lies;
  lies.custody = [](Result<api::CustodyStatus>& custody) { custody = api::CustodyStatus{}; };
  HostileStore lying(*store_, lies);
  auto account = must(vault::Account::open(ann_home_, lying, clock_));
  EXPECT_TRUE(must(account.custody()).former[0].receipt);
}

// A receipt of another fleet, of a time before it left, of a fork: the device calls the key not
// destroyed.
TEST_P(Levels, AForgedReceiptCountsAsNone) {
  raise();
  const circle::Circle& circle = ann_->circle();
  circle::DeletionReceipt receipt;
  receipt.circle = circle.id();
  receipt.custodian = circle.custodians()[0].id;
  receipt.seq = circle.seq();
  receipt.head = circle.head();
  const auto counts = [&](const crypto::Ed25519Key& fleet) {
    Lies lies;
    lies.custody = [&](Result<api::CustodyStatus>& custody) {
      custody = api::CustodyStatus{{}, {circle::sign_receipt(fleet, receipt)}};
    };
    HostileStore lying(*store_, lies);
    auto account = must(vault::Account::open(ann_home_, lying, clock_));
    return must(account.custody()).former[0].receipt.has_value();
  };
  EXPECT_FALSE(counts(testkit::make_fleet("another")));
  const crypto::Ed25519Key own = fleet();
  receipt.seq = circle.seq() - 1;
  receipt.head = circle.head_at(receipt.seq);
  EXPECT_FALSE(counts(own)) << "it was a reader then";
  receipt.seq = circle.seq();
  EXPECT_FALSE(counts(own)) << "of a fork";
  receipt.seq = circle.seq() + 1;
  receipt.head = circle.head();
  EXPECT_FALSE(counts(own)) << "of statements that are none";
  receipt.seq = circle.seq();
  EXPECT_TRUE(counts(own));
}

// A provider that says so to this person and to nobody else.
TEST_P(Levels, AReceiptThatTheLogDoesNotHaveIsTold) {
  raise();
  work();
  must_do(ann_->sync());
  Lies lies;
  lies.log_file = [&](const std::string& path, Result<Bytes>& file) {
    if (!path.starts_with("receipt/")) return;
    auto place = must(wire::decode<tlog::LeafProof>(must(std::move(file))));
    place.index = 0;
    file = wire::encode(place);
  };
  HostileStore lying(*store_, lies);
  auto account = must(vault::Account::open(ann_home_, lying, clock_));
  ASSERT_TRUE(must(account.custody()).former[0].receipt);
  EXPECT_FALSE(must(account.custody()).former[0].logged);
  EXPECT_TRUE(must(ann_->custody()).former[0].logged);
  // Seen once, it is there for good.
  EXPECT_TRUE(
      must(must(vault::Account::open(ann_home_, lying, clock_)).custody()).former[0].logged);
}

TEST_P(Levels, TheRecoveryKeyLowersAtOnceAfterAWeek) {
  raise();
  work();
  const auto early = ann_->lower_level(*paper_);
  ASSERT_FALSE(early.ok());
  EXPECT_EQ(early.error().code, Code::kUnavailable) << early.error().message;
  pass(7 * kOneDay_s + kOneHour_s);
  step();
  must_do(ann_->sync());
  must_do(ann_->lower_level(*paper_));
  EXPECT_EQ(ann_->circle().level(), circle::Level::kStandard);
  EXPECT_TRUE(in_envelopes(ann_->circle().custodian()->id, "main"));
  EXPECT_NE(ann_->circle().custodian()->id, ann_->circle().custodians()[0].id);
  const auto other = keys::RecoveryKey::random();
  raise();
  EXPECT_EQ(ann_->lower_level(other).error().code, Code::kDenied);
}

TEST_P(Levels, AProposalWaitsThreeDaysAndIsTakenBackByAnyDevice) {
  raise();
  const auto early = ann_->propose_standard();
  ASSERT_FALSE(early.ok());
  EXPECT_EQ(early.error().code, Code::kUnavailable) << early.error().message;
  work();
  const std::uint64_t first = must(ann_->propose_standard());
  step();
  must_do(ann_->sync());
  const auto waiting = must(ann_->waiting());
  ASSERT_EQ(waiting.size(), 1u);
  EXPECT_EQ(waiting[0].what, Waits::kStandard);
  EXPECT_EQ(ann_->complete_waiting(first).error().code, Code::kUnavailable);
  EXPECT_EQ(ann_->circle().custodian(), nullptr);
  must_do(ann_->cancel_waiting(first));

  const std::uint64_t second = must(ann_->propose_standard());
  step();
  step();  // the service keeps since when it stands in the log with its next step
  pass(3 * kOneDay_s + kOneHour_s);
  step();
  must_do(ann_->sync());
  must_do(ann_->complete_waiting(second));
  EXPECT_EQ(ann_->circle().level(), circle::Level::kStandard);
}

// ---- what a provider may try ----

// "A swapped custodian key": the provider gives out a key of its own that no fleet that the account
// trusts has issued, or one that was issued for somebody else.
TEST_P(Levels, ASwappedCustodianKeyIsRefused) {
  const auto refused = [&](const std::string& name, const auto& key) {
    Lies lies;
    lies.custodian = [&](const CircleId& circle, Result<Bytes>& answer) { answer = key(circle); };
    HostileStore lying(*store_, lies);
    vault::Home home = new_home(folder_ / name);
    const auto made =
        vault::init(home, lying, clock_, {name, name, "ZZ", circle::Level::kStandard});
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().code, Code::kUnsafe) << made.error().message;
    EXPECT_FALSE(home.is_member());
  };
  refused("bob", [](const CircleId& circle) {
    return wire::encode(testkit::make_custodian(circle, "the provider's own"));
  });
  refused("carl", [&](const CircleId&) { return wire::encode(ann_->circle().custodian()->info); });
}

// There is no message by which the service lowers a level: what it signs itself, what it replays,
// and what it edits in its own rows is refused by every device.
TEST_P(Levels, NothingThatTheServiceShowsLowersALevel) {
  const Bytes genesis = must(ann_home_.statements())[0];
  raise();
  const auto all = must(ann_home_.statements());
  const circle::Circle& circle = ann_->circle();
  circle::SetLevel body;
  body.level = circle::Level::kStandard;
  body.custodian = wire::decode<circle::CustodianInfo>(must(real_->issue(circle.id()))).value();
  const circle::Draft draft{circle.id(),
                            circle.seq() + 1,
                            circle.head(),
                            clock_.now(),
                            circle::StatementType::kSetLevel,
                            ann_->self().id,
                            wire::encode(body)};
  const auto thief = testkit::make_device("provider");
  const std::vector<std::pair<std::string, Bytes>> shown = {
      {"forged, by a key of the provider's",
       wire::encode(circle::sign_statement(draft, *thief.key))},
      {"forged, by its fleet key",
       wire::encode(circle::sign_statement(draft, testkit::make_fleet()))},
      {"the genesis once more", genesis},
      {"an older statement once more", all[all.size() - 2]}};
  for (const auto& [what, statement] : shown) {
    Lies lies;
    lies.circle = [&](Lies::Honest&, std::uint64_t, std::vector<Bytes>& page) {
      page.push_back(statement);
    };
    HostileStore lying(*store_, lies);
    const auto opened = vault::Account::open(ann_home_, lying, clock_);
    ASSERT_FALSE(opened.ok()) << what;
    EXPECT_EQ(opened.error().code, Code::kUnsafe) << what << ": " << opened.error().message;
  }
  // A service that forgets the statement shows an older account than this device saw.
  Lies forgets;
  forgets.circle = [](Lies::Honest&, std::uint64_t, std::vector<Bytes>& page) { page.clear(); };
  HostileStore lying(*store_, forgets);
  EXPECT_EQ(vault::Account::open(ann_home_, lying, clock_).error().code, Code::kUnsafe);
  EXPECT_EQ(open_ann().circle().level(), circle::Level::kAdvanced);
}

// "A kept copy of a wrapped key after deletion": the envelopes and the custodian's whole database
// from before the switch, with the token as it is now, open nothing.
TEST_P(Levels, ACopyOfTheCustodiansDatabaseOpensNothingAfterwards) {
  real_.reset();
  fs::copy(folder_ / "custodian", folder_ / "copy", fs::copy_options::recursive);
  const tlog::LogRoots roots =
      must(wire::decode<tlog::LogRoots>(as_bytes(read(folder_ / "service/log/roots"))));
  logged_.reset();
  real_ = must(custody::Custodian::open({folder_ / "custodian", token_.place(), roots}, time_));
  custodian_ = real_.get();
  begin("0");
  watch();
  auto account = must(vault::Account::open(ann_home_, *store_, clock_));
  const circle::Circle before = account.circle();
  const VaultId main = before.vault_named("main")->id;
  const BlobId envelope = must(
      before.blob(before.epoch(), {circle::BlobKind::kVaultReader, before.custodian()->id, main}));
  auto session = must(store_->open_account("ann", vault::caller(ann_home_.device_key())));
  const Bytes kept = must(session->get_blob(envelope));
  EXPECT_TRUE(real_->open_vault_key(before, before.epoch(), main, kept).ok());
  must_do(account.raise_level());
  work();
  real_.reset();
  auto copy = custody::Custodian::open({folder_ / "copy", token_.place(), roots}, time_);
  ASSERT_TRUE(copy.ok()) << copy.error().message;
  EXPECT_FALSE((*copy)->open_vault_key(before, before.epoch(), main, kept).ok());
}

}  // namespace
}  // namespace holdfast
