#include "store/layout.h"

#include "wire/cbor.h"

namespace holdfast::store {
namespace {

// The decoder judges it: `text` with the head of a CBOR text, of at most 64 bytes (RFC 8949 3.1).
bool is_utf8(std::string_view text) {
  const auto size = static_cast<std::uint8_t>(text.size());
  Bytes bytes = size < 24 ? Bytes{static_cast<std::uint8_t>(0x60 + size)} : Bytes{0x78, size};
  append(bytes, as_bytes(text));
  return wire::Decoder(bytes).get_text().ok();
}

bool has_control_characters(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto b = static_cast<unsigned char>(text[i]);
    if (b < 0x20 || b == 0x7f) return true;
    // U+0080 to U+009F
    if (b == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0)
      return true;
  }
  return false;
}

}  // namespace

Result<void> check_account_name(const std::string& account) {
  if (account.empty() || account.size() > 64)
    return Error{Code::kInvalid, "the name of an account has 1 to 64 bytes"};
  if (!is_utf8(account) || has_control_characters(account))
    return Error{Code::kInvalid, "the name of an account is UTF-8 without control characters"};
  return Ok{};
}

std::string account_folder(const std::string& account) {
  return "accounts/" + to_hex(as_bytes(account));
}

std::optional<std::string> account_of(const std::string& name) {
  const auto bytes = from_hex(name);
  if (!bytes || to_hex(*bytes) != name) return std::nullopt;
  std::string account(as_text(*bytes));
  if (!check_account_name(account).ok()) return std::nullopt;
  return account;
}

std::string numbered(std::uint64_t n) {
  const std::string digits = std::to_string(n);
  return digits.size() >= 8 ? digits : std::string(8 - digits.size(), '0') + digits;
}

}  // namespace holdfast::store
