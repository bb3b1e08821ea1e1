#include "crypto/gcm.h"

#include <climits>

namespace holdfast::crypto {

namespace {

const EVP_CIPHER* aes256gcm_algorithm() {
  static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  HF_CHECK(cipher != nullptr);
  return cipher;
}

}  // namespace

Gcm::Gcm(std::span<const std::uint8_t, kKeySize> key, Direction direction)
    : context_(checked(CipherContext(EVP_CIPHER_CTX_new()))) {
  const int encrypt = direction == Direction::kSeal ? 1 : 0;
  HF_CHECK(EVP_CipherInit_ex2(context_.get(), aes256gcm_algorithm(), key.data(), nullptr, encrypt,
                              nullptr) == 1);
}

void Gcm::run(BytesView aad, BytesView in, std::uint8_t* out) {
  HF_CHECK(aad.size() <= INT_MAX && in.size() <= INT_MAX);
  int size = 0;
  if (!aad.empty())
    HF_CHECK(EVP_CipherUpdate(context_.get(), nullptr, &size, aad.data(),
                              static_cast<int>(aad.size())) == 1);
  if (in.empty()) return;
  HF_CHECK(EVP_CipherUpdate(context_.get(), out, &size, in.data(), static_cast<int>(in.size())) ==
           1);
  HF_CHECK(static_cast<std::size_t>(size) == in.size());
}

void Gcm::seal(Nonce nonce, BytesView aad, BytesView plain, std::span<std::uint8_t> out) {
  HF_CHECK(out.size() == plain.size() + kTagSize);
  EVP_CIPHER_CTX* const context = context_.get();
  HF_CHECK(EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1);
  run(aad, plain, out.data());
  std::uint8_t* const tag = out.data() + plain.size();
  int size = 0;
  HF_CHECK(EVP_EncryptFinal_ex(context, tag, &size) == 1 && size == 0);
  HF_CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagSize, tag) == 1);
}

bool Gcm::open(Nonce nonce, BytesView aad, BytesView sealed, std::span<std::uint8_t> out) {
  HF_CHECK(sealed.size() >= kTagSize && out.size() == sealed.size() - kTagSize);
  EVP_CIPHER_CTX* const context = context_.get();
  const BytesView body = sealed.first(out.size());
  const BytesView tag = sealed.last(kTagSize);
  HF_CHECK(EVP_DecryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1);
  run(aad, body, out.data());
  // OpenSSL's parameter is not const because the same call also reads tags.
  HF_CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagSize,
                               const_cast<std::uint8_t*>(tag.data())) == 1);
  int size = 0;
  std::uint8_t nothing = 0;
  const bool good = EVP_DecryptFinal_ex(context, &nothing, &size) == 1;
  if (!good) ERR_clear_error();
  return good;
}

}  // namespace holdfast::crypto
