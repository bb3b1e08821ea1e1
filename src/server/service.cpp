#include "server/service.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <array>
#include <list>
#include <mutex>
#include <shared_mutex>

#include "base/file.h"
#include "crypto/hash.h"
#include "server/joins.h"
#include "server/replay.h"
#include "server/rows.h"
#include "server/storage.h"
#include "store/account.h"
#include "store/layout.h"

namespace holdfast::server {
namespace {

constexpr TimeMs kDayMs = 24 * 60 * 60 * 1000;
constexpr std::size_t kMaxCounters = 100'000;
constexpr std::size_t kSweptPacks = 1000;

// One sentence for whatever would tell a stranger whether an account or a device exists.
Error denied() {
  return {Code::kDenied, "this key may not use this account, or there is no such account"};
}

Error no_admission() { return {Code::kNotFound, "this request was not admitted yet"}; }

Error name_taken(const std::string& account) {
  return {Code::kConflict, "an account named \"" + account + "\" exists at this service"};
}

constexpr const char* kHeartbeatSchema =
    "CREATE TABLE IF NOT EXISTS heartbeat("
    "  id INTEGER PRIMARY KEY CHECK(id = 1), time_ms INTEGER NOT NULL);";

// The objects of one account: appends to different accounts need not wait for each other.
class AccountFiles final : public store::Files {
 public:
  AccountFiles(std::shared_ptr<store::Files> all, std::mutex& exclusive)
      : all_(std::move(all)), exclusive_(exclusive) {}

  Result<Bytes> get(const std::string& path, std::uint64_t limit) override {
    return all_->get(path, limit);
  }
  Result<void> create(const std::string& path, BytesView bytes) override {
    return all_->create(path, bytes);
  }
  Result<void> replace(const std::string& path, BytesView bytes) override {
    return all_->replace(path, bytes);
  }
  Result<void> remove(const std::string& path) override { return all_->remove(path); }
  Result<void> persist(const std::string& path) override { return all_->persist(path); }
  Result<store::FileInfo> info(const std::string& path) override { return all_->info(path); }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    return all_->list(folder);
  }
  Result<std::unique_ptr<Lock>> lock() override {
    return std::unique_ptr<Lock>(std::make_unique<Held>(exclusive_));
  }
  std::string place() const override { return "this service"; }

 private:
  class Held final : public Lock {
   public:
    explicit Held(std::mutex& exclusive) : held_(exclusive) {}

   private:
    std::unique_lock<std::mutex> held_;
  };

  const std::shared_ptr<store::Files> all_;
  std::mutex& exclusive_;
};

// The accounts whose circles are in memory, those used last.
class Loaded {
 public:
  Loaded(std::shared_ptr<store::Files> files, std::size_t limit)
      : files_(std::move(files)), limit_(limit) {}

  std::shared_ptr<store::Files> files_of(const std::string& name) {
    return std::make_shared<AccountFiles>(files_,
                                          stripes_[std::hash<std::string>{}(name) % kStripes]);
  }

  std::shared_ptr<store::Account> make(const std::string& name) {
    return std::make_shared<store::Account>(files_of(name), name);
  }

  // Null where there is none: names that strangers try take no place here.
  Result<std::shared_ptr<store::Account>> find(const std::string& name) {
    if (auto known = known_of(name)) return known;
    auto account = make(name);
    const bool there = TRY(account->exists());
    if (!there) return std::shared_ptr<store::Account>();
    const Lock guard(mutex_);
    const auto [it, added] = places_.try_emplace(name);
    if (!added) return it->second->account;
    order_.push_front({name, account});
    it->second = order_.begin();
    if (order_.size() > limit_) {
      places_.erase(order_.back().name);
      order_.pop_back();
    }
    return account;
  }

  void forget(const std::string& name) {
    const Lock guard(mutex_);
    const auto it = places_.find(name);
    if (it == places_.end()) return;
    order_.erase(it->second);
    places_.erase(it);
  }

