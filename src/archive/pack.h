// Packs: the only thing a store holds of a person's data. Built from frames, sealed whole under a
// key of their own, padded (Padme) so that their size tells little, named by their sealed bytes.
#pragma once

#include "archive/access.h"
#include "archive/format.h"
#include "base/result.h"

namespace holdfast::archive {

struct SealedPack {
  PackId id;
  keys::PackKey key;
  PackHeader header;
  Bytes bytes;
};

class PackBuilder {
 public:
  explicit PackBuilder(PackKind kind) { header_.kind = kind; }
  void reserve(std::size_t size) { frames_.reserve(size); }
  void add(FrameInfo frame, BytesView compressed);
  bool empty() const { return header_.frames.empty(); }
  std::size_t size() const { return frames_.size(); }
  PackKind kind() const { return header_.kind; }
  SealedPack seal(const CircleId& circle, const VaultId& vault) &&;

 private:
  PackHeader header_;
  Bytes frames_;
};

// An opened pack: header checked, every frame within bounds.
class OpenPack {
 public:
  // kCorrupt names the pack. Whoever holds the key wrote it; the rest is still not believed.
  static Result<OpenPack> open(const CircleId& circle, const VaultId& vault, const PackId& id,
                               const keys::PackKey& key, PackKind kind, BytesView sealed);
  const PackHeader& header() const { return header_; }
  // The same bytes under a fresh key, hence as another object.
  SealedPack seal_again(const CircleId& circle, const VaultId& vault) const;
  std::size_t memory() const { return plain_.size(); }
  // Decompressed; exactly as many bytes as its header says, or kCorrupt.
  Result<Bytes> frame(std::size_t index) const;

 private:
  PackId id_;
  Bytes plain_;
  PackHeader header_;
  std::vector<std::size_t> offsets_;
};

// zstd level 3; levels 13 and up of zstd 1.5.4 can corrupt, so there is no knob.
class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  // Valid until the next call.
  BytesView compress(BytesView raw);

 private:
  void* context_;
  Bytes out_;
};

// Padme (Nikitin et al., PETS 2019): at most 12 % more, and few sizes.
std::uint64_t padme(std::uint64_t size);

Digest pack_digest(BytesView sealed);

}  // namespace holdfast::archive
