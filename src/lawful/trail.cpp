#include "lawful/trail.h"

#include <algorithm>

#include "crypto/hash.h"

namespace holdfast::lawful {
namespace {

constexpr std::string_view kSignLabel = "holdfast/v1/lawful/sig";
constexpr std::string_view kHeadLabel = "holdfast/v1/lawful/head";
constexpr std::string_view kDocumentLabel = "holdfast/v1/lawful/document";
constexpr std::string_view kOperatorIdLabel = "holdfast/v1/operator/id";
constexpr std::size_t kMaxNote = 4000;
constexpr std::size_t kApprovals = 2;

Error out_of_turn(const Matter& matter, const std::string& what) {
  return {Code::kConflict, "matter " + std::to_string(matter.n) + " is " +
                               std::string(name_of(matter.state)) + ": " + what};
}

Result<Matter> receive(const Entry& entry, BytesView bytes) {
  const auto document = TRY(wire::decode<ReceivedDocument>(bytes));
  Matter matter;
  matter.n = entry.matter;
  matter.demand = TRY(read_demand(document.demand));
  matter.demand_bytes = document.demand;
  matter.received_ms = entry.time_ms;
  matter.receiver = entry.signer;
  matter.operators_n = entry.operators_n;
  return matter;
}

void forget_approvals(Matter& matter) {
  matter.approvers.clear();
  matter.names.clear();
  matter.signatures.clear();
}

// A new check throws away what was approved of the old one.
Result<Matter> check(Matter matter, BytesView bytes) {
  auto document = TRY(wire::decode<CheckedDocument>(bytes));
  if (matter.state != State::kReceived && matter.state != State::kChecked &&
      matter.state != State::kChallenged && matter.state != State::kApproved)
    return out_of_turn(matter, "there is nothing to check any more");
  if (document.demand != matter.demand.digest)
    return Error{Code::kInvalid, "what was checked is another demand"};
  if (!document.order.empty()) {
    const auto order = TRY(read_order(document.order));
    if (order.instrument != matter.demand.digest)
      return Error{Code::kInvalid, "its disclosure order is of another demand"};
  }
  matter.checked_digest = document_digest(bytes);
  matter.checked = std::move(document);
  forget_approvals(matter);
  matter.state = State::kChecked;
  return matter;
}

Result<Matter> challenge(Matter matter) {
  if (matter.state != State::kChecked && matter.state != State::kApproved)
    return out_of_turn(matter, "only what was checked can be challenged");
  matter.state = State::kChallenged;
  matter.challenged = true;
  forget_approvals(matter);
  return matter;
}

Result<Matter> refuse(Matter matter, TimeMs at) {
  if (!matter.open() || matter.state == State::kProduced)
    return out_of_turn(matter, "there is nothing to refuse any more");
  matter.state = State::kRefused;
  matter.refused = true;
  matter.ended_ms = at;
  return matter;
}

// Who approves the production of content signs its order too, with the same key.
Result<void> take_signature(Matter& matter, const Entry& entry, BytesView bytes) {
  const Bytes& order = matter.checked->order;
  if (order.empty() && bytes.empty()) return Ok{};
  if (order.empty() || bytes.empty())
    return Error{Code::kInvalid,
                 "an approval signs the disclosure order if there is one, and only then"};
  const auto signature = TRY(wire::decode<OrderSignature>(bytes));
  if (crypto::sha256(kOperatorIdLabel, signature.operator_key) != entry.signer)
    return Error{Code::kDenied, "the disclosure order is signed by another than who approves"};
  TRY(verify_signature(order, signature));
  matter.signatures.push_back(to_bytes(bytes));
  return Ok{};
}

// `since`: the act by which the signer became an operator.
Result<Matter> approve(Matter matter, const Entry& entry, const std::string& by,
                       std::uint64_t since, BytesView bytes) {
  const auto document = TRY(wire::decode<ApprovedDocument>(bytes));
  if (matter.state != State::kChecked)
    return out_of_turn(matter, "only what was checked, and nothing else since, can be approved");
  if (matter.checked->kind == Kind::kCapability)
    return Error{Code::kInvalid,
                 "a capability notice authorises no disclosure: there is nothing to approve"};
  if (!matter.checked->passes)
    return Error{Code::kDenied, "its check does not pass: challenge or refuse it"};
  if (document.checked != matter.checked_digest)
    return Error{Code::kConflict, "it was checked again since: read that first"};
  if (since > matter.operators_n)
    return Error{Code::kDenied, by + " became an operator after this demand was received: one who "
                                     "makes others would approve alone"};
  if (entry.signer == matter.receiver)
    return Error{Code::kDenied, "whoever received a demand does not approve it: two others must"};
  if (!matter.approvers.insert(entry.signer).second)
    return Error{Code::kDenied, by + " approved it already; another operator must be the second"};
  TRY(take_signature(matter, entry, document.signature));
  matter.names.push_back(by);
  if (matter.approvers.size() == kApprovals) matter.state = State::kApproved;
  return matter;
}

Result<Matter> produce(Matter matter, BytesView bytes) {
  const auto document = TRY(wire::decode<ProducedDocument>(bytes));
  if (matter.checked && matter.checked->kind == Kind::kCapability)
    return Error{Code::kInvalid,
                 "a capability notice has no produce: a warrant is needed each time"};
  if (matter.state != State::kApproved && matter.state != State::kProduced)
    return out_of_turn(matter, "two operators must approve it before anything is produced");
  if (matter.checked->kind != Kind::kProduction && matter.checked->kind != Kind::kEmergency)
    return Error{Code::kInvalid, "nothing is produced under this instrument"};
  const bool content = std::ranges::any_of(matter.checked->items, [](const Item& item) {
    return item.given() && item.data == DataClass::kContent;
  });
  if (document.content && (!content || matter.checked->order.empty()))
    return Error{Code::kDenied, "no content can be produced in this matter"};
  matter.produced.push_back(document);
  matter.state = State::kProduced;
  return matter;
}

Result<Matter> preserve(Matter matter, BytesView bytes) {
  const auto document = TRY(wire::decode<PreservedDocument>(bytes));
  if (!matter.open() || !matter.checked || !matter.checked->passes ||
      matter.state == State::kChallenged)
    return out_of_turn(matter, "only what was checked, and passes, is preserved");
  if (matter.checked->kind == Kind::kCapability || matter.checked->kind == Kind::kSecrecy)
    return Error{Code::kInvalid, "nothing is preserved under this instrument"};
  if (matter.preserved) return out_of_turn(matter, "it is preserved already");
  matter.preserved = document;
  return matter;
}

Result<Matter> stage(Matter matter, const Entry& entry, BytesView bytes) {
  const auto document = TRY(wire::decode<StageDocument>(bytes));
  if (!matter.checked || matter.checked->kind != Kind::kCapability || !matter.open())
    return out_of_turn(matter, "only a capability notice that was checked goes through stages");
  if (document.stage.empty() || document.stage.size() > 64 || document.text.size() > kMaxNote)
    return Error{Code::kInvalid, "a stage has a name, and a note that is not too long"};
  for (const auto& [name, at] : matter.stages)
    if (name == document.stage) return out_of_turn(matter, "it came to that stage before");
  matter.stages.emplace_back(document.stage, entry.time_ms);
  return matter;
}

Result<Matter> close(Matter matter, TimeMs at) {
  if (!matter.open()) return out_of_turn(matter, "it is over");
  matter.state = State::kClosed;
  matter.ended_ms = at;
  return matter;
}

Result<void> check_note(BytesView bytes) {
  const auto note = TRY(wire::decode<NoteDocument>(bytes));
  if (note.text.empty() || note.text.size() > kMaxNote)
    return Error{Code::kInvalid, "this step says why, in at most 4000 characters"};
  return Ok{};
}

}  // namespace

Digest document_digest(BytesView document) { return crypto::sha256(kDocumentLabel, document); }
Digest entry_head(BytesView entry) { return crypto::sha256(kHeadLabel, entry); }

std::string_view name_of(State state) {
  switch (state) {
    case State::kReceived: return "received";
    case State::kChecked: return "checked";
    case State::kChallenged: return "challenged";
    case State::kApproved: return "approved";
    case State::kProduced: return "produced";
    case State::kRefused: return "refused";
    case State::kClosed: return "closed";
  }
  std::abort();
}

bool Matter::content_produced() const {
  return std::ranges::any_of(produced, [](const ProducedDocument& one) { return one.content; });
}

Result<Bytes> Matter::signed_order() const {
  if (!checked || checked->order.empty() || signatures.size() < kOrderSigners)
    return Error{Code::kDenied, "matter " + std::to_string(n) +
                                    " has no disclosure order that two operators signed"};
  SignedOrder out;
  out.order = checked->order;
  for (const Bytes& one : signatures)
    out.signatures.push_back(TRY(wire::decode<OrderSignature>(one)));
  return wire::encode(out);
}

const Roster::Tenure* Roster::at(std::uint64_t n, const Digest& id) const {
  const auto found = std::ranges::find_if(tenures, [&](const Tenure& one) {
    return one.id == id && one.from <= n && (!one.until || n < *one.until);
  });
  return found == tenures.end() ? nullptr : &*found;
}

Result<Matter> Trail::matter(std::uint64_t n) const {
  const auto found = matters_.find(n);
  if (found == matters_.end())
    return Error{Code::kNotFound, "there is no matter " + std::to_string(n)};
  return found->second;
}

std::optional<TimeMs> Trail::gag_of(const Matter& matter, TimeMs now) const {
  std::optional<TimeMs> until;
  const auto add = [&](const Demand& demand) {
    if (!demand.gagged()) return;
    const TimeMs end = demand.gag_indefinite ? INT64_MAX : *demand.gag_until_ms;
    if (end > now) until = std::max(until.value_or(end), end);
  };
  // A notice that lapsed or was revoked binds no more than what it said; an indefinite gag outlives
  // the matter until somebody lifts it.
  add(matter.demand);
  for (const auto& [n, other] : matters_)
    if (!other.demand.about.empty() && other.demand.about == matter.demand.reference &&
        other.open() && other.checked && other.checked->kind == Kind::kSecrecy &&
        other.checked->passes)
      add(other.demand);
  return until;
}

Result<Matter> Trail::after(const Entry& entry, BytesView document) const {
  if (entry.step == Step::kReceive) return receive(entry, document);
  Matter matter = TRY(this->matter(entry.matter));
  const Roster::Tenure& signer = *roster_.at(entry.operators_n, entry.signer);
  switch (entry.step) {
    case Step::kCheck: return check(std::move(matter), document);
    case Step::kChallenge: TRY(check_note(document)); return challenge(std::move(matter));
    case Step::kApprove:
      return approve(std::move(matter), entry, signer.name, signer.from, document);
    case Step::kRefuse: TRY(check_note(document)); return refuse(std::move(matter), entry.time_ms);
    case Step::kProduce: return produce(std::move(matter), document);
    case Step::kPreserve: return preserve(std::move(matter), document);
    case Step::kStage: return stage(std::move(matter), entry, document);
    case Step::kClose: TRY(check_note(document)); return close(std::move(matter), entry.time_ms);
    case Step::kReceive:
    case Step::kReport: break;
  }
  return Error{Code::kInvalid, "this step is of no matter"};
}

Result<void> Trail::judge(const Entry& entry, BytesView document) const {
  if (document.size() > kMaxDocument)
    return Error{Code::kInvalid, "what this step seals is too large"};
  if (entry.document != document_digest(document))
    return Error{Code::kUnsafe, "what was sealed with it is another"};
  if (!acts_.empty() && entry.time_ms < acts_.back().entry.time_ms)
    return Error{Code::kInvalid, "it is dated before the entry that it follows: look at the clock"};
  if (!acts_.empty() && entry.operators_n < acts_.back().entry.operators_n)
    return Error{Code::kDenied, "it relies on an older state of the operators"};
  if (entry.operators_n == 0 || entry.operators_n > roster_.heads.size() ||
      roster_.heads[entry.operators_n - 1] != entry.operators_head)
    return Error{Code::kUnsafe, "it names operators that there never were"};
  if (roster_.at(entry.operators_n, entry.signer) == nullptr)
    return Error{Code::kDenied, "this key is not an operator's, or was revoked"};
  if (entry.step == Step::kReport) {
    TRY(wire::decode<ReportDocument>(document));
    return entry.matter == 0 ? Result<void>(Ok{})
                             : Error{Code::kInvalid, "a report is of no matter"};
  }
  if (entry.step != Step::kReceive) return Ok{};
  if (entry.matter != next_matter())
    return Error{Code::kConflict, "another demand was received just now"};
  const auto received = TRY(wire::decode<ReceivedDocument>(document));
  const auto demand = TRY(read_demand(received.demand));
  for (const auto& [n, other] : matters_)
    if (other.demand.reference == demand.reference)
      return Error{Code::kConflict, "the reference \"" + demand.reference +
                                        "\" is that of matter " + std::to_string(n) +
                                        ": this is a copy, or a second demand that "
                                        "needs a reference of its own"};
  return Ok{};
}

Result<void> Trail::apply(const SignedStep& step) {
  if (step.entry.size() > kMaxEntry) return Error{Code::kInvalid, "the entry is too large"};
  const auto outer = TRY(wire::decode<SignedEntry>(step.entry));
  const auto entry = TRY(wire::decode<Entry>(outer.entry));
  if (entry.n != n() + 1 || entry.prev != head())
    return Error{Code::kConflict, "the entry does not follow the newest one"};
  TRY(judge(entry, step.document));
  const Roster::Tenure& by = *roster_.at(entry.operators_n, entry.signer);
  if (!crypto::verify(by.key, kSignLabel, outer.entry, outer.signature))
    return Error{Code::kDenied, "the signature of the entry is wrong"};
  if (entry.step != Step::kReport) {
    Matter next = TRY(after(entry, step.document));
    matters_.insert_or_assign(entry.matter, std::move(next));
  }
  acts_.push_back({entry, step.document, by.name, entry_head(step.entry)});
  return Ok{};
}

Result<Trail> Trail::verify(const std::vector<SignedStep>& steps, Roster roster) {
  Trail trail(std::move(roster));
  for (const SignedStep& step : steps) {
    auto applied = trail.apply(step);
    if (applied.ok()) continue;
    Error error = std::move(applied).error();
    if (error.code != Code::kCorrupt)
      error = {Code::kUnsafe, "the trail of lawful demands was changed: " + error.message};
    return std::move(error).in("entry " + std::to_string(trail.n() + 1));
  }
  return trail;
}

Result<SignedStep> Trail::sign(Step step, std::uint64_t matter, Bytes document,
                               const crypto::SigningKey& acting, TimeMs now) const {
  if (roster_.heads.empty())
    return Error{Code::kDenied, "there are no operators yet: holdfastd operator add"};
  Entry entry;
  entry.n = n() + 1;
  entry.prev = head();
  entry.time_ms = now;
  entry.matter = matter;
  entry.step = step;
  entry.document = document_digest(document);
  entry.operators_n = roster_.heads.size();
  entry.operators_head = roster_.heads.back();
  entry.signer = crypto::sha256(kOperatorIdLabel, acting.verify_key().bytes);
  TRY(judge(entry, document));  // before anything is signed
  if (step != Step::kReport) TRY(after(entry, document));
  SignedEntry outer;
  outer.entry = wire::encode(entry);
  outer.signature = acting.sign(kSignLabel, outer.entry);
  return SignedStep{wire::encode(outer), std::move(document)};
}

}  // namespace holdfast::lawful
