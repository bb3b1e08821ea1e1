#include "net/custodian_routes.h"

#include <algorithm>
#include <array>

#include "net/bodies.h"

namespace holdfast::net {
namespace {

struct Call {
  api::Custodian& custodian;
  const Bytes& content;
  const Log& log;
};

struct Route {
  std::string_view path;
  std::size_t max_body;
  Result<Response> (*run)(const Call&);
};

Result<Response> fleet_key(const Call& call) { return raw(TRY(call.custodian.fleet_key())); }

Result<Response> issue(const Call& call) {
  const auto asked = TRY(body_in<api::CircleBody>(call.content));
  return raw(TRY(call.custodian.issue(asked.circle)));
}

Result<Response> keep(const Call& call) {
  const auto asked = TRY(body_in<api::KeepBody>(call.content));
  TRY(call.custodian.keep(asked.circle, asked.custodian, asked.genesis));
  return done();
}

Result<Response> seen(const Call& call) {
  const auto asked = TRY(body_in<api::CircleBody>(call.content));
  const auto now = TRY(call.custodian.seen(asked.circle));
  return answer(api::SeenBody{now.statements, now.entries});
}

Result<Response> follow(const Call& call) {
  auto view = TRY(body_in<api::LogViewBody>(call.content));
  TRY(call.custodian.follow(view_of(std::move(view))));
  return done();
}

Result<Response> destroy(const Call& call) {
  auto asked = TRY(body_in<api::DestroyBody>(call.content));
  api::CircleEvidence evidence;
  for (Bytes& statement : asked.statements) evidence.statements.push_back(std::move(statement));
  evidence.lookup = std::move(asked.lookup);
  evidence.roots = std::move(asked.roots);
  evidence.view = view_of(std::move(asked.view));
  Bytes receipt = TRY(call.custodian.destroy(asked.circle, asked.custodian, evidence));
  call.log.event(Level::kInfo, "destroyed", {{"circle", asked.circle}, {"key", asked.custodian}});
  return raw(std::move(receipt));
}

constexpr std::size_t kMaxKeepBody = 128 * 1024;

constexpr std::array kRoutes = {
    Route{"/v1/fleet-key", 0, fleet_key},
    Route{"/v1/issue", 1024, issue},
    Route{"/v1/keep", kMaxKeepBody, keep},
    Route{"/v1/seen", 1024, seen},
    Route{"/v1/follow", api::kMaxLogView, follow},
    Route{"/v1/destroy", api::kMaxDestroyBody, destroy},
};

Result<Response> run(api::Custodian& custodian, const Log& log, const Request& request, Body& body,
                     std::string& route) {
  const auto found = std::ranges::find(kRoutes, request.target, &Route::path);
  if (request.method != "POST" || found == kRoutes.end()) return bad_path();
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
