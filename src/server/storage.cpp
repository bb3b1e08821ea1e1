#include "server/storage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/file.h"
#include "crypto/hash.h"
#include "server/rows.h"
#include "store/layout.h"

namespace holdfast::server {
namespace {

constexpr std::size_t kAtOnce = 500;  // rows that one write removes

// Objects of the stores' kind (store/files.h) as rows.
class Rows final : public store::Files {
 public:
  explicit Rows(Writer& writer) : writer_(writer) {}

  Result<Bytes> get(const std::string& path, std::uint64_t limit) override {
    Bytes bytes;
    const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
      auto row = TRY(bound(db, "SELECT bytes FROM objects WHERE path = ?", path));
      const bool there = TRY(row.step());
      if (!there) return absent();
      const BytesView found = TRY(row.column_blob(0));
      if (found.size() > limit)
        return Error{Code::kCorrupt, "an object in the service is larger than it may be"};
      bytes = to_bytes(found);
      return Ok{};
    });
    TRY(done);
    return bytes;
  }
  Result<void> create(const std::string& path, BytesView bytes) override {
    const TimeMs now = clock_.now();
    return writer_.write([&](sql::Database& db) {
      return run(db, "INSERT INTO objects(path, bytes, modified_ms) VALUES(?, ?, ?)", path, bytes,
                 now);
    });
  }
  Result<void> replace(const std::string& path, BytesView bytes) override {
    const TimeMs now = clock_.now();
    return writer_.write([&](sql::Database& db) {
      return run(db, "INSERT OR REPLACE INTO objects(path, bytes, modified_ms) VALUES(?, ?, ?)",
                 path, bytes, now);
    });
  }
  Result<void> remove(const std::string& path) override {
    return writer_.write(
        [&](sql::Database& db) { return run(db, "DELETE FROM objects WHERE path = ?", path); });
  }
  // A row that can be read is durable: it was committed.
  Result<void> persist(const std::string& path) override {
    TRY(info(path));
    return Ok{};
  }
  Result<store::FileInfo> info(const std::string& path) override {
    store::FileInfo found;
    const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
      auto row =
          TRY(bound(db, "SELECT length(bytes), modified_ms FROM objects WHERE path = ?", path));
      const bool there = TRY(row.step());
      if (!there) return absent();
      found.size = static_cast<std::uint64_t>(TRY(row.column_int(0)));
      found.modified_ms = TRY(row.column_int(1));
      return Ok{};
    });
    TRY(done);
    return found;
  }
  // One seek for each name, over whatever lies below it.
  Result<std::vector<std::string>> list(const std::string& folder) override {
    std::vector<std::string> names;
    const std::string prefix = folder + "/";
    const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
      auto next = TRY(db.prepare("SELECT path FROM objects WHERE path >= ? ORDER BY path LIMIT 1"));
      std::string from = prefix;
      for (;;) {
        TRY(next.bind(1, std::string_view(from)));
        const bool there = TRY(next.step());
        if (!there) return Ok{};
        std::string path(TRY(next.column_text(0)));
        const bool more = TRY(next.step());
        HF_CHECK(!more);
        if (!path.starts_with(prefix)) return Ok{};
        const auto slash = path.find('/', prefix.size());
        std::string name = path.substr(prefix.size(), slash - prefix.size());
        // '0' follows '/': past everything below the name.
        from = slash == std::string::npos ? path + '\x01' : prefix + name + '0';
        if (names.empty() || names.back() != name) names.push_back(std::move(name));
      }
    });
    TRY(done);
    return names;
  }
  // One process has the directory, and the service keeps appends to one account apart.
  Result<std::unique_ptr<Lock>> lock() override {
    return std::unique_ptr<Lock>(std::make_unique<Lock>());
  }
  std::string place() const override { return "this service"; }

 private:
  static Error absent() { return {Code::kNotFound, "the service has no such object"}; }

  Writer& writer_;
  const SystemClock clock_;
};

struct PackRow {
  std::uint64_t size = 0;
};

Result<std::optional<PackRow>> find_pack(sql::Database& db, const std::string& account,
                                         const PackId& pack) {
  auto row =
      TRY(bound(db, "SELECT size FROM packs WHERE account = ? AND pack = ?", account, pack.view()));
  const bool there = TRY(row.step());
  if (!there) return std::optional<PackRow>();
  return std::optional(PackRow{static_cast<std::uint64_t>(TRY(row.column_int(0)))});
}

Result<void> count(sql::Database& db, const std::string& account, std::int64_t packs,
                   std::int64_t bytes) {
  return run(db,
             "INSERT INTO usage(account, packs, bytes) VALUES(?, ?, ?) ON CONFLICT(account) DO "
             "UPDATE SET packs = packs + excluded.packs, bytes = bytes + excluded.bytes",
             account, packs, bytes);
}

Result<void> sync_folder(const std::string& folder) {
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) return io_error("save", folder, errno);
  return Ok{};
}

