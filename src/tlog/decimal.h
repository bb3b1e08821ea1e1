// Numbers in the texts of C2SP: ASCII decimal without leading zeroes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast::tlog {

// nullopt for a sign, a leading zero, anything but digits, or more than 64 bits.
inline std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (UINT64_MAX - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

}  // namespace holdfast::tlog
