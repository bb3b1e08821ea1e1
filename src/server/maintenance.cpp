#include "server/maintenance.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "base/file.h"
#include "crypto/hash.h"
#include "server/accounts.h"
#include "server/pack_files.h"
#include "server/replay.h"
#include "sql/sqlite.h"

namespace holdfast::server {
namespace {

constexpr std::string_view kDatabase = "service.db";
constexpr std::string_view kManifest = "holdfast-backup";
constexpr std::string_view kLawful = "lawful.db";
constexpr std::string_view kManifestHead = "holdfast backup 1";
constexpr std::uint64_t kMaxSideFile = 1024 * 1024;
constexpr std::size_t kPage = 500;    // rows read at one time, so that the log can begin anew
constexpr std::size_t kDamages = 20;  // lines about a damaged database
constexpr std::size_t kHashDigits = 16;
constexpr int kAttempts = 5;

struct PackRow {
  PackOf name;
  std::uint64_t size = 0;
};

// ---- files ----

std::optional<struct stat> stat_of(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return info;
}

std::optional<std::uint64_t> length_of(const std::string& path) {
  const auto info = stat_of(path);
  if (!info) return std::nullopt;
  return static_cast<std::uint64_t>(info->st_size);
}

Result<Digest> read_through(const std::string& path,
                            const std::function<Result<void>(BytesView)>& piece) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return io_error("open", path, errno);
  Bytes buffer(1024 * 1024);
  crypto::Sha256 hash;
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("read", path, errno);
    if (n == 0) return hash.finish();
    const BytesView got = BytesView(buffer).first(static_cast<std::size_t>(n));
    hash.update(got);
    TRY(piece(got));
  }
}

Result<Digest> hash_file(const std::string& path) {
  return read_through(path, [](BytesView) -> Result<void> { return Ok{}; });
}

// The digest of what was copied. Not synced.
Result<Digest> copy_file(const std::string& from, const std::string& to) {
  const Fd file(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return io_error("create", to, errno);
  return read_through(from, [&](BytesView piece) { return write_all(file.get(), piece, to); });
}

// Everything written to the file system that `folder` is on.
Result<void> sync_all(const std::string& folder) {
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return io_error("open", folder, errno);
  if (::syncfs(fd.get()) != 0) return io_error("sync", folder, errno);
  return Ok{};
}

// Not durable before sync_all().
Result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return io_error("create folder", path, errno);
  return Ok{};
}

Result<void> rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return io_error("rename to", to, errno);
  return Ok{};
}

// None if the folder is absent.
Result<std::vector<std::string>> names_in(const std::string& folder) {
  auto names = list_dir(folder);
  if (!names.ok() && names.error().code == Code::kNotFound) return std::vector<std::string>();
  return names;
}

// What lies where packs do: the folder of an account, and the whole path.
using Visit = std::function<Result<void>(const std::string& folder, const std::string& path)>;
Result<void> visit_pack_files(const std::string& root, const Visit& visit) {
  const std::string packs = root + "/packs/";
  for (const std::string& folder : TRY(names_in(root + "/packs")))
    for (const std::string& digits : TRY(names_in(packs + folder))) {
      const std::string inner = packs + folder + "/" + digits;
      for (const std::string& name : TRY(names_in(inner))) TRY(visit(folder, inner + "/" + name));
    }
  return Ok{};
}

// ---- rows ----

Result<PackOf> pack_in(const sql::Statement& row) {
  std::string account(TRY(row.column_text(0)));
  const auto pack = PackId::from(TRY(row.column_blob(1)));
  if (!pack) return Error{Code::kCorrupt, "the database names a pack by what is no hash"};
  return PackOf{std::move(account), *pack};
}

// Those after `last`, at most kPage.
Result<std::vector<PackRow>> next_rows(sql::Database& database, const std::optional<PackOf>& last) {
  auto rows = TRY(database.prepare_cached(
      "SELECT account, pack, size FROM packs WHERE (account, pack) > (?, ?) "
      "ORDER BY account, pack LIMIT ?"));
  TRY(rows.bind(1, last ? std::string_view(last->account) : std::string_view()));
  TRY(rows.bind(2, last ? last->pack.view() : BytesView()));
  TRY(rows.bind(3, static_cast<std::int64_t>(kPage)));
  std::vector<PackRow> found;
  for (;;) {
    const bool more = TRY(rows.step());
    if (!more) return found;
    PackRow row;
    row.name = TRY(pack_in(rows));
    row.size = static_cast<std::uint64_t>(TRY(rows.column_int(2)));
    found.push_back(std::move(row));
  }
}

