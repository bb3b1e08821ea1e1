#include "net/client.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "base/mutex.h"
#include "base/pace.h"
#include "crypto/hash.h"
#include "net/bodies.h"
#include "net/client_answer.h"
#include "net/stream.h"

namespace holdfast::net {
namespace {

constexpr std::int64_t kConnectMs = 20'000;
constexpr std::int64_t kStallMs = 60'000;
constexpr std::int64_t kWaitMs = 25'000;  // of one long-poll
constexpr std::size_t kSentPiece = 256 * 1024;
constexpr std::size_t kPacedPiece = 16 * 1024;
constexpr std::size_t kMaxRecordsPage = 32U * 1024 * 1024;  // a service ends pages at 16 MiB
constexpr std::size_t kIdle = 16;                           // connections that are kept
constexpr std::array<int, 3> kPausesMs = {100, 500, 2000};

struct ClientCall {
  std::string method;
  std::string target;
  BytesView body;
  std::size_t max_answer = 0;
  std::int64_t wait_ms = 0;  // the service may take so long before it begins to answer
  Deadline end = Deadline::max();

  Deadline by(std::int64_t ms) const { return std::min(in_ms(ms), end); }
};

// What a connection's failure means for the call.
Error broken(const ServiceAddress& to, std::string_view what) {
  return {Code::kUnavailable, "The service at " + to.host + ":" + to.port + " " +
                                  std::string(what) + "; try again when the line is better."};
}

Result<void> send(Stream& stream, const std::string& head, const ClientCall& call, Pace& pace) {
  TRY(stream.write_all(as_bytes(head), call.by(kStallMs)));
  const std::size_t piece = pace.limited() ? kPacedPiece : kSentPiece;
  for (std::size_t at = 0; at < call.body.size(); at += piece) {
    const BytesView next = call.body.subspan(at, std::min(piece, call.body.size() - at));
    pace.wait(next.size());
    TRY(stream.write_all(next, call.by(kStallMs)));
  }
  return Ok{};
}

Result<Answer> receive(Stream& stream, const ClientCall& call) {
  try {
    AnswerReader reader(std::max(call.max_answer, api::kMaxErrorBody));
    Bytes piece(64 * 1024);
    Deadline deadline = call.by(kStallMs + call.wait_ms);
    for (;;) {
      const std::size_t got = TRY(stream.read_some(piece, deadline));
      if (got == 0) return Error{Code::kUnavailable, "the service closed the connection"};
      const bool whole = TRY(reader.put(BytesView(piece).first(got)));
      if (whole) return reader.take();
      deadline = call.by(kStallMs);
    }
  } catch (const std::exception&) {
    return Error{Code::kUnavailable, "there is no memory for the service's answer"};
  }
}

// Connections and the service's time, shared by the visitor and the sessions.
class Line {
 public:
  Line(ServiceAddress address, Bytes pin, std::string invitation, const ServerTls* own = nullptr,
       std::uint64_t bytes_per_second = 0)
      : address_(std::move(address)),
        pin_(std::move(pin)),
        invitation_(std::move(invitation)),
        own_(own),
        pace_(bytes_per_second) {}

  const Bytes& pin() const { return pin_; }

  Result<Bytes> visit(const ClientCall& call, const std::string& more = "") {
    return repeat(call, [&] { return more; });
  }
  Result<Bytes> visit_invited(const ClientCall& call) {
    return visit(call, invitation_.empty() ? "" : "Holdfast-Invitation: " + invitation_ + "\r\n");
  }
  Result<Bytes> ask(const ClientCall& call, const std::string& account, const api::Caller& caller,
                    const Digest& body_hash) {
    return repeat(call, [&] {
      api::RequestProof proof;
      proof.account = account;
      proof.caller = caller.id;
      proof.body = body_hash;
      proof.time_ms = clock_.now() + ahead_ms_.load();
      crypto::random_fill(proof.nonce.bytes);
      api::sign_request(proof, {pin_, call.method, call.target}, *caller.key);
      return "Authorization: Holdfast " + to_hex(wire::encode(proof)) + "\r\n";
    });
  }

  Result<Answer> single(const ClientCall& call) { return once(call, "", true); }

