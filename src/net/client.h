// A service as Visitor and Session: the doors over HTTPS. docs/formats/api.md
//
// Not trusted: what comes back is checked by whoever asked. The service's key must be the one that
// is pinned, or nothing is sent. A call that the line broke is made again: every call may be.
#pragma once

#include <memory>
#include <string>

#include "api/doors.h"
#include "net/stream.h"

namespace holdfast::net {

struct ServiceAddress {
  std::string host;
  std::string port;
};
// "https://host[:port][/]". kInvalid.
Result<ServiceAddress> parse_address(const std::string& url);

// The key that answers there: to be shown to a person, who compares it. kUnavailable.
Result<Bytes> fetch_pin(const ServiceAddress& address);

// `invitation`: for sign-up where the service asks for one; else "". Connects when it must.
// `bytes_per_second`: sends no faster, all connections together; 0: as fast as it goes.
std::unique_ptr<api::Store> open_service(const ServiceAddress& address, const Bytes& pin,
                                         const std::string& invitation,
                                         std::uint64_t bytes_per_second = 0);

// One request to another program (a witness, a custodian), whose TLS key is pinned. Not repeated,
// and over within `patience_ms`, however slowly the other side goes on. `own`: who we are to it, by
// this TLS key; it outlives the call.
struct Reply {
  unsigned status = 0;
  Bytes body;
};
Result<Reply> post(const ServiceAddress& address, const Bytes& pin, const std::string& target,
                   BytesView body, std::size_t max_answer, std::int64_t patience_ms,
                   const ServerTls* own = nullptr);

}  // namespace holdfast::net
