#include "lawful/order.h"

#include <algorithm>
#include <set>

#include "circle/applier.h"
#include "crypto/hash.h"

namespace holdfast::lawful {
namespace {

Error no_order(const std::string& why) { return {Code::kInvalid, "the disclosure order " + why}; }

Error not_ordered(const std::string& why) {
  return {Code::kDenied, "a disclosure takes the signatures of two operators: " + why};
}

Result<void> check_key(const DisclosureKey& key, const char* whose) {
  if (circle::takes_envelopes(key.wrap_key) && crypto::is_point({key.verify_key})) return Ok{};
  return no_order(std::string("names a key of the ") + whose + " that is none");
}

}  // namespace

Result<std::vector<OrderedKey>> keys_now(const circle::Circle& circle,
                                         const std::vector<VaultId>& vaults) {
  const circle::Custodian* const custodian = circle.custodian();
  if (custodian == nullptr)
    return Error{Code::kDenied, "the account is at the advanced level: no key exists"};
  std::vector<OrderedKey> out;
  for (const VaultId& id : vaults) {
    const circle::Vault* const vault = circle.vault(id);
    if (vault == nullptr) return Error{Code::kNotFound, "the account has no such vault"};
    if (vault->always_e2e)
      return Error{Code::kDenied,
                   "vault \"" + vault->name + "\" is always end-to-end encrypted: no key exists"};
    out.push_back({id, circle.epoch()});
  }
  std::ranges::sort(out);
  const auto twice = std::ranges::unique(out);
  out.erase(twice.begin(), twice.end());
  return out;
}

Result<DisclosureOrder> read_order(BytesView bytes) {
  if (bytes.size() > kMaxOrder) return no_order("is too large");
  auto order = wire::decode<DisclosureOrder>(bytes);
  if (!order.ok() && order.error().code == Code::kOutdated) return std::move(order).error();
  if (!order.ok()) return no_order("cannot be read");
  if (order->keys.empty()) return no_order("names no vault");
  if (std::ranges::adjacent_find(order->keys, std::greater_equal<>{}) != order->keys.end())
    return no_order("names its vaults twice or in another order than theirs");
  if (order->from_ms < 0 || order->from_ms >= order->until_ms)
    return no_order("reaches no time: it ends before it begins");
  if (order->open_days > kMaxOpeningDays)
    return no_order("would tell the account later than in ninety days");
  TRY(check_key(order->discloser, "machine that opens"));
  TRY(check_key(order->requester, "requester"));
  return order;
}

Digest order_hash(BytesView order) { return crypto::sha256(order); }

OrderSignature sign_order(BytesView order, const crypto::SigningKey& key) {
  return {key.verify_key().bytes, key.sign(kOrderLabel, order)};
}

Result<void> verify_signature(BytesView order, const OrderSignature& one) {
  const crypto::VerifyKey key{one.operator_key};
  if (crypto::is_point(key) && crypto::verify(key, kOrderLabel, order, one.signature)) return Ok{};
  return not_ordered("one signature is not of this order");
}

Result<VerifiedOrder> verify_order(BytesView bytes, const circle::OperatorKeys& operators) {
  if (bytes.size() > 2 * kMaxOrder) return no_order("is too large");
  const auto outer = wire::decode<SignedOrder>(bytes);
  if (!outer.ok()) return no_order("cannot be read");
  VerifiedOrder out{TRY(read_order(outer->order)), order_hash(outer->order), {}};
  circle::OperatorKeys signers;
  for (const OrderSignature& one : outer->signatures) {
    TRY(verify_signature(outer->order, one));
    // What a stranger says does not count, and spoils nothing.
    if (operators.contains(one.operator_key) && signers.insert(one.operator_key).second)
      out.signed_by.push_back({one.operator_key});
  }
  if (signers.size() < kOrderSigners)
    return not_ordered("fewer than two of those who are known here signed this one");
  return out;
}

Bytes sealed_key_info(const Digest& order, const CircleId& circle, const OrderedKey& key,
                      const DisclosureKey& discloser) {
  return wire::encode_array(kKeyLabel, order, circle, key.vault, std::uint64_t{key.epoch},
                            crypto::sha256(discloser.wrap_key));
}

std::string spell(const DisclosureKey& key) {
  return to_hex(key.wrap_key) + "." + to_hex(key.verify_key);
}

Result<DisclosureKey> read_disclosure_key(std::string_view text) {
  const Error bad{
      Code::kInvalid,
      "a key for disclosure is the one long line that `holdfast-disclose keygen` wrote"};
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  DisclosureKey out;
  const auto point = text.find('.');
  if (point != 2 * out.wrap_key.size() || text.size() != point + 1 + 2 * out.verify_key.size())
    return bad;
  const auto wrap = from_hex(text.substr(0, point));
  const auto verify = from_hex(text.substr(point + 1));
  if (!wrap || !verify) return bad;
  std::ranges::copy(*wrap, out.wrap_key.begin());
  std::ranges::copy(*verify, out.verify_key.begin());
  if (!circle::takes_envelopes(out.wrap_key) || !crypto::is_point({out.verify_key})) return bad;
  return out;
}

}  // namespace holdfast::lawful
