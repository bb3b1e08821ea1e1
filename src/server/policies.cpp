#include "server/policies.h"

#include <algorithm>
#include <mutex>

#include "crypto/hash.h"
#include "server/public_log.h"
#include "tlog/notice.h"

namespace holdfast::server {
namespace {

std::string file_of(std::uint64_t version) { return "policy/" + std::to_string(version); }

}  // namespace

Result<Policies::One> Policies::parse(BytesView signed_policy) {
  const auto outer = TRY(wire::decode<tlog::SignedPolicy>(signed_policy));
  const auto policy = TRY(wire::decode<tlog::Policy>(outer.policy));
  auto rules = TRY(circle::decode_rules(policy.rules));
  return One{policy.version, policy.in_effect_from_s, std::move(rules), to_bytes(signed_policy)};
}

Result<void> Policies::load() {
  const std::vector<Bytes> stored = TRY(tables_.policies());
  const std::unique_lock lock(mutex_);
  for (const Bytes& bytes : stored) {
    auto one = parse(bytes);
    if (!one.ok()) return std::move(one).error().in("a policy that this service published");
    TRY(files_.put(file_of(one->version), bytes));
    all_.push_back(std::move(one).value());
  }
  return Ok{};
}

Result<void> Policies::check_next(const One& next, BytesView signed_policy,
                                  std::uint64_t now_s) const {
  crypto::Ed25519PublicKey key;
  if (key_.size() != key.kSize)
    return Error{Code::kInvalid, "this service was given no policy key"};
  std::ranges::copy(key_, key.bytes.begin());
  const tlog::PolicyLeaf leaf{{}, next.version, crypto::sha256(signed_policy), next.from_s};
  const tlog::Policy policy = TRY(tlog::verify_policy(key, leaf, signed_policy));
  std::optional<Digest> previous;
  if (!all_.empty()) previous = crypto::sha256(all_.back().bytes);
  if (policy.version != all_.size() + 1 || policy.previous != previous)
    return Error{Code::kInvalid,
                 "this is not the policy after version " + std::to_string(all_.size())};
  // The first one counts at once: before it, everything is offered.
  const std::uint64_t earliest = now_s + tlog::kNotice_s + kLead_s;
  if (!all_.empty() && next.from_s < earliest)
    return Error{Code::kInvalid,
                 "a policy takes effect in seven days and an hour at the earliest, so that every "
                 "device has seven days' notice of it: now that is " +
                     circle::spell_time(earliest + 59) + ", and this one says " +
                     circle::spell_time(next.from_s)};
  if (!all_.empty() && next.from_s < all_.back().from_s)
    return Error{Code::kInvalid, "a policy cannot take effect before the one that it follows"};
  return Ok{};
}

Result<void> Policies::append(BytesView signed_policy, std::uint64_t now_s) {
  One next = TRY(parse(signed_policy));
  const std::unique_lock lock(mutex_);
  TRY(check_next(next, signed_policy, now_s));
  const tlog::PolicyLeaf leaf{{}, next.version, crypto::sha256(signed_policy), next.from_s};
  TRY(files_.put(file_of(next.version), signed_policy));
  TRY(tables_.queue_policy(wire::encode(leaf), next.version, signed_policy));
  all_.push_back(std::move(next));
  return Ok{};
}

std::vector<Bytes> Policies::all() const {
  const std::shared_lock lock(mutex_);
  std::vector<Bytes> out;
  for (const One& one : all_) out.push_back(one.bytes);
  return out;
}

Judged Policies::judge(std::string_view region, std::uint64_t now_s) const {
  const std::shared_lock lock(mutex_);
  const auto in_effect =
      std::find_if(all_.rbegin(), all_.rend(), [&](const One& one) { return one.from_s <= now_s; });
  if (in_effect == all_.rend()) return {};
  return {in_effect->version, circle::judge(&in_effect->rules, region, now_s)};
}

}  // namespace holdfast::server
