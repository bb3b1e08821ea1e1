#include "server/log_tables.h"

#include "server/format.h"
#include "server/rows.h"

namespace holdfast::server {
namespace {

constexpr std::int64_t kShown = 1;
constexpr std::int64_t kDecided = 2;

Bytes joined(const std::vector<Digest>& hashes) {
  Bytes out;
  for (const Digest& hash : hashes) append(out, hash.view());
  return out;
}

Result<Digest> digest(BytesView bytes) {
  const auto one = Digest::from(bytes);
  if (!one) return Error{Code::kCorrupt, "the service's log is damaged: a hash has another length"};
  return *one;
}

Result<Digest> column_digest(const sql::Statement& row, int column) {
  const BytesView bytes = TRY(row.column_blob(column));
  return digest(bytes);
}

Result<std::vector<Digest>> split(BytesView bytes) {
  std::vector<Digest> out;
  for (; !bytes.empty(); bytes = bytes.subspan(std::min(bytes.size(), Digest::kSize)))
    out.push_back(TRY(digest(bytes.first(std::min(bytes.size(), Digest::kSize)))));
  return out;
}

Result<std::vector<circle::VaultHead>> heads_in(BytesView bytes) {
  if (bytes.empty()) return std::vector<circle::VaultHead>();
  LogHeads heads = TRY(wire::decode<LogHeads>(bytes));
  return std::vector<circle::VaultHead>(heads.heads.begin(), heads.heads.end());
}

Bytes heads_out(const std::vector<circle::VaultHead>& heads) {
  LogHeads out;
  for (const circle::VaultHead& head : heads) out.heads.push_back(head);
  return wire::encode(out);
}

std::int64_t signed_of(std::uint64_t n) { return static_cast<std::int64_t>(n); }

Result<std::uint64_t> column_count(const sql::Statement& row, int column) {
  const std::int64_t value = TRY(row.column_int(column));
  if (value < 0) return Error{Code::kCorrupt, "the service's log is damaged: a number is negative"};
  return static_cast<std::uint64_t>(value);
}

Result<std::optional<LogState>> state(sql::Database& db, std::int64_t which) {
  auto row = TRY(bound(db,
                       "SELECT size, root, edge, note, epoch FROM log_state "
                       "WHERE id = ?",
                       which));
  const bool there = TRY(row.step());
  if (!there) return std::optional<LogState>();
  LogState out;
  out.head.size = TRY(column_count(row, 0));
  out.head.root = TRY(column_digest(row, 1));
  const BytesView edge = TRY(row.column_blob(2));
  out.edge = TRY(split(edge));
  out.note = to_bytes(TRY(row.column_blob(3)));
  out.newest_epoch = to_bytes(TRY(row.column_blob(4)));
  return std::optional(std::move(out));
}

Result<void> put_state(sql::Database& db, std::int64_t which, const LogState& s) {
  const Bytes edge = joined(s.edge);
  return run(db,
             "INSERT OR REPLACE INTO log_state(id, size, root, edge, note, epoch) "
             "VALUES(?, ?, ?, ?, ?, ?)",
             which, signed_of(s.head.size), s.head.root.view(), BytesView(edge), BytesView(s.note),
             BytesView(s.newest_epoch));
}

Result<void> read_entries(sql::Statement& rows, std::vector<tlog::MapEntry>& out) {
  for (;;) {
    const bool there = TRY(rows.step());
    if (!there) return Ok{};
    const BytesView spelled = TRY(rows.column_blob(0));
    const auto label = tlog::MapLabel::from(spelled);
    if (!label) return Error{Code::kCorrupt, "the service's log is damaged: a label is none"};
    const Digest value = TRY(column_digest(rows, 1));
    out.push_back({*label, value});
  }
}

Result<LogAccount> account_in(const sql::Statement& row, int from) {
  LogAccount out;
  out.circle_next = TRY(column_count(row, from));
  out.data_next = TRY(column_count(row, from + 1));
  const BytesView heads = TRY(row.column_blob(from + 2));
  out.heads = TRY(heads_in(heads));
  return out;
}

}  // namespace

const std::string LogTables::kSchema =
    "CREATE TABLE IF NOT EXISTS log_account("
    "  account TEXT PRIMARY KEY, lookup BLOB NOT NULL, circle_next INTEGER NOT NULL,"
    "  data_next INTEGER NOT NULL, heads BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS log_account_lookup ON log_account(lookup);"
    "CREATE TABLE IF NOT EXISTS log_dirty("
    "  account TEXT PRIMARY KEY, stamp INTEGER NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS log_state("
    "  id INTEGER PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, edge BLOB NOT NULL,"
    "  note BLOB NOT NULL, epoch BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS log_epoch(n INTEGER PRIMARY KEY, leaf INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS log_leaf(n INTEGER PRIMARY KEY, entry BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS log_map("
    "  label BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS log_step("
    "  id INTEGER PRIMARY KEY, delta BLOB NOT NULL, epoch INTEGER NOT NULL,"
    "  taken INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS log_step_account("
    "  account TEXT PRIMARY KEY, stamp INTEGER NOT NULL, circle_next INTEGER NOT NULL,"
    "  data_next INTEGER NOT NULL, heads BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS log_queue(id INTEGER PRIMARY KEY, leaf BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS log_newest("
    "  kind TEXT PRIMARY KEY, n INTEGER NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS log_policy("
    "  version INTEGER PRIMARY KEY, policy BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS log_position("
    "  batch INTEGER NOT NULL, label BLOB NOT NULL, value BLOB NOT NULL, opening BLOB,"
    "  PRIMARY KEY(batch, label)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS log_roots("
    "  hash BLOB PRIMARY KEY, roots BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS log_unstarted("
    "  account TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS log_start("
    "  account TEXT NOT NULL, seq INTEGER NOT NULL, start BLOB NOT NULL,"
    "  PRIMARY KEY(account, seq));"
    "CREATE TABLE IF NOT EXISTS log_audit(id INTEGER PRIMARY KEY, audit BLOB NOT NULL);";

Result<void> LogTables::put_lookup(const std::string& account, BytesView lookup) const {
  return writer_.write([&](sql::Database& db) -> Result<void> {
    auto row = TRY(bound(db, "SELECT 1 FROM log_account WHERE lookup = ? AND account <> ?", lookup,
                         std::string_view(account)));
    const bool there = TRY(row.step());
    if (there) return Error{Code::kConflict, "another account has this lookup key"};
    return run(db,
               "INSERT INTO log_account(account, lookup, circle_next, data_next, heads) "
               "VALUES(?1, ?2, 0, 0, x'') ON CONFLICT(account) DO UPDATE SET lookup = ?2",
               std::string_view(account), lookup);
  });
}

Result<std::optional<Bytes>> LogTables::lookup(const std::string& account) const {
  std::optional<Bytes> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(
        bound(db, "SELECT lookup FROM log_account WHERE account = ?", std::string_view(account)));
    const bool there = TRY(row.step());
    if (there) out = to_bytes(TRY(row.column_blob(0)));
    return Ok{};
  });
  TRY(done);
  return out;
}

