// OpenSSL handles, and its algorithms fetched once: fetching takes a lock and longer than a short
// message. For .cpp files of this module.
//
// A call that can fail only for want of memory or a broken OpenSSL is an HF_CHECK: no input
// reaches it, and going on without it would mean going on without the cryptography.
#pragma once

#include <memory>

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/result.h"

namespace holdfast::crypto {

template <auto Free>
struct OpenSslFree {
  template <class T>
  void operator()(T* handle) const {
    Free(handle);
  }
};

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, OpenSslFree<EVP_CIPHER_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, OpenSslFree<EVP_MD_CTX_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, OpenSslFree<EVP_MAC_CTX_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, OpenSslFree<EVP_PKEY_CTX_free>>;
using Pkey = std::unique_ptr<EVP_PKEY, OpenSslFree<EVP_PKEY_free>>;
using BigNumber = std::unique_ptr<BIGNUM, OpenSslFree<BN_clear_free>>;
using BigContext = std::unique_ptr<BN_CTX, OpenSslFree<BN_CTX_free>>;
using EcGroup = std::unique_ptr<EC_GROUP, OpenSslFree<EC_GROUP_free>>;
using EcPoint = std::unique_ptr<EC_POINT, OpenSslFree<EC_POINT_clear_free>>;

template <class Handle>
Handle checked(Handle handle) {
  HF_CHECK(handle != nullptr);
  return handle;
}

// Never freed: other statics may still hash while the process ends.
inline const EVP_MD* sha256_algorithm() {
  static EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  HF_CHECK(md != nullptr);
  return md;
}

inline EVP_MAC* hmac_algorithm() {
  static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  HF_CHECK(mac != nullptr);
  return mac;
}

}  // namespace holdfast::crypto