 private:
  static constexpr std::size_t kStripes = 256;
  struct One {
    std::string name;
    std::shared_ptr<store::Account> account;
  };

  std::shared_ptr<store::Account> known_of(const std::string& name) {
    const Lock guard(mutex_);
    const auto it = places_.find(name);
    if (it == places_.end()) return nullptr;
    order_.splice(order_.begin(), order_, it->second);
    return it->second->account;
  }

  const std::shared_ptr<store::Files> files_;
  const std::size_t limit_;
  std::array<std::mutex, kStripes> stripes_;
  Mutex mutex_;
  std::list<One> order_ HF_GUARDED_BY(mutex_);  // newest use first
  std::map<std::string, std::list<One>::iterator> places_ HF_GUARDED_BY(mutex_);
};

// A number for each account that grows with each change, also over a restart: it begins at the
// service's time in milliseconds.
class Changes {
 public:
  explicit Changes(TimeMs start) : rest_(static_cast<std::uint64_t>(start)), last_(rest_) {}

  std::uint64_t of(const std::string& account) {
    const Lock guard(mutex_);
    const auto it = counters_.find(account);
    return it == counters_.end() ? rest_ : it->second;
  }

  void bump(const std::string& account, TimeMs now) {
    const Lock guard(mutex_);
    last_ = std::max(last_ + 1, static_cast<std::uint64_t>(now));
    if (counters_.size() >= kMaxCounters) {
      // Everyone who waits looks once more than needed.
      counters_.clear();
      rest_ = last_++;
    }
    counters_[account] = last_;
  }

 private:
  Mutex mutex_;
  std::uint64_t rest_ HF_GUARDED_BY(mutex_);
  std::uint64_t last_ HF_GUARDED_BY(mutex_);
  std::map<std::string, std::uint64_t> counters_ HF_GUARDED_BY(mutex_);
};

// Bytes of packs that are on their way in: they count against the quota already.
class Arriving {
 public:
  std::uint64_t add(const std::string& account, std::uint64_t bytes) {
    const Lock guard(mutex_);
    return bytes_[account] += bytes;
  }
  void remove(const std::string& account, std::uint64_t bytes) {
    const Lock guard(mutex_);
    const auto it = bytes_.find(account);
    it->second -= bytes;
    if (it->second == 0) bytes_.erase(it);
  }

 private:
  Mutex mutex_;
  std::map<std::string, std::uint64_t> bytes_ HF_GUARDED_BY(mutex_);
};

class Arrival {
 public:
  Arrival(Arriving& arriving, std::string account, std::uint64_t bytes)
      : arriving_(arriving), account_(std::move(account)), bytes_(bytes) {
    with_others_ = arriving_.add(account_, bytes_);
  }
  ~Arrival() { arriving_.remove(account_, bytes_); }
  Arrival(const Arrival&) = delete;
  Arrival& operator=(const Arrival&) = delete;
  std::uint64_t with_others() const { return with_others_; }

 private:
  Arriving& arriving_;
  const std::string account_;
  const std::uint64_t bytes_;
  std::uint64_t with_others_ = 0;
};

Result<circle::Statement> statement_of(BytesView bytes) {
  const auto outer = TRY(wire::decode<circle::SignedStatement>(bytes));
  return wire::decode<circle::Statement>(outer.statement);
}

// Where a set_recovery puts its capsule; none for other statements, and what is no statement.
std::optional<LocateId> new_capsule(BytesView bytes) {
  const auto statement = statement_of(bytes);
  if (!statement.ok() || statement->type != circle::StatementType::kSetRecovery)
    return std::nullopt;
  const auto body = wire::decode<circle::SetRecovery>(statement->body);
  if (!body.ok()) return std::nullopt;
  return body->recovery.locate;
}

Result<RecordDrops> drops_of(BytesView bytes) {
  const auto outer = TRY(wire::decode<circle::SignedRecord>(bytes));
  circle::Record record = TRY(wire::decode<circle::Record>(outer.record));
  return RecordDrops{record.n, std::move(record.dropped), std::move(record.kept)};
}

Result<std::uint64_t> free_bytes(const std::string& path) {
  struct statvfs info{};
  if (::statvfs(path.c_str(), &info) != 0) return io_error("look at", path, errno);
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

}  // namespace

// What sessions and the service share.
class Core final : public api::Visitor {
 public:
  static Result<std::unique_ptr<Core>> open(ServiceOptions options,
                                            std::shared_ptr<const Clock> clock);

