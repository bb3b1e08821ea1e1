#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "net/bodies.h"
#include "net/custodian_client.h"
#include "net/custodian_routes.h"
#include "net/http_server.h"

namespace holdfast::net {
namespace {

class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "holdfast-net-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Keeps what it was told, to be compared with what was sent.
struct Listener final : api::Custodian {
  int calls = 0;
  CircleId circle;
  ReaderId custodian;
  Bytes genesis;
  api::LogView view;
  api::CircleEvidence evidence;

  Result<Bytes> fleet_key() override { return told(Bytes(32, 7)); }
  Result<Bytes> issue(const CircleId& of) override {
    circle = of;
    return told(Bytes(1320, 8));
  }
  Result<void> keep(const CircleId& of, const ReaderId& key, BytesView first) override {
    circle = of;
    custodian = key;
    genesis = to_bytes(first);
    ++calls;
    return Error{Code::kNotFound, "there is no such key"};
  }
  Result<api::CustodianSeen> seen(const CircleId& of) override {
    circle = of;
    ++calls;
    return api::CustodianSeen{12, 34};
  }
  Result<void> follow(const api::LogView& shown) override {
    view = shown;
    ++calls;
    return Ok{};
  }
  Result<void> show(const CircleId& of, const api::CircleEvidence& shown) override {
    circle = of;
    evidence = shown;
    ++calls;
    return Ok{};
  }
  Result<void> retire(const CircleId& of, const ReaderId& key) override {
    circle = of;
    custodian = key;
    ++calls;
    return Ok{};
  }
  Result<Bytes> destroy(const CircleId& of, const ReaderId& key,
                        const api::CircleEvidence& shown) override {
    circle = of;
    custodian = key;
    evidence = shown;
    return told(Bytes(300, 9));
  }

 private:
  Bytes told(Bytes answer) {
    ++calls;
    return answer;
  }
};

ServerTls identity(const Folder& folder) { return ServerTls::load_or_make(folder.path()).value(); }

struct Place {
  Folder own;
  Folder service;
  Listener custodian;
  SystemClock clock;
  Log log{STDERR_FILENO, clock};
  CustodianRoutes routes{custodian, clock, log};
  Metrics metrics;
  std::unique_ptr<HttpServer> server;
  ServiceAddress address;

  Place() {
    ServerTls tls = identity(own);
    tls.require_client(identity(service).pin());
    server = HttpServer::start({}, std::move(tls), routes, metrics).value();
    address = {"127.0.0.1", server->port()};
  }
  ~Place() { server->stop(); }

