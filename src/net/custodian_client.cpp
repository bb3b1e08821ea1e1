#include "net/custodian_client.h"

#include "net/bodies.h"
#include "net/client_answer.h"

namespace holdfast::net {
namespace {

constexpr std::size_t kMaxSmall = 4 * 1024;      // what it answers, and refusals
constexpr std::int64_t kPatienceMs = 20'000;     // an HSM may take a while to make a key
constexpr std::int64_t kReplayMs = 10 * 60'000;  // an account's whole history, over a slow line

class HttpCustodian final : public api::Custodian {
 public:
  HttpCustodian(ServiceAddress address, Bytes pin, ServerTls own)
      : address_(std::move(address)), pin_(std::move(pin)), own_(std::move(own)) {}

  Result<Bytes> fleet_key() override { return ask("/v1/fleet-key", {}, kPatienceMs); }
  Result<Bytes> issue(const CircleId& circle) override {
    return ask("/v1/issue", wire::encode(api::CircleBody{circle}), kPatienceMs);
  }
  Result<void> keep(const CircleId& circle, const ReaderId& custodian, BytesView genesis) override {
    TRY(ask("/v1/keep", wire::encode(api::KeepBody{circle, custodian, to_bytes(genesis)}),
            kPatienceMs));
    return Ok{};
  }
  Result<api::CustodianSeen> seen(const CircleId& circle) override {
    const Bytes answer = TRY(ask("/v1/seen", wire::encode(api::CircleBody{circle}), kPatienceMs));
    const auto now = TRY(wire::decode<api::SeenBody>(answer));
    return api::CustodianSeen{now.statements, now.entries};
  }
  Result<void> follow(const api::LogView& view) override {
    TRY(ask("/v1/follow", wire::encode(net::body_of(view)), kReplayMs));
    return Ok{};
  }
  Result<void> show(const CircleId& circle, const api::CircleEvidence& evidence) override {
    TRY(check_fits(evidence));
    api::ShowBody body{circle, {}, evidence.lookup, evidence.roots};
    for (const Bytes& statement : evidence.statements) body.statements.push_back(statement);
    TRY(ask_with("/v1/show", body, kMaxSmall));
    return Ok{};
  }
  Result<void> retire(const CircleId& circle, const ReaderId& custodian) override {
    TRY(ask("/v1/retire", wire::encode(api::RetireBody{circle, custodian}), kPatienceMs));
    return Ok{};
  }
  Result<Bytes> destroy(const CircleId& circle, const ReaderId& custodian,
                        const api::CircleEvidence& evidence) override {
    TRY(check_fits(evidence));
    api::DestroyBody body{circle,          custodian,      {},
                          evidence.lookup, evidence.roots, net::body_of(evidence.view)};
    for (const Bytes& statement : evidence.statements) body.statements.push_back(statement);
    return ask_with("/v1/destroy", body, kMaxSmall);
  }

  Result<api::NextBatch> next_batch() override {
    const Bytes answer = TRY(ask("/v1/next-batch", {}, kReplayMs, api::kMaxNextBatchBody));
    auto body = TRY(wire::decode<api::NextBatchBody>(answer));
    api::NextBatch out{std::move(body.leaf), {}};
    for (const api::PositionBody& one : body.positions)
      out.positions.emplace_back(one.label, one.value);
    return out;
  }
  Result<api::DueOpenings> due_openings() override {
    const Bytes answer = TRY(ask("/v1/due-openings", {}, kPatienceMs, api::kMaxOpeningsBody));
    auto body = TRY(wire::decode<api::OpeningsBody>(answer));
    api::DueOpenings out{body.batch, {}};
    for (api::OpeningBody& one : body.openings)
      out.openings.emplace_back(one.circle, std::move(one.opening));
    return out;
  }
  Result<void> opened(std::uint64_t batch, const CircleId& last) override {
    TRY(ask("/v1/opened", wire::encode(api::OpenedBody{batch, last}), kPatienceMs));
    return Ok{};
  }

