#include "serve.h"

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "control.h"
#include "net/http_server.h"
#include "net/routes.h"

namespace holdfast::daemon {
namespace {

using Json = nlohmann::ordered_json;

constexpr timespec kSweepEvery{60, 0};
constexpr std::int64_t kLockPatienceMs = 3000;  // an operator's command has the directory no longer

void print_line(const Json& json) {
  std::printf("%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

// Routes and numbers only: names, ids of packs and addresses would make the log a second connection
// log, without its end.
class Logged final : public net::Handler {
 public:
  Logged(net::Handler& inner, const Log& log, const Clock& clock)
      : inner_(inner), log_(log), clock_(clock) {}
  net::Response handle(const net::Request& request, net::Body& body) override {
    const TimeMs began = clock_.now();
    net::Response response = inner_.handle(request, body);
    if (response.park || response.status < 500) return response;
    log_.event(Level::kWarning, "request",
               {{"route", Plain(response.route)},
                {"status", response.status},
                {"ms", clock_.now() - began}});
    return response;
  }

 private:
  net::Handler& inner_;
  const Log& log_;
  const Clock& clock_;
};

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

Result<server::ServiceOptions> service_options(const Options& options) {
  server::ServiceOptions wanted;
  wanted.data = options.data;
  wanted.default_quota = TRY(parse_size(options.quota));
  wanted.sign_up = options.signup == "open"     ? server::SignUp::kOpen
                   : options.signup == "invite" ? server::SignUp::kInvite
                                                : server::SignUp::kClosed;
  wanted.connection_log_days = options.connection_log_days;
  wanted.grace_days = options.grace_days;
  wanted.deletion_days = options.deletion_days;
  wanted.lock_patience_ms = kLockPatienceMs;
  return wanted;
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

void announce(const Options& options, const std::string& url, const std::string& pin) {
  if (options.json) {
    print_line({{"event", "listening"}, {"url", url}, {"fingerprint", pin}});
    return;
  }
  std::printf(
      "Holdfast listens at %s\nIts key, for your users to compare:\n\n    %s\n\nPublish it where "
      "they look for it by another way than this line.\n",
      url.c_str(), pin.c_str());
  std::fflush(stdout);
}

}  // namespace

Result<void> serve(const Options& options) {
  const sigset_t signals = block_signals();
  allow_descriptors();
  const Listen listen = TRY(parse_listen(options.listen));
  auto wanted = TRY(service_options(options));
  TRY(make_dirs(options.data));
  auto tls = TRY(load_tls(options));
  wanted.tls_pin = tls.pin();
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
  Logged logged(routes, log, *clock);
  net::ServerOptions front_options;
  front_options.address = listen.address;
  front_options.port = listen.port;
  front_options.max_connections = options.max_connections;
  front_options.max_connections_per_address = options.connections_per_address;
  front_options.requests_per_second_per_address = options.requests_per_address;
  const auto server = TRY(net::HttpServer::start(front_options, std::move(tls), logged, metrics));
  front.store(server.get());

  Watch watch(*service, metrics);
  net::Metrics own;
  std::unique_ptr<net::HttpServer> watched;
  if (!options.metrics_listen.empty()) {
    const Listen at = TRY(parse_listen(options.metrics_listen));
    net::ServerOptions watch_options;
    watch_options.address = at.address;
    watch_options.port = at.port;
    watch_options.plain = true;
    watch_options.threads = 2;
    auto same_key = TRY(load_tls(options));
    watched = TRY(net::HttpServer::start(watch_options, std::move(same_key), watch, own));
  }

  const std::string host =
      listen.address.find(':') == std::string::npos ? listen.address : "[" + listen.address + "]";
  announce(options, "https://" + host + ":" + server->port(), to_hex(server->pin()));
  log.event(Level::kInfo, "started", {{"address", Plain(options.listen)}});
  while (::sigtimedwait(&signals, nullptr, &kSweepEvery) < 0) sweep(*service, log);
  log.event(Level::kInfo, "stopping");
  server->stop();
  front.store(nullptr);
  if (watched) watched->stop();
  return service->stop();
}

}  // namespace holdfast::daemon
