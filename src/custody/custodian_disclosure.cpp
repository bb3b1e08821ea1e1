// What two operators ordered to be disclosed: docs/formats/custody.md#disclosure
#include "crypto/hash.h"
#include "custody/custodian.h"

namespace holdfast::custody {
namespace {

constexpr TimeMs kOrderSlackMs = 24LL * 60 * 60 * 1000;

Error denied(const std::string& why) { return {Code::kDenied, why}; }

// The envelope of an epoch that this custodian was a reader in; it has no other way to a key.
Result<void> check_reads(const circle::Circle& circle, const lawful::OrderedKey& key) {
  const circle::Vault* const vault = circle.vault(key.vault);
  if (vault == nullptr) return denied("the account has no such vault as the order names");
  if (vault->always_e2e)
    return denied("vault \"" + vault->name + "\" is always end-to-end encrypted: no key exists");
  const auto blob =
      circle.blob(key.epoch, {circle::BlobKind::kVaultReader, circle.custodian()->id, key.vault});
  if (!blob.ok())
    return denied("this custodian has no key of a vault in the epoch that is ordered");
  return Ok{};
}

}  // namespace

// What one order would give out, of an account as the log has it newest.
struct Custodian::DisclosurePlan {
  lawful::VerifiedOrder verified;
  circle::Circle circle;
  std::vector<tlog::Release> releases;  // one a key of the order
};

// The operators' word is judged by keys that were given to the custodian, the account by its own
// statements: nothing here rests on the service's word.
Result<Custodian::DisclosurePlan> Custodian::plan_disclosure(const CircleId& id, BytesView bytes,
                                                             const api::CircleEvidence& evidence) {
  auto verified = TRY(lawful::verify_order(bytes, options_.operators));
  const lawful::DisclosureOrder& order = verified.order;
  if (order.circle != id) return denied("the order is of another account");
  const TimeMs now = clock_->now();
  if (order.made_ms > now + kOrderSlackMs || order.made_ms < now - lawful::kOrderMs)
    return denied("the order is older than thirty days, or of the future: it takes a new one");
  if (order.open_days != options_.open_days)
    return denied(
        "the order says that the account is told after " + std::to_string(order.open_days) +
        " days; this custodian's batches tell it after " + std::to_string(options_.open_days));
  circle::Circle circle = TRY(verify_now(id, evidence));
  if (circle.custodian() == nullptr)
    return denied("the account is at the advanced level: no key exists");
  std::vector<tlog::Release> releases;
  for (const lawful::OrderedKey& key : order.keys) {
    TRY(check_reads(circle, key));
    releases.push_back(
        {key.vault, key.epoch, crypto::sha256(order.discloser.wrap_key), order.instrument});
  }
  return DisclosurePlan{std::move(verified), std::move(circle), std::move(releases)};
}

Result<Bytes> Custodian::list_disclosure(const CircleId& id, BytesView order,
                                         const api::CircleEvidence& evidence) {
  const Lock one(mutex_);
  const DisclosurePlan plan = TRY(plan_disclosure(id, order, evidence));
  return list(id, plan.releases);
}

Result<api::Disclosed> Custodian::disclose(const CircleId& id, BytesView order,
                                           const std::vector<Bytes>& envelopes, BytesView batch,
                                           const api::CircleEvidence& evidence) {
  const Lock one(mutex_);
  const DisclosurePlan plan = TRY(plan_disclosure(id, order, evidence));
  const lawful::DisclosureOrder& what = plan.verified.order;
  if (envelopes.size() != what.keys.size())
    return Error{Code::kInvalid, "another number of envelopes than the order has keys"};
  const Listed listed = TRY(check_gate(id, plan.releases, batch));
  const auto leaf = TRY(wire::decode<tlog::LeafProof>(batch)).leaf;
  // The delay may have been changed between the listing and its batch.
  const auto made = TRY(wire::decode<tlog::ReleaseBatch>(leaf));
  if (made.open_days != what.open_days)
    return denied("the order's batch tells the account at another time than the order says");
  api::Disclosed out{{}, wire::encode(listed.opening), wire::encode(listed.position)};
  for (std::size_t i = 0; i < envelopes.size(); ++i) {
    const VaultKey key =
        TRY(open_key(plan.circle, what.keys[i].epoch, what.keys[i].vault, envelopes[i]));
    out.keys.push_back(TRY(crypto::wrap_key(
        {what.discloser.wrap_key},
        lawful::sealed_key_info(plan.verified.hash, id, what.keys[i], what.discloser), key)));
  }
  return out;
}

}  // namespace holdfast::custody
