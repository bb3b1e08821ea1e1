#include <chrono>
#include <thread>

#include "crypto/hash.h"
#include "vault/account_state.h"
#include "vault/ages.h"

namespace holdfast::vault {
namespace {

constexpr std::int64_t kCodeLifeMs = 10 * 60 * 1000;
constexpr unsigned kTries = 3;
constexpr std::string_view kMacLabel = "holdfast/v1/admission/mac";

template <class Purpose>
Bytes authenticate(const keys::CodeKey& code, const RequestId& request, Bytes body) {
  const Digest mac = crypto::mac(keys::message_key<Purpose>(code, request), kMacLabel, body);
  return wire::encode(Authenticated{std::move(body), mac});
}

// kDenied when the MAC is not of this code.
template <class Purpose>
Result<Bytes> authentic(const keys::CodeKey& code, const RequestId& request, BytesView message) {
  Authenticated opened = TRY(wire::decode<Authenticated>(message));
  const Digest mac = crypto::mac(keys::message_key<Purpose>(code, request), kMacLabel, opened.body);
  if (!crypto::equal(mac.view(), opened.mac.view()))
    return Error{Code::kDenied, "a message of the admission was not made with this code"};
  return std::move(opened.body);
}

Bytes lookup_info(const CircleId& circle, const RequestId& request) {
  return wire::encode_array("holdfast/v1/admission/lookup", circle, request);
}

// The last MAC alone: both sides know what it is over.
Bytes admitted_mac(const keys::CodeKey& code, const RequestId& request, std::uint64_t seq,
                   const Digest& head, const std::vector<circle::VaultHead>& heads) {
  const auto key = keys::message_key<keys::JoinAdmittedPurpose>(code, request);
  const Digest mac = crypto::mac(key, kMacLabel, wire::encode_array(seq, head, heads));
  return to_bytes(mac.view());
}

void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }

// A monotonic end of patience: the clock on the wall may be wrong or set meanwhile.
class Deadline {
 public:
  explicit Deadline(std::int64_t ms)
      : end_(std::chrono::steady_clock::now() + std::chrono::milliseconds(ms)) {}
  bool over() const { return std::chrono::steady_clock::now() >= end_; }

 private:
  std::chrono::steady_clock::time_point end_;
};

struct Match {
  JoinRequest request;
  Digest hash;  // of the whole message
  crypto::WrapPublicKey wrap() const { return {request.device.wrap_key}; }
};

Error no_match(unsigned tries) {
  if (tries >= kTries)
    return {Code::kDenied,
            "that was the third wrong code: this request is closed. Run `holdfast join` again on "
            "the new device for a new code"};
  return {Code::kDenied,
          "the code is wrong: no device that asks to join shows it. Nothing was changed"};
}

// The one open request that this code authenticates. A wrong code costs every open request a try.
Result<Match> find_request(Account::State& account, const keys::CodeKey& code) {
  std::vector<RequestId> others;
  const std::vector<RequestId> waiting = TRY(account.replica.session().list_joins());
  for (const RequestId& id : waiting) {
    auto message =
        account.store.get_join(account.home.setting("account"), id, api::JoinMessage::kRequest);
    if (!message.ok()) continue;
    auto body = authentic<keys::JoinRequestPurpose>(code, id, *message);
    auto request = body.ok() ? wire::decode<JoinRequest>(*body) : std::move(body).error();
    if (request.ok() && request->request == id)
      return Match{std::move(request).value(), crypto::sha256(*message)};
    others.push_back(id);
  }
  if (others.empty())
    return Error{Code::kNotFound,
                 "no device is asking to join. Run `holdfast join` on the new device first; its "
                 "code is good for ten minutes"};
  unsigned most = 0;
  for (const RequestId& id : others) most = std::max(most, TRY(account.home.count_try(id)));
  return no_match(most);
}

Result<void> check_request(Account::State& account, const JoinRequest& request) {
  if (TRY(account.home.count_try(request.request)) > kTries)
    return Error{Code::kDenied,
                 "three wrong codes were typed for this request: it is closed. Run `holdfast join` "
                 "again on the new device for a new code"};
  const std::int64_t age = account.clock.now() - request.time_ms;
  if (age > kCodeLifeMs || age < -kCodeLifeMs)
    return Error{Code::kDenied,
                 "the code is older than ten minutes, or the clock of one of the two devices is "
                 "wrong. Check both clocks, then run `holdfast join` again for a new code"};
  if (account.circle().member_named(request.device.name) != nullptr)
    return Error{Code::kInvalid, "a device named \"" + request.device.name +
                                     "\" is already a member; join under another name"};
  return Ok{};
}

// Says to the new device which circle it is: the one that knows the code vouches for it.
Result<void> answer_request(Account::State& account, const keys::CodeKey& code,
                            const Match& match) {
  const RequestId& id = match.request.request;
  const CircleId& circle = account.circle().id();
  const keys::LookupKey lookup = TRY(account.home.lookup());
  JoinAnswer answer;
  answer.request = match.hash;
  answer.circle = circle;
  answer.trust_roots = account.roots;
  answer.lookup = TRY(crypto::wrap_key(match.wrap(), lookup_info(circle, id), lookup));
  auto put =
      account.store.put_join(account.home.setting("account"), id, api::JoinMessage::kAnswer,
                             authenticate<keys::JoinAnswerPurpose>(code, id, wire::encode(answer)));
  if (!put.ok() && put.error().code == Code::kConflict)
    return Error{Code::kConflict,
                 "this code was used already, perhaps on another of your devices: one code admits "
                 "once. If the new device was not admitted, get a new code from it"};
  return put;
}

Result<JoinCounter> await_counter(Account::State& account, const RequestId& id,
                                  const Deadline& deadline) {
  for (;;) {
    auto got =
        account.store.get_join(account.home.setting("account"), id, api::JoinMessage::kCounter);
    if (got.ok()) return wire::decode<JoinCounter>(*got);
    if (got.error().code != Code::kNotFound) return std::move(got).error();
    if (deadline.over())
      return Error{Code::kUnavailable,
                   "the new device does not answer; is `holdfast join` still running there? "
                   "Nothing was changed"};
    pause();
  }
}

}  // namespace

