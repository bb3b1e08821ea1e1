// What the archive may know of one vault: its place and its keys, opened by whoever holds R_e.
#pragma once

#include <map>
#include <optional>

#include "base/id.h"
#include "crypto/hash.h"
#include "keys/hierarchy.h"

namespace holdfast::archive {

struct VaultAccess {
  CircleId circle;
  VaultId vault;
  std::uint32_t epoch = 0;  // the current one; new key segments are sealed for it
  // None where a vault reader reads (an owner without devices): it holds no R_e. It writes nothing,
  // and takes a chunk's id on the word of its pack, which is sealed under the vault's own keys.
  std::optional<keys::NamingKey> naming;
  std::optional<keys::CuttingKey> cutting;
  std::map<std::uint32_t, crypto::Key<keys::SegmentPurpose>> segment_keys;  // by epoch
};

// Whether bytes are the chunk that an id names. Not for several threads at once.
class ChunkNames {
 public:
  explicit ChunkNames(const VaultAccess& access) {
    if (access.naming) mac_.emplace(*access.naming);
  }
  bool fits(const ChunkId& id, std::uint8_t type, BytesView bytes) {
    return !mac_ || crypto::equal(mac_->compute(type, bytes).view(), id.view());
  }

 private:
  std::optional<crypto::Mac> mac_;
};

}  // namespace holdfast::archive