// File first, row second: a row says that the whole pack is durable under its name.
class FileSink final : public api::PackSink {
 public:
  FileSink(Writer& writer, std::string account, const PackId& pack, std::uint64_t size, Fd file,
           std::string temporary, std::string folder)
      : writer_(writer),
        account_(std::move(account)),
        pack_(pack),
        size_(size),
        file_(std::move(file)),
        temporary_(std::move(temporary)),
        folder_(std::move(folder)) {}
  ~FileSink() override {
    if (!kept_) ::unlink(temporary_.c_str());
  }

  Result<void> write(BytesView piece) override {
    if (piece.size() > size_ - have_)
      return Error{Code::kInvalid, "a pack is longer than announced"};
    have_ += piece.size();
    hash_.update(piece);
    return write_all(file_.get(), piece, "a pack");
  }
  Result<void> commit() override {
    if (have_ != size_) return Error{Code::kInvalid, "a pack is shorter than announced"};
    if (hash_.finish().bytes != pack_.bytes)
      return Error{Code::kInvalid, "a pack does not have the hash it is named by"};
    if (::fsync(file_.get()) != 0) return io_error("save", "a pack", errno);
    TRY(make_dirs(folder_));
    const std::string path = folder_ + "/" + pack_.hex();
    if (::rename(temporary_.c_str(), path.c_str()) != 0) return io_error("save", "a pack", errno);
    kept_ = true;
    TRY(sync_folder(folder_));
    const SystemClock clock;
    const TimeMs now = clock.now();
    return writer_.write([&](sql::Database& db) -> Result<void> {
      const auto known = TRY(find_pack(db, account_, pack_));
      if (known) return Ok{};
      const auto size = static_cast<std::int64_t>(size_);
      TRY(run(db, "INSERT INTO packs(account, pack, size, received_ms) VALUES(?, ?, ?, ?)",
              account_, pack_.view(), size, now));
      return count(db, account_, 1, size);
    });
  }

 private:
  Writer& writer_;
  const std::string account_;
  const PackId pack_;
  const std::uint64_t size_;
  const Fd file_;
  const std::string temporary_;
  const std::string folder_;
  std::uint64_t have_ = 0;
  crypto::Sha256 hash_;
  bool kept_ = false;
};

class FileStorage final : public Storage {
 public:
  FileStorage(std::string data, Writer& writer)
      : data_(std::move(data)), writer_(writer), rows_(std::make_shared<Rows>(writer)) {}

  // What a killed service was receiving.
  Result<void> clean() const {
    TRY(make_dirs(data_ + "/packs"));
    TRY(make_dirs(data_ + "/incoming"));
    for (const std::string& name : TRY(list_dir(data_ + "/incoming")))
      ::unlink((data_ + "/incoming/" + name).c_str());
    return Ok{};
  }

  std::shared_ptr<store::Files> files() override { return rows_; }