Result<std::optional<LogAccount>> LogTables::place(const std::string& account) const {
  std::optional<LogAccount> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row =
        TRY(bound(db, "SELECT circle_next, data_next, heads FROM log_account WHERE account = ?",
                  std::string_view(account)));
    const bool there = TRY(row.step());
    if (there) out = TRY(account_in(row, 0));
    return Ok{};
  });
  TRY(done);
  return out;
}

Result<void> LogTables::touch(const std::string& account, std::uint64_t now_s) const {
  return writer_.write([&](sql::Database& db) { return note_changed(db, account, now_s); });
}

Result<void> note_changed(sql::Database& db, std::string_view account, std::uint64_t now_s) {
  return run(db,
             "INSERT INTO log_dirty(account, stamp, since) "
             "SELECT account, 1, ?2 FROM log_account WHERE account = ?1 "
             "ON CONFLICT(account) DO UPDATE SET stamp = stamp + 1",
             account, signed_of(now_s));
}

Result<std::vector<DirtyAccount>> LogTables::dirty(std::size_t limit) const {
  std::vector<DirtyAccount> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(bound(db,
                          "SELECT d.account, d.stamp, a.circle_next, a.data_next, a.heads "
                          "FROM log_dirty d JOIN log_account a USING(account) "
                          "ORDER BY d.since LIMIT ?",
                          static_cast<std::int64_t>(limit)));
    for (;;) {
      const bool there = TRY(rows.step());
      if (!there) return Ok{};
      DirtyAccount one;
      one.account = std::string(TRY(rows.column_text(0)));
      one.stamp = TRY(column_count(rows, 1));
      one.now = TRY(account_in(rows, 2));
      out.push_back(std::move(one));
    }
  });
  TRY(done);
  return out;
}

