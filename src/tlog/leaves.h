// Entries of the log, read as what they are.
#pragma once

#include <variant>

#include "tlog/format.h"
#include "tlog/lawful_leaf.h"

namespace holdfast::tlog {

using Leaf = std::variant<MapEpoch, PolicyLeaf, CustodyKey, DeletionReceipt, SoftwareRelease,
                          TrustChange, ReleaseBatch, LawfulHead, LawfulReport>;

// kOutdated for an entry of a type that this version does not know: never skipped.
Result<Leaf> decode_leaf(BytesView entry);

}  // namespace holdfast::tlog
