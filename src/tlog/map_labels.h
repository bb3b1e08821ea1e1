// Where things stand in maps. The map of accounts has two series for each account, numbered without
// gaps from 0, so that "this is the newest" is a proof: number n is present and n + 1 absent.
//
// A number is spelled in 8 bytes, big-endian. Under a key that outsiders do not have, labels tell
// them nothing, not even which belong together; the service has the key.
#pragma once

#include "crypto/hash.h"
#include "tlog/format.h"

namespace holdfast::tlog {

inline constexpr std::string_view kCircleSeries = "holdfast/v1/map/circle";
inline constexpr std::string_view kDataSeries = "holdfast/v1/map/data";
inline constexpr std::string_view kBatchPosition = "holdfast/v1/batch/position";

inline std::array<std::uint8_t, 8> number_bytes(std::uint64_t n) {
  std::array<std::uint8_t, 8> out{};
  for (std::size_t i = out.size(); i-- > 0; n >>= 8) out[i] = static_cast<std::uint8_t>(n);
  return out;
}

// The head of the circle after statement n. `lookup` is the account's lookup key.
template <class LookupPurpose>
MapLabel circle_label(const crypto::Key<LookupPurpose>& lookup, std::uint64_t n) {
  return MapLabel(crypto::mac(lookup, kCircleSeries, number_bytes(n)).bytes);
}

// The heads of the account's vaults, the m-th time that an epoch of the map found them changed.
template <class LookupPurpose>
MapLabel data_label(const crypto::Key<LookupPurpose>& lookup, std::uint64_t m) {
  return MapLabel(crypto::mac(lookup, kDataSeries, number_bytes(m)).bytes);
}

// What a genesis commits to of the account's lookup key.
template <class LookupPurpose>
Digest lookup_hash(const crypto::Key<LookupPurpose>& lookup) {
  return crypto::mac(lookup, "holdfast/v1/lookup-hash", {});
}

// An account's position in every release batch.
inline MapLabel batch_position(const CircleId& circle) {
  return MapLabel(crypto::sha256(kBatchPosition, circle.view()).bytes);
}

}  // namespace holdfast::tlog
