// What takes effect only after it stood in the log for seven days: policies, custody keys, other
// trust roots; and how somebody who comes later sees that it did.
//
// Proofs come from the service and are not trusted. Trusted: fewer witnesses than the quorum lie.
#pragma once

#include "crypto/ed25519.h"
#include "tlog/checkpoint.h"
#include "tlog/format.h"

namespace holdfast::tlog {

// kUnsafe unless what takes effect was in the log seven days before, by a checkpoint that has it.
Result<void> check_notice(std::uint64_t in_effect_from_s, const ProvenTime& logged);

// The checkpoint in which the entry stands, at quorum. kUnsafe, kCorrupt: it proves nothing.
Result<Checkpoint> verify_leaf_proof(const TrustedLog& log, const LeafProof& proof);

// New roots for whoever holds `roots` (encoded) now. They count from `in_effect_from_s` on.
// kUnsafe: they replace others, the old quorum did not sign, or the notice was short. Where nobody
// witnesses, no notice is proven: seven days by the device's own clock must do (kNotice_s).
Result<TrustChange> verify_trust_change(const TrustedLog& old, BytesView roots,
                                        BytesView leaf_proof);

Bytes sign_policy(const crypto::Ed25519Key& key, const Policy& policy);  // an encoded SignedPolicy
// kUnsafe unless the policy key signed it and it is what the leaf says.
Result<Policy> verify_policy(const crypto::Ed25519PublicKey& key, const PolicyLeaf& leaf,
                             BytesView signed_policy);

}  // namespace holdfast::tlog
