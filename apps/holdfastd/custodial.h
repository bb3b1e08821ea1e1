// Has the custodian destroy what is to be destroyed, and brings its releases into the log, in a
// thread of its own.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "server/service.h"

namespace holdfast::daemon {

class Custodial {
 public:
  // Looks every few seconds.
  Custodial(server::Service& service, const Log& log)
      : service_(service), log_(log), thread_([this](const std::stop_token& stop) { run(stop); }) {}
  ~Custodial() { thread_.request_stop(); }

 private:
  void run(const std::stop_token& stop);
  void step_releases();

  server::Service& service_;
  const Log& log_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace holdfast::daemon
