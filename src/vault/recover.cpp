// Back from nothing but the recovery key and the store.
#include <algorithm>

#include "crypto/hash.h"
#include "crypto/seal.h"
#include "vault/account_state.h"
#include "vault/ages.h"
#include "vault/levels.h"
#include "vault/vault_data.h"

namespace holdfast::vault {
namespace {

// What the recovery key finds: the account it names and what the capsule says of it.
struct Found {
  std::string account;
  Bytes sealed;
  Capsule capsule;
  std::shared_ptr<const keys::LookupKey> lookup;
};

Result<Found> find_account(api::Store& store, const keys::RecoveryKey& key) {
  const LocateId locate = keys::locate_id(key);
  auto found = store.find_capsule(locate);
  if (!found.ok()) {
    if (found.error().code != Code::kNotFound) return std::move(found).error();
    return Error{Code::kNotFound,
                 "no account in this store has this recovery key. It may have been replaced by a "
                 "newer one, or this is another store"};
  }
  const auto capsule_key = crypto::derive<keys::CapsulePurpose>(key);
  const Bytes opened = TRY(
      crypto::open(capsule_key, wire::encode_array("holdfast/v1/capsule", locate), found->capsule));
  Capsule capsule = TRY(wire::decode<Capsule>(opened));
  auto lookup = std::make_shared<const keys::LookupKey>(TRY(crypto::open_key<keys::LookupPurpose>(
      capsule_key, wire::encode_array("holdfast/v1/capsule/lookup", locate), capsule.lookup)));
  return Found{std::move(found->account), std::move(found->capsule), std::move(capsule),
               std::move(lookup)};
}

// A circle built around the person's recovery key by others, or an older one, ends here.
Result<void> check_found(Replica& replica, const Found& found) {
  const circle::Circle& circle = replica.circle();
  const Capsule& capsule = found.capsule;
  if (circle.id() != capsule.circle || circle.seq() < capsule.seq ||
      circle.head_at(capsule.seq) != capsule.head ||
      circle.lookup() != lookup_hash(*found.lookup) ||
      circle.trust_roots() != roots_hash(capsule.trust_roots) ||
      !circle.ever_committed_capsule(crypto::sha256(found.sealed)))
    return Error{Code::kUnsafe,
                 "the store shows another account than the one this recovery key was made for, "
                 "or an older state of it: do not trust this store"};
  if (!circle.recovery() || circle.recovery()->id != replica.self())
    return Error{Code::kDenied, "this recovery key was replaced by a newer one"};
  for (const circle::VaultHead& head : capsule.vault_heads) {
    const Chain& chain = replica.chain(head.vault);
    if (chain.tip.n < head.n || (head.n > 0 && chain.records[head.n - 1].tip.head != head.head))
      return Error{Code::kUnsafe, "the store is older than this recovery key remembers"};
  }
  return Ok{};
}

// The statement that makes this device a member and removes all that are not kept. Its epoch has an
// envelope for a custodian, whosever it is: the circle takes it no other way, and refusing would
// let a thief keep the person out. Of another provider's it gives nothing away: it could read all
// that was there before, and no device saves anything in an epoch that it can read.
Result<api::Append> make_recover(const Home& home, Replica& replica, const Clock& clock,
                                 const crypto::SigningKey& signing, const RecoverOptions& options) {
  const circle::Circle& circle = replica.circle();
  circle::Recover body;
  body.device = device_info(home.device_key(), options.device_name);
  const ReaderId device = circle::reader_id(body.device);
  body.countersignature =
      signing_key(home.device_key())
          .sign(circle::kRecoveryLabel, circle::recovery_bytes(circle.id(), circle.head(), device));
  NextReaders readers = replica.readers();
  readers.full.clear();
  for (const std::string& name : options.keep) {
    const circle::Device* const kept = circle.member_named(name);
    if (kept == nullptr)
      return Error{Code::kNotFound, "no device named \"" + name + "\" is a member"};
    body.kept.push_back(kept->id);
    readers.full[kept->id].bytes = kept->info.wrap_key;
  }
  std::sort(body.kept.begin(), body.kept.end());
  readers.full[device].bytes = body.device.wrap_key;
  readers.full[replica.self()].bytes = circle.recovery()->info.wrap_key;
  auto draft = TRY(replica.next_epoch(readers));
  body.epoch = std::move(draft.info);
  Bytes statement = wire::encode(
      circle::sign_statement({circle.id(), circle.seq() + 1, circle.head(), clock.now(),
                              circle::StatementType::kRecover, replica.self(), wire::encode(body)},
                             signing));
  if (auto next = circle.apply(statement); !next.ok()) return std::move(next).error();
  return api::Append{std::move(statement), std::move(draft.blobs), std::nullopt};
}

}  // namespace

struct Recovery::State {
  Home& home;
  api::Store& store;
  const Clock& clock;
  Found found;
  crypto::SigningKey signing;
  Replica replica;
  std::int64_t newest_ms = 0;       // of the newest statement, by its signer's clock
  std::optional<LogSight> sight{};  // none: the account has no log
  std::string foreign{};            // Shown::foreign_custodian

