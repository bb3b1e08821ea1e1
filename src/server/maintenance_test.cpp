#include "server/maintenance.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

#include "base/file.h"
#include "crypto/hash.h"
#include "server/sql_files.h"
#include "server/test_data.h"

namespace holdfast::server {
namespace {

const std::string kAccount = "mila@example";

PackId name_of(BytesView bytes) { return PackId(crypto::sha256(bytes).bytes); }

struct Data {
  explicit Data(const std::string& path)
      : writer(Writer::open(path + "/service.db", SqlFiles::kSchema + PackFiles::kSchema).value()),
        packs(PackFiles::start(path, *writer).value()),
        files(*writer, *packs) {}
  Result<void> put(const Bytes& bytes) {
    const auto sink = TRY(packs->begin(kAccount, name_of(bytes), bytes.size()));
    TRY(sink->write(bytes));
    return sink->commit();
  }

  std::unique_ptr<Writer> writer;
  std::unique_ptr<PackFiles> packs;
  SqlFiles files;
};

class MaintenanceTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(make_dirs(path()).ok());
    data_.emplace(path());
    for (std::uint8_t i = 0; i < 20; ++i) ASSERT_TRUE(data_->put(pack(i)).ok());
    ASSERT_TRUE(data_->files.create("accounts/x/circle/0", Bytes{1}).ok());
    ASSERT_TRUE(create_file(path() + "/operators.anchor", Bytes{7}).ok());
  }
  static Bytes pack(std::uint8_t i) { return Bytes(1000, i); }
  std::string path() const { return folder_.file("data"); }
  std::string target() const { return folder_.file("backup"); }
  std::string file(std::uint8_t i) const {
    return path() + "/" + pack_path(kAccount, name_of(pack(i)));
  }
  CheckReport check(const std::string& at, CheckOptions options = {}) const {
    options.orphan_age_ms = -60'000;
    auto report = check_store(at, options);
    EXPECT_TRUE(report.ok()) << report.error().message;
    return std::move(report).value();
  }

  TemporaryFolder folder_;
  std::optional<Data> data_;
};

