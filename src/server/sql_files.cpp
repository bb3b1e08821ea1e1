#include "server/sql_files.h"

#include <algorithm>

#include "server/rows.h"
#include "store/layout.h"

namespace holdfast::server {
namespace {

constexpr std::string_view kAccounts = "accounts/";

Error absent(const std::string& path) {
  return {Code::kNotFound, "the service has no object " + path};
}

struct PackPath {
  std::string account;
  PackId pack;
};

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t from = 0;;) {
    const auto slash = path.find('/', from);
    parts.push_back(path.substr(from, slash - from));
    if (slash == std::string::npos) return parts;
    from = slash + 1;
  }
}

std::optional<std::string> account_in(const std::string& path) {
  if (!path.starts_with(kAccounts)) return std::nullopt;
  return store::account_of(parts_of(path)[1]);
}

// accounts/<hex>/packs/<2 digits>/<sha-256>; anything else is an object.
std::optional<PackPath> pack_of(const std::string& path) {
  if (!path.starts_with(kAccounts)) return std::nullopt;
  const auto parts = parts_of(path);
  if (parts.size() != 5 || parts[2] != "packs" || parts[4].substr(0, 2) != parts[3])
    return std::nullopt;
  const auto account = store::account_of(parts[1]);
  const auto pack = store::id_of<PackId>(parts[4]);
  if (!account || !pack) return std::nullopt;
  return PackPath{*account, *pack};
}

// accounts/<hex>; nullopt: the object is of no account.
std::optional<std::string_view> folder_of(std::string_view path) {
  if (!path.starts_with(kAccounts)) return std::nullopt;
  return path.substr(0, path.find('/', kAccounts.size()));
}

Result<void> count(sql::Database& db, std::string_view path, std::int64_t objects,
                   std::int64_t bytes) {
  const auto folder = folder_of(path);
  if (!folder || (objects == 0 && bytes == 0)) return Ok{};
  auto row = TRY(db.prepare_cached(
      "INSERT INTO object_usage(folder, objects, bytes) VALUES(?, ?, ?) ON CONFLICT(folder) DO "
      "UPDATE SET objects = objects + excluded.objects, bytes = bytes + excluded.bytes"));
  TRY(row.bind(1, *folder));
  TRY(row.bind(2, objects));
  TRY(row.bind(3, bytes));
  return row.run();
}

// How many objects a DELETE ... RETURNING length(bytes) removed, taken off what their folder has.
Result<std::int64_t> count_removed(sql::Database& db, sql::Statement gone, std::string_view path) {
  std::int64_t objects = 0;
  std::int64_t bytes = 0;
  for (;; ++objects) {
    const bool more = TRY(gone.step());
    if (!more) break;
    bytes += TRY(gone.column_int(0));
  }
  TRY(count(db, path, -objects, -bytes));
  return objects;
}

Result<void> remove_object(sql::Database& db, std::string_view path) {
  auto gone = TRY(db.prepare_cached("DELETE FROM objects WHERE path = ? RETURNING length(bytes)"));
  TRY(gone.bind(1, path));
  TRY(count_removed(db, std::move(gone), path));
  return Ok{};
}

class Held final : public store::Files::Lock {
 public:
  explicit Held(std::mutex& mutex) : held_(mutex) {}

 private:
  std::unique_lock<std::mutex> held_;
};

Result<void> put(sql::Database& db, std::string_view text, const std::string& path, BytesView bytes,
                 TimeMs now) {
  auto row = TRY(db.prepare_cached(text));
  TRY(row.bind(1, std::string_view(path)));
  TRY(row.bind(2, bytes));
  TRY(row.bind(3, std::int64_t{now}));
  return row.run();
}

}  // namespace

const std::string SqlFiles::kSchema =
    "CREATE TABLE IF NOT EXISTS objects("
    "  path TEXT PRIMARY KEY, bytes BLOB NOT NULL, modified_ms INTEGER NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS object_usage("
    "  folder TEXT PRIMARY KEY, objects INTEGER NOT NULL, bytes INTEGER NOT NULL"
    ") WITHOUT ROWID;"
    // Of a database that did not count yet.
    "INSERT INTO object_usage(folder, objects, bytes)"
    "  SELECT substr(path, 1, 8 + instr(substr(path, 10), '/')) AS folder, count(*),"
    "    sum(length(bytes)) FROM objects"
    "  WHERE path LIKE 'accounts/%' AND NOT EXISTS(SELECT 1 FROM object_usage) GROUP BY 1;";

