// What the archive may know of one vault: its place and its keys, opened by whoever holds R_e.
#pragma once

#include <map>

#include "base/id.h"
#include "keys/hierarchy.h"

namespace holdfast::archive {

struct VaultAccess {
  CircleId circle;
  VaultId vault;
  std::uint32_t epoch = 0;  // the current one; new key segments are sealed for it
  keys::NamingKey naming;
  keys::CuttingKey cutting;
  std::map<std::uint32_t, crypto::Key<keys::SegmentPurpose>> segment_keys;  // by epoch
};

}  // namespace holdfast::archive
