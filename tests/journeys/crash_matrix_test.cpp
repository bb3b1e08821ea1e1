// Every write of every act fails once, lost and applied-but-reported-lost: nothing acknowledged is
// lost, the account is always at one state or the next, and doing the act again finishes it.
#include "journeys/faulty_store.h"
#include "support/journey.h"
#include "support/service_place.h"

namespace holdfast {
namespace {

using Act = std::function<Result<void>(vault::Account&, Folder&)>;

struct Named {
  const char* name;
  Act act;
  std::function<bool(const vault::Account&)> done;  // may the act not be repeated any more?
};

Result<void> save(vault::Account& account, const std::string& path) {
  archive::Progress progress;
  vault::Account::BackupOptions options;
  options.walk.roots = {path};
  const auto report = TRY(account.backup(options, progress));
  if (!report.findings.problems.empty())
    return Error{Code::kCorrupt, report.findings.problems[0].reason};
  return Ok{};
}

// Once; done again, each of them finds what is left to do, and nothing else of the story needs it.
Result<void> take_out_desk(vault::Account& account) {
  if (account.circle().member_named("desk") == nullptr) return Ok{};
  return account.remove_devices({"desk"});
}

Result<void> rekey(vault::Account& account, Folder&) {
  TRY(take_out_desk(account));
  TRY(account.rekey("main"));
  if (TRY(account.exposure("main")).old_tables != 0)
    return Error{Code::kCorrupt, "a table of an older epoch is left"};
  return Ok{};
}

Result<void> reseal(vault::Account& account, Folder&) {
  TRY(take_out_desk(account));
  archive::Progress progress;
  vault::Account::ResealOptions options;
  options.commit_packs = 2;
  const auto report = TRY(account.reseal(options, progress));
  if (report.left.packs + report.left.old_tables + report.skipped != 0)
    return Error{Code::kCorrupt, "something is left that could still be opened"};
  return Ok{};
}

// The file that was saved and is gone is garbage after it, alone in its pack or not.
Result<void> prune(vault::Account& account, Folder& folder) {
  fs::remove(folder / "data/gone");
  TRY(save(account, folder / "data"));
  vault::Account::ForgetOptions keep;
  keep.keep.last = 1;
  TRY(account.forget(keep));
  archive::Progress progress;
  vault::Account::PruneOptions options;
  options.max_waste = 10;
  const auto report = TRY(account.prune(options, progress));
  if (report.skipped != 0) return Error{Code::kCorrupt, "some garbage could not be read"};
  if (TRY(account.prune(options, progress)).packs != 0)
    return Error{Code::kCorrupt, "a prune leaves garbage"};
  return Ok{};
}

const Named kActs[] = {
    {"backup", [](vault::Account& a, Folder& f) { return save(a, f / "data"); },
     [](const vault::Account&) { return false; }},
    {"rotate", [](vault::Account& a, Folder&) { return a.rotate(); },
     [](const vault::Account& a) { return a.circle().epoch() > 2; }},
    {"remove", [](vault::Account& a, Folder&) { return a.remove_devices({"desk"}); },
     [](const vault::Account& a) { return a.circle().member_named("desk") == nullptr; }},
    {"vault", [](vault::Account& a, Folder&) { return a.create_vault("photos", true); },
     [](const vault::Account& a) { return a.circle().vault_named("photos") != nullptr; }},
    {"rekey", rekey, [](const vault::Account&) { return false; }},
    {"reseal", reseal, [](const vault::Account&) { return false; }},
    {"prune", prune, [](const vault::Account&) { return false; }},
};

class CrashMatrix : public ::testing::TestWithParam<std::tuple<int, Lost, Place>> {};

// One account with two devices, a snapshot, an epoch behind it, and something new to save.
struct Story {
  Folder folder;
  SystemClock clock;
  ServicePlace service;
  std::unique_ptr<api::Store> store = service.store();
  vault::Home home = new_home(folder / "laptop");
  vault::Home desk_home = new_home(folder / "desk");
  std::string saved = std::string(1500 * 1024, 's');

