#include "crypto/primitives.h"

#include <algorithm>

#include "crypto/argon2.h"
#include "crypto/cobblestone.h"
#include "crypto/ed25519.h"
#include "crypto/gcm.h"
#include "crypto/hash.h"
#include "crypto/hkdf.h"
#include "crypto/mlkem.h"
#include "crypto/mlkem_expanded.h"
#include "crypto/openssl.h"
#include "crypto/p256.h"
#include "crypto/x25519.h"
#include "crypto/xwing.h"

namespace holdfast::crypto::primitives {

Bytes sha512(BytesView message) {
  Bytes out(64);
  HF_CHECK(EVP_Q_digest(nullptr, "SHA512", nullptr, message.data(), message.size(), out.data(),
                        nullptr) == 1);
  return out;
}

std::optional<Bytes> hkdf_sha256(BytesView ikm, BytesView salt, BytesView info, std::size_t size) {
  if (size > std::size_t{255} * 32) return std::nullopt;
  Secret<32> prk;
  hkdf_extract_sha256(salt, {ikm}, prk.span());
  Bytes out(size);
  hkdf_expand(HkdfHash::kSha256, prk.view(), {info}, out);
  return out;
}

Bytes hmac_sha256(BytesView key, BytesView message) {
  return to_bytes(detail::hmac(key, {message}).view());
}

bool ecdsa_p256_verify(BytesView point, BytesView message, BytesView signature) {
  return signature.size() == kP256SignatureSize &&
         p256_verify(point, message, signature.first<kP256SignatureSize>());
}

bool ed25519_verify(BytesView key, BytesView message, BytesView signature) {
  if (key.size() != 32 || signature.size() != 64) return false;
  Ed25519PublicKey point;
  std::ranges::copy(key, point.bytes.begin());
  Ed25519Signature exact{};
  std::ranges::copy(signature, exact.begin());
  return crypto::ed25519_verify(point, message, exact);
}

std::optional<Bytes> x25519(BytesView private_key, BytesView public_key) {
  if (private_key.size() != 32 || public_key.size() != 32) return std::nullopt;
  Bytes shared(32);
  if (!x25519_agree(private_key.first<32>(), public_key.first<32>(), std::span(shared).first<32>()))
    return std::nullopt;
  return shared;
}

Bytes aes256gcm_seal(BytesView key, BytesView nonce, BytesView aad, BytesView plain) {
  HF_CHECK(key.size() == Gcm::kKeySize && nonce.size() == Gcm::kNonceSize);
  Bytes out(plain.size() + Gcm::kTagSize);
  Gcm(key.first<Gcm::kKeySize>(), Gcm::Direction::kSeal)
      .seal(nonce.first<Gcm::kNonceSize>(), aad, plain, out);
  return out;
}

std::optional<Bytes> aes256gcm_open(BytesView key, BytesView nonce, BytesView aad,
                                    BytesView sealed) {
  if (key.size() != Gcm::kKeySize || nonce.size() != Gcm::kNonceSize ||
      sealed.size() < Gcm::kTagSize)
    return std::nullopt;
  Bytes plain(sealed.size() - Gcm::kTagSize);
  Gcm gcm(key.first<Gcm::kKeySize>(), Gcm::Direction::kOpen);
  if (!gcm.open(nonce.first<Gcm::kNonceSize>(), aad, sealed, plain)) return std::nullopt;
  return plain;
}

std::optional<MlKemKeyPair> mlkem768_from_seed(BytesView seed) {
  if (seed.size() != kMlKemSeedSize) return std::nullopt;
  const MlKemSeed exact = seed.first<kMlKemSeedSize>();
  return MlKemKeyPair{to_bytes(mlkem_public_key(exact)), mlkem_expand(exact)};
}

std::optional<Encapsulated> mlkem768_encapsulate(BytesView public_key, BytesView m) {
  if (public_key.size() != kMlKemPublicSize || m.size() != 32) return std::nullopt;
  Encapsulated out{Bytes(kMlKemCiphertextSize), Bytes(32)};
  if (!mlkem_encapsulate(public_key.first<kMlKemPublicSize>(), m.first<32>(),
                         std::span(out.ciphertext).first<kMlKemCiphertextSize>(),
                         std::span(out.shared).first<32>()))
    return std::nullopt;
  return out;
}

std::optional<Bytes> mlkem768_decapsulate(BytesView private_key, BytesView ciphertext) {
  if (private_key.size() != kMlKemSeedSize)
    return mlkem_decapsulate_expanded(private_key, ciphertext);
  if (ciphertext.size() != kMlKemCiphertextSize) return std::nullopt;
  Bytes shared(32);
  mlkem_decapsulate(private_key.first<kMlKemSeedSize>(), ciphertext.first<kMlKemCiphertextSize>(),
                    std::span(shared).first<32>());
  return shared;
}

std::optional<Encapsulated> xwing_encapsulate(BytesView public_key, BytesView eseed) {
  if (public_key.size() != kXWingPublicSize || eseed.size() != 64) return std::nullopt;
  Encapsulated out{Bytes(kXWingCiphertextSize), Bytes(32)};
  if (!crypto::xwing_encapsulate(public_key.first<kXWingPublicSize>(), eseed.first<64>(),
                                 std::span(out.ciphertext).first<kXWingCiphertextSize>(),
                                 std::span(out.shared).first<32>()))
    return std::nullopt;
  return out;
}

std::optional<Bytes> xwing_decapsulate(BytesView seed, BytesView ciphertext) {
  if (seed.size() != 32 || ciphertext.size() != kXWingCiphertextSize) return std::nullopt;
  Bytes shared(32);
  if (!crypto::xwing_decapsulate(seed.first<32>(), ciphertext.first<kXWingCiphertextSize>(),
                                 std::span(shared).first<32>()))
    return std::nullopt;
  return shared;
}

std::optional<Bytes> xwing_public_key(BytesView seed) {
  if (seed.size() != 32) return std::nullopt;
  return to_bytes(crypto::xwing_public_key(seed.first<32>()));
}

Bytes argon2id(BytesView password, BytesView salt, BytesView secret, BytesView data,
               std::uint32_t memory_kib, std::uint32_t passes, std::uint32_t lanes,
               std::size_t size) {
  Bytes out(size);
  HF_CHECK(crypto::argon2id(password, salt, secret, data, {memory_kib, passes, lanes}, out).ok());
  return out;
}

std::optional<Bytes> cobblestone256_open(BytesView key, BytesView context, BytesView sealed) {
  if (key.size() != kSealKeySize) return std::nullopt;
  return cobblestone_open(key.first<kSealKeySize>(), context, sealed);
}

Bytes cobblestone256_seal(BytesView key, BytesView context, BytesView salt, BytesView plain) {
  HF_CHECK(key.size() == kSealKeySize && salt.size() == kSaltSize);
  return cobblestone_seal(key.first<kSealKeySize>(), context, salt.first<kSaltSize>(), plain);
}

}  // namespace holdfast::crypto::primitives
