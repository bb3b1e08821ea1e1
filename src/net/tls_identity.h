// What stands behind ServerTls; for this module's own files.
#pragma once

#include <openssl/ssl.h>

#include "net/stream.h"

namespace holdfast::net {

// SHA-256 of the certificate's SubjectPublicKeyInfo in DER.
Bytes pin_of(const X509* certificate);

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

struct ServerTls::State {
  std::unique_ptr<SSL_CTX, FreeContext> context;
  Bytes pin;
};

}  // namespace holdfast::net
