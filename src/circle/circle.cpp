#include "circle/circle.h"

#include <algorithm>

#include "circle/applier.h"
#include "crypto/labelled.h"

namespace holdfast::circle {
namespace {

constexpr std::string_view kHeadLabel = "holdfast/v1/statement/head";
constexpr std::string_view kReaderLabel = "holdfast/v1/reader-id";
constexpr std::string_view kCircleLabel = "holdfast/v1/circle-id";
constexpr std::string_view kRootsLabel = "holdfast/v1/trust-roots-hash";

template <class Body>
Result<std::optional<EpochInfo>> epoch_of(const Statement& statement) {
  Body body = TRY(wire::decode<Body>(statement.body));
  return std::optional(std::move(body.epoch));
}

}  // namespace

Error broken(const std::string& what) { return {Code::kUnsafe, "the circle refuses it: " + what}; }

ReaderId id_of_keys(BytesView verify_key, BytesView wrap_key) {
  return ReaderId(crypto::sha256(kReaderLabel, wire::encode_array(verify_key, wrap_key)).bytes);
}

ReaderId reader_id(const DeviceInfo& device) {
  return id_of_keys(device.verify_key, device.wrap_key);
}
ReaderId reader_id(const RecoveryInfo& recovery) {
  return id_of_keys(recovery.verify_key, recovery.wrap_key);
}

CircleId circle_id(const DeviceInfo& first, const std::array<std::uint8_t, 32>& nonce) {
  return CircleId(crypto::sha256(kCircleLabel, wire::encode_array(first, nonce)).bytes);
}

Digest roots_hash(const TrustRoots& roots) {
  return crypto::sha256(kRootsLabel, wire::encode(roots));
}

Bytes admission_bytes(const CircleId& circle, const Digest& request, const ReaderId& device) {
  return wire::encode_array(circle, request, device);
}
Bytes recovery_bytes(const CircleId& circle, const Digest& prev, const ReaderId& device) {
  return wire::encode_array(circle, prev, device);
}

std::vector<BlobSlot> reader_slots(const ReaderId& reader) {
  return {{BlobKind::kRoot, reader, {}}};
}

namespace {

void add_readers(std::vector<BlobSlot>& slots, const Vault& vault,
                 const std::vector<ReaderId>& vault_readers) {
  if (vault.always_e2e) return;
  for (const ReaderId& reader : vault_readers)
    slots.push_back({BlobKind::kVaultReader, reader, vault.id});
}

}  // namespace

std::vector<BlobSlot> vault_slots(const Vault& vault, const std::vector<ReaderId>& vault_readers) {
  std::vector<BlobSlot> slots = {{BlobKind::kVaultKey, {}, vault.id}};
  add_readers(slots, vault, vault_readers);
  slots.push_back({BlobKind::kNaming, {}, vault.id});
  slots.push_back({BlobKind::kCutting, {}, vault.id});
  return slots;
}

std::vector<BlobSlot> assist_slots(const Circle& circle, const ReaderId& helped) {
  std::vector<BlobSlot> slots;
  for (const Vault& vault : circle.vaults()) add_readers(slots, vault, {helped});
  return slots;
}

std::vector<BlobSlot> epoch_slots(const std::vector<Vault>& vaults,
                                  const std::vector<ReaderId>& readers,
                                  const std::vector<ReaderId>& vault_readers) {
  std::vector<BlobSlot> slots = {{BlobKind::kBacklink, {}, {}}};
  for (const ReaderId& reader : readers) slots.push_back({BlobKind::kRoot, reader, {}});
  for (const Vault& vault : vaults) {
    slots.push_back({BlobKind::kVaultKey, {}, vault.id});
    add_readers(slots, vault, vault_readers);
    slots.push_back({BlobKind::kVaultLink, {}, vault.id});
    slots.push_back({BlobKind::kNaming, {}, vault.id});
    slots.push_back({BlobKind::kCutting, {}, vault.id});
  }
  return slots;
}

namespace {

Bytes encode_draft(const Draft& draft) {
  Statement statement;
  statement.circle = draft.circle;
  statement.seq = draft.seq;
  statement.prev = draft.prev;
  statement.time_ms = draft.time_ms;
  statement.type = draft.type;
  statement.signer = draft.signer;
  statement.body = draft.body;
  return wire::encode(statement);
}

}  // namespace

SignedStatement sign_statement(const Draft& draft, const crypto::SigningKey& key) {
  SignedStatement out;
  out.statement = encode_draft(draft);
  out.signature = key.sign(kSignLabel, out.statement);
  return out;
}

SignedStatement sign_statement(const Draft& draft, const crypto::Ed25519Key& fleet) {
  SignedStatement out;
  out.statement = encode_draft(draft);
  out.signature = fleet.sign(crypto::labelled_message(kFleetLabel, out.statement));
  return out;
}

void cosign(SignedStatement& statement, const ReaderId& signer, const crypto::SigningKey& key) {
  statement.cosignatures.push_back({signer, key.sign(kCosignLabel, statement.statement)});
}

Digest statement_head(BytesView signed_statement) {
  return crypto::sha256(kHeadLabel, signed_statement);
}

std::vector<const Device*> Circle::members() const {
  std::vector<const Device*> out;
  for (const Device& d : devices_)
    if (!d.removed_seq) out.push_back(&d);
  return out;
}

const Device* Circle::device(const ReaderId& id) const {
  for (const Device& d : devices_)
    if (d.id == id) return &d;
  return nullptr;
}

const Device* Circle::member(const ReaderId& id) const {
  const Device* const d = device(id);
  return d != nullptr && !d->removed_seq ? d : nullptr;
}

const Device* Circle::member_named(std::string_view name) const {
  for (const Device& d : devices_)
    if (!d.removed_seq && d.info.name == name) return &d;
  return nullptr;
}

bool Circle::needs_age(const Device& member) const {
  if (!has_log_) return false;
  return std::any_of(devices_.begin(), devices_.end(), [&](const Device& d) {
    return !d.removed_seq && d.admitted_seq < member.admitted_seq;
  });
}

std::vector<ReaderId> Circle::readers() const {
  std::vector<ReaderId> ids;
  for (const Device* d : members()) ids.push_back(d->id);
  if (recovery_) ids.push_back(recovery_->id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

const Custodian* Circle::custodian() const {
  if (custodians_.empty() || custodians_.back().left_seq) return nullptr;
  return &custodians_.back();
}

std::vector<ReaderId> Circle::vault_readers() const {
  if (const Custodian* const one = custodian()) return {one->id};
  return {};
}

const Vault* Circle::vault(const VaultId& id) const {
  for (const Vault& v : vaults_)
    if (v.id == id) return &v;
  return nullptr;
}

const Vault* Circle::vault_named(std::string_view name) const {
  for (const Vault& v : vaults_)
    if (v.name == name) return &v;
  return nullptr;
}

std::uint32_t Circle::epoch_at(std::uint64_t seq) const {
  for (auto it = epochs_.rbegin(); it != epochs_.rend(); ++it)
    if (it->start_seq <= seq) return it->number;
  return 0;
}

Result<BlobId> Circle::blob(std::uint32_t epoch, const BlobSlot& slot) const {
  if (epoch >= 1 && epoch <= epochs_.size()) {
    const auto& blobs = epochs_[epoch - 1].blobs;
    if (const auto it = blobs.find(slot); it != blobs.end()) return it->second;
  }
  return Error{Code::kNotFound, "no statement of the circle gives this key"};
}

bool Circle::ever_committed_capsule(const Digest& capsule) const {
  return capsules_.contains(capsule);
}

Result<std::optional<EpochInfo>> epoch_info(const Statement& statement) {
  switch (statement.type) {
    case StatementType::kGenesis: return epoch_of<Genesis>(statement);
    case StatementType::kAdmit: return epoch_of<Admit>(statement);
    case StatementType::kRemove: return epoch_of<Remove>(statement);
    case StatementType::kRotate: return epoch_of<Rotate>(statement);
    case StatementType::kSetVault: return epoch_of<SetVault>(statement);
    case StatementType::kSetRecovery: return epoch_of<SetRecovery>(statement);
    case StatementType::kRecover: return epoch_of<Recover>(statement);
    case StatementType::kComplete: return epoch_of<Complete>(statement);
    case StatementType::kSetLevel: return epoch_of<SetLevel>(statement);
    case StatementType::kSetRegion:
    case StatementType::kPropose:
    case StatementType::kCancel:
    case StatementType::kAssist:
    case StatementType::kPolicyAck: return std::optional<EpochInfo>();
    case StatementType::kGrantWeb:
    case StatementType::kRevokeWeb: break;
  }
  return Error{Code::kOutdated,
               "a statement of a kind this version does not know: update required"};
}

}  // namespace holdfast::circle