Result<std::optional<std::uint64_t>> LogTables::dirty_since(const std::string& account) const {
  std::optional<std::uint64_t> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row =
        TRY(bound(db, "SELECT since FROM log_dirty WHERE account = ?", std::string_view(account)));
    const bool there = TRY(row.step());
    if (there) out = TRY(column_count(row, 0));
    return Ok{};
  });
  TRY(done);
  return out;
}

Result<void> LogTables::erase(const std::string& account) const {
  return writer_.write([&](sql::Database& db) -> Result<void> {
    for (const char* const from :
         {"DELETE FROM log_dirty WHERE account = ?", "DELETE FROM log_unstarted WHERE account = ?",
          "DELETE FROM log_start WHERE account = ?"})
      TRY(run(db, from, std::string_view(account)));
    return run(db, "DELETE FROM log_account WHERE account = ?", std::string_view(account));
  });
}

// ---- ages ----

Result<void> LogTables::put_roots(const Digest& hash, BytesView roots) const {
  return writer_.write([&](sql::Database& db) {
    return run(db, "INSERT OR IGNORE INTO log_roots(hash, roots) VALUES(?, ?)", hash.view(), roots);
  });
}

Result<std::optional<Bytes>> LogTables::roots(const Digest& hash) const {
  std::optional<Bytes> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(bound(db, "SELECT roots FROM log_roots WHERE hash = ?", hash.view()));
    const bool there = TRY(row.step());
    if (there) out = to_bytes(TRY(row.column_blob(0)));
    return Ok{};
  });
  TRY(done);
  return out;
}

Result<std::vector<Unstarted>> LogTables::unstarted(std::size_t limit) const {
  std::vector<Unstarted> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(bound(db,
                          "SELECT u.account, u.seq, a.circle_next "
                          "FROM log_unstarted u JOIN log_account a USING(account) LIMIT ?",
                          static_cast<std::int64_t>(limit)));
    for (;;) {
      const bool there = TRY(rows.step());
      if (!there) return Ok{};
      Unstarted one;
      one.account = std::string(TRY(rows.column_text(0)));
      one.from = TRY(column_count(rows, 1));
      one.to = TRY(column_count(rows, 2));
      out.push_back(std::move(one));
    }
  });
  TRY(done);
  return out;
}

Result<void> LogTables::put_starts(const std::string& account,
                                   const std::vector<KeptStart>& starts) const {
  return writer_.write([&](sql::Database& db) -> Result<void> {
    for (const KeptStart& one : starts)
      TRY(run(db, "INSERT OR IGNORE INTO log_start(account, seq, start) VALUES(?, ?, ?)",
              std::string_view(account), signed_of(one.seq), BytesView(one.start)));
    return Ok{};
  });
}

Result<void> LogTables::forget_unstarted(const std::string& account) const {
  return writer_.write([&](sql::Database& db) {
    return run(db, "DELETE FROM log_unstarted WHERE account = ?", std::string_view(account));
  });
}

Result<std::optional<Bytes>> LogTables::start(const std::string& account, std::uint64_t seq) const {
  std::optional<Bytes> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(bound(db, "SELECT start FROM log_start WHERE account = ? AND seq = ?",
                         std::string_view(account), signed_of(seq)));
    const bool there = TRY(row.step());
    if (there) out = to_bytes(TRY(row.column_blob(0)));
    return Ok{};
  });
  TRY(done);
  return out;
}

// ---- the tree ----