TEST_F(MaintenanceTest, WhatIsWholeChecksGood) {
  for (const char* const when : {"while it is used", "after"}) {
    const auto report = check(path());
    EXPECT_TRUE(report.good()) << when;
    EXPECT_EQ(report.packs, 20u);
    EXPECT_EQ(report.bytes, 20'000u);
    EXPECT_EQ(report.read, 20u);
    EXPECT_EQ(report.orphans, 0u);
    data_.reset();
  }
  CheckOptions none;
  none.percent = 0;
  EXPECT_EQ(check(path(), none).read, 0u);
  EXPECT_EQ(code(check_store(folder_.file("nowhere"), {})), Code::kNotFound);
}

TEST_F(MaintenanceTest, ACheckFindsWhatIsFlippedCutMissingAndTooMuch) {
  Bytes flipped = pack(1);
  flipped[500] ^= 1;
  ASSERT_TRUE(replace_file(file(1), flipped).ok());
  ASSERT_TRUE(replace_file(file(2), Bytes(999, 2)).ok());
  ASSERT_EQ(::unlink(file(3).c_str()), 0);
  const std::string orphan = file(4) + "0";
  ASSERT_TRUE(create_file(orphan, Bytes(10)).ok());

  auto report = check(path());
  EXPECT_FALSE(report.good());
  std::sort(report.damaged.begin(), report.damaged.end());
  std::vector<PackOf> damaged = {{kAccount, name_of(pack(1))}, {kAccount, name_of(pack(2))}};
  std::sort(damaged.begin(), damaged.end());
  EXPECT_EQ(report.damaged, damaged);
  EXPECT_EQ(report.missing, (std::vector<PackOf>{{kAccount, name_of(pack(3))}}));
  EXPECT_EQ(report.orphans, 1u);
  EXPECT_EQ(report.orphan_bytes, 10u);
  EXPECT_TRUE(exists(orphan));

  CheckOptions repair;
  repair.orphans = Orphans::kRemove;
  repair.damaged = Damaged::kSetAside;
  {
    const auto held = FileLock::acquire(path() + "/lock").value();
    EXPECT_EQ(code(check_store(path(), repair)), Code::kUnavailable);
  }
  EXPECT_EQ(check(path(), repair).damaged.size(), 2u);
  EXPECT_FALSE(exists(orphan));
  EXPECT_EQ(list_dir(path() + "/damaged").value().size(), 2u);
  // Now devices see them missing and send them again.
  for (std::uint8_t i = 1; i <= 3; ++i) {
    EXPECT_FALSE(data_->packs->have(kAccount, {name_of(pack(i))}).value()[0]);
    ASSERT_TRUE(data_->put(pack(i)).ok());
  }
  EXPECT_TRUE(check(path()).good());
}

TEST_F(MaintenanceTest, ACheckFindsADamagedDatabase) {
  ASSERT_TRUE(data_->writer
                  ->write([](sql::Database& db) {
                    return db.execute("UPDATE usage SET bytes = bytes + 1");
                  })
                  .ok());
  EXPECT_EQ(check(path()).database.size(), 1u);
  data_.reset();
  Bytes bytes = read_file(path() + "/service.db", 1 << 30).value();
  for (std::size_t i = 4096; i < bytes.size(); ++i) bytes[i] = 0xff;
  ASSERT_TRUE(replace_file(path() + "/service.db", bytes).ok());
  EXPECT_FALSE(check(path()).good());
}

TEST_F(MaintenanceTest, ABackupIsRestoredWhole) {
  const auto backed_up = backup_store(path(), target());
  ASSERT_TRUE(backed_up.ok()) << backed_up.error().message;
  EXPECT_TRUE(backed_up->good());
  EXPECT_EQ(backed_up->copied, 20u);
  EXPECT_TRUE(check(target()).good());
  data_.reset();

  const std::string to = folder_.file("restored");
  const auto restored = restore_store(target(), to);
  ASSERT_TRUE(restored.ok()) << restored.error().message;
  EXPECT_TRUE(restored->good());
  EXPECT_EQ(restored->packs, 20u);
  EXPECT_EQ(code(restore_store(target(), to)), Code::kInvalid) << "it is not empty now";
  EXPECT_TRUE(check(to).good());
  EXPECT_EQ(read_file(to + "/operators.anchor", 9).value(), Bytes{7});
  Data again(to);
  for (std::uint8_t i = 0; i < 20; ++i)
    EXPECT_EQ(again.packs->get(kAccount, name_of(pack(i))).value(), pack(i));
  EXPECT_EQ(again.files.get("accounts/x/circle/0", 9).value(), Bytes{1});
  ASSERT_TRUE(again.put(Bytes{1}).ok());
}

TEST_F(MaintenanceTest, ARepeatedBackupCopiesWhatIsNewAndDropsWhatIsGone) {
  ASSERT_TRUE(backup_store(path(), target()).ok());
  ASSERT_TRUE(data_->put(pack(100)).ok());
  ASSERT_TRUE(data_->packs->remove(kAccount, name_of(pack(0))).ok());
  const auto second = backup_store(path(), target());
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_EQ(second->copied, 1u);
  EXPECT_EQ(second->packs, 20u);
  const auto report = check(target());
  EXPECT_TRUE(report.good());
  EXPECT_EQ(report.orphans, 0u);
  EXPECT_FALSE(exists(target() + "/" + pack_path(kAccount, name_of(pack(0)))));
}

TEST_F(MaintenanceTest, ABackupNeedsAPlaceOfItsOwnAndSaysWhatIsMissing) {
  EXPECT_EQ(code(backup_store(path(), path())), Code::kInvalid);
  EXPECT_EQ(code(backup_store(folder_.file("nowhere"), target())), Code::kNotFound);
  EXPECT_EQ(code(restore_store(path(), folder_.file("restored"))), Code::kNotFound);
  ASSERT_EQ(::unlink(file(3).c_str()), 0);
  ASSERT_TRUE(replace_file(file(4), Bytes(1)).ok());
  const auto report = backup_store(path(), target()).value();
  EXPECT_EQ(report.missing, (std::vector<PackOf>{{kAccount, name_of(pack(3))}}));
  EXPECT_EQ(report.damaged, (std::vector<PackOf>{{kAccount, name_of(pack(4))}}));
}

TEST_F(MaintenanceTest, ARestoreNoticesADamagedBackup) {
  ASSERT_TRUE(backup_store(path(), target()).ok());
  const std::string damaged = target() + "/" + pack_path(kAccount, name_of(pack(5)));
  Bytes bytes = pack(5);
  bytes[0] ^= 1;
  ASSERT_TRUE(replace_file(damaged, bytes).ok());
  const auto restored = restore_store(target(), folder_.file("first")).value();
  EXPECT_EQ(restored.damaged, (std::vector<PackOf>{{kAccount, name_of(pack(5))}}));
  const auto names = list_dir(target()).value();
  for (const std::string& name : names)
    if (name.ends_with(".db")) {
      Bytes database = read_file(target() + "/" + name, 1 << 30).value();
      database.back() ^= 1;
      ASSERT_TRUE(replace_file(target() + "/" + name, database).ok());
    }
  EXPECT_EQ(code(restore_store(target(), folder_.file("second"))), Code::kCorrupt);
}

// Objects and packs come in pairs; a backup of any moment has the pack of each object.
TEST_F(MaintenanceTest, ABackupWhileOthersWriteIsOfOneMoment) {
  std::atomic<bool> over = false;
  std::atomic<std::uint32_t> acknowledged = 0;
  const auto bytes_of = [](std::uint32_t n) {
    return Bytes{static_cast<std::uint8_t>(n), static_cast<std::uint8_t>(n >> 8), 1, 1};
  };
  std::jthread writing([&] {
    for (std::uint32_t n = 0; !over; ++n) {
      ASSERT_TRUE(data_->put(bytes_of(n)).ok());
      ASSERT_TRUE(data_->files.create("pairs/" + std::to_string(n), bytes_of(n)).ok());
      acknowledged = n + 1;
    }
  });
  std::uint32_t before = 0;
  for (int round = 0; round < 3; ++round) {
    while (acknowledged < before + 5) std::this_thread::yield();
    before = acknowledged;
    const auto done = backup_store(path(), target());
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_TRUE(done->good());
  }
  over = true;
  writing.join();
  ASSERT_TRUE(restore_store(target(), folder_.file("restored")).ok());
  EXPECT_TRUE(check(folder_.file("restored")).good());
  Data again(folder_.file("restored"));
  const auto names = again.files.list("pairs").value();
  EXPECT_GE(names.size(), before);
  for (const std::string& name : names) {
    const Bytes bytes = again.files.get("pairs/" + name, 9).value();
    EXPECT_EQ(again.packs->get(kAccount, name_of(bytes)).value(), bytes);
  }
}

}  // namespace
}  // namespace holdfast::server
