#include "net/routes.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "crypto/hash.h"
#include "net/bodies.h"

namespace holdfast::net {
namespace {

constexpr std::int64_t kMaxWaitMs = 60'000;
constexpr std::size_t kMaxProof = 1024;  // characters
constexpr std::string_view kScheme = "Holdfast ";
constexpr std::size_t kPiece = 256 * 1024;
// Longer than it takes to read an account's circle, and to find that there is none.
constexpr std::int64_t kRefusalMs = 50;

enum class Door { kVisitor, kMember };

struct Call {
  api::Service& service;
  const Request& request;
  Body& body;
  Bytes content;                       // the whole body, of routes with a small one
  std::vector<std::string_view> args;  // what stood for each * in the pattern
  std::string_view query;
  api::ServiceSession* session;  // behind Door::kMember, unless resumed; null otherwise
  const api::RequestProof* proof;
};

struct Route {
  std::string_view method;
  std::string_view pattern;  // "/v1/packs/*"; "/log/**": and all below
  Door door;
  std::size_t max_body;  // kStreamed: the handler reads it itself
  Result<Response> (*run)(Call&);
};
constexpr std::size_t kStreamed = SIZE_MAX;

Response receipt(const api::Receipt& given) { return answer(api::ReceiptBody{given.promise}); }

Response usage(const api::Usage& now) {
  return answer(api::UsageBody{now.bytes, now.quota, now.grace_ms, now.deletion_ms});
}

template <class AnyId>
Result<AnyId> id_at(const Call& call, std::size_t i) {
  const auto bytes = from_hex(call.args[i]);
  if (!bytes || to_hex(*bytes) != call.args[i]) return bad_path();
  const auto id = AnyId::from(*bytes);
  if (!id) return bad_path();
  return *id;
}

// An account's name in a path is the hexadecimal of its bytes.
Result<std::string> account_at(const Call& call, std::size_t i) {
  const auto bytes = from_hex(call.args[i]);
  if (!bytes || bytes->empty() || bytes->size() > 64 || to_hex(*bytes) != call.args[i])
    return bad_path();
  return std::string(as_text(*bytes));
}

Result<api::JoinMessage> message_at(const Call& call, std::size_t i) {
  if (call.args[i] == "request") return api::JoinMessage::kRequest;
  if (call.args[i] == "answer") return api::JoinMessage::kAnswer;
  if (call.args[i] == "counter") return api::JoinMessage::kCounter;
  return bad_path();
}

// "from=12" of "from=12&wait=3"; kInvalid unless it is there once, in decimal.
Result<std::uint64_t> number_in(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const std::string_view item = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    if (!item.starts_with(name) || item.size() <= name.size() || item[name.size()] != '=') continue;
    const std::string_view digits = item.substr(name.size() + 1);
    std::uint64_t number = 0;
    const auto [at, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (failed == std::errc() && at == digits.data() + digits.size()) return number;
    break;
  }
  return Error{Code::kInvalid, "the address lacks the number " + std::string(name)};
}

Result<api::Append> append_in(const Bytes& content) {
  auto body = TRY(body_in<api::AppendBody>(content));
  api::Append append;
  append.statement = std::move(body.statement);
  for (Bytes& blob : body.blobs) append.blobs.push_back(std::move(blob));
  if (body.admission)
    append.admission = api::Admission{body.admission->request, std::move(body.admission->mac)};
  append.lookup = std::move(body.lookup);
  return append;
}

Result<Response> page(std::vector<Bytes> items) {
  api::PageBody body;
  for (Bytes& item : items) body.items.push_back(std::move(item));
  return answer(body);
}

// ---- visitors ----

Result<Response> sign_up(Call& call) {
  const std::string account = TRY(account_at(call, 0));
  const api::Append genesis = TRY(append_in(call.content));
  return receipt(
      TRY(call.service.sign_up(account, genesis, call.request.invitation, call.request.payer)));
}

Result<Response> put_join(Call& call) {
  const std::string account = TRY(account_at(call, 0));
  const auto request = TRY(id_at<RequestId>(call, 1));
  const auto which = TRY(message_at(call, 2));
  TRY(call.service.put_join(account, request, which, call.content, call.request.payer));
  return done();
}

Result<Response> get_join(Call& call) {
  const std::string account = TRY(account_at(call, 0));
  const auto request = TRY(id_at<RequestId>(call, 1));
  const auto which = TRY(message_at(call, 2));
  return raw(TRY(call.service.visitor().get_join(account, request, which)));
}

Result<Response> get_admission(Call& call) {
  const std::string account = TRY(account_at(call, 0));
  const auto request = TRY(id_at<RequestId>(call, 1));
  const auto admitted = TRY(call.service.visitor().get_admission(account, request));
  return answer(api::AdmittedBody{admitted.seq, admitted.mac});
}

Result<Response> find_capsule(Call& call) {
  const auto locate = TRY(id_at<LocateId>(call, 0));
  auto capsule = TRY(call.service.visitor().find_capsule(locate));
  return answer(api::CapsuleBody{std::move(capsule.account), std::move(capsule.capsule)});
}

Result<Response> custodian_key(Call& call) {
  const auto circle = TRY(id_at<CircleId>(call, 0));
  return raw(TRY(call.service.custodian_key(circle, call.request.invitation, call.request.payer)));
}

Result<Response> ask_help(Call& call) {
  const std::string account = TRY(account_at(call, 0));
  TRY(call.service.ask_help(account, call.content, call.request.payer));
  return done();
}

Result<Response> get_log(Call& call) {
  auto stored = TRY(call.service.open_log(std::string(call.args[0])));
  Response response;
  response.content_type = "application/octet-stream";
  response.body = FileBody{std::move(stored.file), stored.size};
  return response;
}

// ---- members ----

Result<Response> read_circle(Call& call) {
  const std::uint64_t from = TRY(number_in(call.query, "from"));
  return page(TRY(call.session->read_circle(from)));
}

Result<Response> append(Call& call) {
  const api::Append wanted = TRY(append_in(call.content));
  return receipt(TRY(call.session->append(wanted)));
}

Result<Response> get_blob(Call& call) {
  const auto blob = TRY(id_at<BlobId>(call, 0));
  return raw(TRY(call.session->get_blob(blob)));
}

Result<Response> list_joins(Call& call) {
  api::JoinsBody body;
  for (const RequestId& request : TRY(call.session->list_joins())) {
    if (body.requests.size() == api::kMaxOpenJoins) break;
    body.requests.push_back(request);
  }
  return answer(body);
}

Result<Response> drop_join(Call& call) {
  const auto request = TRY(id_at<RequestId>(call, 0));
  TRY(call.session->drop_join(request));
  return done();
}

Result<Response> read_records(Call& call) {
  const auto vault = TRY(id_at<VaultId>(call, 0));
  const std::uint64_t from = TRY(number_in(call.query, "from"));
  return page(TRY(call.session->read_records(vault, from)));
}

Result<Response> received(Call& call) {
  const auto vault = TRY(id_at<VaultId>(call, 0));
  const std::uint64_t from = TRY(number_in(call.query, "from"));
  api::TimesBody body;
  for (const TimeMs time : TRY(call.session->received(vault, from))) body.times_ms.push_back(time);
  return answer(body);
}

Result<Response> append_record(Call& call) {
  const auto vault = TRY(id_at<VaultId>(call, 0));
  return receipt(TRY(call.session->append_record(vault, call.content)));
}

Result<Response> put_pack(Call& call) {
  const auto pack = TRY(id_at<PackId>(call, 0));
  // The name is the hash of the body: the proof covers the body before it is read.
  if (call.proof->body.bytes != pack.bytes)
    return Error{Code::kInvalid, "the proof is for another pack"};
  const std::uint64_t size = call.request.content_length;
  if (size == 0 || size > api::kMaxPackBytes)
    return Error{Code::kInvalid, "a pack is empty or too large"};
  auto sink = TRY(call.session->begin_pack(pack, size));
  Bytes piece(std::min<std::uint64_t>(kPiece, size));
  while (const std::size_t got = TRY(call.body.read(piece)))
    TRY(sink->write(BytesView(piece).first(got)));
  TRY(sink->commit());
  return done();
}

Result<Response> get_pack(Call& call) {
  const auto pack = TRY(id_at<PackId>(call, 0));
  auto stored = TRY(call.session->open_pack(pack));
  Response response;
  response.content_type = "application/octet-stream";
  response.body = FileBody{std::move(stored.file), stored.size};
  return response;
}

Result<Response> have_packs(Call& call) {
  const auto asked = TRY(body_in<api::PacksBody>(call.content));
  const std::vector<PackId> packs(asked.packs.begin(), asked.packs.end());
  api::HaveBody body;
  for (const bool there : TRY(call.session->have_packs(packs))) body.there.push_back(there ? 1 : 0);
  return answer(body);
}

Result<Response> get_usage(Call& call) { return usage(TRY(call.session->usage())); }
Result<Response> delete_account(Call& call) { return usage(TRY(call.session->delete_account())); }
Result<Response> keep_account(Call& call) { return usage(TRY(call.session->keep_account())); }

Result<Response> connections(Call& call) {
  api::ConnectionsBody body;
  for (const api::Connection& c : TRY(call.session->connections())) {
    if (body.connections.size() == api::kMaxConnections) break;
    body.connections.push_back({c.caller, c.address, c.first_ms, c.last_ms, c.requests});
  }
  return answer(body);
}

Result<Response> read_log(Call& call) {
  const std::uint64_t from = TRY(number_in(call.query, "from"));
  return answer(body_of(TRY(call.session->read_log(from))));
}

Result<Response> read_batches(Call& call) {
  const std::uint64_t from = TRY(number_in(call.query, "from"));
  api::BatchesBody body;
  for (api::BatchView& one : TRY(call.session->read_batches(from)))
    body.batches.push_back({std::move(one.position), std::move(one.opening)});
  return answer(body);
}

Result<Response> prove_age(Call& call) {
  const std::uint64_t seq = TRY(number_in(call.query, "seq"));
  return raw(TRY(call.session->prove_age(seq)));
}

Result<Response> custody(Call& call) {
  auto status = TRY(call.session->custody());
  api::CustodyBody body;
  body.pending_since_ms = status.pending_since;
  for (Bytes& receipt : status.receipts) {
    if (body.receipts.size() == api::kMaxReceipts) break;
    body.receipts.push_back(std::move(receipt));
  }
  return answer(body);
}

Result<Response> changes(Call& call) {
  const std::uint64_t seen = TRY(number_in(call.query, "seen"));
  const std::uint64_t wait = TRY(number_in(call.query, "wait"));
  // Proven when it came, and a nonce counts once: what woke it is all that it learns.
  if (call.request.resumed)
    return answer(api::ChangeBody{call.request.wait_over ? seen : seen + 1});
  const std::uint64_t now = TRY(call.session->wait_for_change(seen, 0));
  if (now > seen || wait == 0) return answer(api::ChangeBody{now});
  Response response;
  response.park = Park{call.proof->account,
                       static_cast<std::int64_t>(std::min<std::uint64_t>(wait, kMaxWaitMs))};
  return response;
}

constexpr std::size_t kMaxHaveBody = 64 * 1024;

constexpr std::array kRoutes = {
    Route{"POST", "/v1/accounts/*", Door::kVisitor, api::kMaxAppendBody, sign_up},
    Route{"PUT", "/v1/accounts/*/joins/*/*", Door::kVisitor, api::kMaxJoinMessage, put_join},
    Route{"GET", "/v1/accounts/*/joins/*/*", Door::kVisitor, 0, get_join},
    Route{"GET", "/v1/accounts/*/admissions/*", Door::kVisitor, 0, get_admission},
    Route{"GET", "/v1/capsules/*", Door::kVisitor, 0, find_capsule},
    Route{"POST", "/v1/custodian-keys/*", Door::kVisitor, 0, custodian_key},
    Route{"POST", "/v1/accounts/*/help", Door::kVisitor, api::kMaxHelpRequest, ask_help},
    Route{"GET", "/log/**", Door::kVisitor, 0, get_log},
    Route{"GET", "/v1/circle", Door::kMember, 0, read_circle},
    Route{"POST", "/v1/circle", Door::kMember, api::kMaxAppendBody, append},
    Route{"GET", "/v1/blobs/*", Door::kMember, 0, get_blob},
    Route{"GET", "/v1/joins", Door::kMember, 0, list_joins},
    Route{"DELETE", "/v1/joins/*", Door::kMember, 0, drop_join},
    Route{"GET", "/v1/vaults/*", Door::kMember, 0, read_records},
    Route{"GET", "/v1/vaults/*/times", Door::kMember, 0, received},
    Route{"POST", "/v1/vaults/*", Door::kMember, api::kMaxRecordBody, append_record},
    Route{"POST", "/v1/packs/have", Door::kMember, kMaxHaveBody, have_packs},
    Route{"PUT", "/v1/packs/*", Door::kMember, kStreamed, put_pack},
    Route{"GET", "/v1/packs/*", Door::kMember, 0, get_pack},
    Route{"GET", "/v1/usage", Door::kMember, 0, get_usage},
    Route{"POST", "/v1/deletion", Door::kMember, 0, delete_account},
    Route{"DELETE", "/v1/deletion", Door::kMember, 0, keep_account},
    Route{"GET", "/v1/connections", Door::kMember, 0, connections},
    Route{"GET", "/v1/log", Door::kMember, 0, read_log},
    Route{"GET", "/v1/batches", Door::kMember, 0, read_batches},
    Route{"GET", "/v1/log/age", Door::kMember, 0, prove_age},
    Route{"GET", "/v1/custody", Door::kMember, 0, custody},
    Route{"GET", "/v1/changes", Door::kMember, 0, changes},
};

// The part up to the next '/', which is then cut off.
std::string_view take_part(std::string_view& path) {
  const auto end = path.find('/');
  const std::string_view part = path.substr(0, end);
  path = end == std::string_view::npos ? std::string_view{} : path.substr(end + 1);
  return part;
}

bool matches(std::string_view pattern, std::string_view path, std::vector<std::string_view>& args) {
  args.clear();
  if (pattern.ends_with("/**")) {
    pattern.remove_suffix(2);
    if (!path.starts_with(pattern) || path.size() == pattern.size()) return false;
    args.push_back(path.substr(pattern.size()));
    return true;
  }
  if (std::ranges::count(pattern, '/') != std::ranges::count(path, '/')) return false;
  while (!pattern.empty() || !path.empty()) {
    const std::string_view want = take_part(pattern);
    const std::string_view have = take_part(path);
    if (want == "*" && !have.empty()) {
      args.push_back(have);
    } else if (want != have) {
      return false;
    }
  }
  return true;
}

Result<api::RequestProof> proof_in(const std::string& authorization) {
  const std::string_view text = authorization;
  if (text.starts_with(kScheme) && text.size() <= kMaxProof) {
    if (const auto bytes = from_hex(text.substr(kScheme.size()))) {
      auto proof = wire::decode<api::RequestProof>(*bytes);
      if (proof.ok()) return proof;
    }
  }
  return Error{Code::kDenied, "this address answers members only, and the request proves nothing"};
}

}  // namespace

Result<Response> Routes::run(const Request& request, Body& body, Trace& trace) {
  const std::string_view target = request.target;
  // A proof signs the target as text: what is none must not come so far.
  if (!std::ranges::all_of(target, [](char c) { return c > ' ' && c < 0x7f; })) return bad_path();
  const auto mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  const std::string_view query =
      mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
  Call call{service_, request, body, {}, {}, query, nullptr, nullptr};
  const auto found = std::ranges::find_if(kRoutes, [&](const Route& r) {
    return r.method == request.method && matches(r.pattern, path, call.args);
  });
  if (found == kRoutes.end()) return bad_path();
  trace.route = std::string(found->method) + " " + std::string(found->pattern);

  std::optional<api::RequestProof> proof;
  std::unique_ptr<api::ServiceSession> session;
  if (found->door == Door::kMember) {
    proof = TRY(proof_in(request.authorization));
    if (!request.resumed)
      session =
          TRY(service_.prove(*proof, {pin_, request.method, request.target}, request.address));
    trace.proven = true;
    call.session = session.get();
    call.proof = &*proof;
  }
  if (found->max_body != kStreamed) {
    call.content = TRY(read_whole(request, body, found->max_body));
    if (proof && crypto::sha256(call.content) != proof->body)
      return Error{Code::kInvalid, "the body of the request is not the one that was signed"};
  }
  return found->run(call);
}

Response Routes::handle(const Request& request, Body& body) {
  Trace trace;
  auto result = run(request, body, trace);
  Response response;
  if (result.ok()) {
    response = std::move(result).value();
  } else {
    const Error& error = result.error();
    response = refused(error, service_.now());
    // What does not exist is found sooner than what is denied.
    if (!trace.proven && (error.code == Code::kDenied || error.code == Code::kNotFound))
      response.not_before_ms = kRefusalMs;
  }
  response.route = std::move(trace.route);
  return response;
}

}  // namespace holdfast::net
