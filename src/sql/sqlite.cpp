#include "sql/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <unordered_map>
#include <utility>

#include "base/file.h"

namespace holdfast::sql {
namespace {

constexpr int kBusyTimeoutMs = 10'000;
constexpr std::size_t kCachedTexts = 256;
constexpr std::size_t kCachedOfOneText = 4;  // used at one time, one within the other
constexpr int kCopyAttempts = 100;
constexpr int kCopyPauseMs = 20;

Code code_of(int status) {
  switch (status & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Code::kCorrupt;
    case SQLITE_CONSTRAINT: return Code::kConflict;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH: return Code::kDenied;
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
    case SQLITE_TOOBIG: return Code::kInvalid;
    default: return Code::kUnavailable;
  }
}

// Never the statement or its values: they may be contents.
Error sql_error(const std::string& path, int status) {
  const Code code = code_of(status);
  if (code == Code::kCorrupt)
    return {code, path + " is damaged: it is not a database, or parts of it are broken"};
  if ((status & 0xff) == SQLITE_FULL)
    return {code, "cannot write " + path + ": the disk is full; free some space and try again"};
  if ((status & 0xff) == SQLITE_BUSY)
    return {code, path + " is in use by another program; try again when it is done"};
  if ((status & 0xff) == SQLITE_IOERR)
    return {code, "cannot read or write " + path +
                      ": the disk may be full, failing or gone; check it and try again"};
  return {code, "cannot use " + path + ": " + sqlite3_errstr(status)};
}

Result<void> check(const std::string& path, int status) {
  if (status != SQLITE_OK) return sql_error(path, status);
  return Ok{};
}

// SQLite would make it readable by all, as umask allows; its -wal and -shm files get our mode.
Result<void> create_private(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return io_error("open", path, errno);
  return Ok{};
}

}  // namespace

Statement::~Statement() {
  if (statement_ == nullptr) return;
  if (home_ == nullptr || home_->size() >= kCachedOfOneText) {
    sqlite3_finalize(statement_);
    return;
  }
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  home_->push_back(statement_);
}

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)),
      path_(std::move(other.path_)),
      home_(other.home_) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  std::swap(path_, other.path_);
  std::swap(home_, other.home_);
  return *this;
}

Result<void> Statement::bind(int parameter, std::int64_t value) {
  return check(*path_, sqlite3_bind_int64(statement_, parameter, value));
}

Result<void> Statement::bind(int parameter, std::string_view text) {
  // A null pointer would bind NULL.
  const char* const data = text.empty() ? "" : text.data();
  return check(*path_, sqlite3_bind_text64(statement_, parameter, data, text.size(),
                                           SQLITE_TRANSIENT, SQLITE_UTF8));
}

Result<void> Statement::bind(int parameter, BytesView blob) {
  if (blob.empty()) return check(*path_, sqlite3_bind_zeroblob(statement_, parameter, 0));
  return check(*path_, sqlite3_bind_blob64(statement_, parameter, blob.data(), blob.size(),
                                           SQLITE_TRANSIENT));
}

Result<bool> Statement::step() {
  const int status = sqlite3_step(statement_);
  if (status == SQLITE_ROW) return true;
  sqlite3_reset(statement_);
  if (status == SQLITE_DONE) return false;
  return sql_error(*path_, status);
}

Result<void> Statement::run() {
  const bool row = TRY(step());
  HF_CHECK(!row);
  return Ok{};
}

Result<void> Statement::expect_type(int column, int type) const {
  if (sqlite3_column_type(statement_, column) != type)
    return Error{Code::kCorrupt, *path_ + " is damaged: a value has another type than it must"};
  return Ok{};
}

Result<std::int64_t> Statement::column_int(int column) const {
  TRY(expect_type(column, SQLITE_INTEGER));
  return std::int64_t{sqlite3_column_int64(statement_, column)};
}

Result<std::string_view> Statement::column_text(int column) const {
  TRY(expect_type(column, SQLITE_TEXT));
  const unsigned char* const text = sqlite3_column_text(statement_, column);
  if (text == nullptr) return sql_error(*path_, SQLITE_NOMEM);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return std::string_view(reinterpret_cast<const char*>(text), size);
}

