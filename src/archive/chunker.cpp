#include "archive/chunker.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace holdfast::archive {
namespace {

constexpr std::size_t kWindow = 64;
constexpr std::uint64_t kMask = (1U << 20) - 1;
constexpr std::size_t kBatch = 512;  // positions ciphered at one go

// Times x in GF(2)[x] modulo x^64 + x^4 + x^3 + x + 1.
constexpr std::uint64_t times_x(std::uint64_t v) { return v << 1 ^ ((0 - (v >> 63)) & 0x1b); }

std::uint64_t load_le(const std::uint8_t* at) {
  std::uint64_t v;
  std::memcpy(&v, at, 8);
  static_assert(std::endian::native == std::endian::little);
  return v;
}

}  // namespace

Chunker::Chunker(const keys::CuttingKey& key) : block_(crypto::derive<keys::CutBlockPurpose>(key)) {
  std::array<std::uint8_t, 2 * 256 * 8> bytes;
  crypto::expand(key, "holdfast/v1/cutting/tables", bytes);
  for (std::size_t t = 0; t < 2; ++t) {
    for (std::size_t v = 0; v < 256; ++v) {
      in_[t][v] = load_le(&bytes[(t * 256 + v) * 8]);
      std::uint64_t out = in_[t][v];
      for (std::size_t i = 0; i < kWindow; ++i) out = times_x(out);
      out_[t][v] = out;
    }
  }
  crypto::wipe(bytes);
}

std::size_t Chunker::cut(BytesView data) {
  if (data.size() <= kMinChunk) return data.size();
  const std::size_t end = std::min<std::size_t>(data.size(), kMaxChunk);
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  for (std::size_t i = kMinChunk - kWindow; i < kMinChunk; ++i) {
    a = times_x(a) ^ in_[0][data[i]];
    b = times_x(b) ^ in_[1][data[i]];
  }
  // Digests do not depend on where cuts fall, so a batch can be ciphered before it is judged.
  std::array<std::uint64_t, 2 * kBatch> digests;
  for (std::size_t at = kMinChunk; at < end;) {
    const std::size_t count = std::min(kBatch, end - at);
    for (std::size_t i = 0; i < count; ++i) {
      digests[2 * i] = a;
      digests[2 * i + 1] = b;
      const std::uint8_t in = data[at + i];
      const std::uint8_t out = data[at + i - kWindow];
      a = times_x(a) ^ in_[0][in] ^ out_[0][out];
      b = times_x(b) ^ in_[1][in] ^ out_[1][out];
    }
    block_.apply({reinterpret_cast<std::uint8_t*>(digests.data()), count * 16});
    for (std::size_t i = 0; i < count; ++i)
      if ((digests[2 * i] & kMask) == 0) return at + i;
    at += count;
  }
  return end;
}

}  // namespace holdfast::archive
