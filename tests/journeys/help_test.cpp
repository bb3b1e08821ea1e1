// An owner without devices is helped by the provider: asked, granted by two, waited for, logged,
// given, shown. With a real token, witnesses and the network between device and service.
#include "vault/help.h"

#include "circle/help.h"
#include "crypto/hash.h"
#include "custody/custodian.h"
#include "keys/envelopes.h"
#include "log_scene.h"
#include "support/circle_maker.h"
#include "support/test_token.h"
#include "vault/account_state.h"

namespace holdfast {
namespace {

using server::OperatorAct;
using testkit::make_signer;
using testkit::Signer;

constexpr std::int64_t kHelpHour = 60 * 60;

// First in Help's line of bases: the scene's constructor uses it.
struct Provider {
  custody::TestToken token;
  Signer one = make_signer("operator one");
  Signer two = make_signer("operator two");
  std::unique_ptr<custody::Custodian> custodian;

  api::Custodian* make(const tlog::LogRoots& log, std::shared_ptr<const Clock> clock) {
    custodian =
        must(custody::Custodian::open({token.folder() + "/data",
                                       token.place(),
                                       log,
                                       {one.key->verify_key().bytes, two.key->verify_key().bytes},
                                       0},
                                      std::move(clock)));
    return custodian.get();
  }
};

class Help : private Provider, public PublicLog {
 protected:
  Help()
      : PublicLog([this](const tlog::LogRoots& log, std::shared_ptr<const Clock> clock) {
          return make(log, std::move(clock));
        }),
        found_(new_home(folder_ / "found")) {
    add_operator("one", one, one);
    add_operator("two", two, one);
  }

  server::Service& service() { return *logged_->service; }
  server::Trail trail() {
    return must(server::Trail::verify(must(service().operators().entries())));
  }
  void add_operator(const std::string& name, const Signer& who, const Signer& by) {
    must_do(service().operators().append(
        must(trail().sign_add(name, who.key->verify_key(), *by.key, clock_.now()))));
  }
  Result<void> grant(const std::string& code, const Signer& by) {
    const server::HelpRow row = must(service().helping().find(code));
    circle::HelpGrant what;
    what.circle = account_->circle().id();
    what.helped = helped();
    what.request = row.id;
    const Bytes entry =
        TRY(trail().sign_help(OperatorAct::kGrantHelp, code, *by.key, clock_.now()));
    return service().helping().grant(row, what.circle, circle::sign_help_grant(what, *by.key),
                                     entry);
  }
  ReaderId helped() const { return circle::reader_id(vault::device_info(found_.device_key(), "")); }
  std::string ask() { return must(vault::ask_for_help(found_, *store_, clock_, "me", "found")); }
  bool given() { return must(vault::help_was_given(found_, *store_)); }

  // As the operator's programs do all day.
  server::ReleaseTurn turn() {
    pass(30);
    step();
    server::ReleaseTurn out = must_have(service().step_releases());
    step();
    return out;
  }
  static server::ReleaseTurn must_have(std::optional<server::ReleaseTurn> turn) {
    EXPECT_TRUE(turn);
    return turn.value_or(server::ReleaseTurn{});
  }
  void wait_hours(int hours) {
    for (int i = 0; i < hours; ++i) {
      pass(kHelpHour);
      step();
    }
  }
  // Granted and proposed.
  std::string proposed() {
    const std::string code = ask();
    must_do(grant(code, one));
    must_do(grant(code, two));
    const auto done = turn();
    EXPECT_EQ(done.proposed.size(), 1u) << (done.failed ? done.failed->message : "");
    return code;
  }
  // Until it is given, at most some batches later.
  bool becomes_given() {
    for (int i = 0; i < 6; ++i) {
      const auto done = turn();
      if (!done.given.empty()) return true;
      wait_hours(6);
    }
    return false;
  }