Result<Bytes> SqlFiles::get(const std::string& path, std::uint64_t limit) {
  if (const auto at = pack_of(path)) {
    const store::FileInfo there = TRY(packs_.info(at->account, at->pack));
    if (there.size > limit) return Error{Code::kCorrupt, path + " is larger than it may be"};
    return packs_.get(at->account, at->pack);
  }
  Bytes bytes;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(db.prepare_cached("SELECT bytes FROM objects WHERE path = ?"));
    TRY(row.bind(1, std::string_view(path)));
    const bool there = TRY(row.step());
    if (!there) return absent(path);
    const BytesView found = TRY(row.column_blob(0));
    if (found.size() > limit) return Error{Code::kCorrupt, path + " is larger than it may be"};
    bytes = to_bytes(found);
    return Ok{};
  });
  TRY(done);
  return bytes;
}

Result<void> SqlFiles::create(const std::string& path, BytesView bytes) {
  if (const auto at = pack_of(path)) {
    const auto there = packs_.info(at->account, at->pack);
    if (there.ok()) return Error{Code::kConflict, path + " exists"};
    const auto sink = TRY(packs_.begin(at->account, at->pack, bytes.size()));
    TRY(sink->write(bytes));
    return sink->commit();
  }
  return create_all({{path, bytes}});
}

Result<void> SqlFiles::create_all(const std::vector<New>& files) {
  const TimeMs now = clock_->now();
  auto done = writer_.write([&](sql::Database& db) -> Result<void> {
    std::size_t bytes = 0;
    for (const New& file : files) {
      TRY(put(db, "INSERT INTO objects(path, bytes, modified_ms) VALUES(?, ?, ?)", file.path,
              file.bytes, now));
      bytes += file.bytes.size();
    }
    TRY(count(db, files.back().path, static_cast<std::int64_t>(files.size()),
              static_cast<std::int64_t>(bytes)));
    const auto account = account_in(files.back().path);
    if (grown_ && account) return grown_(db, *account, files.back().path);
    return Ok{};
  });
  if (!done.ok() && done.error().code == Code::kConflict)
    return Error{Code::kConflict, files.back().path + " exists"};
  return done;
}

Result<void> SqlFiles::replace(const std::string& path, BytesView bytes) {
  if (const auto at = pack_of(path)) return packs_.rewrite(at->account, at->pack, bytes);
  const TimeMs now = clock_->now();
  return writer_.write([&](sql::Database& db) -> Result<void> {
    TRY(remove_object(db, path));
    TRY(put(db, "INSERT INTO objects(path, bytes, modified_ms) VALUES(?, ?, ?)", path, bytes, now));
    return count(db, path, 1, static_cast<std::int64_t>(bytes.size()));
  });
}

Result<void> SqlFiles::remove(const std::string& path) {
  if (const auto at = pack_of(path)) return packs_.remove(at->account, at->pack);
  return writer_.write([&](sql::Database& db) { return remove_object(db, path); });
}

// What can be read is durable: it was committed.
Result<void> SqlFiles::persist(const std::string& path) {
  TRY(info(path));
  return Ok{};
}

Result<store::FileInfo> SqlFiles::info(const std::string& path) {
  if (const auto at = pack_of(path)) return packs_.info(at->account, at->pack);
  store::FileInfo found;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row =
        TRY(db.prepare_cached("SELECT length(bytes), modified_ms FROM objects WHERE path = ?"));
    TRY(row.bind(1, std::string_view(path)));
    const bool there = TRY(row.step());
    if (!there) return absent(path);
    found.size = static_cast<std::uint64_t>(TRY(row.column_int(0)));
    found.modified_ms = TRY(row.column_int(1));
    return Ok{};
  });
  TRY(done);
  return found;
}

