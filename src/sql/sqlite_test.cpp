#include "sql/sqlite.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/file.h"

namespace holdfast::sql {
namespace {

class Sqlite : public testing::Test {
 protected:
  Sqlite() {
    std::string name = testing::TempDir() + "sqlite-XXXXXX";
    HF_CHECK(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~Sqlite() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return folder_ + "/state.db"; }

 private:
  std::string folder_;
};

std::int64_t count(Database& database) {
  auto statement = database.prepare("SELECT count(*) FROM t").value();
  EXPECT_TRUE(statement.step().value());
  return statement.column_int(0).value();
}

TEST_F(Sqlite, ReadsBackWhatItWrote) {
  const Bytes blob = {0, 1, 255};
  {
    auto database = Database::open(path()).value();
    ASSERT_TRUE(database.execute("CREATE TABLE t(a INTEGER, b TEXT, c BLOB, d BLOB) STRICT").ok());
    auto insert = database.prepare("INSERT INTO t VALUES(?, ?, ?, ?)").value();
    ASSERT_TRUE(insert.bind(1, INT64_MIN).ok());
    ASSERT_TRUE(insert.bind(2, std::string_view("it's")).ok());
    ASSERT_TRUE(insert.bind(3, BytesView(blob)).ok());
    ASSERT_TRUE(insert.bind(4, BytesView{}).ok());
    ASSERT_TRUE(insert.run().ok());
  }
  auto database = Database::open(path()).value();
  auto select = database.prepare("SELECT a, b, c, d FROM t").value();
  ASSERT_TRUE(select.step().value());
  EXPECT_EQ(select.column_int(0).value(), INT64_MIN);
  EXPECT_EQ(select.column_text(1).value(), "it's");
  EXPECT_EQ(to_bytes(select.column_blob(2).value()), blob);
  EXPECT_TRUE(select.column_blob(3).value().empty());
  EXPECT_EQ(select.column_int(1).error().code, Code::kCorrupt);
  EXPECT_FALSE(select.step().value());
}

TEST_F(Sqlite, IsDurableAndPrivate) {
  auto database = Database::open(path()).value();
  auto mode = database.prepare("PRAGMA journal_mode").value();
  ASSERT_TRUE(mode.step().value());
  EXPECT_EQ(mode.column_text(0).value(), "wal");
  auto synchronous = database.prepare("PRAGMA synchronous").value();
  ASSERT_TRUE(synchronous.step().value());
  EXPECT_EQ(synchronous.column_int(0).value(), 2);
  auto foreign_keys = database.prepare("PRAGMA foreign_keys").value();
  ASSERT_TRUE(foreign_keys.step().value());
  EXPECT_EQ(foreign_keys.column_int(0).value(), 1);
  struct stat st{};
  ASSERT_EQ(::stat(path().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777u, 0600u);
}

TEST_F(Sqlite, UndoesWhatIsNotCommitted) {
  auto database = Database::open(path()).value();
  ASSERT_TRUE(database.execute("CREATE TABLE t(a INTEGER)").ok());
  {
    auto transaction = Transaction::begin(database).value();
    ASSERT_TRUE(database.execute("INSERT INTO t VALUES(1)").ok());
  }
  EXPECT_EQ(count(database), 0);
  {
    auto transaction = Transaction::begin(database).value();
    ASSERT_TRUE(database.execute("INSERT INTO t VALUES(1)").ok());
    ASSERT_TRUE(transaction.commit().ok());
  }
  EXPECT_EQ(count(database), 1);
}

TEST_F(Sqlite, RunsAStatementAgainAfterAFailure) {
  auto database = Database::open(path()).value();
  ASSERT_TRUE(database.execute("CREATE TABLE t(a INTEGER PRIMARY KEY)").ok());
  auto insert = database.prepare("INSERT INTO t VALUES(?)").value();
  ASSERT_TRUE(insert.bind(1, 7).ok());
  ASSERT_TRUE(insert.run().ok());
  EXPECT_EQ(insert.run().error().code, Code::kConflict);
  ASSERT_TRUE(insert.bind(1, 8).ok());
  EXPECT_TRUE(insert.run().ok());
  EXPECT_EQ(count(database), 2);
}

TEST_F(Sqlite, SaysThatAnotherFileIsDamaged) {
  ASSERT_TRUE(create_file(path(), as_bytes(std::string(5000, 'x'))).ok());
  const auto database = Database::open(path());
  ASSERT_FALSE(database.ok());
  EXPECT_EQ(database.error().code, Code::kCorrupt);
  EXPECT_NE(database.error().message.find("damaged"), std::string::npos);
}

TEST_F(Sqlite, SaysThatBrokenPagesAreDamaged) {
  {
    auto database = Database::open(path()).value();
    ASSERT_TRUE(database.execute("CREATE TABLE t(a BLOB)").ok());
    for (int i = 0; i < 50; ++i)
      ASSERT_TRUE(database.execute("INSERT INTO t VALUES(zeroblob(1000))").ok());
  }
  Bytes bytes = read_file(path(), 1 << 20).value();
  std::fill(bytes.begin() + 4096, bytes.end(), std::uint8_t{0x5a});
  ASSERT_TRUE(replace_file(path(), bytes).ok());
  auto database = Database::open(path()).value();
  auto select = database.prepare("SELECT a FROM t").value();
  Result<bool> row = select.step();
  while (row.ok() && *row) row = select.step();
  ASSERT_FALSE(row.ok());
  EXPECT_EQ(row.error().code, Code::kCorrupt);
}

TEST_F(Sqlite, RefusesWrongStatementsWithoutRepeatingThem) {
  auto database = Database::open(path()).value();
  const auto statement = database.prepare("SELECT 'secret' FROM nowhere");
  ASSERT_FALSE(statement.ok());
  EXPECT_EQ(statement.error().code, Code::kInvalid);
  EXPECT_EQ(statement.error().message.find("secret"), std::string::npos);
}

TEST_F(Sqlite, ACachedStatementComesBackWithoutValuesAndReset) {
  auto database = Database::open(path()).value();
  ASSERT_TRUE(database.execute("CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)").ok());
  for (int round = 0; round < 3; ++round) {
    auto outer = database.prepare_cached("SELECT a FROM t WHERE a > ?").value();
    EXPECT_FALSE(outer.step().value()) << "no value, so no row";
    ASSERT_TRUE(outer.bind(1, std::int64_t{0}).ok());
    ASSERT_TRUE(outer.step().value());
    auto inner = database.prepare_cached("SELECT a FROM t WHERE a > ?").value();
    ASSERT_TRUE(inner.bind(1, std::int64_t{1}).ok());
    ASSERT_TRUE(inner.step().value());
    EXPECT_EQ(inner.column_int(0).value(), 2);
    EXPECT_EQ(outer.column_int(0).value(), 1);
  }
  // None of them was left in the middle of reading, or this could not change the table.
  EXPECT_TRUE(database.execute("DROP TABLE t").ok());
  EXPECT_FALSE(database.prepare_cached("SELECT a FROM t WHERE a > ?").value().step().ok());
}

TEST_F(Sqlite, CachedStatementsMoveWithTheirDatabase) {
  auto first = Database::open(path()).value();
  ASSERT_TRUE(first.execute("CREATE TABLE t(a)").ok());
  ASSERT_TRUE(first.prepare_cached("INSERT INTO t VALUES(1)").value().run().ok());
  Database second = std::move(first);
  ASSERT_TRUE(second.prepare_cached("INSERT INTO t VALUES(1)").value().run().ok());
  EXPECT_EQ(second.changes(), 1);
  EXPECT_EQ(count(second), 2);
}

TEST_F(Sqlite, AReaderSeesWhatIsCommittedAndWritesNothing) {
  EXPECT_EQ(Database::open_reader(path()).error().code, Code::kNotFound);
  auto database = Database::open(path()).value();
  ASSERT_TRUE(database.execute("CREATE TABLE t(a); INSERT INTO t VALUES(1)").ok());
  auto reader = Database::open_reader(path()).value();
  EXPECT_EQ(count(reader), 1);
  EXPECT_EQ(reader.execute("INSERT INTO t VALUES(2)").error().code, Code::kDenied);
  ASSERT_TRUE(database.execute("INSERT INTO t VALUES(2)").ok());
  EXPECT_EQ(count(reader), 2);
}

TEST_F(Sqlite, ACopyHasWhatWasCommittedAndStandsAlone) {
  auto database = Database::open(path()).value();
  ASSERT_TRUE(database.execute("CREATE TABLE t(a); INSERT INTO t VALUES(1)").ok());
  ASSERT_TRUE(database.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES(2)").ok());
  EXPECT_TRUE(database.in_transaction());
  const std::string to = path() + ".copy";
  {
    auto reader = Database::open_reader(path()).value();
    ASSERT_TRUE(reader.copy_to(to).ok());
    EXPECT_EQ(reader.copy_to(to).error().code, Code::kConflict);
  }
  ASSERT_TRUE(database.execute("COMMIT").ok());
  EXPECT_FALSE(database.in_transaction());
  {
    auto copy = Database::open_reader(to).value();
    EXPECT_EQ(count(copy), 1);
  }
  EXPECT_FALSE(exists(to + "-wal"));
  auto opened = Database::open(to).value();
  EXPECT_EQ(count(opened), 1);
}

}  // namespace
}  // namespace holdfast::sql
