#include "server/pack_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/clock.h"
#include "base/file.h"
#include "crypto/hash.h"
#include "server/rows.h"

namespace holdfast::server {
namespace {

constexpr std::size_t kFolderDigits = 32;
constexpr std::size_t kKnownFolders = 50'000;  // remembered as durable

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

// The size of a regular file; nullopt: there is none.
std::optional<std::uint64_t> size_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(info.st_size);
}

Result<void> sync_path(const std::string& path, int flags) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (!fd.valid()) return io_error("open", path, errno);
  if (::fsync(fd.get()) != 0) return io_error("sync", path, errno);
  return Ok{};
}

Error lost() { return {Code::kNotFound, "the account has no such pack"}; }

Result<std::optional<store::FileInfo>> find(sql::Database& db, const std::string& account,
                                            const PackId& pack) {
  auto row =
      TRY(db.prepare_cached("SELECT size, received_ms FROM packs WHERE account = ? AND pack = ?"));
  TRY(row.bind(1, std::string_view(account)));
  TRY(row.bind(2, pack.view()));
  const bool there = TRY(row.step());
  if (!there) return std::optional<store::FileInfo>();
  const auto size = static_cast<std::uint64_t>(TRY(row.column_int(0)));
  return std::optional(store::FileInfo{size, TRY(row.column_int(1))});
}

Result<PackFiles::Totals> totals_in(sql::Statement row) {
  PackFiles::Totals totals;
  const bool known = TRY(row.step());
  if (!known) return totals;
  totals.packs = static_cast<std::uint64_t>(TRY(row.column_int(0)));
  totals.bytes = static_cast<std::uint64_t>(TRY(row.column_int(1)));
  return totals;
}

Result<void> count(sql::Database& db, const std::string& account, std::int64_t packs,
                   std::int64_t bytes) {
  auto row = TRY(db.prepare_cached(
      "INSERT INTO usage(account, packs, bytes) VALUES(?, ?, ?) ON CONFLICT(account) DO "
      "UPDATE SET packs = packs + excluded.packs, bytes = bytes + excluded.bytes"));
  TRY(row.bind(1, std::string_view(account)));
  TRY(row.bind(2, packs));
  TRY(row.bind(3, bytes));
  return row.run();
}

Result<void> remove_row(sql::Database& db, const std::string& account, const PackId& pack) {
  const auto known = TRY(find(db, account, pack));
  if (!known) return Ok{};
  auto gone = TRY(db.prepare_cached("DELETE FROM packs WHERE account = ? AND pack = ?"));
  TRY(gone.bind(1, std::string_view(account)));
  TRY(gone.bind(2, pack.view()));
  TRY(gone.run());
  return count(db, account, -1, -static_cast<std::int64_t>(known->size));
}

}  // namespace

const std::string PackFiles::kSchema =
    "CREATE TABLE IF NOT EXISTS packs("
    "  account TEXT NOT NULL, pack BLOB NOT NULL, size INTEGER NOT NULL,"
    "  received_ms INTEGER NOT NULL, PRIMARY KEY(account, pack)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS usage("
    "  account TEXT PRIMARY KEY, packs INTEGER NOT NULL, bytes INTEGER NOT NULL"
    ") WITHOUT ROWID;";

std::string pack_folder(const std::string& account) {
  return crypto::sha256(as_bytes(account)).hex().substr(0, kFolderDigits);
}

std::string pack_path(const std::string& account, const PackId& pack) {
  const std::string name = pack.hex();
  return "packs/" + pack_folder(account) + "/" + name.substr(0, 2) + "/" + name;
}

