#include "keys/spoken.h"

#include "base/text_codes.h"
#include "crypto/hash.h"

namespace holdfast::keys {
namespace {
constexpr std::string_view kPrefix = "holdfast";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}
}  // namespace

std::string spell_recovery_key(const RecoveryKey& key) {
  return bech32m_encode(kPrefix, crypto::expose(key));
}

Result<RecoveryKey> read_recovery_key(std::string_view text) {
  auto bytes = bech32m_decode(kPrefix, trimmed(text));
  if (!bytes.ok()) return std::move(bytes).error().in("this is not a recovery key");
  const crypto::WipedBytes wiped(std::move(bytes).value());
  if (wiped.view().size() != RecoveryKey::kSize)
    return Error{Code::kInvalid, "this is not a recovery key: its length is wrong"};
  return RecoveryKey::from_bytes(wiped.view());
}

LocateId locate_id(const RecoveryKey& key) {
  return LocateId(
      crypto::mac(crypto::derive<LocatePurpose>(key), "holdfast/v1/recovery/locate-id", {}).bytes);
}

std::string spell_code(const CodeKey& code) {
  std::string text = crockford_encode(crypto::expose(code));
  for (const std::size_t at : {12U, 8U, 4U}) text.insert(at, "-");
  return text;
}

Result<CodeKey> read_code(std::string_view text) {
  auto bytes = crockford_decode(text);
  if (!bytes || bytes->size() != CodeKey::kSize)
    return Error{Code::kInvalid, "a code is 16 letters and digits, in four groups"};
  const crypto::WipedBytes wiped(std::move(*bytes));
  return CodeKey::from_bytes(wiped.view());
}

}  // namespace holdfast::keys
