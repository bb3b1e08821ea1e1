#include "grant.h"

#include <cctype>
#include <cstdio>

#include "circle/circle.h"
#include "circle/help.h"
#include "control.h"
#include "crypto/hash.h"
#include "json.h"
#include "operate.h"

namespace holdfast::daemon {
namespace {

constexpr std::size_t kCodeDigits = 20;

// What the service shows of a request; what is in it is read from the request itself.
struct Shown {
  Json json;
  Bytes signed_request;
  circle::HelpRequest request;
};

Error another_version() {
  return {Code::kInvalid, "the service that runs here is of another version"};
}

Result<Shown> shown(const Json& row) {
  if (!row.is_object()) return another_version();
  auto bytes = from_hex(row.value("request", "-"));
  if (!bytes) return another_version();
  auto request = TRY(circle::verify_help_request(*bytes));
  return Shown{row, *std::move(bytes), std::move(request)};
}

Result<std::vector<Shown>> requests(const Options& options) {
  const std::string answer = TRY(ask(options.data, "{\"act\":\"help_list\"}\n"));
  const Json json = Json::parse(answer, nullptr, false);
  if (!json.is_object() || !json.contains("requests")) return another_version();
  std::vector<Shown> out;
  for (const Json& row : json.at("requests")) out.push_back(TRY(shown(row)));
  return out;
}

// As it was read out: groups and capitals do not matter.
std::string plain(const std::string& code) {
  std::string out;
  for (const char c : code)
    if (c != ' ' && c != '-') out.push_back(static_cast<char>(std::tolower(c)));
  return out;
}

Result<Shown> find(const Options& options, const std::string& code) {
  const std::string wanted = plain(code);
  if (wanted.size() != kCodeDigits)
    return Error{Code::kInvalid,
                 "the code of a request has twenty digits, as its owner reads them"};
  for (Shown& one : TRY(requests(options)))
    if (circle::help_code(one.signed_request) == wanted) return std::move(one);
  return Error{Code::kNotFound, "no request for help with this code waits"};
}

std::string state_of(const Shown& one) {
  if (!one.json.contains("circle")) return "there is no such account";
  if (!one.json.value("standard", false))
    return "the account is at the advanced level: nobody here can help";
  const auto grants = one.json.value("grants", std::uint64_t{0});
  const auto devices = one.json.value("devices", std::uint64_t{0});
  return std::to_string(grants) + " of " + std::to_string(circle::kHelpGrants) +
         " operators granted it; " + std::to_string(devices) + " devices can cancel it";
}

Result<CircleId> circle_in(const Shown& one) {
  const auto bytes = from_hex(one.json.value("circle", "-"));
  const auto id = bytes ? CircleId::from(*bytes) : std::nullopt;
  if (!id) return Error{Code::kNotFound, "there is no account of that name at this service"};
  return *id;
}

Result<std::string> send(const Options& options, const Json& request) {
  return ask(options.data, request.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace

Result<void> list_help(const Options& options) {
  const auto all = TRY(requests(options));
  for (const Shown& one : all) {
    if (options.json) {
      Json line{{"event", "request"}};
      line.update(one.json);
      line["device"] = one.request.device.name;
      print_line(line);
    } else {
      std::printf("%s  account \"%s\", device \"%s\", since %s\n    %s\n",
                  circle::help_code(one.signed_request).c_str(), one.request.account.c_str(),
                  one.request.device.name.c_str(),
                  minute_of(one.json.value("received_ms", TimeMs{0})).c_str(),
                  state_of(one).c_str());
    }
  }
  if (all.empty() && !options.json) std::puts("Nobody asks for help.");
  return Ok{};
}

Result<void> grant_help(const Options& options, const HelpOptions& help) {
  const crypto::SigningKey acting = TRY(server::read_operator_key(help.acting));
  const Shown one = TRY(find(options, help.code));
  const std::string code = circle::help_code(one.signed_request);
  circle::HelpGrant grant;
  grant.circle = TRY(circle_in(one));
  grant.helped = circle::reader_id(one.request.device);
  grant.request = crypto::sha256(one.signed_request);
  const server::Trail trail = TRY(read_trail(options));
  const Bytes entry =
      TRY(trail.sign_help(server::OperatorAct::kGrantHelp, code, acting, SystemClock().now()));
  const std::string answer =
      TRY(send(options, {{"act", "help_grant"},
                         {"code", code},
                         {"grant", to_hex(circle::sign_help_grant(grant, acting))},
                         {"entry", to_hex(entry)}}));
  const Json json = Json::parse(answer, nullptr, false);
  const auto grants = json.value("grants", std::uint64_t{0});
  if (options.json) {
    print_line({{"event", "granted"}, {"code", code}, {"grants", grants}});
  } else if (grants < circle::kHelpGrants) {
    std::puts(
        "Granted by you. It takes a second operator, who finds out the owner's identity anew.");
  } else {
    std::puts(
        "Granted by two. Every device of the account is told now and can cancel it for three "
        "days.");
  }
  return Ok{};
}

Result<void> refuse_help(const Options& options, const HelpOptions& help) {
  const crypto::SigningKey acting = TRY(server::read_operator_key(help.acting));
  const Shown one = TRY(find(options, help.code));
  const std::string code = circle::help_code(one.signed_request);
  const server::Trail trail = TRY(read_trail(options));
  const Bytes entry =
      TRY(trail.sign_help(server::OperatorAct::kRefuseHelp, code, acting, SystemClock().now()));
  TRY(send(options, {{"act", "help_refuse"}, {"code", code}, {"entry", to_hex(entry)}}));
  if (options.json) {
    print_line({{"event", "refused"}, {"code", code}});
  } else {
    std::puts("Refused. The request is gone.");
  }
  return Ok{};
}

}  // namespace holdfast::daemon
