// What waits three days because nobody vouches for it: proposed, then completed; until then
// cancelled by any device.
#include "circle/custody.h"
#include "vault/account_state.h"
#include "vault/ages.h"
#include "vault/levels.h"

namespace holdfast::vault {
namespace {

constexpr std::uint64_t kWait_s = circle::kProposalAgeMs / 1000;

Error gone() {
  return {
      Code::kNotFound,
      "nothing waits under this number: it was completed or cancelled, or its proposer removed"};
}

Result<circle::Proposal> find(const circle::Circle& circle, std::uint64_t number) {
  for (const circle::Proposal& one : circle.proposals())
    if (one.seq == number) return one;
  return gone();
}

// Where it never could be completed, it is not made.
Result<void> check_possible(const LogAges* ages) {
  if (ages == nullptr)
    return Error{Code::kInvalid,
                 "this account has no log, so nothing could prove how long something waits"};
  if (ages->log().quorum() > 0) return Ok{};
  return Error{Code::kInvalid,
               "nobody outside witnesses the log of this account, so nothing can prove that three "
               "days pass"};
}

Account::Waiting waiting_as(const circle::Proposal& one) {
  Account::Waiting waiting;
  waiting.number = one.seq;
  waiting.proposer = one.proposer;
  waiting.proposed_ms = one.time_ms;
  waiting.what = one.recovery() != nullptr    ? Account::Waits::kRecovery
                 : one.custodian() != nullptr ? Account::Waits::kStandard
                                              : Account::Waits::kHelp;
  if (const auto* const helped = one.helped()) waiting.name = helped->name;
  return waiting;
}

Error too_early(const tlog::ProvenAge& age) {
  return {Code::kUnavailable, "it does not count yet: by the log's witnesses it waits since " +
                                  human_time(static_cast<TimeMs>(age.since_s) * 1000) +
                                  ", and must for three days"};
}

}  // namespace

Result<std::vector<Account::Waiting>> Account::waiting() {
  std::vector<Waiting> out;
  if (circle().proposals().empty()) return out;
  const auto ages = TRY(log_ages(state_->home));
  for (const circle::Proposal& one : circle().proposals()) {
    Waiting waiting = waiting_as(one);
    const auto evidence = state_->replica.session().prove_age(one.seq);
    // What the service makes up is as good as nothing.
    if (evidence.ok() && ages != nullptr) {
      const auto age = ages->read(*evidence, one.seq, circle().head_at(one.seq));
      if (age.ok()) waiting.stood = *age;
    }
    out.push_back(std::move(waiting));
  }
  return out;
}

Result<std::uint64_t> Account::State::propose(
    const std::function<Result<circle::Propose>()>& make) {
  const auto ages = TRY(log_ages(home));
  TRY(check_possible(ages.get()));
  Bytes body;
  const auto proposal = [&]() -> Result<Made> {
    body = wire::encode(TRY(make()));
    return Made{circle::StatementType::kPropose, body, {}};
  };
  TRY(append(proposal));
  // Found again by what it says: others may have been appended since.
  for (const circle::Proposal& one : circle().proposals()) {
    const circle::Propose said{
        one.recovery() != nullptr ? std::optional(*one.recovery()) : std::nullopt,
        one.custodian() != nullptr ? std::optional(*one.custodian()) : std::nullopt};
    if (one.helped() == nullptr && wire::encode(said) == body) return one.seq;
  }
  return gone();
}

Result<std::uint64_t> Account::propose_recovery(const keys::RecoveryKey& key) {
  const keys::LookupKey lookup = TRY(state_->home.lookup());
  return state_->propose([&]() -> Result<circle::Propose> {
    return circle::Propose{make_recovery_info(key, state_->replica, lookup, state_->roots), {}};
  });
}

Result<void> Account::complete_waiting(std::uint64_t number) {
  const auto ages = TRY(log_ages(state_->home));
  TRY(check_possible(ages.get()));
  return state_->append([&]() -> Result<State::Made> {
    const circle::Proposal proposal = TRY(find(circle(), number));
    circle::Complete body;
    body.proposal = number;
    body.evidence = TRY(state_->replica.session().prove_age(number));
    const auto age = TRY(ages->read(body.evidence, number, circle().head_at(number)));
    if (age.age_s() < kWait_s) return too_early(age);
    NextReaders readers = state_->replica.readers();
    if (const auto* const recovery = proposal.recovery()) {
      if (circle().recovery()) readers.full.erase(circle().recovery()->id);
      readers.full[circle::reader_id(*recovery)].bytes = recovery->wrap_key;
    } else if (const auto* const custodian = proposal.custodian()) {
      TRY(check_fleet(*custodian, {state_->roots_now.fleet_key}));
      readers.of_vaults[circle::reader_id(*custodian)].bytes = custodian->wrap_key;
    } else {
      return Error{Code::kInvalid, "help for an owner without devices is the provider's to give"};
    }
    auto draft = TRY(state_->replica.next_epoch(readers));
    body.epoch = std::move(draft.info);
    return State::Made{circle::StatementType::kComplete, wire::encode(body),
                       std::move(draft.blobs)};
  });
}

Result<void> Account::cancel_waiting(std::uint64_t number) {
  return state_->append([&]() -> Result<State::Made> {
    TRY(find(circle(), number));
    return State::Made{circle::StatementType::kCancel, wire::encode(circle::Cancel{number}), {}};
  });
}

}  // namespace holdfast::vault
