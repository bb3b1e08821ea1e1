// A keyed HMAC context of OpenSSL. For .cpp files of this module.
#pragma once

#include <array>

#include "crypto/key.h"
#include "crypto/openssl.h"

namespace holdfast::crypto {

class Hmac {
 public:
  // `hash` is a name OpenSSL knows.
  Hmac(BytesView key, const char* hash);
  void update(BytesView bytes);
  // As many bytes as the hash has; the context is then ready for the next message.
  void finish(std::span<std::uint8_t> out);

 private:
  MacContext context_;
};

}  // namespace holdfast::crypto
