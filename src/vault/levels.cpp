// The protection level: whether the provider's custodian is a reader (docs/protection-levels.md).
#include "vault/levels.h"

#include "circle/custody.h"
#include "crypto/hash.h"
#include "vault/ages.h"

namespace holdfast::vault {
namespace {

std::string receipt_setting(const ReaderId& custodian) {
  return "custodian_receipt:" + custodian.hex();
}

Error too_young(const std::string& what) {
  return {Code::kUnavailable,
          "the log does not prove yet that " + what +
              " stands for seven days: until it does, the standard level can be proposed, and "
              "waits three days"};
}

// One that the account never had: a key that left does not return, and is given out until it is
// destroyed.
Result<circle::CustodianInfo> next_custodian(Account::State& state) {
  auto custodian = TRY(ask_custodian(state.store, state.circle().id(), state.roots_now));
  for (const circle::Custodian& one : state.circle().custodians())
    if (one.id == circle::reader_id(custodian))
      return Error{Code::kUnavailable,
                   "the key of the custodian that left is not destroyed yet, and the account takes "
                   "no key twice: try again when holdfast protection show says that it is"};
  return custodian;
}

// Destroyed before it left, or on a fork, it would be a receipt of nothing.
bool is_of_this_history(const circle::Circle& circle, const circle::Custodian& one,
                        const circle::DeletionReceipt& receipt) {
  return receipt.seq >= *one.left_seq && receipt.seq <= circle.seq() &&
         receipt.head == circle.head_at(receipt.seq);
}

// Once the log had it, it has it for ever.
Result<bool> is_logged(Account::State& state, const ReaderId& custodian, const Digest& receipt) {
  const std::string setting = "custodian_receipt_logged:" + custodian.hex();
  if (state.home.setting(setting) == receipt.hex()) return true;
  if (!state.log_status) return false;  // what the service says now counts for nothing
  const auto logged = log_has_receipt(state.home, state.store, receipt);
  if (!logged.ok() || !*logged) return false;
  TRY(state.home.set_setting(setting, receipt.hex()));
  return true;
}

// Evidence that statement `seq` has stood for a week.
Result<Bytes> prove_week(Account::State& state, const LogAges& ages, std::uint64_t seq,
                         const std::string& what) {
  Bytes evidence = TRY(state.replica.session().prove_age(seq));
  const auto age = TRY(ages.read(evidence, seq, state.circle().head_at(seq)));
  if (static_cast<std::int64_t>(age.age_s()) * 1000 < circle::kMemberAgeMs) return too_young(what);
  return evidence;
}

}  // namespace

Result<void> check_fleet(const circle::CustodianInfo& custodian, const std::vector<Bytes>& fleets) {
  for (const Bytes& known : fleets)
    if (!known.empty() && crypto::equal(known, custodian.fleet_key)) return Ok{};
  return Error{Code::kUnsafe,
               "the custodian's key is not of the provider that this account trusts"};
}

Result<circle::CustodianInfo> ask_custodian(api::Visitor& store, const CircleId& circle,
                                            const circle::TrustRoots& roots) {
  const Bytes bytes = TRY(store.custodian_key(circle));
  auto custodian = TRY(wire::decode<circle::CustodianInfo>(bytes));
  TRY(circle::verify_custodian(circle, custodian));
  TRY(check_fleet(custodian, {roots.fleet_key}));
  return custodian;
}

// No reason to keep a person from their data, nor from ending it.
Result<void> check_custodian(const Home& home, const circle::Circle& circle,
                             const circle::TrustRoots& genesis) {
  const circle::Custodian* const custodian = circle.custodian();
  if (custodian == nullptr) return Ok{};
  const auto fleets = TRY(fleet_keys(home, genesis));
  if (check_fleet(custodian->info, fleets).ok()) return Ok{};
  return Error{Code::kUnsafe,
               "the custodian that can read this account is not of the provider that it trusts: "
               "somebody with one of your devices made it a reader. Nothing is saved there until "
               "it is none any more: holdfast protection advanced; and remove that device"};
}

Result<void> Account::State::check_custodian() const {
  return vault::check_custodian(home, circle(), roots);
}

std::vector<Account::Ready> Account::readiness() const {
  std::vector<Ready> all;
  const bool recovery = circle().recovery().has_value();
  all.push_back({"recovery_key", recovery,
                 recovery
                     ? "The account has a recovery key."
                     : "The account has no recovery key: whoever then loses every device loses "
                       "the data for good. Make one: holdfast recovery key"});
  // The first statement of an account that has a custodian is one that older versions refuse.
  all.push_back(
      {"devices", true, "Every device of the account is of a version that knows the levels."});
  const PolicyHere here = policy_here();
  const bool offered = here.may_enable();
  all.push_back({"policy", offered,
                 offered ? "It is offered in region " + circle().region() + "."
                         : circle::not_offered(circle().region(), here.now->version).message});
  return all;
}

Result<void> Account::raise_level() {
  return state_->append([&]() -> Result<State::Made> {
    if (circle().level() == circle::Level::kAdvanced)
      return Error{Code::kConflict, "the account is at the advanced level already"};
    if (!circle().recovery())
      return Error{Code::kInvalid,
                   "the account has no recovery key: without one, losing every device would lose "
                   "the data for good. Make one first: holdfast recovery key"};
    NextReaders readers = state_->replica.readers();
    readers.of_vaults.clear();
    auto draft = TRY(state_->replica.next_epoch(readers));
    circle::SetLevel body;
    body.level = circle::Level::kAdvanced;
    body.policy = policy_in_effect();
    body.epoch = std::move(draft.info);
    return State::Made{circle::StatementType::kSetLevel, wire::encode(body),
                       std::move(draft.blobs)};
  });
}

// For the record: whoever reads the statement sees which policy its signer knew.
std::uint64_t Account::policy_in_effect() const {
  if (!state_->log_status) return 0;
  for (const PolicyStatus& policy : state_->log_status->policies)
    if (policy.in_effect) return policy.version;
  return 0;
}

Result<void> Account::lower_level(const keys::RecoveryKey& vouches) {
  const auto ages = TRY(log_ages(state_->home));
  if (ages == nullptr) return api::no_custodian();
  const crypto::SigningKey second(crypto::derive<crypto::SigningPurpose>(vouches));
  const auto cosign = [&](circle::SignedStatement& statement) {
    circle::cosign(statement, circle().recovery()->id, second);
  };
  return state_->append([&]() -> Result<State::Made> {
    if (circle().level() == circle::Level::kStandard)
      return Error{Code::kConflict, "the account is at the standard level already"};
    if (!circle().recovery() || circle().recovery()->info.locate != keys::locate_id(vouches))
      return Error{Code::kDenied, "that is not the account's recovery key"};
    circle::SetLevel body;
    body.level = circle::Level::kStandard;
    body.policy = policy_in_effect();
    if (circle().needs_age(self()))
      body.evidence.push_back(TRY(prove_week(*state_, *ages, self().admitted_seq, "this device")));
    body.evidence.push_back(
        TRY(prove_week(*state_, *ages, circle().recovery()->set_seq, "the recovery key")));
    body.custodian = TRY(next_custodian(*state_));
    NextReaders readers = state_->replica.readers();
    readers.of_vaults[circle::reader_id(*body.custodian)].bytes = body.custodian->wrap_key;
    auto draft = TRY(state_->replica.next_epoch(readers));
    body.epoch = std::move(draft.info);
    return State::Made{circle::StatementType::kSetLevel, wire::encode(body), std::move(draft.blobs),
                       cosign};
  });
}

Result<std::uint64_t> Account::propose_standard() {
  if (circle().level() == circle::Level::kStandard)
    return Error{Code::kConflict, "the account is at the standard level already"};
  return state_->propose([&]() -> Result<circle::Propose> {
    return circle::Propose{{}, TRY(next_custodian(*state_))};
  });
}

Result<Account::Custody> Account::custody() {
  Custody custody;
  std::vector<Bytes> given;
  const auto status = state_->replica.session().custody();
  if (status.ok()) {
    custody.pending_since = status->pending_since;
    given = status->receipts;
  } else if (status.error().code != Code::kNotFound) {
    return status.error();
  }
  for (const circle::Custodian& one : circle().custodians()) {
    if (!one.left_seq) continue;
    FormerCustodian former{one};
    const std::string kept = state_->home.setting(receipt_setting(one.id));
    if (!kept.empty()) given.push_back(to_bytes(as_bytes(kept)));
    for (const Bytes& bytes : given) {
      auto receipt = circle::verify_receipt(circle().id(), one.info, bytes);
      if (!receipt.ok() || !is_of_this_history(circle(), one, *receipt)) continue;
      former.receipt = std::move(receipt).value();
      former.receipt_hash = crypto::sha256(bytes);
      if (kept.empty())
        TRY(state_->home.set_setting(receipt_setting(one.id), std::string(as_text(bytes))));
      former.logged = TRY(is_logged(*state_, one.id, former.receipt_hash));
      break;
    }
    custody.former.push_back(std::move(former));
  }
  return custody;
}

}  // namespace holdfast::vault
