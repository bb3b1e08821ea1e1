// What a service sends its custodian, as a request at the routes; and what both read and keep.
#include <unistd.h>

#include "api/format.h"
#include "circle/help.h"
#include "custody/format.h"
#include "lawful/case.h"
#include "lawful/replay.h"
#include "net/custodian_routes.h"
#include "round_trip.h"

using namespace holdfast;

namespace {

// Takes everything: what reaches it was read whole.
class Nobody final : public api::Custodian {
  Result<Bytes> fleet_key() override { return Bytes(32); }
  Result<Bytes> issue(const CircleId&) override { return Bytes(1); }
  Result<void> keep(const CircleId&, const ReaderId&, BytesView) override { return Ok{}; }
  Result<api::CustodianSeen> seen(const CircleId&) override { return api::CustodianSeen{}; }
  Result<void> follow(const api::LogView&) override { return Ok{}; }
  Result<void> show(const CircleId&, const api::CircleEvidence&) override { return Ok{}; }
  Result<void> retire(const CircleId&, const ReaderId&) override { return Ok{}; }
  Result<Bytes> destroy(const CircleId&, const ReaderId&, const api::CircleEvidence&) override {
    return Error{Code::kDenied, "no"};
  }
  Result<api::NextBatch> next_batch() override { return api::NextBatch{}; }
  Result<api::DueOpenings> due_openings() override { return api::DueOpenings{}; }
  Result<void> opened(std::uint64_t, const CircleId&) override { return Ok{}; }
  Result<Bytes> propose_help(const CircleId&, const api::HelpAsk& ask,
                             const api::CircleEvidence&) override {
    TRY(circle::verify_help_request(ask.request));
    return Bytes(1);
  }
  Result<Bytes> list_help(const CircleId&, const api::HelpDue&,
                          const api::CircleEvidence&) override {
    return Bytes(1);
  }
  Result<api::HelpGiven> complete_help(const CircleId&, const api::HelpDue&,
                                       const std::vector<Bytes>&, BytesView,
                                       const api::CircleEvidence&) override {
    return api::HelpGiven{};
  }
  Result<Bytes> list_disclosure(const CircleId&, BytesView order,
                                const api::CircleEvidence&) override {
    TRY(lawful::verify_order(order, {}));
    return Bytes(1);
  }
  Result<api::Disclosed> disclose(const CircleId&, BytesView order, const std::vector<Bytes>&,
                                  BytesView, const api::CircleEvidence&) override {
    TRY(lawful::verify_order(order, {}));
    return api::Disclosed{};
  }
};

class Whole final : public net::Body {
 public:
  explicit Whole(BytesView bytes) : bytes_(bytes) {}
  Result<std::size_t> read(std::span<std::uint8_t> into) override {
    const std::size_t n = std::min(into.size(), bytes_.size());
    std::copy_n(bytes_.begin(), n, into.begin());
    bytes_ = bytes_.subspan(n);
    return n;
  }

 private:
  BytesView bytes_;
};

constexpr std::array kTargets = {
    "/v1/fleet-key", "/v1/issue",         "/v1/keep",         "/v1/seen",   "/v1/follow",
    "/v1/destroy",   "/v1/next-batch",    "/v1/due-openings", "/v1/opened", "/v1/propose-help",
    "/v1/list-help", "/v1/complete-help", "/v1/show",         "/v1/retire", "/v1/list-disclosure",
    "/v1/disclose"};

void ask(std::uint8_t which, BytesView content) {
  static Nobody nobody;
  static const SystemClock clock;
  static const Log log(-1, clock);
  static net::CustodianRoutes routes(nobody, clock, log);
  net::Request request;
  request.method = "POST";
  request.target = kTargets[which % kTargets.size()];
  request.content_length = content.size();
  Whole body(content);
  const net::Response response = routes.handle(request, body);
  HF_CHECK(response.status == 200 || response.status == 400 || response.status == 403);
}

void replay(BytesView content) {
  const auto shown = wire::decode<api::DestroyBody>(content);
  if (!shown.ok()) return;
  tlog::LogRoots roots;
  roots.log = {"log.example", {}};
  const auto log = tlog::TrustedLog::open(roots);
  const auto lookup = lawful::lookup_of(shown->lookup);
  if (!log.ok() || !lookup.ok()) return;
  const std::vector<Bytes> statements(shown->statements.begin(), shown->statements.end());
  static_cast<void>(lawful::replay_circle(
      shown->circle, statements,
      std::make_shared<const lawful::LookupKey>(lawful::LookupKey::from_bytes(shown->lookup)),
      shown->roots, *log));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Seeds name a type by its place here: new ones go to the end.
  fuzz::round_trip_one_of<
      api::CircleBody, api::KeepBody, api::SeenBody, api::DestroyBody, api::CustodyBody,
      custody::Pins, api::NextBatchBody, api::OpeningsBody, api::OpenedBody, api::ProposeHelpBody,
      api::ListHelpBody, api::CompleteHelpBody, api::HelpGivenBody, circle::SignedHelpRequest,
      circle::HelpRequest, circle::SignedHelpGrant, circle::HelpGrant, api::ShowBody,
      api::RetireBody, api::ListDisclosureBody, api::DiscloseBody, api::DisclosedBody,
      lawful::SignedOrder, lawful::DisclosureOrder, lawful::Case, lawful::ReceivedRecord>(data,
                                                                                          size);
  if (size == 0) return 0;
  const BytesView content = BytesView(data, size).subspan(1);
  ask(data[0], content);
  replay(content);
  return 0;
}
