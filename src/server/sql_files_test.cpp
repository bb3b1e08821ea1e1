#include "server/sql_files.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "crypto/hash.h"
#include "server/test_data.h"
#include "store/local_store.h"
#include "support/circle_maker.h"

namespace holdfast::server {
namespace {

enum class Kind { kMemory, kFolder, kSql };

// What every place for a store promises (store/files.h).
class FilesContract : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override { start(); }
  void start() {
    if (GetParam() == Kind::kMemory && !files_) files_ = std::make_shared<store::MemoryFiles>();
    if (GetParam() == Kind::kFolder)
      files_ = store::FolderFiles::open(folder_.file("store"), store::Create::kYes).value();
    if (GetParam() == Kind::kSql) {
      files_.reset();
      packs_.reset();
      writer_.reset();
      writer_ = Writer::open(folder_.file("s.db"), SqlFiles::kSchema + PackFiles::kSchema).value();
      packs_ = PackFiles::start(folder_.path(), *writer_).value();
      files_ = std::make_shared<SqlFiles>(*writer_, *packs_);
    }
  }
  std::vector<std::string> list(const std::string& folder) { return files_->list(folder).value(); }

  using Names = std::vector<std::string>;
  TemporaryFolder folder_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<PackFiles> packs_;
  std::shared_ptr<store::Files> files_;
};

INSTANTIATE_TEST_SUITE_P(Places, FilesContract,
                         testing::Values(Kind::kMemory, Kind::kFolder, Kind::kSql),
                         [](const auto& kind) {
                           switch (kind.param) {
                             case Kind::kMemory: return "Memory";
                             case Kind::kFolder: return "Folder";
                             case Kind::kSql: return "Sql";
                           }
                           std::abort();
                         });

TEST_P(FilesContract, GivesBackWhatWasCreated) {
  EXPECT_EQ(code(files_->get("a/b", 10)), Code::kNotFound);
  ASSERT_TRUE(files_->create("a/b", Bytes{1, 2, 3}).ok());
  ASSERT_TRUE(files_->create("a/empty", {}).ok());
  start();
  EXPECT_EQ(files_->get("a/b", 3).value(), (Bytes{1, 2, 3}));
  EXPECT_EQ(code(files_->get("a/b", 2)), Code::kCorrupt);
  EXPECT_EQ(files_->get("a/empty", 0).value(), Bytes{});
}

TEST_P(FilesContract, CreateNeverReplaces) {
  ASSERT_TRUE(files_->create("a", Bytes{1}).ok());
  EXPECT_EQ(code(files_->create("a", Bytes{2})), Code::kConflict);
  EXPECT_EQ(code(files_->create("a", Bytes{1})), Code::kConflict);
  EXPECT_EQ(files_->get("a", 9).value(), Bytes{1});
}

TEST_P(FilesContract, CreateAllKeepsItsOrder) {
  ASSERT_TRUE(files_->create_all({{"a/1", Bytes{1}}, {"a/2", Bytes{2}}}).ok());
  EXPECT_EQ(code(files_->create_all({{"a/3", Bytes{3}}, {"a/1", Bytes{9}}, {"a/4", Bytes{4}}})),
            Code::kConflict);
  start();
  EXPECT_EQ(files_->get("a/1", 9).value(), Bytes{1});
  EXPECT_EQ(files_->get("a/2", 9).value(), Bytes{2});
  EXPECT_EQ(code(files_->get("a/4", 9)), Code::kNotFound);
  // All or nothing, in one write.
  if (GetParam() == Kind::kSql) {
    EXPECT_EQ(code(files_->get("a/3", 9)), Code::kNotFound);
  }
}

TEST_P(FilesContract, ReplaceCreatesOrReplaces) {
  ASSERT_TRUE(files_->replace("a/b", Bytes{1}).ok());
  ASSERT_TRUE(files_->replace("a/b", Bytes{2, 3}).ok());
  EXPECT_EQ(files_->get("a/b", 9).value(), (Bytes{2, 3}));
}

TEST_P(FilesContract, RemoveMayBeRepeated) {
  EXPECT_TRUE(files_->remove("a/b").ok());
  ASSERT_TRUE(files_->create("a/b", Bytes{1}).ok());
  EXPECT_TRUE(files_->remove("a/b").ok());
  EXPECT_TRUE(files_->remove("a/b").ok());
  EXPECT_EQ(code(files_->get("a/b", 9)), Code::kNotFound);
  EXPECT_TRUE(files_->create("a/b", Bytes{2}).ok());
}

TEST_P(FilesContract, PersistAndInfoKnowWhatIsThere) {
  EXPECT_EQ(code(files_->persist("a/b")), Code::kNotFound);
  EXPECT_EQ(code(files_->info("a/b")), Code::kNotFound);
  ASSERT_TRUE(files_->create("a/b", Bytes{1, 2}).ok());
  EXPECT_TRUE(files_->persist("a/b").ok());
  const auto info = files_->info("a/b").value();
  EXPECT_EQ(info.size, 2u);
  EXPECT_LT(std::abs(info.modified_ms - SystemClock().now()), 60'000);
}

TEST_P(FilesContract, ListsWhatLiesDirectlyBelow) {
  EXPECT_EQ(list("a"), Names{});
  for (const char* const path : {"a/z", "a/b/1", "a/b/2/3", "a/c", "a-b/c", "ab", "a/b0", "a0/x"})
    ASSERT_TRUE(files_->create(path, Bytes{1}).ok()) << path;
  EXPECT_EQ(list("a"), (Names{"b", "b0", "c", "z"}));
  EXPECT_EQ(list("a/b"), (Names{"1", "2"}));
  EXPECT_EQ(list("a/b/2"), Names{"3"});
  EXPECT_EQ(list("a/x"), Names{});
}

TEST_P(FilesContract, PacksMayLieThereToo) {
  const Bytes pack = {1, 2, 3};
  const std::string name = crypto::sha256(pack).hex();
  const std::string account = "accounts/" + to_hex(as_bytes("mila"));
  const std::string path = account + "/packs/" + name.substr(0, 2) + "/" + name;
  EXPECT_EQ(code(files_->get(path, 9)), Code::kNotFound);
  ASSERT_TRUE(files_->create(path, pack).ok());
  EXPECT_EQ(code(files_->create(path, pack)), Code::kConflict);
  ASSERT_TRUE(files_->create(account + "/circle/0", Bytes{1}).ok());
  start();
  EXPECT_EQ(files_->get(path, 9).value(), pack);
  EXPECT_EQ(code(files_->get(path, 2)), Code::kCorrupt);
  EXPECT_EQ(files_->info(path).value().size, 3u);
  EXPECT_TRUE(files_->persist(path).ok());
  EXPECT_EQ(list(account), (Names{"circle", "packs"}));
  EXPECT_EQ(list(account + "/packs"), Names{name.substr(0, 2)});
  EXPECT_EQ(list(account + "/packs/" + name.substr(0, 2)), Names{name});
  EXPECT_TRUE(files_->replace(path, pack).ok());
  EXPECT_TRUE(files_->remove(path).ok());
  EXPECT_EQ(code(files_->info(path)), Code::kNotFound);
}

TEST_P(FilesContract, OfSeveralCreatesAtOnceOneWins) {
  std::atomic<int> won = 0;
  std::atomic<int> conflicts = 0;
  {
    std::vector<std::jthread> threads;
    for (std::uint8_t t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        const auto done = files_->create("a/b", Bytes{t});
        if (done.ok()) ++won;
        if (code(done) == Code::kConflict) ++conflicts;
      });
  }
  EXPECT_EQ(won, 1);
  EXPECT_EQ(conflicts, 7);
}

TEST_P(FilesContract, TheLockIsExclusive) {
  std::atomic<int> inside = 0;
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        const auto held = files_->lock().value();
        if (++inside != 1) ++wrong;
        --inside;
      }
    });
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

