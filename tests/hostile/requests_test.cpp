// Requests of a stranger at the routes of a real service.
#include <gtest/gtest.h>

#include "api/format.h"
#include "net/routes.h"
#include "server/service.h"
#include "support/appends.h"
#include "support/journey.h"

namespace holdfast {
namespace {

class BytesBody final : public net::Body {
 public:
  explicit BytesBody(BytesView bytes) : left_(bytes) {}
  Result<std::size_t> read(std::span<std::uint8_t> into) override {
    const std::size_t size = std::min(into.size(), left_.size());
    std::copy_n(left_.begin(), size, into.begin());
    left_ = left_.subspan(size);
    return size;
  }

 private:
  BytesView left_;
};

class HostileRequests : public testing::Test {
 protected:
  void SetUp() override {
    server::ServiceOptions options;
    options.data = folder_ / "data";
    options.tls_pin = pin_;
    options.sign_up = server::SignUp::kOpen;
    service_ = must(server::Service::open(std::move(options), std::make_shared<SystemClock>()));
    routes_ = std::make_unique<net::Routes>(*service_, pin_);
    must(service_->sign_up("alice", testkit::append_of(alice_, 0), "", "192.0.2.1"));
  }
  net::Response ask(const std::string& method, const std::string& target, BytesView body,
                    const std::string& authorization = "") {
    net::Request request;
    request.method = method;
    request.target = target;
    request.authorization = authorization;
    request.content_length = body.size();
    request.address = "192.0.2.1";
    BytesBody reader(body);
    return routes_->handle(request, reader);
  }
  unsigned ask_as_alice(const std::string& method, const std::string& target, BytesView body) {
    api::RequestProof proof;
    proof.account = "alice";
    proof.caller = alice_.first.id;
    proof.body = crypto::sha256(body);
    proof.time_ms = service_->now();
    crypto::random_fill(proof.nonce.bytes);
    api::sign_request(proof, {pin_, method, target}, *alice_.first.key);
    return ask(method, target, body, "Holdfast " + to_hex(wire::encode(proof))).status;
  }

  const Bytes pin_ = {1, 2, 3};
  Folder folder_;
  testkit::CircleMaker alice_;
  std::unique_ptr<server::Service> service_;
  std::unique_ptr<net::Routes> routes_;
};

// Else whoever sends nonsense rings the operator's bell.
TEST_F(HostileRequests, NonsenseIsNeverTheServicesFault) {
  const std::string vault = testkit::vault_id("home").hex();
  const Bytes empty_append = wire::encode(api::AppendBody{});
  for (const Bytes& body : {Bytes{}, Bytes{1}, Bytes(100, 0x9f), empty_append}) {
    EXPECT_EQ(ask("POST", "/v1/accounts/626f62", body).status, 400U);
    EXPECT_EQ(ask_as_alice("POST", "/v1/circle", body), 400U);
    EXPECT_EQ(ask_as_alice("POST", "/v1/vaults/" + vault, body), 400U);
    EXPECT_EQ(ask_as_alice("POST", "/v1/packs/have", body), 400U);
  }
}

// The target is part of what a proof signs, as text.
TEST_F(HostileRequests, ATargetThatIsNoTextIsNoAddress) {
  api::RequestProof proof;
  proof.account = "alice";
  proof.time_ms = service_->now();
  const std::string authorization = "Holdfast " + to_hex(wire::encode(proof));
  for (const std::string target : {"/v1/circle?from=\xff", "/v1/circle?\x80", "/v1/blobs/\xc3"})
    EXPECT_EQ(ask("GET", target, {}, authorization).status, 404U);
}

// One answer, and one time for it: whether there is such an account is nobody's business.
TEST_F(HostileRequests, ARefusalTellsAStrangerNothing) {
  const testkit::CircleMaker mallory(testkit::make_device("mallory"));
  const auto refused = [&](const std::string& account, const ReaderId& caller) {
    api::RequestProof proof;
    proof.account = account;
    proof.caller = caller;
    proof.body = crypto::sha256(Bytes{});
    proof.time_ms = service_->now();
    crypto::random_fill(proof.nonce.bytes);
    const std::string target = "/v1/usage";
    api::sign_request(proof, {pin_, "GET", target}, *mallory.first.key);
    return ask("GET", target, {}, "Holdfast " + to_hex(wire::encode(proof)));
  };
  const auto message = [](const net::Response& response) {
    return must(wire::decode<api::ErrorBody>(std::get<Bytes>(response.body))).message;
  };
  const net::Response absent = refused("nobody", mallory.first.id);
  for (const net::Response& other :
       {refused("alice", mallory.first.id), refused("alice", alice_.first.id)}) {
    EXPECT_EQ(other.status, 403U);
    EXPECT_EQ(message(other), message(absent));
    EXPECT_EQ(other.not_before_ms, absent.not_before_ms);
    EXPECT_GT(other.not_before_ms, 0);
  }
  const std::string request = RequestId{}.hex();
  for (const std::string name : {"616c696365", "6e6f62"}) {
    const net::Response none = ask("GET", "/v1/accounts/" + name + "/admissions/" + request, {});
    EXPECT_EQ(none.status, 404U);
    EXPECT_EQ(none.not_before_ms, absent.not_before_ms);
  }
  EXPECT_EQ(ask("GET", "/v1/capsules/" + LocateId{}.hex(), {}).not_before_ms, absent.not_before_ms);
}

}  // namespace
}  // namespace holdfast