 private:
  Result<Stream> take(const ClientCall& call, bool& fresh) {
    {
      const Lock lock(mutex_);
      if (!idle_.empty() && !fresh) {
        Stream stream = std::move(idle_.back());
        idle_.pop_back();
        return stream;
      }
    }
    fresh = true;
    Stream stream = TRY(Stream::connect(address_.host, address_.port, call.by(kConnectMs), own_));
    if (!crypto::equal(stream.pin(), pin_))
      return Error{Code::kUnsafe,
                   "the service at " + address_.host + ":" + address_.port +
                       " shows another key (" + to_hex(stream.pin()) +
                       ") than the one this device knows (" + to_hex(pin_) +
                       "). Nothing was sent. Someone may stand in between; ask the operator, by "
                       "another way than this line"};
    return stream;
  }

  Result<Answer> once(const ClientCall& call, const std::string& more, bool fresh) {
    auto stream = TRY(take(call, fresh));
    const std::string head =
        call.method + " " + call.target + " HTTP/1.1\r\nHost: " + address_.host +
        "\r\nContent-Length: " + std::to_string(call.body.size()) + "\r\n" + more + "\r\n";
    const auto sent = send(stream, head, call, pace_);
    // A refusal may have come while the body was on its way.
    auto answer = receive(stream, call);
    if (!answer.ok()) {
      if (!sent.ok()) return sent.error();
      return answer;
    }
    if (sent.ok() && answer->keep_alive) {
      const Lock lock(mutex_);
      if (idle_.size() < kIdle) idle_.push_back(std::move(stream));
    }
    return answer;
  }

  template <class Headers>
  Result<Bytes> repeat(const ClientCall& call, const Headers& headers) {
    std::optional<Error> last;
    bool corrected = false;
    // Waited for before the request is signed: its proof is good for some minutes.
    const auto turn =
        call.body.size() > kPacedPiece ? pace_.turn() : std::unique_lock<std::mutex>();
    for (std::size_t attempt = 0; attempt <= kPausesMs.size(); ++attempt) {
      if (attempt > 1)  // the second try only leaves a connection that had gone stale
        std::this_thread::sleep_for(std::chrono::milliseconds(kPausesMs[attempt - 1]));
      auto answer = once(call, headers(), attempt > 0);
      if (!answer.ok()) {
        if (answer.error().code != Code::kUnavailable) return std::move(answer).error();
        last = broken(address_, "does not answer (" + answer.error().message + ")");
        continue;
      }
      if (answer->status == 200) return std::move(answer->body);
      last = refusal(*answer, address_.host);
      if (answer->status == 429 || answer->status == 408) continue;
      // Signed with a wrong time: once more, with the service's.
      if (answer->status == 403 && !corrected && learn_time(*answer)) {
        corrected = true;
        --attempt;
        continue;
      }
      return *last;
    }
    return *last;
  }

  // True when the service's clock is far enough from ours to be the reason of a refusal.
  bool learn_time(const Answer& answer) {
    const auto time = service_time(answer);
    if (!time) return false;
    const std::int64_t ahead = *time - clock_.now();
    const std::int64_t off = ahead - ahead_ms_.load();
    if (off > -1000 && off < 1000) return false;
    ahead_ms_.store(ahead);
    return true;
  }

  const ServiceAddress address_;
  const Bytes pin_;
  const std::string invitation_;
  const ServerTls* const own_;  // null: the service does not ask who comes
  Pace pace_;                   // of what is sent
  const SystemClock clock_;
  std::atomic<std::int64_t> ahead_ms_ = 0;  // the service's clock, beside ours
  Mutex mutex_;
  std::vector<Stream> idle_ HF_GUARDED_BY(mutex_);
};

api::AppendBody append_body(const api::Append& append) {
  api::AppendBody body;
  body.statement = append.statement;
  for (const Bytes& blob : append.blobs) body.blobs.push_back(blob);
  if (append.admission)
    body.admission = api::AdmissionBody{append.admission->request, append.admission->mac};
  body.lookup = append.lookup;
  return body;
}

Result<api::Receipt> receipt_in(const Bytes& body) {
  auto given = TRY(wire::decode<api::ReceiptBody>(body));
  return api::Receipt{std::move(given.promise)};
}

Result<api::Usage> usage_in(const Bytes& body) {
  const auto now = TRY(wire::decode<api::UsageBody>(body));
  return api::Usage{now.bytes, now.quota, now.grace_ms, now.deletion_ms};
}

std::string_view name_of(api::JoinMessage which) {
  switch (which) {
    case api::JoinMessage::kRequest: return "request";
    case api::JoinMessage::kAnswer: return "answer";
    case api::JoinMessage::kCounter: return "counter";
  }
  std::abort();
}

class HttpSession final : public api::Session {
 public:
  HttpSession(std::shared_ptr<Line> line, std::string account, api::Caller caller)
      : line_(std::move(line)), account_(std::move(account)), caller_(std::move(caller)) {}

