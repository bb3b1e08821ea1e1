#include "circle/vault_chain.h"

#include <algorithm>

#include "crypto/hash.h"

namespace holdfast::circle {
namespace {

constexpr std::string_view kSignLabel = "holdfast/v1/record/sig";
constexpr std::string_view kHeadLabel = "holdfast/v1/record/head";

Error broken(const std::string& what) { return {Code::kUnsafe, "a record of the vault: " + what}; }

// Every statement with vault heads pins the chain at that point. One that begins an epoch also
// closes it: whatever comes after must be of that epoch, so that a removed device, with the
// store's help, cannot slip a late record of its own time under a newer one.
Result<void> check_marks(const Circle& circle, const Record& record, const Digest& head) {
  for (const HeadMark& mark : circle.head_marks()) {
    const auto at = std::find_if(mark.heads.begin(), mark.heads.end(),
                                 [&](const VaultHead& h) { return h.vault == record.vault; });
    if (at == mark.heads.end()) continue;
    if (record.n == at->n && head != at->head)
      return broken("it is not the one that a statement of the circle names");
    if (mark.fresh_epoch && record.n > at->n && record.epoch < mark.epoch)
      return broken("it is of an epoch that had ended");
  }
  return Ok{};
}

Result<void> check_writer(const Circle& circle, const Record& record, const SignedRecord& outer) {
  const Device* const signer = circle.device(record.signer);
  if (signer == nullptr || !signer->member_at(record.circle_seq))
    return broken("its signer was not a member");
  if (!crypto::verify({signer->info.verify_key}, kSignLabel, outer.record, outer.signature))
    return broken("its signature is wrong");
  return Ok{};
}

Result<void> check_shape(const Record& record) {
  if (record.suite != kSuite)
    return Error{Code::kOutdated, "a record of another crypto suite: update required"};
  if (record.kind != RecordKind::kSnapshot || !record.forgets.empty() || !record.dropped.empty() ||
      !record.kept.empty())
    return Error{Code::kOutdated, "a record of a kind this version does not know: update required"};
  if (!record.snapshot) return broken("a snapshot without its root");
  for (const KeySegmentRef& ref : record.key_segments)
    if (ref.epoch == 0 || ref.epoch > record.epoch) return broken("keys of an epoch to come");
  return Ok{};
}

}  // namespace

Result<LinkedRecord> extend(const Circle& circle, const VaultId& vault, const ChainTip& tip,
                            BytesView signed_record) {
  if (signed_record.size() > kMaxRecord) return Error{Code::kCorrupt, "a record is too large"};
  const SignedRecord outer = TRY(wire::decode<SignedRecord>(signed_record));
  const Record record = TRY(wire::decode<Record>(outer.record));
  TRY(check_shape(record));
  if (record.circle != circle.id() || record.vault != vault)
    return broken("it belongs to another vault");
  const Vault* const known = circle.vault(vault);
  if (known == nullptr) return Error{Code::kNotFound, "the circle has no such vault"};
  if (record.n != tip.n + 1 || record.prev != tip.head)
    return Error{Code::kConflict, "the vault has changed since this record was made"};
  if (record.circle_seq > circle.seq())
    return Error{Code::kConflict, "the circle has statements that were not read yet"};
  if (record.circle_seq < tip.circle_seq || record.circle_seq < known->since_seq)
    return broken("it looks back behind the one before it");
  if (record.circle_head != circle.head_at(record.circle_seq))
    return broken("it was written under another history of the circle");
  if (record.epoch != circle.epoch_at(record.circle_seq))
    return broken("its epoch was not current");
  TRY(check_writer(circle, record, outer));
  const Digest head = record_head(signed_record);
  TRY(check_marks(circle, record, head));
  return LinkedRecord{record, {record.n, head, record.circle_seq, record.epoch}};
}

Digest record_head(BytesView signed_record) { return crypto::sha256(kHeadLabel, signed_record); }

Digest heads_hash(const std::vector<VaultHead>& heads) {
  const wire::Bounded<VaultHead, kMaxVaults> all(heads);
  return crypto::sha256("holdfast/v1/vault-heads", wire::encode_array(all));
}

Bytes sign_record(const Record& record, const crypto::SigningKey& key) {
  SignedRecord out;
  out.record = wire::encode(record);
  out.signature = key.sign(kSignLabel, out.record);
  return wire::encode(out);
}

}  // namespace holdfast::circle