Result<std::vector<std::string>> SqlFiles::list(const std::string& folder) {
  auto names = TRY(list_objects(folder));
  auto more = TRY(list_packs(folder));
  names.insert(names.end(), std::make_move_iterator(more.begin()),
               std::make_move_iterator(more.end()));
  // By path a folder `a` comes after `a-b`, for '/' comes after '-'.
  std::ranges::sort(names);
  const auto doubled = std::ranges::unique(names);
  names.erase(doubled.begin(), doubled.end());
  return names;
}

Result<std::vector<std::string>> SqlFiles::list_objects(const std::string& folder) {
  std::vector<std::string> names;
  const std::string prefix = folder + "/";
  const std::string end = folder + "0";  // '0' follows '/'
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(
        db.prepare_cached("SELECT path FROM objects WHERE path >= ? AND path < ? ORDER BY path"));
    TRY(rows.bind(1, std::string_view(prefix)));
    TRY(rows.bind(2, std::string_view(end)));
    for (;;) {
      const bool there = TRY(rows.step());
      if (!there) return Ok{};
      const std::string_view path = TRY(rows.column_text(0));
      const auto slash = path.find('/', prefix.size());
      names.emplace_back(path.substr(prefix.size(), slash - prefix.size()));
      if (slash == std::string_view::npos) continue;
      // Past everything below this name.
      rows = TRY(
          db.prepare_cached("SELECT path FROM objects WHERE path >= ? AND path < ? ORDER BY path"));
      TRY(rows.bind(1, std::string_view(prefix + names.back() + "0")));
      TRY(rows.bind(2, std::string_view(end)));
    }
  });
  TRY(done);
  return names;
}

Result<std::vector<std::string>> SqlFiles::list_packs(const std::string& folder) {
  std::vector<std::string> names;
  const auto parts = parts_of(folder);
  if (parts[0] != "accounts" || parts.size() > 4) return names;
  if (parts.size() == 1) {
    for (const std::string& account : TRY(packs_.accounts()))
      names.push_back(to_hex(as_bytes(account)));
    return names;
  }
  const auto account = store::account_of(parts[1]);
  if (!account || (parts.size() > 2 && parts[2] != "packs")) return names;
  if (parts.size() == 2) {
    const auto packs = TRY(packs_.of(*account));
    if (packs.packs > 0) names.emplace_back("packs");
    return names;
  }
  for (const PackId& pack : TRY(packs_.list(*account))) {
    std::string name = pack.hex();
    if (parts.size() == 3) {
      name.resize(2);
      if (names.empty() || names.back() != name) names.push_back(std::move(name));
    } else if (name.starts_with(parts[3])) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

Result<std::unique_ptr<store::Files::Lock>> SqlFiles::lock() {
  return std::unique_ptr<Lock>(std::make_unique<Held>(exclusive_));
}

Result<SqlFiles::Totals> SqlFiles::below(const std::string& folder) {
  Totals totals;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(db.prepare_cached("SELECT objects, bytes FROM object_usage WHERE folder = ?"));
    TRY(row.bind(1, std::string_view(folder)));
    const bool known = TRY(row.step());
    if (!known) return Ok{};
    totals.objects = static_cast<std::uint64_t>(TRY(row.column_int(0)));
    totals.bytes = static_cast<std::uint64_t>(TRY(row.column_int(1)));
    return Ok{};
  });
  TRY(done);
  return totals;
}

Result<void> SqlFiles::remove_account(const std::string& folder) {
  const std::string from = folder + "/";
  const std::string end = folder + "0";  // '0' follows '/'
  for (bool more = true; more;) {
    const auto done = writer_.write([&](sql::Database& db) -> Result<void> {
      auto gone =
          TRY(db.prepare_cached("DELETE FROM objects WHERE path IN (SELECT path FROM objects "
                                "WHERE path >= ? AND path < ? LIMIT ?) RETURNING length(bytes)"));
      TRY(gone.bind(1, std::string_view(from)));
      TRY(gone.bind(2, std::string_view(end)));
      TRY(gone.bind(3, kRemovedAtOnce));
      const std::int64_t removed = TRY(count_removed(db, std::move(gone), from));
      more = removed > 0;
      if (more) return Ok{};
      auto row = TRY(db.prepare_cached("DELETE FROM object_usage WHERE folder = ?"));
      TRY(row.bind(1, std::string_view(folder)));
      return row.run();
    });
    TRY(done);
  }
  return Ok{};
}

}  // namespace holdfast::server
