#include "tlog/tree.h"

#include <bit>

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

Result<void> verify_consistency(const TreeHead& from, const TreeHead& to, const Proof& proof) {
  if (from.size > to.size || proof.size() > kMaxProof) return not_consistent();
  if (from.size == 0 || from.size == to.size) {
    const Digest& expected = from.size == to.size ? to.root : empty_root();
    if (!proof.empty() || from.root != expected) return not_consistent();
    return Ok{};
  }
  // Where the old tree is one whole subtree of the new one, its root is not in the proof.
  Proof whole;
  if (std::has_single_bit(from.size)) whole.push_back(from.root);
  whole.insert(whole.end(), proof.begin(), proof.end());
  const auto root = prefix_root(to, from.size, whole);
  if (!root.ok() || *root != from.root) return not_consistent();
  return Ok{};
}

// Named as in RFC 9162 section 2.1.4.2: fr and sr are what the proof makes of the two roots.
Result<Digest> prefix_root(const TreeHead& to, std::uint64_t from, const Proof& proof) {
  if (from == 0 || from >= to.size || to.size > kMaxTreeSize || proof.empty() ||
      proof.size() > kMaxProof + 1)
    return not_consistent();
  std::uint64_t fn = from - 1;
  std::uint64_t sn = to.size - 1;
  while ((fn & 1U) != 0) {
    fn >>= 1;
    sn >>= 1;
  }
  Digest fr = proof[0];
  Digest sr = fr;
  for (std::size_t at = 1; at < proof.size(); ++at) {
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
  if (sn != 0 || sr != to.root) return not_consistent();
  return fr;
}

}  // namespace holdfast::tlog