// Whoever changes a pack's file and row is alone with it.
class PackFiles::Busy {
 public:
  Busy(PackFiles& files, const std::string& account, const PackId& pack)
      : files_(files), key_(account, pack) {
    const Lock lock(files_.mutex_);
    while (!files_.busy_.insert(key_).second) files_.changed_.wait(files_.mutex_);
  }
  ~Busy() {
    const Lock lock(files_.mutex_);
    files_.busy_.erase(key_);
    files_.changed_.notify_all();
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  PackFiles& files_;
  const std::pair<std::string, PackId> key_;
};

class PackFiles::Sink final : public api::PackSink {
 public:
  Sink(PackFiles& files, std::string account, const PackId& pack, std::uint64_t size,
       Present present)
      : files_(files), account_(std::move(account)), pack_(pack), size_(size), present_(present) {}
  ~Sink() override {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  Result<void> write(BytesView piece) override {
    if (ended_ || piece.size() > size_ - have_) {
      ended_ = true;
      return Error{Code::kInvalid, "a pack is longer than announced"};
    }
    have_ += piece.size();
    hash_.update(piece);
    if (!file_.valid()) return Ok{};
    auto done = write_all(file_.get(), piece, "a pack");
    if (!done.ok()) ended_ = true;
    return done;
  }

  Result<void> commit() override {
    if (ended_) return Error{Code::kInvalid, "a pack did not arrive whole"};
    ended_ = true;
    if (have_ != size_) return Error{Code::kInvalid, "a pack is shorter than announced"};
    if (hash_.finish().bytes != pack_.bytes)
      return Error{Code::kInvalid, "a pack does not have the hash it is named by"};
    if (file_.valid() && ::fsync(file_.get()) != 0) return io_error("sync", "a pack", errno);
    return files_.place(*this);
  }

 private:
  friend class PackFiles;

  PackFiles& files_;
  const std::string account_;
  const PackId pack_;
  const std::uint64_t size_;
  const Present present_;
  Fd file_;  // none: the pack is there
  std::string temporary_;
  crypto::Sha256 hash_;
  std::uint64_t have_ = 0;
  bool ended_ = false;
};

PackFiles::~PackFiles() = default;

Result<std::unique_ptr<PackFiles>> PackFiles::start(const std::string& dir, Writer& writer) {
  const std::string incoming = dir + "/incoming";
  TRY(make_dirs(dir + "/packs"));
  TRY(make_dirs(incoming));
  for (const std::string& name : TRY(list_dir(incoming))) {
    const std::string path = incoming + "/" + name;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return io_error("remove", path, errno);
  }
  return std::unique_ptr<PackFiles>(new PackFiles(dir, writer));
}

// ---- in ----

Result<std::unique_ptr<PackFiles::Sink>> PackFiles::make_sink(const std::string& account,
                                                              const PackId& pack,
                                                              std::uint64_t size, Present present) {
  if (size == 0 || size > api::kMaxPackBytes)
    return Error{Code::kInvalid, "a pack is empty or too large"};
  auto sink = std::make_unique<Sink>(*this, account, pack, size, present);
  const auto known = TRY(row(account, pack));
  if (known && present == Present::kKeep && size_of(dir_ + "/" + pack_path(account, pack)) == size)
    return sink;
  std::uint64_t number = 0;
  {
    const Lock lock(mutex_);
    number = counter_++;
  }
  const std::string path = dir_ + "/incoming/" + std::to_string(number);
  sink->file_ = Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!sink->file_.valid()) return io_error("create a file in", dir_ + "/incoming", errno);
  sink->temporary_ = path;
  return sink;
}

Result<std::unique_ptr<api::PackSink>> PackFiles::begin(const std::string& account,
                                                        const PackId& pack, std::uint64_t size) {
  auto sink = TRY(make_sink(account, pack, size, Present::kKeep));
  return std::unique_ptr<api::PackSink>(std::move(sink));
}

Result<void> PackFiles::rewrite(const std::string& account, const PackId& pack, BytesView bytes) {
  const auto sink = TRY(make_sink(account, pack, bytes.size(), Present::kRewrite));
  TRY(sink->write(bytes));
  return sink->commit();
}

Result<void> PackFiles::place(Sink& sink) {
  const Busy busy(*this, sink.account_, sink.pack_);
  const auto known = TRY(row(sink.account_, sink.pack_));
  const std::string path = dir_ + "/" + pack_path(sink.account_, sink.pack_);
  if (known && sink.present_ == Present::kKeep && size_of(path) == sink.size_) return Ok{};
  if (!sink.file_.valid())
    return Error{Code::kUnavailable, "the pack was removed while it came again; send it once more"};
  const std::string folder = parent_of(path);
  TRY(make_folder(folder));
  if (::rename(sink.temporary_.c_str(), path.c_str()) != 0)
    return io_error("rename to", path, errno);
  sink.temporary_.clear();
  TRY(sync_folder(folder));
  if (known) return Ok{};
  return add_row(sink);
}

Result<void> PackFiles::add_row(const Sink& sink) {
  const TimeMs now = SystemClock().now();
  return writer_.write([&](sql::Database& db) -> Result<void> {
    const auto size = static_cast<std::int64_t>(sink.size_);
    auto add = TRY(db.prepare_cached(
        "INSERT INTO packs(account, pack, size, received_ms) VALUES(?, ?, ?, ?)"));
    TRY(add.bind(1, std::string_view(sink.account_)));
    TRY(add.bind(2, sink.pack_.view()));
    TRY(add.bind(3, size));
    TRY(add.bind(4, std::int64_t{now}));
    TRY(add.run());
    return count(db, sink.account_, 1, size);
  });
}

// A folder that is there may be of another caller, or of a process that was killed, before its name
// was synced: this process knows it only once it has done that.
Result<void> PackFiles::make_folder(const std::string& path) {
  const bool there = exists(path);
  {
    const Lock lock(mutex_);
    if (there && durable_.contains(path)) return Ok{};
  }
  TRY(make_dirs(path));
  for (std::string at = path; at != dir_; at = parent_of(at)) TRY(sync_folder(parent_of(at)));
  const Lock lock(mutex_);
  if (durable_.size() >= kKnownFolders) durable_.clear();
  durable_.insert(path);
  return Ok{};
}

// A sync that began after the caller came is enough for it.
Result<void> PackFiles::sync_folder(const std::string& path) {
  const Lock lock(mutex_);
  Sync& sync = syncs_[path];
  ++sync.users;
  const std::uint64_t mine = sync.begun + 1;
  while (sync.finished < mine) {
    if (sync.running) {
      changed_.wait(mutex_);
      continue;
    }
    sync.running = true;
    const std::uint64_t number = ++sync.begun;
    mutex_.unlock();
    auto done = sync_path(path, O_DIRECTORY);
    mutex_.lock();
    sync.running = false;
    sync.finished = number;
    if (!done.ok()) {
      sync.failed = number;
      sync.error = std::move(done).error();
    }
    changed_.notify_all();
  }
  Result<void> outcome = Ok{};
  if (sync.failed >= mine) outcome = *sync.error;
  if (--sync.users == 0) syncs_.erase(path);
  return outcome;
}

// ---- out ----

Result<std::optional<store::FileInfo>> PackFiles::row(const std::string& account,
                                                      const PackId& pack) {
  std::optional<store::FileInfo> found;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    found = TRY(find(db, account, pack));
    return Ok{};
  });
  TRY(done);
  return found;
}

