// The main job in one process, over the store in memory: who can read, and what it takes.
#include <set>

#include "support/journey.h"
#include "support/service_place.h"

namespace holdfast {
namespace {

class MainJob : public ::testing::TestWithParam<Place> {
 protected:
  MainJob() : laptop_home_(new_home(folder_ / "laptop")) {
    write(folder_ / "data/a.txt", "alpha");
    write(folder_ / "data/sub/b.bin", std::string(3 * 1024 * 1024, 'b') + "end");
  }
  vault::Initialised begin() {
    return must(vault::init(laptop_home_, *store_, clock_, {"me", "laptop", "ZZ"}));
  }
  vault::Account join(vault::Account& trusted, vault::Home& home, const std::string& name) {
    vault::Account joined = holdfast::join(trusted, home, *store_, clock_, name);
    // Until its log has the new reader, it opens nothing.
    service_.include();
    must_do(joined.sync());
    return joined;
  }

  Folder folder_;
  SystemClock clock_;
  ServicePlace service_{GetParam()};
  std::unique_ptr<api::Store> store_ = service_.store();
  vault::Home laptop_home_;
};

INSTANTIATE_TEST_SUITE_P(Places, MainJob,
                         ::testing::Values(Place::kDirect, Place::kService, Place::kLogged),
                         place_name);

TEST_P(MainJob, RestoreGivesBackWhatWasSaved) {
  auto begun = begin();
  backup_id(begun.account, folder_ / "data");
  restore_to(begun.account, folder_ / "data", folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/a.txt"), "alpha");
  EXPECT_EQ(read(folder_ / "out/sub/b.bin"), read(folder_ / "data/sub/b.bin"));
}

TEST_P(MainJob, SecondBackupSendsAlmostNothing) {
  auto begun = begin();
  backup_id(begun.account, folder_ / "data");
  archive::Progress progress;
  vault::Account::BackupOptions options;
  options.walk.roots = {folder_ / "data"};
  const auto report = must(begun.account.backup(options, progress));
  EXPECT_EQ(report.files, 2U);
  EXPECT_LT(report.new_bytes, 4096U);
}

TEST_P(MainJob, AnAdmittedDeviceReadsAndWritesToo) {
  auto begun = begin();
  backup_id(begun.account, folder_ / "data");
  vault::Home desk_home = new_home(folder_ / "desk");
  auto desk = join(begun.account, desk_home, "desk");
  restore_to(desk, folder_ / "data", folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/a.txt"), "alpha");
  write(folder_ / "data/c.txt", "gamma");
  const std::string id = backup_id(desk, folder_ / "data");
  must_do(begun.account.sync());
  EXPECT_EQ(must(begun.account.find_snapshot("main", "latest")).id.hex(), id);
}

TEST_P(MainJob, AWrongCodeChangesNothingAndTheThirdClosesTheRequest) {
  auto begun = begin();
  vault::Home desk_home = new_home(folder_ / "desk");
  auto asking = must(vault::Join::start(desk_home, *store_, clock_, "me", "desk"));
  const auto before = begun.account.circle().head();
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(begun.account.approve("0000-0000-0000-0000", 1000).error().code, Code::kDenied);
  EXPECT_EQ(begun.account.approve(asking.code(), 1000).error().code, Code::kDenied);
  must_do(begun.account.sync());
  EXPECT_EQ(begun.account.circle().head(), before);
}

TEST_P(MainJob, TwoApprovalsAtOnceAdmitOnce) {
  auto begun = begin();
  vault::Home desk_home = new_home(folder_ / "desk");
  auto desk = join(begun.account, desk_home, "desk");
  vault::Home nas_home = new_home(folder_ / "nas");
  auto asking = must(vault::Join::start(nas_home, *store_, clock_, "me", "nas"));
  std::thread waiting([&] { EXPECT_TRUE(asking.wait().ok()); });
  std::optional<Result<circle::Device>> other;
  std::thread approving([&] { other = desk.approve(asking.code(), 60000); });
  const auto mine = begun.account.approve(asking.code(), 60000);
  approving.join();
  waiting.join();
  EXPECT_NE(mine.ok(), other->ok());
  const Error refused = mine.ok() ? other->error() : mine.error();
  EXPECT_TRUE(refused.message.find("once") != std::string::npos ||
              refused.message.find("already") != std::string::npos ||
              refused.message.find("no device") != std::string::npos)
      << refused.message;
  must_do(begun.account.sync());
  EXPECT_EQ(begun.account.circle().members().size(), 3U);
}

TEST_P(MainJob, ARemovedDeviceIsToldAndSeesNoNewEpoch) {
  auto begun = begin();
  vault::Home desk_home = new_home(folder_ / "desk");
  auto desk = join(begun.account, desk_home, "desk");
  const auto epoch = begun.account.circle().epoch();
  must_do(begun.account.remove_devices({"desk"}));
  EXPECT_EQ(begun.account.circle().epoch(), epoch + 1);
  backup_id(begun.account, folder_ / "data");
  const auto refused = desk.sync();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kDenied);
  EXPECT_NE(refused.error().message.find("laptop"), std::string::npos);
  archive::Findings findings;
  EXPECT_FALSE(desk.snapshots("main", findings).ok());
  restore_to(begun.account, folder_ / "data", folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/a.txt"), "alpha");
}

TEST_P(MainJob, TheRecoveryKeyAloneBringsEverythingBack) {
  auto begun = begin();
  backup_id(begun.account, folder_ / "data");
  vault::Home new_laptop = new_home(folder_ / "new-laptop");
  auto back = must(vault::recover(new_laptop, *store_, clock_, begun.recovery, {"new-laptop", {}}));
  EXPECT_EQ(back.circle().members().size(), 1U);
  restore_to(back, folder_ / "data", folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/sub/b.bin"), read(folder_ / "data/sub/b.bin"));
  EXPECT_EQ(begun.account.sync().error().code, Code::kDenied);
}

TEST_P(MainJob, AReplacedRecoveryKeyOpensNothing) {
  auto begun = begin();
  const auto second = keys::RecoveryKey::random();
  // Where a log proves ages, not even a sole device replaces it without the old one.
  const bool logged = GetParam() == Place::kLogged;
  if (logged) {
    EXPECT_EQ(begun.account.set_recovery(second, nullptr).error().code, Code::kUnsafe);
  }
  must_do(begun.account.set_recovery(second, logged ? &begun.recovery : nullptr));
  vault::Home home = new_home(folder_ / "h");
  EXPECT_FALSE(vault::recover(home, *store_, clock_, begun.recovery, {"h", {}}).ok());
  EXPECT_TRUE(vault::recover(home, *store_, clock_, second, {"h", {}}).ok());
}

TEST_P(MainJob, TwoDevicesBackingUpAtOnceBothSucceed) {
  auto begun = begin();
  vault::Home desk_home = new_home(folder_ / "desk");
  auto desk = join(begun.account, desk_home, "desk");
  must_do(begun.account.sync());
  std::thread other([&] { backup_id(desk, folder_ / "data"); });
  backup_id(begun.account, folder_ / "data");
  other.join();
  archive::Findings findings;
  must_do(begun.account.sync());
  EXPECT_EQ(must(begun.account.snapshots("main", findings)).size(), 2U);
  EXPECT_TRUE(findings.problems.empty());
}

TEST_P(MainJob, ANameThatIsNotTextIsRefusedInWords) {
  const auto refused = vault::init(laptop_home_, *store_, clock_, {"me", "a\xff", "ZZ"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  auto begun = begin();
  EXPECT_EQ(begun.account.create_vault("\xff", false).error().code, Code::kInvalid);
  EXPECT_EQ(begun.account.set_region("\xff").error().code, Code::kInvalid);
  vault::Home home = new_home(folder_ / "other");
  EXPECT_FALSE(vault::Join::start(home, *store_, clock_, "me", "\xff").ok());
  EXPECT_FALSE(vault::recover(home, *store_, clock_, begun.recovery, {"\xff", {}}).ok());
}

// The store's own files, to lose some of them behind its back.
class LosingStore : public MainJob {
 protected:
  LosingStore() { store_ = store::open_files(files_); }
  std::string packs() { return "accounts/" + to_hex(as_bytes("me")) + "/packs"; }
  void lose(const PackId& pack) {
    must_do(files_->remove(packs() + "/" + pack.hex().substr(0, 2) + "/" + pack.hex()));
  }
  std::vector<PackId> stored() {
    std::vector<PackId> ids;
    for (const std::string& folder : must(files_->list(packs())))
      for (const std::string& name : must(files_->list(packs() + "/" + folder)))
        ids.push_back(*PackId::from(*from_hex(name)));
    return ids;
  }
  circle::Record newest(vault::Account& account) {
    const VaultId main = account.circle().vault_named("main")->id;
    auto session = must(store_->open_account("me", {}));
    const auto records = must(session->read_records(main, 1));
    const auto outer = must(wire::decode<circle::SignedRecord>(records.back()));
    return must(wire::decode<circle::Record>(outer.record));
  }

  std::shared_ptr<store::MemoryFiles> files_ = std::make_shared<store::MemoryFiles>();
};

INSTANTIATE_TEST_SUITE_P(Places, LosingStore, ::testing::Values(Place::kDirect), place_name);

TEST_P(LosingStore, TheNextBackupSendsAgainWhatTheStoreLost) {
  auto begun = begin();
  backup_id(begun.account, folder_ / "data");
  const circle::Record record = newest(begun.account);
  std::set<PackId> named{*record.snapshot};
  for (const auto& ref : record.key_segments) named.insert(ref.object);
  named.insert(record.index_segments.begin(), record.index_segments.end());
  std::size_t lost = 0;
  for (const PackId& pack : stored())
    if (!named.contains(pack)) lose(pack), ++lost;
  ASSERT_GT(lost, 0U);
  backup_id(begun.account, folder_ / "data");
  restore_to(begun.account, folder_ / "data", folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/a.txt"), "alpha");
  EXPECT_EQ(read(folder_ / "out/sub/b.bin"), read(folder_ / "data/sub/b.bin"));
  archive::Progress progress;
  const auto report = must(begun.account.check("main", 100, progress));
  EXPECT_TRUE(report.findings.problems.empty()) << report.findings.problems.front().reason;
  EXPECT_FALSE(report.findings.notes.empty());
}

TEST_P(LosingStore, CheckAsksTheStoreAndNotTheCacheForKeySegments) {
  auto begun = begin();
  backup_id(begun.account, folder_ / "data");
  lose(newest(begun.account).key_segments.front().object);
  archive::Progress progress;
  const auto report = must(begun.account.check("main", 0, progress));
  ASSERT_FALSE(report.findings.problems.empty());
  EXPECT_EQ(report.findings.problems.front().path.substr(0, 11), "key segment");
}

// A device that kept the table puts it back; for one that did not, what it held is gone, and the
// next backup sends it again.
TEST_P(LosingStore, ARepairPutsATableOfKeysBackOrGoesOnWithoutIt) {
  auto begun = begin();
  backup_id(begun.account, folder_ / "data");
  archive::Progress progress;
  lose(newest(begun.account).key_segments.front().object);
  EXPECT_EQ(must(begun.account.repair("main", progress)).given_back, 1U);
  EXPECT_TRUE(must(begun.account.check("main", 100, progress)).findings.problems.empty());

  vault::Home other_home = new_home(folder_ / "other");
  auto other = join(begun.account, other_home, "other");
  lose(newest(begun.account).key_segments.front().object);
  EXPECT_FALSE(must(other.check("main", 0, progress)).findings.problems.empty());
  const auto report = must(other.repair("main", progress));
  EXPECT_EQ(report.lost_tables, 1U);
  EXPECT_EQ(report.lost.size(), 1U) << "the only snapshot";
  const auto after = must(other.check("main", 100, progress));
  EXPECT_TRUE(after.findings.problems.empty()) << after.findings.problems.front().reason;
  backup_id(other, folder_ / "data");
  restore_to(other, folder_ / "data", folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/a.txt"), "alpha");
}

TEST_P(MainJob, CheckReadsEverythingAndFindsNothingWrong) {
  auto begun = begin();
  backup_id(begun.account, folder_ / "data");
  archive::Progress progress;
  const auto report = must(begun.account.check("main", 100, progress));
  EXPECT_EQ(report.snapshots, 1U);
  EXPECT_GT(report.packs_read, 0U);
  EXPECT_TRUE(report.findings.problems.empty());
}

}  // namespace
}  // namespace holdfast
