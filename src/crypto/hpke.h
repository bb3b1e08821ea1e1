// The key schedule of HPKE (RFC 9180 section 5.1), base mode, KDF HKDF-SHA256. For .cpp files of
// this module.
#pragma once

#include <array>

#include "crypto/gcm.h"
#include "crypto/secret.h"

namespace holdfast::crypto {

struct HpkeSuite {
  std::uint16_t kem;
  std::uint16_t kdf;
  std::uint16_t aead;
};

// X-Wing, HKDF-SHA256, AES-256-GCM. X-Wing's secret goes straight into the schedule: X-Wing is its
// own ExtractAndExpand.
constexpr HpkeSuite kHpkeSuite{0x647a, 0x0001, 0x0002};

// AEAD key and base nonce; both AEADs whose vectors we have use 32 and 12 bytes.
struct HpkeKeys {
  Secret<Gcm::kKeySize> key;
  Secret<Gcm::kNonceSize> base_nonce;

  HpkeKeys(const HpkeSuite& suite, std::span<const std::uint8_t, 32> shared, BytesView info);
};

}  // namespace holdfast::crypto