Result<circle::Device> Account::approve(std::string_view spoken, std::int64_t patience_ms) {
  const keys::CodeKey code = TRY(keys::read_code(spoken));
  TRY(state_->check_sends());
  if (state_->log_status) TRY(check_admits(*state_->log_status));
  const Match match = TRY(find_request(*state_, code));
  const RequestId& id = match.request.request;
  TRY(check_request(*state_, match.request));
  TRY(answer_request(*state_, code, match));
  const JoinCounter counter = TRY(await_counter(*state_, id, Deadline(patience_ms)));
  const auto make = [&]() -> Result<State::Made> {
    const keys::RootKey* const root = TRY(state_->replica.root(circle().epoch()));
    const Bytes envelope =
        TRY(keys::wrap_root(*root, {circle().id(), circle().epoch(), {}}, match.wrap()));
    auto draft = TRY(state_->replica.same_epoch({envelope}));
    const circle::Admit body{match.request.device, match.hash, counter.signature, draft.info};
    const auto admission = [this, &code, &id, heads = draft.info.vault_heads](BytesView statement) {
      return api::Admission{
          id, admitted_mac(code, id, circle().seq() + 1, circle::statement_head(statement), heads)};
    };
    return State::Made{
        circle::StatementType::kAdmit, wire::encode(body), std::move(draft.blobs), {}, admission};
  };
  TRY(state_->append(make));
  return *circle().device(circle::reader_id(match.request.device));
}

struct Join::State {
  Home& home;
  api::Store& store;
  const Clock& clock;
  std::string account;
  std::string device_name;
  keys::CodeKey code;
  RequestId request;
  Bytes message;

  Result<Bytes> wait_for(const Deadline& deadline, api::JoinMessage which);
  Result<api::Visitor::Admitted> wait_admitted(const Deadline& deadline);
  Error too_late() const {
    return {Code::kUnavailable,
            "nobody approved this device within ten minutes: the code is over. "
            "Run `holdfast join` again for a new one"};
  }
};

Join::Join(std::unique_ptr<State> state) : state_(std::move(state)) {}
Join::Join(Join&&) noexcept = default;
Join::~Join() = default;
std::string Join::code() const { return keys::spell_code(state_->code); }

