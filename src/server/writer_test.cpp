#include "server/writer.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <random>
#include <set>
#include <thread>

#include "server/test_data.h"

namespace holdfast::server {
namespace {

const std::string kSchema = "CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, b BLOB)";

Result<void> insert(sql::Database& db, std::int64_t n, BytesView bytes = {}) {
  auto row = TRY(db.prepare_cached("INSERT INTO t(n, b) VALUES(?, ?)"));
  TRY(row.bind(1, n));
  TRY(row.bind(2, bytes));
  return row.run();
}

std::set<std::int64_t> all(Writer& writer) {
  std::set<std::int64_t> found;
  const auto done = writer.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(db.prepare_cached("SELECT n FROM t"));
    for (;;) {
      const bool more = TRY(rows.step());
      if (!more) return Ok{};
      found.insert(TRY(rows.column_int(0)));
    }
  });
  EXPECT_TRUE(done.ok());
  return found;
}

class WriterTest : public testing::Test {
 protected:
  void SetUp() override { start(); }
  void start() {
    writer_.reset();
    writer_ = Writer::open(path(), kSchema).value();
  }
  std::string path() const { return folder_.file("w.db"); }
  Result<void> put(std::int64_t n, BytesView bytes = {}) {
    return writer_->write([&](sql::Database& db) { return insert(db, n, bytes); });
  }
  Result<void> execute(const std::string& sql) {
    return writer_->write([&](sql::Database& db) { return db.execute(sql); });
  }

  TemporaryFolder folder_;
  std::unique_ptr<Writer> writer_;
};

TEST_F(WriterTest, AReadSeesEveryWriteThatReturned) {
  for (std::int64_t n = 0; n < 50; ++n) {
    ASSERT_TRUE(put(n).ok());
    EXPECT_EQ(all(*writer_).size(), static_cast<std::size_t>(n + 1));
  }
  start();
  EXPECT_EQ(all(*writer_).size(), 50u);
}

TEST_F(WriterTest, AReadCannotWrite) {
  const auto done = writer_->read([](sql::Database& db) { return insert(db, 1); });
  EXPECT_EQ(code(done), Code::kDenied);
  EXPECT_TRUE(all(*writer_).empty());
}

TEST_F(WriterTest, AFailedWorkIsUndoneAlone) {
  constexpr int kThreads = 64;
  constexpr int kEach = 15;
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          const std::int64_t n = t * 1000 + i;
          const auto done = writer_->write([&](sql::Database& db) -> Result<void> {
            TRY(insert(db, 2 * n));
            TRY(insert(db, 2 * n + 1));
            if (i % 3 == 1) return Error{Code::kDenied, "on purpose"};
            if (i % 3 == 2) return insert(db, 2 * n);  // a conflict
            return Ok{};
          });
          const std::optional<Code> expected =
              i % 3 == 0 ? std::nullopt
                         : std::optional(i % 3 == 1 ? Code::kDenied : Code::kConflict);
          if (code(done) != expected) ++wrong;
        }
      });
  }
  EXPECT_EQ(wrong, 0);
  std::set<std::int64_t> expected;
  for (std::int64_t t = 0; t < kThreads; ++t)
    for (std::int64_t i = 0; i < kEach; i += 3) {
      expected.insert(2 * (t * 1000 + i));
      expected.insert(2 * (t * 1000 + i) + 1);
    }
  EXPECT_EQ(all(*writer_), expected);
}

TEST_F(WriterTest, ManyReadWhileManyWrite) {
  std::atomic<bool> over = false;
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> readers;
    for (int t = 0; t < 32; ++t)
      readers.emplace_back([&] {
        while (!over) {
          // A write makes two rows or none.
          const auto done = writer_->read([&](sql::Database& db) -> Result<void> {
            auto row = TRY(db.prepare_cached("SELECT count(*) FROM t"));
            TRY(row.step());
            const std::int64_t count = TRY(row.column_int(0));
            if (count % 2 != 0) ++wrong;
            return Ok{};
          });
          if (!done.ok()) ++wrong;
        }
      });
    {
      std::vector<std::jthread> writers;
      for (int t = 0; t < 16; ++t)
        writers.emplace_back([&, t] {
          for (int i = 0; i < 20; ++i) {
            const std::int64_t n = t * 1000 + i;
            const auto done = writer_->write([&](sql::Database& db) -> Result<void> {
              TRY(insert(db, 2 * n));
              return insert(db, 2 * n + 1);
            });
            if (!done.ok()) ++wrong;
          }
        });
    }
    over = true;
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(all(*writer_).size(), 16u * 20 * 2);
}

