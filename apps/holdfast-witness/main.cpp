// The command line of a witness: keeps logs honest, from a machine that is not theirs.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "crypto/key.h"
#include "net/http_server.h"
#include "net/listen.h"
#include "witness/witness.h"

namespace holdfast::watcher {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string data;
  std::string name;
  std::string listen = "127.0.0.1:8450";
  std::vector<std::string> logs;
  bool json = false;
};

// POST /add-checkpoint (C2SP tlog-witness) and /audit. Bodies are bounded before they are read.
class Doors final : public net::Handler {
 public:
  Doors(witness::Witness& witness, const Log& log) : witness_(witness), log_(log) {}

  net::Response handle(const net::Request& request, net::Body& body) override {
    if (request.method != "POST") return refuse(405, "only POST\n");
    if (request.target == "/add-checkpoint")
      return answer(request, body, tlog::kMaxAddCheckpoint,
                    [&](BytesView bytes) { return witness_.add_checkpoint(bytes); });
    if (request.target == "/audit")
      return answer(request, body, tlog::kMaxAuditBody,
                    [&](BytesView bytes) { return witness_.audit(bytes); });
    return refuse(404, "/add-checkpoint or /audit\n");
  }

 private:
  static net::Response refuse(unsigned status, std::string_view words) {
    net::Response response;
    response.status = status;
    response.content_type = "text/plain; charset=utf-8";
    response.body = to_bytes(as_bytes(words));
    response.route = "none";
    return response;
  }

  template <class Judge>
  net::Response answer(const net::Request& request, net::Body& body, std::size_t limit,
                       const Judge& judge) {
    if (request.content_length > limit) return refuse(413, "the request is too large\n");
    Bytes bytes(request.content_length);
    for (std::size_t at = 0; at < bytes.size();) {
      const auto got = body.read(std::span(bytes).subspan(at));
      if (!got.ok() || *got == 0) return refuse(400, "the request is cut off\n");
      at += *got;
    }
    witness::Answer judged = judge(bytes);
    if (!judged.alarm.empty())
      log_.event(Level::kError, "refused", {{"error", Plain(judged.alarm)}});
    if (judged.status >= 500)
      log_.event(Level::kError, "memory", {{"error", Plain(std::string(as_text(judged.body)))}});
    net::Response response;
    response.status = judged.status;
    response.content_type = std::move(judged.content_type);
    response.body = std::move(judged.body);
    response.route = request.target;
    return response;
  }

  witness::Witness& witness_;
  const Log& log_;
};

void announce(const Options& options, const witness::Witness& witness, const std::string& url,
              const Bytes& pin) {
  const std::string auditor = to_hex(witness.auditor_key().bytes);
  if (options.json) {
    const Json object{{"event", "listening"},
                      {"url", url},
                      {"key", witness.key().format()},
                      {"auditor", auditor},
                      {"fingerprint", to_hex(pin)}};
    std::printf("%s\n", object.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    std::printf(
        "Holdfast's witness listens at %s\nFor the policy file of the logs it watches:\n\n"
        "  witness %s %s %s\n  auditor %s %s %s %s\n",
        url.c_str(), witness.key().format().c_str(), url.c_str(), to_hex(pin).c_str(),
        witness.key().name.c_str(), auditor.c_str(), url.c_str(), to_hex(pin).c_str());
  }
  std::fflush(stdout);
}

Result<void> serve(const Options& options) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  witness::Options wanted;
  wanted.data = options.data;
  wanted.name = options.name;
  for (const std::string& log : options.logs) wanted.logs.push_back(TRY(tlog::NoteKey::parse(log)));
  const net::Listen listen = TRY(net::parse_listen(options.listen));
  const auto witness =
      TRY(witness::Witness::open(std::move(wanted), std::make_shared<SystemClock>()));
  auto tls = TRY(net::ServerTls::load_or_make(options.data));
  const SystemClock clock;
  const Log log(STDERR_FILENO, clock);
  Doors doors(*witness, log);
  net::Metrics metrics;
  net::ServerOptions front;
  front.address = listen.address;
  front.port = listen.port;
  const auto server = TRY(net::HttpServer::start(front, std::move(tls), doors, metrics));
  announce(options, *witness, "https://" + listen.address + ":" + server->port(), server->pin());
  int signal = 0;
  sigwait(&signals, &signal);
  server->stop();
  return Ok{};
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app{"Watches logs of Holdfast: cosigns them while they only grow.", "holdfast-witness"};
  app.set_version_flag("--version", "holdfast-witness " HOLDFAST_VERSION);
  app.set_config("--config", "", "Read these options from a TOML file");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--data", options.data, "Its keys and what it has seen")->required();
  app.add_option("--name", options.name, "Of its key, as policies have it")->required();
  app.add_option("--listen", options.listen, "ADDRESS:PORT for the logs")->capture_default_str();
  app.add_option("--log", options.logs, "Verifier key of a log to watch; may be repeated");
  app.add_flag("--json", options.json, "Print one JSON object a line");
  app.add_subcommand("serve", "Answer logs until told to stop");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const auto served = serve(options);
  if (served.ok()) return 0;
  std::fprintf(stderr, "holdfast-witness: %s\n", served.error().message.c_str());
  return 1;
}

}  // namespace
}  // namespace holdfast::watcher

int main(int argc, char** argv) {
  holdfast::crypto::protect_process();
  try {
    return holdfast::watcher::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "holdfast-witness: internal error: %s\n", e.what());
    return 1;
  }
}
