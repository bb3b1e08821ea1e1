#include "tlog/frontier.h"

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
