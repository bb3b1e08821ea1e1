#include "archive/pack_cache.h"

#include "archive/format.h"
#include "base/file.h"
#include "crypto/hash.h"

namespace holdfast::archive {

std::optional<Bytes> PackCache::local(const PackId& id) const {
  if (folder_.empty()) return std::nullopt;
  auto bytes = read_file(folder_ + "/" + id.hex(), kMaxPack);
  if (!bytes.ok() || PackId(crypto::sha256(*bytes).bytes) != id) return std::nullopt;
  return std::move(bytes).value();
}

Result<Bytes> PackCache::get_named(const PackId& id) {
  if (auto kept = local(id)) return *std::move(kept);
  Bytes bytes = TRY(session_.get_pack(id));
  if (PackId(crypto::sha256(bytes).bytes) != id)
    return Error{Code::kCorrupt,
                 "object " + id.hex().substr(0, 16) +
                     " in the store is damaged: its bytes are not what its name says"};
  keep(id, bytes);
  return bytes;
}

Result<bool> PackCache::give_back(const PackId& id) {
  const auto kept = local(id);
  if (!kept) return false;
  TRY(session_.put_pack(id, *kept));
  return true;
}

// A cache that cannot be written costs time, not data.
void PackCache::keep(const PackId& id, BytesView sealed) {
  if (folder_.empty()) return;
  static_cast<void>(create_file(folder_ + "/" + id.hex(), sealed).ok());
}

}  // namespace holdfast::archive