  explicit Story(Place place = Place::kDirect) : service(place) {
    write(folder / "data/old", saved);
    write(folder / "data/gone", std::string(600 * 1024, 'g'));
    auto begun = must(vault::init(home, *store, clock, {"me", "laptop", "ZZ"}));
    join(begun.account, desk_home, *store, clock, "desk");
    must_do(begun.account.sync());
    must_do(begun.account.rotate());
    backup_id(begun.account, folder / "data");
    write(folder / "data/new", std::string(700 * 1024, 'n'));
  }
};

TEST_P(CrashMatrix, NothingAcknowledgedIsLostAndTheActCanBeDoneAgain) {
  const Named& named = kActs[std::get<0>(GetParam())];
  int failed = 0;
  for (int k = 1;; ++k) {
    SCOPED_TRACE(std::string(named.name) + ", write " + std::to_string(k));
    Story story(std::get<2>(GetParam()));
    Faults faults;
    faults.lost = std::get<1>(GetParam());
    bool survived = false;
    {
      FaultyStore faulty(*story.store, faults);
      auto account = must(vault::Account::open(story.home, faulty, story.clock));
      faults.writes_left = k;
      survived = named.act(account, story.folder).ok() && !faults.dead();
    }
    auto account = must(vault::Account::open(story.home, *story.store, story.clock));
    restore_to(account, story.folder / "data", story.folder / "before");
    EXPECT_EQ(read(story.folder / "before/old"), story.saved);
    if (!named.done(account)) must_do(named.act(account, story.folder));
    backup_id(account, story.folder / "data");
    restore_to(account, story.folder / "data", story.folder / "after");
    EXPECT_EQ(read(story.folder / "after/new"), read(story.folder / "data/new"));
    archive::Progress progress;
    EXPECT_TRUE(must(account.check("main", 100, progress)).findings.problems.empty());
    if (survived) break;
    ++failed;
    ASSERT_LT(k, 200);
  }
  EXPECT_GT(failed, 0) << "no write failed: the test proves nothing";
}

INSTANTIATE_TEST_SUITE_P(Acts, CrashMatrix,
                         ::testing::Combine(::testing::Range(0, 7),
                                            ::testing::Values(Lost::kCall, Lost::kAnswer),
                                            ::testing::Values(Place::kDirect, Place::kService)),
                         [](const auto& param) {
                           return std::string(kActs[std::get<0>(param.param)].name) +
                                  (std::get<1>(param.param) == Lost::kCall ? "Call" : "Answer") +
                                  (std::get<2>(param.param) == Place::kDirect ? "" : "Service");
                         });

// ---- what happens between a backup's last pack and its commit ----

class Straddle : public ::testing::Test {
 protected:
  // Saves from the laptop while `meanwhile` happens just before the commit; the packs sent.
  std::uint64_t save_while(const std::function<void()>& meanwhile) {
    Faults faults;
    FaultyStore store(*story_.store, faults);
    auto account = must(vault::Account::open(story_.home, store, story_.clock));
    faults.before_record = meanwhile;
    archive::Progress progress;
    vault::Account::BackupOptions options;
    options.walk.roots = {story_.folder / "data"};
    const auto report = must(account.backup(options, progress));
    EXPECT_EQ(faults.before_record, nullptr);
    restore_to(account, story_.folder / "data", story_.folder / "out");
    EXPECT_EQ(read(story_.folder / "out/new"), read(story_.folder / "data/new"));
    return static_cast<std::uint64_t>(faults.writes);
  }
  Story story_;
};

TEST_F(Straddle, ARotationCostsNewKeySegmentsAndNoData) {
  const std::uint64_t writes = save_while([&] {
    auto desk = must(vault::Account::open(story_.desk_home, *story_.store, story_.clock));
    must_do(desk.rotate());
  });
  // Data, names, index, snapshot, its key segment, a refused record; then keys and record again.
  EXPECT_LE(writes, 8U);
  auto account = must(vault::Account::open(story_.home, *story_.store, story_.clock));
  EXPECT_EQ(account.circle().epoch(), 3U);
}

// Between reading the circle and reading the records another device goes on: no foul play.
TEST_F(Straddle, AStatementAndARecordBetweenTwoReadsAreARace) {
  Faults faults;
  FaultyStore store(*story_.store, faults);
  faults.before_records = [&] {
    auto desk = must(vault::Account::open(story_.desk_home, *story_.store, story_.clock));
    must_do(desk.rotate());
    must_do(desk.create_vault("photos", false));
    backup_id(desk, story_.folder / "data");
  };
  auto account = must(vault::Account::open(story_.home, store, story_.clock));
  EXPECT_EQ(faults.before_records, nullptr);
  EXPECT_NE(account.circle().vault_named("photos"), nullptr);
  archive::Findings findings;
  EXPECT_EQ(must(account.snapshots("main", findings)).size(), 2U);
}

TEST_F(Straddle, AnothersSnapshotIsKeptUnderTheNewOne) {
  save_while([&] {
    auto desk = must(vault::Account::open(story_.desk_home, *story_.store, story_.clock));
    backup_id(desk, story_.folder / "data");
  });
  auto account = must(vault::Account::open(story_.home, *story_.store, story_.clock));
  archive::Findings findings;
  EXPECT_EQ(must(account.snapshots("main", findings)).size(), 3U);
  EXPECT_TRUE(findings.problems.empty());
}

TEST_F(Straddle, ADeviceRemovedInMidBackupCommitsNothing) {
  Faults faults;
  FaultyStore store(*story_.store, faults);
  auto account = must(vault::Account::open(story_.home, store, story_.clock));
  faults.before_record = [&] {
    auto desk = must(vault::Account::open(story_.desk_home, *story_.store, story_.clock));
    must_do(desk.remove_devices({"laptop"}));
  };
  const auto refused = save(account, story_.folder / "data");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kDenied);
  auto desk = must(vault::Account::open(story_.desk_home, *story_.store, story_.clock));
  archive::Findings findings;
  EXPECT_EQ(must(desk.snapshots("main", findings)).size(), 1U);
}

// ---- clocks ----

TEST(WrongClock, AYearOffStopsAdmissionInWordsAndNothingElse) {
  Folder folder;
  const ManualClock right(1'795'000'000'000);
  const ManualClock wrong(right.now() - std::int64_t{365} * 24 * 3600 * 1000);
  auto store = store::open_memory();
  vault::Home home = new_home(folder / "laptop");
  write(folder / "data/a", "alpha");
  auto begun = must(vault::init(home, *store, right, {"me", "laptop", "ZZ"}));
  vault::Home desk_home = new_home(folder / "desk");
  auto asking = must(vault::Join::start(desk_home, *store, wrong, "me", "desk"));
  const auto refused = begun.account.approve(asking.code(), 1000);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("clock"), std::string::npos);
  EXPECT_EQ(begun.account.circle().members().size(), 1U);

  auto late = must(vault::Account::open(home, *store, wrong));
  backup_id(late, folder / "data");
  restore_to(late, folder / "data", folder / "out");
  EXPECT_EQ(read(folder / "out/a"), "alpha");
}

}  // namespace
}  // namespace holdfast
