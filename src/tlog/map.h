// An insert-only map from labels of 256 bits to values, as a binary prefix tree with one root: the
// map of accounts, and a release batch's map of positions.
//
//   empty subtree              SHA-256("holdfast/v1/map/empty")
//   subtree with one entry     SHA-256("holdfast/v1/map/leaf"  || label || value), at whatever
//   depth any other                  SHA-256("holdfast/v1/map/inner" || left || right)
//
// The bits of a label, most significant first, lead from the root to where it stands. A leaf stands
// as high as it is alone, so a proof among n entries has about log2(n) hashes, 256 at most.
//
// Why it holds. Each hash begins with a label of its own and has one length, so without a collision
// of SHA-256 a hash is of one kind and has one content. A root thus fixes one tree, whoever made
// it, and the bits of a label lead to one end in it: a leaf or an empty subtree. Present with one
// value, present with another, and absent exclude each other, even under a root made to deceive.
// - Depth is not hashed: a verifier counts the siblings and takes the turns from the label's own
//   bits, so a subtree moved elsewhere is reached by other bits, and the leaf's whole label is in
//   its hash.
// - A leaf put where its label does not lead proves nothing: its own label does not reach it, and
//   for a label that does, it proves absence only if it shares the bits on the way.
// - That no entry is changed or dropped from one root to the next is not in a root: auditors replay
//   every delta (audit.h).
//
// Proofs and deltas are not trusted. Map is trusted as far as whoever holds it.
// docs/decisions/0011-map.md has what was weighed.
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "base/result.h"
#include "tlog/format.h"

namespace holdfast::tlog {

Digest empty_map_root();

// kUnsafe unless the proof shows it.
Result<void> verify_present(const Digest& root, const MapEntry& entry, const MapProof& proof);
Result<void> verify_absent(const Digest& root, const MapLabel& label, const MapProof& proof);

// In memory, about 120 bytes an entry. Not shared between threads while apply() runs.
class Map {
 public:
  using Delta = std::span<const MapEntry>;

  std::uint64_t size() const { return leaves_.size(); }
  Digest root() const { return hash(root_); }
  std::optional<Digest> find(const MapLabel& label) const;
  // Of presence where the label stands, else of absence.
  MapProof prove(const MapLabel& label) const;

  // The root that apply() would make. kInvalid where the delta's labels do not strictly increase,
  // kConflict where one stands already, with whatever value.
  Result<Digest> root_after(Delta delta) const;
  // All of it or, where root_after() refuses, nothing. Hashes only what the delta touches.
  Result<Digest> apply(Delta delta);

 private:
  enum class Ref : std::uint32_t { kEmpty = 0 };  // else a leaf or an inner node, see map.cpp
  struct Inner {
    Digest hash;
    Ref left = Ref::kEmpty;
    Ref right = Ref::kEmpty;
  };

  static Ref leaf_ref(std::size_t index);
  static Ref inner_ref(std::size_t index);
  static bool is_leaf(Ref ref);
  static std::size_t index_of(Ref ref);

  Result<void> check(Delta delta) const;
  Digest hash(Ref ref) const;
  Inner children(Ref at, unsigned depth) const;
  Digest hash_with(Ref at, unsigned depth, Delta delta) const;
  Ref insert(Ref at, unsigned depth, Delta delta);

  // Deques: they grow without moving what they hold, and without room to spare.
  std::deque<MapEntry> leaves_;
  std::deque<Inner> inners_;
  Ref root_ = Ref::kEmpty;
};

}  // namespace holdfast::tlog