Result<BytesView> Statement::column_blob(int column) const {
  TRY(expect_type(column, SQLITE_BLOB));
  const void* const blob = sqlite3_column_blob(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return BytesView(static_cast<const std::uint8_t*>(blob), size);
}

// ---- databases ----

namespace {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

}  // namespace

// Statements at rest by their text. Places in it do not move.
struct Database::Cache {
  ~Cache() {
    for (const auto& [text, idle] : texts)
      for (sqlite3_stmt* const statement : idle) sqlite3_finalize(statement);
  }
  std::unordered_map<std::string, Statement::Idle, TextHash, std::equal_to<>> texts;
};

Database::Database(sqlite3* database, const std::string& path)
    : database_(database),
      path_(std::make_shared<const std::string>(path)),
      cache_(std::make_unique<Cache>()) {}

Result<Database> Database::open(const std::string& path) {
  TRY(create_private(path));
  sqlite3* handle = nullptr;
  const int status = sqlite3_open_v2(
      path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE,
      nullptr);
  Database database(handle, path);  // SQLite hands out a handle to close even when it fails
  TRY(check(path, status));
  TRY(database.configure());
  return database;
}

Result<Database> Database::open_reader(const std::string& path) {
  if (!exists(path)) return Error{Code::kNotFound, "there is no database " + path};
  sqlite3* handle = nullptr;
  // Not READONLY: a reader of a log must be able to lock it.
  const int status = sqlite3_open_v2(
      path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE,
      nullptr);
  Database database(handle, path);
  TRY(check(path, status));
  TRY(database.configure_reader());
  return database;
}

Result<void> Database::configure_reader() {
  TRY(check(*path_, sqlite3_busy_timeout(database_, kBusyTimeoutMs)));
  TRY(check(*path_, sqlite3_db_config(database_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr)));
  TRY(check(*path_, sqlite3_db_config(database_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr)));
  TRY(check(*path_, sqlite3_db_config(database_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr)));
  return execute(
      "PRAGMA cell_size_check = ON; PRAGMA wal_autocheckpoint = 0; PRAGMA query_only = ON");
}

Result<void> Database::configure() {
  TRY(check(*path_, sqlite3_busy_timeout(database_, kBusyTimeoutMs)));
  // The file is data: nothing in its schema may run functions or be written around SQL.
  TRY(check(*path_, sqlite3_db_config(database_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr)));
  TRY(check(*path_, sqlite3_db_config(database_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr)));
  TRY(execute("PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL"));
  Statement wal = TRY(prepare("PRAGMA journal_mode = WAL"));
  const bool row = TRY(wal.step());
  if (!row) return sql_error(*path_, SQLITE_ERROR);
  const std::string_view mode = TRY(wal.column_text(0));
  if (mode != "wal")
    return Error{Code::kUnavailable, "the file system of " + *path_ +
                                         " cannot keep a write-ahead log; use a local disk"};
  return Ok{};
}

Database::~Database() {
  cache_.reset();
  // Broken only when a statement outlives its database.
  if (database_ != nullptr) HF_CHECK(sqlite3_close(database_) == SQLITE_OK);
}

Database::Database(Database&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)),
      path_(std::move(other.path_)),
      cache_(std::move(other.cache_)) {}

Database& Database::operator=(Database&& other) noexcept {
  std::swap(database_, other.database_);
  std::swap(path_, other.path_);
  std::swap(cache_, other.cache_);
  return *this;
}

Result<Statement> Database::compile(std::string_view sql, Statement::Idle* home) {
  sqlite3_stmt* statement = nullptr;
  const unsigned flags = home == nullptr ? 0 : SQLITE_PREPARE_PERSISTENT;
  const int status = sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()), flags,
                                        &statement, nullptr);
  if (status != SQLITE_OK) return sql_error(*path_, status);
  return Statement(statement, path_, home);
}

Result<Statement> Database::prepare(std::string_view sql) { return compile(sql, nullptr); }

Result<Statement> Database::prepare_cached(std::string_view sql) {
  auto it = cache_->texts.find(sql);
  if (it == cache_->texts.end()) {
    if (cache_->texts.size() >= kCachedTexts) return prepare(sql);
    it = cache_->texts.emplace(std::string(sql), Statement::Idle{}).first;
  }
  Statement::Idle& idle = it->second;
  if (idle.empty()) return compile(sql, &idle);
  sqlite3_stmt* const statement = idle.back();
  idle.pop_back();
  return Statement(statement, path_, &idle);
}

Result<void> Database::execute(const std::string& sql) {
  return check(*path_, sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr));
}

std::int64_t Database::changes() const { return sqlite3_changes64(database_); }

bool Database::in_transaction() const { return sqlite3_get_autocommit(database_) == 0; }

namespace {

Result<void> sync(const std::string& path, int flags) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (!fd.valid()) return io_error("open", path, errno);
  if (::fsync(fd.get()) != 0) return io_error("sync", path, errno);
  return Ok{};
}

// All pages in one step: they are of one moment, however much others write meanwhile.
int copy_pages(sqlite3* from, sqlite3* to) {
  sqlite3_backup* const backup = sqlite3_backup_init(to, "main", from, "main");
  if (backup == nullptr) return sqlite3_extended_errcode(to);
  int status = SQLITE_BUSY;
  for (int i = 0; i < kCopyAttempts && (status == SQLITE_BUSY || status == SQLITE_LOCKED); ++i) {
    if (i > 0) sqlite3_sleep(kCopyPauseMs);
    status = sqlite3_backup_step(backup, -1);
  }
  const int finished = sqlite3_backup_finish(backup);
  if (finished != SQLITE_OK) return finished;
  return status == SQLITE_DONE ? SQLITE_OK : status;
}

}  // namespace

Result<void> Database::copy_to(const std::string& path) {
  if (exists(path)) return Error{Code::kConflict, path + " exists"};
  TRY(create_private(path));
  {
    sqlite3* handle = nullptr;
    const int status = sqlite3_open_v2(
        path.c_str(), &handle,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    Database copy(handle, path);
    TRY(check(path, status));
    TRY(copy.execute("PRAGMA synchronous = OFF"));  // synced below
    TRY(check(path, copy_pages(database_, handle)));
    TRY(copy.execute("PRAGMA journal_mode = DELETE"));
  }
  TRY(sync(path, 0));
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return sync(".", O_DIRECTORY);
  return sync(path.substr(0, slash + 1), O_DIRECTORY);
}

Result<Transaction> Transaction::begin(Database& database) {
  // IMMEDIATE: waiting for another writer happens here, not halfway.
  TRY(database.execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  // After some failures SQLite has rolled back by itself; then there is nothing left to undo.
  if (sqlite3_get_autocommit(database_->database_) == 0)
    static_cast<void>(database_->execute("ROLLBACK"));
}

Result<void> Transaction::commit() {
  HF_CHECK(database_ != nullptr);
  TRY(database_->execute("COMMIT"));
  database_ = nullptr;
  return Ok{};
}

}  // namespace holdfast::sql
