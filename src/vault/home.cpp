#include "vault/home.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <map>

#include "base/clock.h"
#include "crypto/hash.h"
#include "crypto/seal.h"
#include "sql/sqlite.h"
#include "vault/home_format.h"

namespace holdfast::vault {
namespace {

using JournalKey = crypto::Key<keys::JournalPurpose>;
using UnattendedKey = crypto::Key<keys::UnattendedPurpose>;

constexpr std::uint64_t kDeviceFileLimit = 4096;
constexpr std::int64_t kSchemaVersion = 2;
constexpr int kEvidenceNames = 1000;
// Settings that are not for setting().
constexpr std::string_view kLookupSetting = "lookup";

constexpr const char* kSchema = R"sql(
  CREATE TABLE settings(name TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) STRICT;
  CREATE TABLE statements(n INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
  CREATE TABLE records(vault BLOB NOT NULL, n INTEGER NOT NULL, bytes BLOB NOT NULL,
                       PRIMARY KEY(vault, n)) STRICT;
  CREATE TABLE tries(request BLOB PRIMARY KEY NOT NULL, count INTEGER NOT NULL) STRICT;
  CREATE TABLE journal(vault BLOB NOT NULL, pack BLOB NOT NULL, sealed BLOB NOT NULL,
                       PRIMARY KEY(vault, pack)) STRICT;
)sql";

// Since version 2.
constexpr const char* kBlobSchema = R"sql(
  CREATE TABLE blobs(id BLOB PRIMARY KEY NOT NULL, bytes BLOB NOT NULL) STRICT;
  PRAGMA user_version = 2;
)sql";

constexpr const char* kForget = R"sql(
  DELETE FROM settings; DELETE FROM statements; DELETE FROM records; DELETE FROM tries;
  DELETE FROM journal; DELETE FROM blobs;
)sql";

Bytes device_context() { return wire::encode_array("holdfast/v1/device-secret"); }
Bytes lookup_context() { return wire::encode_array("holdfast/v1/lookup"); }
Bytes journal_context(const VaultId& vault, const PackId& pack) {
  return wire::encode_array("holdfast/v1/journal", vault, pack);
}

// A list of numbered byte strings that only grows. In its SQL, ?1 is the number, ?2 the bytes and
// ?3 the vault, where there is one.
struct Pins {
  std::string_view name;
  std::int64_t first;  // number
  std::string_view all, one, next, insert;
};

constexpr Pins kStatements{"statement",
                           0,
                           "SELECT n, bytes FROM statements ORDER BY n",
                           "SELECT bytes FROM statements WHERE n = ?1",
                           "SELECT ifnull(max(n) + 1, 0) FROM statements",
                           "INSERT INTO statements(n, bytes) VALUES(?1, ?2)"};
constexpr Pins kRecords{"record",
                        1,
                        "SELECT n, bytes FROM records WHERE vault = ?3 ORDER BY n",
                        "SELECT bytes FROM records WHERE n = ?1 AND vault = ?3",
                        "SELECT ifnull(max(n) + 1, 1) FROM records WHERE vault = ?3",
                        "INSERT INTO records(vault, n, bytes) VALUES(?3, ?1, ?2)"};

Result<sql::Statement> prepare_pins(sql::Database& database, std::string_view sql,
                                    const VaultId* vault) {
  sql::Statement statement = TRY(database.prepare(sql));
  if (vault != nullptr) TRY(statement.bind(3, vault->view()));
  return statement;
}

Result<std::vector<Bytes>> read_pins(sql::Database& database, const Pins& pins,
                                     const VaultId* vault) {
  sql::Statement all = TRY(prepare_pins(database, pins.all, vault));
  std::vector<Bytes> items;
  while (TRY(all.step())) {
    const std::int64_t number = TRY(all.column_int(0));
    if (number != pins.first + static_cast<std::int64_t>(items.size()))
      return Error{Code::kCorrupt, "the state of this device is damaged: a " +
                                       std::string(pins.name) + " it saw is missing"};
    items.push_back(to_bytes(TRY(all.column_blob(1))));
  }
  return items;
}

