#include "circle/applier.h"

#include <algorithm>

#include "circle/custody.h"
#include "circle/policy.h"
#include "crypto/labelled.h"

namespace holdfast::circle {
namespace {

bool sorted_and_unique(const std::vector<ReaderId>& ids) {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end();
}

}  // namespace

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

bool takes_envelopes(const std::array<std::uint8_t, crypto::WrapPublicKey::kSize>& wrap_key) {
  struct ProbePurpose {};
  return crypto::wrap_key({wrap_key}, {}, crypto::Key<ProbePurpose>::random()).ok();
}

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
    case StatementType::kSetLevel: return set_level();
    case StatementType::kAssist: return assist();
    case StatementType::kPolicyAck: return policy_ack();
    case StatementType::kGrantWeb:
    case StatementType::kRevokeWeb: break;
  }
  return Error{Code::kOutdated,
               "a statement of a kind this version does not know: update required"};
}

Result<void> Applier::genesis() {
  const Genesis body = TRY(decode_body<Genesis>(statement_));
  if ((body.level == Level::kStandard) != body.custodian.has_value())
    return broken("the standard level has a custodian, and no other has one");
  // Its custodian acts on what the log shows, and on nothing else.
  if (body.custodian && !body.has_log) return broken("a custodian where there is no log");
  if (!is_region(body.region)) return broken("the region is not two capital letters");
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
  if (body.custodian) {
    TRY(check_custodian(*body.custodian));
    next_.custodians_.push_back(
        {reader_id(*body.custodian), *body.custodian, 0, statement_.time_ms, std::nullopt});
  }
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
  return new_vault(body);
}

Result<void> Applier::new_vault(const SetVault& body) {
  if (next_.vaults_.size() >= kMaxVaults) return broken("64 vaults at most");
  if (next_.vault_named(body.name) != nullptr) return broken("a vault of that name exists");
  if (body.vault.is_zero()) return broken("a vault's id is zero");
  // Heads are of the vaults before this one: it has none yet.
  const Vault vault{body.vault, body.name, body.always_e2e, statement_.seq, next_.epoch()};
  TRY(same_epoch(body.epoch, vault_slots(vault, next_.vault_readers())));
  next_.vaults_.push_back(vault);
  std::sort(next_.vaults_.begin(), next_.vaults_.end(),
            [](const Vault& a, const Vault& b) { return a.id < b.id; });
  return Ok{};
}

Result<void> Applier::set_region() {
  const SetRegion body = TRY(decode_body<SetRegion>(statement_));
  TRY(require_member_signature());
  TRY(require_no_cosignature());
  if (!is_region(body.region)) return broken("the region is not two capital letters");
  next_.region_ = body.region;
  return Ok{};
}

Result<void> Applier::policy_ack() {
  const PolicyAck body = TRY(decode_body<PolicyAck>(statement_));
  TRY(require_member_signature());
  TRY(require_no_cosignature());
  if (body.version == 0) return broken("policies are numbered from 1");
  next_.acknowledged_ = body;
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

Result<void> Applier::require_fleet_signature() const {
  const Custodian* const custodian = next_.custodian();
  if (custodian == nullptr || statement_.signer != custodian->id)
    return broken("its signer is not the account's custodian");
  if (!crypto::ed25519_verify({custodian->info.fleet_key},
                              crypto::labelled_message(kFleetLabel, outer_.statement),
                              outer_.signature))
    return broken("the custodian's signature is wrong");
  return Ok{};
}

// A list that nobody checks would be a second spelling of the same statement.
Result<void> Applier::require_no_cosignature() const {
  if (!outer_.cosignatures.empty()) return broken("a cosignature where none is asked for");
  return Ok{};
}

Result<void> Applier::require_new_wrap_key(BytesView wrap_key) const {
  const auto uses = [&](const auto& info) { return crypto::equal(info.wrap_key, wrap_key); };
  const auto holds = [&](const auto& one) { return uses(one.info); };
  if (std::ranges::any_of(next_.devices_, holds) || std::ranges::any_of(next_.custodians_, holds) ||
      std::ranges::any_of(next_.helped_, holds) ||
      std::ranges::any_of(next_.past_recoveries_, uses) ||
      (next_.recovery_ && uses(next_.recovery_->info)))
    return broken("its keys were used before");
  return Ok{};
}

// No key returns, under its own id or another: a removed device must not come back by pairing its
// old signing key with a new wrapping key, nor a replaced recovery key as a device.
Result<void> Applier::require_new_keys(BytesView verify_key, BytesView wrap_key) const {
  TRY(require_new_wrap_key(wrap_key));
  const auto uses = [&](const auto& info) { return crypto::equal(info.verify_key, verify_key); };
  const bool used =
      std::any_of(next_.devices_.begin(), next_.devices_.end(),
                  [&](const Device& d) { return uses(d.info); }) ||
      std::any_of(next_.past_recoveries_.begin(), next_.past_recoveries_.end(), uses) ||
      std::ranges::any_of(next_.helped_, [&](const Helped& h) { return uses(h.info); }) ||
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
  const auto slots = epoch_slots(next_.vaults_, next_.readers(), next_.vault_readers());
  // Whoever was helped read the epoch that ends: only who has no device needs that.
  if (!next_.helped_.empty() && !next_.helped_.back().left_seq)
    next_.helped_.back().left_seq = statement_.seq;
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

}  // namespace holdfast::circle
