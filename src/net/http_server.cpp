#include "net/http_server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <thread>

#include "net/http_server_parts.h"
#include "net/tls.h"

namespace holdfast::net {
namespace {

constexpr std::size_t kQueuePerThread = 16;

Result<Fd> listen_on(const ServerOptions& options) {
  const std::string where = options.address + " port " + options.port;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error =
          ::getaddrinfo(options.address.c_str(), options.port.c_str(), &hints, &found);
      error != 0)
    return Error{Code::kInvalid, "cannot listen on " + where + ": " + ::gai_strerror(error)};
  const std::unique_ptr<addrinfo, FreeWith<::freeaddrinfo>> owner(found);
  Fd socket(::socket(found->ai_family, found->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                     found->ai_protocol));
  const int on = 1;
  if (!socket.valid() ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(socket.get(), found->ai_addr, found->ai_addrlen) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0)
    return Error{Code::kUnavailable, "cannot listen on " + where + ": " + std::strerror(errno)};
  return socket;
}

Result<std::string> port_of(int socket) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) != 0)
    return io_error("ask for the port of", "a socket", errno);
  const in_port_t port = bound.ss_family == AF_INET6
                             ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                             : reinterpret_cast<const sockaddr_in&>(bound).sin_port;
  return std::to_string(ntohs(port));
}

class Server final : public HttpServer {
 public:
  Server(const ServerOptions& options, ServerTls tls, Handler& handler, Metrics& metrics,
         Fd listener, std::string port)
      : options_(options),
        tls_(std::move(tls)),
        handler_(handler),
        metrics_(metrics),
        port_(std::move(port)),
        queue_(kQueuePerThread * options.threads, (options.threads + 1) / 2, metrics),
        loop_(options_, tls_, std::move(listener), queue_, metrics) {}
  ~Server() override { stop(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Throws std::system_error.
  void run() {
    const Lock lock(mutex_);
    loop_thread_ = std::jthread([this] { loop_.run(); });
    for (unsigned i = 0; i < options_.threads; ++i) workers_.emplace_back([this] { work(); });
  }

  std::string port() const override { return port_; }
  const Bytes& pin() const override { return tls_.pin(); }
  void wake(const std::string& topic) override { loop_.wake(topic); }

  void stop() override {
    const Lock lock(mutex_);  // a second caller waits for the first
    if (!loop_thread_.joinable()) return;
    const auto drained = loop_.begin_stop();
    if (drained.wait_for(std::chrono::milliseconds(options_.stop_ms)) != std::future_status::ready)
      loop_.cut();
    queue_.close();
    workers_.clear();  // joins
    loop_.end();
    loop_thread_.join();
  }

 private:
  void work() {
    while (const ConnectionPtr connection = queue_.take()) {
      Outcome outcome = answer(*connection, handler_, metrics_, options_, loop_.stopping());
      queue_.done(connection->payer);
      loop_.give_back(connection, std::move(outcome));
    }
  }

  const ServerOptions options_;
  const ServerTls tls_;
  Handler& handler_;
  Metrics& metrics_;
  const std::string port_;
  Queue queue_;
  Loop loop_;
  Mutex mutex_;
  std::jthread loop_thread_ HF_GUARDED_BY(mutex_);
  std::vector<std::jthread> workers_ HF_GUARDED_BY(mutex_);
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(const ServerOptions& options, ServerTls tls,
                                                      Handler& handler, Metrics& metrics) {
  if (options.threads == 0 || options.max_head == 0)
    return Error{Code::kInvalid, "a service needs a thread and room for a head"};
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  Fd listener = TRY(listen_on(options));
  std::string port = TRY(port_of(listener.get()));
  try {
    auto server = std::make_unique<Server>(options, std::move(tls), handler, metrics,
                                           std::move(listener), std::move(port));
    server->run();
    return std::unique_ptr<HttpServer>(std::move(server));
  } catch (const std::exception& failed) {
    return Error{Code::kUnavailable, std::string("cannot start the service: ") + failed.what()};
  }
}

}  // namespace holdfast::net