  std::unique_ptr<api::Custodian> as(const Folder& who) const {
    return open_custodian(address, server->pin(), identity(who));
  }
};

api::LogView some_view() {
  api::LogView view;
  view.checkpoint = Bytes(200, 1);
  view.leaves = {Bytes(10, 2), Bytes(20, 3)};
  view.audit = Bytes(30, 4);
  view.circle_next = 5;
  view.circle_proof = Bytes(40, 5);
  view.data_next = 6;
  view.data_heads = {{VaultId(), 7}};
  view.data_proof = Bytes(50, 6);
  return view;
}

TEST(CustodianOverTls, TakesEveryCallOfTheServiceThatItKnows) {
  Place place;
  const auto door = place.as(place.service);
  CircleId circle;
  circle.bytes.fill(1);
  ReaderId reader;
  reader.bytes.fill(2);
  EXPECT_EQ(door->fleet_key().value(), Bytes(32, 7));
  EXPECT_EQ(door->issue(circle).value(), Bytes(1320, 8));
  EXPECT_EQ(place.custodian.circle, circle);
  const auto kept = door->keep(circle, reader, Bytes(100, 3));
  ASSERT_FALSE(kept.ok());
  EXPECT_EQ(kept.error().code, Code::kNotFound);
  EXPECT_EQ(kept.error().message, "there is no such key");
  EXPECT_EQ(place.custodian.genesis, Bytes(100, 3));
  const auto seen = door->seen(circle).value();
  EXPECT_EQ(seen.statements, 12U);
  EXPECT_EQ(seen.entries, 34U);
  EXPECT_TRUE(door->follow(some_view()).ok());
  EXPECT_EQ(wire::encode(body_of(place.custodian.view)), wire::encode(body_of(some_view())));
  const api::CircleEvidence evidence{
      {Bytes(9, 1), Bytes(8, 2)}, Bytes(32, 3), Bytes(77, 4), some_view()};
  EXPECT_TRUE(door->show(circle, evidence).ok());
  EXPECT_EQ(place.custodian.evidence.statements, evidence.statements);
  EXPECT_EQ(place.custodian.evidence.lookup, evidence.lookup);
  EXPECT_EQ(place.custodian.evidence.roots, evidence.roots);
  ReaderId gone;
  gone.bytes.fill(3);
  EXPECT_TRUE(door->retire(circle, gone).ok());
  EXPECT_EQ(place.custodian.custodian, gone);
  EXPECT_EQ(door->destroy(circle, reader, evidence).value(), Bytes(300, 9));
  EXPECT_EQ(place.custodian.custodian, reader);
  EXPECT_EQ(place.custodian.evidence.statements, evidence.statements);
  EXPECT_EQ(place.custodian.evidence.lookup, evidence.lookup);
  EXPECT_EQ(place.custodian.evidence.roots, evidence.roots);
  EXPECT_EQ(place.custodian.evidence.view.leaves, evidence.view.leaves);
}

TEST(CustodianOverTls, RefusesAnotherKeyInTheHandshake) {
  Place place;
  const Folder stranger;
  const auto refused = place.as(stranger)->fleet_key();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  // And one who shows no key at all.
  EXPECT_FALSE(post(place.address, place.server->pin(), "/v1/fleet-key", {}, 4096, 5000).ok());
  EXPECT_EQ(place.custodian.calls, 0);
  EXPECT_TRUE(place.as(place.service)->fleet_key().ok());
}

TEST(CustodianOverTls, SendsNothingToAnotherCustodian) {
  Place place;
  const auto refused =
      open_custodian(place.address, Bytes(32, 1), identity(place.service))->fleet_key();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnsafe);
  EXPECT_EQ(place.custodian.calls, 0);
}

// A program's own certificate in the place of the other's: the key is compared, not the name.
TEST(CustodianOverTls, RefusesItsOwnKeyAsTheServices) {
  Place place;
  EXPECT_FALSE(place.as(place.own)->fleet_key().ok());
  EXPECT_EQ(place.custodian.calls, 0);
}

struct Whole final : Body {
  explicit Whole(BytesView b) : bytes(b) {}
  Result<std::size_t> read(std::span<std::uint8_t> into) override {
    const std::size_t n = std::min(into.size(), bytes.size());
    std::copy_n(bytes.begin(), n, into.begin());
    bytes = bytes.subspan(n);
    return n;
  }
  BytesView bytes;
};

unsigned status(CustodianRoutes& routes, const std::string& method, const std::string& target,
                BytesView body, std::uint64_t announced) {
  Request request;
  request.method = method;
  request.target = target;
  request.content_length = announced;
  Whole whole(body);
  return routes.handle(request, whole).status;
}

TEST(CustodianRoutes, RefusesWhatIsNoRequestOfTheTable) {
  Listener custodian;
  const SystemClock clock;
  const Log log(STDERR_FILENO, clock);
  CustodianRoutes routes(custodian, clock, log);
  const Bytes good = wire::encode(api::CircleBody{});
  EXPECT_EQ(status(routes, "POST", "/v1/issue", good, good.size()), 200U);
  EXPECT_EQ(status(routes, "GET", "/v1/issue", good, good.size()), 404U);
  EXPECT_EQ(status(routes, "POST", "/v1/unwrap", good, good.size()), 404U);
  EXPECT_EQ(status(routes, "POST", "/v1/issue?x", good, good.size()), 404U);
  EXPECT_EQ(status(routes, "POST", "/v1/issue", good, good.size() + 1), 400U);  // cut off
  EXPECT_EQ(status(routes, "POST", "/v1/issue", good, 1025), 400U);
  EXPECT_EQ(status(routes, "POST", "/v1/fleet-key", good, 1), 400U);
  EXPECT_EQ(status(routes, "POST", "/v1/destroy", good, api::kMaxDestroyBody + 1), 400U);
  const int before = custodian.calls;
  for (std::size_t n = 0; n < good.size(); ++n)
    EXPECT_EQ(status(routes, "POST", "/v1/seen", BytesView(good).first(n), n), 400U) << n;
  EXPECT_EQ(custodian.calls, before);
}

}  // namespace
}  // namespace holdfast::net
