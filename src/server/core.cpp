#include "server/core.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "circle/vault_chain.h"
#include "crypto/hash.h"
#include "server/rows.h"
#include "server/session.h"
#include "store/layout.h"

namespace holdfast::server {
namespace {

// One sentence for whatever would tell a stranger whether an account or a device exists.
Error denied() {
  return {Code::kDenied, "this key may not use this account, or there is no such account"};
}

Error no_admission() { return {Code::kNotFound, "this request was not admitted yet"}; }

Error name_taken(const std::string& account) {
  return {Code::kConflict, "an account named \"" + account + "\" exists at this service"};
}

Error used_up(std::uint64_t quota) {
  return {Code::kUnavailable, "the account's quota of " + std::to_string(quota) +
                                  " bytes is used up; ask the service's operator for more"};
}

constexpr const char* kHeartbeatSchema =
    "CREATE TABLE IF NOT EXISTS heartbeat("
    "  id INTEGER PRIMARY KEY CHECK(id = 1), time_ms INTEGER NOT NULL);";

Result<circle::Statement> statement_of(BytesView bytes) {
  const auto outer = TRY(wire::decode<circle::SignedStatement>(bytes));
  return wire::decode<circle::Statement>(outer.statement);
}

Result<circle::Genesis> genesis_of(BytesView bytes) {
  const auto statement = TRY(statement_of(bytes));
  return wire::decode<circle::Genesis>(statement.body);
}

// A full account can still be rid of a thief, who perhaps filled it. Each takes a device out, or a
// new recovery key that waits; nobody comes in but by the recovery key.
bool takes_readers_out(BytesView bytes) {
  const auto statement = statement_of(bytes);
  return statement.ok() && (statement->type == circle::StatementType::kRemove ||
                            statement->type == circle::StatementType::kRecover ||
                            statement->type == circle::StatementType::kCancel);
}

std::uint64_t size_of(const api::Append& append) {
  std::uint64_t size = append.statement.size() + kObjectCost;
  for (const Bytes& blob : append.blobs) size += blob.size() + kObjectCost;
  return size;
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

// Which proposal a complete completes; none for other statements, and what is no statement.
std::optional<std::uint64_t> completed(BytesView bytes) {
  const auto statement = statement_of(bytes);
  if (!statement.ok() || statement->type != circle::StatementType::kComplete) return std::nullopt;
  const auto body = wire::decode<circle::Complete>(statement->body);
  if (!body.ok()) return std::nullopt;
  return body->proposal;
}

// What a rule may ask the age of: when somebody became a member, how long a proposal waits.
bool begins_an_age(circle::StatementType type) {
  return type == circle::StatementType::kAdmit || type == circle::StatementType::kRecover ||
         type == circle::StatementType::kPropose || type == circle::StatementType::kAssist ||
         type == circle::StatementType::kSetRecovery;
}

Result<std::vector<std::uint64_t>> begins(store::Account& account, std::uint64_t from) {
  std::vector<std::uint64_t> out;
  for (;;) {
    const auto page = TRY(account.read_circle(from));
    if (page.empty()) return out;
    for (const Bytes& bytes : page) {
      const auto statement = TRY(statement_of(bytes));
      if (begins_an_age(statement.type)) out.push_back(from);
      ++from;
    }
  }
}

Result<circle::Record> record_of(BytesView bytes) {
  const auto outer = TRY(wire::decode<circle::SignedRecord>(bytes));
  return wire::decode<circle::Record>(outer.record);
}

// What cannot be read the store refuses.
bool is_snapshot(BytesView bytes) {
  const auto record = record_of(bytes);
  return record.ok() && record->kind == circle::RecordKind::kSnapshot;
}

Result<RecordDrops> drops_of(BytesView bytes) {
  circle::Record record = TRY(record_of(bytes));
  return RecordDrops{record.n, std::move(record.dropped), std::move(record.kept)};
}

Result<std::uint64_t> free_bytes(const std::string& path) {
  struct statvfs info{};
  if (::statvfs(path.c_str(), &info) != 0) return io_error("look at", path, errno);
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

Result<FileLock> lock_data(const ServiceOptions& options) {
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(options.lock_patience_ms);
  for (;;) {
    auto lock = TRY(FileLock::try_acquire(options.data + "/lock"));
    if (lock) return *std::move(lock);
    if (std::chrono::steady_clock::now() >= end)
      return Error{Code::kUnavailable, "another program is using the data directory " +
                                           options.data + "; stop it first"};
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace

// ---- opening ----

Result<std::unique_ptr<Core>> Core::open(ServiceOptions options,
                                         std::shared_ptr<const Clock> clock) {
  TRY(make_dirs(options.data));
  auto lock = TRY(lock_data(options));
  const std::string schema = Replay::kSchema + Accounts::kSchema + Joins::kSchema +
                             Operators::kSchema + kHeartbeatSchema + LogTables::kSchema +
                             Custody::kSchema + Batching::kSchema + Helping::kSchema +
                             Storage::schema();
  auto writer = TRY(Writer::open(options.data + "/service.db", schema));
  auto replay = TRY(Replay::open(*writer, clock));
  const auto note = [clock](sql::Database& db, std::string_view account, std::string_view path) {
    const TimeMs now = clock->now();
    auto noted = note_circle(db, account, path, now);
    if (!noted.ok()) return noted;
    return note_changed(db, account, static_cast<std::uint64_t>(now / 1000));
  };
  auto storage = TRY(Storage::open(options.data, *writer, clock, note));
  auto core =
      std::unique_ptr<Core>(new Core(std::move(options), std::move(clock), std::move(lock),
                                     std::move(writer), std::move(replay), std::move(storage)));
  TRY(core->add_missing_rows());
  TRY(core->note_circles());
  TRY(core->open_public_log());
  return core;
}

Result<void> Core::open_public_log() {
  if (!options_.log && custody_.has_custodian())
    return Error{Code::kInvalid,
                 "a custodian needs the public log: it acts on nothing else. Start with --log"};
  if (!options_.log) return Ok{};
  LogOptions options = *options_.log;
  options.tls_pin = options_.tls_pin;
  const auto fleet = TRY(custody_.fleet_key());
  if (fleet) options.fleet_key = *fleet;
  log_ = TRY(PublicLog::open(*writer_, std::move(options), clock_));
  if (!fleet) return Ok{};
  tlog::CustodyKey leaf;
  std::ranges::copy(*fleet, leaf.fleet_key.begin());
  leaf.in_effect_from_s = static_cast<std::uint64_t>(clock_->now() / 1000);
  return log_->append_fleet_key(leaf);
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

// Once for each account, where there is a custodian: of earlier versions, and of those made right
// before the service went down. One that cannot be read is the check's to find.
Result<void> Core::note_circles() {
  if (!custody_.has_custodian()) return Ok{};
  const auto names = TRY(rows_.names());
  for (const std::string& name : TRY(custody_.unnoted(names))) {
    const auto account = TRY(loaded_.find(name));
    if (!account) continue;
    const auto circle = account->circle_id();
    if (circle.ok()) TRY(custody_.note_account(name, *circle));
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
                                   const std::string& invitation, const std::string& peer) {
  TRY(store::check_account_name(account));
  TRY(check_disk());
  TRY(check_offered(genesis));
  // Whoever may not sign up does not learn which names are taken either.
  switch (options_.sign_up) {
    case SignUp::kClosed: return Error{Code::kDenied, "this service takes no new accounts"};
    case SignUp::kInvite: return make_invited(account, genesis, invitation);
    case SignUp::kOpen: return make_open(account, genesis, peer);
  }
  std::abort();
}

// Only what was made counts: a name that was taken costs nothing.
Result<api::Receipt> Core::make_open(const std::string& account, const api::Append& genesis,
                                     const std::string& peer) {
  const Place place = sign_ups_.add(account, peer, clock_->now());
  if (place == Place::kNone)
    return Error{
        Code::kUnavailable,
        "too many accounts were opened from this address today; try again tomorrow, or ask "
        "the service's operator"};
  auto receipt = make_account(account, genesis);
  if (!receipt.ok()) {
    if (place == Place::kNew) sign_ups_.remove(account);
    return receipt;
  }
  TRY(rows_.add(account, clock_->now(), options_.default_quota));
  return receipt;
}

Result<api::Receipt> Core::make_account(const std::string& account, const api::Append& genesis) {
  const auto row = TRY(rows_.find(account));
  if (row && row->ending) return name_taken(account);
  // The custodian keeps a key for good that is named: not for a name that is taken.
  const bool there = TRY(loaded_.make(account)->exists());
  if (there && !TRY(was_made(account, crypto::sha256(genesis.statement))))
    return name_taken(account);
  TRY(custody_.check_named(genesis.statement, genesis.statement));
  const Lock one(signing_up_);
  const bool in_log = TRY(add_to_log(account, genesis));
  auto made = loaded_.make(account)->create(genesis);
  // Whoever sends genesis statements that are none must not fill the log's tables.
  if (!made.ok() && in_log) TRY(log_->forget_account(account));
  if (!made.ok() && made.error().code == Code::kConflict) return name_taken(account);
  if (!made.ok()) return made;
  if (custody_.has_custodian()) {
    const auto statement = TRY(statement_of(genesis.statement));
    TRY(custody_.note_account(account, statement.circle));
  }
  TRY(add_promise(account, genesis.statement, *made));
  return made;
}

// The lookup key comes before the account that needs it: left over after a kill, it is of an
// account that is not there, and the next one of that name replaces it. False: nothing was added.
Result<bool> Core::add_to_log(const std::string& account, const api::Append& genesis) {
  const auto body = genesis_of(genesis.statement);
  if (!body.ok()) return Error{Code::kInvalid, body.error().message};
  if (!body->has_log) return false;
  if (!log_ || !genesis.lookup)
    return Error{Code::kInvalid,
                 "the account's genesis names a log, and " +
                     std::string(log_ ? "its lookup key is missing" : "this service has none")};
  TRY(PublicLog::check_lookup(*genesis.lookup, body->lookup));
  const bool there = TRY(loaded_.make(account)->exists());
  if (there) return false;
  TRY(log_->add_account(account, *genesis.lookup, circle::statement_head(genesis.statement)));
  return true;
}

Result<void> Core::add_promise(const std::string& account, BytesView bytes, api::Receipt& receipt) {
  if (!log_) return Ok{};
  const auto statement = TRY(statement_of(bytes));
  receipt.promise =
      TRY(log_->promise(account, statement.circle, statement.seq, circle::statement_head(bytes)));
  return Ok{};
}

Result<Bytes> Core::get_log(const std::string& path) {
  const auto file = TRY(open_log(path));
  if (file.size > kMaxLogFile)
    return Error{Code::kUnavailable, "this file of the log is too large"};
  return read_fd(file.file.get(), file.size);
}

Result<api::StoredFile> Core::open_log(const std::string& path) {
  if (!log_) return api::no_log();
  return log_->open_file(path);
}

Result<bool> Core::step_log() {
  if (!log_) return false;
  TRY(bind_lawful());
  return log_->step([this](const std::string& name, std::uint64_t from) -> Result<AccountLists> {
    const auto account = TRY(loaded_.find(name));
    if (!account) return AccountLists{};
    AccountLists lists;
    lists.heads = TRY(account->heads(from));
    lists.begins = TRY(begins(*account, from));
    for (circle::VaultHead& head : TRY(account->vault_heads()))
      if (head.n > 0) lists.vaults.push_back(std::move(head));
    return lists;
  });
}

// Nothing to do where the service never had a custodian.
std::optional<CustodyTurn> Core::step_custody() {
  if (!log_) return std::nullopt;
  return custody_.step(
      *log_, loaded_, [this](const std::string& account) { changed(account); }, clock_->now());
}

std::optional<ReleaseTurn> Core::step_releases() {
  if (!log_ || !custody_.has_custodian()) return std::nullopt;
  const TimeMs now = clock_->now();
  ReleaseTurn turn;
  const auto batched = batching_.step(*log_, now);
  if (!batched.ok()) turn.failed = batched.error();
  turn.batched = batched.ok() && *batched;
  HelpTurn helped = helping_.step(
      *log_, loaded_,
      [this](store::Account& in, const std::string& account, const api::Append& what) {
        return append(in, account, what);
      },
      now);
  turn.proposed = std::move(helped.proposed);
  turn.given = std::move(helped.given);
  if (helped.failed) turn.failed = std::move(helped.failed);
  return turn;
}

Result<std::optional<circle::Circle>> Core::circle_of(const std::string& account) {
  const auto found = TRY(open_account(account));
  if (!found) return std::optional<circle::Circle>();
  return std::optional(TRY(found->circle()));
}

// A key takes room in the token: for an account that is there, or that may be made.
Result<Bytes> Core::custodian_key_of(const std::string& peer, const std::string& invitation,
                                     const CircleId& circle) {
  const TimeMs now = clock_->now();
  const bool there = options_.sign_up == SignUp::kOpen || TRY(custody_.knows(circle));
  if (!there && options_.sign_up == SignUp::kClosed)
    return Error{Code::kDenied, "this service takes no new accounts"};
  if (!there) TRY(rows_.check_invitation(invitation, now));
  return custody_.issue(circle, peer, now);
}

Result<void> Core::ask_help_of(const std::string& peer, const std::string& account,
                               BytesView request) {
  TRY(store::check_account_name(account));
  TRY(check_disk());
  return helping_.ask(account, request, peer, clock_->now());
}

Result<api::CustodyStatus> Core::custody(store::Account& in, const std::string& account) {
  const circle::Circle circle = TRY(in.circle());
  return custody_.status(account, circle);
}

// Asks another process, so before anything is held that others wait for.
Result<void> Core::check_named(store::Account& in, BytesView statement) {
  if (!Custody::names_custodian(statement)) return Ok{};
  const auto genesis = TRY(in.read_circle(0));
  if (genesis.empty()) return denied();
  return custody_.check_named(statement, genesis[0]);
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

Result<void> Core::put_join(const std::string& account, const RequestId& request,
                            api::JoinMessage which, BytesView message) {
  TRY(store::check_account_name(account));
  TRY(check_disk());
  TRY(joins_.put(account, request, which, message, clock_->now()));
  changed(account);
  return Ok{};
}

// A request that is not kept takes no place; one that was there before keeps its own.
Result<void> Core::put_join_of(const std::string& peer, const std::string& account,
                               const RequestId& request, api::JoinMessage which,
                               BytesView message) {
  if (which != api::JoinMessage::kRequest) return put_join(account, request, which, message);
  const Place place = open_joins_.add({account, request}, peer, clock_->now());
  if (place == Place::kNone)
    return Error{Code::kUnavailable,
                 "too many requests to join are waiting from this address; try again later"};
  auto put = put_join(account, request, which, message);
  if (!put.ok() && place == Place::kNew) open_joins_.remove({account, request});
  return put;
}

Result<void> Core::drop_join(const std::string& account, const RequestId& request) {
  TRY(joins_.drop(account, request));
  open_joins_.remove({account, request});
  changed(account);
  return Ok{};
}

Result<Bytes> Core::get_join(const std::string& account, const RequestId& request,
                             api::JoinMessage which) {
  TRY(store::check_account_name(account));
  return joins_.get(account, request, which, clock_->now());
}

Result<api::Visitor::Admitted> Core::get_admission(const std::string& account,
                                                   const RequestId& request) {
  TRY(store::check_account_name(account));
  const auto found = TRY(open_account(account));
  if (!found) return no_admission();
  auto admitted = found->get_admission(request);
  if (!admitted.ok() && admitted.error().code == Code::kNotFound) return no_admission();
  return admitted;
}

// ---- proofs ----

Result<std::optional<Core::Found>> Core::find_caller(const api::RequestProof& proof) {
  if (!store::check_account_name(proof.account).ok()) return std::optional<Found>();
  auto account = TRY(open_account(proof.account));
  if (!account) return std::optional<Found>();
  const auto standing = TRY(account->standing(proof.caller, clock_->now()));
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
  return make_session(*this, proof.account, found->account, found->standing.rights);
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

Result<void> Core::check_disk(std::uint64_t coming, std::uint64_t floor) const {
  const std::uint64_t left = TRY(free_bytes(options_.data));
  if (left >= floor && left - floor >= coming) return Ok{};
  return Error{Code::kUnavailable,
               "the service's disk is full: nothing was lost, but its operator must make space"};
}

Result<std::unique_ptr<Arrival>> Core::make_room(const std::string& account, const PackId& pack,
                                                 std::uint64_t size) {
  auto arrival = std::make_unique<Arrival>(arriving_, account, size + kPackCost);
  TRY(check_disk(arriving_.all(), options_.free_bytes_floor));
  const api::Usage now = TRY(usage(account));
  if (!now.quota || *now.bytes + arrival->with_others() <= *now.quota) return arrival;
  // Sent again, it takes no more room.
  const auto there = TRY(storage_->have(account, {pack}));
  if (there[0]) return arrival;
  return used_up(*now.quota);
}

Result<void> Core::check_quota(const std::string& account, std::uint64_t coming) {
  const api::Usage now = TRY(usage(account));
  if (!now.quota || *now.bytes + coming <= *now.quota + options_.small_reserve) return Ok{};
  return used_up(*now.quota);
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
  TRY(check_named(in, append.statement));
  const std::shared_lock writing(writing_);
  TRY(check_lives(account));
  TRY(check_offered(in, append.statement));
  if (!takes_readers_out(append.statement)) TRY(check_quota(account, size_of(append)));
  auto locate = new_capsule(append.statement);
  if (const auto proposal = completed(append.statement)) {
    const auto proposed = TRY(in.proposed(*proposal));
    if (proposed) locate = proposed->locate;
  }
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
  if (!receipt.ok()) return receipt;
  changed(account);
  TRY(add_promise(account, append.statement, *receipt));
  return receipt;
}

Result<api::Receipt> Core::append_record(store::Account& in, const std::string& account,
                                         const VaultId& vault, BytesView record) {
  const std::shared_lock writing(writing_);
  TRY(check_disk());
  TRY(check_lives(account));
  if (is_snapshot(record)) TRY(check_keeps(in));
  const std::uint64_t size = record.size() + kObjectCost;
  const auto fits = check_quota(account, size);
  std::optional<std::uint32_t> undoes;
  if (!fits.ok()) undoes = TRY(undoes_beyond(account, record, size));
  if (!fits.ok() && !undoes) return fits.error();
  auto receipt = TRY(in.append_record(vault, record));
  if (undoes) TRY(rows_.add_undo_bytes(account, *undoes, size));
  const RecordDrops drops = TRY(drops_of(record));
  if (!drops.dropped.empty() || !drops.kept.empty()) TRY(catch_up(in, account, vault));
  changed(account);
  if (log_) {
    const circle::Record stored = TRY(record_of(record));
    receipt.promise = TRY(log_->promise(account, stored, circle::record_head(record)));
  }
  return receipt;
}

// A thief who filled the account and then dropped everything does not keep the person from undoing
// that. There is so much room for it in each epoch, and whoever takes the thief out begins another.
Result<std::optional<std::uint32_t>> Core::undoes_beyond(const std::string& account,
                                                         BytesView bytes, std::uint64_t size) {
  const auto record = record_of(bytes);
  if (!record.ok() || record->kind != circle::RecordKind::kUndo)
    return std::optional<std::uint32_t>();
  const std::uint64_t taken = TRY(rows_.undo_bytes(account, record->epoch));
  if (taken + size > options_.small_reserve) return std::optional<std::uint32_t>();
  return std::optional(record->epoch);
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
  if (log_)
    for (auto& gauge : log_->gauges()) all.push_back(std::move(gauge));
  if (custody_.has_custodian())
    for (auto& gauge : custody_.gauges(clock_->now())) all.push_back(std::move(gauge));
  all.emplace_back("holdfast_writes_waiting", static_cast<double>(writer_->waiting()));
  add("holdfast_disk_free_bytes", free_bytes(options_.data));
  double database = 0;
  struct stat info{};
  for (const char* const end : {"", "-wal"})
    if (::stat((options_.data + "/service.db" + end).c_str(), &info) == 0)
      database += static_cast<double>(info.st_size);
  all.emplace_back("holdfast_database_bytes", database);
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

}  // namespace holdfast::server
