// Sealing: C2SP chunked-encryption with AES-256-GCM, SHA-512 and key commitment
// ("Cobblestone-256", https://c2sp.org/chunked-encryption), one construction for large and small.
//
// Every seal names its context: where the ciphertext lives. A ciphertext moved elsewhere, cut,
// flipped, extended or opened with another key is refused with kCorrupt. 24 bytes of random salt
// from the kernel make each (key, nonce) unique; nothing is remembered between calls.
#pragma once

#include "crypto/key.h"

namespace holdfast::crypto {

// 56 bytes of salt and commitment, and 16 for each 16 KiB begun (one even for nothing).
constexpr std::uint64_t sealed_size(std::uint64_t plain) {
  return 56 + plain + 16 * (plain / 16384 + 1);
}
// The largest plaintext whose sealed size is at most `sealed`, for reserving.
std::uint64_t opened_size(std::uint64_t sealed);

namespace detail {
Bytes seal(BytesView key, BytesView context, BytesView plain);
Result<Bytes> open(BytesView key, BytesView context, BytesView sealed);
}  // namespace detail

template <class Purpose>
Bytes seal(const Key<Purpose>& key, BytesView context, BytesView plain) {
  static_assert(Key<Purpose>::kSize == 32);
  return detail::seal(expose(key), context, plain);
}

template <class Purpose>
Result<Bytes> open(const Key<Purpose>& key, BytesView context, BytesView sealed) {
  static_assert(Key<Purpose>::kSize == 32);
  return detail::open(expose(key), context, sealed);
}

// A key under a key: wraps nothing else, so that key bytes pass through no caller.
template <class Outer, class Inner>
Bytes seal_key(const Key<Outer>& key, BytesView context, const Key<Inner>& inner) {
  return detail::seal(expose(key), context, expose(inner));
}

template <class Inner, class Outer>
Result<Key<Inner>> open_key(const Key<Outer>& key, BytesView context, BytesView sealed) {
  const WipedBytes plain(TRY(detail::open(expose(key), context, sealed)));
  if (plain.view().size() != Key<Inner>::kSize)
    return Error{Code::kCorrupt, "a sealed key has the wrong length"};
  return Key<Inner>::from_bytes(plain.view());
}

}  // namespace holdfast::crypto
