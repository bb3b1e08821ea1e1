// The expanded private key of ML-KEM-768 (FIPS 203 section 7.1), for published vectors only.
//
// Holdfast's private keys are seeds, and Botan 3.7 reads and writes no other kind. Some vectors
// come as expanded keys; what they need beyond Botan is here, straight from the standard and
// without any care for timing. Nothing of the product calls it.
#pragma once

#include <optional>

#include "crypto/mlkem.h"

namespace holdfast::crypto {

constexpr std::size_t kMlKemExpandedSize = 2400;

Bytes mlkem_expand(MlKemSeed seed);
// nullopt when a size or the hash of the public key inside is wrong (section 7.3).
std::optional<Bytes> mlkem_decapsulate_expanded(BytesView private_key, BytesView ciphertext);

}  // namespace holdfast::crypto
