// A guide to a manifest: where some of its entries begin, so that a path is found without reading
// what lies before it. Written with the snapshot; whoever reads it does not believe it.
// docs/formats/archive.md#content-entries-snapshots
#pragma once

#include "archive/reader.h"

namespace holdfast::archive {

// Names with a NUL between each two: compared as bytes they are in the order of a manifest.
Bytes joined(const std::vector<Bytes>& path);

// What a backup notes while it writes a manifest.
class GuideWriter {
 public:
  // For each entry: where it begins, and its path.
  void note(std::uint64_t offset, const std::vector<Bytes>& path) {
    if (offset >= next_) add(offset, path);
  }
  // The guide's content, for a ContentWriter of type kGuide; empty for a short manifest.
  const Bytes& bytes() const { return bytes_; }

 private:
  static constexpr std::uint64_t kDistance = 256 * 1024;
  void add(std::uint64_t offset, const std::vector<Bytes>& path);

  std::uint64_t next_ = kDistance;
  Bytes bytes_;
};

class Guide {
 public:
  // kCorrupt: it cannot be a guide to this tree. An empty one has no points.
  static Result<Guide> read(ChunkReader& chunks, const VaultAccess& access,
                            const Snapshot& snapshot);

  const std::vector<GuidePoint>& points() const { return points_; }
  // The last point at or before a path; null: there is none.
  const GuidePoint* before(const Bytes& path) const;

 private:
  std::vector<GuidePoint> points_;
};

}  // namespace holdfast::archive
