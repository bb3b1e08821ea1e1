// An HTTP/1.1 server: Asio tells which sockets are ready, Beast parses heads, OpenSSL does TLS 1.3,
// and handlers are plain functions on a small pool of threads. Idle and parked connections hold no
// thread and little memory.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "net/http.h"
#include "net/metrics.h"
#include "net/stream.h"

namespace holdfast::net {

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::string port = "0";  // 0: any free one
  bool plain = false;      // without TLS, for measurements and a proxy on the same host
  unsigned threads = 32;   // that handlers run on
  unsigned max_connections = 20000;
  unsigned max_connections_per_address = 256;
  unsigned requests_per_second_per_address = 500;  // sustained; bursts of ten times that
  std::size_t max_head = 16 * 1024;                // bytes of request line and headers
  std::int64_t head_ms = 10'000;                   // handshake and head of a request
  std::int64_t idle_ms = 75'000;                   // between requests
  std::int64_t stall_ms = 20'000;                  // of a body that moves no byte
  std::int64_t bytes_per_second = 4 * 1024;        // slower bodies are cut off, on average
  std::int64_t stop_ms = 30'000;                   // a graceful stop waits so long for handlers
  // Has an event for every request that a handler answered with 5xx, and with log_requests for
  // every answer: routes and numbers only. Names, ids of stored things and addresses would make it
  // a second connection log, without its end.
  const Log* log = nullptr;
  bool log_requests = false;
};

class HttpServer {
 public:
  // Listens once it returns; serves in its own threads. `handler` and `metrics` outlive it.
  static Result<std::unique_ptr<HttpServer>> start(const ServerOptions& options, ServerTls tls,
                                                   Handler& handler, Metrics& metrics);
  virtual ~HttpServer() = default;
  virtual std::string port() const = 0;
  virtual const Bytes& pin() const = 0;
  // Connections parked under this topic are handled again.
  virtual void wake(const std::string& topic) = 0;
  // Takes no new requests, finishes those in flight, answers parked ones, closes. Waits for it.
  virtual void stop() = 0;
};

}  // namespace holdfast::net
