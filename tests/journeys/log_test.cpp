// What the public log shows devices, what lags there, and what a service may lie about it.
#include "crypto/hash.h"
#include "log_scene.h"
#include "support/custodian.h"
#include "vault/account_state.h"
#include "vault/log_audit.h"

namespace holdfast {
namespace {

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
  must_do(log.append_leaf(tlog::CustodyKey{{}, {}, now}));  // the first one counts at once
  EXPECT_EQ(log.append_leaf(tlog::CustodyKey{{}, {1}, now}).error().code, Code::kInvalid);
  must_do(log.append_leaf(tlog::CustodyKey{{}, {1}, now + tlog::kNotice_s + 2 * server::kLead_s}));
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
  EXPECT_EQ(audit.custody_keys, 2u);
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

// A service that shows no log, or not all of it, keeps nobody from their data; and gets nothing new
// for as long as it does.
TEST_F(PublicLog, WithheldItStopsWhatIsSentAndNotReading) {
  Lies lies;
  lies.log = [](Lies::Honest&, std::uint64_t, Result<api::LogView>& view) {
    view = Error{Code::kUnavailable, "the service's log is catching up"};
  };
  for (int days = 0; days < 3; ++days) {
    auto mine = must(open(lies));
    EXPECT_FALSE(mine.contradiction());
    EXPECT_FALSE(mine.log_status());
    EXPECT_NE(mine.log_withheld().find("catching up"), std::string::npos) << mine.log_withheld();
    restore_to(mine, folder_ / "data", folder_ / "out" + std::to_string(days));
    EXPECT_EQ(read(folder_ / "out" + std::to_string(days) + "/a"), "alpha");
    const std::uint64_t before = mine.circle().seq();
    const auto refused = [&](const auto& done) {
      ASSERT_FALSE(done.ok());
      EXPECT_EQ(done.error().code, Code::kUnavailable) << done.error().message;
    };
    archive::Progress progress;
    vault::Account::BackupOptions options;
    options.walk.roots = {folder_ / "data"};
    refused(mine.backup(options, progress));
    refused(mine.set_region("DE"));
    refused(mine.rotate());
    refused(mine.approve("0000-0000-0000-0000", 0));
    EXPECT_EQ(mine.circle().seq(), before);
    pass(24 * 60 * 60);
  }
  lies.log = {};
  wait_without_a_step(1);
  auto mine = must(open(lies));
  EXPECT_TRUE(mine.log_withheld().empty());
  must_do(mine.set_region("DE"));
}

// As with a contradiction: what takes away cannot wait for the service.
TEST_F(PublicLog, WithheldItKeepsNoThiefIn) {
  vault::Home desk_home = new_home(folder_ / "desk");
  join(*account_, desk_home, *store_, clock_, "desk");
  step();
  Lies lies;
  alter_view(lies, [](api::LogView& view) { view.leaves.clear(); });
  auto mine = must(open(lies));
  EXPECT_NE(mine.log_withheld().find("entries are missing"), std::string::npos);
  must_do(mine.remove_devices({"desk"}));
  EXPECT_EQ(mine.circle().member_named("desk"), nullptr);
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

}  // namespace
}  // namespace holdfast
