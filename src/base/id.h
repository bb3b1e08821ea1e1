// Ids: each kind its own type, so that passing one as another does not compile.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstring>
#include <optional>
#include <string>

#include "base/bytes.h"

namespace holdfast {

template <class Tag, std::size_t N>
struct Id {
  static constexpr std::size_t kSize = N;
  std::array<std::uint8_t, N> bytes{};

  Id() = default;
  explicit Id(const std::array<std::uint8_t, N>& b) : bytes(b) {}
  // nullopt unless exactly N bytes.
  static std::optional<Id> from(BytesView view) {
    if (view.size() != N) return std::nullopt;
    Id id;
    std::copy(view.begin(), view.end(), id.bytes.begin());
    return id;
  }

  BytesView view() const { return bytes; }
  std::string hex() const { return to_hex(bytes); }
  bool is_zero() const {
    return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
  }
  auto operator<=>(const Id&) const = default;
};

// For hash tables over ids that are outputs of a hash or of the kernel's generator.
struct IdHash {
  template <class Tag, std::size_t N>
  std::size_t operator()(const Id<Tag, N>& id) const {
    static_assert(N >= sizeof(std::size_t));
    std::size_t h;
    std::memcpy(&h, id.bytes.data(), sizeof h);
    return h;
  }
};

using CircleId = Id<struct CircleTag, 32>;    // commits to the first device
using ReaderId = Id<struct ReaderTag, 32>;    // hash of a device's or recovery key's public keys
using VaultId = Id<struct VaultTag, 16>;      // random
using PackId = Id<struct PackTag, 32>;        // SHA-256 of the sealed bytes
using ChunkId = Id<struct ChunkTag, 32>;      // keyed hash of type and plaintext; never sent
using BlobId = Id<struct BlobTag, 32>;        // SHA-256 of an envelope or sealed key
using RequestId = Id<struct RequestTag, 16>;  // one request to join
using LocateId = Id<struct LocateTag, 32>;    // where a recovery capsule is found
using Digest = Id<struct DigestTag, 32>;      // any other SHA-256

}  // namespace holdfast
