// SQLite for a device's own state and for the service; the only code that includes sqlite3.h.
//
// A committed transaction survives a power cut (WAL, synchronous=FULL). A Database, its statements
// and its transactions are used by one thread at a time. Statements and transactions must go
// before their database.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace holdfast::sql {

// Parameters count from 1 and columns from 0, as SQLite counts them.
class Statement {
 public:
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;

  Result<void> bind(int parameter, std::int64_t value);
  Result<void> bind(int parameter, std::string_view text);
  Result<void> bind(int parameter, BytesView blob);

  // True: a row is there to read. False: done, and ready to be bound and run again.
  Result<bool> step();
  // For a statement that yields no rows.
  Result<void> run();

  // Of the row that step() found; kCorrupt when the column holds another type. The views of
  // columns end with the next step().
  Result<std::int64_t> column_int(int column) const;
  Result<std::string_view> column_text(int column) const;
  Result<BytesView> column_blob(int column) const;

 private:
  friend class Database;
  using Idle = std::vector<sqlite3_stmt*>;
  Statement(sqlite3_stmt* statement, std::shared_ptr<const std::string> path, Idle* home)
      : statement_(statement), path_(std::move(path)), home_(home) {}
  Result<void> expect_type(int column, int type) const;

  sqlite3_stmt* statement_;
  std::shared_ptr<const std::string> path_;
  Idle* home_;  // where it rests for its next use; null: nowhere
};

class Database {
 public:
  // Opens or creates (0600) the database at `path`. kCorrupt: it is damaged, or no database.
  static Result<Database> open(const std::string& path);
  // A connection that cannot write and never checkpoints, to a database that is there: kNotFound.
  static Result<Database> open_reader(const std::string& path);
  ~Database();
  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;

  Result<Statement> prepare(std::string_view sql);
  // The same, for text that comes again and again: what SQLite made of it is kept for the next
  // time, while it rests here. The statement comes without values.
  Result<Statement> prepare_cached(std::string_view sql);
  // One or more statements whose rows nobody reads.
  Result<void> execute(const std::string& sql);

  // Rows that the newest INSERT, UPDATE or DELETE changed.
  std::int64_t changes() const;
  // False after some failures: SQLite has then undone the whole transaction by itself.
  bool in_transaction() const;

  // A consistent and durable copy at `path`, where nothing may be (kConflict), while others write.
  // The copy is one file, without a log beside it.
  Result<void> copy_to(const std::string& path);

 private:
  friend class Transaction;
  struct Cache;
  Database(sqlite3* database, const std::string& path);
  Result<void> configure();
  Result<void> configure_reader();
  Result<Statement> compile(std::string_view sql, Statement::Idle* home);

  sqlite3* database_;
  std::shared_ptr<const std::string> path_;
  std::unique_ptr<Cache> cache_;
};

// All or nothing: what was not committed when this goes is undone.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  ~Transaction();
  Transaction(Transaction&& other) noexcept : database_(other.database_) {
    other.database_ = nullptr;
  }
  Transaction& operator=(Transaction&&) = delete;

  // Durable once it returns.
  Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;  // null: nothing to undo
};

}  // namespace holdfast::sql
