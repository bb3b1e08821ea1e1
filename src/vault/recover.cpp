// Back from nothing but the recovery key and the store.
#include <algorithm>

#include "crypto/hash.h"
#include "crypto/seal.h"
#include "vault/account_state.h"
#include "vault/ages.h"

namespace holdfast::vault {
namespace {

constexpr unsigned kRebases = 16;

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

// The statement that makes this device a member and removes all that are not kept.
Result<api::Append> make_recover(const Home& home, Replica& replica, const Clock& clock,
                                 const crypto::SigningKey& signing, const RecoverOptions& options) {
  const circle::Circle& circle = replica.circle();
  circle::Recover body;
  body.device = device_info(home.device_key(), options.device_name);
  const ReaderId device = circle::reader_id(body.device);
  body.countersignature =
      signing_key(home.device_key())
          .sign(circle::kRecoveryLabel, circle::recovery_bytes(circle.id(), circle.head(), device));
  std::map<ReaderId, crypto::WrapPublicKey> readers;
  for (const std::string& name : options.keep) {
    const circle::Device* const kept = circle.member_named(name);
    if (kept == nullptr)
      return Error{Code::kNotFound, "no device named \"" + name + "\" is a member"};
    body.kept.push_back(kept->id);
    readers[kept->id].bytes = kept->info.wrap_key;
  }
  std::sort(body.kept.begin(), body.kept.end());
  readers[device].bytes = body.device.wrap_key;
  readers[replica.self()].bytes = circle.recovery()->info.wrap_key;
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

Result<Account> recover(Home& home, api::Store& store, const Clock& clock,
                        const keys::RecoveryKey& key, const RecoverOptions& options) {
  TRY(check_typed(options.device_name));
  const Found found = TRY(find_account(store, key));
  const crypto::SigningKey signing(crypto::derive<crypto::SigningPurpose>(key));
  circle::RecoveryInfo public_keys;
  public_keys.verify_key = signing.verify_key().bytes;
  public_keys.wrap_key = crypto::wrap_public_key(crypto::derive<crypto::WrapPurpose>(key)).bytes;
  const ReaderId reader = circle::reader_id(public_keys);
  const api::Caller recovering{
      reader, std::make_shared<const crypto::SigningKey>(
                  crypto::SigningKey(crypto::derive<crypto::SigningPurpose>(key)))};
  auto session = TRY(store.open_account(found.account, recovering));
  Replica replica(std::move(session), reader, crypto::derive<crypto::WrapPurpose>(key),
                  TRY(log_ages(found.capsule.trust_roots, found.lookup)));
  for (unsigned attempt = 0; attempt < kRebases; ++attempt) {
    TRY(replica.sync(nullptr));
    TRY(check_found(replica, found));
    TRY(check_store(found.capsule.trust_roots, store));
    const api::Append append = TRY(make_recover(home, replica, clock, signing, options));
    auto receipt = replica.session().append(append);
    if (!receipt.ok() && receipt.error().code == Code::kConflict) continue;
    if (!receipt.ok()) return std::move(receipt).error();
    std::vector<Bytes> statements = replica.statements();
    statements.push_back(append.statement);
    TRY(become_member(home, found.account, options.device_name, *found.lookup,
                      found.capsule.trust_roots, statements));
    return Account::open(home, store, clock);
  }
  return Error{Code::kConflict, "other devices keep changing the account; try again"};
}

}  // namespace holdfast::vault
