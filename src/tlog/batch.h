// Release batches: what the custodian gave out, logged before it takes effect.
//
// A batch is one entry of the log. Its map has one position for every standard account, the same in
// every batch, and there the hash of a list that is mostly empty: outsiders learn how many accounts
// there are, never whose key was released or whether any was. Each account is shown its position at
// once and the list behind it when the batch says: a list cannot be changed in between, and a batch
// cannot be left out, for they are numbered and chained.
//
// Whoever holds the custodian's key store can act without an entry; what this makes sure is that an
// honest custodian cannot be brought to act unseen (protocol: "Log before effect").
#pragma once

#include <vector>

#include "tlog/checkpoint.h"
#include "tlog/format.h"
#include "tlog/map.h"

namespace holdfast::tlog {

constexpr std::uint8_t kMaxOpenDays = 90;

// What stands in the map for this opening.
Digest batch_value(const BatchOpening& opening);

// ---- making one: the custodian ----

class Batch {
 public:
  // `previous`: the leaf of batch n - 1, empty for the first. `entries`: one for each standard
  // account; the numbers of the batch are filled in, the nonces drawn here.
  // kInvalid: an account stands there twice, or `open_days` is more than ninety.
  static Result<Batch> make(BytesView previous, std::vector<BatchEntry> entries,
                            std::uint8_t open_days);

  const Bytes& leaf() const { return leaf_; }                         // for the log
  const std::vector<MapEntry>& positions() const { return sorted_; }  // for the service, sorted
  // In the order of the entries given. Secret until each is due; keep them before the leaf is sent.
  const std::vector<BatchOpening>& openings() const { return openings_; }

 private:
  Bytes leaf_;
  std::vector<MapEntry> sorted_;
  std::vector<BatchOpening> openings_;
};

// ---- checking one ----

// The batch after the one with this leaf hash. kUnsafe: one is left out, or it is no such batch.
Result<void> check_batch_follows(const ReleaseBatch& batch, std::uint64_t newest_n,
                                 const std::optional<Digest>& newest);

PositionProof prove_position(const Map& map, const CircleId& circle);
// kUnsafe unless the batch has that value, or nothing, at the account's position.
Result<void> verify_position(const Digest& root, const CircleId& circle,
                             const PositionProof& proof);

// The entry behind a value. kUnsafe: another list than was logged, or not this account's.
Result<BatchEntry> verify_opening(const Digest& value, const CircleId& circle, std::uint64_t n,
                                  BytesView opening);

// ---- the gate: the custodian, before it unwraps anything ----

struct GateProof {
  LeafProof batch;  // the entry, in a checkpoint
  PositionProof position;
};

// Whether `wanted` may be released for `circle`: a checkpoint at the witnesses' quorum, at most a
// day old by `now_s`, has a batch, namely the one with leaf hash `built` that the custodian made,
// and that batch has at the account's position the opening that lists it. kUnsafe else: do nothing.
// As strong as the quorum of `log`; where nobody witnesses, as honest as the log's own key.
Result<void> check_gate(const TrustedLog& log, const Digest& built, const CircleId& circle,
                        const Release& wanted, const BatchOpening& opening, const GateProof& proof,
                        std::uint64_t now_s);

}  // namespace holdfast::tlog