  vault::Home found_;
  using Provider::custodian;
  using Provider::one;
  using Provider::two;
};

TEST_F(Help, IsAskedGrantedWaitedForLoggedAndShown) {
  const std::string code = ask();
  EXPECT_FALSE(given());
  must_do(grant(code, one));
  EXPECT_TRUE(turn().proposed.empty());
  must_do(grant(code, two));
  EXPECT_EQ(turn().proposed.size(), 1u);

  // The other device is told, and could cancel.
  must_do(account_->sync());
  const auto waiting = must(account_->waiting());
  ASSERT_EQ(waiting.size(), 1u);
  EXPECT_EQ(waiting[0].what, vault::Account::Waits::kHelp);
  EXPECT_EQ(waiting[0].name, "found");
  wait_hours(71);
  EXPECT_TRUE(turn().given.empty());
  EXPECT_FALSE(given());
  ASSERT_TRUE(becomes_given());
  EXPECT_TRUE(given());

  // It reads what the custodian reads, and is no member.
  const circle::Circle after = must(service().circle_of("me")).value();
  EXPECT_EQ(after.member(helped()), nullptr);
  const VaultId main = after.vault_named("main")->id;
  const auto session = must(store_->open_account("me", vault::caller(found_.device_key())));
  const auto envelope = [&](const ReaderId& reader) {
    return must(after.blob(1, {circle::BlobKind::kVaultReader, reader, main}));
  };
  const auto wrap = crypto::derive<crypto::WrapPurpose>(found_.device_key());
  const keys::VaultKey key = must(keys::unwrap_vault_key(
      wrap, {after.id(), 1, main}, must(session->get_blob(envelope(helped())))));
  const custody::VaultKey own = must(custodian->open_vault_key(
      after, 1, main, must(session->get_blob(envelope(after.custodian()->id)))));
  EXPECT_EQ(crypto::mac(key, "test", {}), crypto::mac(own, "test", {}));
  EXPECT_EQ(session->append({}).error().code, Code::kDenied);
}

// What the owner wants of it: the files. And what a membership would have allowed: nothing of it.
TEST_F(Help, RestoresWhatTheProviderCouldReadAndChangesNothing) {
  must_do(account_->create_vault("diary", true));
  proposed();
  wait_hours(72);
  ASSERT_TRUE(becomes_given());
  auto helped = must(vault::Account::open(found_, *store_, clock_));
  archive::Findings findings;
  const auto snapshot = must(helped.find_snapshot("main", "latest"));
  vault::Account::RestoreOptions options;
  options.path = folder_ / "data";
  options.target.directory = folder_ / "back";
  archive::Progress progress;
  const auto report = must(helped.restore(snapshot, options, progress));
  EXPECT_TRUE(report.findings.problems.empty());
  EXPECT_EQ(read(folder_ / "back/a"), "alpha");

  EXPECT_EQ(helped.snapshots("diary", findings).error().code, Code::kDenied);
  vault::Account::BackupOptions save;
  save.walk.roots = {folder_ / "data"};
  EXPECT_EQ(helped.backup(save, progress).error().code, Code::kDenied);
  EXPECT_EQ(helped.remove_devices({"laptop"}).error().code, Code::kDenied);
  EXPECT_EQ(helped.raise_level().error().code, Code::kDenied);
  EXPECT_EQ(helped.set_region("DE").error().code, Code::kDenied);
  EXPECT_EQ(account_->circle().members().size(), 1u);
}

// What was released is shown to the device, which begins a new epoch: help ends there.
TEST_F(Help, IsShownToTheAccountsDevicesAndTheyRotate) {
  proposed();
  wait_hours(72);
  ASSERT_TRUE(becomes_given());
  const std::uint32_t before = account_->circle().epoch();
  for (int i = 0; i < 3; ++i) {
    turn();
    must_do(account_->sync());
  }
  ASSERT_EQ(account_->log_status()->released.size(), 1u);
  const tlog::Release& what = account_->log_status()->released[0].what;
  EXPECT_EQ(what.recipient, crypto::sha256(vault::device_info(found_.device_key(), "").wrap_key));
  EXPECT_GT(account_->circle().epoch(), before);
  EXPECT_TRUE(account_->circle().helped().back().left_seq);
}

TEST_F(Help, IsCancelledByADevice) {
  proposed();
  must_do(account_->sync());
  must_do(account_->cancel_waiting(must(account_->waiting())[0].number));
  wait_hours(72);
  EXPECT_FALSE(becomes_given());
  EXPECT_FALSE(given());
  // Nor is it proposed again by what the service still has.
  must_do(account_->sync());
  EXPECT_TRUE(account_->circle().proposals().empty());
  EXPECT_TRUE(must(service().helping().list()).empty());
}

TEST_F(Help, IsForTwoDifferentOperatorsOfNow) {
  const std::string code = ask();
  must_do(grant(code, one));
  EXPECT_EQ(grant(code, one).error().code, Code::kConflict);
  EXPECT_EQ(grant(code, make_signer("stranger")).error().code, Code::kDenied);
  EXPECT_TRUE(turn().proposed.empty());
  // Whoever was revoked meanwhile granted nothing.
  must_do(grant(code, two));
  must_do(service().operators().append(must(trail().sign_revoke("two", *one.key, clock_.now()))));
  EXPECT_TRUE(turn().proposed.empty());
  EXPECT_EQ(trail().acts().back().by, "one");
}

// A service that was broken into makes operators of its own; the custodian does not know them.
TEST_F(Help, IsNotGrantedByOperatorsThatTheServiceInvents) {
  const Signer invented = make_signer("invented");
  add_operator("three", invented, one);
  const std::string code = ask();
  must_do(grant(code, invented));
  must_do(grant(code, one));
  const auto done = turn();
  EXPECT_TRUE(done.proposed.empty());
  ASSERT_TRUE(done.failed);
  EXPECT_EQ(done.failed->code, Code::kDenied);
  // Nor do they spoil what two whom it knows granted.
  must_do(grant(code, two));
  pass(kHelpHour);
  EXPECT_EQ(turn().proposed.size(), 1u);
}

// Those whom the custodian knows are among those that it is shown.
TEST_F(Help, IsGrantedByAnyNumberOfOperators) {
  const std::string code = ask();
  must_do(grant(code, one));
  must_do(grant(code, two));
  for (std::size_t i = 0; i < 8; ++i) {
    const Signer more = make_signer("more " + std::to_string(i));
    add_operator("more" + std::to_string(i), more, one);
    must_do(grant(code, more));
  }
  const auto done = turn();
  EXPECT_EQ(done.proposed.size(), 1u) << (done.failed ? done.failed->message : "");
}

// Three days and some batches are no reason to forget what was granted in the last of the thirty.
TEST_F(Help, IsGivenAlsoWhereItWasGrantedLate) {
  const std::string code = ask();
  const std::string other = must(vault::ask_for_help(found_, *store_, clock_, "nobody", "found"));
  pass(29 * 24 * kHelpHour);
  must_do(grant(code, one));
  must_do(grant(code, two));
  EXPECT_EQ(turn().proposed.size(), 1u);
  wait_hours(72);
  must_do(service().sweep());
  EXPECT_EQ(must(service().helping().list()).size(), 1u);  // the other one is thirty days old
  EXPECT_TRUE(becomes_given());
  pass(11 * 24 * kHelpHour);
  must_do(service().sweep());
  EXPECT_TRUE(must(service().helping().list()).empty());
}

// Nobody learns from the answers whether there is such an account.
TEST_F(Help, IsAskedAlikeWhetherThereIsSuchAnAccount) {
  EXPECT_TRUE(vault::ask_for_help(found_, *store_, clock_, "nobody", "found").ok());
  EXPECT_FALSE(given());
  for (int i = 0; i < 3; ++i) {
    vault::Home home = new_home(folder_ / ("asker" + std::to_string(i)));
    EXPECT_TRUE(vault::ask_for_help(home, *store_, clock_, "me", "found").ok());
  }
  vault::Home last = new_home(folder_ / "last");
  const auto too_many = vault::ask_for_help(last, *store_, clock_, "me", "found");
  ASSERT_FALSE(too_many.ok());
  EXPECT_EQ(too_many.error().code, Code::kUnavailable);
  EXPECT_EQ(must(service().helping().list()).size(), 4u);
  pass(30 * 24 * kHelpHour);
  must_do(service().sweep());
  EXPECT_TRUE(must(service().helping().list()).empty());
}

}  // namespace
}  // namespace holdfast