Result<std::optional<LogState>> LogTables::shown() const {
  std::optional<LogState> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    out = TRY(state(db, kShown));
    return Ok{};
  });
  TRY(done);
  return out;
}

Result<std::optional<LogStep>> LogTables::decided() const {
  std::optional<LogStep> out;
  std::uint64_t from = 0;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto after = TRY(state(db, kDecided));
    if (!after) return Ok{};
    const auto before = TRY(state(db, kShown));
    if (before) from = before->head.size;
    LogStep step;
    step.after = *std::move(after);
    auto row = TRY(bound(db, "SELECT delta, epoch, taken FROM log_step WHERE id = 1"));
    const bool there = TRY(row.step());
    if (!there) return Error{Code::kCorrupt, "the service's log is damaged: a step is missing"};
    step.delta = to_bytes(TRY(row.column_blob(0)));
    step.epoch = TRY(column_count(row, 1));
    step.taken_s = TRY(column_count(row, 2));
    auto rows = TRY(
        bound(db, "SELECT account, stamp, circle_next, data_next, heads FROM log_step_account"));
    for (;;) {
      const bool more = TRY(rows.step());
      if (!more) break;
      DirtyAccount one;
      one.account = std::string(TRY(rows.column_text(0)));
      one.stamp = TRY(column_count(rows, 1));
      one.now = TRY(account_in(rows, 2));
      step.accounts.push_back(std::move(one));
    }
    out = std::move(step);
    return Ok{};
  });
  TRY(done);
  if (out) out->leaves = TRY(leaves(from, out->after.head.size, SIZE_MAX));
  return out;
}

Result<void> LogTables::decide(const LogStep& step) const {
  const std::uint64_t from = step.after.head.size - step.leaves.size();
  return writer_.write([&](sql::Database& db) -> Result<void> {
    for (std::size_t i = 0; i < step.leaves.size(); ++i)
      TRY(run(db, "INSERT INTO log_leaf(n, entry) VALUES(?, ?)", signed_of(from + i),
              BytesView(step.leaves[i])));
    TRY(run(db, "INSERT INTO log_step(id, delta, epoch, taken) VALUES(1, ?, ?, ?)",
            BytesView(step.delta), signed_of(step.epoch), signed_of(step.taken_s)));
    // An epoch's entry is the last of its step.
    if (!step.delta.empty())
      TRY(run(db, "INSERT INTO log_epoch(n, leaf) VALUES(?, ?)", signed_of(step.epoch),
              signed_of(step.after.head.size - 1)));
    for (const DirtyAccount& one : step.accounts) {
      const Bytes heads = heads_out(one.now.heads);
      TRY(run(db, "INSERT INTO log_step_account VALUES(?, ?, ?, ?, ?)",
              std::string_view(one.account), signed_of(one.stamp), signed_of(one.now.circle_next),
              signed_of(one.now.data_next), BytesView(heads)));
    }
    // What was queued is among the leaves.
    const std::size_t queued = step.leaves.size() - (step.delta.empty() ? 0 : 1);
    TRY(run(db, "DELETE FROM log_queue WHERE id IN (SELECT id FROM log_queue ORDER BY id LIMIT ?)",
            static_cast<std::int64_t>(queued)));
    return put_state(db, kDecided, step.after);
  });
}

Result<void> LogTables::show(const LogStep& step, BytesView note) const {
  LogState state = step.after;
  state.note = to_bytes(note);
  tlog::MapDelta delta;
  if (!step.delta.empty()) delta = TRY(wire::decode<tlog::MapDelta>(step.delta));
  return writer_.write([&](sql::Database& db) -> Result<void> {
    for (const tlog::MapEntry& entry : delta.entries)
      TRY(run(db, "INSERT INTO log_map(label, value) VALUES(?, ?)", entry.label.view(),
              entry.value.view()));
    for (const DirtyAccount& one : step.accounts) {
      const Bytes heads = heads_out(one.now.heads);
      TRY(run(db,
              "INSERT OR IGNORE INTO log_unstarted(account, seq) "
              "SELECT account, circle_next FROM log_account WHERE account = ? AND circle_next < ?",
              std::string_view(one.account), signed_of(one.now.circle_next)));
      TRY(run(db,
              "UPDATE log_account SET circle_next = ?2, data_next = ?3, heads = ?4 "
              "WHERE account = ?1",
              std::string_view(one.account), signed_of(one.now.circle_next),
              signed_of(one.now.data_next), BytesView(heads)));
      TRY(run(db, "DELETE FROM log_dirty WHERE account = ? AND stamp = ?",
              std::string_view(one.account), signed_of(one.stamp)));
      TRY(run(db, "UPDATE log_dirty SET since = MAX(since, ?2) WHERE account = ?1",
              std::string_view(one.account), signed_of(step.taken_s)));
    }
    TRY(run(db, "DELETE FROM log_step"));
    TRY(run(db, "DELETE FROM log_step_account"));
    TRY(run(db, "DELETE FROM log_state WHERE id = ?", kDecided));
    return put_state(db, kShown, state);
  });
}

