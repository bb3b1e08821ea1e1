// Writes a manifest, and the guide to it.
#pragma once

#include "archive/guide.h"
#include "archive/packer.h"

namespace holdfast::archive {

class ManifestWriter {
 public:
  ManifestWriter(Packer& packer, Chunker& chunker)
      : entries_(packer, chunker, ChunkType::kManifest),
        guide_(packer, chunker, ChunkType::kGuide) {}
  // An encoded entry; its names from the root down.
  Result<void> write(const std::vector<Bytes>& path, BytesView entry) {
    points_.note(size_, path);
    size_ += entry.size();
    return entries_.write(entry);
  }
  // Puts both into the snapshot.
  Result<void> finish(Snapshot& root) {
    root.tree = TRY(entries_.finish());
    TRY(guide_.write(points_.bytes()));
    root.guide = TRY(guide_.finish());
    return Ok{};
  }

 private:
  ContentWriter entries_;
  ContentWriter guide_;
  GuideWriter points_;
  std::uint64_t size_ = 0;
};

}  // namespace holdfast::archive