  Result<std::unique_ptr<api::PackSink>> begin(const std::string& account, const PackId& pack,
                                               std::uint64_t size) override {
    if (size == 0 || size > api::kMaxPackBytes)
      return Error{Code::kInvalid, "a pack is empty or too large"};
    const std::string temporary =
        data_ + "/incoming/" + pack.hex() + "." + std::to_string(counter_.fetch_add(1));
    Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.valid()) return io_error("create", "a pack", errno);
    return std::unique_ptr<api::PackSink>(std::make_unique<FileSink>(
        writer_, account, pack, size, std::move(file), temporary, folder_of(account, pack)));
  }

  Result<api::StoredPack> open(const std::string& account, const PackId& pack) override {
    std::optional<PackRow> row;
    const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
      row = TRY(find_pack(db, account, pack));
      return Ok{};
    });
    TRY(done);
    if (!row) return Error{Code::kNotFound, "the account has no such pack"};
    Fd file(::open((folder_of(account, pack) + "/" + pack.hex()).c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info{};
    if (!file.valid() || ::fstat(file.get(), &info) != 0)
      return Error{Code::kCorrupt, "the service has lost a pack of this account"};
    if (static_cast<std::uint64_t>(info.st_size) != row->size)
      return Error{Code::kCorrupt, "a pack of this account is damaged at the service"};
    return api::StoredPack{std::move(file), row->size};
  }

  Result<Bytes> get(const std::string& account, const PackId& pack) override {
    const auto stored = TRY(open(account, pack));
    Bytes bytes(stored.size);
    std::size_t have = 0;
    while (have < bytes.size()) {
      const ssize_t got = ::read(stored.file.get(), bytes.data() + have, bytes.size() - have);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return Error{Code::kCorrupt, "a pack is damaged at the service"};
      have += static_cast<std::size_t>(got);
    }
    return bytes;
  }

  // The row counts, unless its file is gone: then the pack is asked for again, and healed.
  Result<std::vector<bool>> have(const std::string& account,
                                 const std::vector<PackId>& packs) override {
    std::vector<bool> there;
    const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
      for (const PackId& pack : packs) {
        const auto row = TRY(find_pack(db, account, pack));
        struct stat info{};
        there.push_back(row &&
                        ::stat((folder_of(account, pack) + "/" + pack.hex()).c_str(), &info) == 0 &&
                        static_cast<std::uint64_t>(info.st_size) == row->size);
      }
      return Ok{};
    });
    TRY(done);
    return there;
  }

  Result<std::uint64_t> bytes_of(const std::string& account) override {
    std::int64_t bytes = 0;
    const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
      auto row = TRY(bound(db, "SELECT bytes FROM usage WHERE account = ?", account));
      const bool known = TRY(row.step());
      if (known) bytes = TRY(row.column_int(0));
      return Ok{};
    });
    TRY(done);
    return static_cast<std::uint64_t>(bytes);
  }

  Result<Totals> totals() override {
    Totals totals;
    const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
      auto row = TRY(db.prepare("SELECT ifnull(sum(packs), 0), ifnull(sum(bytes), 0) FROM usage"));
      const bool known = TRY(row.step());
      if (!known) return Ok{};
      totals.packs = static_cast<std::uint64_t>(TRY(row.column_int(0)));
      totals.bytes = static_cast<std::uint64_t>(TRY(row.column_int(1)));
      return Ok{};
    });
    TRY(done);
    return totals;
  }

  // The row first: a file that nothing names is garbage, a row without its file is a loss.
  Result<void> remove(const std::string& account, const PackId& pack) override {
    const auto done = writer_.write([&](sql::Database& db) -> Result<void> {
      const auto row = TRY(find_pack(db, account, pack));
      if (!row) return Ok{};
      TRY(run(db, "DELETE FROM packs WHERE account = ? AND pack = ?", account, pack.view()));
      return count(db, account, -1, -static_cast<std::int64_t>(row->size));
    });
    TRY(done);
    const std::string path = folder_of(account, pack) + "/" + pack.hex();
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return io_error("remove", "a pack", errno);
    return Ok{};
  }

  Result<void> remove_account(const std::string& account) override {
    for (;;) {
      const auto packs = TRY(some_packs(account));
      if (packs.empty()) break;
      for (const PackId& pack : packs) TRY(remove(account, pack));
    }
    const std::string from = store::account_folder(account) + "/";
    const std::string to = store::account_folder(account) + "0";  // '0' follows '/'
    return writer_.write([&](sql::Database& db) -> Result<void> {
      TRY(run(db, "DELETE FROM objects WHERE path >= ? AND path < ?", from, to));
      return run(db, "DELETE FROM usage WHERE account = ?", account);
    });
  }

 private:
  // An account's name is of any bytes; its hash makes a folder's name of one length.
  std::string folder_of(const std::string& account, const PackId& pack) const {
    return data_ + "/packs/" + crypto::sha256(as_bytes(account)).hex().substr(0, 32) + "/" +
           pack.hex().substr(0, 2);
  }
  Result<std::vector<PackId>> some_packs(const std::string& account) {
    std::vector<PackId> packs;
    const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
      auto rows = TRY(bound(db, "SELECT pack FROM packs WHERE account = ? LIMIT ?", account,
                            static_cast<std::int64_t>(kAtOnce)));
      for (;;) {
        const bool more = TRY(rows.step());
        if (!more) return Ok{};
        const auto id = PackId::from(TRY(rows.column_blob(0)));
        if (!id) return Error{Code::kCorrupt, "the service's database names a pack that is none"};
        packs.push_back(*id);
      }
    });
    TRY(done);
    return packs;
  }

  const std::string data_;
  Writer& writer_;
  const std::shared_ptr<Rows> rows_;
  std::atomic<std::uint64_t> counter_ = 0;
};

}  // namespace

std::string Storage::schema() {
  return "CREATE TABLE IF NOT EXISTS objects("
         "  path TEXT PRIMARY KEY, bytes BLOB NOT NULL, modified_ms INTEGER NOT NULL"
         ") WITHOUT ROWID;"
         "CREATE TABLE IF NOT EXISTS packs("
         "  account TEXT NOT NULL, pack BLOB NOT NULL, size INTEGER NOT NULL,"
         "  received_ms INTEGER NOT NULL, PRIMARY KEY(account, pack)) WITHOUT ROWID;"
         "CREATE TABLE IF NOT EXISTS usage("
         "  account TEXT PRIMARY KEY, packs INTEGER NOT NULL, bytes INTEGER NOT NULL"
         ") WITHOUT ROWID;";
}

Result<std::unique_ptr<Storage>> Storage::open(const std::string& data, Writer& writer) {
  auto storage = std::make_unique<FileStorage>(data, writer);
  TRY(storage->clean());
  return std::unique_ptr<Storage>(std::move(storage));
}

}  // namespace holdfast::server
