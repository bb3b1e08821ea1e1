#include "circle/circle.h"

#include <algorithm>

#include "crypto/hash.h"

namespace holdfast::circle {
namespace {

constexpr std::string_view kSignLabel = "holdfast/v1/statement/sig";
constexpr std::string_view kCosignLabel = "holdfast/v1/statement/cosig";
constexpr std::string_view kHeadLabel = "holdfast/v1/statement/head";
constexpr std::string_view kReaderLabel = "holdfast/v1/reader-id";
constexpr std::string_view kCircleLabel = "holdfast/v1/circle-id";
constexpr std::string_view kRootsLabel = "holdfast/v1/trust-roots-hash";

Error broken(const std::string& what) { return {Code::kUnsafe, "the circle refuses it: " + what}; }

ReaderId id_of_keys(BytesView verify_key, BytesView wrap_key) {
  return ReaderId(crypto::sha256(kReaderLabel, wire::encode_array(verify_key, wrap_key)).bytes);
}

// No control characters: not the ASCII ones, nor U+0080 to U+009F (in UTF-8 c2 and that byte),
// which a terminal may obey as well.
bool printable(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  unsigned char before = 0;
  for (const char c : text) {
    const auto b = static_cast<unsigned char>(c);
    if (b < 0x20 || b == 0x7f || (before == 0xc2 && b < 0xa0)) return false;
    before = b;
  }
  return true;
}

bool valid_region(std::string_view region) {
  return region.size() == 2 &&
         std::all_of(region.begin(), region.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool sorted_and_unique(const std::vector<ReaderId>& ids) {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end();
}

// Whether an envelope can be made for a key. An epoch has one for every reader: a key that takes
// none would let whoever brought it in stop every later one, its own removal too.
bool takes_envelopes(const std::array<std::uint8_t, crypto::WrapPublicKey::kSize>& wrap_key) {
  struct ProbePurpose {};
  return crypto::wrap_key({wrap_key}, {}, crypto::Key<ProbePurpose>::random()).ok();
}

template <class Body>
Result<Body> decode_body(const Statement& statement) {
  auto body = wire::decode<Body>(statement.body);
  if (!body.ok()) return std::move(body).error().in("the body of a statement");
  return body;
}

template <class Body>
Result<std::optional<EpochInfo>> epoch_of(const Statement& statement) {
  Body body = TRY(wire::decode<Body>(statement.body));
  return std::optional(std::move(body.epoch));
}

}  // namespace

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

std::vector<BlobSlot> vault_slots(const VaultId& vault) {
  return {{BlobKind::kVaultKey, {}, vault},
          {BlobKind::kNaming, {}, vault},
          {BlobKind::kCutting, {}, vault}};
}

std::vector<BlobSlot> epoch_slots(const Circle& circle, const std::vector<ReaderId>& readers) {
  std::vector<BlobSlot> slots = {{BlobKind::kBacklink, {}, {}}};
  for (const ReaderId& reader : readers) slots.push_back({BlobKind::kRoot, reader, {}});
  for (const Vault& vault : circle.vaults()) {
    slots.push_back({BlobKind::kVaultKey, {}, vault.id});
    slots.push_back({BlobKind::kVaultLink, {}, vault.id});
    slots.push_back({BlobKind::kNaming, {}, vault.id});
    slots.push_back({BlobKind::kCutting, {}, vault.id});
  }
  return slots;
}

SignedStatement sign_statement(const Draft& draft, const crypto::SigningKey& key) {
  Statement statement;
  statement.circle = draft.circle;
  statement.seq = draft.seq;
  statement.prev = draft.prev;
  statement.time_ms = draft.time_ms;
  statement.type = draft.type;
  statement.signer = draft.signer;
  statement.body = draft.body;
  SignedStatement out;
  out.statement = wire::encode(statement);
  out.signature = key.sign(kSignLabel, out.statement);
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

// One statement on its way into a circle. `next_` becomes the result.
class Applier {
 public:
  static Result<Circle> start(BytesView signed_genesis, std::shared_ptr<const Ages> ages);
  Applier(const Circle& before, const Statement& statement, const SignedStatement& outer)
      : next_(before), statement_(statement), outer_(outer) {}

  Result<Circle> run(BytesView signed_statement);

 private:
  Result<void> dispatch();
  Result<void> genesis();
  Result<void> admit();
  Result<void> remove();
  Result<void> rotate();
  Result<void> set_vault();
  Result<void> set_region();
  Result<void> set_recovery();
  Result<void> recover();
  Result<void> propose();
  Result<void> complete();
  Result<void> cancel();

  Result<void> require_member_signature();
  Result<void> require_no_cosignature() const;
  Result<void> require_replacement_cosignature(const SetRecovery& body) const;
  Result<const Device*> cosigner() const;
  Result<void> require_ages(const Device& second, const std::vector<Bytes>& evidence) const;
  Result<void> check_age(BytesView evidence, std::uint64_t seq, std::int64_t age_ms) const;
  Result<void> check_recovery(const RecoveryInfo& info) const;
  Result<void> stand(const RecoveryInfo& info, const EpochInfo& epoch);
  Result<void> require_new_keys(BytesView verify_key, BytesView wrap_key) const;
  Result<void> add_device(const DeviceInfo& info);
  void remove_device(const ReaderId& id);
  Result<void> same_epoch(const EpochInfo& info, const std::vector<BlobSlot>& slots);
  Result<void> next_epoch(const EpochInfo& info);
  Result<void> fill(Epoch& epoch, const EpochInfo& info, const std::vector<BlobSlot>& slots,
                    bool fresh);
  Result<void> check_heads(const EpochInfo& info) const;

  Circle next_;
  const Statement& statement_;
  const SignedStatement& outer_;
};

Result<Circle> Circle::start(BytesView signed_genesis, std::shared_ptr<const Ages> ages) {
  return Applier::start(signed_genesis, std::move(ages));
}

namespace {

struct Opened {
  SignedStatement outer;
  Statement statement;
};

Result<Opened> open_statement(BytesView bytes) {
  if (bytes.size() > kMaxStatement) return Error{Code::kCorrupt, "a statement is too large"};
  Opened opened;
  opened.outer = TRY(wire::decode<SignedStatement>(bytes));
  opened.statement = TRY(wire::decode<Statement>(opened.outer.statement));
  if (opened.statement.suite != kSuite)
    return Error{Code::kOutdated, "a statement of another crypto suite: update required"};
  if (opened.statement.body.size() > kMaxBody)
    return Error{Code::kCorrupt, "the body of a statement is too large"};
  return opened;
}

}  // namespace

Result<Circle> Applier::start(BytesView signed_genesis, std::shared_ptr<const Ages> ages) {
  const Opened opened = TRY(open_statement(signed_genesis));
  if (opened.statement.type != StatementType::kGenesis || opened.statement.seq != 0)
    return broken("a circle must begin with its genesis");
  Circle empty;
  empty.ages_ = std::move(ages);
  return Applier(empty, opened.statement, opened.outer).run(signed_genesis);
}

Result<Circle> Circle::apply(BytesView signed_statement) const {
  const Opened opened = TRY(open_statement(signed_statement));
  const Statement& statement = opened.statement;
  if (statement.circle != id_) return broken("it belongs to another circle");
  if (statement.seq != seq_ + 1 || statement.prev != head_)
    return Error{Code::kConflict, "the circle has changed since this statement was made"};
  if (statement.type == StatementType::kGenesis) return broken("a second genesis");
  return Applier(*this, statement, opened.outer).run(signed_statement);
}

Result<Circle> Applier::run(BytesView signed_statement) {
  TRY(dispatch());
  next_.seq_ = statement_.seq;
  next_.head_ = statement_head(signed_statement);
  next_.heads_.push_back(next_.head_);
  return std::move(next_);
}

Result<void> Applier::dispatch() {
  switch (statement_.type) {
    case StatementType::kGenesis: return genesis();
    case StatementType::kAdmit: return admit();
    case StatementType::kRemove: return remove();
    case StatementType::kRotate: return rotate();
    case StatementType::kSetVault: return set_vault();
    case StatementType::kSetRegion: return set_region();
    case StatementType::kSetRecovery: return set_recovery();
    case StatementType::kRecover: return recover();
    case StatementType::kPropose: return propose();
    case StatementType::kComplete: return complete();
    case StatementType::kCancel: return cancel();
    case StatementType::kSetLevel:
    case StatementType::kAssist:
    case StatementType::kPolicyAck:
    case StatementType::kGrantWeb:
    case StatementType::kRevokeWeb: break;
  }
  return Error{Code::kOutdated,
               "a statement of a kind this version does not know: update required"};
}

Result<void> Applier::genesis() {
  const Genesis body = TRY(decode_body<Genesis>(statement_));
  if (body.level != Level::kAdvanced)
    return Error{Code::kOutdated, "this account uses a custodian: update required"};
  if (!valid_region(body.region)) return broken("the region is not two capital letters");
  if (circle_id(body.device, body.nonce) != statement_.circle)
    return broken("the circle's id does not commit to its first device");
  if (!statement_.prev.is_zero()) return broken("a genesis follows nothing");
  if (body.epoch.epoch != 1) return broken("the first epoch is 1");
  next_.id_ = statement_.circle;
  next_.region_ = body.region;
  next_.level_ = body.level;
  next_.has_log_ = body.has_log;
  next_.trust_roots_ = body.trust_roots;
  next_.lookup_ = body.lookup;
  TRY(add_device(body.device));
  TRY(require_member_signature());
  TRY(require_no_cosignature());
  next_.epochs_.push_back({1, 0, body.epoch.check, {}});
  return fill(next_.epochs_.back(), body.epoch, reader_slots(reader_id(body.device)), true);
}

Result<void> Applier::admit() {
  const Admit body = TRY(decode_body<Admit>(statement_));
  TRY(require_member_signature());
  TRY(require_no_cosignature());
  const ReaderId id = reader_id(body.device);
  // Without it a member could admit keys whose owner never asked, and show them as its doing.
  if (!crypto::verify({body.device.verify_key}, kAdmissionLabel,
                      admission_bytes(next_.id_, body.request, id), body.countersignature))
    return broken("the new device did not sign its admission");
  TRY(add_device(body.device));
  return same_epoch(body.epoch, reader_slots(id));
}

Result<void> Applier::remove() {
  const Remove body = TRY(decode_body<Remove>(statement_));
  TRY(require_member_signature());
  TRY(require_no_cosignature());
  if (body.devices.empty() || !sorted_and_unique(body.devices))
    return broken("the devices to remove are not a sorted list");
  for (const ReaderId& id : body.devices) {
    if (next_.member(id) == nullptr) return broken("a device to remove is not a member");
    // It would make the next root and know it: it would not be removed.
    if (id == statement_.signer) return broken("a device cannot remove itself");
    remove_device(id);
  }
  return next_epoch(body.epoch);
}

Result<void> Applier::rotate() {
  const Rotate body = TRY(decode_body<Rotate>(statement_));
  TRY(require_member_signature());
  TRY(require_no_cosignature());
  return next_epoch(body.epoch);
}

Result<void> Applier::set_vault() {
  const SetVault body = TRY(decode_body<SetVault>(statement_));
  TRY(require_member_signature());
  TRY(require_no_cosignature());
  if (!printable(body.name)) return broken("a vault's name is empty, too long or not printable");
  const auto known = std::find_if(next_.vaults_.begin(), next_.vaults_.end(),
                                  [&](const Vault& v) { return v.id == body.vault; });
  if (known != next_.vaults_.end()) {
    if (known->name != body.name || known->always_e2e || !body.always_e2e)
      return broken("a vault's one setting can only be set, and its name stays");
    known->always_e2e = true;
    return next_epoch(body.epoch);
  }
  if (next_.vaults_.size() >= kMaxVaults) return broken("64 vaults at most");
  if (next_.vault_named(body.name) != nullptr) return broken("a vault of that name exists");
  if (body.vault.is_zero()) return broken("a vault's id is zero");
  // Heads are of the vaults before this one: it has none yet.
  TRY(same_epoch(body.epoch, vault_slots(body.vault)));
  next_.vaults_.push_back({body.vault, body.name, body.always_e2e, statement_.seq, next_.epoch()});
  std::sort(next_.vaults_.begin(), next_.vaults_.end(),
            [](const Vault& a, const Vault& b) { return a.id < b.id; });
  return Ok{};
}

Result<void> Applier::set_region() {
  const SetRegion body = TRY(decode_body<SetRegion>(statement_));
  TRY(require_member_signature());
  TRY(require_no_cosignature());
  if (!valid_region(body.region)) return broken("the region is not two capital letters");
  next_.region_ = body.region;
  return Ok{};
}

Result<void> Applier::check_recovery(const RecoveryInfo& info) const {
  if (info.capsule.empty() || info.capsule.size() > kMaxCapsule)
    return broken("the recovery capsule is empty or too large");
  TRY(require_new_keys(info.verify_key, info.wrap_key));
  if (!takes_envelopes(info.wrap_key)) return broken("nothing can be wrapped to its key");
  return Ok{};
}

// The recovery key that stands from now on. What waited was proposed against another one.
Result<void> Applier::stand(const RecoveryInfo& info, const EpochInfo& epoch) {
  const ReaderId id = reader_id(info);
  const bool replaces = next_.recovery_.has_value();
  if (replaces) {
    const RecoveryInfo& old = next_.recovery_->info;
    next_.past_recoveries_.push_back({old.verify_key, old.wrap_key, old.locate, {}});
  }
  next_.recovery_ = Recovery{id, info, statement_.seq, statement_.time_ms};
  next_.capsules_.emplace(crypto::sha256(info.capsule), statement_.seq);
  next_.proposals_.clear();
  return replaces ? next_epoch(epoch) : same_epoch(epoch, reader_slots(id));
}

Result<void> Applier::set_recovery() {
  const SetRecovery body = TRY(decode_body<SetRecovery>(statement_));
  TRY(require_member_signature());
  TRY(check_recovery(body.recovery));
  if (next_.recovery_) {
    TRY(require_replacement_cosignature(body));
  } else {
    TRY(require_no_cosignature());
    if (!body.evidence.empty()) return broken("evidence of ages that nobody asks for");
  }
  return stand(body.recovery, body.epoch);
}

Result<void> Applier::propose() {
  const Propose body = TRY(decode_body<Propose>(statement_));
  TRY(require_member_signature());
  TRY(require_no_cosignature());
  if (!next_.has_log_) return broken("a proposal where no log proves how long it stands");
  if (!next_.recovery_) return broken("a proposal where no recovery key is replaced");
  if (next_.proposals_.size() >= kMaxProposals) return broken("too many proposals wait");
  TRY(check_recovery(body.recovery));
  next_.proposals_.push_back(
      {statement_.seq, statement_.time_ms, statement_.signer, body.recovery});
  return Ok{};
}

Result<void> Applier::complete() {
  const Complete body = TRY(decode_body<Complete>(statement_));
  TRY(require_member_signature());
  TRY(require_no_cosignature());
  const auto& all = next_.proposals_;
  const auto it = std::find_if(all.begin(), all.end(),
                               [&](const Proposal& p) { return p.seq == body.proposal; });
  if (it == all.end()) return broken("no such proposal waits");
  TRY(check_age(body.evidence, it->seq, kProposalAgeMs));
  const RecoveryInfo info = it->recovery;
  // Between proposal and now one of its keys may have come into use.
  TRY(check_recovery(info));
  return stand(info, body.epoch);
}

Result<void> Applier::cancel() {
  const Cancel body = TRY(decode_body<Cancel>(statement_));
  TRY(require_member_signature());
  TRY(require_no_cosignature());
  if (std::erase_if(next_.proposals_, [&](const Proposal& p) { return p.seq == body.proposal; }) ==
      0)
    return broken("no such proposal waits");
  return Ok{};
}

Result<void> Applier::recover() {
  const Recover body = TRY(decode_body<Recover>(statement_));
  if (!next_.recovery_) return broken("the account has no recovery key");
  if (statement_.signer != next_.recovery_->id)
    return broken("it is not signed by the recovery key that stands");
  if (!crypto::verify({next_.recovery_->info.verify_key}, kSignLabel, outer_.statement,
                      outer_.signature))
    return broken("the recovery key's signature is wrong");
  TRY(require_no_cosignature());
  const ReaderId id = reader_id(body.device);
  if (!crypto::verify({body.device.verify_key}, kRecoveryLabel,
                      recovery_bytes(next_.id_, statement_.prev, id), body.countersignature))
    return broken("the new device did not sign its admission");
  if (!sorted_and_unique(body.kept)) return broken("the devices kept are not a sorted list");
  for (const ReaderId& kept : body.kept)
    if (next_.member(kept) == nullptr) return broken("a device kept is not a member");
  std::vector<ReaderId> gone;
  for (const Device* d : next_.members())
    if (!std::binary_search(body.kept.begin(), body.kept.end(), d->id)) gone.push_back(d->id);
  for (const ReaderId& g : gone) remove_device(g);
  next_.proposals_.clear();
  TRY(add_device(body.device));
  return next_epoch(body.epoch);
}

Result<void> Applier::require_member_signature() {
  const Device* const signer = next_.member(statement_.signer);
  if (signer == nullptr) return broken("its signer is not a member");
  if (!crypto::verify({signer->info.verify_key}, kSignLabel, outer_.statement, outer_.signature))
    return broken("its signature is wrong");
  return Ok{};
}

// A list that nobody checks would be a second spelling of the same statement.
Result<void> Applier::require_no_cosignature() const {
  if (!outer_.cosignatures.empty()) return broken("a cosignature where none is asked for");
  return Ok{};
}

// Otherwise one stolen device could lock its owner out for good. The old key's word is enough. So
// is a second device's, where both have been members for a week: a thief who holds one device could
// admit a second and have it vouch. Without a log nothing proves an age; there a sole member may
// even go alone, for removing the others first would come to the same.
Result<void> Applier::require_replacement_cosignature(const SetRecovery& body) const {
  if (!next_.has_log_ && outer_.cosignatures.empty() && next_.members().size() == 1) {
    if (!body.evidence.empty()) return broken("evidence of ages where no log proves any");
    return Ok{};
  }
  if (outer_.cosignatures.size() != 1)
    return broken("replacing the recovery key takes the old one or a second device");
  const Device* const second = TRY(cosigner());
  if (second != nullptr) return require_ages(*second, body.evidence);
  if (!body.evidence.empty()) return broken("evidence of ages that nobody asks for");
  return Ok{};
}

// Null: the recovery key that stands.
Result<const Device*> Applier::cosigner() const {
  const Cosignature& second = outer_.cosignatures[0];
  if (second.signer == statement_.signer) return broken("the signer cannot cosign");
  const Device* const member = next_.member(second.signer);
  crypto::VerifyKey key;
  if (second.signer == next_.recovery_->id) {
    key.bytes = next_.recovery_->info.verify_key;
  } else if (member != nullptr) {
    key.bytes = member->info.verify_key;
  } else {
    return broken("the cosigner is not a member");
  }
  if (!crypto::verify(key, kCosignLabel, outer_.statement, second.signature))
    return broken("the cosignature is wrong");
  return member;
}

Result<void> Applier::require_ages(const Device& second, const std::vector<Bytes>& evidence) const {
  std::size_t used = 0;
  for (const Device* const one : {next_.member(statement_.signer), &second}) {
    if (!next_.needs_age(*one)) continue;
    if (used == evidence.size())
      return broken("it does not prove how long its signers are members");
    TRY(check_age(evidence[used++], one->admitted_seq, kMemberAgeMs));
  }
  if (used != evidence.size()) return broken("evidence of ages that nobody asks for");
  return Ok{};
}

Result<void> Applier::check_age(BytesView evidence, std::uint64_t seq, std::int64_t age_ms) const {
  if (!next_.ages_)
    return Error{Code::kUnsafe, "nothing here can judge how long a statement has stood"};
  return next_.ages_->check(evidence, seq, next_.heads_.at(seq), age_ms);
}

// No key returns, under its own id or another: a removed device must not come back by pairing its
// old signing key with a new wrapping key, nor a replaced recovery key as a device.
Result<void> Applier::require_new_keys(BytesView verify_key, BytesView wrap_key) const {
  const auto uses = [&](const auto& info) {
    return crypto::equal(info.verify_key, verify_key) || crypto::equal(info.wrap_key, wrap_key);
  };
  const bool used =
      std::any_of(next_.devices_.begin(), next_.devices_.end(),
                  [&](const Device& d) { return uses(d.info); }) ||
      std::any_of(next_.past_recoveries_.begin(), next_.past_recoveries_.end(), uses) ||
      (next_.recovery_ && uses(next_.recovery_->info));
  if (used) return broken("its keys were used before");
  return Ok{};
}

Result<void> Applier::add_device(const DeviceInfo& info) {
  if (!printable(info.name)) return broken("a device's name is empty, too long or not printable");
  if (next_.members().size() >= kMaxDevices) return broken("64 devices at most");
  if (next_.member_named(info.name) != nullptr)
    return broken("a device named \"" + info.name + "\" is already a member");
  const ReaderId id = reader_id(info);
  TRY(require_new_keys(info.verify_key, info.wrap_key));
  if (!takes_envelopes(info.wrap_key)) return broken("nothing can be wrapped to its key");
  next_.devices_.push_back({id, info, statement_.seq, statement_.time_ms, std::nullopt, {}});
  return Ok{};
}

void Applier::remove_device(const ReaderId& id) {
  for (Device& d : next_.devices_) {
    if (d.id != id) continue;
    d.removed_seq = statement_.seq;
    d.removed_by = statement_.signer;
  }
  std::erase_if(next_.proposals_, [&](const Proposal& p) { return p.proposer == id; });
}

Result<void> Applier::same_epoch(const EpochInfo& info, const std::vector<BlobSlot>& slots) {
  Epoch& epoch = next_.epochs_.back();
  if (info.epoch != epoch.number || info.check != epoch.check)
    return broken("it adds a reader to another epoch than the current one");
  return fill(epoch, info, slots, false);
}

Result<void> Applier::next_epoch(const EpochInfo& info) {
  if (info.epoch != next_.epoch() + 1) return broken("its epoch does not follow the current one");
  const auto slots = epoch_slots(next_, next_.readers());
  next_.epochs_.push_back({info.epoch, statement_.seq, info.check, {}});
  return fill(next_.epochs_.back(), info, slots, true);
}

Result<void> Applier::fill(Epoch& epoch, const EpochInfo& info, const std::vector<BlobSlot>& slots,
                           bool fresh) {
  TRY(check_heads(info));
  if (info.blobs.size() != slots.size())
    return broken("it brings another number of keys than there are readers and vaults");
  for (std::size_t i = 0; i < slots.size(); ++i) epoch.blobs.emplace(slots[i], info.blobs[i]);
  next_.marks_.push_back({statement_.seq, epoch.number, fresh, info.vault_heads});
  return Ok{};
}

// Exactly the vaults that exist, none going backwards: what the heads do not reach is refused for
// ever, so a signer must not be able to leave one out or turn one back.
Result<void> Applier::check_heads(const EpochInfo& info) const {
  if (info.vault_heads.size() != next_.vaults_.size())
    return broken("it does not name the head of every vault");
  for (std::size_t i = 0; i < next_.vaults_.size(); ++i) {
    const VaultHead& now = info.vault_heads[i];
    if (now.vault != next_.vaults_[i].id) return broken("its vault heads are not in order");
    if ((now.n == 0) != now.head.is_zero()) return broken("a vault head without its number");
    for (auto mark = next_.marks_.rbegin(); mark != next_.marks_.rend(); ++mark) {
      const auto before = std::find_if(mark->heads.begin(), mark->heads.end(),
                                       [&](const VaultHead& h) { return h.vault == now.vault; });
      if (before == mark->heads.end()) continue;
      if (now.n < before->n || (now.n == before->n && now.head != before->head))
        return broken("it turns a vault back");
      break;
    }
  }
  return Ok{};
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
    case StatementType::kSetRegion:
    case StatementType::kPropose:
    case StatementType::kCancel: return std::optional<EpochInfo>();
    case StatementType::kSetLevel:
    case StatementType::kAssist:
    case StatementType::kPolicyAck:
    case StatementType::kGrantWeb:
    case StatementType::kRevokeWeb: break;
  }
  return Error{Code::kOutdated,
               "a statement of a kind this version does not know: update required"};
}

}  // namespace holdfast::circle
