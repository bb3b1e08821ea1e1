// Wrapping keys to a public key: HPKE (RFC 9180, base mode, one message) with KEM X-Wing
// (ML-KEM-768 + X25519, 0x647a, draft-connolly-cfrg-xwing-kem), HKDF-SHA256 and AES-256-GCM.
// Post-quantum hybrid: reading a wrapped key takes breaking both.
#pragma once

#include <array>

#include "crypto/key.h"

namespace holdfast::crypto {

struct WrapPurpose {};  // the 32-byte X-Wing private key (a seed)

// An X-Wing public key. Holding one says only that its length is right; wrap_key checks the rest.
struct WrapPublicKey {
  static constexpr std::size_t kSize = 1216;
  std::array<std::uint8_t, kSize> bytes{};
  bool operator==(const WrapPublicKey&) const = default;
};

constexpr std::size_t kWrapEncSize = 1120;
constexpr std::size_t kWrappedKeySize = kWrapEncSize + 32 + 16;  // enc || AES-256-GCM of 32 bytes

WrapPublicKey wrap_public_key(const Key<WrapPurpose>& key);

namespace detail {
Result<Bytes> wrap(const WrapPublicKey& to, BytesView info, BytesView plain);
Result<Bytes> unwrap(const Key<WrapPurpose>& key, BytesView info, BytesView wrapped);
}  // namespace detail

// kInvalid when `to` is not a valid X-Wing key (ML-KEM modulus check).
template <class Inner>
Result<Bytes> wrap_key(const WrapPublicKey& to, BytesView info, const Key<Inner>& inner) {
  return detail::wrap(to, info, expose(inner));
}

template <class Inner>
Result<Key<Inner>> unwrap_key(const Key<WrapPurpose>& key, BytesView info, BytesView wrapped) {
  const WipedBytes plain(TRY(detail::unwrap(key, info, wrapped)));
  if (plain.view().size() != Key<Inner>::kSize)
    return Error{Code::kCorrupt, "a wrapped key has the wrong length"};
  return Key<Inner>::from_bytes(plain.view());
}

}  // namespace holdfast::crypto