// ---- a store over it ----

class SqlStore : public testing::Test {
 protected:
  void SetUp() override { start(); }
  void start() {
    store_.reset();
    files_.reset();
    packs_.reset();
    writer_.reset();
    writer_ = Writer::open(folder_.file("s.db"), SqlFiles::kSchema + PackFiles::kSchema).value();
    packs_ = PackFiles::start(folder_.path(), *writer_).value();
    files_ = std::make_shared<SqlFiles>(*writer_, *packs_);
    store_ = store::open_files(files_);
  }
  // The newest statement, with the blobs of one that makes its circle's newest slots.
  api::Append append_of(std::size_t seq, const circle::EpochInfo& info) const {
    api::Append append;
    append.statement = maker_.statements().at(seq);
    for (const BlobId& id : info.blobs)
      for (const circle::Epoch& epoch : maker_.circle().epochs())
        for (const auto& [slot, blob] : epoch.blobs)
          if (blob == id) append.blobs.push_back(testkit::blob_bytes(epoch.number, slot));
    return append;
  }

  TemporaryFolder folder_;
  testkit::CircleMaker maker_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<PackFiles> packs_;
  std::shared_ptr<SqlFiles> files_;
  std::unique_ptr<api::Store> store_;
};

TEST_F(SqlStore, AnAccountLivesThroughARestart) {
  const auto genesis = testkit::genesis_body(maker_.first);
  const auto first = append_of(0, genesis.epoch);
  ASSERT_TRUE(store_->create_account("mila", first).ok());
  const auto body = maker_.set_vault("documents");
  const VaultId vault = maker_.add_vault("documents");
  const auto second = append_of(1, body.epoch);
  const Bytes pack = {1, 2, 3};
  const PackId id(crypto::sha256(pack).bytes);
  {
    const auto session = store_->open_account("mila", {}).value();
    const auto done = session->append(second);
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_TRUE(session->append(second).ok()) << "repeated";
    ASSERT_TRUE(session->put_pack(id, pack).ok());
    maker_.append_record(vault, maker_.first);
    ASSERT_TRUE(session->append_record(vault, maker_.records(vault)[0]).ok());
    RequestId request;
    request.bytes[0] = 1;
    ASSERT_TRUE(store_->put_join("mila", request, api::JoinMessage::kRequest, Bytes{1}).ok());
    EXPECT_EQ(session->list_joins().value(), std::vector<RequestId>{request});
    ASSERT_TRUE(session->drop_join(request).ok());
  }
  start();
  EXPECT_EQ(store_->accounts().value(), std::vector<std::string>{"mila"});
  const auto session = store_->open_account("mila", {}).value();
  EXPECT_EQ(session->read_circle(0).value(), maker_.statements());
  EXPECT_EQ(session->read_records(vault, 1).value(), maker_.records(vault));
  EXPECT_EQ(session->get_pack(id).value(), pack);
  EXPECT_EQ(session->have_packs({id, PackId()}).value(), (std::vector<bool>{true, false}));
  for (const Bytes& blob : second.blobs)
    EXPECT_EQ(session->get_blob(BlobId(crypto::sha256(blob).bytes)).value(), blob);
  EXPECT_TRUE(session->list_joins().value().empty());

  ASSERT_TRUE(files_->remove_account("accounts/" + to_hex(as_bytes("mila"))).ok());
  ASSERT_TRUE(packs_->remove_account("mila").ok());
  start();
  EXPECT_TRUE(store_->accounts().value().empty());
  EXPECT_TRUE(files_->list("accounts").value().empty());
}

