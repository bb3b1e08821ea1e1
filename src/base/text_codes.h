// Spellings that people copy by hand: Bech32m for the recovery key, Crockford base32 for codes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast {

// Bech32m (BIP-350) without the segwit version byte: any data, any length up to 90 characters.
std::string bech32m_encode(std::string_view prefix, BytesView data);
// kInvalid when the spelling or the checksum is wrong; says which.
Result<Bytes> bech32m_decode(std::string_view prefix, std::string_view text);

// The checksum rule alone, for BIP-350's vectors.
bool bech32m_valid(std::string_view text);

// Crockford's base32: upper case, no I L O U; five bits a character, most significant first.
std::string crockford_encode(BytesView data);
// Forgives case, spaces, hyphens and the look-alikes O, I, L. nullopt on anything else, or when
// the characters do not make whole bytes.
std::optional<Bytes> crockford_decode(std::string_view text);

}  // namespace holdfast