  // ---- what a visitor may ask ----

  Result<std::vector<std::string>> accounts() override {
    return Error{Code::kDenied, "a service does not list its accounts"};
  }
  Result<api::Receipt> create_account(const std::string& account,
                                      const api::Append& genesis) override {
    return sign_up(account, genesis, "");
  }
  Result<void> put_join(const std::string& account, const RequestId& request,
                        api::JoinMessage which, BytesView message) override {
    TRY(store::check_account_name(account));
    TRY(joins_.put(account, request, which, message, clock_->now()));
    changed(account);
    return Ok{};
  }
  Result<Bytes> get_join(const std::string& account, const RequestId& request,
                         api::JoinMessage which) override {
    TRY(store::check_account_name(account));
    return joins_.get(account, request, which, clock_->now());
  }
  Result<Admitted> get_admission(const std::string& account, const RequestId& request) override {
    TRY(store::check_account_name(account));
    const auto found = TRY(open_account(account));
    if (!found) return no_admission();
    auto admitted = found->get_admission(request);
    if (!admitted.ok() && admitted.error().code == Code::kNotFound) return no_admission();
    return admitted;
  }
  Result<Capsule> find_capsule(const LocateId& locate) override;

  // ---- the service ----

  Result<api::Receipt> sign_up(const std::string& account, const api::Append& genesis,
                               const std::string& invitation);
  Result<std::unique_ptr<api::ServiceSession>> prove(const api::RequestProof& proof,
                                                     const api::RequestLine& line,
                                                     const std::string& address);
  TimeMs now() { return replay_->now(); }
  std::vector<std::pair<std::string, double>> gauges();
  Result<void> ready();
  Result<void> sweep();
  Result<void> stop();

  Accounts& rows() { return rows_; }
  Operators& operators() { return operators_; }

  // ---- for sessions ----

  void changed(const std::string& account) {
    changes_.bump(account, now());
    if (options_.on_change) options_.on_change(account);
  }
  std::uint64_t change_of(const std::string& account) { return changes_.of(account); }
  Joins& joins() { return joins_; }
  Storage& storage() { return *storage_; }
  ConnectionLog& connections() { return connections_; }
  TimeMs clock() const { return clock_->now(); }
  Result<void> commit(const std::string& account, api::PackSink& sink);
  Result<api::Usage> usage(const std::string& account);
  Result<api::Usage> delete_account(const std::string& account);
  Result<api::Usage> keep_account(const std::string& account);
  Result<std::unique_ptr<Arrival>> make_room(const std::string& account, const PackId& pack,
                                             std::uint64_t size);
  Result<api::Receipt> append(store::Account& in, const std::string& account,
                              const api::Append& append);
  Result<api::Receipt> append_record(store::Account& in, const std::string& account,
                                     const VaultId& vault, BytesView record);

 private:
  struct Found {
    std::shared_ptr<store::Account> account;
    store::Account::Standing standing;
  };

  Core(ServiceOptions options, std::shared_ptr<const Clock> clock, FileLock lock,
       std::unique_ptr<Writer> writer, std::unique_ptr<Replay> replay,
       std::unique_ptr<Storage> storage)
      : options_(std::move(options)),
        clock_(std::move(clock)),
        lock_(std::move(lock)),
        writer_(std::move(writer)),
        replay_(std::move(replay)),
        storage_(std::move(storage)),
        rows_(*writer_),
        joins_(*writer_),
        connections_(*writer_),
        operators_(*writer_, options_.data + "/operators.anchor"),
        loaded_(storage_->files(), options_.loaded_accounts),
        changes_(replay_->now()),
        nobody_(crypto::SigningKey(crypto::Key<crypto::SigningPurpose>::random()).verify_key()) {}

