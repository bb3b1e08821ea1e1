// Argon2id (RFC 9106). For .cpp files of this module.
#pragma once

#include "crypto/key.h"

namespace holdfast::crypto {

struct Argon2Cost {
  std::uint32_t memory_kib;
  std::uint32_t passes;
  std::uint32_t lanes;
};

// kUnavailable when there is not enough memory, kInvalid for a cost that Argon2 does not have.
Result<void> argon2id(BytesView password, BytesView salt, BytesView secret, BytesView data,
                      const Argon2Cost& cost, std::span<std::uint8_t> out);

}  // namespace holdfast::crypto
