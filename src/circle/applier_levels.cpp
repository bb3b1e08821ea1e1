// The protection level: whether the custodian is a reader. docs/formats/circle.md#levels
#include "circle/applier.h"
#include "circle/custody.h"

namespace holdfast::circle {

Result<void> Applier::check_custodian(const CustodianInfo& info) const {
  TRY(verify_custodian(next_.id_, info));
  TRY(require_new_wrap_key(info.wrap_key));
  if (!takes_envelopes(info.wrap_key)) return broken("nothing can be wrapped to its key");
  return Ok{};
}

Result<void> Applier::set_level() {
  const SetLevel body = TRY(decode_body<SetLevel>(statement_));
  TRY(require_member_signature());
  if (body.level == next_.level_) return broken("the account has that level already");
  return body.level == Level::kAdvanced ? raise(body) : lower(body);
}

// Nobody but the person is left who could help: there must be a way back.
Result<void> Applier::raise(const SetLevel& body) {
  TRY(require_no_cosignature());
  if (!body.evidence.empty()) return broken("evidence of ages that nobody asks for");
  if (body.custodian) return broken("a custodian at the advanced level");
  if (!next_.recovery_) return broken("the advanced level where there is no recovery key");
  next_.custodians_.back().left_seq = statement_.seq;
  next_.level_ = Level::kAdvanced;
  void_proposals<DeviceInfo>();
  return next_epoch(body.epoch);
}

Result<void> Applier::lower(const SetLevel& body) {
  if (!next_.has_log_) return broken("a custodian where there is no log");
  if (!body.custodian) return broken("the standard level without a custodian");
  TRY(check_custodian(*body.custodian));
  TRY(require_lowering_cosignature(body));
  return enter_custodian(*body.custodian, body.epoch);
}

Result<void> Applier::enter_custodian(const CustodianInfo& info, const EpochInfo& epoch) {
  next_.custodians_.push_back(
      {reader_id(info), info, statement_.seq, statement_.time_ms, std::nullopt});
  next_.level_ = Level::kStandard;
  void_proposals<CustodianInfo>();
  return next_epoch(epoch);
}

Result<void> Applier::check_helped(const DeviceInfo& info) const {
  if (!printable(info.name)) return broken("a device's name is empty, too long or not printable");
  TRY(require_new_keys(info.verify_key, info.wrap_key));
  if (!takes_envelopes(info.wrap_key)) return broken("nothing can be wrapped to its key");
  return Ok{};
}

// Never a member: whoever the provider took for the owner could else remove the owner's devices,
// replace the recovery key and keep the account.
Result<void> Applier::assist() {
  const Assist body = TRY(decode_body<Assist>(statement_));
  TRY(require_fleet_signature());
  TRY(require_no_cosignature());
  TRY(check_helped(body.helped));
  return add_proposal(body.helped);
}

Result<void> Applier::help(const DeviceInfo& info, const EpochInfo& epoch) {
  TRY(check_helped(info));
  const ReaderId id = reader_id(info);
  // One at a time: a second takes the first one's place, and no envelope is made twice.
  if (!next_.helped_.empty() && !next_.helped_.back().left_seq)
    next_.helped_.back().left_seq = statement_.seq;
  next_.helped_.push_back({id, info, statement_.seq, statement_.time_ms, std::nullopt});
  void_proposals<DeviceInfo>();
  return same_epoch(epoch, assist_slots(next_, id));
}

}  // namespace holdfast::circle