  Result<std::vector<Bytes>> read_circle(std::uint64_t from) override {
    return page("/v1/circle?from=" + std::to_string(from), kMaxRecordsPage);
  }
  Result<api::Receipt> append(const api::Append& append) override {
    const Bytes body = wire::encode(append_body(append));
    return receipt_in(TRY(ask({"POST", "/v1/circle", body, 64 * 1024})));
  }
  Result<Bytes> get_blob(const BlobId& blob) override {
    return ask({"GET", "/v1/blobs/" + blob.hex(), {}, api::kMaxBlobBytes});
  }
  Result<std::vector<RequestId>> list_joins() override {
    const Bytes answer = TRY(ask({"GET", "/v1/joins", {}, 64 * 1024}));
    const auto body = TRY(wire::decode<api::JoinsBody>(answer));
    return std::vector<RequestId>(body.requests.begin(), body.requests.end());
  }
  Result<void> drop_join(const RequestId& request) override {
    TRY(ask({"DELETE", "/v1/joins/" + request.hex(), {}, 1024}));
    return Ok{};
  }
  Result<std::vector<Bytes>> read_records(const VaultId& vault, std::uint64_t from) override {
    return page("/v1/vaults/" + vault.hex() + "?from=" + std::to_string(from), kMaxRecordsPage);
  }
  Result<std::vector<TimeMs>> received(const VaultId& vault, std::uint64_t from) override {
    const Bytes answer =
        TRY(ask({"GET",
                 "/v1/vaults/" + vault.hex() + "/times?from=" + std::to_string(from),
                 {},
                 64 * 1024}));
    const auto body = TRY(wire::decode<api::TimesBody>(answer));
    return std::vector<TimeMs>(body.times_ms.begin(), body.times_ms.end());
  }
  Result<api::Receipt> append_record(const VaultId& vault, BytesView record) override {
    return receipt_in(TRY(ask({"POST", "/v1/vaults/" + vault.hex(), record, 64 * 1024})));
  }
  Result<void> put_pack(const PackId& pack, BytesView bytes) override {
    TRY(line_->ask({"PUT", "/v1/packs/" + pack.hex(), bytes, 1024}, account_, caller_,
                   Digest(pack.bytes)));
    return Ok{};
  }
  Result<Bytes> get_pack(const PackId& pack) override {
    return ask({"GET", "/v1/packs/" + pack.hex(), {}, api::kMaxPackBytes});
  }
  Result<std::vector<bool>> have_packs(const std::vector<PackId>& packs) override {
    std::vector<bool> there;
    for (std::size_t from = 0; from < packs.size(); from += api::kMaxHavePacks) {
      api::PacksBody body;
      const std::size_t to = std::min(packs.size(), from + api::kMaxHavePacks);
      for (std::size_t i = from; i < to; ++i) body.packs.push_back(packs[i]);
      const Bytes asked = wire::encode(body);
      const Bytes answer = TRY(ask({"POST", "/v1/packs/have", asked, 64 * 1024}));
      const auto have = TRY(wire::decode<api::HaveBody>(answer));
      if (have.there.size() != to - from)
        return Error{Code::kUnavailable, "the service answered for another number of packs"};
      for (const std::uint8_t one : have.there) there.push_back(one == 1);
    }
    return there;
  }
  Result<api::Usage> usage() override {
    return usage_in(TRY(ask({"GET", "/v1/usage", {}, 64 * 1024})));
  }
  Result<api::Usage> delete_account() override {
    return usage_in(TRY(ask({"POST", "/v1/deletion", {}, 64 * 1024})));
  }
  Result<api::Usage> keep_account() override {
    return usage_in(TRY(ask({"DELETE", "/v1/deletion", {}, 64 * 1024})));
  }
  Result<std::vector<api::Connection>> connections() override {
    const Bytes answer = TRY(ask({"GET", "/v1/connections", {}, 1024 * 1024}));
    const auto body = TRY(wire::decode<api::ConnectionsBody>(answer));
    std::vector<api::Connection> all;
    for (const api::ConnectionBody& c : body.connections)
      all.push_back({c.caller, harmless(c.address), c.first_ms, c.last_ms, c.requests});
    return all;
  }
  Result<api::LogView> read_log(std::uint64_t from) override {
    const Bytes answer =
        TRY(ask({"GET", "/v1/log?from=" + std::to_string(from), {}, api::kMaxLogView}));
    return view_of(TRY(wire::decode<api::LogViewBody>(answer)));
  }
  Result<std::vector<api::BatchView>> read_batches(std::uint64_t from) override {
    const Bytes answer =
        TRY(ask({"GET", "/v1/batches?from=" + std::to_string(from), {}, api::kMaxLogView}));
    auto body = TRY(wire::decode<api::BatchesBody>(answer));
    std::vector<api::BatchView> all;
    for (api::BatchBody& one : body.batches)
      all.push_back({std::move(one.position), std::move(one.opening)});
    return all;
  }
  Result<Bytes> prove_age(std::uint64_t seq) override {
    return ask({"GET", "/v1/log/age?seq=" + std::to_string(seq), {}, api::kMaxAgeEvidence});
  }
  Result<api::CustodyStatus> custody() override {
    const Bytes answer = TRY(ask({"GET", "/v1/custody", {}, 256 * 1024}));
    auto body = TRY(wire::decode<api::CustodyBody>(answer));
    return api::CustodyStatus{body.pending_since_ms,
                              {std::make_move_iterator(body.receipts.begin()),
                               std::make_move_iterator(body.receipts.end())}};
  }
  Result<std::uint64_t> wait_for_change(std::uint64_t seen, std::int64_t patience_ms) override {
    const std::int64_t wait = std::clamp<std::int64_t>(patience_ms, 0, kWaitMs);
    const Bytes answer =
        TRY(ask({"GET",
                 "/v1/changes?seen=" + std::to_string(seen) + "&wait=" + std::to_string(wait),
                 {},
                 1024,
                 wait}));
    return TRY(wire::decode<api::ChangeBody>(answer)).number;
  }

