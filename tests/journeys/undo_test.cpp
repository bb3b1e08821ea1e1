// A stolen device drops everything, with keys that open and signatures that are right. Another
// device is told, undoes it, and has everything back. docs/decisions/0013-undo.md
#include <list>

#include "hostile/hostile_member.h"
#include "support/service_place.h"

namespace holdfast {
namespace {

constexpr std::int64_t kDay = 24LL * 60 * 60 * 1000;
// In a full account; an id takes 34 bytes of it.
constexpr std::uint64_t kRoomToUndo = 6 * 1024;

// For the service and the devices, from threads.
class ShiftedClock final : public Clock {
 public:
  TimeMs now() const override { return SystemClock().now() + ahead_.load(); }
  void advance(TimeMs by) { ahead_ += by; }

 private:
  std::atomic<TimeMs> ahead_ = 0;
};

class Undo : public ::testing::TestWithParam<Place> {
 protected:
  Undo() : laptop_home_(new_home(folder_ / "laptop")), nas_home_(new_home(folder_ / "nas")) {
    write(data() + "/a.txt", "alpha");
    write(data() + "/sub/b.bin", std::string(600'000, 'b') + "end");
    auto begun = must(vault::init(laptop_home_, *store_, *clock_, {"me", "laptop", "ZZ"}));
    recovery_.emplace(std::move(begun.recovery));
    laptop_.emplace(std::move(begun.account));
    join(*laptop_, nas_home_, *store_, *clock_, "nas");
    backup_id(*laptop_, data());
    write(data() + "/a.txt", "alpha and more");
    backup_id(*laptop_, data());
    clock_->advance(kDay);
    must_do(laptop_->sync());
  }

  std::string data() const { return folder_ / "data"; }
  bool deletes() const { return GetParam() != Place::kDirect; }
  void fill_account() {
    if (auto* const service = service_.service())
      must_do(service->accounts().set_quota("me", *must(laptop_->usage()).bytes));
  }
  hostile::HostileMember thief(const std::string& vault = "main") {
    return {nas_home_, *store_, *clock_, vault};
  }
  std::vector<vault::Account::SnapshotInfo> shown(vault::Account& account) {
    archive::Findings findings;
    return must(account.snapshots("main", findings));
  }
  void wait_and_sweep(std::int64_t ms) {
    clock_->advance(ms);
    service_.sweep();
  }
  // On a device that has nothing of it, and through every check.
  void expect_all_back(vault::Account& account) {
    const std::string out = folder_ / ("out" + std::to_string(++outs_));
    restore_to(account, data(), out);
    EXPECT_EQ(read(out + "/a.txt"), read(data() + "/a.txt"));
    EXPECT_EQ(read(out + "/sub/b.bin"), read(data() + "/sub/b.bin"));
    archive::Progress progress;
    const auto report = must(account.check("main", 100, progress));
    for (const auto& problem : report.findings.problems)
      ADD_FAILURE() << problem.path << ": " << problem.reason;
  }
  vault::Account bare_device() {
    vault::Home& home = homes_.emplace_back(new_home(folder_ / ("bare" + std::to_string(++outs_))));
    return must(vault::recover(home, *store_, *clock_, *recovery_,
                               {"bare" + std::to_string(outs_), {"laptop"}}));
  }
  std::vector<vault::Account::Loss> losses(vault::Account& account) {
    must_do(account.sync());
    return must(account.losses());
  }

  Folder folder_;
  const std::shared_ptr<ShiftedClock> clock_ = std::make_shared<ShiftedClock>();
  ServicePlace service_{GetParam(), clock_, kRoomToUndo};
  std::unique_ptr<api::Store> store_ = service_.store();
  vault::Home laptop_home_;
  vault::Home nas_home_;
  std::list<vault::Home> homes_;
  std::optional<keys::RecoveryKey> recovery_;
  std::optional<vault::Account> laptop_;
  int outs_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Places, Undo, ::testing::Values(Place::kDirect, Place::kService),
                         place_name);

TEST_P(Undo, BringsBackWhatAThiefForgotAndDropped) {
  const auto before = shown(*laptop_);
  ASSERT_EQ(before.size(), 2U);
  auto nas = thief();
  const std::size_t packs = nas.everything().size();
  nas.forget_everything();
  nas.drop_everything();

  const auto found = losses(*laptop_);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].n, 3U);
  EXPECT_EQ(found[0].device, "nas");
  EXPECT_EQ(found[0].snapshots, 2U);
  EXPECT_EQ(found[1].n, 4U);
  EXPECT_EQ(found[1].packs, packs);
  EXPECT_TRUE(found[0].recent && found[1].recent);
  ASSERT_EQ(found[1].kept_until_ms.has_value(), deletes());
  if (deletes()) {
    EXPECT_LE(*found[1].kept_until_ms, clock_->now() + 14 * kDay);
    EXPECT_GT(*found[1].kept_until_ms, clock_->now() + 13 * kDay);
  }
  EXPECT_TRUE(shown(*laptop_).empty());
  const auto latest = laptop_->find_snapshot("main", "latest");
  ASSERT_FALSE(latest.ok());
  EXPECT_NE(latest.error().message.find("holdfast undo"), std::string::npos);

