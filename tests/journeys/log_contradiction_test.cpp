// A contradiction, and what a device does after it.
#include "hostile/hostile_member.h"
#include "log_scene.h"

namespace holdfast {
namespace {

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

}  // namespace
}  // namespace holdfast
