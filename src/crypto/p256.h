// ECDSA on P-256 with SHA-256, over whole messages and raw points. For .cpp files of this module.
#pragma once

#include "crypto/openssl.h"
#include "crypto/secret.h"

namespace holdfast::crypto {

constexpr std::size_t kP256PointSize = 65;  // uncompressed: 4, x, y
constexpr std::size_t kP256SignatureSize = 64;
using P256Point = std::array<std::uint8_t, kP256PointSize>;
using P256Signature = std::array<std::uint8_t, kP256SignatureSize>;

// (OS2IP(wide) mod (n - 1)) + 1: FIPS 186-5 A.2.1, with the point that belongs to it.
struct P256KeyPair {
  Pkey key;
  P256Point point;
};
P256KeyPair p256_key_pair(std::span<const std::uint8_t, 48> wide);

// Uncompressed and on the curve.
bool p256_is_point(BytesView point);
// r || s, of which s is the low one.
P256Signature p256_sign(EVP_PKEY* key, BytesView message);
// s at most half the order of the group.
bool p256_low_s(std::span<const std::uint8_t, kP256SignatureSize> signature);
// Either s. False for a point that is not on the curve or not uncompressed.
bool p256_verify(BytesView point, BytesView message,
                 std::span<const std::uint8_t, kP256SignatureSize> signature);

}  // namespace holdfast::crypto
