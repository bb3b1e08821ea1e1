// The service without TLS, which holdfastd does not offer: the same parts in this process.
#include <csignal>
#include <cstdio>

#include "measures.h"
#include "net/http_server.h"
#include "net/routes.h"
#include "server/service.h"

namespace holdfast::bench {

Result<void> serve_plain(const Arguments& arguments) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  server::ServiceOptions options;
  options.data = text(arguments, "data", "");
  TRY(make_dirs(options.data));
  auto tls = TRY(net::ServerTls::load_or_make(options.data));
  const Bytes pin = tls.pin();
  options.tls_pin = pin;
  options.sign_up = server::SignUp::kOpen;
  const auto service =
      TRY(server::Service::open(std::move(options), std::make_shared<SystemClock>()));
  net::Routes routes(*service, pin);
  net::Metrics metrics;
  net::ServerOptions front;
  front.plain = true;
  front.port = text(arguments, "port", "0");
  const auto server = TRY(net::HttpServer::start(front, std::move(tls), routes, metrics));
  std::printf("{\"port\": %s, \"fingerprint\": \"%s\"}\n", server->port().c_str(),
              to_hex(pin).c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  server->stop();
  return service->stop();
}

}  // namespace holdfast::bench
