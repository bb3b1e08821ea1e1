// What a custodian keeps for itself. docs/formats/custody.md
//
// It lies in the custodian's own database and is trusted as far as that.
#pragma once

#include "tlog/tree.h"
#include "wire/fields.h"

namespace holdfast::custody {

// The newest tree of the log that this custodian replayed, entry by entry, and its newest map.
struct Pins {
  wire::Fixed<"holdfast/v1/custody-pins"> label;
  std::uint64_t size = 0;
  Digest root = tlog::empty_root();
  wire::Bounded<Digest, tlog::kMaxProof> edge;
  Bytes checkpoint;                  // the signed note; empty before the first
  std::uint64_t epoch = 0;           // of the map; 0: none yet
  std::optional<Digest> epoch_leaf;  // leaf hash of its entry
  Digest map_root;
  Bytes batch;  // the newest release batch's entry; empty before the first
  static constexpr auto kFields =
      wire::fields(&Pins::label, &Pins::size, &Pins::root, &Pins::edge, &Pins::checkpoint,
                   &Pins::epoch, &Pins::epoch_leaf, &Pins::map_root, &Pins::batch);
};

}  // namespace holdfast::custody