 private:
  Result<Bytes> ask(const ClientCall& call) {
    return line_->ask(call, account_, caller_, crypto::sha256(call.body));
  }
  Result<std::vector<Bytes>> page(const std::string& target, std::size_t limit) {
    const Bytes answer = TRY(ask({"GET", target, {}, limit}));
    auto body = TRY(wire::decode<api::PageBody>(answer));
    return std::vector<Bytes>(std::make_move_iterator(body.items.begin()),
                              std::make_move_iterator(body.items.end()));
  }

  const std::shared_ptr<Line> line_;
  const std::string account_;
  const api::Caller caller_;
};

class HttpStore final : public api::Store {
 public:
  explicit HttpStore(std::shared_ptr<Line> line) : line_(std::move(line)) {}

  Result<std::vector<std::string>> accounts() override {
    return Error{Code::kDenied, "a service does not say which accounts it has: name yours"};
  }
  Result<api::Receipt> create_account(const std::string& account,
                                      const api::Append& genesis) override {
    const Bytes body = wire::encode(append_body(genesis));
    return receipt_in(TRY(line_->visit_invited({"POST", path(account), body, 64 * 1024})));
  }
  Result<void> put_join(const std::string& account, const RequestId& request,
                        api::JoinMessage which, BytesView message) override {
    TRY(line_->visit({"PUT", join_path(account, request, which), message, 1024}));
    return Ok{};
  }
  Result<Bytes> get_join(const std::string& account, const RequestId& request,
                         api::JoinMessage which) override {
    return line_->visit({"GET", join_path(account, request, which), {}, api::kMaxJoinMessage});
  }
  Result<Admitted> get_admission(const std::string& account, const RequestId& request) override {
    const Bytes answer =
        TRY(line_->visit({"GET", path(account) + "/admissions/" + request.hex(), {}, 1024}));
    auto body = TRY(wire::decode<api::AdmittedBody>(answer));
    return Admitted{body.seq, std::move(body.mac)};
  }
  Result<Capsule> find_capsule(const LocateId& locate) override {
    const Bytes answer = TRY(line_->visit({"GET", "/v1/capsules/" + locate.hex(), {}, 64 * 1024}));
    auto body = TRY(wire::decode<api::CapsuleBody>(answer));
    return Capsule{std::move(body.account), std::move(body.capsule)};
  }
  Result<Bytes> get_log(const std::string& path) override {
    return line_->visit({"GET", "/log/" + path, {}, kMaxLogFile});
  }
  Result<Bytes> custodian_key(const CircleId& circle) override {
    return line_->visit_invited({"POST", "/v1/custodian-keys/" + circle.hex(), {}, 4 * 1024});
  }
  Result<void> ask_help(const std::string& account, BytesView request) override {
    TRY(line_->visit({"POST", path(account) + "/help", request, 1024}));
    return Ok{};
  }
  Result<std::unique_ptr<api::Session>> open_account(const std::string& account,
                                                     const api::Caller& caller) override {
    return std::unique_ptr<api::Session>(std::make_unique<HttpSession>(line_, account, caller));
  }
  Bytes tls_pin() const override { return line_->pin(); }

