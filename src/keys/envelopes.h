// The blobs of an epoch statement: R_e wrapped to readers, and the keys sealed under R_e and D_e.
// Each is bound to where it lies: circle, epoch, vault and kind.
#pragma once

#include "base/id.h"
#include "keys/hierarchy.h"

namespace holdfast::keys {

// Where a blob lives.
struct Place {
  CircleId circle;
  std::uint32_t epoch = 0;
  VaultId vault;  // zero where the blob is the whole account's
};

// The MAC under R_e that every epoch statement carries, so that all readers hold the same root.
Digest epoch_check(const RootKey& root, const CircleId& circle, std::uint32_t epoch);

Result<Bytes> wrap_root(const RootKey& root, const Place& place, const crypto::WrapPublicKey& to);
// Checks the root against the statement's `check`; kUnsafe when it differs.
Result<RootKey> unwrap_root(const crypto::Key<crypto::WrapPurpose>& key, const Place& place,
                            BytesView wrapped, const Digest& check);

// R_(e-1) under R_e; `place.epoch` is e.
Bytes seal_backlink(const RootKey& root, const Place& place, const RootKey& previous);
Result<RootKey> open_backlink(const RootKey& root, const Place& place, BytesView sealed,
                              const Digest& previous_check);

Bytes seal_vault_key(const RootKey& root, const Place& place, const VaultKey& key);
Result<VaultKey> open_vault_key(const RootKey& root, const Place& place, BytesView sealed);
// D_(v,e) to a reader of this vault alone: the custodian.
Result<Bytes> wrap_vault_key(const VaultKey& key, const Place& place,
                             const crypto::WrapPublicKey& to);
Result<VaultKey> unwrap_vault_key(const crypto::Key<crypto::WrapPurpose>& key, const Place& place,
                                  BytesView wrapped);
// D_(v,e-1) under D_(v,e).
Bytes seal_vault_link(const VaultKey& key, const Place& place, const VaultKey& previous);
Result<VaultKey> open_vault_link(const VaultKey& key, const Place& place, BytesView sealed);
Bytes seal_naming(const RootKey& root, const Place& place, const NamingKey& key);
Result<NamingKey> open_naming(const RootKey& root, const Place& place, BytesView sealed);
Bytes seal_cutting(const RootKey& root, const Place& place, const CuttingKey& key);
Result<CuttingKey> open_cutting(const RootKey& root, const Place& place, BytesView sealed);

}  // namespace holdfast::keys