Result<void> each_row(sql::Database& database,
                      const std::function<Result<void>(const PackRow&)>& visit) {
  std::optional<PackOf> last;
  for (;;) {
    const auto rows = TRY(next_rows(database, last));
    if (rows.empty()) return Ok{};
    for (const PackRow& row : rows) TRY(visit(row));
    last = rows.back().name;
  }
}

Result<bool> is_named(sql::Database& database, const PackOf& name) {
  auto row = TRY(database.prepare_cached("SELECT 1 FROM packs WHERE account = ? AND pack = ?"));
  TRY(row.bind(1, std::string_view(name.account)));
  TRY(row.bind(2, name.pack.view()));
  return row.step();
}

// Which files the database names.
class Named {
 public:
  explicit Named(sql::Database& database) : database_(database) {}

  Result<void> load() {
    auto rows = TRY(database_.prepare("SELECT account FROM usage"));
    for (;;) {
      const bool more = TRY(rows.step());
      if (!more) return Ok{};
      std::string account(TRY(rows.column_text(0)));
      const std::string folder = pack_folder(account);
      accounts_[folder] = std::move(account);
    }
  }

  Result<bool> has(const std::string& root, const std::string& folder, const std::string& path) {
    const auto account = accounts_.find(folder);
    const auto bytes = from_hex(path.substr(path.rfind('/') + 1));
    if (account == accounts_.end() || !bytes) return false;
    const auto pack = PackId::from(*bytes);
    if (!pack || path != root + "/" + pack_path(account->second, *pack)) return false;
    return is_named(database_, {account->second, *pack});
  }

 private:
  sql::Database& database_;
  std::map<std::string, std::string> accounts_;  // by their folders
};

// ---- the manifest of a backup ----

struct Manifest {
  std::string database;
  std::string hash;
};

std::string database_name(const Digest& hash) {
  return "service-" + hash.hex().substr(0, kHashDigits) + ".db";
}

Result<Manifest> read_manifest(const std::string& backup) {
  auto bytes = read_file(backup + "/" + std::string(kManifest), 4096);
  if (!bytes.ok() && bytes.error().code == Code::kNotFound)
    return Error{Code::kNotFound, "there is no complete backup of a service in " + backup};
  TRY(bytes);
  const std::string head = std::string(kManifestHead) + "\nsha256 ";
  const std::string_view text = as_text(*bytes);
  const auto hex = text.starts_with(head) ? text.substr(head.size(), 2 * Digest::kSize) : "";
  const auto raw = from_hex(hex);
  const auto hash = raw ? Digest::from(*raw) : std::nullopt;
  if (!hash)
    return Error{Code::kOutdated,
                 "the backup in " + backup + " is of another version of Holdfast: update required"};
  return Manifest{database_name(*hash), hash->hex()};
}

Result<std::string> database_in(const std::string& data) {
  std::string path = data + "/" + std::string(kDatabase);
  if (exists(path)) return path;
  const Manifest manifest = TRY(read_manifest(data));
  return data + "/" + manifest.database;
}

Result<std::optional<FileLock>> lock_alone(const std::string& data) {
  auto lock = TRY(FileLock::try_acquire(data + "/lock"));
  if (!lock)
    return Error{Code::kUnavailable,
                 "another program is using the directory " + data + "; stop it first"};
  return lock;
}

// ---- check ----

class Checker {
 public:
  Checker(std::string data, const CheckOptions& options, sql::Database database)
      : data_(std::move(data)), options_(options), database_(std::move(database)) {}

  Result<CheckReport> run() {
    if (auto done = check_database(); !done.ok()) {
      if (done.error().code != Code::kCorrupt) return std::move(done).error();
      note(done.error().message);
    }
    if (auto done = check_packs(); !done.ok()) {
      if (done.error().code != Code::kCorrupt) return std::move(done).error();
      note(done.error().message);
      return report_;  // without all rows nothing is known to be an orphan
    }
    TRY(find_orphans());
    return report_;
  }

 private:
  void note(const std::string& what) {
    if (report_.database.size() < kDamages) report_.database.push_back(what);
  }

