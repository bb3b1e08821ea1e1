#include "crypto/hash.h"

#include "crypto/hmac.h"
#include "crypto/openssl.h"

namespace holdfast::crypto {

struct Sha256::State {
  DigestContext context = checked(DigestContext(EVP_MD_CTX_new()));
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  HF_CHECK(EVP_DigestInit_ex2(state_->context.get(), sha256_algorithm(), nullptr) == 1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(BytesView bytes) {
  HF_CHECK(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

Digest Sha256::finish() {
  Digest digest;
  HF_CHECK(EVP_DigestFinal_ex(state_->context.get(), digest.bytes.data(), nullptr) == 1);
  return digest;
}

Digest sha256(BytesView bytes) { return sha256({}, bytes); }

Digest sha256(std::string_view label, BytesView bytes) {
  Sha256 hash;
  hash.update(as_bytes(label));
  hash.update(bytes);
  return hash.finish();
}

namespace detail {

Digest hmac(BytesView key, std::initializer_list<BytesView> parts) {
  Hmac hmac(key, "SHA256");
  for (const BytesView part : parts) hmac.update(part);
  Digest digest;
  hmac.finish(digest.bytes);
  return digest;
}

}  // namespace detail

struct Mac::State {
  Hmac hmac;
};

Mac::Mac(BytesView key) : state_(std::make_unique<State>(State{Hmac(key, "SHA256")})) {}
Mac::~Mac() = default;
Mac::Mac(Mac&&) noexcept = default;
Mac& Mac::operator=(Mac&&) noexcept = default;

Digest Mac::compute(std::uint8_t type, BytesView bytes) {
  state_->hmac.update({&type, 1});
  state_->hmac.update(bytes);
  Digest digest;
  state_->hmac.finish(digest.bytes);
  return digest;
}

bool equal(BytesView a, BytesView b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace holdfast::crypto
