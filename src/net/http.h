// What a handler of requests sees: no socket, no library. Plain blocking functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>

#include "base/file.h"
#include "base/result.h"

namespace holdfast::net {

struct Request {
  std::string method;         // "GET"
  std::string target;         // path and query, as sent
  std::string authorization;  // that header's value; "" when absent
  std::string invitation;     // of Holdfast-Invitation
  std::uint64_t content_length = 0;
  std::string address;     // the peer's, without a port
  std::string payer;       // whom limits count: the address, or the /64 of IPv6
  bool resumed = false;    // handled again after a Park; set by the server, never by a peer
  bool wait_over = false;  // and it lasted to its end
};

// The body of a request, read from the network as the handler asks for it: a handler that stops
// reading stops the sender.
class Body {
 public:
  virtual ~Body() = default;
  // 0: the end. kUnavailable: the peer is gone, too slow, or the service stops. Never more than
  // content_length in all.
  virtual Result<std::size_t> read(std::span<std::uint8_t> into) = 0;
};

struct FileBody {
  Fd file;  // read from its current position
  std::uint64_t size = 0;
};

// The connection waits without a thread until topic is woken or the time is over; then the same
// request (without a body) is handled again.
struct Park {
  std::string topic;
  std::int64_t for_ms = 0;
};

struct Response {
  unsigned status = 200;
  std::string content_type = "application/cbor";
  std::variant<Bytes, FileBody> body;
  std::string route;         // its pattern, for logs and metrics; never a path with ids
  std::optional<Park> park;  // then nothing else counts
  // Held back, without a thread, until so long after the request came: how long it took to refuse
  // says nothing then.
  std::int64_t not_before_ms = 0;
};

// Safe from several threads. What of a body it does not read is thrown away with the connection.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual Response handle(const Request& request, Body& body) = 0;
};

}  // namespace holdfast::net
