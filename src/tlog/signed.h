// How the log and auditors sign what is no note: Ed25519 over `label || SHA-256(bytes)`.
//
// The log's key signs checkpoints, too. Their text has three lines that end in a newline, the last
// of them 44 characters of base 64; a label (no newline in it) and 32 bytes have no room for that,
// so no message of one kind is one of the other. A cosignature begins with "cosignature/v1".
#pragma once

#include "crypto/ed25519.h"
#include "crypto/hash.h"

namespace holdfast::tlog {

inline Bytes labelled_message(std::string_view label, BytesView bytes) {
  Bytes out = to_bytes(as_bytes(label));
  append(out, crypto::sha256(bytes).view());
  return out;
}

}  // namespace holdfast::tlog