Result<Join> Join::start(Home& home, api::Store& store, const Clock& clock,
                         const std::string& account, const std::string& device_name) {
  TRY(check_typed(device_name));
  auto state = std::make_unique<State>(
      State{home, store, clock, account, device_name, keys::CodeKey::random(), {}, {}});
  crypto::random_fill(state->request.bytes);
  JoinRequest request;
  request.request = state->request;
  request.device = device_info(home.device_key(), device_name);
  request.time_ms = clock.now();
  state->message =
      authenticate<keys::JoinRequestPurpose>(state->code, state->request, wire::encode(request));
  TRY(store.put_join(account, state->request, api::JoinMessage::kRequest, state->message));
  return Join(std::move(state));
}

Result<Bytes> Join::State::wait_for(const Deadline& deadline, api::JoinMessage which) {
  for (;;) {
    auto got = store.get_join(account, request, which);
    if (got.ok() || got.error().code != Code::kNotFound) return got;
    if (deadline.over()) return too_late();
    pause();
  }
}

Result<api::Visitor::Admitted> Join::State::wait_admitted(const Deadline& deadline) {
  for (;;) {
    auto got = store.get_admission(account, request);
    if (got.ok() || got.error().code != Code::kNotFound) return got;
    if (deadline.over()) return too_late();
    pause();
  }
}

Result<Account> Join::wait() {
  State& s = *state_;
  const Deadline deadline(kCodeLifeMs);
  const Error refused{Code::kUnsafe,
                      "the store answered with another account than the one your trusted device "
                      "vouched for: this device was not joined"};
  const Bytes message = TRY(s.wait_for(deadline, api::JoinMessage::kAnswer));
  auto body = authentic<keys::JoinAnswerPurpose>(s.code, s.request, message);
  if (!body.ok()) return refused;
  const JoinAnswer answer = TRY(wire::decode<JoinAnswer>(*body));
  if (answer.request != crypto::sha256(s.message)) return refused;
  // The trusted device knows the service by another key than the one that answers here.
  if (!check_store(answer.trust_roots, s.store).ok()) return refused;
  const auto lookup =
      std::make_shared<const keys::LookupKey>(TRY(crypto::unwrap_key<keys::LookupPurpose>(
          crypto::derive<crypto::WrapPurpose>(s.home.device_key()),
          lookup_info(answer.circle, s.request), answer.lookup)));
  const ReaderId self = circle::reader_id(device_info(s.home.device_key(), s.device_name));
  JoinCounter counter;
  counter.signature = signing_key(s.home.device_key())
                          .sign(circle::kAdmissionLabel,
                                circle::admission_bytes(answer.circle, answer.request, self));
  TRY(s.store.put_join(s.account, s.request, api::JoinMessage::kCounter, wire::encode(counter)));

  const api::Visitor::Admitted admitted = TRY(s.wait_admitted(deadline));
  auto session = TRY(s.store.open_account(s.account, caller(s.home.device_key())));
  Replica replica(std::move(session), self,
                  crypto::derive<crypto::WrapPurpose>(s.home.device_key()),
                  TRY(log_ages(answer.trust_roots, lookup)));
  TRY(replica.sync(nullptr));
  const circle::Circle& circle = replica.circle();
  if (circle.id() != answer.circle || circle.seq() < admitted.seq ||
      circle.lookup() != lookup_hash(*lookup) ||
      circle.trust_roots() != roots_hash(answer.trust_roots))
    return refused;
  const circle::HeadMark* mark = nullptr;
  for (const circle::HeadMark& m : circle.head_marks())
    if (m.seq == admitted.seq) mark = &m;
  if (mark == nullptr) return refused;
  const Bytes mac =
      admitted_mac(s.code, s.request, admitted.seq, circle.head_at(admitted.seq), mark->heads);
  if (!crypto::equal(mac, admitted.mac)) return refused;
  if (circle.member(self) == nullptr) return refused;
  TRY(become_member(s.home, s.account, s.device_name, *lookup, answer.trust_roots,
                    replica.statements()));
  // The request did its work; a store that keeps it gains nothing.
  static_cast<void>(replica.session().drop_join(s.request).ok());
  return Account::open(s.home, s.store, s.clock);
}

}  // namespace holdfast::vault
