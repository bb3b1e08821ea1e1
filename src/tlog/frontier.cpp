#include "tlog/frontier.h"

#include <algorithm>
#include <bit>

namespace holdfast::tlog {

Result<Frontier> Frontier::open(const TreeHead& head, std::vector<Digest> edge) {
  Frontier frontier;
  frontier.size_ = head.size;
  frontier.edge_ = std::move(edge);
  if (head.size > kMaxTreeSize ||
      frontier.edge_.size() != static_cast<std::size_t>(std::popcount(head.size)) ||
      frontier.head() != head)
    return Error{Code::kCorrupt, "the edge of the log's tree does not make its root"};
  return frontier;
}

Result<Frontier> Frontier::before(std::uint64_t index, std::uint64_t size, const Proof& inclusion) {
  Frontier frontier;
  frontier.size_ = index;
  // As RFC 9162 section 2.1.3.2 walks up: what stands to the left are the whole subtrees before it.
  std::uint64_t at = index;
  std::uint64_t last = size == 0 ? 0 : size - 1;
  for (const Digest& hash : inclusion) {
    if ((at & 1U) != 0 || at == last) {
      frontier.edge_.push_back(hash);
      while ((at & 1U) == 0 && at != 0) {
        at >>= 1;
        last >>= 1;
      }
    }
    at >>= 1;
    last >>= 1;
  }
  std::ranges::reverse(frontier.edge_);
  if (index >= size || frontier.edge_.size() != static_cast<std::size_t>(std::popcount(index)))
    return Error{Code::kInvalid, "this is no proof of inclusion"};
  return frontier;
}

std::vector<TileHash> Frontier::append(const Digest& leaf) {
  HF_CHECK(size_ < kMaxTreeSize);
  std::vector<TileHash> out = {{0, size_, leaf}};
  Digest hash = leaf;
  // Each trailing 1 of the size is a subtree as large as the one that the leaf completes.
  unsigned height = 0;
  for (std::uint64_t rest = size_; (rest & 1U) != 0; rest >>= 1) {
    hash = node_hash(edge_.back(), hash);
    edge_.pop_back();
    if (++height % 8 == 0)
      out.push_back({static_cast<std::uint8_t>(height / 8), size_ >> height, hash});
  }
  edge_.push_back(hash);
  ++size_;
  return out;
}

TreeHead Frontier::head() const {
  if (edge_.empty()) return {size_, empty_root()};
  Digest root = edge_.back();
  for (std::size_t i = edge_.size() - 1; i-- > 0;) root = node_hash(edge_[i], root);
  return {size_, root};
}

}  // namespace holdfast::tlog