// Writes until something fails; what was acknowledged must be there.
std::set<std::int64_t> fill(Writer& writer, std::atomic<std::int64_t>& next) {
  const Bytes bytes(100'000, 7);
  std::set<std::int64_t> acknowledged;
  std::mutex mutex;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        const std::int64_t n = next++;
        const auto done = writer.write([&](sql::Database& db) { return insert(db, n, bytes); });
        if (!done.ok()) {
          EXPECT_EQ(code(done), Code::kUnavailable) << done.error().message;
          EXPECT_NE(done.error().message.find("disk"), std::string::npos) << done.error().message;
          return;
        }
        const std::lock_guard lock(mutex);
        acknowledged.insert(n);
      }
      ADD_FAILURE() << "it never became full";
    });
  threads.clear();
  return acknowledged;
}

TEST_F(WriterTest, AFullDiskFailsWritesAndIsOverWhenThereIsSpace) {
  ASSERT_TRUE(execute("PRAGMA max_page_count = 500").ok());
  std::atomic<std::int64_t> next = 0;
  const auto kept = fill(*writer_, next);
  EXPECT_FALSE(kept.empty());
  EXPECT_EQ(all(*writer_), kept);
  ASSERT_TRUE(execute("PRAGMA max_page_count = 100000").ok());
  ASSERT_TRUE(put(-1).ok());
  start();
  EXPECT_EQ(all(*writer_).size(), kept.size() + 1);
}

TEST_F(WriterTest, AFileThatCannotGrowFailsWritesAndIsOverWhenItCan) {
  ASSERT_TRUE(put(-2).ok());
  const auto before = ::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  rlimit small = old;
  small.rlim_cur = 1'500'000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::atomic<std::int64_t> next = 0;
  const auto kept = fill(*writer_, next);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  ::signal(SIGXFSZ, before);
  EXPECT_EQ(all(*writer_).size(), kept.size() + 1);
  ASSERT_TRUE(put(-1).ok());
  start();
  EXPECT_EQ(all(*writer_).size(), kept.size() + 2);
}

// Writes acknowledged numbers to the pipe until it is killed.
[[noreturn]] void write_forever(const std::string& path, int pipe, std::int64_t first) {
  auto writer = Writer::open(path, kSchema).value();
  std::atomic<std::int64_t> next = first;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (;;) {
        const std::int64_t n = next++;
        const auto done = writer->write([&](sql::Database& db) { return insert(db, n); });
        if (!done.ok() || ::write(pipe, &n, sizeof n) != sizeof n) ::_exit(1);
      }
    });
  threads.clear();
  ::_exit(1);
}

TEST_F(WriterTest, WhatWasAcknowledgedSurvivesAKill) {
  writer_.reset();
  const unsigned seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  std::mt19937 random(seed);
  std::set<std::int64_t> acknowledged;
  for (std::int64_t round = 0; round < 8; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) write_forever(path(), pipe[1], round * 1'000'000);
    ::close(pipe[1]);
    std::int64_t n = 0;
    ASSERT_EQ(::read(pipe[0], &n, sizeof n), static_cast<ssize_t>(sizeof n));
    acknowledged.insert(n);
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 60));
    ::kill(child, SIGKILL);
    while (::read(pipe[0], &n, sizeof n) == static_cast<ssize_t>(sizeof n)) acknowledged.insert(n);
    ::close(pipe[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "seed " << seed;
    const auto writer = Writer::open(path(), kSchema).value();
    const auto there = all(*writer);
    for (const std::int64_t one : acknowledged)
      ASSERT_TRUE(there.contains(one)) << one << ", seed " << seed;
  }
}

}  // namespace
}  // namespace holdfast::server
