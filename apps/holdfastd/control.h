// Acts of the operator on a service, whether it runs or not: a running one is asked through
// DATA/control, a socket that only its own user and root can open.
//
// One line of JSON each way: {"act": "invite", "days": 7} and {"ok": true, ...} or
// {"ok": false, "error": "..."}.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "server/service.h"

namespace holdfast::daemon {

// Does one act. Never fails but in its answer.
std::string act(server::Service& service, const Clock& clock, const std::string& request);

// Sends it to the service that runs on `data`, or does it here when none does. The answer of an act
// that was done; else its error.
Result<std::string> ask(const std::string& data, const std::string& request);

// Answers at DATA/control while it lives.
class Control {
 public:
  static Result<std::unique_ptr<Control>> start(const std::string& data, server::Service& service,
                                                const Clock& clock);
  ~Control();

 private:
  Control(Fd socket, std::string path, server::Service& service, const Clock& clock);
  void run(const std::stop_token& stop);

  Fd socket_;
  const std::string path_;
  server::Service& service_;
  const Clock& clock_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace holdfast::daemon
