// Durable inserts into SQLite: by a plain loop, and by callers of the service's Writer.
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

// `group` of them in each commit.
Result<std::size_t> plain_loop(const std::string& file, std::size_t group, double seconds,
                               BytesView bytes) {
  auto database = TRY(sql::Database::open(file));
  TRY(database.execute(kSchema));
  std::size_t count = 0;
  const Moment begun = now();
  while (seconds_since(begun) < seconds) {
    auto transaction = TRY(sql::Transaction::begin(database));
    for (std::size_t i = 0; i < group; ++i) TRY(insert(database, bytes));
    TRY(transaction.commit());
    count += group;
  }
  return count;
}

Result<std::size_t> through_writer(const std::string& file, std::size_t callers, double seconds,
                                   BytesView bytes) {
  const auto writer = TRY(server::Writer::open(file, kSchema));
  std::atomic<std::size_t> count = 0;
  std::atomic<bool> failed = false;
  const Moment begun = now();
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < callers; ++t)
      threads.emplace_back([&] {
        while (!failed && seconds_since(begun) < seconds) {
          if (!writer->write([&](sql::Database& db) { return insert(db, bytes); }).ok())
            failed = true;
          ++count;
        }
      });
  }
  if (failed) return Error{Code::kUnavailable, "the writer failed"};
  return count.load();
}

}  // namespace

Result<void> inserts(const Arguments& arguments) {
  const std::string file = text(arguments, "file", "");
  const std::size_t group = number(arguments, "group", 1);
  const double seconds = static_cast<double>(number(arguments, "ms", 1000)) / 1000;
  Bytes bytes(number(arguments, "size", 500));
  crypto::random_fill(bytes);
  const Moment begun = now();
  const std::size_t count =
      TRY(text(arguments, "by", "loop") == "loop" ? plain_loop(file, group, seconds, bytes)
                                                  : through_writer(file, group, seconds, bytes));
  print_rows({{"per_second", static_cast<double>(count) / seconds_since(begun)}});
  return Ok{};
}

}  // namespace holdfast::bench
