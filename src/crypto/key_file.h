// An Ed25519 key in a file of its own: 32 bytes, mode 0600. For programs that sign as themselves.
#pragma once

#include <optional>
#include <string>

#include "crypto/ed25519.h"

namespace holdfast::crypto {

// `expected`: the public key that something else here relies on: kUnsafe where the file is gone or
// holds another. Without it a key is made where there is none. kCorrupt: the file is no key.
Result<Key<Ed25519Purpose>> load_or_make_key(
    const std::string& path, const std::optional<Ed25519PublicKey>& expected = std::nullopt);

}  // namespace holdfast::crypto
