// A vault's chain of signed records, judged against the circle. Pure; device and store run it.
#pragma once

#include "circle/circle.h"

namespace holdfast::circle {

// The newest record accepted so far.
struct ChainTip {
  std::uint64_t n = 0;
  Digest head;
  std::uint64_t circle_seq = 0;
  std::uint32_t epoch = 0;
};

struct LinkedRecord {
  Record record;
  ChainTip tip;  // after it; tip.head is also the snapshot's id
};

// Checks that `signed_record` follows `tip` in `vault` and that its signer and epoch were current
// at its circle_seq. kConflict: it does not follow the tip, or the circle has statements that the
// caller has not read yet; kUnsafe: a rule is broken; kOutdated: a kind of a later version.
Result<LinkedRecord> extend(const Circle& circle, const VaultId& vault, const ChainTip& tip,
                            BytesView signed_record);

// Of a vault, after this signed record.
Digest record_head(BytesView signed_record);
// Of all vaults of a circle, sorted: what the log's map keeps of their newest records.
Digest heads_hash(const std::vector<VaultHead>& heads);

Bytes sign_record(const Record& record, const crypto::SigningKey& key);

}  // namespace holdfast::circle
