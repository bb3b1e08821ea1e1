// Secret bytes of a fixed size on the stack of this module, wiped when they go.
#pragma once

#include <array>

#include "crypto/key.h"

namespace holdfast::crypto {

template <std::size_t N>
class Secret {
 public:
  Secret() = default;
  ~Secret() { wipe(bytes_); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  std::span<std::uint8_t, N> span() { return bytes_; }
  std::span<const std::uint8_t, N> view() const { return bytes_; }

 private:
  std::array<std::uint8_t, N> bytes_{};
};

}  // namespace holdfast::crypto
