#include "crypto/blocks.h"

#include <algorithm>

#include "crypto/openssl.h"

namespace holdfast::crypto {

namespace {

const EVP_CIPHER* aes128_algorithm() {
  static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-128-ECB", nullptr);
  HF_CHECK(cipher != nullptr);
  return cipher;
}

}  // namespace

struct BlockFunction::State {
  CipherContext context = checked(CipherContext(EVP_CIPHER_CTX_new()));
};

BlockFunction::BlockFunction(BytesView key) : state_(std::make_unique<State>()) {
  HF_CHECK(key.size() == 16);
  EVP_CIPHER_CTX* const context = state_->context.get();
  HF_CHECK(EVP_EncryptInit_ex2(context, aes128_algorithm(), key.data(), nullptr, nullptr) == 1);
  HF_CHECK(EVP_CIPHER_CTX_set_padding(context, 0) == 1);
}
BlockFunction::~BlockFunction() = default;
BlockFunction::BlockFunction(BlockFunction&&) noexcept = default;
BlockFunction& BlockFunction::operator=(BlockFunction&&) noexcept = default;

void BlockFunction::apply(std::span<std::uint8_t> blocks) {
  HF_CHECK(blocks.size() % 16 == 0);
  constexpr std::size_t kMost = std::size_t{1} << 30;  // OpenSSL counts in int
  while (!blocks.empty()) {
    const auto part = blocks.first(std::min(blocks.size(), kMost));
    int written = 0;
    HF_CHECK(EVP_EncryptUpdate(state_->context.get(), part.data(), &written, part.data(),
                               static_cast<int>(part.size())) == 1);
    HF_CHECK(static_cast<std::size_t>(written) == part.size());
    blocks = blocks.subspan(part.size());
  }
}

}  // namespace holdfast::crypto
