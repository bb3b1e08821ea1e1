#include "archive/envelope.h"

#include "crypto/hash.h"
#include "crypto/seal.h"

namespace holdfast::archive {
namespace {

Bytes envelope_context(const VaultAccess& access, const PackId& pack) {
  return wire::encode_array("holdfast/v1/pack-envelope", access.circle, access.vault, pack);
}

Error bad_envelope(const PackId& pack, std::string_view what) {
  return {Code::kCorrupt,
          "pack " + pack.hex().substr(0, 16) + " in the store is damaged: " + std::string(what)};
}

}  // namespace

Result<SealedEnvelope> seal_envelope(const VaultAccess& access, const PackId& pack,
                                     const SealedBytes& inner) {
  PackEnvelope envelope;
  const BytesView inner_key = crypto::expose(inner.key);
  std::copy(inner_key.begin(), inner_key.end(), envelope.key.begin());
  envelope.pack = inner.bytes;
  const crypto::WipedBytes plain(wire::encode(envelope));
  crypto::wipe(envelope.key);
  auto key = keys::PackKey::random();
  Bytes sealed = crypto::seal(key, envelope_context(access, pack), plain.view());
  if (sealed.size() > kMaxPack)
    return Error{Code::kInvalid,
                 "pack " + pack.hex().substr(0, 16) + " is too large to be sealed again"};
  const PackId object(crypto::sha256(sealed).bytes);
  return SealedEnvelope{object, std::move(key), std::move(sealed)};
}

Result<SealedBytes> open_envelope(const VaultAccess& access, const PackId& pack,
                                  const keys::PackKey& key, BytesView sealed) {
  if (sealed.size() > kMaxPack) return bad_envelope(pack, "it is too large");
  auto opened = crypto::open(key, envelope_context(access, pack), sealed);
  if (!opened.ok()) return bad_envelope(pack, "its bytes are not the ones that were written");
  const crypto::WipedBytes plain(std::move(opened).value());
  auto envelope = wire::decode<PackEnvelope>(plain.view());
  if (!envelope.ok()) return std::move(envelope).error().in("pack " + pack.hex().substr(0, 16));
  SealedBytes inner{keys::PackKey::from_bytes(envelope->key), std::move(envelope->pack)};
  crypto::wipe(envelope->key);
  // Whoever sealed it again may have been a thief: it is the pack that was written, or nothing.
  if (PackId(crypto::sha256(inner.bytes).bytes) != pack)
    return bad_envelope(pack, "what was sealed again is another one");
  return inner;
}

}  // namespace holdfast::archive
