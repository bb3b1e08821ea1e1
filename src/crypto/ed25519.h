// Ed25519 (RFC 8032) over whole messages, with no label in front: what C2SP's signed notes are made
// of. A log, a witness and an auditor sign with it; devices sign with crypto/sign.h.
//
// The message must tell by itself what it is for. docs/formats/labels.md lists how each begins.
#pragma once

#include <array>
#include <memory>

#include "crypto/key.h"

namespace holdfast::crypto {

struct Ed25519Purpose {};  // the 32-byte private key of RFC 8032

using Ed25519Signature = std::array<std::uint8_t, 64>;

struct Ed25519PublicKey {
  static constexpr std::size_t kSize = 32;
  std::array<std::uint8_t, kSize> bytes{};
  auto operator<=>(const Ed25519PublicKey&) const = default;
};

class Ed25519Key {
 public:
  explicit Ed25519Key(const Key<Ed25519Purpose>& seed);  // wiped by OpenSSL when this goes
  ~Ed25519Key();
  Ed25519Key(Ed25519Key&&) noexcept;
  Ed25519Key& operator=(Ed25519Key&&) noexcept;

  const Ed25519PublicKey& public_key() const;
  Ed25519Signature sign(BytesView message) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// False for a bad point, an s out of range (RFC 8032 section 5.1.7), or a signature of anything
// else. Keys come from configuration: one of small order is not looked for.
bool ed25519_verify(const Ed25519PublicKey& key, BytesView message,
                    const Ed25519Signature& signature);

}  // namespace holdfast::crypto
