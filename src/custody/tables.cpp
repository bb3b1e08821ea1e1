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
    "CREATE TABLE IF NOT EXISTS kept(circle BLOB PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS statement("
    "  circle BLOB NOT NULL, seq INTEGER NOT NULL, statement BLOB NOT NULL,"
    "  PRIMARY KEY(circle, seq));"
    "CREATE TABLE IF NOT EXISTS pins(id INTEGER PRIMARY KEY CHECK(id = 1), pins BLOB NOT NULL);";

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

std::int64_t number_of(KeyState state) { return static_cast<std::int64_t>(state); }

}  // namespace

Result<Tables> Tables::open(const std::string& path) {
  auto database = TRY(sql::Database::open(path));
  // What is deleted is overwritten: sealed seeds stay nowhere in the file.
  TRY(database.execute("PRAGMA secure_delete = ON"));
  TRY(database.execute(kSchema));
  TRY(database.execute(Releases::kSchema));
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
  return run(database_, "DELETE FROM account_key WHERE circle = ? AND number = ?",
             row.circle.view(), signed_of(row.number));
}

Result<std::vector<KeyRow>> Tables::ending_keys() {
  return all_keys(TRY(bound(database_, select("WHERE state = ?"), number_of(KeyState::kEnding))));
}

Result<std::vector<KeyRow>> Tables::unused_keys(TimeMs before, std::size_t limit) {
  return all_keys(TRY(bound(database_,
                            select("WHERE state <= ? AND issued_ms < ? "
                                   "AND circle NOT IN (SELECT circle FROM kept) LIMIT ?"),
                            number_of(KeyState::kLive), std::int64_t{before},
                            static_cast<std::int64_t>(limit))));
}

Result<std::uint64_t> Tables::count_unused() {
  return count(TRY(bound(database_,
                         "SELECT count(*) FROM account_key WHERE state <= ? "
                         "AND circle NOT IN (SELECT circle FROM kept)",
                         number_of(KeyState::kLive))));
}

Result<void> Tables::keep(const CircleId& circle) {
  return run(database_, "INSERT OR IGNORE INTO kept(circle) VALUES(?)", circle.view());
}

Result<std::uint64_t> Tables::count_statements(const CircleId& circle) {
  return count(
      TRY(bound(database_, "SELECT count(*) FROM statement WHERE circle = ?", circle.view())));
}

Result<std::vector<Bytes>> Tables::statements(const CircleId& circle) {
  auto rows =
      TRY(bound(database_, "SELECT seq, statement FROM statement WHERE circle = ? ORDER BY seq",
                circle.view()));
  std::vector<Bytes> out;
  for (;;) {
    const bool there = TRY(rows.step());
    if (!there) return out;
    const std::uint64_t seq = TRY(number_at(rows, 0));
    if (seq != out.size()) return damaged();
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
  TRY(put_statements(row.circle, from, statements));
  TRY(keep(row.circle));
  TRY(put_key(row));
  return transaction.commit();
}

Result<void> Tables::keep_statements(const CircleId& circle, std::uint64_t from,
                                     const std::vector<Bytes>& statements) {
  auto transaction = TRY(sql::Transaction::begin(database_));
  TRY(put_statements(circle, from, statements));
  TRY(keep(circle));
  return transaction.commit();
}

Result<void> Tables::put_statements(const CircleId& circle, std::uint64_t from,
                                    const std::vector<Bytes>& statements) {
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
