// Gathers what witnesses and auditors sign, in a thread of its own.
//
// The policy file names them, a line each; # begins a comment:
//
//   witness VERIFIER-KEY https://HOST:PORT TLS-FINGERPRINT
//   auditor NAME KEY-IN-HEX https://HOST:PORT TLS-FINGERPRINT
//   quorum NUMBER
//
// A witness that is away delays the log; it cannot be talked round.
#pragma once

#include <thread>

#include "base/log.h"
#include "net/client.h"
#include "server/service.h"

namespace holdfast::daemon {

struct Peer {
  net::ServiceAddress address;
  Bytes pin;
  std::string name;
};

struct WitnessPolicy {
  tlog::LogRoots roots;  // without the log itself
  std::vector<Peer> witnesses;
  std::vector<Peer> auditors;
};
// "": nobody watches. kInvalid with the line.
Result<WitnessPolicy> read_policy(const std::string& path);

class Witnessing {
 public:
  // Steps the service's log every `period_s` seconds, from now on, and has it cosigned.
  Witnessing(server::Service& service, WitnessPolicy policy, std::int64_t period_s, const Log& log);
  ~Witnessing();

 private:
  void run(const std::stop_token& stop);
  Result<void> turn();
  Result<std::vector<tlog::NoteSignature>> gather(const server::PublicLog::Due& due);
  std::vector<tlog::NoteSignature> ask_all(const std::vector<std::size_t>& which,
                                           const server::PublicLog::Due& due);
  Result<tlog::NoteSignature> ask(std::size_t i, const server::PublicLog::Due& due);
  void warn(Word event, const Peer& peer, const Error& error) const;
  Result<void> audit(const Peer& auditor, std::uint64_t& at);

  server::Service& service_;
  const WitnessPolicy policy_;
  const std::int64_t period_s_;
  const Log& log_;
  std::vector<std::uint64_t> sizes_;  // that each witness has, as far as known
  std::vector<std::chrono::steady_clock::time_point> rest_until_;
  std::vector<std::uint64_t> epochs_;  // that each auditor has come to
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace holdfast::daemon
