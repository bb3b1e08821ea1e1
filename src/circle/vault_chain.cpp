#include "circle/vault_chain.h"

#include <algorithm>

#include "crypto/hash.h"

namespace holdfast::circle {
namespace {

constexpr std::string_view kRecordSignLabel = "holdfast/v1/record/sig";
constexpr std::string_view kRecordHeadLabel = "holdfast/v1/record/head";

Error broken_record(const std::string& what) {
  return {Code::kUnsafe, "a record of the vault: " + what};
}

// Every statement with vault heads pins the chain at that point. One that begins an epoch also
// closes it: whatever comes after must be of that epoch, so that a removed device, with the
// store's help, cannot slip a late record of its own time under a newer one.
Result<void> check_marks(const Circle& circle, const Record& record, const Digest& head) {
  for (const HeadMark& mark : circle.head_marks()) {
    const auto at = std::find_if(mark.heads.begin(), mark.heads.end(),
                                 [&](const VaultHead& h) { return h.vault == record.vault; });
    if (at == mark.heads.end()) continue;
    if (record.n == at->n && head != at->head)
      return broken_record("it is not the one that a statement of the circle names");
    if (mark.fresh_epoch && record.n > at->n && record.epoch < mark.epoch)
      return broken_record("it is of an epoch that had ended");
  }
  return Ok{};
}

Result<void> check_writer(const Circle& circle, const Record& record, const SignedRecord& outer) {
  const Device* const signer = circle.device(record.signer);
  if (signer == nullptr || !signer->member_at(record.circle_seq))
    return broken_record("its signer was not a member");
  if (!crypto::verify({signer->info.verify_key}, kRecordSignLabel, outer.record, outer.signature))
    return broken_record("its signature is wrong");
  return Ok{};
}

template <class T>
bool ascends(const std::vector<T>& items) {
  return std::ranges::adjacent_find(items, [](const T& a, const T& b) { return !(a < b); }) ==
         items.end();
}

// A record says of records before it only, so that what it hides was there to be seen.
Result<void> check_forgets(const Record& record) {
  const auto& forgets = record.forgets;
  if (!ascends(forgets)) return broken_record("the records it names are not a sorted list");
  if (!forgets.empty() && (forgets.front() == 0 || forgets.back() >= record.n))
    return broken_record("it names records that are not before it");
  return Ok{};
}

// What a vault needs to be read from this record on is not what the same record gives away.
Result<void> check_dropped(const Record& record) {
  const auto& dropped = record.dropped;
  if (!ascends(dropped)) return broken_record("the packs it drops are not a sorted list");
  for (const KeySegmentRef& ref : record.key_segments)
    if (std::ranges::binary_search(dropped, ref.object))
      return broken_record("it drops a key segment that it names as in use");
  for (const PackId& index : record.index_segments)
    if (std::ranges::binary_search(dropped, index))
      return broken_record("it drops an index that it names as in use");
  return Ok{};
}

// The fields that only some kinds have.
struct Carries {
  bool snapshot = false;
  bool forgets = false;
  bool dropped = false;
  bool kept = false;
};
Result<void> check_carries(const Record& record, const Carries& may) {
  if (record.snapshot && !may.snapshot) return broken_record("it is no snapshot and has a root");
  if ((!record.forgets.empty() && !may.forgets) || (!record.dropped.empty() && !may.dropped) ||
      (!record.kept.empty() && !may.kept))
    return broken_record("it has fields of another kind");
  return Ok{};
}

Result<Act> act_of(const Record& record) {
  switch (record.kind) {
    case RecordKind::kSnapshot:
      TRY(check_carries(record, {.snapshot = true}));
      if (!record.snapshot) return broken_record("a snapshot without its root");
      return Act(Taken{*record.snapshot});
    case RecordKind::kForget:
      TRY(check_carries(record, {.forgets = true}));
      TRY(check_forgets(record));
      if (record.forgets.empty()) return broken_record("it forgets records and names none");
      return Act(Forgotten{record.forgets});
    case RecordKind::kRekey:
      TRY(check_carries(record, {.dropped = true}));
      TRY(check_dropped(record));
      return Act(Rekeyed{record.dropped});
    case RecordKind::kPrune:
      TRY(check_carries(record, {.dropped = true}));
      TRY(check_dropped(record));
      if (record.dropped.empty()) return broken_record("it drops packs and names none");
      return Act(Dropped{record.dropped});
    case RecordKind::kUndo:
      TRY(check_carries(record, {.forgets = true, .kept = true}));
      TRY(check_forgets(record));
      if (!ascends(record.kept)) return broken_record("the packs it keeps are not a sorted list");
      return Act(Undone{record.forgets, record.kept});
  }
  return Error{Code::kOutdated, "a record of a kind this version does not know: update required"};
}

Result<Act> check_shape(const Record& record) {
  if (record.suite != kSuite)
    return Error{Code::kOutdated, "a record of another crypto suite: update required"};
  Act act = TRY(act_of(record));
  for (const KeySegmentRef& ref : record.key_segments)
    if (ref.epoch == 0 || ref.epoch > record.epoch)
      return broken_record("keys of an epoch to come");
  return act;
}

}  // namespace

Result<LinkedRecord> extend(const Circle& circle, const VaultId& vault, const ChainTip& tip,
                            BytesView signed_record) {
  if (signed_record.size() > kMaxRecord) return Error{Code::kCorrupt, "a record is too large"};
  const SignedRecord outer = TRY(wire::decode<SignedRecord>(signed_record));
  const Record record = TRY(wire::decode<Record>(outer.record));
  Act act = TRY(check_shape(record));
  if (record.circle != circle.id() || record.vault != vault)
    return broken_record("it belongs to another vault");
  const Vault* const known = circle.vault(vault);
  if (known == nullptr) return Error{Code::kNotFound, "the circle has no such vault"};
  if (record.n != tip.n + 1 || record.prev != tip.head)
    return Error{Code::kConflict, "the vault has changed since this record was made"};
  if (record.circle_seq > circle.seq())
    return Error{Code::kConflict, "the circle has statements that were not read yet"};
  if (record.circle_seq < tip.circle_seq || record.circle_seq < known->since_seq)
    return broken_record("it looks back behind the one before it");
  if (record.circle_head != circle.head_at(record.circle_seq))
    return broken_record("it was written under another history of the circle");
  if (record.epoch != circle.epoch_at(record.circle_seq))
    return broken_record("its epoch was not current");
  TRY(check_writer(circle, record, outer));
  const Digest head = record_head(signed_record);
  TRY(check_marks(circle, record, head));
  return LinkedRecord{vault,
                      record.signer,
                      record.time_ms,
                      record.key_segments,
                      record.index_segments,
                      std::move(act),
                      {record.n, head, record.circle_seq, record.epoch}};
}

// Dropped again, a pack keeps its first time, as the store counts it.
void VaultState::add(const LinkedRecord& record) {
  if (const auto* const forget = std::get_if<Forgotten>(&record.act))
    for (const std::uint64_t n : forget->records) forgotten.try_emplace(n, record.tip.n);
  if (const auto* const drop = std::get_if<Dropped>(&record.act))
    for (const PackId& pack : drop->packs) dropped.try_emplace(pack, record.tip.n);
  if (const auto* const rekey = std::get_if<Rekeyed>(&record.act))
    for (const PackId& pack : rekey->packs) dropped.try_emplace(pack, record.tip.n);
  if (const auto* const undo = std::get_if<Undone>(&record.act)) {
    for (const std::uint64_t n : undo->records) forgotten.erase(n);
    for (const PackId& pack : undo->packs) dropped.erase(pack);
  }
}

Digest record_head(BytesView signed_record) {
  return crypto::sha256(kRecordHeadLabel, signed_record);
}

Digest heads_hash(const std::vector<VaultHead>& heads) {
  const wire::Bounded<VaultHead, kMaxVaults> all(heads);
  return crypto::sha256("holdfast/v1/vault-heads", wire::encode_array(all));
}

Bytes sign_record(const Record& record, const crypto::SigningKey& key) {
  SignedRecord out;
  out.record = wire::encode(record);
  out.signature = key.sign(kRecordSignLabel, out.record);
  return wire::encode(out);
}

}  // namespace holdfast::circle
