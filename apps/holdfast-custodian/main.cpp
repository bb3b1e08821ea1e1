// The command line of a custodian: the provider's keys, on a machine with an HSM.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "crypto/key.h"
#include "custody/custodian.h"
#include "net/custodian_routes.h"
#include "net/http_server.h"
#include "net/listen.h"

namespace holdfast::custodial {
namespace {

using Json = nlohmann::ordered_json;

constexpr timespec kSweepEvery{60, 0};
constexpr std::size_t kMaxRoots = 64 * 1024;

struct Options {
  std::string data;
  std::string listen = "127.0.0.1:8460";
  custody::TokenPlace token;
  std::string log_roots;
  std::string service_fingerprint;
  std::vector<std::string> operators;  // public keys
  unsigned open_days = 0;
  bool json = false;
};

// In all threads that are started from here on.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

Result<Bytes> fingerprint(const std::string& text) {
  auto bytes = from_hex(text);
  if (!bytes || bytes->size() != 32)
    return Error{Code::kInvalid, "a TLS fingerprint has 64 hexadecimal digits"};
  return *std::move(bytes);
}

Result<circle::OperatorKeys> operator_keys(const std::vector<std::string>& texts) {
  circle::OperatorKeys out;
  for (const std::string& text : texts) {
    const auto bytes = from_hex(text);
    crypto::VerifyKey key;
    if (!bytes || bytes->size() != key.bytes.size())
      return Error{
          Code::kInvalid,
          "--operator takes the 130 hexadecimal digits that `holdfastd operator key` shows"};
    std::ranges::copy(*bytes, key.bytes.begin());
    if (!crypto::is_point(key))
      return Error{Code::kInvalid, "an operator's key is none; it was copied wrong"};
    out.insert(key.bytes);
  }
  return out;
}

Result<tlog::LogRoots> read_roots(const std::string& path) {
  const Bytes bytes = TRY(read_file(path, kMaxRoots));
  auto roots = wire::decode<tlog::LogRoots>(bytes);
  if (!roots.ok())
    return Error{Code::kInvalid,
                 path + " is no file of a log's roots: it is log/roots of the service"};
  return roots;
}

void announce(const Options& options, const std::string& url, const Bytes& pin,
              const Bytes& fleet_key) {
  if (options.json) {
    const Json object{{"event", "listening"},
                      {"url", url},
                      {"fingerprint", to_hex(pin)},
                      {"fleet_key", to_hex(fleet_key)}};
    std::printf("%s\n", object.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    std::printf(
        "Holdfast's custodian listens at %s\nFor the service's configuration:\n\n"
        "  custodian = \"%s\"\n  custodian-fingerprint = \"%s\"\n\n"
        "Its fleet key, which signs the key of every account:\n\n    %s\n",
        url.c_str(), url.c_str(), to_hex(pin).c_str(), to_hex(fleet_key).c_str());
  }
  std::fflush(stdout);
}

void sweep(custody::Custodian& custodian, const Log& log) {
  const auto swept = custodian.sweep();
  if (!swept.ok()) {
    log.event(Level::kError, "sweep", {{"error", Plain(swept.error().message)}});
  } else if (*swept > 0) {
    log.event(Level::kInfo, "unused", {{"keys", *swept}});
  }
}

Result<void> serve(Options options) {
  const sigset_t signals = block_signals();
  const net::Listen listen = TRY(net::parse_listen(options.listen));
  Bytes service = TRY(fingerprint(options.service_fingerprint));
  auto roots = TRY(read_roots(options.log_roots));
  auto operators = TRY(operator_keys(options.operators));
  const auto clock = std::make_shared<SystemClock>();
  const auto custodian = TRY(
      custody::Custodian::open({options.data, options.token, std::move(roots), std::move(operators),
                                static_cast<std::uint8_t>(options.open_days)},
                               clock));
  auto tls = TRY(net::ServerTls::load_or_make(options.data));
  tls.require_client(std::move(service));
  const Log log(STDERR_FILENO, *clock);
  net::CustodianRoutes routes(*custodian, *clock, log);
  net::Metrics metrics;
  net::ServerOptions front;
  front.address = listen.address;
  front.port = listen.port;
  front.threads = 4;  // the token does one thing at a time
  front.log = &log;
  const auto server = TRY(net::HttpServer::start(front, std::move(tls), routes, metrics));
  announce(options, "https://" + listen.address + ":" + server->port(), server->pin(),
           TRY(custodian->fleet_key()));
  log.event(Level::kInfo, "started", {{"address", Plain(options.listen)}});
  while (::sigtimedwait(&signals, nullptr, &kSweepEvery) < 0) sweep(*custodian, log);
  server->stop();
  return Ok{};
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app{"Keeps the provider's keys of Holdfast accounts in an HSM.", "holdfast-custodian"};
  app.set_version_flag("--version", "holdfast-custodian " HOLDFAST_VERSION);
  app.set_config("--config", "", "Read these options from a TOML file");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--data", options.data, "Its fleet key and what it gave out")->required();
  app.add_option("--listen", options.listen, "ADDRESS:PORT for the service")->capture_default_str();
  app.add_option("--module", options.token.module, "Path of the HSM's PKCS#11 module")->required();
  app.add_option("--token", options.token.label, "Label of its token")->required();
  app.add_option("--pin-file", options.token.pin_file, "File with the token's user PIN")
      ->required();
  app.add_option("--log-roots", options.log_roots, "The service's log/roots")->required();
  app.add_option("--service-fingerprint", options.service_fingerprint,
                 "SHA-256 of the service's TLS key, as it prints it")
      ->required();
  app.add_option(
      "--operator", options.operators,
      "Public key of an operator, once for each; any two of them may have an owner helped");
  app.add_option("--open-days", options.open_days,
                 "Until an account is told what was given out of it")
      ->check(CLI::Range(0, 90))
      ->capture_default_str();
  app.add_flag("--json", options.json, "Print one JSON object a line");
  app.add_subcommand("serve", "Answer the service until told to stop");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const auto served = serve(std::move(options));
  if (served.ok()) return 0;
  std::fprintf(stderr, "holdfast-custodian: %s\n", served.error().message.c_str());
  return 1;
}

}  // namespace
}  // namespace holdfast::custodial

int main(int argc, char** argv) {
  holdfast::crypto::protect_process();
  try {
    return holdfast::custodial::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "holdfast-custodian: internal error: %s\n", e.what());
    return 1;
  }
}