Result<api::StoredFile> PackFiles::open(const std::string& account, const PackId& pack) {
  const auto known = TRY(row(account, pack));
  if (!known) return lost();
  const std::string path = dir_ + "/" + pack_path(account, pack);
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) return lost();
  if (!file.valid()) return io_error("open", path, errno);
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return io_error("stat", path, errno);
  if (static_cast<std::uint64_t>(info.st_size) != known->size)
    return Error{Code::kCorrupt, "a pack of this account is damaged at the service"};
  return api::StoredFile{std::move(file), known->size};
}

Result<Bytes> PackFiles::get(const std::string& account, const PackId& pack) {
  const auto stored = TRY(open(account, pack));
  Bytes bytes(stored.size);
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t n = ::read(stored.file.get(), bytes.data() + have, bytes.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("read", "a pack", errno);
    if (n == 0) return Error{Code::kCorrupt, "a pack of this account is damaged at the service"};
    have += static_cast<std::size_t>(n);
  }
  return bytes;
}

Result<store::FileInfo> PackFiles::info(const std::string& account, const PackId& pack) {
  const auto known = TRY(row(account, pack));
  if (!known) return lost();
  const auto size = size_of(dir_ + "/" + pack_path(account, pack));
  if (!size) return lost();
  if (*size != known->size)
    return Error{Code::kCorrupt, "a pack of this account is damaged at the service"};
  return *known;
}

