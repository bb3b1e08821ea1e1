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

}  // namespace
}  // namespace holdfast