  // Everything that can be verified, before a key of the account is opened or anything is changed.
  Result<void> look() {
    TRY(replica.sync(nullptr));
    TRY(check_found(replica, found));
    const circle::TrustRoots& roots = found.capsule.trust_roots;
    TRY(check_store(roots, store));
    if (replica.circle().has_log() == roots.log.empty())
      return Error{Code::kUnsafe,
                   "the account's circle and its recovery key do not agree on whether it has a "
                   "log: do not trust this store"};
    TRY(read_time());
    if (roots.log.empty()) return Ok{};
    auto seen = look_at_log(home, replica, store, roots, *found.lookup, clock.now(), Look::kFirst);
    if (!seen.ok() && seen.error().code == Code::kUnsafe) {
      TRY(replica.sync(nullptr));
      TRY(check_found(replica, found));
      TRY(read_time());
      seen = look_at_log(home, replica, store, roots, *found.lookup, clock.now(), Look::kAgain);
    }
    sight = TRY(std::move(seen));
    const auto trusted = check_custodian(home, replica.circle(), roots);
    foreign = trusted.ok() ? "" : trusted.error().message;
    return check_admits(sight->status);
  }
  Result<void> read_time() {
    const auto outer = TRY(wire::decode<circle::SignedStatement>(replica.statements().back()));
    newest_ms = TRY(wire::decode<circle::Statement>(outer.statement)).time_ms;
    return Ok{};
  }
};

Recovery::Recovery(std::unique_ptr<State> state) : state_(std::move(state)) {}
Recovery::Recovery(Recovery&&) noexcept = default;
Recovery::~Recovery() = default;

Result<Recovery> Recovery::find(Home& home, api::Store& store, const Clock& clock,
                                const keys::RecoveryKey& key) {
  Found found = TRY(find_account(store, key));
  crypto::SigningKey signing(crypto::derive<crypto::SigningPurpose>(key));
  circle::RecoveryInfo public_keys;
  public_keys.verify_key = signing.verify_key().bytes;
  public_keys.wrap_key = crypto::wrap_public_key(crypto::derive<crypto::WrapPurpose>(key)).bytes;
  const ReaderId reader = circle::reader_id(public_keys);
  const api::Caller recovering{
      reader, std::make_shared<const crypto::SigningKey>(
                  crypto::SigningKey(crypto::derive<crypto::SigningPurpose>(key)))};
  auto session = TRY(store.open_account(found.account, recovering));
  auto ages = TRY(log_ages(found.capsule.trust_roots, found.lookup));
  auto state = std::make_unique<State>(
      State{home, store, clock, std::move(found), std::move(signing),
            Replica(std::move(session), reader, crypto::derive<crypto::WrapPurpose>(key),
                    std::move(ages))});
  TRY(state->look());
  return Recovery(std::move(state));
}

Recovery::Shown Recovery::shown() const {
  Shown shown;
  shown.statement_ms = state_->newest_ms;
  for (const circle::Vault& vault : state_->replica.circle().vaults())
    for (const TakenRecord& taken : taken_records(state_->replica.chain(vault.id)))
      shown.record_ms = std::max(shown.record_ms.value_or(INT64_MIN), taken.record->time_ms);
  if (state_->sight) shown.log = state_->sight->status;
  shown.foreign_custodian = state_->foreign;
  return shown;
}

Result<Account> Recovery::finish(const RecoverOptions& options) {
  State& s = *state_;
  TRY(check_typed(options.device_name));
  for (unsigned attempt = 0; attempt < kRebases; ++attempt) {
    if (attempt > 0) TRY(s.look());
    const circle::Circle& circle = s.replica.circle();
    const api::Append append = TRY(make_recover(s.home, s.replica, s.clock, s.signing, options));
    auto receipt = s.replica.session().append(append);
    if (!receipt.ok() && receipt.error().code == Code::kConflict) continue;
    if (!receipt.ok()) return std::move(receipt).error();
    std::vector<Bytes> statements = s.replica.statements();
    statements.push_back(append.statement);
    TRY(become_member(s.home, s.found.account, options.device_name, *s.found.lookup,
                      s.found.capsule.trust_roots, statements));
    if (s.sight) {
      const auto kept =
          keep_promise(s.home, s.sight->log, circle.id(), circle.seq() + 1,
                       circle::statement_head(append.statement), receipt->promise, s.clock.now());
      const auto told = remember_wrong(s.home, kept, s.clock.now());
      // Where only a clock is in doubt the person is back all the same: what is sent next says so.
      if (!told.ok() && told.error().code != Code::kInvalid) return told.error();
    }
    return Account::open(s.home, s.store, s.clock);
  }
  return Error{Code::kConflict, "other devices keep changing the account; try again"};
}

Result<Account> recover(Home& home, api::Store& store, const Clock& clock,
                        const keys::RecoveryKey& key, const RecoverOptions& options) {
  Recovery recovery = TRY(Recovery::find(home, store, clock, key));
  return recovery.finish(options);
}

}  // namespace holdfast::vault
