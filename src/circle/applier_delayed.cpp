#include <algorithm>

#include "circle/applier.h"
#include "circle/custody.h"
#include "crypto/hash.h"

namespace holdfast::circle {

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
  void_proposals<RecoveryInfo>();
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

Result<void> Applier::add_proposal(Proposal::What what) {
  const auto same = [&](const Proposal& p) { return p.what.index() == what.index(); };
  if (static_cast<std::size_t>(std::ranges::count_if(next_.proposals_, same)) >= kMaxProposals)
    return broken("too many proposals wait");
  next_.proposals_.push_back(
      {statement_.seq, statement_.time_ms, statement_.signer, std::move(what)});
  return Ok{};
}

Result<void> Applier::propose() {
  const Propose body = TRY(decode_body<Propose>(statement_));
  TRY(require_member_signature());
  TRY(require_no_cosignature());
  if (!next_.has_log_) return broken("a proposal where no log proves how long it stands");
  if (body.recovery.has_value() == body.custodian.has_value())
    return broken("a proposal is of a recovery key or of a custodian");
  if (body.custodian) {
    if (next_.custodian() != nullptr) return broken("the account has a custodian already");
    TRY(check_custodian(*body.custodian));
    return add_proposal(*body.custodian);
  }
  if (!next_.recovery_) return broken("a proposal where no recovery key is replaced");
  TRY(check_recovery(*body.recovery));
  return add_proposal(*body.recovery);
}

Result<void> Applier::complete() {
  const Complete body = TRY(decode_body<Complete>(statement_));
  TRY(require_no_cosignature());
  const auto& all = next_.proposals_;
  const auto it = std::find_if(all.begin(), all.end(),
                               [&](const Proposal& p) { return p.seq == body.proposal; });
  if (it == all.end()) return broken("no such proposal waits");
  const Proposal proposal = *it;
  if (proposal.helped() != nullptr) {
    TRY(require_fleet_signature());
  } else {
    TRY(require_member_signature());
  }
  TRY(check_age(body.evidence, proposal.seq, kProposalAgeMs));
  // Between proposal and now one of its keys may have come into use: each is checked once more.
  if (const auto* const recovery = proposal.recovery()) {
    TRY(check_recovery(*recovery));
    return stand(*recovery, body.epoch);
  }
  if (const auto* const custodian = proposal.custodian()) {
    TRY(check_custodian(*custodian));
    return enter_custodian(*custodian, body.epoch);
  }
  return help(*proposal.helped(), body.epoch);
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
  // The old key's word needs no age, nor does its signer's.
  const auto since = second != nullptr ? ages_of(second) : std::vector<std::uint64_t>();
  return require_ages(since, body.evidence);
}

// At once only where two voices of a week say so: whoever holds one device could else hand the
// account to the provider before its owner hears of it.
Result<void> Applier::require_lowering_cosignature(const SetLevel& body) const {
  if (outer_.cosignatures.size() != 1)
    return broken("lowering the level at once takes a second device or the recovery key");
  const Device* const second = TRY(cosigner());
  std::vector<std::uint64_t> since = ages_of(second);
  if (second == nullptr) since.push_back(next_.recovery_->set_seq);
  return require_ages(since, body.evidence);
}

// Null: the recovery key that stands.
Result<const Device*> Applier::cosigner() const {
  const Cosignature& second = outer_.cosignatures[0];
  if (second.signer == statement_.signer) return broken("the signer cannot cosign");
  const Device* const member = next_.member(second.signer);
  crypto::VerifyKey key;
  if (next_.recovery_ && second.signer == next_.recovery_->id) {
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

// Of signer and cosigner: the statements since which those are members whose age must be proven.
std::vector<std::uint64_t> Applier::ages_of(const Device* second) const {
  std::vector<std::uint64_t> since;
  for (const Device* const one : {next_.member(statement_.signer), second})
    if (one != nullptr && next_.needs_age(*one)) since.push_back(one->admitted_seq);
  return since;
}

Result<void> Applier::require_ages(const std::vector<std::uint64_t>& since,
                                   const std::vector<Bytes>& evidence) const {
  if (evidence.size() < since.size())
    return broken("it does not prove how long its signers are members");
  if (evidence.size() > since.size()) return broken("evidence of ages that nobody asks for");
  for (std::size_t i = 0; i < since.size(); ++i)
    TRY(check_age(evidence[i], since[i], kMemberAgeMs));
  return Ok{};
}

Result<void> Applier::check_age(BytesView evidence, std::uint64_t seq, std::int64_t age_ms) const {
  if (!next_.ages_)
    return Error{Code::kUnsafe, "nothing here can judge how long a statement has stood"};
  return next_.ages_->check(evidence, seq, next_.heads_.at(seq), age_ms);
}

}  // namespace holdfast::circle
