#include "store/test_writer.h"

#include "crypto/hash.h"

namespace holdfast::store {

circle::EpochInfo TestWriter::epoch(std::uint32_t number, std::size_t blobs, api::Append& to) {
  circle::EpochInfo info;
  info.epoch = number;
  if (circle_ && number == circle_->epoch()) info.check = circle_->epochs().back().check;
  for (std::size_t i = 0; i < blobs; ++i) {
    to.blobs.push_back(to_bytes(random_id<Digest>().view()));
    info.blobs.push_back(BlobId(crypto::sha256(to.blobs.back()).bytes));
  }
  if (!circle_) return info;
  for (const circle::Vault& vault : circle_->vaults())
    info.vault_heads.push_back({vault.id, tips_[vault.id].n, tips_[vault.id].head});
  return info;
}

template <class Body>
api::Append TestWriter::signed_by_device(circle::StatementType type, const Body& body,
                                         api::Append append) {
  circle::Draft draft;
  draft.circle = id_;
  if (circle_) {
    draft.seq = circle_->seq() + 1;
    draft.prev = circle_->head();
  }
  draft.type = type;
  draft.signer = device_.id();
  draft.body = wire::encode(body);
  append.statement = wire::encode(circle::sign_statement(draft, device_.key));
  return append;
}

api::Append TestWriter::genesis() {
  circle::Genesis body;
  body.device = device_.info;
  crypto::random_fill(body.nonce);
  body.region = "CH";
  body.level = circle::Level::kAdvanced;
  id_ = circle::circle_id(body.device, body.nonce);
  api::Append append;
  body.epoch = epoch(1, 1, append);
  return signed_by_device(circle::StatementType::kGenesis, body, append);
}

api::Append TestWriter::set_vault(const VaultId& vault, const std::string& name) {
  api::Append append;
  circle::SetVault body;
  body.vault = vault;
  body.name = name;
  body.epoch = epoch(circle_->epoch(), 3, append);
  return signed_by_device(circle::StatementType::kSetVault, body, append);
}

api::Append TestWriter::rotate() {
  api::Append append;
  circle::Rotate body;
  const auto slots =
      circle::epoch_slots(circle_->vaults(), circle_->readers(), circle_->vault_readers());
  body.epoch = epoch(circle_->epoch() + 1, slots.size(), append);
  return signed_by_device(circle::StatementType::kRotate, body, append);
}

api::Append TestWriter::set_region(const std::string& region) {
  circle::SetRegion body;
  body.region = region;
  return signed_by_device(circle::StatementType::kSetRegion, body, {});
}

api::Append TestWriter::set_recovery(const LocateId& locate, const Bytes& capsule) {
  api::Append append;
  circle::SetRecovery body;
  const TestDevice paper("paper");
  body.recovery = {paper.info.verify_key, paper.info.wrap_key, locate, capsule};
  const bool replaces = circle_->recovery().has_value();
  // A replaced key's place goes to the new one: there are as many readers as before.
  const std::size_t blobs = replaces ? circle::epoch_slots(circle_->vaults(), circle_->readers(),
                                                           circle_->vault_readers())
                                           .size()
                                     : 1;
  body.epoch = epoch(circle_->epoch() + (replaces ? 1 : 0), blobs, append);
  return signed_by_device(circle::StatementType::kSetRecovery, body, append);
}

api::Append TestWriter::admit(const TestDevice& other, const RequestId& request) {
  api::Append append;
  circle::Admit body;
  body.device = other.info;
  body.request = random_id<Digest>();
  body.countersignature = other.key.sign(circle::kAdmissionLabel,
                                         circle::admission_bytes(id_, body.request, other.id()));
  body.epoch = epoch(circle_->epoch(), 1, append);
  append.admission = api::Admission{request, to_bytes(random_id<Digest>().view())};
  return signed_by_device(circle::StatementType::kAdmit, body, append);
}

Bytes TestWriter::record(const VaultId& vault) {
  const circle::ChainTip& tip = tips_[vault];
  circle::Record record;
  record.circle = id_;
  record.vault = vault;
  record.n = tip.n + 1;
  record.prev = tip.head;
  record.circle_seq = circle_->seq();
  record.circle_head = circle_->head();
  record.epoch = circle_->epoch();
  record.kind = circle::RecordKind::kSnapshot;
  record.signer = device_.id();
  record.snapshot = random_id<PackId>();
  return circle::sign_record(record, device_.key);
}

void TestWriter::accept(const api::Append& append) {
  circle_ = circle_ ? circle_->apply(append.statement).value()
                    : circle::Circle::start(append.statement).value();
}

void TestWriter::accept(const VaultId& vault, const Bytes& record) {
  tips_[vault] = circle::extend(*circle_, vault, tips_[vault], record).value().tip;
}

}  // namespace holdfast::store