// Against a count of the rows themselves, after whatever changes them.
TEST_F(SqlStore, CountsWhatIsBelowAnAccount) {
  const auto expect_right = [&](std::uint64_t objects, std::uint64_t bytes) {
    const auto counted = files_->below("accounts/61").value();
    EXPECT_EQ(counted.objects, objects);
    EXPECT_EQ(counted.bytes, bytes);
  };
  expect_right(0, 0);
  ASSERT_TRUE(files_->create("accounts/61/a", Bytes(10)).ok());
  ASSERT_TRUE(files_->create_all({{"accounts/61/b", Bytes(5)}, {"accounts/61/c", {}}}).ok());
  ASSERT_TRUE(files_->create("accounts/62/a", Bytes(100)).ok());
  ASSERT_TRUE(files_->create("elsewhere", Bytes(1)).ok());
  expect_right(3, 15);
  EXPECT_EQ(code(files_->create("accounts/61/a", Bytes(7))), Code::kConflict);
  EXPECT_EQ(code(files_->create_all({{"accounts/61/d", Bytes(5)}, {"accounts/61/b", {}}})),
            Code::kConflict);
  expect_right(3, 15);
  ASSERT_TRUE(files_->replace("accounts/61/a", Bytes(3)).ok());
  ASSERT_TRUE(files_->replace("accounts/61/d", Bytes(1)).ok());
  expect_right(4, 9);
  ASSERT_TRUE(files_->remove("accounts/61/b").ok());
  ASSERT_TRUE(files_->remove("accounts/61/b").ok());
  expect_right(3, 4);
  start();
  expect_right(3, 4);
  // A database of a version that did not count.
  ASSERT_TRUE(
      writer_->write([](sql::Database& db) { return db.execute("DELETE FROM object_usage"); })
          .ok());
  start();
  expect_right(3, 4);
  ASSERT_TRUE(files_->remove_account("accounts/61").ok());
  expect_right(0, 0);
  EXPECT_EQ(files_->below("accounts/62")->bytes, 100u);
}

TEST_F(SqlStore, ListingAFolderSkipsWhatLiesBelowIt) {
  ASSERT_TRUE(writer_
                  ->write([](sql::Database& db) {
                    return db.execute(
                        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < "
                        "300000) INSERT INTO objects SELECT 'accounts/61/blobs/' || n, x'', 0 "
                        "FROM c");
                  })
                  .ok());
  ASSERT_TRUE(files_->create("accounts/62/circle/0", Bytes{1}).ok());
  EXPECT_EQ(files_->list("accounts").value(), (std::vector<std::string>{"61", "62"}));
}

}  // namespace
}  // namespace holdfast::server