  Result<Bytes> propose_help(const CircleId& circle, const api::HelpAsk& what,
                             const api::CircleEvidence& evidence) override {
    TRY(check_fits(evidence));
    if (what.grants.size() > api::kMaxGrants)
      return Error{Code::kInvalid, "more operators granted help than its custodian takes"};
    api::ProposeHelpBody body{circle, what.request, {}, body_of(evidence)};
    for (const Bytes& grant : what.grants) body.grants.push_back(grant);
    return ask_with("/v1/propose-help", body, kMaxSmall);
  }
  Result<Bytes> list_help(const CircleId& circle, const api::HelpDue& due,
                          const api::CircleEvidence& evidence) override {
    TRY(check_fits(evidence));
    return ask_with("/v1/list-help", body_of(circle, due, evidence), kMaxSmall);
  }
  Result<api::HelpGiven> complete_help(const CircleId& circle, const api::HelpDue& due,
                                       const std::vector<Bytes>& envelopes, BytesView batch,
                                       const api::CircleEvidence& evidence) override {
    TRY(check_fits(evidence));
    api::CompleteHelpBody body{body_of(circle, due, evidence), {}, to_bytes(batch)};
    for (const Bytes& envelope : envelopes) body.envelopes.push_back(envelope);
    const Bytes answer = TRY(ask_with("/v1/complete-help", body, api::kMaxHelpGivenBody));
    auto given = TRY(wire::decode<api::HelpGivenBody>(answer));
    return api::HelpGiven{std::move(given.statement), {given.blobs.begin(), given.blobs.end()}};
  }

  Result<Bytes> list_disclosure(const CircleId& circle, BytesView order,
                                const api::CircleEvidence& evidence) override {
    TRY(check_fits(evidence));
    return ask_with("/v1/list-disclosure",
                    api::ListDisclosureBody{circle, to_bytes(order), body_of(evidence)}, kMaxSmall);
  }
  Result<api::Disclosed> disclose(const CircleId& circle, BytesView order,
                                  const std::vector<Bytes>& envelopes, BytesView batch,
                                  const api::CircleEvidence& evidence) override {
    TRY(check_fits(evidence));
    api::DiscloseBody body{{circle, to_bytes(order), body_of(evidence)}, {}, to_bytes(batch)};
    for (const Bytes& envelope : envelopes) body.envelopes.push_back(envelope);
    const Bytes answer = TRY(ask_with("/v1/disclose", body, api::kMaxDisclosedBody));
    auto given = TRY(wire::decode<api::DisclosedBody>(answer));
    return api::Disclosed{{given.keys.begin(), given.keys.end()},
                          std::move(given.opening),
                          std::move(given.position)};
  }

 private:
  // How many there are an account's members decide.
  static Result<void> check_fits(const api::CircleEvidence& evidence) {
    if (evidence.statements.size() > api::kMaxNewStatements)
      return Error{Code::kInvalid, "the account has more new statements than its custodian takes"};
    return Ok{};
  }
  static api::EvidenceBody body_of(const api::CircleEvidence& evidence) {
    api::EvidenceBody body{{}, evidence.lookup, evidence.roots, net::body_of(evidence.view)};
    for (const Bytes& statement : evidence.statements) body.statements.push_back(statement);
    return body;
  }
  static api::ListHelpBody body_of(const CircleId& circle, const api::HelpDue& due,
                                   const api::CircleEvidence& evidence) {
    api::ListHelpBody body{circle, due.proposal, due.age, {}, body_of(evidence)};
    for (const auto& head : due.heads) body.heads.push_back({head.vault, head.n, head.head});
    return body;
  }

  // With an account's new statements.
  template <class Body>
  Result<Bytes> ask_with(const std::string& path, const Body& body, std::size_t max_answer) const {
    const Bytes bytes = wire::encode(body);
    if (bytes.size() > api::kMaxDestroyBody)
      return Error{Code::kInvalid, "the account has more new statements than its custodian takes"};
    return ask(path, bytes, kReplayMs, max_answer);
  }
  Result<Bytes> ask(const std::string& path, const Bytes& body, std::int64_t patience_ms,
                    std::size_t max_answer = kMaxSmall) const {
    auto reply = post(address_, pin_, path, body, max_answer, patience_ms, &own_);
    if (!reply.ok()) return std::move(reply).error().in("the custodian at " + address_.host);
    if (reply->status == 200) return std::move(reply->body);
    return refusal({reply->status, std::move(reply->body), false}, address_.host);
  }

  const ServiceAddress address_;
  const Bytes pin_;
  const ServerTls own_;
};

}  // namespace

std::unique_ptr<api::Custodian> open_custodian(const ServiceAddress& address, const Bytes& pin,
                                               ServerTls own) {
  return std::make_unique<HttpCustodian>(address, pin, std::move(own));
}

}  // namespace holdfast::net
