#include "tlog/batch.h"

#include <algorithm>

#include "crypto/hash.h"
#include "crypto/key.h"
#include "tlog/map_labels.h"
#include "tlog/notice.h"

namespace holdfast::tlog {
namespace {

constexpr std::string_view kValueLabel = "holdfast/v1/batch/value";

Error bad_batch(const std::string& what) { return {Code::kUnsafe, "a release batch " + what}; }

}  // namespace

Digest batch_value(const BatchOpening& opening) {
  Bytes bytes = to_bytes(BytesView(opening.nonce));
  append(bytes, opening.entry);
  return crypto::sha256(kValueLabel, bytes);
}

Result<Batch> Batch::make(BytesView previous, std::vector<BatchEntry> entries,
                          std::uint8_t open_days) {
  if (open_days > kMaxOpenDays)
    return Error{Code::kInvalid, "a release batch is opened within ninety days"};
  ReleaseBatch leaf;
  leaf.n = 1;
  leaf.open_days = open_days;
  leaf.accounts = entries.size();
  if (!previous.empty()) {
    const auto before = TRY(wire::decode<ReleaseBatch>(previous));
    leaf.n = before.n + 1;
    leaf.previous = leaf_hash(previous);
  }
  Batch batch;
  for (BatchEntry& entry : entries) {
    entry.batch = leaf.n;
    BatchOpening opening;
    crypto::random_fill(opening.nonce);
    opening.entry = wire::encode(entry);
    batch.sorted_.push_back({batch_position(entry.circle), batch_value(opening)});
    batch.openings_.push_back(std::move(opening));
  }
  std::ranges::sort(batch.sorted_);
  const auto root = Map().root_after(batch.sorted_);
  if (!root.ok()) return Error{Code::kInvalid, "an account stands in a release batch twice"};
  leaf.root = *root;
  batch.leaf_ = wire::encode(leaf);
  return batch;
}

Result<void> check_batch_follows(const ReleaseBatch& batch, std::uint64_t newest_n,
                                 const std::optional<Digest>& newest) {
  if (batch.n != newest_n + 1 || batch.previous != newest)
    return bad_batch("does not follow the one before: one is left out");
  if (batch.open_days > kMaxOpenDays) return bad_batch("is opened later than in ninety days");
  return Ok{};
}

PositionProof prove_position(const Map& map, const CircleId& circle) {
  const MapLabel at = batch_position(circle);
  return {map.find(at), map.prove(at)};
}

Result<void> verify_position(const Digest& root, const CircleId& circle,
                             const PositionProof& proof) {
  const MapLabel at = batch_position(circle);
  const auto held = proof.value ? verify_present(root, {at, *proof.value}, proof.proof)
                                : verify_absent(root, at, proof.proof);
  if (!held.ok()) return bad_batch("is not shown to have what is said at this account's position");
  return Ok{};
}

Result<BatchEntry> verify_opening(const Digest& value, const CircleId& circle, std::uint64_t n,
                                  BytesView bytes) {
  const auto opening = TRY(wire::decode<BatchOpening>(bytes));
  if (batch_value(opening) != value) return bad_batch("is opened with another list than it has");
  auto entry = TRY(wire::decode<BatchEntry>(opening.entry));
  if (entry.circle != circle || entry.batch != n)
    return bad_batch("has the list of another account or batch at this account's position");
  return entry;
}

Result<void> check_gate(const TrustedLog& log, const Digest& built, const CircleId& circle,
                        const Release& wanted, const BatchOpening& opening, const GateProof& proof,
                        std::uint64_t now_s) {
  const auto checkpoint = TRY(verify_leaf_proof(log, proof.batch));
  if (checkpoint.time() && TRY(age_s(*checkpoint.time(), now_s)) > kMaxCheckpointAge_s)
    return bad_batch("is shown in a checkpoint that is more than a day old");
  if (leaf_hash(proof.batch.leaf) != built) return bad_batch("is not the one that was made");
  const auto batch = TRY(wire::decode<ReleaseBatch>(proof.batch.leaf));
  TRY(verify_position(batch.root, circle, proof.position));
  if (!proof.position.value) return bad_batch("has nothing for this account");
  const auto entry =
      TRY(verify_opening(*proof.position.value, circle, batch.n, wire::encode(opening)));
  if (std::ranges::find(entry.releases, wanted) == entry.releases.end())
    return bad_batch("does not list this release");
  return Ok{};
}

}  // namespace holdfast::tlog
