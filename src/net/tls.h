// OpenSSL's objects with owners. Only for the files that do TLS: stream.cpp and tls.cpp.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

#include "net/stream.h"

namespace holdfast::net {

template <auto kFree>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using SslPtr = std::unique_ptr<SSL, FreeWith<SSL_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using CertificatePtr = std::unique_ptr<X509, FreeWith<X509_free>>;
using TlsKeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, FreeWith<BIO_free>>;

// SHA-256 of the certificate's SubjectPublicKeyInfo; empty when it has none that can be encoded.
Bytes pin_of(const X509* certificate);
// TLS 1.3 and nothing else, without tickets or sessions, small while idle. Null: out of memory.
SslContextPtr make_context(const SSL_METHOD* method);

// A client shows the identity that a server has. False: out of memory.
bool show_identity(SSL_CTX* client, SSL_CTX* server);

struct ServerTls::State {
  SslContextPtr context;
  Bytes pin;
  Bytes client_pin;  // of the only one who may connect; empty: anyone
};

}  // namespace holdfast::net