Result<void> LogTables::renew(BytesView note) const {
  return writer_.write([&](sql::Database& db) {
    return run(db, "UPDATE log_state SET note = ? WHERE id = ?", note, kShown);
  });
}

Result<std::vector<Bytes>> LogTables::leaves(std::uint64_t from, std::uint64_t to,
                                             std::size_t max_bytes) const {
  std::vector<Bytes> out;
  std::size_t bytes = 0;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(bound(db, "SELECT entry FROM log_leaf WHERE n >= ? AND n < ? ORDER BY n",
                          signed_of(from), signed_of(to)));
    while (bytes < max_bytes) {
      const bool there = TRY(rows.step());
      if (!there) return Ok{};
      out.push_back(to_bytes(TRY(rows.column_blob(0))));
      bytes += out.back().size();
    }
    return Ok{};
  });
  TRY(done);
  return out;
}

Result<std::optional<std::uint64_t>> LogTables::index_of(BytesView entry) const {
  std::optional<std::uint64_t> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row =
        TRY(bound(db, "SELECT n FROM log_leaf WHERE entry = ? ORDER BY n DESC LIMIT 1", entry));
    const bool there = TRY(row.step());
    if (there) out = TRY(column_count(row, 0));
    return Ok{};
  });
  TRY(done);
  return out;
}

Result<std::uint64_t> LogTables::epoch_index(std::uint64_t n) const {
  std::uint64_t out = 0;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(bound(db, "SELECT leaf FROM log_epoch WHERE n = ?", signed_of(n)));
    const bool there = TRY(row.step());
    if (!there) return Error{Code::kNotFound, "the log has no such epoch"};
    out = TRY(column_count(row, 0));
    return Ok{};
  });
  TRY(done);
  return out;
}

Result<std::vector<tlog::MapEntry>> LogTables::map() const {
  std::vector<tlog::MapEntry> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(bound(db, "SELECT label, value FROM log_map ORDER BY label"));
    return read_entries(rows, out);
  });
  TRY(done);
  return out;
}

Result<void> queue_leaf(sql::Database& db, BytesView leaf) {
  return run(db, "INSERT INTO log_queue(leaf) VALUES(?)", leaf);
}

Result<void> LogTables::queue(BytesView leaf) const {
  return writer_.write([&](sql::Database& db) { return queue_leaf(db, leaf); });
}

Result<LogTables::Numbered> LogTables::newest(std::string_view kind) const {
  Numbered out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(bound(db, "SELECT n, value FROM log_newest WHERE kind = ?", kind));
    const bool there = TRY(row.step());
    if (!there) return Ok{};
    out.n = TRY(column_count(row, 0));
    out.value = to_bytes(TRY(row.column_blob(1)));
    return Ok{};
  });
  TRY(done);
  return out;
}

namespace {

Result<void> add_numbered(sql::Database& db, BytesView leaf, std::string_view kind,
                          const LogTables::Numbered& now) {
  auto row = TRY(bound(db, "SELECT n FROM log_newest WHERE kind = ?", kind));
  const bool there = TRY(row.step());
  const std::uint64_t before = there ? TRY(column_count(row, 0)) : 0;
  if (before + 1 != now.n)
    return Error{Code::kConflict, "another one with this number went into the log meanwhile"};
  TRY(run(db, "INSERT OR REPLACE INTO log_newest(kind, n, value) VALUES(?, ?, ?)", kind,
          signed_of(now.n), BytesView(now.value)));
  return queue_leaf(db, leaf);
}

}  // namespace

