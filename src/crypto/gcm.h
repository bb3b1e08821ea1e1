// AES-256-GCM with 96-bit nonces and 128-bit tags, one key for many messages, no additional data
// unless given. The caller never repeats a nonce. For .cpp files of this module.
#pragma once

#include "crypto/key.h"
#include "crypto/openssl.h"

namespace holdfast::crypto {

class Gcm {
 public:
  static constexpr std::size_t kKeySize = 32;
  static constexpr std::size_t kNonceSize = 12;
  static constexpr std::size_t kTagSize = 16;
  using Nonce = std::span<const std::uint8_t, kNonceSize>;

  enum class Direction { kSeal, kOpen };
  Gcm(std::span<const std::uint8_t, kKeySize> key, Direction direction);

  // `out` has room for the plaintext and the tag.
  void seal(Nonce nonce, BytesView aad, BytesView plain, std::span<std::uint8_t> out);
  // `out` is kTagSize shorter than `sealed`. Where this returns false, it holds bytes that nobody
  // vouches for: the caller wipes them.
  [[nodiscard]] bool open(Nonce nonce, BytesView aad, BytesView sealed,
                          std::span<std::uint8_t> out);

 private:
  void run(BytesView aad, BytesView in, std::uint8_t* out);
  CipherContext context_;
};

}  // namespace holdfast::crypto
