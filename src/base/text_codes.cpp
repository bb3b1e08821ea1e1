#include "base/text_codes.h"

#include <array>
#include <cstdint>
#include <vector>

namespace holdfast {
namespace {

constexpr std::string_view kBech32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::string_view kCrockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::uint32_t kBech32mConstant = 0x2bc830a3;

// BIP-173, "Checksum".
std::uint32_t polymod(std::span<const std::uint8_t> values) {
  static constexpr std::array<std::uint32_t, 5> kGenerator = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa,
                                                              0x3d4233dd, 0x2a1462b3};
  std::uint32_t check = 1;
  for (const std::uint8_t v : values) {
    const std::uint32_t top = check >> 25;
    check = (check & 0x1ffffff) << 5 ^ v;
    for (unsigned i = 0; i < 5; ++i)
      if ((top >> i & 1) != 0) check ^= kGenerator[i];
  }
  return check;
}

std::vector<std::uint8_t> expand_prefix(std::string_view prefix) {
  std::vector<std::uint8_t> out;
  for (const char c : prefix) out.push_back(static_cast<std::uint8_t>(c) >> 5);
  out.push_back(0);
  for (const char c : prefix) out.push_back(static_cast<std::uint8_t>(c) & 31);
  return out;
}

std::vector<std::uint8_t> to_fives(BytesView data) {
  std::vector<std::uint8_t> out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const std::uint8_t b : data) {
    bits = (bits << 8 | b) & 0xfff;
    for (count += 8; count >= 5; count -= 5) out.push_back(bits >> (count - 5) & 31);
  }
  if (count > 0) out.push_back(static_cast<std::uint8_t>(bits << (5 - count) & 31));
  return out;
}

// nullopt when the left-over bits are five or more, or not zero: a second spelling.
std::optional<Bytes> from_fives(std::span<const std::uint8_t> fives) {
  Bytes out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const std::uint8_t v : fives) {
    bits = (bits << 5 | v) & 0xfff;
    count += 5;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<std::uint8_t>(bits >> count));
    }
  }
  if (count >= 5 || (bits & ((1U << count) - 1)) != 0) return std::nullopt;
  return out;
}

struct Parsed {
  std::string prefix;
  std::vector<std::uint8_t> fives;  // data and the six of the checksum
};

std::optional<Parsed> parse(std::string_view text) {
  if (text.size() > 90) return std::nullopt;
  bool lower = false;
  bool upper = false;
  std::string folded;
  for (const char c : text) {
    if (c < 33 || c > 126) return std::nullopt;
    lower = lower || (c >= 'a' && c <= 'z');
    upper = upper || (c >= 'A' && c <= 'Z');
    folded.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  const auto separator = folded.rfind('1');
  if ((lower && upper) || separator == std::string::npos || separator == 0 ||
      folded.size() - separator < 7)
    return std::nullopt;
  Parsed parsed{folded.substr(0, separator), {}};
  for (const char c : folded.substr(separator + 1)) {
    const auto at = kBech32.find(c);
    if (at == std::string_view::npos) return std::nullopt;
    parsed.fives.push_back(static_cast<std::uint8_t>(at));
  }
  auto all = expand_prefix(parsed.prefix);
  all.insert(all.end(), parsed.fives.begin(), parsed.fives.end());
  if (polymod(all) != kBech32mConstant) return std::nullopt;
  return parsed;
}

}  // namespace

std::string bech32m_encode(std::string_view prefix, BytesView data) {
  const auto fives = to_fives(data);
  auto all = expand_prefix(prefix);
  all.insert(all.end(), fives.begin(), fives.end());
  all.insert(all.end(), 6, 0);
  const std::uint32_t check = polymod(all) ^ kBech32mConstant;
  std::string text(prefix);
  text.push_back('1');
  for (const std::uint8_t v : fives) text.push_back(kBech32[v]);
  for (unsigned i = 0; i < 6; ++i) text.push_back(kBech32[check >> (5 * (5 - i)) & 31]);
  return text;
}

bool bech32m_valid(std::string_view text) { return parse(text).has_value(); }

Result<Bytes> bech32m_decode(std::string_view prefix, std::string_view text) {
  const auto parsed = parse(text);
  if (!parsed)
    return Error{Code::kInvalid, "a character was mistyped, left out or added (checksum)"};
  if (parsed->prefix != prefix)
    return Error{Code::kInvalid, "it does not start with " + std::string(prefix) + "1"};
  auto bytes = from_fives(std::span(parsed->fives).first(parsed->fives.size() - 6));
  if (!bytes) return Error{Code::kInvalid, "its length is wrong"};
  return std::move(*bytes);
}

std::string crockford_encode(BytesView data) {
  std::string text;
  for (const std::uint8_t v : to_fives(data)) text.push_back(kCrockford[v]);
  return text;
}

std::optional<Bytes> crockford_decode(std::string_view text) {
  std::vector<std::uint8_t> fives;
  for (char c : text) {
    if (c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == 'O') c = '0';
    if (c == 'I' || c == 'L') c = '1';
    const auto at = kCrockford.find(c);
    if (at == std::string_view::npos) return std::nullopt;
    fives.push_back(static_cast<std::uint8_t>(at));
  }
  return from_fives(fives);
}

}  // namespace holdfast
