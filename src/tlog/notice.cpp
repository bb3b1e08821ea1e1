#include "tlog/notice.h"

#include "crypto/labelled.h"

namespace holdfast::tlog {
namespace {

constexpr std::string_view kPolicyLabel = "holdfast/v1/policy/sig";

}  // namespace

Result<void> check_notice(std::uint64_t in_effect_from_s, const ProvenTime& logged) {
  if (in_effect_from_s < kNotice_s || in_effect_from_s - kNotice_s < logged.existed_by)
    return Error{Code::kUnsafe,
                 "a change was not in the log for seven days before it takes effect"};
  return Ok{};
}

Result<Checkpoint> verify_leaf_proof(const TrustedLog& log, const LeafProof& proof) {
  auto checkpoint = TRY(Checkpoint::verify(log, proof.checkpoint));
  TRY(verify_inclusion(checkpoint.head(), proof.index, leaf_hash(proof.leaf),
                       Proof(proof.inclusion.begin(), proof.inclusion.end())));
  return checkpoint;
}

Result<TrustChange> verify_trust_change(const TrustedLog& old, BytesView roots,
                                        BytesView leaf_proof) {
  const auto proof = TRY(wire::decode<LeafProof>(leaf_proof));
  auto change = TRY(wire::decode<TrustChange>(proof.leaf));
  if (change.previous != crypto::sha256(roots))
    return Error{Code::kUnsafe, "a change of trust roots replaces others than stand"};
  const auto checkpoint = TRY(verify_leaf_proof(old, proof));
  if (checkpoint.time()) TRY(check_notice(change.in_effect_from_s, *checkpoint.time()));
  return change;
}

Bytes sign_policy(const crypto::Ed25519Key& key, const Policy& policy) {
  SignedPolicy out;
  out.policy = wire::encode(policy);
  out.signature = key.sign(crypto::labelled_message(kPolicyLabel, out.policy));
  return wire::encode(out);
}

Result<Policy> verify_policy(const crypto::Ed25519PublicKey& key, const PolicyLeaf& leaf,
                             BytesView signed_policy) {
  const Error other{Code::kUnsafe, "a policy is not the one that the log has"};
  if (crypto::sha256(signed_policy) != leaf.policy) return other;
  const auto outer = TRY(wire::decode<SignedPolicy>(signed_policy));
  if (!crypto::ed25519_verify(key, crypto::labelled_message(kPolicyLabel, outer.policy),
                              outer.signature))
    return Error{Code::kUnsafe, "a policy is not signed by this account's policy key"};
  auto policy = TRY(wire::decode<Policy>(outer.policy));
  if (policy.version != leaf.version || policy.in_effect_from_s != leaf.in_effect_from_s)
    return other;
  return policy;
}

}  // namespace holdfast::tlog
