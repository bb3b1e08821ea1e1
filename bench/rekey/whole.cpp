#include "whole.h"

#include <cstdio>
#include <sstream>

#include "custody/custodian.h"
#include "made_up.h"
#include "net/client.h"
#include "net/http_server.h"
#include "net/routes.h"
#include "server/service.h"
#include "support/test_token.h"

namespace holdfast::bench {
namespace {

class Place {
 public:
  explicit Place(const std::string& folder) : data_(folder + "/service") {
    must_do(make_dirs(data_));
    start();  // makes the log, whose roots the custodian is told
    const auto roots =
        must(wire::decode<tlog::LogRoots>(must(read_file(data_ + "/log/roots", 64 * 1024))));
    front_->stop();
    front_.reset();
    service_.reset();
    custodian_ =
        must(custody::Custodian::open({folder + "/custodian", token_.place(), roots}, clock_));
    start();
    store_ = net::open_service({"127.0.0.1", front_->port()}, front_->pin(), "");
  }
  ~Place() { front_->stop(); }

  api::Store& store() { return *store_; }
  const Clock& clock() const { return *clock_; }
  // What came is in the log, which nobody witnesses.
  void step() {
    must(service_->step_log());
    const auto due = service_->log()->due(600);
    if (due) must(service_->log()->cosign(*due, {}));
  }
  double received() const {
    std::istringstream lines(metrics_.render({}));
    double sum = 0;
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("holdfast_request_bytes_total{"))
        sum += std::stod(line.substr(line.rfind(' ') + 1));
    return sum;
  }

 private:
  void start() {
    auto tls = must(net::ServerTls::load_or_make(data_));
    server::ServiceOptions options;
    options.data = data_;
    options.tls_pin = tls.pin();
    options.sign_up = server::SignUp::kOpen;
    options.log = server::LogOptions{data_ + "/log", data_ + "/log.key", "log.example", {}};
    options.custodian = custodian_.get();
    routes_.reset();
    service_ = must(server::Service::open(std::move(options), clock_));
    routes_ = std::make_unique<net::Routes>(*service_, tls.pin());
    front_ = must(net::HttpServer::start({}, std::move(tls), *routes_, metrics_));
  }

  const std::string data_;
  const std::shared_ptr<const Clock> clock_ = std::make_shared<SystemClock>();
  custody::TestToken token_;
  std::unique_ptr<custody::Custodian> custodian_;
  std::unique_ptr<server::Service> service_;
  net::Metrics metrics_;
  std::unique_ptr<net::Routes> routes_;
  std::unique_ptr<net::HttpServer> front_;
  std::unique_ptr<api::Store> store_;
};

void tell(const char* what, Place& place, const std::function<void()>& work) {
  const double before = place.received();
  const double seconds = seconds_of(work);
  std::printf("%-28s %5.2f s, %5.2f MB sent\n", what, seconds, (place.received() - before) / 1e6);
  std::fflush(stdout);
  place.step();
}

}  // namespace

void measure_whole(const std::string& folder, First first) {
  Place place(folder);
  place.step();
  vault::Home home = new_home(folder + "/laptop");
  must(vault::init(home, place.store(), place.clock(),
                   {"me", "bench", "ZZ", circle::Level::kStandard}));
  place.step();
  fill(home, place.store(), place.clock(), Sealed::kOnce);
  place.step();
  auto account = must(vault::Account::open(home, place.store(), place.clock()));
  {
    vault::Home other = new_home(folder + "/nas");
    join(account, other, place.store(), place.clock(), "nas");
  }
  place.step();
  // As the commands do it: the account is opened, the statement made, the tables written anew.
  const auto raise = [&] {
    tell("advanced turned on", place, [&] {
      auto opened = must(vault::Account::open(home, place.store(), place.clock()));
      must_do(opened.raise_level());
      must(opened.rekey("main"));
    });
  };
  const auto remove = [&] {
    tell("a device removed", place, [&] {
      auto opened = must(vault::Account::open(home, place.store(), place.clock()));
      must_do(opened.remove_devices({"nas"}));
      must(opened.rekey("main"));
    });
  };
  // Whichever comes second also judges the tables that the first one wrote.
  if (first == First::kRaise) raise();
  remove();
  if (first == First::kRemove) raise();
}

}  // namespace holdfast::bench
