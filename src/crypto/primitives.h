// The raw primitives, for published vectors only: `holdfast-vectors` and this module's tests.
// The product uses the other headers, whose rules are stricter.
#pragma once

#include <array>
#include <optional>

#include "base/bytes.h"

namespace holdfast::crypto::primitives {

Bytes sha512(BytesView message);
// nullopt above 255 blocks of 32 bytes.
std::optional<Bytes> hkdf_sha256(BytesView ikm, BytesView salt, BytesView info, std::size_t size);
Bytes hmac_sha256(BytesView key, BytesView message);

// IEEE P1363 signatures; curve is P-256, hash SHA-256. Any s (low and high) is accepted here.
bool ecdsa_p256_verify(BytesView point, BytesView message, BytesView signature);

bool ed25519_verify(BytesView key, BytesView message, BytesView signature);
// nullopt when a size is wrong or OpenSSL refuses (all-zero result).
std::optional<Bytes> x25519(BytesView private_key, BytesView public_key);

// Keys of 32 bytes and nonces of 12.
Bytes aes256gcm_seal(BytesView key, BytesView nonce, BytesView aad, BytesView plain);  // ct || tag
std::optional<Bytes> aes256gcm_open(BytesView key, BytesView nonce, BytesView aad,
                                    BytesView sealed);

struct MlKemKeyPair {
  Bytes public_key;   // 1184
  Bytes private_key;  // FIPS 203 expanded form, 2400
};
// From d || z; nullopt unless 64 bytes.
std::optional<MlKemKeyPair> mlkem768_from_seed(BytesView seed);
struct Encapsulated {
  Bytes ciphertext;
  Bytes shared;
};
// Deterministic, from m of 32 bytes; nullopt when the key is malformed.
std::optional<Encapsulated> mlkem768_encapsulate(BytesView public_key, BytesView m);
// From the seed or the expanded private key; nullopt when sizes or checks fail.
std::optional<Bytes> mlkem768_decapsulate(BytesView private_key, BytesView ciphertext);

std::optional<Encapsulated> xwing_encapsulate(BytesView public_key, BytesView eseed);  // 64 bytes
std::optional<Bytes> xwing_decapsulate(BytesView seed, BytesView ciphertext);
std::optional<Bytes> xwing_public_key(BytesView seed);

Bytes argon2id(BytesView password, BytesView salt, BytesView secret, BytesView data,
               std::uint32_t memory_kib, std::uint32_t passes, std::uint32_t lanes,
               std::size_t size);

// The key must be 32 bytes; any other size is refused.
std::optional<Bytes> cobblestone256_open(BytesView key, BytesView context, BytesView sealed);
Bytes cobblestone256_seal(BytesView key, BytesView context, BytesView salt, BytesView plain);

}  // namespace holdfast::crypto::primitives
