#include "custody/tables.h"

#include "custody/columns.h"
#include "custody/releases.h"
#include "sql/rows.h"

namespace holdfast::custody {
namespace {

using sql::bound;
using sql::run;

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS holder("
    "  id INTEGER PRIMARY KEY CHECK(id = 1), fleet BLOB NOT NULL, marked INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS account_key("
    "  circle BLOB NOT NULL, number INTEGER NOT NULL, state INTEGER NOT NULL,"
    "  issued_ms INTEGER NOT NULL, reader BLOB NOT NULL, info BLOB NOT NULL, seed BLOB NOT NULL,"
    "  receipt BLOB NOT NULL, PRIMARY KEY(circle, number)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS account_key_state ON account_key(state, issued_ms);"
    "CREATE TABLE IF NOT EXISTS kept_key("
    "  circle BLOB NOT NULL, reader BLOB NOT NULL, PRIMARY KEY(circle, reader)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS retired_key("
    "  circle BLOB NOT NULL, reader BLOB NOT NULL, since_ms INTEGER NOT NULL,"
    "  PRIMARY KEY(circle, reader)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS statement("
    "  circle BLOB NOT NULL, seq INTEGER NOT NULL, statement BLOB NOT NULL,"
    "  PRIMARY KEY(circle, seq));"
    "CREATE TABLE IF NOT EXISTS shown("
    "  circle BLOB NOT NULL, seq INTEGER NOT NULL, statement BLOB NOT NULL,"
    "  PRIMARY KEY(circle, seq));"
    "CREATE TABLE IF NOT EXISTS pins(id INTEGER PRIMARY KEY CHECK(id = 1), pins BLOB NOT NULL);";

constexpr std::int64_t kStatementsAtOnce = 256;  // of 68 KiB at most

constexpr const char* kColumns =
    "circle, number, state, issued_ms, reader, info, seed, receipt FROM account_key ";

Result<KeyRow> key_at(const sql::Statement& row) {
  KeyRow key;
  key.circle = TRY(id_at<CircleId>(row, 0));
  key.number = TRY(number_at(row, 1));
  const std::uint64_t state = TRY(number_at(row, 2));
  if (state < 1 || state > static_cast<std::uint64_t>(KeyState::kEnded)) return damaged();
  key.state = static_cast<KeyState>(state);
  key.issued_ms = TRY(row.column_int(3));
  key.reader = TRY(id_at<ReaderId>(row, 4));
  key.info = to_bytes(TRY(row.column_blob(5)));
  key.seed = to_bytes(TRY(row.column_blob(6)));
  key.receipt = to_bytes(TRY(row.column_blob(7)));
  return key;
}

Result<std::optional<KeyRow>> one_key(sql::Statement row) {
  const bool there = TRY(row.step());
  if (!there) return std::optional<KeyRow>();
  return std::optional(TRY(key_at(row)));
}

Result<std::vector<KeyRow>> all_keys(sql::Statement rows) {
  std::vector<KeyRow> out;
  for (;;) {
    const bool there = TRY(rows.step());
    if (!there) return out;
    out.push_back(TRY(key_at(rows)));
  }
}

std::string select(const char* rest) { return std::string("SELECT ") + kColumns + rest; }

Result<std::uint64_t> count(sql::Statement row) {
  const bool there = TRY(row.step());
  if (!there) return damaged();
  return number_at(row, 0);
}

constexpr const char* kUnkept =
    "NOT EXISTS(SELECT 1 FROM kept_key k "
    "           WHERE k.circle = account_key.circle AND k.reader = account_key.reader) ";

std::int64_t number_of(KeyState state) { return static_cast<std::int64_t>(state); }

}  // namespace

Result<Tables> Tables::open(const std::string& path) {
  auto database = TRY(sql::Database::open(path));
  // What is deleted is overwritten: sealed seeds stay nowhere in the file.
  TRY(database.execute("PRAGMA secure_delete = ON"));
  TRY(database.execute(kSchema));
  TRY(database.execute(Releases::kSchema));
  TRY(database.execute("DELETE FROM shown"));
  return Tables(std::move(database));
}

Result<std::optional<Tables::Holder>> Tables::holder() {
  auto row = TRY(bound(database_, "SELECT fleet, marked FROM holder"));
  const bool there = TRY(row.step());
  if (!there) return std::optional<Holder>();
  const Digest fleet = TRY(id_at<Digest>(row, 0));
  const std::int64_t marked = TRY(row.column_int(1));
  return std::optional(Holder{{fleet.bytes}, marked == 1});
}

Result<void> Tables::put_holder(const Holder& holder) {
  return run(database_, "INSERT OR REPLACE INTO holder(id, fleet, marked) VALUES(1, ?, ?)",
             BytesView(holder.fleet.bytes), std::int64_t{holder.marked ? 1 : 0});
}

Result<std::optional<KeyRow>> Tables::newest_key(const CircleId& circle) {
  return one_key(TRY(
      bound(database_, select("WHERE circle = ? ORDER BY number DESC LIMIT 1"), circle.view())));
}

Result<std::optional<KeyRow>> Tables::key(const CircleId& circle, const ReaderId& reader) {
  return one_key(
      TRY(bound(database_, select("WHERE circle = ? AND reader = ? ORDER BY number DESC LIMIT 1"),
                circle.view(), reader.view())));
}

Result<void> Tables::put_key(const KeyRow& row) {
  return run(database_,
             "INSERT OR REPLACE INTO account_key(circle, number, state, issued_ms, reader, info, "
             "seed, receipt) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
             row.circle.view(), signed_of(row.number), number_of(row.state),
             std::int64_t{row.issued_ms}, row.reader.view(), BytesView(row.info),
             BytesView(row.seed), BytesView(row.receipt));
}

Result<void> Tables::erase_key(const KeyRow& row) {
  auto transaction = TRY(sql::Transaction::begin(database_));
  TRY(run(database_, "DELETE FROM account_key WHERE circle = ? AND number = ?", row.circle.view(),
          signed_of(row.number)));
  for (const char* const table : {"kept_key", "retired_key"})
    TRY(run(database_, "DELETE FROM " + std::string(table) + " WHERE circle = ? AND reader = ?",
            row.circle.view(), row.reader.view()));
  for (const char* const table : {"statement", "shown"})
    TRY(run(database_,
            "DELETE FROM " + std::string(table) +
                " WHERE circle = ?1 AND NOT EXISTS(SELECT 1 FROM account_key WHERE circle = ?1)",
            row.circle.view()));
  return transaction.commit();
}

Result<std::vector<KeyRow>> Tables::ending_keys() {
  return all_keys(TRY(bound(database_, select("WHERE state = ?"), number_of(KeyState::kEnding))));
}

Result<std::vector<KeyRow>> Tables::unused_keys(TimeMs before, std::size_t limit) {
  return all_keys(TRY(
      bound(database_, select("WHERE state <= ? AND issued_ms < ? AND ") + kUnkept + "LIMIT ?",
            number_of(KeyState::kLive), std::int64_t{before}, static_cast<std::int64_t>(limit))));
}

Result<std::uint64_t> Tables::count_unused() {
  return count(TRY(bound(
      database_, std::string("SELECT count(*) FROM account_key WHERE state <= ? AND ") + kUnkept,
      number_of(KeyState::kLive))));
}

Result<void> Tables::keep(const CircleId& circle, const ReaderId& reader) {
  TRY(run(database_, "DELETE FROM retired_key WHERE circle = ? AND reader = ?", circle.view(),
          reader.view()));
  return run(database_, "INSERT OR IGNORE INTO kept_key(circle, reader) VALUES(?, ?)",
             circle.view(), reader.view());
}

Result<void> Tables::retire(const CircleId& circle, const ReaderId& reader, TimeMs now) {
  return run(database_,
             "INSERT OR IGNORE INTO retired_key(circle, reader, since_ms) "
             "SELECT circle, reader, ?1 FROM account_key "
             "WHERE circle = ?2 AND reader = ?3 AND state = ?4",
             std::int64_t{now}, circle.view(), reader.view(), number_of(KeyState::kLive));
}

Result<std::vector<KeyRow>> Tables::retired_keys(TimeMs before, std::size_t limit) {
  return all_keys(TRY(
      bound(database_,
            select("WHERE state = ? AND EXISTS(SELECT 1 FROM retired_key r "
                   "WHERE r.circle = account_key.circle AND r.reader = account_key.reader "
                   "AND since_ms < ?) LIMIT ?"),
            number_of(KeyState::kLive), std::int64_t{before}, static_cast<std::int64_t>(limit))));
}

Result<std::uint64_t> Tables::count_statements(const CircleId& circle) {
  return count(TRY(bound(database_,
                         "SELECT (SELECT count(*) FROM statement WHERE circle = ?1) + "
                         "(SELECT count(*) FROM shown WHERE circle = ?1)",
                         circle.view())));
}

Result<std::vector<Bytes>> Tables::statements(const CircleId& circle, std::uint64_t from) {
  auto rows = TRY(bound(database_,
                        "SELECT seq, statement FROM statement WHERE circle = ?1 AND seq >= ?2 "
                        "UNION ALL "
                        "SELECT seq, statement FROM shown WHERE circle = ?1 AND seq >= ?2 "
                        "ORDER BY seq LIMIT ?3",
                        circle.view(), signed_of(from), kStatementsAtOnce));
  std::vector<Bytes> out;
  for (;;) {
    const bool there = TRY(rows.step());
    if (!there) return out;
    const std::uint64_t seq = TRY(number_at(rows, 0));
    if (seq != from + out.size()) return damaged();
    out.push_back(to_bytes(TRY(rows.column_blob(1))));
  }
}

Result<Pins> Tables::pins() {
  auto row = TRY(bound(database_, "SELECT pins FROM pins"));
  const bool there = TRY(row.step());
  if (!there) return Pins();
  return wire::decode<Pins>(TRY(row.column_blob(0)));
}

Result<void> Tables::put_pins(const Pins& pins) {
  const Bytes bytes = wire::encode(pins);
  return run(database_, "INSERT OR REPLACE INTO pins(id, pins) VALUES(1, ?)", BytesView(bytes));
}

Result<void> Tables::end_key(const KeyRow& row, std::uint64_t from,
                             const std::vector<Bytes>& statements) {
  auto transaction = TRY(sql::Transaction::begin(database_));
  TRY(prove(row.circle, from, statements));
  TRY(put_key(row));
  return transaction.commit();
}

Result<void> Tables::keep_statements(const CircleId& circle, std::uint64_t from,
                                     const std::vector<Bytes>& statements) {
  auto transaction = TRY(sql::Transaction::begin(database_));
  TRY(prove(circle, from, statements));
  return transaction.commit();
}

Result<void> Tables::show(const CircleId& circle, std::uint64_t from,
                          const std::vector<Bytes>& statements) {
  auto transaction = TRY(sql::Transaction::begin(database_));
  for (const Bytes& statement : statements)
    TRY(run(database_, "INSERT INTO shown(circle, seq, statement) VALUES(?, ?, ?)", circle.view(),
            signed_of(from++), BytesView(statement)));
  return transaction.commit();
}

Result<void> Tables::forget_shown(const CircleId& circle) {
  return run(database_, "DELETE FROM shown WHERE circle = ?", circle.view());
}

Result<void> Tables::prove(const CircleId& circle, std::uint64_t from,
                           const std::vector<Bytes>& statements) {
  TRY(run(database_,
          "INSERT INTO statement(circle, seq, statement) "
          "SELECT circle, seq, statement FROM shown WHERE circle = ? ORDER BY seq",
          circle.view()));
  TRY(forget_shown(circle));
  for (const Bytes& statement : statements)
    TRY(run(database_, "INSERT INTO statement(circle, seq, statement) VALUES(?, ?, ?)",
            circle.view(), signed_of(from++), BytesView(statement)));
  return Ok{};
}

Result<Tables::Counts> Tables::counts() {
  const auto of = [this](KeyState state) -> Result<std::uint64_t> {
    return count(TRY(
        bound(database_, "SELECT count(*) FROM account_key WHERE state = ?", number_of(state))));
  };
  return Counts{TRY(of(KeyState::kLive)), TRY(of(KeyState::kEnding))};
}

}  // namespace holdfast::custody
