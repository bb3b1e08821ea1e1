// A key from a passphrase: Argon2id (RFC 9106).
#pragma once

#include <array>

#include "crypto/key.h"

namespace holdfast::crypto {

struct PassphrasePurpose {};

// Stored beside what it protects; floors are compiled in, so a store or a stolen file cannot ask
// for a cheaper derivation, nor for one that exhausts the machine.
struct PassphraseParameters {
  std::uint32_t memory_kib = 256 * 1024;
  std::uint32_t passes = 3;
  std::uint32_t lanes = 1;
  std::array<std::uint8_t, 16> salt{};

  static PassphraseParameters fresh();
};

// kInvalid below the floors (64 MiB, 3 passes, 1 lane) or above 4 GiB, 64 passes, 16 lanes.
Result<Key<PassphrasePurpose>> derive_from_passphrase(BytesView passphrase,
                                                      const PassphraseParameters& parameters);

}  // namespace holdfast::crypto
