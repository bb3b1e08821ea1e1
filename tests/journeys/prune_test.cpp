// What is kept no longer: forgotten by rules, dropped, deleted; beside backups that run, in the
// hands of a thief, and with a store that fails at every step. docs/decisions/0016-prune.md
#include <list>
#include <random>

#include "hostile/hostile_member.h"
#include "journeys/faulty_store.h"
#include "support/service_place.h"

namespace holdfast {
namespace {

constexpr std::int64_t kDayInMs = 24LL * 60 * 60 * 1000;

class AdvancedClock final : public Clock {
 public:
  TimeMs now() const override { return SystemClock().now() + ahead_.load(); }
  void advance(TimeMs by) { ahead_ += by; }

 private:
  std::atomic<TimeMs> ahead_ = 0;
};

// Two devices, and three snapshots of the laptop's, each with a file of its own.
class Prune : public ::testing::TestWithParam<Place> {
 protected:
  Prune() : laptop_home_(new_home(folder_ / "laptop")), nas_home_(new_home(folder_ / "nas")) {
    auto begun = must(vault::init(laptop_home_, *store_, *clock_, {"me", "laptop", "ZZ"}));
    recovery_.emplace(std::move(begun.recovery));
    laptop_.emplace(std::move(begun.account));
    nas_.emplace(join(*laptop_, nas_home_, *store_, *clock_, "nas"));
    write(data() + "/stays.bin", std::string(700'000, 's') + "end");
    for (const char c : {'a', 'b', 'c'}) {
      write(data() + "/changes.bin", random_text(900'000, c));
      backup_id(*laptop_, data());
    }
  }

  static std::string random_text(std::size_t size, unsigned seed) {
    std::mt19937_64 random(seed);
    std::string text(size, ' ');
    for (char& c : text) c = static_cast<char>(random());
    return text;
  }
  std::string data() const { return folder_ / "data"; }
  bool deletes() const { return GetParam() != Place::kDirect; }
  void wait_and_sweep(std::int64_t ms) {
    clock_->advance(ms);
    service_.sweep();
  }
  vault::Account::ForgetReport keep_last(vault::Account& account, unsigned last) {
    vault::Account::ForgetOptions options;
    options.keep.last = last;
    return must(account.forget(options));
  }
  vault::Account::PruneReport prune(vault::Account& account) {
    archive::Progress progress;
    return must(account.prune({}, progress));
  }
  Result<vault::Account::BackupReport> backup(vault::Account& account) {
    archive::Progress progress;
    vault::Account::BackupOptions options;
    options.walk.roots = {data()};
    return account.backup(options, progress);
  }
  std::vector<vault::Account::Loss> losses(vault::Account& account) {
    must_do(account.sync());
    return must(account.losses());
  }
  std::size_t shown(vault::Account& account) {
    archive::Findings findings;
    const auto all = must(account.snapshots("main", findings));
    EXPECT_TRUE(findings.problems.empty());
    return all.size();
  }
  // Every pack read, and the newest snapshot restored.
  void expect_sound(vault::Account& account) {
    must_do(account.sync());
    archive::Progress progress;
    const auto report = must(account.check("main", 100, progress));
    for (const auto& problem : report.findings.problems)
      ADD_FAILURE() << problem.path << ": " << problem.reason;
    const std::string out = folder_ / ("out" + std::to_string(++outs_));
    restore_to(account, data(), out);
    EXPECT_TRUE(read(out + "/stays.bin") == read(data() + "/stays.bin"));
    EXPECT_TRUE(read(out + "/changes.bin") == read(data() + "/changes.bin"));
  }
  std::unique_ptr<api::Session> session() {
    return must(store_->open_account("me", vault::caller(laptop_home_.device_key())));
  }
  std::size_t there(const std::vector<PackId>& packs) {
    const auto have = must(session()->have_packs(packs));
    return static_cast<std::size_t>(std::ranges::count(have, true));
  }
  vault::Account bare_device() {
    vault::Home& home = homes_.emplace_back(new_home(folder_ / ("bare" + std::to_string(++outs_))));
    must_do(laptop_->sync());
    vault::RecoverOptions options{"bare" + std::to_string(outs_), {}};
    for (const circle::Device* const member : laptop_->circle().members())
      options.keep.push_back(member->info.name);
    return must(vault::recover(home, *store_, *clock_, *recovery_, options));
  }

  Folder folder_;
  const std::shared_ptr<AdvancedClock> clock_ = std::make_shared<AdvancedClock>();
  ServicePlace service_{GetParam(), clock_};
  std::unique_ptr<api::Store> store_ = service_.store();
  vault::Home laptop_home_;
  vault::Home nas_home_;
  std::list<vault::Home> homes_;
  std::optional<keys::RecoveryKey> recovery_;
  std::optional<vault::Account> laptop_;
  std::optional<vault::Account> nas_;
  int outs_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Places, Prune, ::testing::Values(Place::kDirect, Place::kService),
                         place_name);
// What a store in memory cannot show, for it has the machine's clock.
class PruneService : public Prune {};
INSTANTIATE_TEST_SUITE_P(Places, PruneService, ::testing::Values(Place::kService), place_name);
// Where it is the same at every store.
class PruneDirect : public Prune {};
INSTANTIATE_TEST_SUITE_P(Places, PruneDirect, ::testing::Values(Place::kDirect), place_name);

TEST_P(Prune, WhileAllIsShownNothingIsGarbage) {
  const auto report = prune(*laptop_);
  EXPECT_EQ(report.packs, 0U);
  EXPECT_EQ(report.records, 0U);
  EXPECT_EQ(report.skipped, 0U);
  EXPECT_GT(report.kept_packs, 0U);
}

TEST_P(Prune, ForgetsByRulesAndByName) {
  vault::Account::ForgetOptions options;
  options.keep.last = 1;
  options.dry_run = true;
  EXPECT_EQ(must(laptop_->forget(options)).forgotten.size(), 2U);
  EXPECT_EQ(shown(*laptop_), 3U) << "a dry run";
  EXPECT_EQ(keep_last(*laptop_, 2).forgotten.size(), 1U);
  EXPECT_EQ(shown(*laptop_), 2U);
  EXPECT_TRUE(keep_last(*laptop_, 2).forgotten.empty());
  vault::Account::ForgetOptions by_name;
  by_name.which = {must(laptop_->find_snapshot("main", "latest")).id.hex().substr(0, 12)};
  EXPECT_EQ(must(laptop_->forget(by_name)).forgotten.size(), 1U);
  EXPECT_EQ(shown(*laptop_), 1U);
  by_name.which = {"latest"};
  EXPECT_EQ(laptop_->forget(by_name).error().code, Code::kInvalid);
  by_name.which = {"00000000"};
  EXPECT_EQ(laptop_->forget(by_name).error().code, Code::kNotFound);
}

TEST_P(Prune, RulesHoldForEachDeviceAndForTags) {
  backup_id(*nas_, data());
  archive::Progress progress;
  vault::Account::BackupOptions backup;
  backup.walk.roots = {data()};
  backup.tags = {"monthly"};
  for (int i = 0; i < 2; ++i) must(nas_->backup(backup, progress));
  vault::Account::ForgetOptions options;
  options.keep.last = 1;
  options.tags = {"monthly"};
  EXPECT_EQ(must(nas_->forget(options)).forgotten.size(), 1U);
  options.tags.clear();
  const auto rest = must(nas_->forget(options));
  EXPECT_EQ(rest.kept.size(), 2U) << "one of each device";
  EXPECT_EQ(rest.forgotten.size(), 3U);
}

// The service's clock counts, whatever a machine that was taken over says of its own.
TEST_P(PruneService, SnapshotsOfManyDaysMadeInOneMinutePushNothingOut) {
  clock_->advance(kDayInMs);
  backup_id(*laptop_, data());
  // Forged: from the same device, of days to come.
  hostile::HostileMember forger(laptop_home_, *store_, *clock_, "main");
  const auto root = std::get<circle::Taken>(forger.newest().act).root;
  for (int i = 1; i < 6; ++i)
    forger.record([&](circle::Record& record) {
      record.snapshot = root;
      record.time_ms += i * kDayInMs;
    });
  vault::Account::ForgetOptions options;
  options.keep.daily = 2;
  const auto report = must(laptop_->forget(options));
  std::vector<std::uint64_t> kept;
  for (const auto& one : report.kept) kept.push_back(one.n);
  EXPECT_TRUE(std::ranges::find(kept, 3U) != kept.end())
      << "the last one of the first day, and not only " << ::testing::PrintToString(kept);
}

TEST_P(Prune, DropsWhatNothingNeedsAndTheStoreDeletesItAfterTheGrace) {
  hostile::HostileMember view(nas_home_, *store_, *clock_, "main");
  const auto before = view.everything();
  EXPECT_EQ(keep_last(*laptop_, 1).forgotten.size(), 2U);
  const auto report = prune(*laptop_);
  EXPECT_EQ(report.records, 1U);
  EXPECT_GT(report.bytes, 900'000U) << "what only the second one had";
  EXPECT_EQ(report.skipped, 0U);
  EXPECT_EQ(there(before), before.size()) << "nothing goes before the grace is over";
  const auto again = prune(*laptop_);
  EXPECT_EQ(again.records, 0U) << "it leaves no garbage of its own";
  expect_sound(*laptop_);
  wait_and_sweep(13 * kDayInMs);
  EXPECT_EQ(there(before), before.size());
  wait_and_sweep(2 * kDayInMs);
  EXPECT_EQ(there(before) < before.size(), deletes());
  expect_sound(*laptop_);
  backup_id(*laptop_, data());
  expect_sound(*nas_);
  auto bare = bare_device();
  expect_sound(bare);
  EXPECT_EQ(prune(bare).skipped, 0U);
}

TEST_P(Prune, ADryRunSaysHowMuch) {
  keep_last(*laptop_, 1);
  archive::Progress progress;
  const auto dry = must(laptop_->prune({"main", true}, progress));
  EXPECT_EQ(dry.records, 0U);
  const auto real = prune(*laptop_);
  EXPECT_EQ(dry.packs, real.packs);
  EXPECT_EQ(dry.bytes, real.bytes);
}

// Its parts do not fit into one list: the lists are chunks of their own, and needed as well.
TEST_P(Prune, AFileOfManyPartsKeepsItsLists) {
  const std::string path = data() + "/sparse.bin";
  {
    std::ofstream out(path, std::ios::binary);
    for (int i = 0; i < 1200; ++i) {
      out.seekp(std::streamoff{i} * 80 * 1024);
      out << random_text(4096, static_cast<unsigned>(i));
    }
  }
  backup_id(*laptop_, data());
  write(data() + "/changes.bin", "other");
  backup_id(*laptop_, data());
  keep_last(*laptop_, 1);
  EXPECT_GT(prune(*laptop_).packs, 0U);
  wait_and_sweep(15 * kDayInMs);
  expect_sound(*laptop_);
}

// One file of twenty is left in a pack: it moves, and the pack goes.
TEST_P(Prune, WhatIsNeededOfAPackThatIsMostlyGarbageMoves) {
  const std::string part = data() + "/part";
  for (unsigned i = 0; i < 20; ++i) write(part + std::to_string(i), random_text(300'000, i));
  backup_id(*laptop_, data());
  for (unsigned i = 1; i < 20; ++i) fs::remove(part + std::to_string(i));
  backup_id(*laptop_, data());
  keep_last(*laptop_, 1);
  archive::Progress progress;
  const auto wasteful = must(laptop_->prune({"main", true, 100}, progress));
  EXPECT_EQ(wasteful.moved_packs, 0U);
  const auto dry = must(laptop_->prune({"main", true}, progress));
  EXPECT_GE(dry.moved_bytes, 300'000U);
  EXPECT_GT(dry.packs, wasteful.packs);
  const auto report = prune(*laptop_);
  EXPECT_EQ(report.moved_packs, dry.moved_packs);
  EXPECT_EQ(report.moved_bytes, dry.moved_bytes);
  EXPECT_LT(report.stored_bytes, report.bytes) << "no more is sent than goes";
  EXPECT_EQ(report.skipped, 0U);
  EXPECT_EQ(prune(*laptop_).records, 0U) << "it leaves no garbage of its own";
  wait_and_sweep(15 * kDayInMs);
  expect_sound(*laptop_);
  EXPECT_TRUE(read(folder_ / "out1/part0") == read(part + "0"));
  EXPECT_EQ(must(backup(*laptop_)).resumed_packs, 0U) << "nothing is on its way any more";
  auto bare = bare_device();
  expect_sound(bare);
}

// Everything may be forgotten: a vault without a snapshot needs nothing.
TEST_P(Prune, AVaultWithNothingToShowKeepsNothing) {
  hostile::HostileMember(nas_home_, *store_, *clock_, "main").forget_everything();
  must_do(laptop_->sync());
  EXPECT_EQ(prune(*laptop_).kept_packs, 0U);
  wait_and_sweep(15 * kDayInMs);
  backup_id(*laptop_, data());
  expect_sound(*laptop_);
}

// ---- beside a backup ----

// What it would have built on is dropped before it commits: it sends that again.
TEST_P(Prune, ABackupThatBuildsOnGarbageIsMadeAgain) {
  keep_last(*nas_, 1);
  write(data() + "/changes.bin", random_text(900'000, 'b'));  // as in a snapshot that is forgotten
  Faults faults;
  FaultyStore faulty(*store_, faults);
  auto account = must(vault::Account::open(laptop_home_, faulty, *clock_));
  faults.before_record = [&] { EXPECT_GT(prune(*nas_).packs, 0U); };
  backup_id(account, data());
  EXPECT_EQ(faults.before_record, nullptr);
  wait_and_sweep(15 * kDayInMs);
  expect_sound(account);
  auto bare = bare_device();
  expect_sound(bare);
}

// A backup comes between what a prune saw and its record: it looks again.
TEST_P(Prune, WhatABackupTookUpMeanwhileIsNotDropped) {
  keep_last(*nas_, 1);
  must_do(laptop_->sync());
  write(data() + "/changes.bin", random_text(900'000, 'b'));
  Faults faults;
  FaultyStore faulty(*store_, faults);
  auto account = must(vault::Account::open(nas_home_, faulty, *clock_));
  faults.before_record = [&] { backup_id(*laptop_, data()); };
  const auto report = prune(account);
  EXPECT_EQ(faults.before_record, nullptr);
  EXPECT_GT(report.packs, 0U);
  expect_sound(account);
  wait_and_sweep(15 * kDayInMs);
  expect_sound(account);
  auto bare = bare_device();
  expect_sound(bare);
}

TEST_P(Prune, TwoAtOnce) {
  keep_last(*laptop_, 1);
  Faults faults;
  FaultyStore faulty(*store_, faults);
  auto account = must(vault::Account::open(laptop_home_, faulty, *clock_));
  must_do(nas_->sync());
  faults.before_record = [&] { prune(*nas_); };
  prune(account);
  wait_and_sweep(15 * kDayInMs);
  expect_sound(account);
  EXPECT_EQ(prune(account).packs, 0U);
}

// ---- in the hands of a thief ----

// Its forget and its prune are told, and come back whole.
TEST_P(Prune, AThiefsPruneIsToldAndUndone) {
  const auto snapshots = shown(*laptop_);
  hostile::HostileMember(nas_home_, *store_, *clock_, "main").forget_everything();
  must_do(nas_->sync());
  EXPECT_GT(prune(*nas_).packs, 0U);
  const auto found = losses(*laptop_);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].snapshots, snapshots);
  EXPECT_GT(found[1].packs, 0U);
  EXPECT_TRUE(found[0].recent && found[1].recent);
  EXPECT_TRUE(losses(*nas_).size() == 2 && must(nas_->losses())[0].signer == nas_->self().id)
      << "a device is not warned of what it did, but can undo it";
  must_do(laptop_->remove_devices({"nas"}));
  const auto undone = must(laptop_->undo("main", found[0].n));
  EXPECT_EQ(undone.gone, 0U);
  EXPECT_EQ(undone.snapshots, snapshots);
  EXPECT_TRUE(losses(*laptop_).empty());
  wait_and_sweep(15 * kDayInMs);
  EXPECT_EQ(shown(*laptop_), snapshots);
  expect_sound(*laptop_);
}

// It is told for the grace since a device saw it, and not after that.
TEST_P(Prune, AnHonestPruneIsForgottenInTheEnd) {
  keep_last(*laptop_, 1);
  prune(*laptop_);
  clock_->advance(5 * kDayInMs);
  EXPECT_FALSE(losses(*nas_).empty());
  wait_and_sweep(15 * kDayInMs);
  for (const auto& loss : losses(*nas_)) {
    EXPECT_FALSE(loss.recent);
    EXPECT_EQ(loss.unlisted + loss.unread, 0U);
  }
  expect_sound(*nas_);
  EXPECT_EQ(prune(*nas_).skipped, 0U);
}

// A stolen device lists places of its own for everything, so that what all snapshots need looks
// like garbage to whoever believes it.
TEST_P(Prune, AFalseIndexMakesNobodyDropWhatIsNeeded) {
  hostile::HostileMember thief(nas_home_, *store_, *clock_, "main");
  thief.list_false_places();
  const auto needed = thief.everything();
  must_do(laptop_->sync());
  archive::Progress progress;
  const auto report = laptop_->prune({}, progress);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->packs, 0U);
  EXPECT_GT(report->skipped, 0U) << "they look like garbage";
  wait_and_sweep(15 * kDayInMs);
  EXPECT_EQ(there(needed), needed.size());
}

TEST_P(Prune, NothingIsDroppedWhileARecordIsToBeUndone) {
  hostile::HostileMember(nas_home_, *store_, *clock_, "main").list_nothing();
  must_do(laptop_->sync());
  archive::Progress progress;
  const auto refused = laptop_->prune({}, progress);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kInvalid);
}

// Packs of another vault in this one's tables: only what opens as this vault's is dropped.
TEST_P(Prune, AnotherVaultsPacksAreNotDropped) {
  must_do(laptop_->create_vault("photos", false));
  archive::Progress progress;
  vault::Account::BackupOptions options;
  options.vault = "photos";
  options.walk.roots = {data()};
  must(laptop_->backup(options, progress));
  must_do(nas_->sync());
  hostile::HostileMember photos(nas_home_, *store_, *clock_, "photos");
  const auto needed = photos.everything();
  hostile::HostileMember thief(nas_home_, *store_, *clock_, "main");
  thief.list_keys(photos.all_keys());
  must_do(laptop_->sync());
  keep_last(*laptop_, 1);
  EXPECT_GT(prune(*laptop_).skipped, 0U);
  wait_and_sweep(15 * kDayInMs);
  EXPECT_EQ(there(needed), needed.size());
}

// ---- damage ----

// A pack is gone: what is whole goes on, and the next backup sends the rest again.
TEST_P(Prune, WhatIsWholeOfADamagedVaultGoesOn) {
  hostile::HostileMember view(nas_home_, *store_, *clock_, "main");
  std::vector<PackId> contents;
  for (const auto& entry : view.all_keys())
    if (entry.kind == archive::PackKind::kData) contents.push_back(entry.pack);
  ASSERT_FALSE(contents.empty());
  Faults faults;
  FaultyStore losing(*store_, faults);
  faults.lost_pack = contents[0];
  auto account = must(vault::Account::open(nas_home_, losing, *clock_));
  archive::Progress progress;
  const auto damage = must(account.check("main", 100, progress));
  std::set<Digest> damaged;
  for (const auto& one : damage.damaged) damaged.insert(one.snapshot);
  EXPECT_FALSE(damaged.empty());
  const auto report = must(account.repair("main", progress));
  EXPECT_EQ(report.damaged, 1U);
  EXPECT_EQ(report.salvaged.size(), damaged.size());
  std::size_t left_out = 0;
  for (const auto& one : report.salvaged) left_out += one.left_out;
  EXPECT_EQ(left_out, damage.damaged.size());
  EXPECT_TRUE(report.lost.empty());
  EXPECT_EQ(must(account.repair("main", progress)).damaged, 0U) << "it is done";
  const auto after = must(account.check("main", 100, progress));
  for (const auto& problem : after.findings.problems)
    ADD_FAILURE() << problem.path << ": " << problem.reason;
  backup_id(account, data());
  wait_and_sweep(15 * kDayInMs);
  const auto last = must(account.find_snapshot("main", "latest"));
  EXPECT_EQ(last.root.files, 2U);
  EXPECT_TRUE(must(account.check("main", 100, progress)).findings.problems.empty());
  restore_to(account, data(), folder_ / "whole");
  EXPECT_TRUE(read(folder_ / "whole/stays.bin") == read(data() + "/stays.bin"));
  EXPECT_TRUE(read(folder_ / "whole/changes.bin") == read(data() + "/changes.bin"));
}

TEST_P(Prune, ARepairOfAWholeVaultChangesNothing) {
  archive::Progress progress;
  const auto before = must(session()->read_records(laptop_->circle().vaults()[0].id, 1)).size();
  const auto report = must(laptop_->repair("main", progress));
  EXPECT_EQ(report.damaged + report.given_back + report.salvaged.size() + report.lost.size(), 0U);
  EXPECT_EQ(must(session()->read_records(laptop_->circle().vaults()[0].id, 1)).size(), before);
}

// A share by bytes: never nothing, and near what was asked.
TEST_P(Prune, ACheckSamplesByBytes) {
  archive::Progress progress;
  const auto all = must(laptop_->check("main", 100, progress));
  EXPECT_EQ(all.packs_read, all.packs);
  const auto none = must(laptop_->check("main", 0, progress));
  EXPECT_EQ(none.packs_read, 0U);
  const auto some = must(laptop_->check("main", 1, progress));
  EXPECT_GT(some.packs_read, 0U);
  EXPECT_LT(some.bytes_read, all.bytes_read);
}

// ---- a store that fails ----

// At every write, lost or applied and reported lost: nothing that is shown is lost, and done again
// it ends.
TEST_P(Prune, FailsAtEveryStepAndLosesNothing) {
  for (const Lost lost : {Lost::kCall, Lost::kAnswer}) {
    for (int k = 1;; ++k) {
      SCOPED_TRACE("write " + std::to_string(k) + (lost == Lost::kCall ? " lost" : " unanswered"));
      // Lists that name both what goes and what stays.
      const unsigned seed = static_cast<unsigned>(k) + (lost == Lost::kCall ? 0 : 50);
      write(data() + "/stays" + std::to_string(seed), random_text(600'000, seed));
      write(data() + "/changes.bin", random_text(600'000, 100 + seed));
      backup_id(*laptop_, data());
      Faults faults;
      faults.lost = lost;
      bool survived = false;
      {
        FaultyStore faulty(*store_, faults);
        auto account = must(vault::Account::open(nas_home_, faulty, *clock_));
        faults.writes_left = k;
        vault::Account::ForgetOptions options;
        options.keep.last = 1;
        archive::Progress progress;
        survived =
            account.forget(options).ok() && account.prune({}, progress).ok() && !faults.dead();
      }
      wait_and_sweep(15 * kDayInMs);
      auto account = must(vault::Account::open(nas_home_, *store_, *clock_));
      expect_sound(account);
      keep_last(account, 1);
      prune(account);
      wait_and_sweep(15 * kDayInMs);
      expect_sound(account);
      EXPECT_EQ(prune(account).packs, 0U);
      must_do(laptop_->sync());
      if (survived) {
        EXPECT_GT(k, 3);
        break;
      }
      ASSERT_LT(k, 50);
    }
  }
}

// The pack with what was saved last is lost; of a repair every write fails once. Done again, it
// ends.
TEST_P(PruneDirect, ARepairThatFailsAtAnyStepIsDoneAgain) {
  std::set<PackId> known;
  for (int k = 1;; ++k) {
    SCOPED_TRACE("write " + std::to_string(k));
    write(data() + "/changes.bin", random_text(600'000, 1000 + static_cast<unsigned>(k)));
    backup_id(*laptop_, data());
    Faults faults;
    must_do(nas_->sync());
    hostile::HostileMember view(nas_home_, *store_, *clock_, "main");
    for (const auto& entry : view.all_keys())
      if (entry.kind == archive::PackKind::kData && known.insert(entry.pack).second)
        faults.lost_pack = entry.pack;
    ASSERT_TRUE(faults.lost_pack.has_value());
    FaultyStore losing(*store_, faults);
    bool survived = false;
    archive::Progress progress;
    {
      auto account = must(vault::Account::open(laptop_home_, losing, *clock_));
      faults.writes_left = k;
      survived = account.repair("main", progress).ok() && !faults.dead();
    }
    faults.writes_left = -1;
    auto account = must(vault::Account::open(laptop_home_, losing, *clock_));
    must(account.repair("main", progress));
    const auto after = must(account.check("main", 100, progress));
    for (const auto& problem : after.findings.problems)
      ADD_FAILURE() << problem.path << ": " << problem.reason;
    const std::string out = folder_ / ("repaired" + std::to_string(k));
    restore_to(account, data(), out);
    EXPECT_TRUE(read(out + "/stays.bin") == read(data() + "/stays.bin"));
    if (survived) {
      EXPECT_GT(k, 4);
      break;
    }
    ASSERT_LT(k, 50);
  }
}

}  // namespace
}  // namespace holdfast