Result<void> LogTables::queue(BytesView leaf, std::string_view kind, const Numbered& now) const {
  return writer_.write([&](sql::Database& db) { return add_numbered(db, leaf, kind, now); });
}

Result<void> LogTables::queue_policy(BytesView leaf, std::uint64_t version,
                                     BytesView signed_policy) const {
  return writer_.write([&](sql::Database& db) -> Result<void> {
    TRY(add_numbered(db, leaf, "policy", {version, to_bytes(signed_policy)}));
    return run(db, "INSERT INTO log_policy(version, policy) VALUES(?, ?)", signed_of(version),
               signed_policy);
  });
}

Result<std::vector<Bytes>> LogTables::policies() const {
  std::vector<Bytes> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(bound(db, "SELECT policy FROM log_policy ORDER BY version"));
    for (;;) {
      const bool there = TRY(rows.step());
      if (!there) return Ok{};
      out.push_back(to_bytes(TRY(rows.column_blob(0))));
    }
  });
  TRY(done);
  return out;
}

Result<void> LogTables::queue_batch(BytesView leaf, std::uint64_t n,
                                    const std::vector<tlog::MapEntry>& positions) const {
  return writer_.write([&](sql::Database& db) -> Result<void> {
    TRY(add_numbered(db, leaf, "batch", {n, to_bytes(leaf)}));
    for (const tlog::MapEntry& one : positions)
      TRY(run(db, "INSERT INTO log_position(batch, label, value) VALUES(?, ?, ?)", signed_of(n),
              one.label.view(), one.value.view()));
    return Ok{};
  });
}

Result<std::vector<tlog::MapEntry>> LogTables::positions(std::uint64_t n) const {
  std::vector<tlog::MapEntry> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(bound(
        db, "SELECT label, value FROM log_position WHERE batch = ? ORDER BY label", signed_of(n)));
    return read_entries(rows, out);
  });
  TRY(done);
  return out;
}

Result<void> LogTables::put_opening(std::uint64_t n, const tlog::MapLabel& at,
                                    BytesView opening) const {
  return writer_.write([&](sql::Database& db) {
    return run(db, "UPDATE log_position SET opening = ?3 WHERE batch = ?1 AND label = ?2",
               signed_of(n), at.view(), opening);
  });
}

Result<std::optional<Bytes>> LogTables::opening(std::uint64_t n, const tlog::MapLabel& at) const {
  std::optional<Bytes> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(bound(db,
                         "SELECT opening FROM log_position "
                         "WHERE batch = ? AND label = ? AND opening IS NOT NULL",
                         signed_of(n), at.view()));
    const bool there = TRY(row.step());
    if (there) out = to_bytes(TRY(row.column_blob(0)));
    return Ok{};
  });
  TRY(done);
  return out;
}

Result<std::vector<Bytes>> LogTables::queued(std::size_t limit) const {
  std::vector<Bytes> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(bound(db, "SELECT leaf FROM log_queue ORDER BY id LIMIT ?",
                          static_cast<std::int64_t>(limit)));
    for (;;) {
      const bool there = TRY(rows.step());
      if (!there) return Ok{};
      out.push_back(to_bytes(TRY(rows.column_blob(0))));
    }
  });
  TRY(done);
  return out;
}

Result<std::optional<Bytes>> LogTables::audit() const {
  std::optional<Bytes> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(bound(db, "SELECT audit FROM log_audit WHERE id = 1"));
    const bool there = TRY(row.step());
    if (there) out = to_bytes(TRY(row.column_blob(0)));
    return Ok{};
  });
  TRY(done);
  return out;
}

Result<void> LogTables::put_audit(BytesView audit) const {
  return writer_.write([&](sql::Database& db) {
    return run(db, "INSERT OR REPLACE INTO log_audit(id, audit) VALUES(1, ?)", audit);
  });
}

}  // namespace holdfast::server
