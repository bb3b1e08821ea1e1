#include "net/custodian_routes.h"

#include <algorithm>
#include <array>

#include "net/bodies.h"

namespace holdfast::net {
namespace {

struct Asked {
  api::Custodian& custodian;
  const Bytes& content;
  const Log& log;
};

struct CustodianRoute {
  std::string_view path;
  std::size_t max_body;
  Result<Response> (*run)(const Asked&);
};

// Of every body that has one.
template <class HasEvidence>
api::CircleEvidence evidence_of(HasEvidence& body) {
  api::CircleEvidence out;
  for (Bytes& statement : body.statements) out.statements.push_back(std::move(statement));
  out.lookup = std::move(body.lookup);
  out.roots = std::move(body.roots);
  out.view = view_of(std::move(body.view));
  return out;
}

api::HelpDue due_of(api::ListHelpBody& body) {
  api::HelpDue out{body.proposal, std::move(body.age), {}};
  for (const api::HeadBody& head : body.heads) out.heads.push_back({head.vault, head.n, head.head});
  return out;
}

Result<Response> fleet_key(const Asked& call) { return raw(TRY(call.custodian.fleet_key())); }

Result<Response> issue(const Asked& call) {
  const auto asked = TRY(body_in<api::CircleBody>(call.content));
  return raw(TRY(call.custodian.issue(asked.circle)));
}

Result<Response> keep(const Asked& call) {
  const auto asked = TRY(body_in<api::KeepBody>(call.content));
  TRY(call.custodian.keep(asked.circle, asked.custodian, asked.genesis));
  return done();
}

Result<Response> seen(const Asked& call) {
  const auto asked = TRY(body_in<api::CircleBody>(call.content));
  const auto now = TRY(call.custodian.seen(asked.circle));
  return answer(api::SeenBody{now.statements, now.entries});
}

Result<Response> follow(const Asked& call) {
  auto view = TRY(body_in<api::LogViewBody>(call.content));
  TRY(call.custodian.follow(view_of(std::move(view))));
  return done();
}

Result<Response> show(const Asked& call) {
  auto asked = TRY(body_in<api::ShowBody>(call.content));
  api::CircleEvidence evidence;
  for (Bytes& statement : asked.statements) evidence.statements.push_back(std::move(statement));
  evidence.lookup = std::move(asked.lookup);
  evidence.roots = std::move(asked.roots);
  TRY(call.custodian.show(asked.circle, evidence));
  return done();
}

Result<Response> retire(const Asked& call) {
  const auto asked = TRY(body_in<api::RetireBody>(call.content));
  TRY(call.custodian.retire(asked.circle, asked.custodian));
  call.log.event(Level::kInfo, "retired", {{"circle", asked.circle}, {"key", asked.custodian}});
  return done();
}

Result<Response> destroy(const Asked& call) {
  auto asked = TRY(body_in<api::DestroyBody>(call.content));
  const auto evidence = evidence_of(asked);
  Bytes receipt = TRY(call.custodian.destroy(asked.circle, asked.custodian, evidence));
  call.log.event(Level::kInfo, "destroyed", {{"circle", asked.circle}, {"key", asked.custodian}});
  return raw(std::move(receipt));
}

// ---- releases and help ----

Result<Response> next_batch(const Asked& call) {
  auto batch = TRY(call.custodian.next_batch());
  api::NextBatchBody body{std::move(batch.leaf), {}};
  for (const auto& [label, value] : batch.positions) body.positions.push_back({label, value});
  return answer(body);
}

Result<Response> due_openings(const Asked& call) {
  auto due = TRY(call.custodian.due_openings());
  api::OpeningsBody body{due.batch, {}};
  for (auto& [circle, opening] : due.openings)
    body.openings.push_back({circle, std::move(opening)});
  return answer(body);
}

Result<Response> opened(const Asked& call) {
  const auto asked = TRY(body_in<api::OpenedBody>(call.content));
  TRY(call.custodian.opened(asked.batch, asked.last));
  return done();
}

Result<Response> propose_help(const Asked& call) {
  auto asked = TRY(body_in<api::ProposeHelpBody>(call.content));
  const api::HelpAsk ask{std::move(asked.request), {asked.grants.begin(), asked.grants.end()}};
  const auto evidence = evidence_of(asked.evidence);
  Bytes statement = TRY(call.custodian.propose_help(asked.circle, ask, evidence));
  call.log.event(Level::kInfo, "help_proposed", {{"circle", asked.circle}});
  return raw(std::move(statement));
}

Result<Response> list_help(const Asked& call) {
  auto asked = TRY(body_in<api::ListHelpBody>(call.content));
  const auto evidence = evidence_of(asked.evidence);
  return raw(TRY(call.custodian.list_help(asked.circle, due_of(asked), evidence)));
}

Result<Response> complete_help(const Asked& call) {
  auto asked = TRY(body_in<api::CompleteHelpBody>(call.content));
  const std::vector<Bytes> envelopes(asked.envelopes.begin(), asked.envelopes.end());
  const auto evidence = evidence_of(asked.due.evidence);
  auto given = TRY(call.custodian.complete_help(asked.due.circle, due_of(asked.due), envelopes,
                                                asked.batch, evidence));
  call.log.event(Level::kInfo, "help_given", {{"circle", asked.due.circle}});
  api::HelpGivenBody body{std::move(given.statement), {}};
  for (Bytes& blob : given.blobs) body.blobs.push_back(std::move(blob));
  return answer(body);
}

// ---- disclosure ----

Result<Response> list_disclosure(const Asked& call) {
  auto asked = TRY(body_in<api::ListDisclosureBody>(call.content));
  const auto evidence = evidence_of(asked.evidence);
  return raw(TRY(call.custodian.list_disclosure(asked.circle, asked.order, evidence)));
}

Result<Response> disclose(const Asked& call) {
  auto asked = TRY(body_in<api::DiscloseBody>(call.content));
  const std::vector<Bytes> envelopes(asked.envelopes.begin(), asked.envelopes.end());
  const auto evidence = evidence_of(asked.what.evidence);
  auto given = TRY(call.custodian.disclose(asked.what.circle, asked.what.order, envelopes,
                                           asked.batch, evidence));
  call.log.event(Level::kInfo, "disclosed", {{"circle", asked.what.circle}});
  return answer(api::DisclosedBody{std::move(given.keys), std::move(given.opening),
                                   std::move(given.position)});
}

constexpr std::size_t kMaxKeepBody = 128 * 1024;

constexpr std::array kCustodianRoutes = {
    CustodianRoute{"/v1/fleet-key", 0, fleet_key},
    CustodianRoute{"/v1/issue", 1024, issue},
    CustodianRoute{"/v1/keep", kMaxKeepBody, keep},
    CustodianRoute{"/v1/seen", 1024, seen},
    CustodianRoute{"/v1/follow", api::kMaxLogView, follow},
    CustodianRoute{"/v1/show", api::kMaxDestroyBody, show},
    CustodianRoute{"/v1/retire", 1024, retire},
    CustodianRoute{"/v1/destroy", api::kMaxDestroyBody, destroy},
    CustodianRoute{"/v1/next-batch", 0, next_batch},
    CustodianRoute{"/v1/due-openings", 0, due_openings},
    CustodianRoute{"/v1/opened", 1024, opened},
    CustodianRoute{"/v1/propose-help", api::kMaxDestroyBody, propose_help},
    CustodianRoute{"/v1/list-help", api::kMaxDestroyBody, list_help},
    CustodianRoute{"/v1/complete-help", api::kMaxDestroyBody, complete_help},
    CustodianRoute{"/v1/list-disclosure", api::kMaxDestroyBody, list_disclosure},
    CustodianRoute{"/v1/disclose", api::kMaxDestroyBody, disclose},
};

Result<Response> run(api::Custodian& custodian, const Log& log, const Request& request, Body& body,
                     std::string& route) {
  const auto found = std::ranges::find(kCustodianRoutes, request.target, &CustodianRoute::path);
  if (request.method != "POST" || found == kCustodianRoutes.end()) return bad_path();
  route = std::string(found->path);
  const Bytes content = TRY(read_whole(request, body, found->max_body));
  return found->run({custodian, content, log});
}

}  // namespace

Response CustodianRoutes::handle(const Request& request, Body& body) {
  std::string route = "none";
  auto result = run(custodian_, log_, request, body, route);
  Response response =
      result.ok() ? std::move(result).value() : refused(result.error(), clock_.now());
  if (!result.ok() && result.error().code == Code::kUnsafe)
    log_.event(Level::kError, "refused", {{"error", Plain(result.error().message)}});
  response.route = std::move(route);
  return response;
}

}  // namespace holdfast::net