  wait_and_sweep(13 * kDay);
  must_do(laptop_->remove_devices({"nas"}));
  const auto report = must(laptop_->undo("main", 3));
  EXPECT_EQ(report.records, 1U);
  EXPECT_EQ(report.snapshots, 2U);
  EXPECT_EQ(report.packs, packs);
  EXPECT_GT(report.segments, 0U);
  EXPECT_EQ(report.gone, 0U);
  EXPECT_EQ(report.given_back, 0U);
  EXPECT_TRUE(losses(*laptop_).empty());
  const auto after = shown(*laptop_);
  ASSERT_EQ(after.size(), 2U);
  EXPECT_EQ(after[0].id, before[0].id);
  EXPECT_EQ(after[1].id, before[1].id);
  expect_all_back(*laptop_);
  EXPECT_EQ(laptop_->undo("main", 3).error().code, Code::kNotFound);

  // For good, and for a device that has no cache.
  wait_and_sweep(30 * kDay);
  auto bare = bare_device();
  expect_all_back(bare);
  must_do(laptop_->sync());
  write(data() + "/c.txt", "gamma");
  backup_id(*laptop_, data());
  expect_all_back(*laptop_);
}

TEST_P(Undo, TellsAfterTheGraceWhatIsGone) {
  auto nas = thief();
  nas.forget_everything();
  nas.drop_everything();
  EXPECT_EQ(losses(*laptop_).size(), 2U);
  wait_and_sweep(14 * kDay);
  // What hides snapshots can be undone for ever; what is deleted cannot. A folder deletes nothing.
  const auto found = losses(*laptop_);
  ASSERT_EQ(found.size(), deletes() ? 1U : 2U);
  EXPECT_EQ(found[0].n, 3U);
  EXPECT_EQ(found[0].snapshots, 2U);
  EXPECT_FALSE(found[0].recent) << "it is listed, and no command warns of it any more";
  const auto report = must(laptop_->undo("main", 3));
  EXPECT_EQ(report.snapshots, 2U);
  EXPECT_EQ(report.gone > 0, deletes());
  EXPECT_EQ(report.given_back > 0, deletes());  // what this device had kept of names and keys
  EXPECT_TRUE(losses(*laptop_).empty());
  if (!deletes()) return expect_all_back(*laptop_);
  archive::Progress progress;
  EXPECT_FALSE(must(laptop_->check("main", 0, progress)).findings.problems.empty());
  // What the files still have is there with the next backup.
  backup_id(*laptop_, data());
  restore_to(*laptop_, data(), folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/sub/b.bin"), read(data() + "/sub/b.bin"));
}

// A snapshot like any other that lists no keys any more; the packs go later.
TEST_P(Undo, SeesARecordThatOnlyStopsListingKeys) {
  auto nas = thief();
  const auto everything = nas.everything();
  nas.list_nothing();
  auto found = losses(*laptop_);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].n, 3U);
  EXPECT_GT(found[0].unlisted, 0U);
  nas.drop(everything);
  found = losses(*laptop_);
  ASSERT_EQ(found.size(), 1U) << "what is dropped counts once";
  EXPECT_EQ(found[0].n, 4U);

