// Durable inserts into SQLite in a second: by a plain loop, and by callers of the service's Writer.
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "crypto/key.h"
#include "measures.h"
#include "server/writer.h"
#include "sql/sqlite.h"

namespace holdfast::bench {
namespace {

const std::string kSchema =
    "CREATE TABLE IF NOT EXISTS small(n INTEGER PRIMARY KEY, bytes BLOB NOT NULL);";

Result<void> insert(sql::Database& database, BytesView bytes) {
  auto row = TRY(database.prepare_cached("INSERT INTO small(bytes) VALUES(?)"));
  TRY(row.bind(1, bytes));
  return row.run();
}

struct Speed {
  double per_second = 0;
  double cpu_us_each = 0;
};

// By the wall, which others on the machine make longer, and by this process's own time.
class Stopwatch {
 public:
  double seconds() const { return seconds_since(begun_); }
  Speed speed(std::size_t count) const {
    const auto all = static_cast<double>(count);
    return {all / seconds(), (cpu_us() - cpu_begun_) / all};
  }

 private:
  static double cpu_us() {
    rusage use{};
    ::getrusage(RUSAGE_SELF, &use);
    return static_cast<double>(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e6 +
           static_cast<double>(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
  }
  const Moment begun_ = now();
  const double cpu_begun_ = cpu_us();
};

// Until the log was begun anew once: writing over its old pages is cheaper than making it longer,
// and a service that has run for a minute is past that.
constexpr std::size_t kWarming = 30;  // commits
constexpr std::size_t kRowsInOne = 500;

Result<void> insert_many(sql::Database& database, std::size_t count, BytesView bytes) {
  for (std::size_t i = 0; i < count; ++i) TRY(insert(database, bytes));
  return Ok{};
}

Result<void> commit_many(sql::Database& database, std::size_t count, BytesView bytes) {
  auto transaction = TRY(sql::Transaction::begin(database));
  TRY(insert_many(database, count, bytes));
  return transaction.commit();
}

// `group` of them in each commit.
Result<Speed> plain_loop(const std::string& file, std::size_t group, double seconds,
                         BytesView bytes) {
  auto database = TRY(sql::Database::open(file));
  TRY(database.execute(kSchema));
  for (std::size_t i = 0; i < kWarming; ++i) TRY(commit_many(database, kRowsInOne, bytes));
  std::size_t count = 0;
  const Stopwatch watch;
  for (; watch.seconds() < seconds; count += group) TRY(commit_many(database, group, bytes));
  return watch.speed(count);
}

Result<Speed> through_writer(const std::string& file, std::size_t callers, double seconds,
                             BytesView bytes) {
  const auto writer = TRY(server::Writer::open(file, kSchema));
  const auto many = [&](sql::Database& db) { return insert_many(db, kRowsInOne, bytes); };
  for (std::size_t i = 0; i < kWarming; ++i) TRY(writer->write(many));
  std::atomic<std::size_t> count = 0;
  std::atomic<bool> failed = false;
  const Stopwatch watch;
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < callers; ++t)
      threads.emplace_back([&] {
        while (!failed && watch.seconds() < seconds) {
          if (!writer->write([&](sql::Database& db) { return insert(db, bytes); }).ok())
            failed = true;
          ++count;
        }
      });
  }
  if (failed) return Error{Code::kUnavailable, "the writer failed"};
  return watch.speed(count);
}

}  // namespace

Result<void> inserts(const Arguments& arguments) {
  const std::string file = text(arguments, "file", "");
  const std::size_t group = number(arguments, "group", 1);
  const double seconds = static_cast<double>(number(arguments, "ms", 1000)) / 1000;
  Bytes bytes(number(arguments, "size", 500));
  crypto::random_fill(bytes);
  const bool loop = text(arguments, "by", "loop") == "loop";
  const Speed speed = TRY(loop ? plain_loop(file, group, seconds, bytes)
                               : through_writer(file, group, seconds, bytes));
  print_rows({{"per_second", speed.per_second}, {"cpu_us_each", speed.cpu_us_each}});
  return Ok{};
}

}  // namespace holdfast::bench
