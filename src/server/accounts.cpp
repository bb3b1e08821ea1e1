#include "server/accounts.h"

#include <algorithm>

#include "base/text_codes.h"
#include "crypto/hash.h"
#include "server/rows.h"

namespace holdfast::server {
namespace {

constexpr TimeMs kHourMs = 60 * 60 * 1000;
constexpr TimeMs kFlushMs = 5'000;
constexpr std::size_t kMaxWaiting = 50'000;
constexpr std::size_t kMaxAddress = 64;
constexpr std::size_t kTokenBytes = 20;

// Stands for "none" in a parameter: NULLIF(?, -1).
template <class Number>
std::int64_t or_none(const std::optional<Number>& value) {
  if (!value) return -1;
  if constexpr (std::is_unsigned_v<Number>)
    return static_cast<std::int64_t>(std::min<Number>(*value, INT64_MAX));
  return static_cast<std::int64_t>(*value);
}

Error void_invitation() {
  return {Code::kDenied, "this invitation is not valid, or was used, or has expired"};
}

Result<Digest> hash_of(const std::string& token) {
  const auto bytes = crockford_decode(token);
  if (!bytes || bytes->size() != kTokenBytes) return void_invitation();
  return crypto::sha256(*bytes);
}

struct Invitation {
  TimeMs expires_ms = 0;
  std::string used_by;  // empty: nobody
  Bytes genesis;
  bool confirmed = false;
};

Result<Invitation> find_invitation(sql::Database& database, const Digest& token) {
  sql::Statement row = TRY(bound(database,
                                 "SELECT expires_ms, coalesce(used_by, ''), coalesce(genesis, x''),"
                                 " confirmed FROM invitation WHERE token = ?",
                                 token.view()));
  const bool there = TRY(row.step());
  if (!there) return void_invitation();
  Invitation found;
  found.expires_ms = TRY(row.column_int(0));
  found.used_by = std::string(TRY(row.column_text(1)));
  found.genesis = to_bytes(TRY(row.column_blob(2)));
  found.confirmed = TRY(row.column_int(3)) != 0;
  return found;
}

Result<void> add_row(sql::Database& database, const std::string& account, TimeMs now,
                     std::optional<std::uint64_t> quota) {
  return run(database,
             "INSERT OR IGNORE INTO account(name, created_ms, quota) VALUES(?, ?, NULLIF(?, -1))",
             account, now, or_none(quota));
}

Result<std::vector<std::string>> texts(sql::Statement rows) {
  std::vector<std::string> out;
  for (;;) {
    const bool there = TRY(rows.step());
    if (!there) return out;
    out.emplace_back(TRY(rows.column_text(0)));
  }
}

Result<std::uint64_t> cursor_of(sql::Database& database, const std::string& account,
                                const VaultId& vault) {
  sql::Statement row =
      TRY(bound(database, "SELECT n FROM drop_cursor WHERE account = ? AND vault = ?", account,
                vault.view()));
  const bool there = TRY(row.step());
  if (!there) return std::uint64_t{0};
  return static_cast<std::uint64_t>(TRY(row.column_int(0)));
}

Result<void> forget(sql::Database& database, const std::string& account, const VaultId& vault,
                    const PackId& pack) {
  return run(database, "DELETE FROM dropped WHERE account = ? AND vault = ? AND pack = ?", account,
             vault.view(), pack.view());
}

Result<void> apply_record(sql::Database& database, const std::string& account, const VaultId& vault,
                          const RecordDrops& record, TimeMs received_ms) {
  for (const PackId& pack : record.dropped)
    TRY(run(database, "INSERT OR IGNORE INTO dropped VALUES(?, ?, ?, ?)", account, vault.view(),
            pack.view(), received_ms));
  for (const PackId& pack : record.kept) TRY(forget(database, account, vault, pack));
  return Ok{};
}

}  // namespace

const std::string Accounts::kSchema =
    "CREATE TABLE IF NOT EXISTS account("
    "  name TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, quota INTEGER, deletion_ms INTEGER,"
    "  ending INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS account_deletion ON account(deletion_ms)"
    "  WHERE deletion_ms IS NOT NULL;"
    "CREATE TABLE IF NOT EXISTS invitation("
    "  token BLOB PRIMARY KEY, made_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,"
    "  used_by TEXT, genesis BLOB, confirmed INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS capsule("
    "  id INTEGER PRIMARY KEY, locate BLOB NOT NULL, account TEXT NOT NULL,"
    "  UNIQUE(locate, account));"
    "CREATE INDEX IF NOT EXISTS capsule_account ON capsule(account);"
    "CREATE TABLE IF NOT EXISTS dropped("
    "  account TEXT NOT NULL, vault BLOB NOT NULL, pack BLOB NOT NULL,"
    "  received_ms INTEGER NOT NULL, PRIMARY KEY(account, vault, pack)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS dropped_time ON dropped(received_ms);"
    "CREATE TABLE IF NOT EXISTS drop_cursor("
    "  account TEXT NOT NULL, vault BLOB NOT NULL, n INTEGER NOT NULL,"
    "  PRIMARY KEY(account, vault)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS undo_room("
    "  account TEXT PRIMARY KEY, epoch INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS connection("
    "  account TEXT NOT NULL, hour INTEGER NOT NULL, caller BLOB NOT NULL, address TEXT NOT NULL,"
    "  first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, requests INTEGER NOT NULL,"
    "  PRIMARY KEY(account, hour, caller, address)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS connection_hour ON connection(hour);";

// ---- accounts ----

Result<std::optional<AccountRow>> Accounts::find(const std::string& account) {
  std::optional<AccountRow> found;
  const Result<void> done = writer_.read([&](sql::Database& database) -> Result<void> {
    sql::Statement row = TRY(bound(database,
                                   "SELECT created_ms, coalesce(quota, -1),"
                                   " coalesce(deletion_ms, -1), ending FROM account WHERE name = ?",
                                   account));
    const bool there = TRY(row.step());
    if (!there) return Ok{};
    AccountRow out;
    out.created_ms = TRY(row.column_int(0));
    const auto quota = TRY(row.column_int(1));
    if (quota >= 0) out.quota = static_cast<std::uint64_t>(quota);
    const auto deletion = TRY(row.column_int(2));
    if (deletion >= 0) out.deletion_ms = deletion;
    out.ending = TRY(row.column_int(3)) != 0;
    found = out;
    return Ok{};
  });
  TRY(done);
  return found;
}

Result<std::vector<std::string>> Accounts::names() {
  std::vector<std::string> found;
  const Result<void> done = writer_.read([&](sql::Database& database) -> Result<void> {
    sql::Statement rows = TRY(database.prepare("SELECT name FROM account ORDER BY name"));
    found = TRY(texts(std::move(rows)));
    return Ok{};
  });
  TRY(done);
  return found;
}

Result<std::uint64_t> Accounts::count() {
  std::uint64_t found = 0;
  const Result<void> done = writer_.read([&](sql::Database& database) -> Result<void> {
    sql::Statement row = TRY(database.prepare("SELECT count(*) FROM account"));
    const bool there = TRY(row.step());
    if (there) found = static_cast<std::uint64_t>(TRY(row.column_int(0)));
    return Ok{};
  });
  TRY(done);
  return found;
}

Result<void> Accounts::add(const std::string& account, TimeMs now,
                           std::optional<std::uint64_t> quota) {
  return writer_.write(
      [&](sql::Database& database) { return add_row(database, account, now, quota); });
}

Result<void> Accounts::set_quota(const std::string& account, std::optional<std::uint64_t> quota) {
  return writer_.write([&](sql::Database& database) -> Result<void> {
    sql::Statement row =
        TRY(bound(database, "UPDATE account SET quota = NULLIF(?, -1) WHERE name = ? RETURNING 1",
                  or_none(quota), account));
    const bool there = TRY(row.step());
    if (!there) return Error{Code::kNotFound, "there is no account \"" + account + "\""};
    return Ok{};
  });
}

Result<void> Accounts::ask_deletion(const std::string& account, TimeMs deletion_ms) {
  return writer_.write([&](sql::Database& database) {
    return run(database,
               "UPDATE account SET deletion_ms = ? WHERE name = ? AND deletion_ms IS NULL",
               deletion_ms, account);
  });
}

Result<void> Accounts::keep(const std::string& account) {
  return writer_.write([&](sql::Database& database) {
    return run(database, "UPDATE account SET deletion_ms = NULL WHERE name = ? AND ending = 0",
               account);
  });
}

Result<std::vector<std::string>> Accounts::begin_ends(TimeMs now) {
  std::vector<std::string> found;
  const auto look = [&](sql::Database& database) -> Result<void> {
    sql::Statement rows = TRY(bound(database,
                                    "SELECT name FROM account WHERE deletion_ms IS NOT NULL AND"
                                    " deletion_ms <= ? OR ending = 1",
                                    now));
    found = TRY(texts(std::move(rows)));
    return Ok{};
  };
  TRY(writer_.read(look));
  if (found.empty()) return found;
  const Result<void> done = writer_.write([&](sql::Database& database) -> Result<void> {
    TRY(run(database,
            "UPDATE account SET ending = 1 WHERE deletion_ms IS NOT NULL AND deletion_ms <= ?",
            now));
    return look(database);  // one of them may have been kept meanwhile
  });
  TRY(done);
  return found;
}

Result<void> Accounts::erase(const std::string& account) {
  return writer_.write([&](sql::Database& database) -> Result<void> {
    TRY(run(database, "DELETE FROM capsule WHERE account = ?", account));
    TRY(run(database, "DELETE FROM dropped WHERE account = ?", account));
    TRY(run(database, "DELETE FROM drop_cursor WHERE account = ?", account));
    TRY(run(database, "DELETE FROM undo_room WHERE account = ?", account));
    TRY(run(database, "DELETE FROM connection WHERE account = ?", account));
    TRY(run(database, "DELETE FROM joins WHERE account = ?", account));
    // A token makes one account, even where that account is gone.
    TRY(run(database, "UPDATE invitation SET confirmed = 1 WHERE used_by = ?", account));
    return run(database, "DELETE FROM account WHERE name = ?", account);
  });
}

// ---- invitations ----

Result<std::string> Accounts::invite(TimeMs now, TimeMs life_ms) {
  Bytes token(kTokenBytes);
  crypto::random_fill(token);
  const Result<void> done = writer_.write([&](sql::Database& database) {
    return run(database, "INSERT INTO invitation(token, made_ms, expires_ms) VALUES(?, ?, ?)",
               crypto::sha256(token).view(), now, now + life_ms);
  });
  TRY(done);
  return crockford_encode(token);
}

Result<void> Accounts::check_invitation(const std::string& token, TimeMs now) {
  if (token.empty()) return Error{Code::kDenied, "this service asks for an invitation"};
  const Digest hash = TRY(hash_of(token));
  return writer_.read([&](sql::Database& database) -> Result<void> {
    const Invitation found = TRY(find_invitation(database, hash));
    if (found.confirmed || now >= found.expires_ms) return void_invitation();
    return Ok{};
  });
}

Result<void> Accounts::reserve(const std::string& token, const std::string& account,
                               const Digest& genesis, TimeMs now, const Made& made) {
  const Digest hash = TRY(hash_of(token));
  std::optional<Invitation> found;
  const Result<void> done = writer_.read([&](sql::Database& database) -> Result<void> {
    found = TRY(find_invitation(database, hash));
    return Ok{};
  });
  TRY(done);
  const auto holder = Digest::from(found->genesis);
  if (!found->used_by.empty() && found->used_by == account && holder == genesis) return Ok{};
  if (found->confirmed || now >= found->expires_ms) return void_invitation();
  if (!found->used_by.empty() && holder) {
    // Reserved, and then the service or the caller went away: void only if it got so far.
    const bool was_made = TRY(made(found->used_by, *holder));
    if (was_made) return void_invitation();
  }
  return writer_.write([&](sql::Database& database) -> Result<void> {
    const Invitation still = TRY(find_invitation(database, hash));
    if (still.confirmed || still.used_by != found->used_by || still.genesis != found->genesis)
      return void_invitation();
    return run(database, "UPDATE invitation SET used_by = ?, genesis = ? WHERE token = ?", account,
               genesis.view(), hash.view());
  });
}

Result<void> Accounts::release(const std::string& token, const Digest& genesis) {
  const Digest hash = TRY(hash_of(token));
  return writer_.write([&](sql::Database& database) {
    return run(database,
               "UPDATE invitation SET used_by = NULL, genesis = NULL WHERE token = ? AND"
               " genesis = ? AND confirmed = 0",
               hash.view(), genesis.view());
  });
}

Result<void> Accounts::add_invited(const std::string& account, TimeMs now,
                                   std::optional<std::uint64_t> quota, const std::string& token) {
  const Digest hash = TRY(hash_of(token));
  return writer_.write([&](sql::Database& database) -> Result<void> {
    TRY(add_row(database, account, now, quota));
    return run(database, "UPDATE invitation SET confirmed = 1 WHERE token = ? AND used_by = ?",
               hash.view(), account);
  });
}

// ---- recovery capsules ----

Result<void> Accounts::put_capsule(const LocateId& locate, const std::string& account) {
  return writer_.write([&](sql::Database& database) {
    return run(database, "INSERT OR IGNORE INTO capsule(locate, account) VALUES(?, ?)",
               locate.view(), account);
  });
}

Result<void> Accounts::leave_capsule(const std::string& account,
                                     const std::optional<LocateId>& locate) {
  return writer_.write([&](sql::Database& database) -> Result<void> {
    if (!locate) return run(database, "DELETE FROM capsule WHERE account = ?", account);
    TRY(run(database, "INSERT OR IGNORE INTO capsule(locate, account) VALUES(?, ?)", locate->view(),
            account));
    return run(database, "DELETE FROM capsule WHERE account = ? AND locate != ?", account,
               locate->view());
  });
}

Result<std::vector<std::string>> Accounts::capsule_accounts(const LocateId& locate) {
  std::vector<std::string> found;
  const Result<void> done = writer_.read([&](sql::Database& database) -> Result<void> {
    sql::Statement rows =
        TRY(bound(database, "SELECT account FROM capsule WHERE locate = ? ORDER BY id LIMIT 16",
                  locate.view()));
    found = TRY(texts(std::move(rows)));
    return Ok{};
  });
  TRY(done);
  return found;
}

// ---- packs that a record dropped ----

Result<std::uint64_t> Accounts::drop_cursor(const std::string& account, const VaultId& vault) {
  std::uint64_t n = 0;
  const Result<void> done = writer_.read([&](sql::Database& database) -> Result<void> {
    n = TRY(cursor_of(database, account, vault));
    return Ok{};
  });
  TRY(done);
  return n;
}

Result<void> Accounts::apply_drops(const std::string& account, const VaultId& vault,
                                   const std::vector<RecordDrops>& records, TimeMs received_ms) {
  if (records.empty()) return Ok{};
  return writer_.write([&](sql::Database& database) -> Result<void> {
    std::uint64_t seen = TRY(cursor_of(database, account, vault));
    for (const RecordDrops& record : records) {
      if (record.n <= seen) continue;
      if (record.n != seen + 1) return Error{Code::kConflict, "records of a vault are missing"};
      TRY(apply_record(database, account, vault, record, received_ms));
      seen = record.n;
    }
    return run(database, "INSERT OR REPLACE INTO drop_cursor VALUES(?, ?, ?)", account,
               vault.view(), static_cast<std::int64_t>(seen));
  });
}

Result<std::vector<AccountPack>> Accounts::dropped(TimeMs until, std::size_t limit) {
  std::vector<AccountPack> found;
  const Result<void> done = writer_.read([&](sql::Database& database) -> Result<void> {
    sql::Statement rows = TRY(bound(database,
                                    "SELECT account, vault, pack FROM dropped WHERE"
                                    " received_ms <= ? ORDER BY received_ms LIMIT ?",
                                    until, static_cast<std::int64_t>(limit)));
    for (;;) {
      const bool there = TRY(rows.step());
      if (!there) return Ok{};
      const std::string account(TRY(rows.column_text(0)));
      const auto vault = VaultId::from(TRY(rows.column_blob(1)));
      const auto pack = PackId::from(TRY(rows.column_blob(2)));
      if (vault && pack) found.push_back({account, *vault, *pack});
    }
  });
  TRY(done);
  return found;
}

Result<bool> Accounts::is_dropped(const AccountPack& pack) {
  bool there = false;
  const Result<void> done = writer_.read([&](sql::Database& database) -> Result<void> {
    sql::Statement row =
        TRY(bound(database, "SELECT 1 FROM dropped WHERE account = ? AND vault = ? AND pack = ?",
                  pack.account, pack.vault.view(), pack.pack.view()));
    there = TRY(row.step());
    return Ok{};
  });
  TRY(done);
  return there;
}

Result<void> Accounts::forget_drop(const AccountPack& pack) {
  return writer_.write([&](sql::Database& database) {
    return forget(database, pack.account, pack.vault, pack.pack);
  });
}

Result<void> Accounts::restart_grace(const std::string& path, TimeMs now) {
  auto database = TRY(sql::Database::open(path));
  TRY(database.execute(kSchema));
  return run(database, "UPDATE dropped SET received_ms = ?1", now);
}

// ---- undoing in a full account ----

Result<std::uint64_t> Accounts::undo_bytes(const std::string& account, std::uint32_t epoch) {
  std::uint64_t bytes = 0;
  const Result<void> done = writer_.read([&](sql::Database& database) -> Result<void> {
    sql::Statement row =
        TRY(bound(database, "SELECT bytes FROM undo_room WHERE account = ? AND epoch = ?", account,
                  std::int64_t{epoch}));
    const bool there = TRY(row.step());
    if (there) bytes = static_cast<std::uint64_t>(TRY(row.column_int(0)));
    return Ok{};
  });
  TRY(done);
  return bytes;
}

Result<void> Accounts::add_undo_bytes(const std::string& account, std::uint32_t epoch,
                                      std::uint64_t bytes) {
  return writer_.write([&](sql::Database& database) {
    return run(database,
               "INSERT INTO undo_room VALUES(?, ?, ?) ON CONFLICT(account) DO UPDATE SET"
               " bytes = iif(epoch = excluded.epoch, bytes, 0) + excluded.bytes,"
               " epoch = excluded.epoch WHERE excluded.epoch >= epoch",
               account, std::int64_t{epoch}, static_cast<std::int64_t>(bytes));
  });
}

// ---- connections ----

void ConnectionLog::note(const std::string& account, const ReaderId& caller,
                         const std::string& address, TimeMs now) {
  bool due = false;
  {
    const Lock guard(mutex_);
    if (waiting_.size() < kMaxWaiting) {
      Line& line = waiting_[{account, now - now % kHourMs, caller, address.substr(0, kMaxAddress)}];
      if (line.requests++ == 0) line.first_ms = now;
      line.last_ms = std::max(line.last_ms, now);
    }
    // The clock may have gone back.
    due = now - flushed_ms_ >= kFlushMs || now < flushed_ms_;
    if (due) flushed_ms_ = now;
  }
  if (due) static_cast<void>(flush());
}

Result<void> ConnectionLog::flush() {
  std::map<Key, Line> lines;
  {
    const Lock guard(mutex_);
    lines.swap(waiting_);
  }
  if (lines.empty()) return Ok{};
  auto written = writer_.write([&](sql::Database& database) -> Result<void> {
    for (const auto& [key, line] : lines) {
      const auto& [account, hour, caller, address] = key;
      TRY(run(database,
              "INSERT INTO connection VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
              " first_ms = min(first_ms, excluded.first_ms),"
              " last_ms = max(last_ms, excluded.last_ms), requests = requests + excluded.requests",
              account, hour, caller.view(), address, line.first_ms, line.last_ms,
              static_cast<std::int64_t>(line.requests)));
    }
    return Ok{};
  });
  if (written.ok()) return written;
  const Lock guard(mutex_);
  for (auto& [key, line] : lines) {
    if (waiting_.size() >= kMaxWaiting) break;
    Line& now = waiting_[key];
    now.first_ms = line.first_ms;
    now.last_ms = std::max(now.last_ms, line.last_ms);
    now.requests += line.requests;
  }
  return written;
}

Result<std::vector<api::Connection>> ConnectionLog::read(const std::string& account) {
  // What waits for a disk that is full is missing, no more.
  static_cast<void>(flush());
  std::vector<api::Connection> found;
  const Result<void> done = writer_.read([&](sql::Database& database) -> Result<void> {
    sql::Statement rows = TRY(bound(database,
                                    "SELECT caller, address, first_ms, last_ms, requests"
                                    " FROM connection WHERE account = ?"
                                    " ORDER BY last_ms DESC, caller, address LIMIT ?",
                                    account, kMaxLines));
    for (;;) {
      const bool there = TRY(rows.step());
      if (!there) return Ok{};
      const auto caller = ReaderId::from(TRY(rows.column_blob(0)));
      if (!caller) continue;
      api::Connection line;
      line.caller = *caller;
      line.address = std::string(TRY(rows.column_text(1)));
      line.first_ms = TRY(rows.column_int(2));
      line.last_ms = TRY(rows.column_int(3));
      line.requests = static_cast<std::uint64_t>(TRY(rows.column_int(4)));
      found.push_back(std::move(line));
    }
  });
  TRY(done);
  return found;
}

Result<void> ConnectionLog::prune(TimeMs before) {
  return writer_.write([&](sql::Database& database) {
    return run(database, "DELETE FROM connection WHERE hour < ?", before);
  });
}

}  // namespace holdfast::server
