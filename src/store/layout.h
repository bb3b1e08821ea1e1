// Where things lie in a store; docs/formats/store.md.
//
//   accounts/<hex of the name>/circle/<number>              one Entry each, from 00000000 on
//                             /blobs/<sha-256>              envelopes and sealed keys
//                             /vaults/<vault>/<number>      records, from 00000001 on
//                             /packs/<2 digits>/<sha-256>
//                             /joins/<request>.<message>
//
// Names are in lower-case hexadecimal; anything else found there is left alone.
#pragma once

#include <optional>
#include <string>

#include "base/id.h"
#include "base/result.h"

namespace holdfast::store {

// kInvalid unless 1 to 64 bytes of UTF-8 without control characters.
Result<void> check_account_name(const std::string& account);

std::string account_folder(const std::string& account);
// The account that a name under accounts/ stands for.
std::optional<std::string> account_of(const std::string& name);

// At least eight digits.
std::string numbered(std::uint64_t n);

template <class AnyId>
std::optional<AnyId> id_of(std::string_view name) {
  const auto bytes = from_hex(name);
  if (!bytes) return std::nullopt;
  const auto id = AnyId::from(*bytes);
  if (!id || id->hex() != name) return std::nullopt;
  return id;
}

}  // namespace holdfast::store