// Nothing to do for a number that stands there with the same bytes.
Result<void> add_pin(sql::Database& database, const Pins& pins, const VaultId* vault,
                     std::int64_t number, BytesView bytes) {
  sql::Statement next = TRY(prepare_pins(database, pins.next, vault));
  static_cast<void>(TRY(next.step()));
  const std::int64_t end = TRY(next.column_int(0));
  if (number < pins.first || number > end)
    return Error{Code::kInvalid, "a " + std::string(pins.name) + " does not follow the last one"};
  if (number == end) {
    sql::Statement insert = TRY(prepare_pins(database, pins.insert, vault));
    TRY(insert.bind(1, number));
    TRY(insert.bind(2, bytes));
    return insert.run();
  }
  sql::Statement one = TRY(prepare_pins(database, pins.one, vault));
  TRY(one.bind(1, number));
  if (!TRY(one.step()))
    return Error{Code::kCorrupt, "the state of this device is damaged: a " +
                                     std::string(pins.name) + " it saw is missing"};
  const BytesView seen = TRY(one.column_blob(0));
  if (as_text(seen) != as_text(bytes))
    return Error{Code::kUnsafe, "this device has already seen another " + std::string(pins.name) +
                                    " number " + std::to_string(number)};
  return Ok{};
}

Result<void> add_pins(sql::Database& database, const Pins& pins, const VaultId* vault,
                      std::uint64_t from, const std::vector<Bytes>& items) {
  if (from > static_cast<std::uint64_t>(INT64_MAX) - items.size())
    return Error{Code::kInvalid, "a " + std::string(pins.name) + " has too large a number"};
  sql::Transaction transaction = TRY(sql::Transaction::begin(database));
  auto number = static_cast<std::int64_t>(from);
  for (const Bytes& item : items) TRY(add_pin(database, pins, vault, number++, item));
  return transaction.commit();
}

Result<void> prepare_schema(sql::Database& database) {
  sql::Transaction transaction = TRY(sql::Transaction::begin(database));
  std::int64_t version = 0;
  {
    sql::Statement read = TRY(database.prepare("PRAGMA user_version"));
    static_cast<void>(TRY(read.step()));
    version = TRY(read.column_int(0));
  }
  if (version == kSchemaVersion) return Ok{};
  if (version > kSchemaVersion)
    return Error{Code::kOutdated,
                 "a newer Holdfast wrote the state of this device: update required"};
  if (version == 0) TRY(database.execute(kSchema));
  TRY(database.execute(kBlobSchema));
  return transaction.commit();
}

using Settings = std::map<std::string, Bytes, std::less<>>;

Result<Settings> read_settings(sql::Database& database) {
  Settings settings;
  sql::Statement all = TRY(database.prepare("SELECT name, value FROM settings"));
  while (TRY(all.step())) {
    const std::string name(TRY(all.column_text(0)));
    settings[name] = to_bytes(TRY(all.column_blob(1)));
  }
  return settings;
}

// Nobody else may read or change what is in it.
Result<void> make_private_folder(const std::string& folder) {
  TRY(make_dirs(folder, 0700));
  struct stat st{};
  if (::stat(folder.c_str(), &st) != 0) return io_error("open folder", folder, errno);
  if (!S_ISDIR(st.st_mode)) return Error{Code::kInvalid, folder + " is not a folder"};
  if (st.st_uid != ::geteuid())
    return Error{Code::kDenied, folder + " belongs to another user, so it cannot hold this device"};
  if ((st.st_mode & 077) != 0)
    return Error{Code::kDenied, "other users may enter " + folder +
                                    ", so it cannot hold this device; run: chmod 700 " + folder};
  return Ok{};
}

// Gone for good, even after a power cut; absent is fine.
Result<void> remove_file(const std::string& folder, const std::string& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return Ok{};
    return io_error("delete", path, errno);
  }
  const Fd dir(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir.valid() || ::fsync(dir.get()) != 0) return io_error("sync folder", folder, errno);
  return Ok{};
}

Result<UnattendedKey> create_key_file(const std::string& path) {
  Bytes fresh(UnattendedKey::kSize);
  crypto::random_fill(fresh);
  const crypto::WipedBytes bytes(std::move(fresh));
  TRY(create_file(path, bytes.view(), 0600));
  return UnattendedKey::from_bytes(bytes.view());
}

Result<UnattendedKey> read_key_file(const std::string& path) {
  struct stat st{};
  if (::stat(path.c_str(), &st) != 0) {
    if (errno != ENOENT) return io_error("open", path, errno);
    return Error{Code::kNotFound,
                 "the key file " + path +
                     " is gone, and with it this device's secret. Put the "
                     "file back from a copy; if there is none, admit this machine again as a new "
                     "device, or use the recovery key"};
  }
  if ((st.st_mode & 077) != 0)
    return Error{Code::kDenied, "other users may read the key file " + path +
                                    ", so it is not used; run: chmod 600 " + path};
  const crypto::WipedBytes bytes(TRY(read_file(path, kDeviceFileLimit)));
  if (bytes.view().size() != UnattendedKey::kSize)
    return Error{Code::kCorrupt, "the key file " + path + " is damaged; put it back from a copy"};
  return UnattendedKey::from_bytes(bytes.view());
}

