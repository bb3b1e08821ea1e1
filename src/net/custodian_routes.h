// The custodian's door as HTTP: one small table of routes. docs/formats/custody.md
//
// Whoever comes so far has shown in the handshake that it is the one service that may
// (ServerTls::require_client). It is still not trusted: bodies are bounded before they are read and
// checked before they are used.
#pragma once

#include "api/custodian.h"
#include "base/log.h"
#include "net/http.h"

namespace holdfast::net {

class CustodianRoutes final : public Handler {
 public:
  // `log` has an event for each key that is destroyed, and for whatever is refused as unsafe: with
  // ids only.
  CustodianRoutes(api::Custodian& custodian, const Clock& clock, const Log& log)
      : custodian_(custodian), clock_(clock), log_(log) {}
  Response handle(const Request& request, Body& body) override;

 private:
  api::Custodian& custodian_;
  const Clock& clock_;
  const Log& log_;
};

}  // namespace holdfast::net
