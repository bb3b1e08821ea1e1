// Where content is cut: Chk-PHTE (Truong, Merz, Scarlata, Guenther, Paterson, "Breaking and Fixing
// Content-Defined Chunking", CCS 2025, eprint 2025/558), so that the sizes a store sees tell
// nothing of the content to whoever lacks the cutting key.
//
// A window of 64 bytes is hashed by two independent secret Toeplitz tables over GF(2^64) (Krawczyk,
// CRYPTO '94), the pair is one AES-128 block, and a chunk ends where the low 20 bits of the
// cipher's output are zero; at least kMinChunk and at most kMaxChunk bytes.
// docs/formats/archive.md#chunks
#pragma once

#include <array>

#include "archive/format.h"
#include "crypto/blocks.h"
#include "keys/hierarchy.h"

namespace holdfast::archive {

class Chunker {
 public:
  explicit Chunker(const keys::CuttingKey& key);

  // The length of the chunk that begins at data[0]. `data` must hold kMaxChunk bytes or everything
  // to the end of the content. Not shared between threads.
  std::size_t cut(BytesView data);

 private:
  // The pair of hashes at one position.
  struct alignas(16) Digest {
    std::uint64_t a = 0;
    std::uint64_t b = 0;
  };
  using Table = std::array<Digest, 256>;

  Digest at(const std::uint8_t* position) const;
  void digest(const std::uint8_t* from, std::size_t count, Digest& state, Digest* to) const;
  std::size_t scan(const std::uint8_t* from, std::size_t count);
  std::size_t scan_lanes(const std::uint8_t* from);

  alignas(64) Table in_;
  Table out_;  // x^64 * in_: what a byte weighs when it leaves the window
  crypto::BlockFunction block_;
};

}  // namespace holdfast::archive
