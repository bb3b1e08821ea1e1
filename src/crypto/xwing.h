// The KEM X-Wing (draft-connolly-cfrg-xwing-kem): ML-KEM-768 and X25519, joined by SHA3-256. The
// private key is its 32-byte seed. For .cpp files of this module.
#pragma once

#include "crypto/secret.h"

namespace holdfast::crypto {

constexpr std::size_t kXWingPublicSize = 1216;
constexpr std::size_t kXWingCiphertextSize = 1120;

using XWingSeed = std::span<const std::uint8_t, 32>;
using XWingShared = std::span<std::uint8_t, 32>;

std::array<std::uint8_t, kXWingPublicSize> xwing_public_key(XWingSeed seed);
// `eseed` is 32 bytes for ML-KEM and 32 for X25519. False for a malformed public key, or one whose
// X25519 half is of low order.
[[nodiscard]] bool xwing_encapsulate(std::span<const std::uint8_t, kXWingPublicSize> public_key,
                                     std::span<const std::uint8_t, 64> eseed,
                                     std::span<std::uint8_t, kXWingCiphertextSize> ciphertext,
                                     XWingShared shared);
// False when the X25519 half of the ciphertext is of low order.
[[nodiscard]] bool xwing_decapsulate(XWingSeed seed,
                                     std::span<const std::uint8_t, kXWingCiphertextSize> ciphertext,
                                     XWingShared shared);

}  // namespace holdfast::crypto
