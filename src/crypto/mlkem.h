// ML-KEM-768 (FIPS 203) with its randomness as a parameter, and the SHA-3 functions X-Wing needs.
// For .cpp files of this module.
#pragma once

#include <initializer_list>

#include "crypto/secret.h"

namespace holdfast::crypto {

constexpr std::size_t kMlKemSeedSize = 64;  // d || z
constexpr std::size_t kMlKemPublicSize = 1184;
constexpr std::size_t kMlKemCiphertextSize = 1088;

using MlKemPublicKey = std::array<std::uint8_t, kMlKemPublicSize>;
using MlKemSeed = std::span<const std::uint8_t, kMlKemSeedSize>;

MlKemPublicKey mlkem_public_key(MlKemSeed seed);
// False for a public key with a coefficient that is not reduced (FIPS 203 section 7.2).
[[nodiscard]] bool mlkem_encapsulate(std::span<const std::uint8_t, kMlKemPublicSize> public_key,
                                     std::span<const std::uint8_t, 32> m,
                                     std::span<std::uint8_t, kMlKemCiphertextSize> ciphertext,
                                     std::span<std::uint8_t, 32> shared);
// A ciphertext made for another key gives an unrelated secret, never an error.
void mlkem_decapsulate(MlKemSeed seed,
                       std::span<const std::uint8_t, kMlKemCiphertextSize> ciphertext,
                       std::span<std::uint8_t, 32> shared);

void sha3_256(std::initializer_list<BytesView> parts, std::span<std::uint8_t, 32> out);

}  // namespace holdfast::crypto
