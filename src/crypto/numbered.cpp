#include "crypto/numbered.h"

#include <algorithm>

#include "crypto/gcm.h"

namespace holdfast::crypto {
namespace {

std::array<std::uint8_t, Gcm::kNonceSize> nonce_of(std::uint64_t number) {
  std::array<std::uint8_t, Gcm::kNonceSize> nonce{};
  for (std::size_t i = 0; i < 8; ++i)
    nonce[nonce.size() - 1 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  return nonce;
}

}  // namespace

struct NumberedSealer::State {
  Gcm cipher;
};

NumberedSealer::NumberedSealer(BytesView key)
    : state_(new State{Gcm(key.first<Gcm::kKeySize>(), Gcm::Direction::kSeal)}) {}
NumberedSealer::~NumberedSealer() = default;
NumberedSealer::NumberedSealer(NumberedSealer&&) noexcept = default;

void NumberedSealer::seal(BytesView plain, Bytes& to) {
  HF_CHECK(next_ != UINT64_MAX);
  const std::size_t at = to.size();
  to.resize(at + plain.size() + kNumberedTag);
  state_->cipher.seal(nonce_of(next_++), {}, plain, std::span(to).subspan(at));
}

struct NumberedOpener::State {
  Gcm cipher;
};

NumberedOpener::NumberedOpener(BytesView key)
    : state_(new State{Gcm(key.first<Gcm::kKeySize>(), Gcm::Direction::kOpen)}) {}
NumberedOpener::~NumberedOpener() = default;
NumberedOpener::NumberedOpener(NumberedOpener&&) noexcept = default;
NumberedOpener& NumberedOpener::operator=(NumberedOpener&&) noexcept = default;

bool NumberedOpener::open(std::uint64_t number, BytesView sealed, std::span<std::uint8_t> out) {
  if (state_->cipher.open(nonce_of(number), {}, sealed, out)) return true;
  std::ranges::fill(out, std::uint8_t{0});
  return false;
}

}  // namespace holdfast::crypto
