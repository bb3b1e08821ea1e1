// A vault's chain of signed records, judged against the circle. Pure; device and store run it.
#pragma once

#include <map>
#include <variant>

#include "circle/circle.h"

namespace holdfast::circle {

// The newest record accepted so far.
struct ChainTip {
  std::uint64_t n = 0;
  Digest head;
  std::uint64_t circle_seq = 0;
  std::uint32_t epoch = 0;
};

// What a record does to its vault. Only one that takes a snapshot has a root.
struct Taken {
  PackId root;
};
struct Forgotten {
  std::vector<std::uint64_t> records;
};
struct Dropped {
  std::vector<PackId> packs;
};
// All that a vault needs was sealed anew, some of it perhaps into other objects; these are the old
// ones. Whether that is true is for a device to see.
struct Rekeyed {
  std::vector<PackId> packs;
};
struct Undone {
  std::vector<std::uint64_t> records;
  std::vector<PackId> packs;
};
using Act = std::variant<Taken, Forgotten, Dropped, Rekeyed, Undone>;

// A record that was judged. Its time is its signer's word, nothing more.
struct LinkedRecord {
  VaultId vault;
  ReaderId signer;
  std::int64_t time_ms = 0;
  std::vector<KeySegmentRef> key_segments;
  std::vector<PackId> index_segments;
  Act act;
  ChainTip tip;  // after it; tip.head is also the snapshot's id
};

// Checks that `signed_record` follows `tip` in `vault` and that its signer and epoch were current
// at its circle_seq. kConflict: it does not follow the tip, or the circle has statements that the
// caller has not read yet; kUnsafe: a rule is broken; kOutdated: a kind of a later version.
Result<LinkedRecord> extend(const Circle& circle, const VaultId& vault, const ChainTip& tip,
                            BytesView signed_record);

// What the records of one vault amount to, added oldest first: each with the record since which it
// is so.
struct VaultState {
  std::map<std::uint64_t, std::uint64_t> forgotten;  // also of records that are no snapshots
  std::map<PackId, std::uint64_t> dropped;
  void add(const LinkedRecord& record);
};

// Of a vault, after this signed record.
Digest record_head(BytesView signed_record);
// Of all vaults of a circle, sorted: what the log's map keeps of their newest records.
Digest heads_hash(const std::vector<VaultHead>& heads);

Bytes sign_record(const Record& record, const crypto::SigningKey& key);

}  // namespace holdfast::circle