PassphraseFields to_fields(const crypto::PassphraseParameters& from) {
  return {from.memory_kib, from.passes, from.lanes, from.salt};
}

Result<keys::DeviceKey> open_by_passphrase(const DeviceFile& file, BytesView passphrase) {
  const PassphraseFields& fields = *file.passphrase;
  const auto key = TRY(crypto::derive_from_passphrase(
      passphrase, {fields.memory_kib, fields.passes, fields.lanes, fields.salt}));
  auto device = crypto::open_key<keys::DevicePurpose>(key, device_context(), file.sealed);
  // A damaged file looks the same; that is rarer than a slip of the finger.
  if (!device.ok()) return Error{Code::kDenied, "the passphrase is wrong"};
  return device;
}

Result<keys::DeviceKey> open_by_key_file(const DeviceFile& file, const std::string& path) {
  const UnattendedKey key = TRY(read_key_file(path));
  auto device = crypto::open_key<keys::DevicePurpose>(key, device_context(), file.sealed);
  if (!device.ok())
    return Error{Code::kCorrupt, "the key file " + path +
                                     " does not open this device's secret: it is another device's, "
                                     "or device.cbor beside it is damaged"};
  return device;
}

std::string evidence_stem(std::string_view what) {
  const auto seconds = static_cast<std::time_t>(SystemClock().now() / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  std::string stem(text.data(), std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ-", &utc));
  for (const char c : what) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    stem += plain ? c : '-';
  }
  return stem;
}

}  // namespace

struct Home::State {
  std::string folder;
  FileLock lock;
  sql::Database database;
  Settings settings;
  std::optional<DeviceFile> file;
  std::optional<keys::DeviceKey> device;
  std::optional<JournalKey> journal;

  std::string device_path() const { return folder + "/device.cbor"; }
  std::string key_path() const { return folder + "/unattended.key"; }
  const JournalKey& journal_key() const {
    HF_CHECK(journal);
    return *journal;
  }
  void use(keys::DeviceKey key) {
    journal = crypto::derive<keys::JournalPurpose>(key);
    device = std::move(key);
  }
  Result<void> set(std::string_view name, BytesView value);
  Result<void> write_device(const keys::DeviceKey& key, const Unlock& unlock);
};

Result<void> Home::State::set(std::string_view name, BytesView value) {
  sql::Statement put =
      TRY(database.prepare("INSERT INTO settings(name, value) VALUES(?1, ?2) "
                           "ON CONFLICT(name) DO UPDATE SET value = excluded.value"));
  TRY(put.bind(1, name));
  TRY(put.bind(2, value));
  TRY(put.run());
  settings[std::string(name)] = to_bytes(value);
  return Ok{};
}

// At every moment of it, device.cbor can be opened by what it names.
Result<void> Home::State::write_device(const keys::DeviceKey& key, const Unlock& unlock) {
  DeviceFile fresh;
  if (unlock.passphrase) {
    if (unlock.passphrase->view().empty())
      return Error{Code::kInvalid, "an empty passphrase protects nothing"};
    const auto parameters = crypto::PassphraseParameters::fresh();
    const auto outer = TRY(crypto::derive_from_passphrase(unlock.passphrase->view(), parameters));
    fresh.passphrase = to_fields(parameters);
    fresh.sealed = crypto::seal_key(outer, device_context(), key);
  } else {
    // Left by a change that was cut off: device.cbor does not need it.
    TRY(remove_file(folder, key_path()));
    const UnattendedKey outer = TRY(create_key_file(key_path()));
    fresh.sealed = crypto::seal_key(outer, device_context(), key);
  }
  TRY(replace_file(device_path(), wire::encode(fresh)));
  file = std::move(fresh);
  if (file->passphrase) TRY(remove_file(folder, key_path()));
  return Ok{};
}

Home::Home(std::unique_ptr<State> state) : state_(std::move(state)) {}
Home::Home(Home&&) noexcept = default;
Home& Home::operator=(Home&&) noexcept = default;
Home::~Home() = default;

