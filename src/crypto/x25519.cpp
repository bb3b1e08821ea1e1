#include "crypto/x25519.h"

#include "crypto/openssl.h"

namespace holdfast::crypto {

namespace {

Pkey private_handle(X25519Bytes key) {
  return checked(
      Pkey(EVP_PKEY_new_raw_private_key_ex(nullptr, "X25519", nullptr, key.data(), key.size())));
}

Pkey public_handle(X25519Bytes key) {
  return checked(
      Pkey(EVP_PKEY_new_raw_public_key_ex(nullptr, "X25519", nullptr, key.data(), key.size())));
}

}  // namespace

std::array<std::uint8_t, 32> x25519_public_key(X25519Bytes private_key) {
  const Pkey key = private_handle(private_key);
  std::array<std::uint8_t, 32> out{};
  std::size_t size = out.size();
  HF_CHECK(EVP_PKEY_get_raw_public_key(key.get(), out.data(), &size) == 1 && size == out.size());
  return out;
}

bool x25519_agree(X25519Bytes private_key, X25519Bytes public_key,
                  std::span<std::uint8_t, 32> shared) {
  const Pkey own = private_handle(private_key);
  const Pkey peer = public_handle(public_key);
  const PkeyContext context =
      checked(PkeyContext(EVP_PKEY_CTX_new_from_pkey(nullptr, own.get(), nullptr)));
  HF_CHECK(EVP_PKEY_derive_init(context.get()) == 1);
  HF_CHECK(EVP_PKEY_derive_set_peer(context.get(), peer.get()) == 1);
  std::size_t size = shared.size();
  // With 32-byte keys only the all-zero check of RFC 7748 section 6.1 is left to fail.
  if (EVP_PKEY_derive(context.get(), shared.data(), &size) != 1) {
    ERR_clear_error();
    return false;
  }
  HF_CHECK(size == shared.size());
  return true;
}

}  // namespace holdfast::crypto
