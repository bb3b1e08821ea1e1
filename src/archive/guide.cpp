#include "archive/guide.h"

#include <algorithm>

namespace holdfast::archive {
namespace {

constexpr std::size_t kMaxGuide = 16 * 1024 * 1024;  // bytes; more is not read
constexpr std::size_t kMaxPoints = 256 * 1024;
constexpr std::size_t kMaxPath = 64 * 1024;  // of a point; what lies deeper is found from above

Error bad_guide() { return {Code::kCorrupt, "the guide to the list of files is damaged"}; }

}  // namespace

Bytes joined(const std::vector<Bytes>& path) {
  Bytes all;
  for (const Bytes& name : path) {
    if (&name != &path.front()) all.push_back(0);
    append(all, name);
  }
  return all;
}

void GuideWriter::add(std::uint64_t offset, const std::vector<Bytes>& path) {
  Bytes names = joined(path);
  if (names.size() > kMaxPath) return;
  append(bytes_, wire::encode(GuidePoint{offset, std::move(names)}));
  next_ = offset + kDistance;
}

Result<Guide> Guide::read(ChunkReader& chunks, const VaultAccess& access,
                          const Snapshot& snapshot) {
  ContentReader content(chunks, access, snapshot.guide, ChunkType::kGuide);
  Bytes bytes;
  while (const auto piece = TRY(content.next())) {
    if (piece->hole != 0 || piece->data.size() > kMaxGuide - bytes.size()) return bad_guide();
    append(bytes, piece->data);
  }
  Guide guide;
  wire::Decoder from(bytes);
  while (from.remaining() > 0) {
    GuidePoint point;
    if (!wire::get(from, point).ok() || point.path.empty() || point.path.size() > kMaxPath ||
        guide.points_.size() == kMaxPoints)
      return bad_guide();
    const bool later = guide.points_.empty() || (guide.points_.back().offset < point.offset &&
                                                 guide.points_.back().path < point.path);
    if (!later) return bad_guide();
    guide.points_.push_back(std::move(point));
  }
  return guide;
}

const GuidePoint* Guide::before(const Bytes& path) const {
  const auto after = std::ranges::upper_bound(points_, path, {}, &GuidePoint::path);
  return after == points_.begin() ? nullptr : &*(after - 1);
}

}  // namespace holdfast::archive
