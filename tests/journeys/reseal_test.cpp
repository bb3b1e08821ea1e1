// After a reader went: the tables of keys written anew, and the packs sealed again under keys that
// it never had; also where a thief says that it did so. docs/decisions/0015-reseal.md
#include <list>

#include "hostile/hostile_member.h"
#include "journeys/faulty_store.h"
#include "support/service_place.h"

namespace holdfast {
namespace {

constexpr std::int64_t kDay_ms = 24LL * 60 * 60 * 1000;

class MovedClock final : public Clock {
 public:
  TimeMs now() const override { return SystemClock().now() + ahead_.load(); }
  void advance(TimeMs by) { ahead_ += by; }

 private:
  std::atomic<TimeMs> ahead_ = 0;
};

class Reseal : public ::testing::TestWithParam<Place> {
 protected:
  Reseal() : laptop_home_(new_home(folder_ / "laptop")), nas_home_(new_home(folder_ / "nas")) {
    write(data() + "/a.txt", "alpha");
    write(data() + "/sub/b.bin", std::string(600'000, 'b') + "end");
    auto begun = must(vault::init(laptop_home_, *store_, *clock_, {"me", "laptop", "ZZ"}));
    recovery_.emplace(std::move(begun.recovery));
    laptop_.emplace(std::move(begun.account));
    join(*laptop_, nas_home_, *store_, *clock_, "nas");
    backup_id(*laptop_, data());
    write(data() + "/a.txt", "alpha and more");
    backup_id(*laptop_, data());
    must_do(laptop_->sync());
  }

  std::string data() const { return folder_ / "data"; }
  bool deletes() const { return GetParam() != Place::kDirect; }
  void wait_and_sweep(std::int64_t ms) {
    clock_->advance(ms);
    service_.sweep();
  }
  hostile::HostileMember thief() { return {nas_home_, *store_, *clock_, "main"}; }
  vault::Account::ResealReport reseal(vault::Account& account,
                                      const vault::Account::ResealOptions& options = {}) {
    archive::Progress progress;
    return must(account.reseal(options, progress));
  }
  // Of these packs, those that the store still has in an object which its key opens.
  std::size_t readable(const hostile::HostileMember& reader,
                       const std::vector<archive::PackKeyEntry>& keys) {
    const auto session = must(store_->open_account("me", vault::caller(laptop_home_.device_key())));
    std::size_t count = 0;
    for (const archive::PackKeyEntry& entry : keys) {
      const archive::PackObject object = archive::object_of(entry);
      const auto sealed = session->get_pack(object.name);
      if (sealed.ok() && archive::OpenPack::open(reader.access().circle, reader.access().vault,
                                                 entry.pack, object.key, entry.kind, *sealed)
                             .ok())
        ++count;
    }
    return count;
  }
  std::vector<vault::Account::Loss> losses(vault::Account& account) {
    must_do(account.sync());
    return must(account.losses());
  }
  // Every pack read, and what the newest snapshot has.
  void expect_all_there(vault::Account& account) {
    const std::string out = folder_ / ("out" + std::to_string(++outs_));
    restore_to(account, data(), out);
    EXPECT_EQ(read(out + "/a.txt"), read(data() + "/a.txt"));
    EXPECT_EQ(read(out + "/sub/b.bin"), read(data() + "/sub/b.bin"));
    archive::Progress progress;
    const auto report = must(account.check("main", 100, progress));
    for (const auto& problem : report.findings.problems)
      ADD_FAILURE() << problem.path << ": " << problem.reason;
    archive::Findings findings;
    EXPECT_GE(must(account.snapshots("main", findings)).size(), 2U);
    EXPECT_TRUE(findings.problems.empty());
  }
  vault::Account bare_device() {
    vault::Home& home = homes_.emplace_back(new_home(folder_ / ("bare" + std::to_string(++outs_))));
    vault::RecoverOptions options{"bare" + std::to_string(outs_), {}};
    must_do(laptop_->sync());
    for (const circle::Device* const member : laptop_->circle().members())
      if (member->info.name != "nas") options.keep.push_back(member->info.name);
    return must(vault::recover(home, *store_, *clock_, *recovery_, options));
  }

  Folder folder_;
  const std::shared_ptr<MovedClock> clock_ = std::make_shared<MovedClock>();
  ServicePlace service_{GetParam(), clock_};
  std::unique_ptr<api::Store> store_ = service_.store();
  vault::Home laptop_home_;
  vault::Home nas_home_;
  std::list<vault::Home> homes_;
  std::optional<keys::RecoveryKey> recovery_;
  std::optional<vault::Account> laptop_;
  int outs_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Places, Reseal, ::testing::Values(Place::kDirect, Place::kService),
                         place_name);

// The device alone judges here, and the packs are large: a line in between shows no more.
class ResealDirect : public Reseal {};
INSTANTIATE_TEST_SUITE_P(Places, ResealDirect, ::testing::Values(Place::kDirect), place_name);

TEST_P(Reseal, NothingIsExposedWhileNobodyWent) {
  EXPECT_EQ(must(laptop_->exposure("main")).packs, 0U);
  EXPECT_FALSE(must(laptop_->exposure("main")).since_ms);
  must_do(laptop_->rotate());
  const auto after = must(laptop_->exposure("main"));
  EXPECT_EQ(after.packs, 0U) << "the readers are those that were";
  EXPECT_GT(after.total_packs, 0U);
  EXPECT_EQ(after.old_tables, 2U);
  const auto report = reseal(*laptop_);
  EXPECT_EQ(report.packs, 0U);
  EXPECT_EQ(report.records, 1U) << "the tables are written anew all the same";
  EXPECT_EQ(report.left.old_tables, 0U);
  EXPECT_EQ(reseal(*laptop_).records, 0U);
}

TEST_P(Reseal, ARekeyWritesTheTablesAndNoPack) {
  must_do(laptop_->remove_devices({"nas"}));
  const auto before = must(laptop_->exposure("main"));
  EXPECT_EQ(before.packs, before.total_packs);
  EXPECT_TRUE(before.since_ms);
  const auto report = must(laptop_->rekey("main"));
  EXPECT_TRUE(report.written);
  EXPECT_EQ(report.entries, before.total_packs);
  const auto after = must(laptop_->exposure("main"));
  EXPECT_EQ(after.packs, before.packs) << "the keys of the packs are those that were";
  EXPECT_EQ(after.old_tables, 0U);
  EXPECT_FALSE(must(laptop_->rekey("main")).written);
  EXPECT_TRUE(losses(*laptop_).empty());
  wait_and_sweep(15 * kDay_ms);
  auto bare = bare_device();
  expect_all_there(bare);
}

TEST_P(Reseal, AfterItNoFormerReaderHasAKey) {
  auto nas = thief();
  const auto keys = nas.all_keys();
  must_do(laptop_->remove_devices({"nas"}));
  EXPECT_GT(readable(nas, keys), 0U);
  const auto report = reseal(*laptop_);
  EXPECT_GT(report.packs, 0U);
  EXPECT_EQ(report.skipped, 0U);
  EXPECT_EQ(report.left.packs, 0U);
  EXPECT_EQ(report.left.total_packs, keys.size());
  EXPECT_TRUE(losses(*laptop_).empty());
  expect_all_there(*laptop_);
  EXPECT_EQ(reseal(*laptop_).packs, 0U);
  // A folder deletes nothing: its owner does.
  wait_and_sweep(15 * kDay_ms);
  EXPECT_EQ(readable(nas, keys) == 0, deletes());
  write(data() + "/c.txt", "gamma");
  backup_id(*laptop_, data());
  expect_all_there(*laptop_);
  auto bare = bare_device();
  expect_all_there(bare);
  // The one that recovered took nobody out who could read, but the recovery key of before stays.
  EXPECT_EQ(must(bare.exposure("main")).packs, 0U);
}

TEST_P(Reseal, AnotherDeviceIsToldOfNoTheft) {
  vault::Home desk_home = new_home(folder_ / "desk");
  auto desk = join(*laptop_, desk_home, *store_, *clock_, "desk");
  expect_all_there(desk);
  must_do(laptop_->remove_devices({"nas"}));
  vault::Account::ResealOptions slowly;
  slowly.commit_packs = 1;
  const auto report = reseal(*laptop_, slowly);
  EXPECT_EQ(report.records, report.packs);
  EXPECT_TRUE(losses(desk).empty());
  expect_all_there(desk);
  wait_and_sweep(15 * kDay_ms);
  EXPECT_TRUE(losses(desk).empty());
  expect_all_there(desk);
}

TEST_P(Reseal, StopsWhereItIsToldAndGoesOn) {
  must_do(laptop_->remove_devices({"nas"}));
  vault::Account::ResealOptions little;
  little.until_bytes = 1;
  const auto before = must(laptop_->exposure("main"));
  const auto first = reseal(*laptop_, little);
  EXPECT_EQ(first.packs, 1U);
  EXPECT_EQ(first.left.packs, before.packs - 1);
  const auto rest = reseal(*laptop_);
  EXPECT_EQ(rest.packs, before.packs - 1);
  EXPECT_EQ(rest.left.packs, 0U);
  expect_all_there(*laptop_);
}

TEST_P(Reseal, KeepsToItsRate) {
  must_do(laptop_->remove_devices({"nas"}));
  vault::Account::ResealOptions slowly;
  slowly.bytes_per_second = 20'000;
  const auto start = std::chrono::steady_clock::now();
  const auto report = reseal(*laptop_, slowly);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_GT(report.stored_bytes, 4'000U);
  EXPECT_GT(took.count(), 0.1);
}

// What was sent is used, though no record names it.
TEST_P(Reseal, GoesOnFromWhatWasSent) {
  must_do(laptop_->remove_devices({"nas"}));
  {
    Faults faults;
    FaultyStore faulty(*store_, faults);
    auto account = must(vault::Account::open(laptop_home_, faulty, *clock_));
    faults.writes_left = 5;
    archive::Progress progress;
    EXPECT_FALSE(account.reseal({}, progress).ok());
  }
  auto again = must(vault::Account::open(laptop_home_, *store_, *clock_));
  const auto report = reseal(again);
  EXPECT_EQ(report.resumed_packs, 4U);
  EXPECT_EQ(report.left.packs, 0U);
  expect_all_there(again);
}

// ---- beside others ----

// Its packs lie elsewhere by the time it commits; it sends no data again.
TEST_P(Reseal, ABackupThatItOvertookGoesOn) {
  vault::Home desk_home = new_home(folder_ / "desk");
  auto desk = join(*laptop_, desk_home, *store_, *clock_, "desk");
  must_do(laptop_->remove_devices({"nas"}));
  write(data() + "/new.bin", std::string(700'000, 'n') + "end");
  Faults faults;
  FaultyStore faulty(*store_, faults);
  auto account = must(vault::Account::open(laptop_home_, faulty, *clock_));
  faults.before_record = [&] {
    must_do(desk.sync());
    reseal(desk);
  };
  archive::Progress progress;
  vault::Account::BackupOptions options;
  options.walk.roots = {data()};
  const auto report = must(account.backup(options, progress));
  EXPECT_EQ(faults.before_record, nullptr);
  EXPECT_EQ(report.resumed_packs, 0U) << "it was not made again";
  expect_all_there(account);
  wait_and_sweep(15 * kDay_ms);
  auto bare = bare_device();
  restore_to(bare, data(), folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/new.bin"), read(data() + "/new.bin"));
  expect_all_there(bare);
  EXPECT_TRUE(losses(account).empty());
}

// Each did the same work: one of them counts, and all is there.
TEST_P(Reseal, TwoAtOnce) {
  vault::Home desk_home = new_home(folder_ / "desk");
  auto desk = join(*laptop_, desk_home, *store_, *clock_, "desk");
  must_do(laptop_->remove_devices({"nas"}));
  Faults faults;
  FaultyStore faulty(*store_, faults);
  auto account = must(vault::Account::open(laptop_home_, faulty, *clock_));
  faults.before_record = [&] {
    must_do(desk.sync());
    reseal(desk);
  };
  EXPECT_EQ(reseal(account).left.packs, 0U);
  EXPECT_EQ(faults.before_record, nullptr);
  EXPECT_TRUE(losses(account).empty());
  EXPECT_TRUE(losses(desk).empty());
  wait_and_sweep(15 * kDay_ms);
  expect_all_there(desk);
  auto bare = bare_device();
  expect_all_there(bare);
}

TEST_P(Reseal, ARemovalInTheMiddleLeavesWhatWasSealedBefore) {
  vault::Home desk_home = new_home(folder_ / "desk");
  auto desk = join(*laptop_, desk_home, *store_, *clock_, "desk");
  must_do(desk.remove_devices({"nas"}));
  Faults faults;
  FaultyStore faulty(*store_, faults);
  auto account = must(vault::Account::open(laptop_home_, faulty, *clock_));
  faults.before_record = [&] { must_do(account.remove_devices({"desk"})); };
  const auto report = reseal(account);
  EXPECT_EQ(report.left.packs, report.packs) << "desk could read their keys";
  EXPECT_EQ(reseal(account).left.packs, 0U);
  expect_all_there(account);
}

// ---- a thief who says that it resealed ----

TEST_P(Reseal, ARekeyThatHidesPacksIsToldAndUndone) {
  auto nas = thief();
  const auto everything = nas.everything();
  nas.record([&](circle::Record& record) {
    record.kind = circle::RecordKind::kRekey;
    record.key_segments.clear();
    record.index_segments.clear();
    record.dropped = everything;
  });
  const auto found = losses(*laptop_);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].n, 3U);
  EXPECT_EQ(found[0].packs, everything.size());
  must_do(laptop_->remove_devices({"nas"}));
  EXPECT_EQ(must(laptop_->undo("main", 3)).gone, 0U);
  EXPECT_TRUE(losses(*laptop_).empty());
  wait_and_sweep(15 * kDay_ms);
  expect_all_there(*laptop_);
  EXPECT_EQ(reseal(*laptop_).left.packs, 0U);
  wait_and_sweep(15 * kDay_ms);
  auto bare = bare_device();
  expect_all_there(bare);
}

// Whatever the new tables say instead of the truth.
TEST_P(Reseal, ARekeyThatLiesIsToldAndUndone) {
  using Lie = hostile::HostileMember::FalseTables;
  for (const Lie lie : {Lie::kMissingObjects, Lie::kSwappedObjects, Lie::kWrongKeys, Lie::kNoise,
                        Lie::kOtherKind}) {
    SCOPED_TRACE(static_cast<int>(lie));
    const std::uint64_t n = thief().rekey_falsely(lie);
    const auto found = losses(*laptop_);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].n, n);
    EXPECT_GT(found[0].unlisted, 0U);
    EXPECT_GT(found[0].packs, 0U) << "and what it dropped is no old object";
    archive::Progress progress;
    const auto refused = laptop_->reseal({}, progress);
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find("holdfast undo " + std::to_string(n)),
              std::string::npos);
    EXPECT_EQ(must(laptop_->undo("main", n)).gone, 0U);
    EXPECT_TRUE(losses(*laptop_).empty());
    wait_and_sweep(15 * kDay_ms);
    expect_all_there(*laptop_);
  }
}

// All true tables stay listed, behind false ones that count first.
TEST_P(Reseal, FalseTablesInFrontOfTrueOnesAreToldAndUndone) {
  thief().list_false_tables_first(hostile::HostileMember::FalseTables::kMissingObjects, 4);
  const auto found = losses(*laptop_);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_GT(found[0].unlisted, 0U);
  must(laptop_->undo("main", 3));
  EXPECT_TRUE(losses(*laptop_).empty());
  expect_all_there(*laptop_);
  backup_id(*laptop_, data());
  expect_all_there(*laptop_);
}

// What somebody lists a pack as, in front of what it is, decides nothing: the owner's reseal keeps
// each, tells no theft, and leaves none behind.
TEST_P(Reseal, AnObjectOfAnotherKindInFrontHidesNoPack) {
  vault::Home desk_home = new_home(folder_ / "desk");
  auto desk = join(*laptop_, desk_home, *store_, *clock_, "desk");
  thief().list_false_tables_first(hostile::HostileMember::FalseTables::kOtherKind, 1);
  EXPECT_TRUE(losses(desk).empty());
  expect_all_there(desk);
  must_do(laptop_->remove_devices({"nas"}));
  const auto report = reseal(*laptop_);
  EXPECT_EQ(report.skipped, 0U);
  EXPECT_EQ(report.left.packs, 0U);
  EXPECT_TRUE(losses(*laptop_).empty());
  EXPECT_TRUE(losses(desk).empty());
  wait_and_sweep(15 * kDay_ms);
  expect_all_there(*laptop_);
  expect_all_there(desk);
  auto bare = bare_device();
  expect_all_there(bare);
}

// An honest reseal before it vouches for nothing: of a hundred packs and one lie, the lie is read.
TEST_P(ResealDirect, ALieAboutOnePackAfterAnHonestResealIsTold) {
  vault::Home desk_home = new_home(folder_ / "desk");
  auto desk = join(*laptop_, desk_home, *store_, *clock_, "desk");
  vault::Home old_home = new_home(folder_ / "old");
  join(*laptop_, old_home, *store_, *clock_, "old");
  for (int i = 0; i < 30; ++i) {
    write(data() + "/a.txt", "alpha " + std::to_string(i));
    backup_id(*laptop_, data());
  }
  must_do(laptop_->remove_devices({"old"}));
  must_do(desk.sync());
  EXPECT_GE(reseal(desk).packs, 90U);
  const std::uint64_t n = thief().rekey_falsely_of_one(hostile::HostileMember::FalseTables::kNoise);
  const auto found = losses(*laptop_);
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.back().n, n);
}

// Nobody's pack is as large, but a thief's may be: the others do not wait for it.
TEST_P(ResealDirect, APackThatIsTooLargeForAnEnvelopeIsToldAndTheOthersAreSealed) {
  auto nas = thief();
  nas.largest_pack();
  nas.commit();
  must_do(laptop_->sync());
  must_do(laptop_->remove_devices({"nas"}));
  const auto report = reseal(*laptop_);
  EXPECT_EQ(report.skipped, 1U);
  EXPECT_EQ(report.left.packs, 1U);
  ASSERT_EQ(report.findings.problems.size(), 1U);
  EXPECT_NE(report.findings.problems[0].reason.find("too large"), std::string::npos);
}

// An epoch that its writer made up would make a key look as if it had never been read.
TEST_P(Reseal, ATableWithAnEpochToComeIsNoise) {
  auto nas = thief();
  const auto ref = nas.table_of_epoch(2);
  nas.record([&](circle::Record& record) {
    record.snapshot = PackId{};
    record.key_segments = {ref};
  });
  const auto found = losses(*laptop_);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_GT(found[0].unlisted, 0U);
}

// What the nas was able to do before it went, an honest device took over: it still counts as known
// to it.
TEST_P(Reseal, TablesThatTheFormerReaderWroteHideNothing) {
  thief().rekey_honestly();
  EXPECT_TRUE(losses(*laptop_).empty());
  must_do(laptop_->remove_devices({"nas"}));
  const auto exposure = must(laptop_->exposure("main"));
  EXPECT_EQ(exposure.packs, exposure.total_packs);
  EXPECT_EQ(reseal(*laptop_).left.packs, 0U);
  expect_all_there(*laptop_);
}

// Undone from before: what stood then is listed beside what stands now, and either will do.
TEST_P(Reseal, AnUndoAcrossAResealLosesNothing) {
  thief().forget_everything();
  must_do(laptop_->sync());
  must_do(laptop_->remove_devices({"nas"}));
  EXPECT_EQ(reseal(*laptop_).left.packs, 0U);
  const auto report = must(laptop_->undo("main", 3));
  EXPECT_EQ(report.snapshots, 2U);
  expect_all_there(*laptop_);
  EXPECT_GT(must(laptop_->exposure("main")).packs, 0U) << "the old objects came back";
  EXPECT_EQ(reseal(*laptop_).left.packs, 0U);
  wait_and_sweep(15 * kDay_ms);
  auto bare = bare_device();
  expect_all_there(bare);
}

TEST_P(Reseal, AnUndoAfterTheOldObjectsAreGoneLosesNothing) {
  thief().forget_everything();
  must_do(laptop_->sync());
  must_do(laptop_->remove_devices({"nas"}));
  EXPECT_EQ(reseal(*laptop_).left.packs, 0U);
  wait_and_sweep(15 * kDay_ms);
  must(laptop_->undo("main", 3));
  expect_all_there(*laptop_);
  auto bare = bare_device();
  expect_all_there(bare);
  EXPECT_EQ(reseal(bare).left.packs, 0U);
  wait_and_sweep(15 * kDay_ms);
  expect_all_there(bare);
}

}  // namespace
}  // namespace holdfast
