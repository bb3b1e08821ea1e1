#include "net/custodian_client.h"

#include "net/bodies.h"
#include "net/client_answer.h"

namespace holdfast::net {
namespace {

constexpr std::size_t kMaxSmall = 4 * 1024;      // what it answers, and refusals
constexpr std::int64_t kPatienceMs = 20'000;     // an HSM may take a while to make a key
constexpr std::int64_t kReplayMs = 10 * 60'000;  // an account's whole history, over a slow line

class HttpCustodian final : public api::Custodian {
 public:
  HttpCustodian(ServiceAddress address, Bytes pin, ServerTls own)
      : address_(std::move(address)), pin_(std::move(pin)), own_(std::move(own)) {}

  Result<Bytes> fleet_key() override { return ask("/v1/fleet-key", {}, kPatienceMs); }
  Result<Bytes> issue(const CircleId& circle) override {
    return ask("/v1/issue", wire::encode(api::CircleBody{circle}), kPatienceMs);
  }
  Result<void> keep(const CircleId& circle, const ReaderId& custodian, BytesView genesis) override {
    TRY(ask("/v1/keep", wire::encode(api::KeepBody{circle, custodian, to_bytes(genesis)}),
            kPatienceMs));
    return Ok{};
  }
  Result<api::CustodianSeen> seen(const CircleId& circle) override {
    const Bytes answer = TRY(ask("/v1/seen", wire::encode(api::CircleBody{circle}), kPatienceMs));
    const auto now = TRY(wire::decode<api::SeenBody>(answer));
    return api::CustodianSeen{now.statements, now.entries};
  }
  Result<void> follow(const api::LogView& view) override {
    TRY(ask("/v1/follow", wire::encode(body_of(view)), kReplayMs));
    return Ok{};
  }
  Result<Bytes> destroy(const CircleId& circle, const ReaderId& custodian,
                        const api::CircleEvidence& evidence) override {
    api::DestroyBody body{circle,          custodian,      {},
                          evidence.lookup, evidence.roots, body_of(evidence.view)};
    for (const Bytes& statement : evidence.statements) body.statements.push_back(statement);
    const Bytes bytes = wire::encode(body);
    if (bytes.size() > api::kMaxDestroyBody)
      return Error{Code::kInvalid, "the account has more new statements than its custodian takes"};
    return ask("/v1/destroy", bytes, kReplayMs);
  }

 private:
  Result<Bytes> ask(const std::string& path, const Bytes& body, std::int64_t patience_ms) const {
    auto reply = post(address_, pin_, path, body, kMaxSmall, patience_ms, &own_);
    if (!reply.ok()) return std::move(reply).error().in("the custodian at " + address_.host);
    if (reply->status == 200) return std::move(reply->body);
    return refusal({reply->status, std::move(reply->body), false}, address_.host);
  }

  const ServiceAddress address_;
  const Bytes pin_;
  const ServerTls own_;
};

}  // namespace

std::unique_ptr<api::Custodian> open_custodian(const ServiceAddress& address, const Bytes& pin,
                                               ServerTls own) {
  return std::make_unique<HttpCustodian>(address, pin, std::move(own));
}

}  // namespace holdfast::net
