// A custodian in another process: its door over HTTPS, both ends pinned. docs/formats/custody.md
#pragma once

#include "api/custodian.h"
#include "net/client.h"

namespace holdfast::net {

// `pin`: of the custodian's TLS key, or nothing is sent. `own`: the service's, shown to it.
// Connects anew for each call.
std::unique_ptr<api::Custodian> open_custodian(const ServiceAddress& address, const Bytes& pin,
                                               ServerTls own);

}  // namespace holdfast::net
