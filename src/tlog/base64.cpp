#include "tlog/base64.h"

#include <algorithm>

namespace holdfast::tlog {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char digit(std::uint32_t value) { return kAlphabet[value & 63U]; }

}  // namespace

std::string base64_encode(BytesView bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const BytesView part = bytes.subspan(at, std::min<std::size_t>(3, bytes.size() - at));
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < part.size() ? part[i] : 0U);
    out += digit(group >> 18);
    out += digit(group >> 12);
    out += part.size() > 1 ? digit(group >> 6) : '=';
    out += part.size() > 2 ? digit(group) : '=';
  }
  return out;
}

std::optional<Bytes> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string_view digits = text;
  while (!digits.empty() && digits.back() == '=') digits.remove_suffix(1);
  if (text.size() - digits.size() > 2) return std::nullopt;
  Bytes out;
  out.reserve(digits.size() * 3 / 4);
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const char c : digits) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    group = group << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<std::uint8_t>(group >> bits));
      group &= (1U << bits) - 1;
    }
  }
  // RFC 4648 section 3.5: pad bits that are not zero would be a second spelling.
  if (group != 0) return std::nullopt;
  return out;
}

}  // namespace holdfast::tlog
