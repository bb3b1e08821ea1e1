// The right edge of a growing tree: what a log keeps in memory to append, 32 bytes for each bit of
// its size. The rest of the tree lies in tiles (tlog/tile.h).
//
// Trusted as far as the log is: it is how a log makes roots, not how anyone checks them.
#pragma once

#include "tlog/tree.h"

namespace holdfast::tlog {

// A hash that takes its place in a hash tile: number `index` of its level, from the left.
struct TileHash {
  std::uint8_t level = 0;
  std::uint64_t index = 0;
  Digest hash;
  bool operator==(const TileHash&) const = default;
};

class Frontier {
 public:
  Frontier() = default;
  // `edge`: roots of the whole subtrees of which the tree consists, the largest first. kCorrupt
  // unless they are as many as the size says and make the root.
  static Result<Frontier> open(const TreeHead& head, std::vector<Digest> edge);

  // Of the tree of the entries before `index`, as a proof of inclusion of that entry in the tree of
  // `size` entries shows it; nothing is verified. kInvalid: it is no such proof.
  static Result<Frontier> before(std::uint64_t index, std::uint64_t size, const Proof& inclusion);

  // What this leaf adds to the tiles, the leaf itself first: then, where it fills a tile, the hash
  // of that at the level above.
  std::vector<TileHash> append(const Digest& leaf);

  std::uint64_t size() const { return size_; }
  const std::vector<Digest>& edge() const { return edge_; }
  TreeHead head() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest> edge_;
};

}  // namespace holdfast::tlog