  // kDenied once the account's end has begun. Holds as long as writing_ is held.
  Result<void> check_lives(const std::string& account);
  // Null: there is none, or its end has begun.
  Result<std::shared_ptr<store::Account>> open_account(const std::string& account);
  Result<std::optional<Found>> find_caller(const api::RequestProof& proof);
  Result<void> add_missing_rows();
  Result<api::Receipt> make_account(const std::string& account, const api::Append& genesis);
  Result<api::Receipt> make_invited(const std::string& account, const api::Append& genesis,
                                    const std::string& invitation);
  Result<bool> was_made(const std::string& account, const Digest& genesis);
  Result<void> catch_up(store::Account& in, const std::string& account, const VaultId& vault);
  Result<void> sweep_drops();
  Result<void> sweep_pack(const AccountPack& pack);
  Result<void> end_account(const std::string& account);

  const ServiceOptions options_;
  const std::shared_ptr<const Clock> clock_;
  const FileLock lock_;
  const std::unique_ptr<Writer> writer_;
  const std::unique_ptr<Replay> replay_;
  const std::unique_ptr<Storage> storage_;
  Accounts rows_;
  Joins joins_;
  ConnectionLog connections_;
  Operators operators_;
  Loaded loaded_;
  Changes changes_;
  Arriving arriving_;
  const crypto::VerifyKey nobody_;  // unknown callers are verified against it
  Mutex inviting_;                  // held while an invitation becomes an account
  Mutex sweeping_;
  // Held, shared, by whoever stores something; alone by a sweep, where it decides what goes.
  std::shared_mutex writing_;
};

// ---- sessions ----

namespace {

class Sink final : public api::PackSink {
 public:
  Sink(Core& core, std::string account, std::unique_ptr<Arrival> arrival,
       std::unique_ptr<api::PackSink> to)
      : core_(core),
        account_(std::move(account)),
        arrival_(std::move(arrival)),
        to_(std::move(to)) {}
  Result<void> write(BytesView piece) override { return to_->write(piece); }
  Result<void> commit() override { return core_.commit(account_, *to_); }

 private:
  Core& core_;
  const std::string account_;
  const std::unique_ptr<Arrival> arrival_;
  const std::unique_ptr<api::PackSink> to_;
};

// Every function but read_circle() first asks allowed(): a device that was removed learns by whom,
// and nothing else.
class Session final : public api::ServiceSession {
 public:
  Session(Core& core, std::string name, std::shared_ptr<store::Account> account, bool current)
      : core_(core), name_(std::move(name)), account_(std::move(account)), current_(current) {}

  Result<std::vector<Bytes>> read_circle(std::uint64_t from) override {
    return account_->read_circle(from);
  }
  Result<api::Receipt> append(const api::Append& append) override {
    TRY(allowed());
    return core_.append(*account_, name_, append);
  }
  Result<Bytes> get_blob(const BlobId& blob) override {
    TRY(allowed());
    return account_->get_blob(blob);
  }

  Result<std::vector<RequestId>> list_joins() override {
    TRY(allowed());
    return core_.joins().list(name_, core_.clock());
  }
  Result<void> drop_join(const RequestId& request) override {
    TRY(allowed());
    TRY(core_.joins().drop(name_, request));
    core_.changed(name_);
    return Ok{};
  }

  Result<std::vector<Bytes>> read_records(const VaultId& vault, std::uint64_t from) override {
    TRY(allowed());
    return account_->read_records(vault, from);
  }
  Result<api::Receipt> append_record(const VaultId& vault, BytesView record) override {
    TRY(allowed());
    return core_.append_record(*account_, name_, vault, record);
  }

