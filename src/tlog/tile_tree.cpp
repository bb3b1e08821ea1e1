#include "tlog/tile_tree.h"

#include <bit>

namespace holdfast::tlog {
namespace {

// RFC 9162 section 2.1.1: the largest power of two smaller than n, for n > 1.
std::uint64_t split(std::uint64_t n) { return std::bit_floor(n - 1); }

}  // namespace

Result<Digest> TileTree::hash_at(std::uint8_t level, std::uint64_t index) {
  const std::uint64_t number = index / kTileWidth;
  const Tile tile{TileKind::kHashes, level, number, tile_width(size_, level, number)};
  HF_CHECK(index % kTileWidth < tile.width);
  auto found = tiles_.find(tile);
  if (found == tiles_.end()) {
    Bytes bytes = TRY(reader_(tile));
    if (bytes.size() != std::size_t{tile.width} * Digest::kSize)
      return Error{Code::kCorrupt, "a tile of the log has the wrong size"};
    found = tiles_.emplace(tile, std::move(bytes)).first;
  }
  return *Digest::from(
      BytesView(found->second).subspan(index % kTileWidth * Digest::kSize, Digest::kSize));
}

// A subtree of 2^height leaves is made of 2^(height mod 8) hashes side by side in one tile.
Result<Digest> TileTree::whole_subtree(unsigned height, std::uint64_t index) {
  const unsigned below = height % 8;
  std::vector<Digest> hashes;
  hashes.reserve(std::size_t{1} << below);
  for (std::uint64_t i = 0; i < std::uint64_t{1} << below; ++i)
    hashes.push_back(TRY(hash_at(static_cast<std::uint8_t>(height / 8), (index << below) + i)));
  for (; hashes.size() > 1; hashes.resize(hashes.size() / 2))
    for (std::size_t i = 0; i < hashes.size() / 2; ++i)
      hashes[i] = node_hash(hashes[2 * i], hashes[2 * i + 1]);
  return hashes[0];
}

// The whole subtrees of which the leaves from begin to end consist, the largest first. `begin` is a
// multiple of the first one's size, as it is wherever RFC 9162 splits a tree.
Result<std::vector<Digest>> TileTree::subtrees(std::uint64_t begin, std::uint64_t end) {
  std::vector<Digest> out;
  while (begin < end) {
    const auto height = static_cast<unsigned>(std::bit_width(end - begin) - 1);
    out.push_back(TRY(whole_subtree(height, begin >> height)));
    begin += std::uint64_t{1} << height;
  }
  return out;
}

Result<Digest> TileTree::range(std::uint64_t begin, std::uint64_t end) {
  const auto parts = TRY(subtrees(begin, end));
  Digest root = parts.back();
  for (std::size_t i = parts.size() - 1; i-- > 0;) root = node_hash(parts[i], root);
  return root;
}

Result<Digest> TileTree::root() {
  if (size_ == 0) return empty_root();
  return range(0, size_);
}

Result<Proof> TileTree::prove_prefix(std::uint64_t from) {
  if (from == 0 || from >= size_) return Error{Code::kInvalid, "the log was never that long"};
  Proof proof = TRY(prove_consistency(from));
  if (!std::has_single_bit(from)) return proof;
  const Digest first = TRY(range(0, from));
  proof.insert(proof.begin(), first);
  return proof;
}

Result<std::vector<Digest>> TileTree::edge() { return subtrees(0, size_); }

// PATH of RFC 9162 section 2.1.3.1, from the root down and then turned round.
Result<Proof> TileTree::prove_inclusion(std::uint64_t index) {
  if (size_ > kMaxTreeSize || index >= size_)
    return Error{Code::kInvalid, "the log has no entry with that number"};
  Proof proof;
  std::uint64_t begin = 0;
  for (std::uint64_t end = size_; end - begin > 1;) {
    const std::uint64_t middle = begin + split(end - begin);
    if (index < middle) {
      proof.push_back(TRY(range(middle, end)));
      end = middle;
    } else {
      proof.push_back(TRY(range(begin, middle)));
      begin = middle;
    }
  }
  std::ranges::reverse(proof);
  return proof;
}

// SUBPROOF of RFC 9162 section 2.1.4.1, from the root down and then turned round.
Result<Proof> TileTree::prove_consistency(std::uint64_t from) {
  if (size_ > kMaxTreeSize || from > size_)
    return Error{Code::kInvalid, "the log was never that long"};
  Proof proof;
  if (from == 0) return proof;
  std::uint64_t begin = 0;
  std::uint64_t end = size_;
  while (from != end) {
    const std::uint64_t middle = begin + split(end - begin);
    if (from <= middle) {
      proof.push_back(TRY(range(middle, end)));
      end = middle;
    } else {
      proof.push_back(TRY(range(begin, middle)));
      begin = middle;
    }
  }
  if (begin != 0) proof.push_back(TRY(range(begin, end)));
  std::ranges::reverse(proof);
  return proof;
}

}  // namespace holdfast::tlog
