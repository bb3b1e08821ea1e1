// Device signatures: ECDSA P-256 with SHA-256, 64 bytes r || s, low s only (a second spelling of a
// signature is refused). Messages are signed as `label || SHA-256(bytes)`, a label per format
// (docs/formats/labels.md).
#pragma once

#include <array>
#include <memory>

#include "crypto/key.h"

namespace holdfast::crypto {

struct SigningPurpose {};  // 32 bytes from which the P-256 private key is made

using Signature = std::array<std::uint8_t, 64>;

// Uncompressed SEC1 point, 65 bytes beginning with 4: what WebCrypto and PKCS#11 speak.
struct VerifyKey {
  static constexpr std::size_t kSize = 65;
  std::array<std::uint8_t, kSize> bytes{};
  bool operator==(const VerifyKey&) const = default;
};

class SigningKey {
 public:
  // The private scalar is 48 bytes of HKDF output reduced to [1, n-1] (FIPS 186-5 A.2.1), so one
  // seed gives one key. Wiped by OpenSSL when this goes.
  explicit SigningKey(const Key<SigningPurpose>& seed);
  ~SigningKey();
  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;

  const VerifyKey& verify_key() const;
  Signature sign(std::string_view label, BytesView bytes) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Whether it is a point of the curve: a key that was typed wrong is none.
bool is_point(const VerifyKey& key);

// False for a bad point, a high s, or a signature of anything else.
bool verify(const VerifyKey& key, std::string_view label, BytesView bytes,
            const Signature& signature);

}  // namespace holdfast::crypto