  must_do(laptop_->remove_devices({"nas"}));
  must(laptop_->undo("main", 3));
  EXPECT_TRUE(losses(*laptop_).empty());
  EXPECT_EQ(shown(*laptop_).size(), 2U);  // the thief's has no root
  wait_and_sweep(30 * kDay);
  archive::Findings findings;
  const auto snapshots = must(laptop_->snapshots("main", findings));
  archive::Progress progress;
  vault::Account::RestoreOptions options;
  options.path = data();
  options.target.directory = folder_ / "out";
  must(laptop_->restore(snapshots.back(), options, progress));
  EXPECT_EQ(read(folder_ / "out/a.txt"), "alpha and more");
}

// No place is left for those of a backup, which says so, and who did it.
TEST_P(Undo, OfAListThatAThiefFilled) {
  thief().record([](circle::Record& record) {
    record.snapshot = PackId{};
    for (std::uint32_t i = 0; record.key_segments.size() < circle::kMaxSegments; ++i) {
      PackId junk;
      junk.bytes[0] = static_cast<std::uint8_t>(i);
      junk.bytes[1] = static_cast<std::uint8_t>(i >> 8);
      record.key_segments.push_back({junk, 1});
    }
  });
  must_do(laptop_->sync());
  archive::Progress progress;
  vault::Account::BackupOptions options;
  options.walk.roots = {data()};
  const auto refused = laptop_->backup(options, progress);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("record 3 by \"nas\""), std::string::npos)
      << refused.error().message;
  // Whether the thief is out by then, or not yet.
  must(laptop_->undo("main", 3));
  backup_id(*laptop_, data());
  restore_to(*laptop_, data(), folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/a.txt"), "alpha and more");
}

// Backups of honest devices between the thief's records are not lost with them.
TEST_P(Undo, KeepsWhatHonestDevicesAddedMeanwhile) {
  auto nas = thief();
  nas.forget_everything();
  must_do(laptop_->sync());
  write(data() + "/between.txt", "between");
  backup_id(*laptop_, data());
  auto again = thief();
  again.drop_everything();
  again.record([](circle::Record& record) {
    record.kind = circle::RecordKind::kForget;
    record.forgets = {4};
  });
  must_do(laptop_->sync());
  const auto report = must(laptop_->undo("main", 3));
  EXPECT_EQ(report.snapshots, 3U);
  EXPECT_EQ(shown(*laptop_).size(), 3U);
  wait_and_sweep(15 * kDay);
  expect_all_back(*laptop_);
}

// A pack is the account's: a record of one vault may drop those of another.
TEST_P(Undo, CountsWhatARecordOfAnotherVaultDropped) {
  must_do(laptop_->create_vault("photos", false));
  auto nas = thief();
  const auto everything = nas.everything();
  thief("photos").drop(everything);
  const auto found = losses(*laptop_);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].vault, "photos");
  EXPECT_EQ(found[0].packs, everything.size());
  // A backup rests on none of them, nor do its keys.
  backup_id(*laptop_, data());
  expect_all_back(*laptop_);
  const auto report = must(laptop_->undo("photos", 1));
  EXPECT_EQ(report.packs, everything.size());
  wait_and_sweep(15 * kDay);
  EXPECT_EQ(shown(*laptop_).size(), 3U);
  expect_all_back(*laptop_);
}