Result<std::vector<bool>> PackFiles::have(const std::string& account,
                                          const std::vector<PackId>& packs) {
  std::vector<std::optional<store::FileInfo>> rows;
  rows.reserve(packs.size());
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    for (const PackId& pack : packs) rows.push_back(TRY(find(db, account, pack)));
    return Ok{};
  });
  TRY(done);
  std::vector<bool> there;
  there.reserve(packs.size());
  for (std::size_t i = 0; i < packs.size(); ++i)
    there.push_back(rows[i] && size_of(dir_ + "/" + pack_path(account, packs[i])) == rows[i]->size);
  return there;
}

Result<std::vector<PackId>> PackFiles::list(const std::string& account) {
  std::vector<PackId> packs;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(db.prepare_cached("SELECT pack FROM packs WHERE account = ? ORDER BY pack"));
    TRY(rows.bind(1, std::string_view(account)));
    for (;;) {
      const bool more = TRY(rows.step());
      if (!more) return Ok{};
      if (const auto id = PackId::from(TRY(rows.column_blob(0)))) packs.push_back(*id);
    }
  });
  TRY(done);
  return packs;
}

Result<std::vector<std::string>> PackFiles::accounts() {
  std::vector<std::string> names;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(db.prepare_cached("SELECT account FROM usage ORDER BY account"));
    for (;;) {
      const bool more = TRY(rows.step());
      if (!more) return Ok{};
      names.emplace_back(TRY(rows.column_text(0)));
    }
  });
  TRY(done);
  return names;
}

Result<PackFiles::Totals> PackFiles::of(const std::string& account) {
  Totals totals;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(db.prepare_cached("SELECT packs, bytes FROM usage WHERE account = ?"));
    TRY(row.bind(1, std::string_view(account)));
    totals = TRY(totals_in(std::move(row)));
    return Ok{};
  });
  TRY(done);
  return totals;
}

Result<PackFiles::Totals> PackFiles::totals() {
  Totals totals;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row =
        TRY(db.prepare_cached("SELECT ifnull(sum(packs), 0), ifnull(sum(bytes), 0) FROM usage"));
    totals = TRY(totals_in(std::move(row)));
    return Ok{};
  });
  TRY(done);
  return totals;
}

// ---- away ----

Result<void> PackFiles::remove(const std::string& account, const PackId& pack) {
  const Busy busy(*this, account, pack);
  TRY(writer_.write([&](sql::Database& db) { return remove_row(db, account, pack); }));
  const std::string path = dir_ + "/" + pack_path(account, pack);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return io_error("remove", path, errno);
  return Ok{};
}

Result<void> PackFiles::remove_account(const std::string& account) {
  for (bool more = true; more;) {
    const auto done = writer_.write([&](sql::Database& db) -> Result<void> {
      auto gone =
          TRY(db.prepare_cached("DELETE FROM packs WHERE account = ?1 AND pack IN "
                                "(SELECT pack FROM packs WHERE account = ?1 LIMIT ?2)"));
      TRY(gone.bind(1, std::string_view(account)));
      TRY(gone.bind(2, kRemovedAtOnce));
      TRY(gone.run());
      more = db.changes() > 0;
      if (more) return Ok{};
      auto usage = TRY(db.prepare_cached("DELETE FROM usage WHERE account = ?"));
      TRY(usage.bind(1, std::string_view(account)));
      return usage.run();
    });
    TRY(done);
  }
  const std::string folder = dir_ + "/packs/" + pack_folder(account);
  {
    const Lock lock(mutex_);
    durable_.erase(durable_.lower_bound(folder + "/"), durable_.lower_bound(folder + "0"));
  }
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (error) return io_error("remove", folder, error.value());
  return Ok{};
}

}  // namespace holdfast::server