  Result<void> put_pack(const PackId& pack, BytesView bytes) override {
    const auto sink = TRY(begin_pack(pack, bytes.size()));
    TRY(sink->write(bytes));
    return sink->commit();
  }
  Result<std::unique_ptr<api::PackSink>> begin_pack(const PackId& pack,
                                                    std::uint64_t size) override {
    TRY(allowed());
    if (size == 0 || size > api::kMaxPackBytes)
      return Error{Code::kInvalid, "a pack is empty or too large"};
    auto arrival = TRY(core_.make_room(name_, pack, size));
    auto to = TRY(core_.storage().begin(name_, pack, size));
    return std::unique_ptr<api::PackSink>(
        std::make_unique<Sink>(core_, name_, std::move(arrival), std::move(to)));
  }
  Result<Bytes> get_pack(const PackId& pack) override {
    TRY(allowed());
    return core_.storage().get(name_, pack);
  }
  Result<api::StoredPack> open_pack(const PackId& pack) override {
    TRY(allowed());
    return core_.storage().open(name_, pack);
  }
  Result<std::vector<bool>> have_packs(const std::vector<PackId>& packs) override {
    TRY(allowed());
    if (packs.size() > api::kMaxHavePacks)
      return Error{Code::kInvalid, "too many packs are asked for at one time"};
    return core_.storage().have(name_, packs);
  }

  Result<api::Usage> usage() override {
    TRY(allowed());
    return core_.usage(name_);
  }
  Result<api::Usage> delete_account() override {
    TRY(allowed());
    return core_.delete_account(name_);
  }
  Result<api::Usage> keep_account() override {
    TRY(allowed());
    return core_.keep_account(name_);
  }
  Result<std::vector<api::Connection>> connections() override {
    TRY(allowed());
    return core_.connections().read(name_);
  }
  // At once: the network front waits, without a thread, until on_change.
  Result<std::uint64_t> wait_for_change(std::uint64_t, std::int64_t) override {
    TRY(allowed());
    return core_.change_of(name_);
  }

 private:
  Result<void> allowed() const {
    if (!current_) return Error{Code::kDenied, "this device was removed from the account"};
    return Ok{};
  }

