#include "crypto/ed25519.h"

#include "crypto/openssl.h"

namespace holdfast::crypto {

struct Ed25519Key::State {
  Pkey key;
  Ed25519PublicKey public_key;
};

Ed25519Key::Ed25519Key(const Key<Ed25519Purpose>& seed) {
  const BytesView bytes = expose(seed);
  Pkey key = checked(Pkey(
      EVP_PKEY_new_raw_private_key_ex(nullptr, "ED25519", nullptr, bytes.data(), bytes.size())));
  Ed25519PublicKey point;
  std::size_t size = point.bytes.size();
  HF_CHECK(EVP_PKEY_get_raw_public_key(key.get(), point.bytes.data(), &size) == 1 &&
           size == point.bytes.size());
  state_ = std::make_unique<State>(State{std::move(key), point});
}
Ed25519Key::~Ed25519Key() = default;
Ed25519Key::Ed25519Key(Ed25519Key&&) noexcept = default;
Ed25519Key& Ed25519Key::operator=(Ed25519Key&&) noexcept = default;

const Ed25519PublicKey& Ed25519Key::public_key() const { return state_->public_key; }

Ed25519Signature Ed25519Key::sign(BytesView message) const {
  const DigestContext context = checked(DigestContext(EVP_MD_CTX_new()));
  HF_CHECK(EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr,
                                 state_->key.get(), nullptr) == 1);
  Ed25519Signature out{};
  std::size_t size = out.size();
  HF_CHECK(EVP_DigestSign(context.get(), out.data(), &size, message.data(), message.size()) == 1 &&
           size == out.size());
  return out;
}

bool ed25519_verify(const Ed25519PublicKey& key, BytesView message,
                    const Ed25519Signature& signature) {
  const Pkey pkey = checked(Pkey(EVP_PKEY_new_raw_public_key_ex(
      nullptr, "ED25519", nullptr, key.bytes.data(), key.bytes.size())));
  const DigestContext context = checked(DigestContext(EVP_MD_CTX_new()));
  HF_CHECK(EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, pkey.get(),
                                   nullptr) == 1);
  const bool good = EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                                     message.data(), message.size()) == 1;
  if (!good) ERR_clear_error();
  return good;
}

}  // namespace holdfast::crypto
