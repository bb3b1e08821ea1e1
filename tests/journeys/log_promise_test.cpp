// What the log promises with each change, and what becomes of a promise.
#include "log_scene.h"

namespace holdfast {
namespace {

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
  // One that cannot be read is as good as none.
  refused([](Result<api::Receipt>& receipt) { receipt->promise->pop_back(); }, "cannot be read");
}

// Whether its clock is behind or the service promises for too late, a device cannot tell. It says
// so, nothing is held against the service, and the promise is.
TEST_F(PublicLog, AClockThatIsBehindIsNoContradiction) {
  Lies lies;
  auto mine = must(open(lies));
  pass(30 * 60);  // no witness has proven a later time than this
  lies.receipt = [&](Result<api::Receipt>&) { pass(-6 * 60); };
  const auto late = mine.set_region("IT");
  pass(6 * 60);
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, Code::kInvalid) << late.error().message;
  EXPECT_NE(late.error().message.find("clock"), std::string::npos) << late.error().message;
  EXPECT_EQ(mine.circle().region(), "IT");
  lies = {};
  must_do(mine.sync());
  EXPECT_FALSE(mine.contradiction());
  wait_without_a_step(20 * 60);
  must_do(mine.sync());
  expect_stands(mine, "promised to have statement");
  EXPECT_NE(must(judge_evidence()).find("promised to have statement"), std::string::npos);
}

// Nobody has a vault or a recovery key in an account that was made half.
TEST_F(PublicLog, AnAccountIsMadeWholeByADeviceWhoseClockIsBehind) {
  vault::Home other_home = new_home(folder_ / "other");
  ManualClock behind(clock_.now() - 6 * 60 * 1000);
  // Where witnesses prove it, nothing is begun.
  const auto refused = vault::init(other_home, *store_, behind, {"you", "laptop", "ZZ"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kInvalid) << refused.error().message;
  EXPECT_FALSE(other_home.is_member());
  pass(30 * 60);
  behind.advance(30 * 60 * 1000);
  auto made = must(vault::init(other_home, *store_, behind, {"you", "laptop", "ZZ"}));
  EXPECT_NE(made.doubt.find("clock"), std::string::npos) << made.doubt;
  EXPECT_FALSE(made.account.contradiction());
  EXPECT_TRUE(made.account.circle().recovery());
  EXPECT_NE(made.account.circle().vault_named("main"), nullptr);
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

// The service takes the record and leaves it out of what it logs; everything else goes on.
class LeavingOut : public PublicLog {
 protected:
  circle::VaultHead newest_head() {
    archive::Findings findings;
    const auto newest = must(account_->snapshots("main", findings)).back();
    return {account_->circle().vault_named("main")->id, newest.n, newest.id};
  }
  // With every statement, and these records only.
  void step_with(const std::vector<circle::VaultHead>& heads) {
    const circle::Circle& circle = account_->circle();
    must(logged_->service->log()->step(
        [&](const std::string&, std::uint64_t from) -> Result<server::AccountLists> {
          server::AccountLists lists;
          for (std::uint64_t seq = from; seq <= circle.seq(); ++seq)
            lists.heads.push_back(circle.head_at(seq));
          lists.vaults = heads;
          return lists;
        }));
    pass(1);
    show();
    audit();
  }
};

TEST_F(LeavingOut, ARecordIsMissedWhileAllElseGoesOn) {
  const circle::VaultHead logged = newest_head();
  backup_id(*account_, folder_ / "data");
  ASSERT_EQ(newest_head().n, logged.n + 1);
  for (const char* const region : {"DE", "FR"}) {
    must_do(account_->set_region(region));
    step_with({logged});
    must_do(account_->sync());
    ASSERT_FALSE(account_->contradiction());
    EXPECT_TRUE(account_->log_status()->circle_included);
    EXPECT_FALSE(account_->log_status()->data_included);
    pass(5 * 60 + 30);
  }
  must_do(account_->set_region("IT"));
  step_with({logged});
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
  must_do(account_->sync());
  EXPECT_NE(account_->log_withheld().find("catching up"), std::string::npos);
  step();
  must_do(account_->sync());
  EXPECT_FALSE(account_->contradiction());
  EXPECT_TRUE(account_->log_status()->data_included);
}

}  // namespace
}  // namespace holdfast
