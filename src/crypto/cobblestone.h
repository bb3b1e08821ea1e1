// C2SP chunked-encryption with AES-256-GCM and SHA-512, with the salt as a parameter: what seal.h
// offers the product with a random one. For .cpp files of this module.
#pragma once

#include <optional>

#include "crypto/key.h"

namespace holdfast::crypto {

constexpr std::size_t kSaltSize = 24;
constexpr std::size_t kSealKeySize = 32;

Bytes cobblestone_seal(std::span<const std::uint8_t, kSealKeySize> key, BytesView context,
                       std::span<const std::uint8_t, kSaltSize> salt, BytesView plain);
// All of the plaintext or nothing.
std::optional<Bytes> cobblestone_open(std::span<const std::uint8_t, kSealKeySize> key,
                                      BytesView context, BytesView sealed);

}  // namespace holdfast::crypto
