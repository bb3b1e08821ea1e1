// X25519 (RFC 7748) on raw keys. For .cpp files of this module.
#pragma once

#include "crypto/secret.h"

namespace holdfast::crypto {

using X25519Bytes = std::span<const std::uint8_t, 32>;

std::array<std::uint8_t, 32> x25519_public_key(X25519Bytes private_key);
// False for a public key of low order (an all-zero result), which no honest party sends.
[[nodiscard]] bool x25519_agree(X25519Bytes private_key, X25519Bytes public_key,
                                std::span<std::uint8_t, 32> shared);

}  // namespace holdfast::crypto
