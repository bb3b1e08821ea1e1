// Policies for tests: their key, and rules in which one region differs from all others. Test-only.
#pragma once

#include <string>

#include "circle/policy.h"
#include "crypto/hash.h"
#include "tlog/notice.h"

namespace holdfast::testkit {

inline crypto::Ed25519Key policy_key() {
  return crypto::Ed25519Key(
      crypto::Key<crypto::Ed25519Purpose>::from_bytes(Bytes(32, std::uint8_t{50})));
}
inline Bytes policy_public_key() { return to_bytes(BytesView(policy_key().public_key().bytes)); }

// ---- rules ----

inline circle::RegionRules offered_everywhere(const std::string& note = "") {
  circle::RegionRules rules;
  rules.others.note = note;
  return rules;
}
inline circle::RegionRules withdrawn_in(const std::string& region, const std::string& note = "") {
  circle::RegionRules rules;
  circle::RegionTerms one{region, {}};
  one.terms.enable = circle::Offer::kWithdrawn;
  one.terms.note = note;
  rules.regions.push_back(one);
  return rules;
}
inline circle::RegionRules leave_by_in(const std::string& region, std::uint64_t day_s,
                                       const std::string& note = "") {
  circle::RegionRules rules = withdrawn_in(region, note);
  rules.regions[0].terms.leave_by_s = day_s;
  return rules;
}

// ---- policies ----

// `before`: the signed policy that it follows; empty: it is the first.
inline Bytes make_policy(std::uint64_t version, std::uint64_t from_s, const Bytes& before,
                         const Bytes& rules, const crypto::Ed25519Key& key = policy_key()) {
  tlog::Policy policy;
  policy.version = version;
  if (!before.empty()) policy.previous = crypto::sha256(before);
  policy.in_effect_from_s = from_s;
  policy.rules = rules;
  return tlog::sign_policy(key, policy);
}
inline Bytes make_policy(std::uint64_t version, std::uint64_t from_s, const Bytes& before,
                         const circle::RegionRules& rules) {
  return make_policy(version, from_s, before, wire::encode(rules));
}

}  // namespace holdfast::testkit
