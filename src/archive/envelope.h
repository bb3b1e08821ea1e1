// A pack sealed again: its sealed bytes and its key, in another object under a fresh key. The pack
// itself stays what it is, so that its name still says which bytes it had when it was written.
#pragma once

#include "archive/access.h"
#include "archive/format.h"
#include "base/result.h"

namespace holdfast::archive {

struct SealedBytes {
  keys::PackKey key;
  Bytes bytes;
};

struct SealedEnvelope {
  PackId object;
  keys::PackKey key;
  Bytes bytes;
};

// kInvalid: it would be larger than an object may be.
Result<SealedEnvelope> seal_envelope(const VaultAccess& access, const PackId& pack,
                                     const SealedBytes& inner);
// kCorrupt: it is no envelope of this pack, whoever made it.
Result<SealedBytes> open_envelope(const VaultAccess& access, const PackId& pack,
                                  const keys::PackKey& key, BytesView sealed);

}  // namespace holdfast::archive