// Whether it began before or after: its contents, names, keys and indexes are all sent again.
TEST_P(Undo, ABackupRestsOnNothingThatWasDropped) {
  must_do(laptop_->create_vault("photos", false));
  auto nas = thief();
  auto main = nas.everything();
  for (const bool overtaken : {false, true}) {
    thief("photos").drop(main);  // whose lists of `main` stay as they are
    if (!overtaken) must_do(laptop_->sync());
    backup_id(*laptop_, data());
    wait_and_sweep(15 * kDay);
    auto bare = bare_device();
    const std::string out = folder_ / (overtaken ? "out-overtaken" : "out-after");
    restore_to(bare, data(), out);
    EXPECT_EQ(read(out + "/a.txt"), "alpha and more");
    EXPECT_EQ(read(out + "/sub/b.bin"), read(data() + "/sub/b.bin"));
    if (overtaken) return;
    must_do(laptop_->sync());
    nas_home_ = new_home(folder_ / "nas-again");
    join(*laptop_, nas_home_, *store_, *clock_, "nas2");
    main = thief().everything();
  }
}

// The laptop has read the vault and is about to commit when the thief drops what it rests on.
TEST_P(Undo, ABackupThatADropOvertookIsMadeAgain) {
  write(data() + "/new.bin", std::string(300'000, 'n') + "end");
  thief().drop_everything();
  archive::Progress progress;
  vault::Account::BackupOptions options;
  options.walk.roots = {data()};
  const auto report = must(laptop_->backup(options, progress));
  EXPECT_TRUE(report.findings.problems.empty());
  EXPECT_GT(report.resumed_packs, 0U) << "what was sent already is sent again";
  EXPECT_EQ(progress.files, report.files);
  wait_and_sweep(15 * kDay);
  auto bare = bare_device();
  restore_to(bare, data(), folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/new.bin"), read(data() + "/new.bin"));
  EXPECT_EQ(read(folder_ / "out/sub/b.bin"), read(data() + "/sub/b.bin"));
}

// Dropped, kept and dropped again by the thief: the days begin anew, and all of it is undone.
TEST_P(Undo, OfAThiefWhoUndoesAndDropsAgain) {
  auto nas = thief();
  const auto everything = nas.everything();
  nas.drop(everything);
  wait_and_sweep(13 * kDay);
  nas.record([&](circle::Record& record) {
    record.kind = circle::RecordKind::kUndo;
    record.kept = everything;
  });
  nas.drop(everything);
  wait_and_sweep(13 * kDay);
  const auto found = losses(*laptop_);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].n, 5U);
  // This device was away since the first: the store may have begun already.
  if (deletes()) {
    EXPECT_LT(*found[0].kept_until_ms, clock_->now());
  }
  EXPECT_EQ(must(laptop_->undo("main", 3)).gone, 0U);
  wait_and_sweep(15 * kDay);
  expect_all_back(*laptop_);
}

TEST_P(Undo, ARecordFromBeforeItsRemovalIsNotTaken) {
  auto nas = thief();
  const Bytes late = nas.make_record([&](circle::Record& record) {
    record.kind = circle::RecordKind::kPrune;
    record.key_segments.clear();
    record.index_segments.clear();
    record.dropped = nas.everything();
  });
  must_do(laptop_->remove_devices({"nas"}));
  EXPECT_FALSE(nas.send_record(late).ok());
  EXPECT_TRUE(losses(*laptop_).empty());
  wait_and_sweep(15 * kDay);
  expect_all_back(*laptop_);
}

// The only other device is gone, too: back with the recovery key, and told at once.
TEST_P(Undo, ByADeviceThatCameWithTheRecoveryKey) {
  auto nas = thief();
  nas.forget_everything();
  nas.drop_everything();
  vault::Home home = new_home(folder_ / "new");
  auto back = must(vault::recover(home, *store_, *clock_, *recovery_, {"new", {}}));
  const auto found = losses(back);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_TRUE(found[0].recent);
  EXPECT_EQ(must(back.undo("main", found[0].n)).gone, 0U);
  wait_and_sweep(15 * kDay);
  expect_all_back(back);
}

// It says that the record is years old; what counts is when this device saw it.
TEST_P(Undo, ADateThatAThiefMakesUpHidesNothing) {
  thief().record([](circle::Record& record) {
    record.kind = circle::RecordKind::kForget;
    record.forgets = {1, 2};
    record.time_ms = 1000;
  });
  const auto found = losses(*laptop_);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].recent);
}

