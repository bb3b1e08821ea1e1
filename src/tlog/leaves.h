// Entries of the log, read as what they are, and the notice that some of them must give.
#pragma once

#include <variant>

#include "tlog/checkpoint.h"
#include "tlog/format.h"

namespace holdfast::tlog {

using Leaf = std::variant<MapEpoch, PolicyLeaf, CustodyKey, DeletionReceipt, SoftwareRelease,
                          TrustChange, ReleaseBatch>;

// kOutdated for an entry of a type that this version does not know: never skipped.
Result<Leaf> decode_leaf(BytesView entry);

// kUnsafe unless what takes effect was in the log seven days before, by a checkpoint that has it.
Result<void> check_notice(std::uint64_t in_effect_from_s, const ProvenTime& logged);

}  // namespace holdfast::tlog
