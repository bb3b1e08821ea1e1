// HKDF (RFC 5869) in its two steps, over input given in parts. For .cpp files of this module.
#pragma once

#include <initializer_list>

#include "crypto/secret.h"

namespace holdfast::crypto {

enum class HkdfHash { kSha256, kSha512 };

void hkdf_extract_sha256(BytesView salt, std::initializer_list<BytesView> secret,
                         std::span<std::uint8_t, 32> prk);

// At most 255 times the size of the hash.
void hkdf_expand(HkdfHash hash, BytesView prk, std::initializer_list<BytesView> info,
                 std::span<std::uint8_t> out);

}  // namespace holdfast::crypto