std::vector<PackId> made_up(std::uint32_t count) {
  std::vector<PackId> ids(count);  // before all real ones, in order
  for (std::uint32_t i = 0; i < count; ++i) {
    ids[i].bytes[2] = static_cast<std::uint8_t>(i >> 8);
    ids[i].bytes[3] = static_cast<std::uint8_t>(i);
  }
  return ids;
}

// More of them than a full account has room to undo, beside the real ones.
TEST_P(Undo, PacksThatAThiefMadeUpCostNothing) {
  auto nas = thief();
  const auto everything = nas.everything();
  const auto some = made_up(200);
  auto both = made_up(400);
  both.erase(both.begin(), both.begin() + 200);
  both.insert(both.end(), everything.begin(), everything.end());
  nas.drop(some);
  nas.drop(both);
  must_do(laptop_->sync());
  fill_account();

  const auto found = losses(*laptop_);
  ASSERT_EQ(found.size(), 1U) << "a record that took nothing is not told";
  EXPECT_EQ(found[0].n, 4U);
  EXPECT_EQ(found[0].packs, everything.size());
  const auto report = must(laptop_->undo("main", 3));
  EXPECT_EQ(report.records, 1U);
  EXPECT_EQ(report.packs, everything.size());
  EXPECT_EQ(report.gone, 0U);
  EXPECT_TRUE(losses(*laptop_).empty());
  EXPECT_EQ(laptop_->undo("main", 3).error().code, Code::kNotFound);
  wait_and_sweep(15 * kDay);
  EXPECT_TRUE(losses(*laptop_).empty());
  expect_all_back(*laptop_);
}

// Where the thief's packs are there, and more than there is room to undo.
TEST_P(Undo, WhatTheVaultNeedsComesFirst) {
  auto nas = thief();
  const auto everything = nas.everything();
  auto both = everything;
  for (int i = 0; i < 180; ++i) both.push_back(nas.noise(as_bytes("noise " + std::to_string(i))));
  std::ranges::sort(both);
  nas.drop(both);
  must_do(laptop_->sync());
  fill_account();
  const auto report = laptop_->undo("main", 3);
  EXPECT_EQ(report.ok(), !deletes());
  if (!report.ok()) {
    EXPECT_EQ(report.error().code, Code::kUnavailable);
    EXPECT_NE(report.error().message.find("stays"), std::string::npos) << report.error().message;
  }
  wait_and_sweep(15 * kDay);
  expect_all_back(*laptop_);
}

