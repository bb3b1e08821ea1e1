#include "tlog/tree.h"

#include "crypto/hash.h"

namespace holdfast::tlog {
namespace {

Error not_included() {
  return {Code::kUnsafe, "the proof that an entry is in the log does not verify"};
}

Error not_consistent() { return {Code::kUnsafe, "the log does not contain what it showed before"}; }

}  // namespace

Digest empty_root() { return crypto::sha256({}); }

Digest leaf_hash(BytesView entry) { return crypto::sha256(std::string_view("\0", 1), entry); }

Digest node_hash(const Digest& left, const Digest& right) {
  std::array<std::uint8_t, 65> bytes{1};
  std::ranges::copy(left.bytes, bytes.begin() + 1);
  std::ranges::copy(right.bytes, bytes.begin() + 33);
  return crypto::sha256(bytes);
}

// Named as in RFC 9162 section 2.1.3.2: fn is the place of the node that r is the hash of, sn that
// of the last node, both among the nodes of one level.
Result<void> verify_inclusion(const TreeHead& head, std::uint64_t index, const Digest& leaf,
                              const Proof& proof) {
  if (head.size > kMaxTreeSize || index >= head.size || proof.size() > kMaxProof)
    return not_included();
  std::uint64_t fn = index;
  std::uint64_t sn = head.size - 1;
  Digest r = leaf;
  for (const Digest& p : proof) {
    if (sn == 0) return not_included();
    if ((fn & 1U) != 0 || fn == sn) {
      r = node_hash(p, r);
      while ((fn & 1U) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      r = node_hash(r, p);
    }
    fn >>= 1;
    sn >>= 1;
  }
  if (sn != 0 || r != head.root) return not_included();
  return Ok{};
}

// Named as in RFC 9162 section 2.1.4.2: fr and sr are what the proof makes of the two roots.
Result<void> verify_consistency(const TreeHead& from, const TreeHead& to, const Proof& proof) {
  if (from.size > to.size || to.size > kMaxTreeSize || proof.size() > kMaxProof)
    return not_consistent();
  if (from.size == 0 || from.size == to.size) {
    const Digest& expected = from.size == to.size ? to.root : empty_root();
    if (!proof.empty() || from.root != expected) return not_consistent();
    return Ok{};
  }
  std::uint64_t fn = from.size - 1;
  std::uint64_t sn = to.size - 1;
  while ((fn & 1U) != 0) {
    fn >>= 1;
    sn >>= 1;
  }
  // Where the old tree is one whole subtree of the new one, its root is not in the proof.
  std::size_t at = 0;
  if (fn != 0 && proof.empty()) return not_consistent();
  Digest fr = fn == 0 ? from.root : proof[at++];
  Digest sr = fr;
  for (; at < proof.size(); ++at) {
    const Digest& c = proof[at];
    if (sn == 0) return not_consistent();
    if ((fn & 1U) != 0 || fn == sn) {
      fr = node_hash(c, fr);
      sr = node_hash(c, sr);
      while ((fn & 1U) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      sr = node_hash(sr, c);
    }
    fn >>= 1;
    sn >>= 1;
  }
  if (sn != 0 || fr != from.root || sr != to.root) return not_consistent();
  return Ok{};
}

}  // namespace holdfast::tlog
