// What was typed or stood in the configuration file, as plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace holdfast::daemon {

struct Options {
  std::string data;
  std::string listen = "127.0.0.1:8440";
  std::string metrics_listen = "127.0.0.1:9464";  // "": none
  std::string signup = "invite";
  std::string tls_certificate;
  std::string tls_key;
  std::string quota;  // "500G"; none: no limit but the disk
  unsigned connection_log_days = 30;
  unsigned grace_days = 14;
  unsigned deletion_days = 14;
  unsigned max_connections = 20'000;
  unsigned connections_per_address = 256;
  unsigned requests_per_address = 500;  // a second
  unsigned signups_per_address = 20;    // a day, where sign-up is open
  bool log_requests = false;
  bool log = false;           // keep a public log; once begun it is always kept
  std::string log_policy;     // file: who watches the log; "": nobody
  std::string log_name;       // "": made from the log's key
  std::string policy_key;     // whose policies new accounts trust: in hexadecimal, or a file
  unsigned log_seconds = 60;  // from one look for changes to the next
  std::string custodian;      // https://HOST:PORT; "": none
  std::string custodian_fingerprint;  // of its TLS key
  double release_hours = 6;           // from one release batch to the next
  bool json = false;
};

// "500G" (1024-based: K M G T), or plain bytes; "" and "none" are no limit. kInvalid.
Result<std::optional<std::uint64_t>> parse_size(const std::string& text);

}  // namespace holdfast::daemon
