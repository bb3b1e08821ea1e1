// What is signed with Ed25519 where it is no note: `label || SHA-256(bytes)`.
//
// A log's key signs checkpoints, too. Their text has three lines that end in a newline, the last of
// them 44 characters of base 64; a label (no newline in it) and 32 bytes have no room for that, so
// no message of one kind is one of the other. A cosignature begins with "cosignature/v1".
#pragma once

#include "crypto/ed25519.h"
#include "crypto/hash.h"

namespace holdfast::crypto {

inline Bytes labelled_message(std::string_view label, BytesView bytes) {
  Bytes out = to_bytes(as_bytes(label));
  append(out, sha256(bytes).view());
  return out;
}

}  // namespace holdfast::crypto
