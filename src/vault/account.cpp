#include <algorithm>

#include "crypto/hash.h"
#include "crypto/seal.h"
#include "tlog/map_labels.h"
#include "vault/ages.h"
#include "vault/help.h"
#include "vault/levels.h"
#include "vault/vault_data.h"

namespace holdfast::vault {
namespace {

constexpr const char* kRootsSetting = "trust_roots";

Result<circle::DeviceInfo> own_info(const circle::Circle& circle, const ReaderId& self) {
  const circle::Device* const device = circle.device(self);
  if (device == nullptr) return Error{Code::kDenied, "this device is not a member of the account"};
  if (device->removed_seq) {
    const circle::Device* const by = circle.device(device->removed_by);
    return Error{Code::kDenied,
                 "this device was removed from the account by " +
                     (by != nullptr ? "\"" + by->info.name + "\"" : "the recovery key") +
                     ". What is written from now on is closed to it"};
  }
  return device->info;
}

}  // namespace

Result<void> check_typed(std::string_view name) {
  if (wire::is_utf8(as_bytes(name))) return Ok{};
  return Error{Code::kInvalid, "a name must be text in UTF-8: choose another"};
}

circle::DeviceInfo device_info(const keys::DeviceKey& key, const std::string& name) {
  circle::DeviceInfo info;
  info.name = name;
  info.verify_key = signing_key(key).verify_key().bytes;
  info.wrap_key = crypto::wrap_public_key(crypto::derive<crypto::WrapPurpose>(key)).bytes;
  return info;
}

crypto::SigningKey signing_key(const keys::DeviceKey& key) {
  return crypto::SigningKey(crypto::derive<crypto::SigningPurpose>(key));
}

api::Caller caller(const keys::DeviceKey& key) {
  return {circle::reader_id(device_info(key, "")),
          std::make_shared<const crypto::SigningKey>(signing_key(key))};
}

Result<circle::TrustRoots> trust_roots(api::Store& store) {
  circle::TrustRoots roots;
  roots.tls_pin = store.tls_pin();
  auto log = store.get_log("roots");
  if (!log.ok() && log.error().code == Code::kNotFound) return roots;
  TRY(log);
  const auto parsed = TRY(wire::decode<tlog::LogRoots>(*log));
  TRY(tlog::TrustedLog::open(parsed));
  roots.log = wire::encode(parsed);
  for (const auto& [name, key] :
       {std::pair{"policy-key", &roots.policy_key}, {"fleet-key", &roots.fleet_key}}) {
    auto bytes = store.get_log(name);
    if (bytes.ok()) {
      *key = std::move(bytes).value();
    } else if (bytes.error().code != Code::kNotFound) {
      return std::move(bytes).error();
    }
  }
  return roots;
}

Result<circle::TrustRoots> told_roots(const Home& home) {
  const std::string stored = home.setting(kRootsSetting);
  auto roots = wire::decode<circle::TrustRoots>(as_bytes(stored));
  if (!roots.ok()) return std::move(roots).error().in("the state of this device");
  return roots;
}

Result<circle::TrustRoots> trust_roots(const Home& home, const circle::Circle& circle) {
  auto roots = TRY(told_roots(home));
  if (circle.trust_roots() != roots_hash(roots) || circle.has_log() == roots.log.empty())
    return Error{Code::kUnsafe,
                 "the account's circle commits to another service or log than this device was told "
                 "when it joined: do not use it"};
  return roots;
}

Result<void> check_store(const circle::TrustRoots& roots, const api::Store& store) {
  if (roots.tls_pin == store.tls_pin()) return Ok{};
  return Error{Code::kUnsafe,
               "this account was made at another service (or a service with another key) than the "
               "one that answers: do not use it"};
}

Bytes for_the_map(const keys::LookupKey& lookup) { return to_bytes(crypto::expose(lookup)); }

Digest lookup_hash(const keys::LookupKey& key) { return tlog::lookup_hash(key); }

Result<void> remember_wrong(Home& home, const Result<void>& kept, TimeMs now) {
  if (kept.ok() || kept.error().code != Code::kUnsafe) return kept;
  return remember_contradiction(home, kept.error().message, now);
}

Result<void> become_member(Home& home, const std::string& account, const std::string& device_name,
                           const keys::LookupKey& lookup, const circle::TrustRoots& roots,
                           const std::vector<Bytes>& statements) {
  TRY(home.save_lookup(lookup));
  const Bytes encoded = wire::encode(roots);
  TRY(home.set_setting(kRootsSetting, std::string(as_text(encoded))));
  TRY(home.add_statements(0, statements));
  TRY(home.set_setting("account", account));
  TRY(home.set_setting("device_name", device_name));
  return home.set_setting("member", "yes");
}

Account::Account(std::unique_ptr<State> state) : state_(std::move(state)) {}
Account::Account(Account&&) noexcept = default;
Account& Account::operator=(Account&&) noexcept = default;
Account::~Account() = default;

Result<Account> Account::open(Home& home, api::Store& store, const Clock& clock) {
  if (!home.is_member() && !TRY(asked_for_help(home)).empty())
    return open_helped(home, store, clock);
  if (!home.is_member())
    return Error{Code::kNotFound,
                 "this device belongs to no account yet: use init, join or recover first"};
  auto session = TRY(store.open_account(home.setting("account"), caller(home.device_key())));
  const ReaderId self = circle::reader_id(device_info(home.device_key(), ""));
  auto ages = TRY(log_ages(home));
  auto state = std::make_unique<State>(
      State{home,
            store,
            clock,
            signing_key(home.device_key()),
            Replica(std::move(session), self,
                    crypto::derive<crypto::WrapPurpose>(home.device_key()), std::move(ages)),
            {},
            {},
            {},
            {},
            {}});
  TRY(state->sync());
  Account account(std::move(state));
  TRY(account.answer_releases());
  return account;
}

Result<void> Account::State::sync() {
  if (helped) return replica.sync(nullptr);
  TRY(replica.sync(&home));
  auto own = own_info(circle(), replica.self());
  if (!own.ok()) return std::move(own).error();
  roots = TRY(trust_roots(home, circle()));
  roots_now = TRY(roots_in_effect(home, roots));
  TRY(check_store(roots_now, store));
  TRY(note_losses());
  if (roots.log.empty()) return Ok{};
  return ask_log();
}

// While a contradiction stands the log is not asked: what it says now is no reason to forget.
Result<void> Account::State::ask_log() {
  contradiction = TRY(standing_contradiction(home));
  log_status.reset();
  withheld.clear();
  if (!contradiction) TRY(look());
  log = TRY(wire::decode<tlog::LogRoots>(roots_now.log));
  TRY(close_until_included());
  if (!log_status) return Ok{};
  compare_acknowledged();
  if (const auto trusted = check_custodian(); !trusted.ok())
    log_status->alarms.push_back(trusted.error().message + ".");
  const auto compared = compare_with_others(*this);
  if (compared.ok()) return compared;
  log_status.reset();
  if (compared.error().code == Code::kUnsafe) return remember(compared.error().message);
  return withhold(compared.error());
}

Result<void> Account::State::look() {
  auto looked = look_twice();
  if (!looked.ok()) return withhold(looked.error());
  if (!looked->sight) return remember(looked->contradiction);
  roots_now = std::move(looked->sight->roots);
  log_status = std::move(looked->sight->status);
  return Ok{};
}

// A service that shows no log must not keep a person from their data, no more than one that
// contradicts itself; and gets nothing new either.
Result<void> Account::State::withhold(const Error& why) {
  if (why.code != Code::kUnavailable) return why;
  withheld = why.message;
  const auto newest = TRY(newest_proven(home, roots_now));
  if (newest) withheld += ". The newest of it that was verified here is of " + human_time(*newest);
  return Ok{};
}

Result<void> Account::State::remember(const std::string& sentence) {
  TRY(remember_contradiction(home, sentence, clock.now()));
  contradiction = TRY(standing_contradiction(home));
  return Ok{};
}

Result<Account::State::Looked> Account::State::look_twice() {
  const keys::LookupKey lookup = TRY(home.lookup());
  const auto look = [&](Look which) {
    return look_at_log(home, replica, store, roots, lookup, clock.now(), which);
  };
  auto sight = look(Look::kFirst);
  if (!sight.ok() && sight.error().code == Code::kUnsafe) {
    TRY(replica.sync(&home));
    sight = look(Look::kAgain);
  }
  if (sight.ok()) return Looked{std::move(sight).value(), {}};
  if (sight.error().code != Code::kUnsafe) return std::move(sight).error();
  return Looked{{}, sight.error().message};
}

// A device that another one admitted opens nothing before all others can see in the log that it
// was. The first device and one that the recovery key admitted were admitted by nobody else.
Result<void> Account::State::close_until_included() {
  const std::uint64_t seq = circle().device(replica.self())->admitted_seq;
  const auto outer = TRY(wire::decode<circle::SignedStatement>(replica.statements().at(seq)));
  const auto statement = TRY(wire::decode<circle::Statement>(outer.statement));
  const std::uint64_t included = TRY(included_so_far(home));
  const bool waits = statement.type == circle::StatementType::kAdmit && included <= seq;
  replica.hold(waits ? Replica::Keys::kHeld : Replica::Keys::kFree);
  return Ok{};
}

Result<void> Account::State::promised(const api::Append& append, const api::Receipt& receipt) {
  if (!log) return Ok{};
  const TimeMs now = clock.now();
  return remember_wrong(
      home,
      keep_promise(home, *log, circle().id(), circle().seq() + 1,
                   circle::statement_head(append.statement), receipt.promise, now),
      now);
}

Result<void> Account::State::promised(const circle::LinkedRecord& linked,
                                      const api::Receipt& receipt) {
  if (!log) return Ok{};
  const TimeMs now = clock.now();
  const circle::VaultHead head{linked.vault, linked.tip.n, linked.tip.head};
  return remember_wrong(home, keep_promise(home, *log, circle().id(), head, receipt.promise, now),
                        now);
}

Result<void> Account::State::check(Needs needs) const {
  if (helped)
    return Error{Code::kDenied,
                 "this device is no member of the account: it reads what the provider could read, "
                 "and changes nothing. Restore what you need, and begin a new account with it"};
  if (needs == Needs::kNothing) return Ok{};
  if (contradiction) return stopped_by(*contradiction);
  if (!withheld.empty())
    return Error{Code::kUnavailable,
                 "the service's log could not be checked, so nothing is sent there: " + withheld +
                     ". Try again soon; if this lasts, ask the operator, by another way, why"};
  return needs == Needs::kAll ? check_custodian() : Result<void>(Ok{});
}

// By some nobody gains, whatever the log says. A first recovery key gives a custodian nothing, and
// without one the level is not raised.
Account::State::Needs Account::State::needs(circle::StatementType type) const {
  using Type = circle::StatementType;
  const bool raises = type == Type::kSetLevel && circle().level() == circle::Level::kStandard;
  if (raises || type == Type::kRemove || type == Type::kCancel) return Needs::kNothing;
  if (type == Type::kSetRecovery && !circle().recovery()) return Needs::kLog;
  return Needs::kAll;
}

const std::optional<LogStatus>& Account::log_status() const { return state_->log_status; }
const std::optional<Contradiction>& Account::contradiction() const { return state_->contradiction; }
const std::string& Account::log_withheld() const { return state_->withheld; }
std::uint64_t Account::sends() const { return state_->sends; }

Result<std::vector<Contradiction>> Account::contradictions() const {
  return vault::contradictions(state_->home);
}

Result<void> Account::accept_contradiction(const std::string& reason) {
  State& s = *state_;
  if (!s.contradiction) return Error{Code::kNotFound, "there is no contradiction to judge"};
  State::Looked looked = TRY(s.look_twice());
  if (!looked.sight) {
    const Bytes known = TRY(forget_log(s.home));
    auto fresh = s.look_twice();
    if (!fresh.ok() || !fresh->sight) TRY(put_log_back(s.home, known));
    looked = TRY(std::move(fresh));
  }
  if (!looked.sight)
    return Error{Code::kUnsafe,
                 "the log contradicts this account also as a device sees it that never saw it "
                 "before, so there is nothing to go on with: " +
                     looked.contradiction};
  TRY(leave_uncompared(s));
  TRY(judge_contradiction(s.home, reason, s.clock.now()));
  return s.sync();
}

Result<api::Usage> Account::usage() { return state_->replica.session().usage(); }
Result<api::Usage> Account::delete_account() { return state_->replica.session().delete_account(); }
Result<api::Usage> Account::keep_account() { return state_->replica.session().keep_account(); }
Result<std::vector<api::Connection>> Account::connections() {
  return state_->replica.session().connections();
}

Result<void> Account::sync() {
  TRY(state_->sync());
  return answer_releases();
}

// A key that was given out opens what is written under it until the epoch is another.
Result<void> Account::answer_releases() {
  if (!state_->log_status || state_->log_status->stops_approvals()) return Ok{};
  if (!state_->check_custodian().ok()) return Ok{};  // a new epoch would be wrapped to it
  const auto& released = state_->log_status->released;
  if (std::ranges::none_of(released,
                           [&](const Released& r) { return r.what.epoch >= circle().epoch(); }))
    return Ok{};
  auto rotated = rotate();
  // Another device was quicker, or there is no way now: at the next sync.
  if (!rotated.ok() && rotated.error().code != Code::kConflict &&
      rotated.error().code != Code::kUnavailable)
    return rotated;
  return Ok{};
}
const circle::Circle& Account::circle() const { return state_->circle(); }
const circle::Device& Account::self() const {
  if (state_->helped) return *state_->helped;
  return *state_->circle().device(state_->replica.self());
}

std::optional<std::int64_t> Account::newest_snapshot_ms() const {
  std::optional<std::int64_t> newest;
  for (const circle::Vault& vault : circle().vaults())
    for (const TakenRecord& taken : taken_records(state_->replica.chain(vault.id)))
      newest = std::max(newest.value_or(INT64_MIN), taken.record->time_ms);
  return newest;
}

Result<void> Account::State::append(const std::function<Result<Made>()>& make) {
  if (helped) return check_sends();
  for (unsigned attempt = 0; attempt < kRebases; ++attempt) {
    Made made = TRY(make());
    const Needs before = needs(made.type);
    TRY(check(before));
    const std::uint64_t seq = circle().seq() + 1;
    circle::SignedStatement statement =
        circle::sign_statement({circle().id(), seq, circle().head(), clock.now(), made.type,
                                replica.self(), std::move(made.body)},
                               signing);
    if (made.cosign) made.cosign(statement);
    api::Append append{wire::encode(statement), std::move(made.blobs), std::nullopt};
    if (made.admission) append.admission = made.admission(append.statement);
    // What the circle would refuse is refused here, in words, before a store sees it.
    if (auto next = circle().apply(append.statement); !next.ok()) return std::move(next).error();
    TRY(home.add_blobs(append.blobs));
    ++sends;
    auto receipt = replica.session().append(append);
    if (!receipt.ok() && receipt.error().code != Code::kConflict) return std::move(receipt).error();
    const auto kept = receipt.ok() ? promised(append, *receipt) : Result<void>(Ok{});
    TRY(sync());
    if (!receipt.ok()) continue;
    TRY(replica.expect_statement(seq, append.statement, home));
    TRY(kept);
    return check(before);
  }
  return Error{Code::kConflict, "other devices keep changing the account; try again"};
}

// Honest devices write them anew long before: somebody filled the list.
Error Account::State::too_many_segments(const VaultId& vault) {
  const auto& records = replica.chain(vault).records;
  const auto first = std::ranges::find_if(records, [](const circle::LinkedRecord& record) {
    return std::max(record.key_segments.size(), record.index_segments.size()) >
           circle::kMaxSegments / 2;
  });
  const std::string sentence =
      "the vault lists more segments of keys or indexes than there is place for";
  if (first == records.end()) return {Code::kInvalid, sentence};
  const circle::Device* const device = circle().device(first->signer);
  const std::string n = std::to_string(first->tip.n);
  return {Code::kInvalid, sentence + ", since record " + n + " by \"" +
                              (device != nullptr ? device->info.name : "?") +
                              "\". If that was not you, remove that device; then: holdfast undo " +
                              n};
}

circle::Record Account::State::next_record(const VaultId& vault, circle::RecordKind kind) {
  const Chain& chain = replica.chain(vault);
  circle::Record record;
  record.circle = circle().id();
  record.vault = vault;
  record.n = chain.tip.n + 1;
  record.prev = chain.tip.head;
  record.circle_seq = circle().seq();
  record.circle_head = circle().head();
  record.epoch = circle().epoch();
  record.time_ms = clock.now();
  record.kind = kind;
  record.signer = replica.self();
  return record;
}

Result<std::optional<circle::LinkedRecord>> Account::State::append_record(
    const circle::Record& record) {
  const Bytes bytes = circle::sign_record(record, signing);
  // What the store would refuse is refused here, in words.
  auto linked = TRY(circle::extend(circle(), record.vault, replica.chain(record.vault).tip, bytes));
  const auto receipt = replica.session().append_record(record.vault, bytes);
  if (!receipt.ok() && receipt.error().code != Code::kConflict) return receipt.error();
  const auto kept = receipt.ok() ? promised(linked, *receipt) : Result<void>(Ok{});
  TRY(sync());
  if (!receipt.ok()) return std::optional<circle::LinkedRecord>();
  TRY(replica.expect_record(linked, bytes, home));
  TRY(kept);
  return std::optional(std::move(linked));
}

Result<void> Account::remove_devices(const std::vector<std::string>& names) {
  return state_->append([&]() -> Result<State::Made> {
    circle::Remove body;
    NextReaders readers = state_->replica.readers();
    for (const std::string& name : names) {
      const circle::Device* const device = circle().member_named(name);
      if (device == nullptr)
        return Error{Code::kNotFound, "no device named \"" + name + "\" is a member"};
      if (device->id == state_->replica.self())
        return Error{Code::kInvalid,
                     "a device cannot remove itself: do it from another device, or with the "
                     "recovery key"};
      body.devices.push_back(device->id);
      readers.full.erase(device->id);
    }
    std::sort(body.devices.begin(), body.devices.end());
    auto draft = TRY(state_->replica.next_epoch(readers));
    body.epoch = std::move(draft.info);
    return State::Made{circle::StatementType::kRemove, wire::encode(body), std::move(draft.blobs)};
  });
}

Result<void> Account::rotate() {
  const std::uint32_t before = circle().epoch();
  return state_->append([&]() -> Result<State::Made> {
    if (circle().epoch() != before)
      return Error{Code::kConflict, "another device began a new epoch already: nothing to do"};
    auto draft = TRY(state_->replica.next_epoch(state_->replica.readers()));
    return State::Made{circle::StatementType::kRotate,
                       wire::encode(circle::Rotate{std::move(draft.info)}), std::move(draft.blobs)};
  });
}

Result<void> Account::create_vault(const std::string& name, bool always_e2e) {
  TRY(check_typed(name));
  circle::SetVault body;
  crypto::random_fill(body.vault.bytes);
  body.name = name;
  body.always_e2e = always_e2e;
  const auto key = keys::VaultKey::random();
  const auto naming = keys::NamingKey::random();
  const auto cutting = keys::CuttingKey::random();
  return state_->append([&]() -> Result<State::Made> {
    const keys::Place place{circle().id(), circle().epoch(), body.vault};
    const keys::RootKey* const root = TRY(state_->replica.root(circle().epoch()));
    std::vector<Bytes> blobs =
        TRY(state_->replica.wrap_vault_key({body.vault, name, always_e2e}, place.epoch, key));
    blobs.insert(blobs.begin(), keys::seal_vault_key(*root, place, key));
    blobs.push_back(keys::seal_naming(*root, place, naming));
    blobs.push_back(keys::seal_cutting(*root, place, cutting));
    auto draft = TRY(state_->replica.same_epoch(std::move(blobs)));
    body.epoch = std::move(draft.info);
    return State::Made{circle::StatementType::kSetVault, wire::encode(body),
                       std::move(draft.blobs)};
  });
}

Result<void> Account::set_always_e2e(const std::string& name) {
  return state_->append([&]() -> Result<State::Made> {
    const circle::Vault* const vault = circle().vault_named(name);
    if (vault == nullptr) return Error{Code::kNotFound, "there is no vault \"" + name + "\""};
    NextReaders readers = state_->replica.readers();
    for (circle::Vault& one : readers.vaults)
      if (one.id == vault->id) one.always_e2e = true;
    auto draft = TRY(state_->replica.next_epoch(readers));
    const circle::SetVault body{vault->id, name, true, std::move(draft.info)};
    return State::Made{circle::StatementType::kSetVault, wire::encode(body),
                       std::move(draft.blobs)};
  });
}

Result<void> Account::set_region(const std::string& region) {
  TRY(check_typed(region));
  return state_->append([&]() -> Result<State::Made> {
    return State::Made{
        circle::StatementType::kSetRegion, wire::encode(circle::SetRegion{region}), {}};
  });
}

circle::RecoveryInfo make_recovery_info(const keys::RecoveryKey& key, const Replica& replica,
                                        const keys::LookupKey& lookup,
                                        const circle::TrustRoots& roots) {
  circle::RecoveryInfo info;
  info.verify_key =
      crypto::SigningKey(crypto::derive<crypto::SigningPurpose>(key)).verify_key().bytes;
  info.wrap_key = crypto::wrap_public_key(crypto::derive<crypto::WrapPurpose>(key)).bytes;
  info.locate = keys::locate_id(key);
  const auto capsule_key = crypto::derive<keys::CapsulePurpose>(key);
  Capsule capsule;
  capsule.circle = replica.circle().id();
  capsule.seq = replica.circle().seq();
  capsule.head = replica.circle().head();
  capsule.lookup = crypto::seal_key(
      capsule_key, wire::encode_array("holdfast/v1/capsule/lookup", info.locate), lookup);
  capsule.trust_roots = roots;
  capsule.vault_heads = wire::Bounded<circle::VaultHead, circle::kMaxVaults>(replica.heads());
  info.capsule = crypto::seal(capsule_key, wire::encode_array("holdfast/v1/capsule", info.locate),
                              wire::encode(capsule));
  return info;
}

Result<void> Account::set_recovery(const keys::RecoveryKey& key, const keys::RecoveryKey* old) {
  const keys::LookupKey lookup = TRY(state_->home.lookup());
  const auto cosign = [&](circle::SignedStatement& statement) {
    if (!circle().recovery() || old == nullptr) return;
    circle::cosign(statement, circle().recovery()->id,
                   crypto::SigningKey(crypto::derive<crypto::SigningPurpose>(*old)));
  };
  const auto make = [&]() -> Result<State::Made> {
    circle::SetRecovery body;
    body.recovery = make_recovery_info(key, state_->replica, lookup, state_->roots);
    const ReaderId id = circle::reader_id(body.recovery);
    crypto::WrapPublicKey wrap;
    wrap.bytes = body.recovery.wrap_key;
    EpochDraft draft;
    if (circle().recovery()) {
      NextReaders readers = state_->replica.readers();
      readers.full.erase(circle().recovery()->id);
      readers.full[id] = wrap;
      draft = TRY(state_->replica.next_epoch(readers));
    } else {
      const keys::RootKey* const root = TRY(state_->replica.root(circle().epoch()));
      const Bytes envelope =
          TRY(keys::wrap_root(*root, {circle().id(), circle().epoch(), {}}, wrap));
      draft = TRY(state_->replica.same_epoch({envelope}));
    }
    body.epoch = std::move(draft.info);
    return State::Made{circle::StatementType::kSetRecovery, wire::encode(body),
                       std::move(draft.blobs), cosign};
  };
  return state_->append(make);
}

namespace {

// Before anything is made: a device whose clock is behind what witnesses prove could not go on.
Result<void> check_clock(api::Store& store, const circle::TrustRoots& roots, const Clock& clock) {
  const auto log = TRY(wire::decode<tlog::LogRoots>(roots.log));
  const auto trusted = TRY(tlog::TrustedLog::open(log));
  const auto shown = store.get_log("checkpoint");
  if (!shown.ok()) return Ok{};  // the account's first look at its log says why
  const auto checkpoint = tlog::Checkpoint::verify(trusted, *shown);
  if (!checkpoint.ok() || !checkpoint->time()) return Ok{};
  TRY(tlog::age_s(*checkpoint->time(), static_cast<std::uint64_t>(clock.now() / 1000)));
  return Ok{};
}

}  // namespace

Result<Initialised> init(Home& home, api::Store& store, const Clock& clock,
                         const InitOptions& options) {
  TRY(check_typed(options.device_name));
  TRY(check_typed(options.region));
  const auto lookup = keys::LookupKey::random();
  const auto root = keys::RootKey::random();
  circle::Genesis genesis;
  genesis.device = device_info(home.device_key(), options.device_name);
  crypto::random_fill(genesis.nonce);
  genesis.region = options.region;
  genesis.level = options.level;
  const circle::TrustRoots roots = TRY(trust_roots(store));
  genesis.has_log = !roots.log.empty();
  if (genesis.has_log) TRY(check_clock(store, roots, clock));
  genesis.trust_roots = roots_hash(roots);
  genesis.lookup = lookup_hash(lookup);
  const CircleId id = circle::circle_id(genesis.device, genesis.nonce);
  if (options.level == circle::Level::kStandard)
    genesis.custodian = TRY(ask_custodian(store, id, roots));
  crypto::WrapPublicKey wrap;
  wrap.bytes = genesis.device.wrap_key;
  const Bytes envelope = TRY(keys::wrap_root(root, {id, 1, {}}, wrap));
  genesis.epoch.epoch = 1;
  genesis.epoch.check = keys::epoch_check(root, id, 1);
  genesis.epoch.blobs.push_back(BlobId(crypto::sha256(envelope).bytes));
  const Bytes statement = wire::encode(circle::sign_statement({id,
                                                               0,
                                                               {},
                                                               clock.now(),
                                                               circle::StatementType::kGenesis,
                                                               circle::reader_id(genesis.device),
                                                               wire::encode(genesis)},
                                                              signing_key(home.device_key())));
  if (auto circle = circle::Circle::start(statement); !circle.ok())
    return std::move(circle).error();
  api::Append append{statement, {envelope}, std::nullopt};
  if (genesis.has_log) append.lookup = for_the_map(lookup);
  const api::Receipt receipt = TRY(store.create_account(options.account, append));
  TRY(home.add_blobs({envelope}));
  TRY(become_member(home, options.account, options.device_name, lookup, roots, {statement}));
  // An account that was made half helps nobody, least of all where only a clock is in doubt.
  std::string doubt;
  const auto doubted = [&](const Result<void>& done, bool stands) -> Result<void> {
    if (done.ok() || !stands || done.error().code != Code::kInvalid) return done;
    doubt = done.error().message;
    return Ok{};
  };
  if (genesis.has_log) {
    const auto log = TRY(wire::decode<tlog::LogRoots>(roots.log));
    const auto kept = keep_promise(home, log, id, 0, circle::statement_head(statement),
                                   receipt.promise, clock.now());
    TRY(doubted(remember_wrong(home, kept, clock.now()), true));
  }
  Account account = TRY(Account::open(home, store, clock));
  const auto vault = account.create_vault("main", false);
  TRY(doubted(vault, account.circle().vault_named("main") != nullptr));
  auto recovery = keys::RecoveryKey::random();
  const auto enrolled = account.set_recovery(recovery, nullptr);
  TRY(doubted(enrolled, account.circle().recovery().has_value()));
  return Initialised{std::move(account), std::move(recovery), std::move(doubt)};
}

}  // namespace holdfast::vault
