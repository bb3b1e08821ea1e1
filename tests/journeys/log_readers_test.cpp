// New readers, and the recovery key: they open nothing before the log was asked.
#include "log_scene.h"
#include "vault/account_state.h"

namespace holdfast {
namespace {

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

// A quorum that is gone for good: docs/operations.md says what is left to do then.
TEST_F(RecoveryKey, OfALogThatDiedIsTakenByAClockThatIsSetBack) {
  ManualClock behind(clock_.now() + 60 * 60 * 1000);
  pass(30 * 24 * 60 * 60);
  expect_nothing_done(lies_, Code::kUnavailable, "more than three days old");
  vault::Home home = new_home(folder_ / "set-back");
  auto account = must(vault::recover(home, *store_, behind, *paper_, {"set-back", {}}));
  EXPECT_FALSE(account.contradiction());
  restore_to(account, folder_ / "data", folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/a"), "alpha");
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

}  // namespace
}  // namespace holdfast
