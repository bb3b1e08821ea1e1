#include "serve.h"

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <ctime>

#include "base/log.h"
#include "control.h"
#include "custodial.h"
#include "json.h"
#include "net/custodian_client.h"
#include "net/http_server.h"
#include "net/listen.h"
#include "net/routes.h"
#include "policy.h"
#include "witnessing.h"

namespace holdfast::daemon {
namespace {

constexpr timespec kSweepEvery{60, 0};
constexpr double kHourMs = 60 * 60 * 1000;
constexpr std::int64_t kLockPatienceMs = 3000;  // an operator's command has the directory no longer

// /healthz: the process answers. /readyz: it can write. /metrics: Prometheus.
class Watch final : public net::Handler {
 public:
  Watch(server::Service& service, const net::Metrics& metrics)
      : service_(service), metrics_(metrics) {}
  net::Response handle(const net::Request& request, net::Body&) override {
    if (request.method != "GET") return text(405, "only GET\n");
    if (request.target == "/healthz") return text(200, "ok\n");
    if (request.target == "/metrics") return text(200, metrics_.render(service_.gauges()));
    if (request.target != "/readyz") return text(404, "/healthz, /readyz or /metrics\n");
    const auto ready = service_.ready();
    return ready.ok() ? text(200, "ready\n") : text(503, ready.error().message + "\n");
  }

 private:
  static net::Response text(unsigned status, const std::string& words) {
    net::Response response;
    response.status = status;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = to_bytes(as_bytes(words));
    response.route = "watch";
    return response;
  }

