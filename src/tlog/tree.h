// The Merkle tree of RFC 6962 section 2.1 (RFC 9162 section 2.1): its hashes, and the two proofs
// that a device, a witness or an outsider verifies.
//
// Proofs come from whoever serves the log and are not trusted: whoever makes them can withhold one,
// never make a false one verify without a collision of SHA-256. The tree head is trusted for what
// its signatures say (tlog/checkpoint.h).
#pragma once

#include <vector>

#include "base/id.h"
#include "base/result.h"

namespace holdfast::tlog {

// One hash for each level of a tree of at most 2^63 - 1 leaves.
constexpr std::size_t kMaxProof = 63;
constexpr std::uint64_t kMaxTreeSize = (std::uint64_t{1} << 63) - 1;

using Proof = std::vector<Digest>;

Digest empty_root();                                        // SHA-256 of nothing
Digest leaf_hash(BytesView entry);                          // SHA-256(0x00 || entry)
Digest node_hash(const Digest& left, const Digest& right);  // SHA-256(0x01 || left || right)

struct TreeHead {
  std::uint64_t size = 0;
  Digest root = empty_root();
  bool operator==(const TreeHead&) const = default;
};

// kUnsafe unless the leaf with this hash stands at `index` in the tree (RFC 9162 section 2.1.3.2).
Result<void> verify_inclusion(const TreeHead& head, std::uint64_t index, const Digest& leaf,
                              const Proof& proof);

// kUnsafe unless `to` has the leaves of `from` as its first (RFC 9162 section 2.1.4.2). Everything
// follows the empty tree, and every tree itself, with an empty proof.
Result<void> verify_consistency(const TreeHead& from, const TreeHead& to, const Proof& proof);

// The root of the first `from` leaves of `to`, which has more. `proof`: as for consistency, but
// always with the first subtree's hash in front. kUnsafe unless it makes the root of `to`. Where
// the result is not a root that was signed for that size, the two signatures contradict each other.
Result<Digest> prefix_root(const TreeHead& to, std::uint64_t from, const Proof& proof);

}  // namespace holdfast::tlog
