#include "tlog/map.h"

#include <algorithm>

#include "crypto/hash.h"

namespace holdfast::tlog {
namespace {

constexpr std::string_view kEmptyLabel = "holdfast/v1/map/empty";
constexpr std::string_view kLeafLabel = "holdfast/v1/map/leaf";
constexpr std::string_view kInnerLabel = "holdfast/v1/map/inner";
constexpr unsigned kBits = 256;
constexpr std::uint32_t kLeafBit = 0x8000'0000;

Digest hash_pair(std::string_view label, BytesView first, BytesView second) {
  std::array<std::uint8_t, 64> both{};
  std::ranges::copy(first, both.begin());
  std::ranges::copy(second, both.begin() + 32);
  return crypto::sha256(label, both);
}

Digest leaf_of(const MapEntry& entry) {
  return hash_pair(kLeafLabel, entry.label.view(), entry.value.view());
}

Digest inner_of(const Digest& left, const Digest& right) {
  return hash_pair(kInnerLabel, left.view(), right.view());
}

bool goes_right(const MapLabel& label, unsigned depth) {
  return (label.bytes[depth / 8] >> (7 - depth % 8) & 1U) != 0;
}

// How many entries of a sorted delta, equal in their first `depth` bits, go left there.
std::size_t count_left(Map::Delta delta, unsigned depth) {
  const auto split = std::ranges::partition_point(
      delta, [&](const MapEntry& entry) { return !goes_right(entry.label, depth); });
  return static_cast<std::size_t>(split - delta.begin());
}

Digest climb(Digest hash, const MapLabel& label, const MapProof& proof) {
  for (std::size_t depth = proof.siblings.size(); depth-- > 0;) {
    const Digest& sibling = proof.siblings[depth];
    hash = goes_right(label, static_cast<unsigned>(depth)) ? inner_of(sibling, hash)
                                                           : inner_of(hash, sibling);
  }
  return hash;
}

bool same_start(const MapLabel& a, const MapLabel& b, std::size_t bits) {
  for (unsigned depth = 0; depth < bits; ++depth)
    if (goes_right(a, depth) != goes_right(b, depth)) return false;
  return true;
}

Error false_proof() { return {Code::kUnsafe, "a proof from the map does not verify"}; }

}  // namespace

Digest empty_map_root() { return crypto::sha256(kEmptyLabel, {}); }

Result<void> verify_present(const Digest& root, const MapEntry& entry, const MapProof& proof) {
  if (proof.siblings.size() > kBits || proof.other) return false_proof();
  if (climb(leaf_of(entry), entry.label, proof) != root) return false_proof();
  return Ok{};
}

Result<void> verify_absent(const Digest& root, const MapLabel& label, const MapProof& proof) {
  if (proof.siblings.size() > kBits) return false_proof();
  Digest end = empty_map_root();
  if (proof.other) {
    if (proof.other->label == label ||
        !same_start(proof.other->label, label, proof.siblings.size()))
      return false_proof();
    end = leaf_of(*proof.other);
  }
  if (climb(end, label, proof) != root) return false_proof();
  return Ok{};
}

// ---- the map ----

Map::Ref Map::leaf_ref(std::size_t index) {
  return static_cast<Ref>(kLeafBit | static_cast<std::uint32_t>(index));
}
Map::Ref Map::inner_ref(std::size_t index) { return static_cast<Ref>(index + 1); }
bool Map::is_leaf(Ref ref) { return (static_cast<std::uint32_t>(ref) & kLeafBit) != 0; }
std::size_t Map::index_of(Ref ref) {
  const auto number = static_cast<std::uint32_t>(ref);
  return is_leaf(ref) ? number & ~kLeafBit : number - 1;
}

Digest Map::hash(Ref ref) const {
  if (ref == Ref::kEmpty) return empty_map_root();
  return is_leaf(ref) ? leaf_of(leaves_[index_of(ref)]) : inners_[index_of(ref)].hash;
}

// What stands below a place once it must be divided: a lone leaf moves down to its side.
Map::Inner Map::children(Ref at, unsigned depth) const {
  if (at == Ref::kEmpty) return {};
  if (!is_leaf(at)) return inners_[index_of(at)];
  Inner node;
  (goes_right(leaves_[index_of(at)].label, depth) ? node.right : node.left) = at;
  return node;
}

std::optional<Digest> Map::find(const MapLabel& label) const {
  Ref at = root_;
  for (unsigned depth = 0; at != Ref::kEmpty && !is_leaf(at); ++depth) {
    const Inner& node = inners_[index_of(at)];
    at = goes_right(label, depth) ? node.right : node.left;
  }
  if (at == Ref::kEmpty || leaves_[index_of(at)].label != label) return std::nullopt;
  return leaves_[index_of(at)].value;
}

MapProof Map::prove(const MapLabel& label) const {
  MapProof proof;
  Ref at = root_;
  for (unsigned depth = 0; at != Ref::kEmpty && !is_leaf(at); ++depth) {
    const Inner& node = inners_[index_of(at)];
    const bool right = goes_right(label, depth);
    proof.siblings.push_back(hash(right ? node.left : node.right));
    at = right ? node.right : node.left;
  }
  if (at != Ref::kEmpty && leaves_[index_of(at)].label != label)
    proof.other = leaves_[index_of(at)];
  return proof;
}

Result<void> Map::check(Delta delta) const {
  if (delta.size() >= kLeafBit - leaves_.size())
    return Error{Code::kInvalid, "the map has no room for so many entries"};
  for (std::size_t i = 0; i < delta.size(); ++i) {
    if (i > 0 && !(delta[i - 1].label < delta[i].label))
      return Error{Code::kInvalid, "the entries for the map are not sorted"};
    if (find(delta[i].label))
      return Error{Code::kConflict, "an entry for the map has a label that stands there already"};
  }
  return Ok{};
}

Digest Map::hash_with(Ref at, unsigned depth, Delta delta) const {
  if (delta.empty()) return hash(at);
  if (at == Ref::kEmpty && delta.size() == 1) return leaf_of(delta[0]);
  HF_CHECK(depth < kBits);  // labels that are equal up to here are equal
  const Inner node = children(at, depth);
  const std::size_t left = count_left(delta, depth);
  return inner_of(hash_with(node.left, depth + 1, delta.first(left)),
                  hash_with(node.right, depth + 1, delta.subspan(left)));
}

Result<Digest> Map::root_after(Delta delta) const {
  TRY(check(delta));
  return hash_with(root_, 0, delta);
}

Map::Ref Map::insert(Ref at, unsigned depth, Delta delta) {
  if (delta.empty()) return at;
  if (at == Ref::kEmpty && delta.size() == 1) {
    leaves_.push_back(delta[0]);
    return leaf_ref(leaves_.size() - 1);
  }
  HF_CHECK(depth < kBits);
  if (at == Ref::kEmpty || is_leaf(at)) {
    inners_.push_back(children(at, depth));
    at = inner_ref(inners_.size() - 1);
    HF_CHECK(inners_.size() < kLeafBit);
  }
  Inner& node = inners_[index_of(at)];  // stays where it is while the deque grows
  const std::size_t left = count_left(delta, depth);
  node.left = insert(node.left, depth + 1, delta.first(left));
  node.right = insert(node.right, depth + 1, delta.subspan(left));
  node.hash = inner_of(hash(node.left), hash(node.right));
  return at;
}

Result<Digest> Map::apply(Delta delta) {
  TRY(check(delta));
  root_ = insert(root_, 0, delta);
  return root();
}

}  // namespace holdfast::tlog
