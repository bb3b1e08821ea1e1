// A new recovery key where nobody vouches for it: proposed, three days later completed, until then
// cancelled by any device.
#include "vault/account_state.h"
#include "vault/ages.h"

namespace holdfast::vault {
namespace {

constexpr std::uint64_t kWait_s = circle::kProposalAgeMs / 1000;

Error gone() {
  return {Code::kNotFound,
          "no such new recovery key waits: it was completed or cancelled, or its proposer removed"};
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
                 "this account has no log, so nothing could prove how long a new key waits"};
  if (ages->log().quorum() > 0) return Ok{};
  return Error{Code::kInvalid,
               "nobody outside witnesses the log of this account, so nothing can prove that three "
               "days pass: only the old recovery key can replace itself here"};
}

}  // namespace

Result<std::vector<Account::WaitingKey>> Account::waiting_keys() {
  std::vector<WaitingKey> out;
  if (circle().proposals().empty()) return out;
  const auto ages = TRY(log_ages(state_->home));
  for (const circle::Proposal& one : circle().proposals()) {
    WaitingKey waiting;
    waiting.number = one.seq;
    waiting.proposer = one.proposer;
    waiting.proposed_ms = one.time_ms;
    const auto evidence = state_->replica.session().prove_age(one.seq);
    // What the service makes up is as good as nothing.
    if (evidence.ok() && ages != nullptr) {
      const auto age = ages->read(*evidence, one.seq, circle().head_at(one.seq));
      if (age.ok()) waiting.stood = *age;
    }
    out.push_back(waiting);
  }
  return out;
}

Result<std::uint64_t> Account::propose_recovery(const keys::RecoveryKey& key) {
  const auto ages = TRY(log_ages(state_->home));
  TRY(check_possible(ages.get()));
  const keys::LookupKey lookup = TRY(state_->home.lookup());
  circle::RecoveryInfo info;
  TRY(state_->append([&]() -> Result<State::Made> {
    info = make_recovery_info(key, state_->replica, lookup, state_->roots);
    return State::Made{circle::StatementType::kPropose, wire::encode(circle::Propose{info}), {}};
  }));
  for (const circle::Proposal& one : circle().proposals())
    if (one.recovery.locate == info.locate) return one.seq;
  return gone();
}

Result<void> Account::complete_recovery(std::uint64_t number) {
  const auto ages = TRY(log_ages(state_->home));
  TRY(check_possible(ages.get()));
  return state_->append([&]() -> Result<State::Made> {
    const circle::Proposal proposal = TRY(find(circle(), number));
    circle::Complete body;
    body.proposal = number;
    body.evidence = TRY(state_->replica.session().prove_age(number));
    const auto age = TRY(ages->read(body.evidence, number, circle().head_at(number)));
    if (age.age_s() < kWait_s)
      return Error{
          Code::kUnavailable,
          "the new recovery key does not count yet: by the log's witnesses it waits since " +
              human_time(static_cast<TimeMs>(age.since_s) * 1000) + ", and must for three days"};
    auto readers = state_->replica.wrap_keys();
    if (circle().recovery()) readers.erase(circle().recovery()->id);
    readers[circle::reader_id(proposal.recovery)].bytes = proposal.recovery.wrap_key;
    auto draft = TRY(state_->replica.next_epoch(readers));
    body.epoch = std::move(draft.info);
    return State::Made{circle::StatementType::kComplete, wire::encode(body),
                       std::move(draft.blobs)};
  });
}

Result<void> Account::cancel_recovery(std::uint64_t number) {
  return state_->append([&]() -> Result<State::Made> {
    TRY(find(circle(), number));
    return State::Made{circle::StatementType::kCancel, wire::encode(circle::Cancel{number}), {}};
  });
}

}  // namespace holdfast::vault
