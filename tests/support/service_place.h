// Where a journey's store is: in this process, or behind a service on loopback HTTPS with its own
// database, threads and sockets. Test-only.
#pragma once

#include <atomic>

#include "net/client.h"
#include "net/http_server.h"
#include "net/routes.h"
#include "server/service.h"
#include "store/local_store.h"
#include "support/journey.h"

namespace holdfast {

enum class Place { kDirect, kService, kLogged };  // kLogged: a service with a public log

inline std::string place_name(const ::testing::TestParamInfo<Place>& info) {
  switch (info.param) {
    case Place::kDirect: return "direct";
    case Place::kService: return "service";
    case Place::kLogged: return "logged";
  }
  std::abort();
}

class ServicePlace {
 public:
  explicit ServicePlace(Place place,
                        std::shared_ptr<const Clock> clock = std::make_shared<SystemClock>(),
                        std::uint64_t small_reserve = server::ServiceOptions().small_reserve)
      : place_(place), clock_(std::move(clock)), small_reserve_(small_reserve) {
    if (place_ != Place::kDirect) start();
  }
  ~ServicePlace() { stop(); }

  std::unique_ptr<api::Store> store() {
    if (place_ == Place::kDirect) return store::open_memory();
    return net::open_service({"127.0.0.1", server_->port()}, server_->pin(), "");
  }
  // What the service does every minute.
  void sweep() {
    if (service_) must_do(service_->sweep());
  }
  // Null where there is no service.
  server::Service* service() { return service_.get(); }
  // Takes into the log what it promised; nobody watches it.
  void include() {
    if (place_ != Place::kLogged) return;
    must(service_->step_log());
    if (const auto due = service_->log()->due(0)) must(service_->log()->cosign(*due, {}));
  }

 private:
  void start() {
    const std::string data = folder_ / "service";
    fs::create_directories(data);
    auto tls = must(net::ServerTls::load_or_make(data));
    server::ServiceOptions options;
    options.data = data;
    options.tls_pin = tls.pin();
    options.sign_up = server::SignUp::kOpen;
    options.small_reserve = small_reserve_;
    if (place_ == Place::kLogged)
      options.log = server::LogOptions{data + "/log", data + "/log.key", "", {}};
    options.on_change = [this](const std::string& account) {
      if (net::HttpServer* const front = front_.load()) front->wake(account);
    };
    const Bytes pin = tls.pin();
    service_ = must(server::Service::open(std::move(options), clock_));
    routes_ = std::make_unique<net::Routes>(*service_, pin);
    server_ = must(net::HttpServer::start({}, std::move(tls), *routes_, metrics_));
    front_.store(server_.get());
  }
  void stop() {
    if (server_) server_->stop();
    front_.store(nullptr);
  }

  const Place place_;
  const std::shared_ptr<const Clock> clock_;
  const std::uint64_t small_reserve_;
  Folder folder_;
  std::atomic<net::HttpServer*> front_ = nullptr;
  net::Metrics metrics_;
  std::unique_ptr<server::Service> service_;
  std::unique_ptr<net::Routes> routes_;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace holdfast