  Result<void> check_database() {
    {
      auto rows = TRY(database_.prepare("PRAGMA integrity_check(20)"));
      for (;;) {
        const bool more = TRY(rows.step());
        if (!more) break;
        const std::string line(TRY(rows.column_text(0)));
        if (line != "ok") note(line);
      }
    }
    auto rows = TRY(database_.prepare("PRAGMA foreign_key_check"));
    for (;;) {
      const bool more = TRY(rows.step());
      if (!more) return check_usage();
      note("a row of the table " + std::string(TRY(rows.column_text(0))) + " refers to nothing");
    }
  }

  Result<void> check_usage() {
    auto rows = TRY(database_.prepare(
        "SELECT count(*) FROM usage WHERE (packs, bytes) <> "
        "(SELECT count(*), ifnull(sum(size), 0) FROM packs WHERE packs.account = usage.account)"));
    const bool there = TRY(rows.step());
    if (!there) return Ok{};
    const std::int64_t wrong = TRY(rows.column_int(0));
    if (wrong > 0)
      note("the counted use of " + std::to_string(wrong) + " accounts is not that of their packs");
    return Ok{};
  }

  Result<void> check_packs() {
    return each_row(database_, [&](const PackRow& row) { return check_pack(row); });
  }

  // Ids are hashes: a window over their beginnings has its share of them.
  bool is_chosen(const PackId& pack) const {
    if (options_.percent >= 100) return true;
    std::uint64_t begin = 0;
    for (std::size_t i = 0; i < sizeof begin; ++i) begin = begin << 8 | pack.bytes[i];
    return static_cast<double>(begin - window_) < options_.percent / 100 * 0x1p64;
  }

  Result<void> check_pack(const PackRow& row) {
    ++report_.packs;
    report_.bytes += row.size;
    const std::string path = data_ + "/" + pack_path(row.name.account, row.name.pack);
    const auto size = length_of(path);
    bool whole = size == row.size;
    bool there = size.has_value();
    if (whole && is_chosen(row.name.pack)) {
      const auto hash = hash_file(path);
      ++report_.read;
      there = hash.ok() || hash.error().code != Code::kNotFound;
      whole = hash.ok() && hash->bytes == row.name.pack.bytes;
    }
    if (whole) return Ok{};
    // A service may have removed it by now.
    const bool still = TRY(is_named(database_, row.name));
    if (!still) return Ok{};
    (there ? report_.damaged : report_.missing).push_back(row.name);
    if (there && options_.damaged == Damaged::kSetAside) return set_aside(row.name, path);
    return Ok{};
  }

  Result<void> set_aside(const PackOf& name, const std::string& path) {
    TRY(make_dirs(data_ + "/damaged"));
    return rename_file(path,
                       data_ + "/damaged/" + pack_folder(name.account) + "-" + name.pack.hex());
  }

  Result<void> find_orphans() {
    Named named(database_);
    TRY(named.load());
    const TimeMs oldest = SystemClock().now() - options_.orphan_age_ms;
    return visit_pack_files(
        data_, [&](const std::string& folder, const std::string& path) -> Result<void> {
          const auto info = stat_of(path);
          if (!info || info->st_mtim.tv_sec * 1000 > oldest) return Ok{};
          const bool has_row = TRY(named.has(data_, folder, path));
          if (has_row) return Ok{};
          ++report_.orphans;
          report_.orphan_bytes += static_cast<std::uint64_t>(info->st_size);
          if (options_.orphans == Orphans::kReport) return Ok{};
          if (::unlink(path.c_str()) != 0) return io_error("remove", path, errno);
          return Ok{};
        });
  }

  const std::string data_;
  const CheckOptions options_;
  sql::Database database_;
  const std::uint64_t window_ =
      std::uint64_t{std::random_device{}()} << 32 | std::uint64_t{std::random_device{}()};
  CheckReport report_;
};

// ---- copies ----

// Packs from one directory to another.
class Copier {
 public:
  enum class How { kLinkOrCopy, kCopy };
  Copier(std::string from, std::string to, How how)
      : from_(std::move(from)), to_(std::move(to)), how_(how) {}

  Result<void> run(sql::Database& names) {
    report_ = CopyReport{0, 0, report_.copied, {}, {}};
    TRY(make_folder(to_ + "/packs"));
    return each_row(names, [&](const PackRow& row) { return put(row); });
  }
  CopyReport& report() { return report_; }

