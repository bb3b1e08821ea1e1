#include "crypto/hmac.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

namespace holdfast::crypto {

Hmac::Hmac(BytesView key, const char* hash) : context_(checked(EVP_MAC_CTX_new(hmac_algorithm()))) {
  // OpenSSL takes a null key for "the key set before", so an empty one needs an address.
  static constexpr std::uint8_t kNothing = 0;
  // The parameter is read only; OpenSSL's type for it is not const.
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(hash), 0),
      OSSL_PARAM_construct_end()};
  HF_CHECK(EVP_MAC_init(context_.get(), key.empty() ? &kNothing : key.data(), key.size(),
                        parameters) == 1);
}

void Hmac::update(BytesView bytes) {
  HF_CHECK(EVP_MAC_update(context_.get(), bytes.data(), bytes.size()) == 1);
}

void Hmac::finish(std::span<std::uint8_t> out) {
  std::size_t size = 0;
  HF_CHECK(EVP_MAC_final(context_.get(), out.data(), &size, out.size()) == 1);
  HF_CHECK(size == out.size());
  HF_CHECK(EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1);
}

}  // namespace holdfast::crypto
