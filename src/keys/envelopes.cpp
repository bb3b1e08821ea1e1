#include "keys/envelopes.h"

#include "crypto/hash.h"
#include "crypto/seal.h"
#include "wire/fields.h"

namespace holdfast::keys {
namespace {

Bytes context(const Place& place, std::string_view kind) {
  return wire::encode_array("holdfast/v1/sealed-key", place.circle, place.vault, kind, place.epoch);
}

Bytes wrap_info(const Place& place, const crypto::WrapPublicKey& to) {
  return wire::encode_array("holdfast/v1/root-envelope", place.circle, place.epoch, "root",
                            place.vault, crypto::sha256(to.bytes));
}

Bytes vault_info(const Place& place, const crypto::WrapPublicKey& to) {
  return wire::encode_array("holdfast/v1/vault-envelope", place.circle, place.epoch, "vault",
                            place.vault, crypto::sha256(to.bytes));
}

crypto::Key<RootSealPurpose> sealing(const RootKey& root) {
  return crypto::derive<RootSealPurpose>(root);
}

}  // namespace

Digest epoch_check(const RootKey& root, const CircleId& circle, std::uint32_t epoch) {
  return crypto::mac(crypto::derive<EpochCheckPurpose>(root), "holdfast/v1/epoch-check",
                     wire::encode_array(circle, epoch));
}

Result<Bytes> wrap_root(const RootKey& root, const Place& place, const crypto::WrapPublicKey& to) {
  return crypto::wrap_key(to, wrap_info(place, to), root);
}

Result<RootKey> unwrap_root(const crypto::Key<crypto::WrapPurpose>& key, const Place& place,
                            BytesView wrapped, const Digest& check) {
  RootKey root = TRY(crypto::unwrap_key<RootPurpose>(
      key, wrap_info(place, crypto::wrap_public_key(key)), wrapped));
  if (!crypto::equal(epoch_check(root, place.circle, place.epoch).view(), check.view()))
    return Error{Code::kUnsafe, "an envelope holds another root key than its statement says"};
  return root;
}

Bytes seal_backlink(const RootKey& root, const Place& place, const RootKey& previous) {
  return crypto::seal_key(sealing(root), context(place, "backlink"), previous);
}

Result<RootKey> open_backlink(const RootKey& root, const Place& place, BytesView sealed,
                              const Digest& previous_check) {
  RootKey previous =
      TRY(crypto::open_key<RootPurpose>(sealing(root), context(place, "backlink"), sealed));
  if (!crypto::equal(epoch_check(previous, place.circle, place.epoch - 1).view(),
                     previous_check.view()))
    return Error{Code::kUnsafe, "a backlink holds another root key than its statement says"};
  return previous;
}

Bytes seal_vault_key(const RootKey& root, const Place& place, const VaultKey& key) {
  return crypto::seal_key(sealing(root), context(place, "vault"), key);
}
Result<VaultKey> open_vault_key(const RootKey& root, const Place& place, BytesView sealed) {
  return crypto::open_key<VaultPurpose>(sealing(root), context(place, "vault"), sealed);
}

Result<Bytes> wrap_vault_key(const VaultKey& key, const Place& place,
                             const crypto::WrapPublicKey& to) {
  return crypto::wrap_key(to, vault_info(place, to), key);
}
Result<VaultKey> unwrap_vault_key(const crypto::Key<crypto::WrapPurpose>& key, const Place& place,
                                  BytesView wrapped) {
  return crypto::unwrap_key<VaultPurpose>(key, vault_info(place, crypto::wrap_public_key(key)),
                                          wrapped);
}

Bytes seal_vault_link(const VaultKey& key, const Place& place, const VaultKey& previous) {
  return crypto::seal_key(crypto::derive<VaultLinkPurpose>(key), context(place, "link"), previous);
}
Result<VaultKey> open_vault_link(const VaultKey& key, const Place& place, BytesView sealed) {
  return crypto::open_key<VaultPurpose>(crypto::derive<VaultLinkPurpose>(key),
                                        context(place, "link"), sealed);
}

Bytes seal_naming(const RootKey& root, const Place& place, const NamingKey& key) {
  return crypto::seal_key(sealing(root), context(place, "naming"), key);
}
Result<NamingKey> open_naming(const RootKey& root, const Place& place, BytesView sealed) {
  return crypto::open_key<NamingPurpose>(sealing(root), context(place, "naming"), sealed);
}

Bytes seal_cutting(const RootKey& root, const Place& place, const CuttingKey& key) {
  return crypto::seal_key(sealing(root), context(place, "cutting"), key);
}
Result<CuttingKey> open_cutting(const RootKey& root, const Place& place, BytesView sealed) {
  return crypto::open_key<CuttingPurpose>(sealing(root), context(place, "cutting"), sealed);
}

}  // namespace holdfast::keys