Result<Home> Home::open(const std::string& folder) {
  TRY(make_private_folder(folder));
  auto lock = TRY(FileLock::try_acquire(folder + "/lock"));
  if (!lock)
    return Error{Code::kUnavailable,
                 "another holdfast is using " + folder + "; try again when it is done"};
  auto database = TRY(sql::Database::open(folder + "/state.db"));
  TRY(prepare_schema(database));
  Settings settings = TRY(read_settings(database));
  TRY(make_dirs(folder + "/cache", 0700));
  auto state = std::make_unique<State>(
      State{folder, std::move(*lock), std::move(database), std::move(settings), {}, {}, {}});
  if (exists(state->device_path())) {
    const Bytes bytes = TRY(read_file(state->device_path(), kDeviceFileLimit));
    auto file = wire::decode<DeviceFile>(bytes);
    if (!file.ok()) return std::move(file).error().in(state->device_path());
    state->file = std::move(file).value();
  }
  return Home(std::move(state));
}

bool Home::has_device() const { return state_->file.has_value(); }
const std::string& Home::folder() const { return state_->folder; }

Result<void> Home::create_device(const Unlock& unlock) {
  if (is_member())
    return Error{Code::kConflict, "the device in " + state_->folder +
                                      " already belongs to an account; use another folder"};
  // What an attempt before left belongs to a device that never was.
  sql::Transaction transaction = TRY(sql::Transaction::begin(state_->database));
  TRY(state_->database.execute(kForget));
  TRY(transaction.commit());
  state_->settings.clear();
  keys::DeviceKey key = keys::DeviceKey::random();
  TRY(state_->write_device(key, unlock));
  state_->use(std::move(key));
  return Ok{};
}

Result<void> Home::unlock(const Unlock& unlock) {
  if (!state_->file) return Error{Code::kNotFound, "there is no device in " + state_->folder};
  const DeviceFile& file = *state_->file;
  if (!file.passphrase) {
    if (unlock.passphrase)
      return Error{Code::kInvalid, "this device is opened by its key file, not by a passphrase"};
    state_->use(TRY(open_by_key_file(file, state_->key_path())));
    return Ok{};
  }
  if (!unlock.passphrase)
    return Error{Code::kDenied, "this device is opened by its passphrase, not by a key file"};
  state_->use(TRY(open_by_passphrase(file, unlock.passphrase->view())));
  // A change from the key file to a passphrase may have been cut off just before this.
  return remove_file(state_->folder, state_->key_path());
}

Result<void> Home::change_unlock(const Unlock& unlock) {
  if (!unlock.passphrase && unattended()) return Ok{};
  return state_->write_device(device_key(), unlock);
}

bool Home::unattended() const { return state_->file && !state_->file->passphrase; }

const keys::DeviceKey& Home::device_key() const {
  HF_CHECK(state_->device);
  return *state_->device;
}

std::string Home::setting(const std::string& name) const {
  const auto found = state_->settings.find(name);
  if (found == state_->settings.end()) return "";
  return std::string(as_text(found->second));
}

Result<void> Home::set_setting(const std::string& name, const std::string& value) {
  HF_CHECK(name != kLookupSetting);
  return state_->set(name, as_bytes(value));
}

bool Home::is_member() const { return setting("member") == "yes"; }

Result<void> Home::save_lookup(const keys::LookupKey& key) {
  return state_->set(kLookupSetting,
                     crypto::seal_key(state_->journal_key(), lookup_context(), key));
}

Result<keys::LookupKey> Home::lookup() const {
  const auto found = state_->settings.find(kLookupSetting);
  if (found == state_->settings.end())
    return Error{Code::kNotFound, "this device belongs to no account yet"};
  auto key =
      crypto::open_key<keys::LookupPurpose>(state_->journal_key(), lookup_context(), found->second);
  if (!key.ok()) return std::move(key).error().in("the state of this device");
  return key;
}

Result<std::vector<Bytes>> Home::statements() const {
  return read_pins(state_->database, kStatements, nullptr);
}

Result<void> Home::add_statements(std::uint64_t from, const std::vector<Bytes>& statements) {
  return add_pins(state_->database, kStatements, nullptr, from, statements);
}

Result<std::vector<Bytes>> Home::records(const VaultId& vault) const {
  return read_pins(state_->database, kRecords, &vault);
}

Result<void> Home::add_records(const VaultId& vault, std::uint64_t from,
                               const std::vector<Bytes>& records) {
  return add_pins(state_->database, kRecords, &vault, from, records);
}