 private:
  Result<void> put(const PackRow& row) {
    ++report_.packs;
    report_.bytes += row.size;
    const std::string path = pack_path(row.name.account, row.name.pack);
    const std::string to = to_ + "/" + path;
    if (length_of(to) == row.size) return Ok{};
    const auto size = length_of(from_ + "/" + path);
    if (size != row.size) {
      (size ? report_.damaged : report_.missing).push_back(row.name);
      return Ok{};
    }
    TRY(make_parents(path));
    return place(row.name, from_ + "/" + path, to);
  }

  Result<void> make_parents(const std::string& path) {
    const auto inner = path.rfind('/');
    if (!made_.insert(path.substr(0, inner)).second) return Ok{};
    TRY(make_folder(to_ + "/" + path.substr(0, path.rfind('/', inner - 1))));
    return make_folder(to_ + "/" + path.substr(0, inner));
  }

  Result<void> place(const PackOf& name, const std::string& from, const std::string& to) {
    if (how_ == How::kLinkOrCopy) {
      ::unlink(to.c_str());  // of another size
      if (::link(from.c_str(), to.c_str()) == 0) {
        ++report_.copied;
        return Ok{};
      }
    }
    // Whatever kept the link from being made, copying it tells.
    const std::string temporary = to_ + "/incoming.pack";
    const auto hash = copy_file(from, temporary);
    if (!hash.ok() && hash.error().code == Code::kNotFound) {
      report_.missing.push_back(name);
      return Ok{};
    }
    TRY(hash);
    if (hash->bytes != name.pack.bytes) {
      ::unlink(temporary.c_str());
      report_.damaged.push_back(name);
      return Ok{};
    }
    ++report_.copied;
    return rename_file(temporary, to);
  }

  const std::string from_;
  const std::string to_;
  const How how_;
  std::set<std::string> made_;
  CopyReport report_;
};

// Small files beside the database: the operators' anchor, and what else the program keeps there.
Result<void> copy_side_files(const std::string& from, const std::string& to) {
  for (const std::string& name : TRY(list_dir(from))) {
    const auto size = length_of(from + "/" + name);
    if (!size || *size > kMaxSideFile || name == "lock" || name == kManifest ||
        name.starts_with(kDatabase) || name.starts_with(kLawful))
      continue;
    const Bytes bytes = TRY(read_file(from + "/" + name, kMaxSideFile));
    TRY(replace_file(to + "/" + name, bytes));
  }
  return Ok{};
}

// The trail of lawful demands, in a database of its own; of one moment.
Result<void> copy_lawful(const std::string& from, const std::string& to) {
  const std::string name = "/" + std::string(kLawful);
  if (!exists(from + name)) return Ok{};
  const std::string copy = to + name + ".incoming";
  ::unlink(copy.c_str());
  auto live = TRY(sql::Database::open_reader(from + name));
  TRY(live.copy_to(copy));
  return rename_file(copy, to + name);
}

class Backup {
 public:
  Backup(std::string data, std::string target)
      : data_(std::move(data)),
        target_(std::move(target)),
        copy_(target_ + "/incoming.db"),
        copier_(data_, target_, Copier::How::kLinkOrCopy) {}

  // Rows first, then files: packs never change, and a service removes them rarely. If it did
  // meanwhile, the rows are taken once more.
  Result<CopyReport> run() {
    bool settled = false;
    for (int i = 0; i < kAttempts && !settled; ++i) settled = TRY(take());
    if (!settled)
      return Error{Code::kUnavailable,
                   "packs are being removed faster than they can be copied; try again later"};
    TRY(make_folder(target_ + "/files"));
    TRY(copy_side_files(data_, target_ + "/files"));
    TRY(copy_lawful(data_, target_ + "/files"));
    const std::string name = TRY(complete());
    TRY(prune(name));
    return std::move(copier_.report());
  }

 private:
  // False: something that the rows name was removed.
  Result<bool> take() {
    for (const char* const end : {"", "-journal", "-wal", "-shm"}) ::unlink((copy_ + end).c_str());
    auto live = TRY(sql::Database::open_reader(data_ + "/" + std::string(kDatabase)));
    TRY(live.copy_to(copy_));
    auto rows = TRY(sql::Database::open_reader(copy_));
    TRY(copier_.run(rows));
    for (const PackOf& name : copier_.report().missing) {
      const bool still = TRY(is_named(live, name));
      if (!still) return false;
    }
    return true;
  }