  server::Service& service_;
  const net::Metrics& metrics_;
};

Result<net::ServerTls> load_tls(const Options& options) {
  if (options.tls_certificate.empty() && options.tls_key.empty())
    return net::ServerTls::load_or_make(options.data);
  return net::ServerTls::load(options.tls_certificate, options.tls_key);
}

// Accounts rely on the key that they were told: left out later, it stays.
Result<Bytes> policy_key_of(const Options& options) {
  const std::string standing = options.data + "/log/policy-key";
  if (!options.policy_key.empty()) return read_policy_key(options.policy_key);
  return exists(standing) ? read_file(standing, 64) : Result<Bytes>(Bytes());
}

Result<server::ServiceOptions> service_options(const Options& options) {
  server::ServiceOptions wanted;
  wanted.data = options.data;
  wanted.sign_ups_per_address = options.signups_per_address;
  wanted.default_quota = TRY(parse_size(options.quota));
  wanted.sign_up = options.signup == "open"     ? server::SignUp::kOpen
                   : options.signup == "invite" ? server::SignUp::kInvite
                                                : server::SignUp::kClosed;
  wanted.connection_log_days = options.connection_log_days;
  wanted.grace_days = options.grace_days;
  wanted.deletion_days = options.deletion_days;
  wanted.release_every_ms = static_cast<TimeMs>(options.release_hours * kHourMs);
  wanted.lock_patience_ms = kLockPatienceMs;
  return wanted;
}

// Null: there is none. It knows the service by the key that devices know it by.
Result<std::unique_ptr<api::Custodian>> find_custodian(const Options& options) {
  if (options.custodian.empty() && options.custodian_fingerprint.empty())
    return std::unique_ptr<api::Custodian>();
  const auto address = TRY(net::parse_address(options.custodian));
  const auto pin = from_hex(options.custodian_fingerprint);
  if (!pin || pin->size() != 32)
    return Error{Code::kInvalid,
                 "--custodian-fingerprint has 64 hexadecimal digits, as the custodian prints it"};
  return net::open_custodian(address, *pin, TRY(load_tls(options)));
}

// In all threads that are started from here on.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// Each connection takes a descriptor, and what a shell allows first is often 1024. A failure shows
// in the metrics, as connections that were refused.
void allow_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

void sweep(server::Service& service, const Log& log) {
  const auto swept = service.sweep();
  if (!swept.ok()) log.event(Level::kError, "sweep", {{"error", Plain(swept.error().message)}});
}

std::string url_of(const char* scheme, const net::Listen& listen, const std::string& port) {
  const bool v6 = listen.address.find(':') != std::string::npos;
  return scheme + (v6 ? "[" + listen.address + "]" : listen.address) + ":" + port;
}

struct Places {
  std::string devices;
  std::string metrics;  // "": nowhere
  std::string pin;
  std::string log;  // its verifier key
};
void announce(const Options& options, const Places& at) {
  if (options.json) {
    print_line({{"event", "listening"},
                {"url", at.devices},
                {"fingerprint", at.pin},
                {"metrics", at.metrics},
                {"log", at.log}});
    return;
  }
  std::printf(
      "Holdfast listens at %s\nIts key, for your users to compare:\n\n    %s\n\nPublish it where "
      "they look for it by another way than this line. The key of its public log, for "
      "witnesses:\n\n"
      "    %s\n",
      at.devices.c_str(), at.pin.c_str(), at.log.c_str());
  if (!at.metrics.empty()) std::printf("For you alone: %s\n", at.metrics.c_str());
  std::fflush(stdout);
}

Result<std::unique_ptr<net::HttpServer>> start_watch(const net::Listen& place, net::ServerTls tls,
                                                     Watch& watch, net::Metrics& own) {
  net::ServerOptions options;
  options.address = place.address;
  options.port = place.port;
  options.plain = true;
  options.threads = 2;
  return net::HttpServer::start(options, std::move(tls), watch, own);
}

}  // namespace

Result<void> serve(const Options& options) {
  const sigset_t signals = block_signals();
  allow_descriptors();
  const net::Listen listen = TRY(net::parse_listen(options.listen));
  auto wanted = TRY(service_options(options));
  WitnessPolicy policy = TRY(read_policy(options.log_policy));
  const std::string log_key = options.data + "/log.key";
  // Accounts rely on a log that was begun.
  if (options.log || exists(log_key)) {
    wanted.log = server::LogOptions{options.data + "/log", log_key, options.log_name, policy.roots};
    wanted.log->policy_key = TRY(policy_key_of(options));
  } else if (!options.policy_key.empty()) {
    return Error{Code::kInvalid, "--policy-key needs --log: policies stand in the public log"};
  }
  TRY(make_dirs(options.data));
  auto tls = TRY(load_tls(options));
  wanted.tls_pin = tls.pin();
  const auto custodian = TRY(find_custodian(options));
  wanted.custodian = custodian.get();
  std::atomic<net::HttpServer*> front = nullptr;
  wanted.on_change = [&front](const std::string& account) {
    if (net::HttpServer* const server = front.load()) server->wake(account);
  };
  const auto clock = std::make_shared<SystemClock>();
  const auto service = TRY(server::Service::open(std::move(wanted), clock));
  const auto control = TRY(Control::start(options.data, *service, *clock));

  const Log log(STDERR_FILENO, *clock);
  net::Metrics metrics;
  net::Routes routes(*service, tls.pin());
  net::ServerOptions front_options;
  front_options.address = listen.address;
  front_options.port = listen.port;
  front_options.max_connections = options.max_connections;
  front_options.max_connections_per_address = options.connections_per_address;
  front_options.requests_per_second_per_address = options.requests_per_address;
  front_options.log = &log;
  front_options.log_requests = options.log_requests;
  const auto server = TRY(net::HttpServer::start(front_options, std::move(tls), routes, metrics));
  front.store(server.get());

  Watch watch(*service, metrics);
  net::Metrics own;
  std::unique_ptr<net::HttpServer> watched;
  Places at{url_of("https://", listen, server->port()), "", to_hex(server->pin()), ""};
  if (!options.metrics_listen.empty()) {
    const net::Listen place = TRY(net::parse_listen(options.metrics_listen));
    auto same_key = TRY(load_tls(options));
    watched = TRY(start_watch(place, std::move(same_key), watch, own));
    at.metrics = url_of("http://", place, watched->port()) + "/metrics";
  }
  std::optional<Witnessing> witnessing;
  if (service->log() != nullptr) {
    at.log = service->log()->trusted().log().format();
    witnessing.emplace(*service, std::move(policy), options.log_seconds, log);
  }
  const Custodial custodial(*service, log);
  announce(options, at);
  log.event(Level::kInfo, "started", {{"address", Plain(options.listen)}});
  while (::sigtimedwait(&signals, nullptr, &kSweepEvery) < 0) sweep(*service, log);
  log.event(Level::kInfo, "stopping");
  server->stop();
  front.store(nullptr);
  if (watched) watched->stop();
  return service->stop();
}

}  // namespace holdfast::daemon