Result<void> Home::add_blobs(const std::vector<Bytes>& blobs) {
  sql::Transaction transaction = TRY(sql::Transaction::begin(state_->database));
  for (const Bytes& blob : blobs) {
    sql::Statement put =
        TRY(state_->database.prepare("INSERT OR IGNORE INTO blobs(id, bytes) VALUES(?1, ?2)"));
    const Digest id = crypto::sha256(blob);
    TRY(put.bind(1, id.view()));
    TRY(put.bind(2, BytesView(blob)));
    TRY(put.run());
  }
  return transaction.commit();
}

Result<bool> Home::has_blob(const BlobId& blob) const {
  sql::Statement one = TRY(state_->database.prepare("SELECT 1 FROM blobs WHERE id = ?1"));
  TRY(one.bind(1, blob.view()));
  return one.step();
}

Result<Bytes> Home::blob(const BlobId& blob) const {
  sql::Statement one = TRY(state_->database.prepare("SELECT bytes FROM blobs WHERE id = ?1"));
  TRY(one.bind(1, blob.view()));
  const bool there = TRY(one.step());
  if (!there)
    return Error{Code::kNotFound, "this device does not have the key " + blob.hex().substr(0, 16)};
  return to_bytes(TRY(one.column_blob(0)));
}

Result<unsigned> Home::count_try(const RequestId& request) {
  sql::Transaction transaction = TRY(sql::Transaction::begin(state_->database));
  sql::Statement add =
      TRY(state_->database.prepare("INSERT INTO tries(request, count) VALUES(?1, 1) "
                                   "ON CONFLICT(request) DO UPDATE SET count = count + 1"));
  TRY(add.bind(1, request.view()));
  TRY(add.run());
  sql::Statement read = TRY(state_->database.prepare("SELECT count FROM tries WHERE request = ?1"));
  TRY(read.bind(1, request.view()));
  static_cast<void>(TRY(read.step()));
  const auto count = static_cast<unsigned>(TRY(read.column_int(0)));
  TRY(transaction.commit());
  return count;
}

Result<void> Home::add_journal(const VaultId& vault, const PackId& pack, BytesView plain) {
  const Bytes sealed = crypto::seal(state_->journal_key(), journal_context(vault, pack), plain);
  sql::Statement put = TRY(state_->database.prepare(
      "INSERT OR REPLACE INTO journal(vault, pack, sealed) VALUES(?1, ?2, ?3)"));
  TRY(put.bind(1, vault.view()));
  TRY(put.bind(2, pack.view()));
  TRY(put.bind(3, BytesView(sealed)));
  return put.run();
}

Result<std::vector<Home::JournalEntry>> Home::journal(const VaultId& vault) const {
  sql::Statement all = TRY(
      state_->database.prepare("SELECT pack, sealed FROM journal WHERE vault = ?1 ORDER BY rowid"));
  TRY(all.bind(1, vault.view()));
  std::vector<JournalEntry> entries;
  while (TRY(all.step())) {
    const auto pack = PackId::from(TRY(all.column_blob(0)));
    const BytesView sealed = TRY(all.column_blob(1));
    if (!pack) continue;
    auto plain = crypto::open(state_->journal_key(), journal_context(vault, *pack), sealed);
    // It only saves work: what does not open is backed up again.
    if (!plain.ok()) continue;
    entries.push_back({*pack, crypto::WipedBytes(std::move(plain).value())});
  }
  return entries;
}

Result<void> Home::clear_journal(const VaultId& vault, const std::vector<PackId>& packs) {
  auto transaction = TRY(sql::Transaction::begin(state_->database));
  for (const PackId& pack : packs) {
    sql::Statement clear =
        TRY(state_->database.prepare("DELETE FROM journal WHERE vault = ?1 AND pack = ?2"));
    TRY(clear.bind(1, vault.view()));
    TRY(clear.bind(2, pack.view()));
    TRY(clear.run());
  }
  return transaction.commit();
}

std::string Home::cache_folder() const { return state_->folder + "/cache"; }

Result<std::string> Home::save_evidence(std::string_view what, const std::vector<Bytes>& items) {
  const std::string folder = state_->folder + "/evidence";
  TRY(make_dirs(folder, 0700));
  const Bytes bytes = wire::encode(items);
  const std::string stem = folder + "/" + evidence_stem(what);
  for (int n = 1; n <= kEvidenceNames; ++n) {
    const std::string path = stem + (n == 1 ? "" : "-" + std::to_string(n)) + ".cbor";
    const auto created = create_file(path, bytes);
    if (created.ok()) return path;
    if (created.error().code != Code::kConflict) return created.error();
  }
  return Error{Code::kConflict, folder + " is full of evidence of this second"};
}

}  // namespace holdfast::vault