// Some are objects that the store has, but which open under no key of the vault.
TEST_P(Undo, OfAListThatAThiefFilledWithNoise) {
  auto nas = thief();
  const auto keys = nas.newest().key_segments;
  const auto indexes = nas.newest().index_segments;
  nas.record([&](circle::Record& record) {
    record.snapshot = PackId{};
    for (int i = 0; i < 20; ++i) {
      const PackId id = nas.noise(as_bytes("noise " + std::to_string(i)));
      record.key_segments.push_back({id, 1});
      record.index_segments.push_back(id);
    }
    for (const PackId& id : made_up(circle::kMaxSegments - 100)) {
      record.key_segments.push_back({id, 1});
      record.index_segments.push_back(id);
    }
  });
  must_do(laptop_->sync());
  must(laptop_->undo("main", 3));
  EXPECT_EQ(nas.newest().key_segments.size(), keys.size());
  EXPECT_EQ(nas.newest().index_segments.size(), indexes.size());
  backup_id(*laptop_, data());
  restore_to(*laptop_, data(), folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/a.txt"), "alpha and more");
}

// One lost segment does not make the lists grow with every backup until they are full.
TEST_P(Undo, ABackupWritesAnewWhatOpensBesideWhatDoesNot) {
  if (deletes()) return;  // where they lie makes no difference
  auto nas = thief();
  const circle::KeySegmentRef lost_keys{made_up(2).back(), 1};
  const PackId lost_index = made_up(3).back();
  nas.record([&](circle::Record& record) {
    record.snapshot = PackId{};
    record.key_segments.push_back(lost_keys);
    record.index_segments.push_back(lost_index);
    while (record.index_segments.size() < 50) {
      const auto again = nas.index_again();
      record.index_segments.push_back(again.index);
      record.key_segments.push_back(again.key);
    }
  });
  must_do(laptop_->sync());
  archive::Progress progress;
  vault::Account::BackupOptions options;
  options.walk.roots = {data()};
  must(laptop_->backup(options, progress));
  const auto& keys = nas.newest().key_segments;
  const auto& indexes = nas.newest().index_segments;
  EXPECT_EQ(keys.size(), 2U);
  EXPECT_EQ(indexes.size(), 2U);
  EXPECT_NE(std::ranges::find(keys, lost_keys), keys.end()) << "it may come back";
  EXPECT_NE(std::ranges::find(indexes, lost_index), indexes.end());
  EXPECT_TRUE(losses(*laptop_).empty());
  vault::Account::RestoreOptions restored;
  restored.path = data();
  restored.target.directory = folder_ / "out";
  auto bare = bare_device();
  must(bare.restore(must(bare.find_snapshot("main", "latest")), restored, progress));
  EXPECT_EQ(read(folder_ / "out/sub/b.bin"), read(data() + "/sub/b.bin"));
}

// Records whose lists cannot be read, before it and after it.
TEST_P(Undo, SeesAListOfNothingAmongManyThatCannotBeRead) {
  if (deletes()) return;  // as above
  auto nas = thief();
  const auto keys = nas.newest().key_segments;
  const auto indexes = nas.newest().index_segments;
  const auto list = [&](const std::vector<circle::KeySegmentRef>& some_keys,
                        const std::vector<PackId>& some_indexes) {
    nas.record([&](circle::Record& record) {
      record.kind = circle::RecordKind::kUndo;
      record.key_segments = some_keys;
      record.index_segments = some_indexes;
    });
  };
  for (int i = 0; i < 17; ++i) {
    list({{made_up(2).back(), 1}}, {});
    list(keys, indexes);
    ASSERT_TRUE(losses(*laptop_).empty()) << "all is listed again";
  }
  list({}, {});
  const std::uint64_t n = nas.newest().tip.n;
  for (int i = 0; i < 17; ++i) {
    list({{made_up(2).back(), 1}}, {});
    list({}, {});
  }
  const auto found = losses(*laptop_);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].n, n);
  EXPECT_GT(found[0].unlisted, 0U);
  must(laptop_->undo("main", n));
  EXPECT_TRUE(losses(*laptop_).empty());
  expect_all_back(*laptop_);
}

// One of another device that the store has not: nobody can tell what was in it.
TEST_P(Undo, TellsOfALeftOutListThatCannotBeRead) {
  const circle::KeySegmentRef lost{made_up(2).back(), 1};
  hostile::HostileMember(laptop_home_, *store_, *clock_).record([&](circle::Record& record) {
    record.snapshot = PackId{};
    record.key_segments.push_back(lost);
  });
  thief().record([&](circle::Record& record) {
    record.snapshot = PackId{};
    std::erase(record.key_segments, lost);
  });
  const auto found = losses(*laptop_);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].n, 4U);
  EXPECT_EQ(found[0].unlisted, 0U);
  EXPECT_EQ(found[0].unread, 1U);
  must(laptop_->undo("main", 4));
  EXPECT_TRUE(losses(*laptop_).empty());
}

}  // namespace
}  // namespace holdfast