 private:
  static std::string path(const std::string& account) {
    return "/v1/accounts/" + to_hex(as_bytes(account));
  }
  static std::string join_path(const std::string& account, const RequestId& request,
                               api::JoinMessage which) {
    return path(account) + "/joins/" + request.hex() + "/" + std::string(name_of(which));
  }

  const std::shared_ptr<Line> line_;
};

}  // namespace

Result<ServiceAddress> parse_address(const std::string& url) {
  constexpr std::string_view kHttps = "https://";
  std::string_view rest = url;
  const Error bad{Code::kInvalid,
                  "\"" + url + "\" is no address of a service: it looks like https://host:port."};
  if (!rest.starts_with(kHttps)) return bad;
  rest.remove_prefix(kHttps.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  std::string host(rest);
  std::string port = "443";
  const auto colon = rest.rfind(':');
  const auto bracket = rest.rfind(']');  // [::1]:8443
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    host = rest.substr(0, colon);
    port = rest.substr(colon + 1);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto plain = [](char c) { return c > ' ' && c < 0x7f && c != '/' && c != '@' && c != '?'; };
  if (host.empty() || !std::ranges::all_of(host, plain) || port.empty() || port.size() > 5 ||
      port.find_first_not_of("0123456789") != std::string::npos)
    return bad;
  return ServiceAddress{host, port};
}

Result<Bytes> fetch_pin(const ServiceAddress& address) {
  const auto stream = Stream::connect(address.host, address.port, in_ms(kConnectMs));
  if (!stream.ok()) return broken(address, "does not answer (" + stream.error().message + ")");
  return stream->pin();
}

std::unique_ptr<api::Store> open_service(const ServiceAddress& address, const Bytes& pin,
                                         const std::string& invitation,
                                         std::uint64_t bytes_per_second) {
  return std::make_unique<HttpStore>(
      std::make_shared<Line>(address, pin, invitation, nullptr, bytes_per_second));
}

Result<Reply> post(const ServiceAddress& address, const Bytes& pin, const std::string& target,
                   BytesView body, std::size_t max_answer, std::int64_t patience_ms,
                   const ServerTls* own) {
  Line line(address, pin, "", own);
  ClientCall call{"POST", target, body, max_answer};
  call.end = in_ms(patience_ms);
  Answer answer = TRY(line.single(call));
  return Reply{answer.status, std::move(answer.body)};
}

}  // namespace holdfast::net
