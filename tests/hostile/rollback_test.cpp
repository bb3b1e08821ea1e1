// Older states and forks: what a device that saw more, or two devices that meet, can tell without a
// public log. What they cannot tell is listed in needs_the_log.txt.
#include "hostile/scene.h"
#include "vault/account_state.h"

namespace holdfast::hostile {
namespace {

constexpr std::string_view kEvidence = "The evidence is in";

void expect_refused(const Outcome& outcome, std::string_view words) {
  EXPECT_EQ(outcome.code(), "unsafe") << outcome.words();
  EXPECT_NE(outcome.words().find(words), std::string::npos) << outcome.words();
  EXPECT_EQ(outcome.step, "open") << "it was not noticed at the first contact";
}

TEST(Rollback, ADeviceMissesTheNewestStatementItSaw) {
  const auto lies = *attack("without-newest-statement", 1);
  expect_refused(scene().visit(Visitor::kKnown, lies), "older than what this device saw");
  expect_refused(scene().visit(Visitor::kKnown, lies), kEvidence);
}

TEST(Rollback, ADeviceMissesTheNewestSnapshotItSaw) {
  const auto lies = *attack("without-newest-snapshot", 1);
  expect_refused(scene().visit(Visitor::kKnown, lies), "the newest snapshot of a vault it has");
}

TEST(Rollback, ADeviceMissesEverything) {
  for (const std::string name : {"empty:statement", "empty:record"})
    expect_refused(scene().visit(Visitor::kKnown, *attack(name, 1)), "older than what this");
}

// Who saw nothing is told by the circle, whose statements name the heads of the vaults.
TEST(Rollback, TheCircleTellsThatSnapshotsAreGone) {
  const Outcome outcome = scene().visit(Visitor::kBare, *attack("empty:record", 1));
  EXPECT_EQ(outcome.code(), "unsafe");
  EXPECT_NE(outcome.words().find("older than its own circle says"), std::string::npos);
}

// What a device wrote itself it has seen too: a store that takes it and does not show it is caught
// by the same command.
TEST(Rollback, ADeviceMissesWhatItWroteItself) {
  const testkit::TempDir folder(testkit::Where::kMemory);
  const auto honest = store::open_memory();
  Lies lies;
  HostileStore store(*honest, lies);
  vault::Home home = new_home(folder / "home");
  auto begun = must(vault::init(home, store, scene().clock(), {"me", "laptop", "ZZ"}));
  backup_id(begun.account, scene().data());
  // Only what comes from now on is hidden.
  const auto hide = [](std::uint64_t from, std::uint64_t end, std::vector<Bytes>& page) {
    page.resize(std::min<std::size_t>(page.size(), end > from ? end - from : 0));
  };
  lies.records = [&](api::Session&, const VaultId&, std::uint64_t from, std::vector<Bytes>& page) {
    hide(from, 2, page);
  };
  lies.circle = [&, end = begun.account.circle().seq() + 1](api::Session&, std::uint64_t from,
                                                            std::vector<Bytes>& page) {
    hide(from, end, page);
  };
  archive::Progress progress;
  vault::Account::BackupOptions options;
  options.walk.roots = {scene().data()};
  const auto backed_up = begun.account.backup(options, progress);
  lies.records = {};
  const auto rotated = begun.account.rotate();
  ASSERT_FALSE(backed_up.ok());
  ASSERT_FALSE(rotated.ok());
  for (const Error& error : {backed_up.error(), rotated.error()}) {
    EXPECT_EQ(error.code, Code::kUnsafe);
    EXPECT_NE(error.message.find("took"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find(kEvidence), std::string::npos);
  }
}

// Two devices with one past, over two copies of the store that go their own ways.
class Fork : public ::testing::Test {
 protected:
  struct Side {
    explicit Side(const Scene& from, const std::string& home_folder, const std::string& to)
        : store(store::open_files(from.copy_store())), home(open(from.home(home_folder), to)) {}
    static vault::Home open(const std::string& from, const std::string& to) {
      copy_home(from, to);
      vault::Home home = must(vault::Home::open(to));
      must_do(home.unlock({}));
      return home;
    }
    vault::Account account(const Clock& clock) {
      return must(vault::Account::open(home, *store, clock));
    }
    std::unique_ptr<api::Store> store;
    vault::Home home;
  };

  testkit::TempDir folder_{testkit::Where::kMemory};
  Side laptop_{scene(), "laptop", folder_ / "laptop"};
  Side nas_{scene(), "known", folder_ / "nas"};
};

TEST_F(Fork, IsSeenByBothOnceTheirStoresAreJoined) {
  {
    auto laptop = laptop_.account(scene().clock());
    auto nas = nas_.account(scene().clock());
    must_do(laptop.set_region("DE"));
    must_do(nas.set_region("FR"));
  }
  const auto at_laptops = vault::Account::open(nas_.home, *laptop_.store, scene().clock());
  const auto at_nas = vault::Account::open(laptop_.home, *nas_.store, scene().clock());
  for (const auto* const account : {&at_laptops, &at_nas}) {
    ASSERT_FALSE(account->ok());
    EXPECT_EQ(account->error().code, Code::kUnsafe);
    EXPECT_NE(account->error().message.find("shows another history"), std::string::npos);
    EXPECT_NE(account->error().message.find(kEvidence), std::string::npos);
  }
}

TEST_F(Fork, OfAVaultIsSeenByBoth) {
  {
    auto laptop = laptop_.account(scene().clock());
    auto nas = nas_.account(scene().clock());
    backup_id(laptop, scene().data());
    backup_id(nas, scene().data());
  }
  const auto at_laptops = vault::Account::open(nas_.home, *laptop_.store, scene().clock());
  const auto at_nas = vault::Account::open(laptop_.home, *nas_.store, scene().clock());
  for (const auto* const account : {&at_laptops, &at_nas}) {
    ASSERT_FALSE(account->ok());
    EXPECT_EQ(account->error().code, Code::kUnsafe);
    EXPECT_NE(account->error().message.find("another history of a vault"), std::string::npos);
  }
}

// The two meet while one of them is at work: a statement of the other names a snapshot that this
// one has never seen at that place. Nothing may be written on top of it.
TEST_F(Fork, OfAVaultIsSeenInTheStatementThatNamesIt) {
  Lies lies;
  HostileStore at_laptop(*laptop_.store, lies);
  auto laptop = must(vault::Account::open(laptop_.home, at_laptop, scene().clock()));
  backup_id(laptop, scene().data());
  backup_id(laptop, scene().data());
  auto nas = nas_.account(scene().clock());
  backup_id(nas, scene().data());
  must_do(nas.create_vault("music", false));
  const auto session = must(nas_.store->open_account("me", vault::caller(nas_.home.device_key())));
  lies.circle = [&](api::Session&, std::uint64_t from, std::vector<Bytes>& page) {
    page = must(session->read_circle(from));
  };
  const auto synced = laptop.sync();
  ASSERT_FALSE(synced.ok());
  EXPECT_EQ(synced.error().code, Code::kUnsafe);
  EXPECT_NE(synced.error().message.find("another history of a vault"), std::string::npos)
      << synced.error().message;
  EXPECT_NE(synced.error().message.find(kEvidence), std::string::npos);
}

// The same, where the other began an epoch without a snapshot that this one made in the old one.
TEST_F(Fork, OfAnEpochIsSeenInTheStatementThatBeginsIt) {
  Lies lies;
  HostileStore at_laptop(*laptop_.store, lies);
  auto laptop = must(vault::Account::open(laptop_.home, at_laptop, scene().clock()));
  backup_id(laptop, scene().data());
  auto nas = nas_.account(scene().clock());
  must_do(nas.rotate());
  const auto session = must(nas_.store->open_account("me", vault::caller(nas_.home.device_key())));
  lies.circle = [&](api::Session&, std::uint64_t from, std::vector<Bytes>& page) {
    page = must(session->read_circle(from));
  };
  const auto synced = laptop.sync();
  ASSERT_FALSE(synced.ok());
  EXPECT_EQ(synced.error().code, Code::kUnsafe);
}

// An honest store under two busy devices: between the circle and the records that one reads, the
// other writes to both. Nobody lied, and nobody is accused.
TEST_F(Fork, IsNotSeenInWhatAnotherDeviceWritesMeanwhile) {
  Lies lies;
  HostileStore at_laptop(*laptop_.store, lies);
  vault::Home nas_home = Side::open(scene().home("known"), folder_ / "nas-again");
  auto nas = must(vault::Account::open(nas_home, *laptop_.store, scene().clock()));
  bool wrote = false;
  lies.records = [&](api::Session& session, const VaultId& vault, std::uint64_t from,
                     std::vector<Bytes>& page) {
    if (std::exchange(wrote, true)) return;
    must_do(nas.create_vault("music", false));
    for (const std::string name : {"main", "music"}) {
      archive::Progress progress;
      vault::Account::BackupOptions options;
      options.vault = name;
      options.walk.roots = {scene().data()};
      must(nas.backup(options, progress));
    }
    page = must(session.read_records(vault, from));
  };
  auto laptop = vault::Account::open(laptop_.home, at_laptop, scene().clock());
  ASSERT_TRUE(laptop.ok()) << laptop.error().message;
  EXPECT_TRUE(wrote);
  EXPECT_NE(laptop->circle().vault_named("music"), nullptr);
  must_do(laptop->rotate());
}

}  // namespace
}  // namespace holdfast::hostile