  // The manifest changes from the earlier backup to this one at once.
  Result<std::string> complete() {
    const Digest hash = TRY(hash_file(copy_));
    std::string name = database_name(hash);
    TRY(rename_file(copy_, target_ + "/" + name));
    TRY(sync_all(target_));
    const CopyReport& report = copier_.report();
    const std::string text = std::string(kManifestHead) + "\nsha256 " + hash.hex() + "\npacks " +
                             std::to_string(report.packs) + "\nbytes " +
                             std::to_string(report.bytes) + "\nmissing " +
                             std::to_string(report.missing.size() + report.damaged.size()) + "\n";
    TRY(replace_file(target_ + "/" + std::string(kManifest), as_bytes(text)));
    return name;
  }

  // What only earlier backups needed.
  Result<void> prune(const std::string& current) {
    for (const std::string& name : TRY(list_dir(target_)))
      if (name.starts_with("service-") && name != current) ::unlink((target_ + "/" + name).c_str());
    auto rows = TRY(sql::Database::open_reader(target_ + "/" + current));
    Named named(rows);
    TRY(named.load());
    return visit_pack_files(
        target_, [&](const std::string& folder, const std::string& path) -> Result<void> {
          const bool needed = TRY(named.has(target_, folder, path));
          if (!needed && ::unlink(path.c_str()) != 0) return io_error("remove", path, errno);
          return Ok{};
        });
  }

  const std::string data_;
  const std::string target_;
  const std::string copy_;
  Copier copier_;
};

Result<void> require_target(const std::string& target) {
  const auto names = TRY(list_dir(target));
  const std::set<std::string> known = {"lock",        "packs",         "files",
                                       "incoming.db", "incoming.pack", std::string(kManifest)};
  for (const std::string& name : names)
    if (!known.contains(name) && name != "lost+found" && !name.starts_with("service-") &&
        !name.starts_with("incoming.db"))
      return Error{Code::kInvalid, "the folder " + target +
                                       " is not empty and is no backup; choose an empty or a new "
                                       "folder"};
  return Ok{};
}

}  // namespace

Result<CheckReport> check_store(const std::string& data, const CheckOptions& options) {
  std::optional<FileLock> lock;
  if (options.orphans == Orphans::kRemove || options.damaged == Damaged::kSetAside)
    lock = TRY(lock_alone(data));
  const std::string path = TRY(database_in(data));
  auto opened = sql::Database::open_reader(path);
  if (!opened.ok() && opened.error().code == Code::kCorrupt) {
    CheckReport report;
    report.database.push_back(opened.error().message);
    return report;
  }
  auto database = TRY(std::move(opened));
  return Checker(data, options, std::move(database)).run();
}

Result<CopyReport> backup_store(const std::string& data, const std::string& target) {
  if (!exists(data + "/" + std::string(kDatabase)))
    return Error{Code::kNotFound, "there is no service's data in " + data};
  TRY(make_dirs(target));
  TRY(require_target(target));
  const auto lock = TRY(lock_alone(target));
  return Backup(data, target).run();
}

// The database comes last: without it there is no service's data.
Result<CopyReport> restore_store(const std::string& backup, const std::string& data) {
  const Manifest manifest = TRY(read_manifest(backup));
  TRY(make_dirs(data));
  for (const std::string& name : TRY(list_dir(data)))
    if (name != "lost+found")
      return Error{Code::kInvalid,
                   "the folder " + data + " is not empty; choose an empty or a new folder"};
  const auto lock = TRY(lock_alone(data));

  const std::string copy = data + "/incoming.db";
  const auto hash = copy_file(backup + "/" + manifest.database, copy);
  if (!hash.ok() || hash->hex() != manifest.hash) {
    ::unlink(copy.c_str());
    if (!hash.ok() && hash.error().code != Code::kNotFound) return hash.error();
    return Error{Code::kCorrupt, "the database of the backup in " + backup +
                                     " is damaged or gone: use another backup"};
  }
  Copier copier(backup, data, Copier::How::kCopy);
  {
    auto rows = TRY(sql::Database::open_reader(copy));
    TRY(copier.run(rows));
  }
  if (exists(backup + "/files")) TRY(copy_side_files(backup + "/files", data));
  TRY(copy_lawful(backup + "/files", data));
  TRY(Replay::raise_floor(copy, SystemClock().now()));
  TRY(Accounts::restart_grace(copy, SystemClock().now()));
  TRY(sync_all(data));
  TRY(rename_file(copy, data + "/" + std::string(kDatabase)));
  TRY(sync_all(data));
  return std::move(copier.report());
}

}  // namespace holdfast::server
