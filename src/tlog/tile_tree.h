// A tree read from its tiles: how a device or an outsider computes proofs that nobody serves.
//
// The tiles are not trusted: whoever serves them can make a proof that does not verify, never one
// that does and is false. Verify what comes from here against a signed tree head.
#pragma once

#include <functional>
#include <map>

#include "tlog/tile.h"
#include "tlog/tree.h"

namespace holdfast::tlog {

// The bytes of a hash tile: `width` hashes of 32 bytes.
using TileReader = std::function<Result<Bytes>(const Tile&)>;

// Keeps the tiles that it read, some dozen for each proof; make one for each question.
class TileTree {
 public:
  TileTree(std::uint64_t size, TileReader reader) : size_(size), reader_(std::move(reader)) {}

  Result<Digest> root();
  Result<Proof> prove_inclusion(std::uint64_t index);   // kInvalid from `size` on
  Result<Proof> prove_consistency(std::uint64_t from);  // with the tree of size `from`
  Result<Proof> prove_prefix(std::uint64_t from);       // for prefix_root(); from 1 to size - 1
  Result<std::vector<Digest>> edge();                   // for Frontier::open

 private:
  Result<Digest> hash_at(std::uint8_t level, std::uint64_t index);
  Result<Digest> whole_subtree(unsigned height, std::uint64_t index);
  Result<std::vector<Digest>> subtrees(std::uint64_t begin, std::uint64_t end);
  Result<Digest> range(std::uint64_t begin, std::uint64_t end);

  std::uint64_t size_;
  TileReader reader_;
  std::map<Tile, Bytes> tiles_;
};

}  // namespace holdfast::tlog
