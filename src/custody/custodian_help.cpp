// Releases, and help for an owner without devices: docs/formats/custody.md#help
#include "circle/custody.h"
#include "crypto/hash.h"
#include "custody/custodian.h"

namespace holdfast::custody {
namespace {

constexpr TimeMs kClockSlackMs = 24LL * 60 * 60 * 1000;

Error advanced() {
  return {Code::kDenied, "the account is at the advanced level: its provider can help nobody"};
}

Error not_listed_yet() {
  return {Code::kUnavailable,
          "what is given out must first stand in a release batch that the log shows; the next one "
          "comes within hours"};
}

Result<circle::Statement> statement_in(BytesView bytes) {
  const auto outer = TRY(wire::decode<circle::SignedStatement>(bytes));
  return wire::decode<circle::Statement>(outer.statement);
}

const circle::Proposal* find_help(const circle::Circle& circle, std::uint64_t seq) {
  for (const circle::Proposal& one : circle.proposals())
    if (one.seq == seq && one.helped() != nullptr) return &one;
  return nullptr;
}

circle::Draft draft_at_head(const circle::Circle& circle, circle::StatementType type, Bytes body,
                            TimeMs now) {
  return {circle.id(), circle.seq() + 1,       circle.head(),  now,
          type,        circle.custodian()->id, std::move(body)};
}

}  // namespace

// What the help of one proposal would give out, of an account as the log has it newest.
struct Custodian::HelpPlan {
  circle::Circle circle;
  circle::DeviceInfo helped;
  std::vector<circle::BlobSlot> slots;
  std::vector<tlog::Release> releases;  // one a slot
};

// ---- releases ----

Result<std::uint64_t> Custodian::logged_batch() {
  const Bytes& leaf = follower_.pins().batch;
  if (leaf.empty()) return std::uint64_t{0};
  return TRY(wire::decode<tlog::ReleaseBatch>(leaf)).n;
}

// The next one is made once the log has the one before, and not changed after: whoever was given
// it once is given no other.
Result<api::NextBatch> Custodian::next_batch() {
  const Lock one(mutex_);
  Releases releases(tables_.database());
  auto newest = TRY(releases.newest());
  const std::uint64_t logged = TRY(logged_batch());
  if (newest && newest->n <= logged && newest->leaf != follower_.pins().batch)
    return Error{Code::kUnsafe, "the log has a release batch that this custodian did not make"};
  if (!newest || newest->n <= logged) {
    TRY(releases.make(follower_.pins().batch, options_.open_days, clock_->now()));
    newest = TRY(releases.newest());
  }
  api::NextBatch out;
  out.leaf = newest->leaf;
  for (const tlog::MapEntry& entry : TRY(releases.positions(newest->n)))
    out.positions.emplace_back(Digest(entry.label.bytes), entry.value);
  return out;
}

Result<api::DueOpenings> Custodian::due_openings() {
  const Lock one(mutex_);
  const std::uint64_t logged = TRY(logged_batch());
  return Releases(tables_.database()).due(logged, clock_->now());
}

Result<void> Custodian::opened(std::uint64_t batch, const CircleId& last) {
  const Lock one(mutex_);
  const std::uint64_t logged = TRY(logged_batch());
  if (batch > logged) return Error{Code::kInvalid, "nothing of that batch was given out yet"};
  return Releases(tables_.database()).opened(batch, last, clock_->now());
}

Result<Bytes> Custodian::list(const CircleId& id, const std::vector<tlog::Release>& wanted) {
  Releases releases(tables_.database());
  const std::uint64_t n = TRY(releases.ask(id, wanted));
  if (n == 0) return Bytes();
  const auto made = TRY(releases.batch(n));
  if (!made) return Error{Code::kCorrupt, "the custodian's memory is damaged"};
  return made->leaf;
}

// ---- the proposal ----

// Also one that was cancelled: the same grants do not serve twice.
Result<bool> Custodian::proposed_before(const CircleId& circle, const ReaderId& helped) {
  for (std::uint64_t from = 0;;) {
    const auto some = TRY(tables_.statements(circle, from));
    if (some.empty()) return false;
    from += some.size();
    for (const Bytes& bytes : some) {
      const auto statement = TRY(statement_in(bytes));
      if (statement.type != circle::StatementType::kAssist) continue;
      const auto body = TRY(wire::decode<circle::Assist>(statement.body));
      if (circle::reader_id(body.helped) == helped) return true;
    }
  }
}

// The operators' word is judged here, by keys that were given to the custodian: whoever controls
// the service could name operators of its own.
Result<Bytes> Custodian::propose_help(const CircleId& id, const api::HelpAsk& ask,
                                      const api::CircleEvidence& evidence) {
  const auto request = TRY(circle::verify_help_request(ask.request));
  const TimeMs now = clock_->now();
  if (request.time_ms > now + kClockSlackMs || request.time_ms < now - circle::kHelpRequestMs)
    return Error{Code::kDenied, "the request for help is older than thirty days, or of the future"};
  TRY(circle::check_help_granted(id, ask.request, ask.grants, options_.operators));
  const Lock one(mutex_);
  const circle::Circle circle = TRY(verify_now(id, evidence));
  if (circle.custodian() == nullptr) return advanced();
  const bool before = TRY(proposed_before(id, circle::reader_id(request.device)));
  if (before)
    return Error{Code::kDenied, "help for this request was proposed before; it takes a new one"};
  const Bytes statement = wire::encode(
      circle::sign_statement(draft_at_head(circle, circle::StatementType::kAssist,
                                           wire::encode(circle::Assist{request.device}), now),
                             fleet_));
  TRY(circle.apply(statement));
  return statement;
}

// ---- its completion ----

Bytes Custodian::sign_help(const HelpPlan& plan, const api::HelpDue& due,
                           const std::vector<BlobId>& blobs) const {
  circle::Complete body;
  body.proposal = due.proposal;
  body.evidence = due.age;
  body.epoch.epoch = plan.circle.epoch();
  body.epoch.check = plan.circle.epochs().back().check;
  for (const BlobId& blob : blobs) body.epoch.blobs.push_back(blob);
  for (const api::HelpDue::Head& head : due.heads)
    body.epoch.vault_heads.push_back({head.vault, head.n, head.head});
  return wire::encode(
      circle::sign_statement(draft_at_head(plan.circle, circle::StatementType::kComplete,
                                           wire::encode(body), clock_->now()),
                             fleet_));
}

Result<Custodian::HelpPlan> Custodian::plan_help(const CircleId& id, const api::HelpDue& due,
                                                 const api::CircleEvidence& evidence) {
  if (due.heads.size() > circle::kMaxVaults || due.age.size() > tlog::kMaxAgeEvidence)
    return Error{Code::kInvalid, "what is said of the proposal is too large"};
  circle::Circle circle = TRY(verify_now(id, evidence));
  if (circle.custodian() == nullptr) return advanced();
  const circle::Proposal* const proposal = find_help(circle, due.proposal);
  if (proposal == nullptr)
    return Error{Code::kNotFound, "no such help waits: it was cancelled, or given"};
  HelpPlan plan{circle, *proposal->helped(), {}, {}};
  plan.slots = circle::assist_slots(circle, circle::reader_id(plan.helped));
  const auto proposed = TRY(tables_.statements(id, due.proposal));
  if (proposed.empty()) return Error{Code::kCorrupt, "the custodian's memory is damaged"};
  const Digest instrument = crypto::sha256(proposed[0]);
  for (const circle::BlobSlot& slot : plan.slots)
    plan.releases.push_back(
        {slot.vault, circle.epoch(), crypto::sha256(plan.helped.wrap_key), instrument});
  if (plan.releases.empty())
    return Error{Code::kDenied, "the account has no vault that its provider reads"};
  // All that the circle asks: the three days, the proposal, the vaults. With keys that are none;
  // nobody is given this.
  const Bytes trial = sign_help(plan, due, std::vector<BlobId>(plan.slots.size()));
  TRY(circle.apply(trial));
  return plan;
}

Result<Bytes> Custodian::list_help(const CircleId& id, const api::HelpDue& due,
                                   const api::CircleEvidence& evidence) {
  const Lock one(mutex_);
  const HelpPlan plan = TRY(plan_help(id, due, evidence));
  return list(id, plan.releases);
}

// Nothing is unwrapped but what the log shows to be given out.
Result<Listed> Custodian::check_gate(const CircleId& id, const std::vector<tlog::Release>& wanted,
                                     BytesView batch) {
  Releases releases(tables_.database());
  const std::uint64_t n = TRY(releases.ask(id, wanted));
  if (n == 0) return not_listed_yet();
  const auto made = TRY(releases.batch(n));
  auto listed = TRY(releases.listed(n, id));
  if (!made || !listed) return Error{Code::kCorrupt, "the custodian's memory is damaged"};
  if (TRY(logged_batch()) < n) return not_listed_yet();
  auto shown = wire::decode<tlog::LeafProof>(batch);
  if (!shown.ok()) return Error{Code::kInvalid, "the proof of the release batch cannot be read"};
  if (shown->checkpoint != follower_.pins().checkpoint)
    return Error{Code::kUnavailable, "the release batch is shown in another state of the log"};
  const tlog::GateProof proof{std::move(shown).value(), listed->position};
  for (const tlog::Release& release : wanted)
    TRY(tlog::check_gate(follower_.trusted(), tlog::leaf_hash(made->leaf), id, release,
                         listed->opening, proof, static_cast<std::uint64_t>(clock_->now() / 1000)));
  return *std::move(listed);
}

Result<std::vector<Bytes>> Custodian::wrap_for_helped(const HelpPlan& plan,
                                                      const std::vector<Bytes>& envelopes) {
  if (envelopes.size() != plan.slots.size())
    return Error{Code::kInvalid, "another number of envelopes than there are vaults to give"};
  std::vector<Bytes> out;
  const std::uint32_t epoch = plan.circle.epoch();
  for (std::size_t i = 0; i < envelopes.size(); ++i) {
    const VaultId& vault = plan.slots[i].vault;
    const VaultKey key = TRY(open_key(plan.circle, epoch, vault, envelopes[i]));
    out.push_back(TRY(crypto::wrap_key(
        {plan.helped.wrap_key}, envelope_info(plan.circle.id(), epoch, vault, plan.helped.wrap_key),
        key)));
  }
  return out;
}

Result<api::HelpGiven> Custodian::complete_help(const CircleId& id, const api::HelpDue& due,
                                                const std::vector<Bytes>& envelopes,
                                                BytesView batch,
                                                const api::CircleEvidence& evidence) {
  const Lock one(mutex_);
  const HelpPlan plan = TRY(plan_help(id, due, evidence));
  TRY(check_gate(id, plan.releases, batch));
  api::HelpGiven out;
  out.blobs = TRY(wrap_for_helped(plan, envelopes));
  std::vector<BlobId> names;
  for (const Bytes& blob : out.blobs) names.emplace_back(crypto::sha256(blob).bytes);
  out.statement = sign_help(plan, due, names);
  TRY(plan.circle.apply(out.statement));
  return out;
}

}  // namespace holdfast::custody
