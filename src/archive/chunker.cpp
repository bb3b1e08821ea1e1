#include "archive/chunker.h"

#include <algorithm>
#include <bit>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace holdfast::archive {
namespace {

constexpr std::size_t kWindow = 64;
constexpr std::uint64_t kMask = (1U << 20) - 1;
constexpr std::size_t kBatch = 512;  // positions ciphered at one go
// Where much is to be scanned, several stretches are at once: what one digest waits for, the next
// one's tables, another does not.
constexpr std::size_t kLanes = 4;
constexpr std::size_t kLane = 4096;  // positions
constexpr std::size_t kRegion = kLanes * kLane;

// Times x in GF(2)[x] modulo x^64 + x^4 + x^3 + x + 1.
constexpr std::uint64_t times_x(std::uint64_t v) { return v << 1 ^ ((0 - (v >> 63)) & 0x1b); }

std::uint64_t load_le(const std::uint8_t* at) {
  std::uint64_t v;
  std::memcpy(&v, at, 8);
  static_assert(std::endian::native == std::endian::little);
  return v;
}

#ifdef __SSE2__
// Both halves of a digest at once.
using Pair = __m128i;
template <class Digest>
Pair load(const Digest& from) {
  return _mm_load_si128(reinterpret_cast<const __m128i*>(&from));
}
template <class Digest>
void store(Digest& to, Pair pair) {
  _mm_store_si128(reinterpret_cast<__m128i*>(&to), pair);
}
Pair add(Pair x, Pair y) { return _mm_xor_si128(x, y); }
Pair times_x(Pair v) {
  const Pair top = _mm_shuffle_epi32(_mm_srai_epi32(v, 31), 0xf5);  // of each half, spread over it
  return add(_mm_slli_epi64(v, 1), _mm_and_si128(top, _mm_set1_epi64x(0x1b)));
}
#else
struct Pair {
  std::uint64_t a, b;
};
template <class Digest>
Pair load(const Digest& from) {
  return {from.a, from.b};
}
template <class Digest>
void store(Digest& to, Pair pair) {
  to = {pair.a, pair.b};
}
Pair add(Pair x, Pair y) { return {x.a ^ y.a, x.b ^ y.b}; }
Pair times_x(Pair v) { return {times_x(v.a), times_x(v.b)}; }
#endif

}  // namespace

Chunker::Chunker(const keys::CuttingKey& key) : block_(crypto::derive<keys::CutBlockPurpose>(key)) {
  std::array<std::uint8_t, 2 * 256 * 8> bytes;
  crypto::expand(key, "holdfast/v1/cutting/tables", bytes);
  for (std::size_t v = 0; v < 256; ++v) {
    in_[v] = {load_le(&bytes[v * 8]), load_le(&bytes[(256 + v) * 8])};
    Digest& out = out_[v] = in_[v];
    for (std::size_t i = 0; i < kWindow; ++i) out = {times_x(out.a), times_x(out.b)};
  }
  crypto::wipe(bytes);
}

// Of the window that ends before `position`.
Chunker::Digest Chunker::at(const std::uint8_t* position) const {
  Pair state{};
  for (const std::uint8_t* byte = position - kWindow; byte < position; ++byte)
    state = add(times_x(state), load(in_[*byte]));
  Digest digest;
  store(digest, state);
  return digest;
}

// Of `count` positions, the first of which has `state`; `state` becomes that of the next.
void Chunker::digest(const std::uint8_t* from, std::size_t count, Digest& state, Digest* to) const {
  Pair pair = load(state);
  for (std::size_t i = 0; i < count; ++i) {
    store(to[i], pair);
    const Pair change = add(load(in_[from[i]]), load(out_[*(from + i - kWindow)]));
    pair = add(times_x(pair), change);
  }
  store(state, pair);
}

// Digests do not depend on where cuts fall, so a batch can be ciphered before it is judged.
// Gives the first cut, or `count`.
std::size_t Chunker::scan(const std::uint8_t* from, std::size_t count) {
  std::array<Digest, kBatch> digests;
  Digest state = at(from);
  for (std::size_t done = 0; done < count;) {
    const std::size_t n = std::min(kBatch, count - done);
    digest(from + done, n, state, digests.data());
    block_.apply({reinterpret_cast<std::uint8_t*>(digests.data()), n * sizeof(Digest)});
    for (std::size_t i = 0; i < n; ++i)
      if ((digests[i].a & kMask) == 0) return done + i;
    done += n;
  }
  return count;
}

// One step of a lane: the digest before `byte`, and the state after it.
template <class Digest, class Table>
inline void step(Pair& state, const std::uint8_t* byte, const Table& in, const Table& out,
                 Digest& to) {
  store(to, state);
  state = add(times_x(state), add(load(in[*byte]), load(out[*(byte - kWindow)])));
}

// The same for kRegion positions.
std::size_t Chunker::scan_lanes(const std::uint8_t* from) {
  constexpr std::size_t kStep = kBatch / kLanes;
  static_assert(kLanes == 4);
  std::array<Digest, kBatch> digests;
  Pair s0 = load(at(from)), s1 = load(at(from + kLane));
  Pair s2 = load(at(from + 2 * kLane)), s3 = load(at(from + 3 * kLane));
  std::size_t first = kRegion;
  for (std::size_t done = 0; done < kLane; done += kStep) {
    for (std::size_t i = 0; i < kStep; ++i) {
      const std::uint8_t* const byte = from + done + i;
      step(s0, byte, in_, out_, digests[i]);
      step(s1, byte + kLane, in_, out_, digests[kStep + i]);
      step(s2, byte + 2 * kLane, in_, out_, digests[2 * kStep + i]);
      step(s3, byte + 3 * kLane, in_, out_, digests[3 * kStep + i]);
    }
    block_.apply({reinterpret_cast<std::uint8_t*>(digests.data()), sizeof digests});
    for (std::size_t n = 0; n < kBatch; ++n)
      if ((digests[n].a & kMask) == 0)
        first = std::min(first, n / kStep * kLane + done + n % kStep);
    if (first < kLane) break;  // nothing before it is left to see
  }
  return first;
}

std::size_t Chunker::cut(BytesView data) {
  if (data.size() <= kMinChunk) return data.size();
  const std::size_t end = std::min<std::size_t>(data.size(), kMaxChunk);
  std::size_t at = kMinChunk;
  for (; end - at >= kRegion; at += kRegion)
    if (const std::size_t found = scan_lanes(data.data() + at); found < kRegion) return at + found;
  return at + scan(data.data() + at, end - at);
}

}  // namespace holdfast::archive
