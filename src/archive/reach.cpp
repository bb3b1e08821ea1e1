#include "archive/reach.h"

#include <algorithm>

namespace holdfast::archive {

bool Reached::has_one_of(const PackHeader& header) const {
  return std::ranges::any_of(header.frames, [&](const FrameInfo& frame) {
    return std::ranges::any_of(frame.chunks, [&](const ChunkInfo& chunk) { return has(chunk.id); });
  });
}

Reached::Share Reached::share_of(const PackHeader& header) const {
  Share share;
  for (const FrameInfo& frame : header.frames)
    for (const ChunkInfo& chunk : frame.chunks)
      (has(chunk.id) ? share.reached : share.others) += chunk.length;
  return share;
}

Result<void> Reached::add(const Snapshot& snapshot) {
  const Content& tree = snapshot.tree;
  TRY(add_content(tree));
  // Without its guide a snapshot is whole: a list of its chunks that is gone stops nobody.
  if (const auto added = add_content(snapshot.guide);
      !added.ok() && added.error().code != Code::kCorrupt)
    return added;
  ExtentReader extents(chunks_, access_, tree);
  Bytes rest;
  while (const auto extent = TRY(extents.next())) TRY(add_piece(*extent, rest));
  if (!rest.empty()) return Error{Code::kCorrupt, "a list of files ends in the middle of an entry"};
  return Ok{};
}

// At each level the chunks of the lists, too: read as a content of fewer levels, the lists of level
// n are its extents.
Result<void> Reached::add_content(const Content& content) {
  if (content.level == 0) {
    for (const Extent& extent : content.extents)
      if (extent.chunk) ids_.insert(*extent.chunk);
    return Ok{};
  }
  for (std::uint8_t level = 0; level <= content.level; ++level) {
    ExtentReader extents(chunks_, access_, {level, content.extents});
    while (const auto extent = TRY(extents.next()))
      if (extent->chunk) ids_.insert(*extent->chunk);
  }
  return Ok{};
}

Result<void> Reached::add_piece(const Extent& extent, Bytes& rest) {
  if (!extent.chunk) return Error{Code::kCorrupt, "a list of files has a hole"};
  crypto::Sha256 hash;
  hash.update(extent.chunk->view());
  hash.update(rest);
  const Digest key = hash.finish();
  if (const auto known = read_.find(key); known != read_.end()) {
    rest = known->second;
    return Ok{};
  }
  const ChunkData piece = TRY(chunks_.get(*extent.chunk, ChunkType::kManifest, names_));
  append(rest, piece.view());
  TRY(add_entries(rest));
  read_.emplace(key, rest);
  return Ok{};
}

// Takes the whole ones away from the front. What does not decode may go on in the next piece.
Result<void> Reached::add_entries(Bytes& bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const BytesView left = BytesView(bytes).subspan(at);
    wire::Decoder from(left.first(std::min(left.size(), kMaxEntry)));
    const std::size_t before = from.remaining();
    Entry entry;
    const auto done = wire::get(from, entry);
    if (!done.ok() && (before == kMaxEntry || done.error().code != Code::kCorrupt)) return done;
    if (!done.ok()) break;
    at += before - from.remaining();
    TRY(add_content(entry.content));
  }
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
  return Ok{};
}

}  // namespace holdfast::archive
