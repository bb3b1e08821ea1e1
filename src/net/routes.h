// The service's doors as HTTP: one table of routes, none without a door. docs/formats/api.md
//
// What comes in is bounded before it is read and checked before it is used; a member's request is
// proven before a byte of its body is read.
#pragma once

#include "api/service.h"
#include "net/http.h"

namespace holdfast::net {

// `pin` is the service's own (ServerTls::pin): a proof made for another service does not count.
class Routes final : public Handler {
 public:
  Routes(api::Service& service, Bytes pin) : service_(service), pin_(std::move(pin)) {}
  Response handle(const Request& request, Body& body) override;

 private:
  struct Trace {
    std::string route = "none";
    bool proven = false;  // that the caller is of the account
  };
  Result<Response> run(const Request& request, Body& body, Trace& trace);

  api::Service& service_;
  const Bytes pin_;
};

}  // namespace holdfast::net