  Core& core_;
  const std::string name_;
  const std::shared_ptr<store::Account> account_;
  const bool current_;
};

}  // namespace

// ---- opening ----

Result<std::unique_ptr<Core>> Core::open(ServiceOptions options,
                                         std::shared_ptr<const Clock> clock) {
  TRY(make_dirs(options.data));
  auto lock = TRY(FileLock::try_acquire(options.data + "/lock"));
  if (!lock)
    return Error{Code::kUnavailable,
                 "another program is using the data directory " + options.data + "; stop it first"};
  const std::string schema = Replay::kSchema + Accounts::kSchema + Joins::kSchema +
                             Operators::kSchema + kHeartbeatSchema + Storage::schema();
  auto writer = TRY(Writer::open(options.data + "/service.db", schema));
  auto replay = TRY(Replay::open(*writer, clock));
  auto storage = TRY(Storage::open(options.data, *writer));
  auto core =
      std::unique_ptr<Core>(new Core(std::move(options), std::move(clock), *std::move(lock),
                                     std::move(writer), std::move(replay), std::move(storage)));
  TRY(core->add_missing_rows());
  return core;
}

// Of accounts that were made right before the service went down.
Result<void> Core::add_missing_rows() {
  const std::vector<std::string> names = TRY(rows_.names());
  for (const std::string& entry : TRY(storage_->files()->list("accounts"))) {
    const auto name = store::account_of(entry);
    if (!name || std::binary_search(names.begin(), names.end(), *name)) continue;
    const bool there = TRY(loaded_.make(*name)->exists());
    if (there) TRY(rows_.add(*name, clock_->now(), options_.default_quota));
  }
  return Ok{};
}

// ---- accounts ----

Result<std::shared_ptr<store::Account>> Core::open_account(const std::string& account) {
  auto found = TRY(loaded_.find(account));
  const auto row = TRY(rows_.find(account));
  if (row && row->ending) return std::shared_ptr<store::Account>();
  return found;
}

Result<void> Core::check_lives(const std::string& account) {
  const auto row = TRY(rows_.find(account));
  if (!row || row->ending) return denied();
  return Ok{};
}

Result<api::Receipt> Core::sign_up(const std::string& account, const api::Append& genesis,
                                   const std::string& invitation) {
  TRY(store::check_account_name(account));
  const auto row = TRY(rows_.find(account));
  if (row && row->ending) return name_taken(account);
  switch (options_.sign_up) {
    case SignUp::kClosed: return Error{Code::kDenied, "this service takes no new accounts"};
    case SignUp::kInvite: return make_invited(account, genesis, invitation);
    case SignUp::kOpen: break;
  }
  auto receipt = TRY(make_account(account, genesis));
  TRY(rows_.add(account, clock_->now(), options_.default_quota));
  return receipt;
}

Result<api::Receipt> Core::make_account(const std::string& account, const api::Append& genesis) {
  auto made = loaded_.make(account)->create(genesis);
  if (!made.ok() && made.error().code == Code::kConflict) return name_taken(account);
  return made;
}

Result<bool> Core::was_made(const std::string& account, const Digest& genesis) {
  const auto statements = TRY(loaded_.make(account)->read_circle(0));
  return !statements.empty() && crypto::sha256(statements[0]) == genesis;
}

// Reserved, made, confirmed: whatever is cut short can be repeated, and no invitation makes two
// accounts.
Result<api::Receipt> Core::make_invited(const std::string& account, const api::Append& genesis,
                                        const std::string& invitation) {
  if (invitation.empty()) return Error{Code::kDenied, "this service asks for an invitation"};
  const Lock one(inviting_);
  const Digest hash = crypto::sha256(genesis.statement);
  TRY(rows_.reserve(invitation, account, hash, clock_->now(),
                    [&](const std::string& of, const Digest& with) { return was_made(of, with); }));
  auto receipt = make_account(account, genesis);
  if (!receipt.ok()) {
    if (receipt.error().code != Code::kUnavailable)
      static_cast<void>(rows_.release(invitation, hash));
    return receipt;
  }
  TRY(rows_.add_invited(account, clock_->now(), options_.default_quota, invitation));
  return receipt;
}

Result<api::Visitor::Capsule> Core::find_capsule(const LocateId& locate) {
  for (const std::string& name : TRY(rows_.capsule_accounts(locate))) {
    const auto account = TRY(open_account(name));
    if (!account) continue;
    auto recovery = TRY(account->recovery());
    if (recovery && recovery->locate == locate) return Capsule{name, std::move(recovery->capsule)};
  }
  return Error{Code::kNotFound, "no account at this service has this recovery key"};
}

// ---- proofs ----

Result<std::optional<Core::Found>> Core::find_caller(const api::RequestProof& proof) {
  if (!store::check_account_name(proof.account).ok()) return std::optional<Found>();
  auto account = TRY(open_account(proof.account));
  if (!account) return std::optional<Found>();
  const auto standing = TRY(account->standing(proof.caller));
  if (!standing) return std::optional<Found>();
  return std::optional(Found{std::move(account), *standing});
}

Result<std::unique_ptr<api::ServiceSession>> Core::prove(const api::RequestProof& proof,
                                                         const api::RequestLine& line,
                                                         const std::string& address) {
  if (!crypto::equal(line.tls_pin, options_.tls_pin)) return denied();
  TRY(replay_->check_time(proof.time_ms));
  const auto found = TRY(find_caller(proof));
  const bool good = api::verify_request(proof, line, found ? found->standing.key : nobody_);
  if (!found || !good) return denied();
  TRY(replay_->accept(proof.caller, proof.nonce, proof.time_ms));
  connections_.note(proof.account, proof.caller, address, clock_->now());
  return std::unique_ptr<api::ServiceSession>(
      std::make_unique<Session>(*this, proof.account, found->account, found->standing.current));
}

// ---- for sessions ----

Result<api::Usage> Core::usage(const std::string& account) {
  const auto row = TRY(rows_.find(account));
  api::Usage now;
  now.bytes = TRY(storage_->bytes_of(account));
  now.quota = row ? row->quota : options_.default_quota;
  now.grace_ms = options_.grace_days * kDayMs;
  if (row) now.deletion_ms = row->deletion_ms;
  return now;
}

Result<api::Usage> Core::delete_account(const std::string& account) {
  TRY(rows_.ask_deletion(account, clock_->now() + options_.deletion_days * kDayMs));
  changed(account);
  return usage(account);
}

Result<api::Usage> Core::keep_account(const std::string& account) {
  TRY(rows_.keep(account));
  changed(account);
  return usage(account);
}

Result<std::unique_ptr<Arrival>> Core::make_room(const std::string& account, const PackId& pack,
                                                 std::uint64_t size) {
  auto arrival = std::make_unique<Arrival>(arriving_, account, size);
  const api::Usage now = TRY(usage(account));
  if (!now.quota || *now.bytes + arrival->with_others() <= *now.quota) return arrival;
  // Sent again, it takes no more room.
  const auto there = TRY(storage_->have(account, {pack}));
  if (there[0]) return arrival;
  return Error{Code::kUnavailable, "the account's quota of " + std::to_string(*now.quota) +
                                       " bytes is used up; ask the service's operator for more"};
}

Result<void> Core::commit(const std::string& account, api::PackSink& sink) {
  const std::shared_lock writing(writing_);
  TRY(check_lives(account));
  return sink.commit();
}

// The capsule's row comes before the statement that needs it; a row too many does no harm, for the
// circle has the last word.
Result<api::Receipt> Core::append(store::Account& in, const std::string& account,
                                  const api::Append& append) {
  const std::shared_lock writing(writing_);
  TRY(check_lives(account));
  const auto locate = new_capsule(append.statement);
  if (locate) TRY(rows_.put_capsule(*locate, account));
  auto receipt = in.append(append);
  if (locate) {
    const auto recovery = in.recovery();
    if (recovery.ok()) {
      std::optional<LocateId> current;
      if (*recovery) current = (*recovery)->locate;
      static_cast<void>(rows_.leave_capsule(account, current));
    }
  }
  if (receipt.ok()) changed(account);
  return receipt;
}

Result<api::Receipt> Core::append_record(store::Account& in, const std::string& account,
                                         const VaultId& vault, BytesView record) {
  const std::shared_lock writing(writing_);
  TRY(check_lives(account));
  auto receipt = TRY(in.append_record(vault, record));
  const RecordDrops drops = TRY(drops_of(record));
  if (!drops.dropped.empty() || !drops.kept.empty()) TRY(catch_up(in, account, vault));
  changed(account);
  return receipt;
}

// Reads on from where apply_drops() left: a crash after a record was accepted loses nothing.
Result<void> Core::catch_up(store::Account& in, const std::string& account, const VaultId& vault) {
  for (;;) {
    const std::uint64_t seen = TRY(rows_.drop_cursor(account, vault));
    std::vector<RecordDrops> all;
    for (const Bytes& record : TRY(in.read_records(vault, seen + 1)))
      all.push_back(TRY(drops_of(record)));
    if (all.empty()) return Ok{};
    TRY(rows_.apply_drops(account, vault, all, clock_->now()));
  }
}

// ---- sweeping ----

Result<void> Core::sweep() {
  const Lock one(sweeping_);
  const TimeMs now = clock_->now();
  TRY(connections_.flush());
  TRY(connections_.prune(now - options_.connection_log_days * kDayMs));
  TRY(joins_.drop_expired(now));
  for (const std::string& account : TRY(rows_.begin_ends(now))) TRY(end_account(account));
  return sweep_drops();
}

// Marked as ending, it gets nothing new once those who were storing are through. The rows go last:
// until then, the next sweep begins anew.
Result<void> Core::end_account(const std::string& account) {
  {
    const std::unique_lock alone(writing_);
  }
  TRY(storage_->remove_account(account));
  loaded_.forget(account);
  TRY(rows_.erase(account));
  changed(account);
  return Ok{};
}

Result<void> Core::sweep_drops() {
  const TimeMs until = clock_->now() - options_.grace_days * kDayMs;
  for (const AccountPack& pack : TRY(rows_.dropped(until, kSweptPacks))) TRY(sweep_pack(pack));
  return Ok{};
}

// Alone, so that no record comes that keeps the pack after all, and nobody sends it anew.
Result<void> Core::sweep_pack(const AccountPack& pack) {
  const auto account = TRY(open_account(pack.account));
  if (!account) return Ok{};
  const std::unique_lock alone(writing_);
  TRY(catch_up(*account, pack.account, pack.vault));
  const bool still = TRY(rows_.is_dropped(pack));
  if (!still) return Ok{};
  TRY(storage_->remove(pack.account, pack.pack));
  return rows_.forget_drop(pack);
}

// ---- the rest ----

std::vector<std::pair<std::string, double>> Core::gauges() {
  std::vector<std::pair<std::string, double>> all;
  const auto add = [&](const char* name, const Result<std::uint64_t>& value) {
    if (value.ok()) all.emplace_back(name, static_cast<double>(*value));
  };
  const auto totals = storage_->totals();
  if (totals.ok()) {
    all.emplace_back("holdfast_packs", static_cast<double>(totals->packs));
    all.emplace_back("holdfast_packs_bytes", static_cast<double>(totals->bytes));
  }
  add("holdfast_accounts", rows_.count());
  add("holdfast_disk_free_bytes", free_bytes(options_.data));
  struct stat info{};
  if (::stat((options_.data + "/service.db").c_str(), &info) == 0)
    all.emplace_back("holdfast_database_bytes", static_cast<double>(info.st_size));
  return all;
}

Result<void> Core::ready() {
  const std::uint64_t left = TRY(free_bytes(options_.data));
  if (left < options_.free_bytes_floor)
    return Error{Code::kUnavailable, "the disk of the data directory is almost full"};
  return writer_->write([&](sql::Database& database) {
    return run(database, "INSERT OR REPLACE INTO heartbeat(id, time_ms) VALUES(1, ?)",
               clock_->now());
  });
}

Result<void> Core::stop() {
  const auto flushed = connections_.flush();
  TRY(replay_->stop());
  return flushed;
}

Result<std::unique_ptr<Service>> Service::open(ServiceOptions options,
                                               std::shared_ptr<const Clock> clock) {
  auto core = TRY(Core::open(std::move(options), std::move(clock)));
  return std::unique_ptr<Service>(new Service(std::move(core)));
}

Service::Service(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Service::~Service() { static_cast<void>(core_->stop()); }

api::Visitor& Service::visitor() { return *core_; }
Result<api::Receipt> Service::sign_up(const std::string& account, const api::Append& genesis,
                                      const std::string& invitation) {
  return core_->sign_up(account, genesis, invitation);
}
Result<std::unique_ptr<api::ServiceSession>> Service::prove(const api::RequestProof& proof,
                                                            const api::RequestLine& line,
                                                            const std::string& address) {
  return core_->prove(proof, line, address);
}
TimeMs Service::now() { return core_->now(); }
std::vector<std::pair<std::string, double>> Service::gauges() { return core_->gauges(); }
Result<void> Service::ready() { return core_->ready(); }
Result<void> Service::sweep() { return core_->sweep(); }
Result<void> Service::stop() { return core_->stop(); }
Accounts& Service::accounts() { return core_->rows(); }
Operators& Service::operators() { return core_->operators(); }

}  // namespace holdfast::server
