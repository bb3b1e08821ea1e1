// Requests at the routes of a real service: a program of steps, each a stranger's visit, a proof
// made with the wrong key, a member's request (perhaps changed after it was signed) or raw bytes.
//
//   alice   an account with everything in it; nobody here holds her keys
//   bob     the account of a member who attacks; his phone was removed
//   carol   an account whose end has begun
//   nobody  no account
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "api/format.h"
#include "net/routes.h"
#include "server/service.h"
#include "support/appends.h"

using namespace holdfast;
namespace fs = std::filesystem;

namespace {

constexpr TimeMs kNow = 1'700'000'000'000;
constexpr TimeMs kMinute = 60'000;
constexpr int kRunsOfAWorld = 1000;  // what is stored meanwhile is bounded
constexpr std::string_view kSecret = "what only alice may read again";
const Bytes kPin = {1, 2, 3};
const std::array<std::string, 3> kStrangersNames = {"alice", "carol", "nobody"};
// Whom a visit that is not compared is for: what waits for the others stays the same.
const std::string kElsewhere = "bob";

// Bytes of the program; zero when it has ended.
struct Program {
  BytesView in;
  std::uint8_t next() {
    if (in.empty()) return 0;
    const std::uint8_t out = in[0];
    in = in.subspan(1);
    return out;
  }
  Bytes some(std::size_t most) {
    const std::size_t size = std::min<std::size_t>({next(), most, in.size()});
    Bytes out = to_bytes(in.first(size));
    in = in.subspan(size);
    return out;
  }
  template <class List>
  const auto& one_of(const List& list) {
    return *std::next(list.begin(), static_cast<std::ptrdiff_t>(next() % list.size()));
  }
};

class Folder {
 public:
  Folder() {
    // Memory, where there is a file system of it: every write is synced.
    const fs::path memory = "/dev/shm";
    std::error_code ignored;
    const bool there = fs::is_directory(memory, ignored);
    path_ = ((there ? memory : fs::temp_directory_path()) / "holdfast-fuzz-XXXXXX").string();
    HF_CHECK(::mkdtemp(path_.data()) != nullptr);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Bytes encode_append(const api::Append& append) {
  api::AppendBody body;
  body.statement = append.statement;
  for (const Bytes& blob : append.blobs) body.blobs.push_back(blob);
  return wire::encode(body);
}

template <class T>
T must(Result<T> result) {
  HF_CHECK(result.ok());
  return std::move(result).value();
}

PackId name_of(BytesView bytes) { return PackId(crypto::sha256(bytes).bytes); }

// The service and whoever has an account there.
class World {
 public:
  World()
      : alice(testkit::make_device("alice's")),
        bob(testkit::make_device("bob's")),
        carol(testkit::make_device("carol's")),
        clock(std::make_shared<ManualClock>(kNow)) {
    server::ServiceOptions options;
    options.data = folder_.path();
    options.tls_pin = kPin;
    options.sign_up = server::SignUp::kInvite;
    options.default_quota = 1024 * 1024;
    service = must(server::Service::open(std::move(options), clock));
    routes = std::make_unique<net::Routes>(*service, kPin);
    for (auto* maker : {&alice, &bob, &carol}) fill(*maker);
    end_carol();
    // What bob has not sent yet.
    phone = bob.admit_new("bob's phone");
    bob.append(bob.remove({phone.id}), bob.first);
    const std::size_t sent = 3;
    send(bob, sent);
    send(bob, sent + 1);
    bob.enroll("bob's paper");
    bob.append(bob.rotate(), bob.first);
    for (std::size_t i = 0; i < bob.statements().size(); ++i)
      bodies.push_back(encode_append(testkit::append_of(bob, i)));
    bodies.push_back(encode_append(testkit::append_of(alice, 0)));
    for (int i = 0; i < 3; ++i) bob.append_record(vault, bob.first);
    for (const Bytes& record : bob.records(vault)) bodies.push_back(record);
    bodies.push_back(wire::encode(api::PacksBody{{secret_pack, own_pack, PackId{}}}));
  }

  static std::string name_of_account(const testkit::CircleMaker& maker) {
    return maker.first.info.name.substr(0, maker.first.info.name.find('\''));
  }
  std::unique_ptr<api::ServiceSession> enter(const testkit::CircleMaker& maker) {
    const api::RequestLine line{kPin, "GET", "/"};
    api::RequestProof proof;
    proof.account = name_of_account(maker);
    proof.caller = maker.first.id;
    proof.time_ms = service->now();
    crypto::random_fill(proof.nonce.bytes);
    api::sign_request(proof, line, *maker.first.key);
    return must(service->prove(proof, line, "192.0.2.1"));
  }

 private:
  void send(const testkit::CircleMaker& maker, std::size_t seq) {
    must(enter(maker)->append(testkit::append_of(maker, seq)));
  }
  void fill(testkit::CircleMaker& maker) {
    const std::string token = must(service->accounts().invite(kNow, kMinute));
    must(
        service->sign_up(name_of_account(maker), testkit::append_of(maker, 0), token, "192.0.2.1"));
    maker.add_vault("home");
    send(maker, 1);
    maker.admit_new(maker.first.info.name + " tablet");
    send(maker, 2);
    const Bytes pack = to_bytes(as_bytes(&maker == &alice ? kSecret : "bob's or carol's"));
    HF_CHECK(enter(maker)->put_pack(name_of(pack), pack).ok());
    if (&maker == &bob) own_pack = name_of(pack);
    if (&maker != &alice) return;
    secret_pack = name_of(pack);
    maker.append_record(vault, maker.first);
    must(enter(maker)->append_record(vault, maker.records(vault)[0]));
  }
  void end_carol() {
    must(enter(carol)->delete_account());
    HF_CHECK(must(service->accounts().begin_ends(INT64_MAX)).size() == 1);
  }

  Folder folder_;

 public:
  testkit::CircleMaker alice, bob, carol;
  const VaultId vault = testkit::vault_id("home");
  const std::shared_ptr<ManualClock> clock;
  std::unique_ptr<server::Service> service;
  std::unique_ptr<net::Routes> routes;
  testkit::TestDevice phone;
  PackId secret_pack, own_pack;
  std::vector<Bytes> bodies;  // of requests that are good in their place
};

World& world() {
  static std::unique_ptr<World> now;
  static int runs = 0;
  if (runs++ % kRunsOfAWorld == 0) {
    now.reset();
    now = std::make_unique<World>();
  }
  return *now;
}

struct Wanted {
  std::string method;
  std::string target;
  std::string authorization;
  std::string invitation;
  Bytes body;
  std::uint64_t content_length = 0;
  std::string address = "192.0.2.1";
};

class WantedBody final : public net::Body {
 public:
  WantedBody(const Wanted& wanted, std::size_t step) : wanted_(wanted), step_(step) {}
  Result<std::size_t> read(std::span<std::uint8_t> into) override {
    ++reads;
    const std::uint64_t left = wanted_.content_length - at_;
    const auto size = static_cast<std::size_t>(
        std::min<std::uint64_t>({into.size(), step_, left, wanted_.body.size() - at_}));
    if (size == 0 && left > 0 && !into.empty())
      return Error{Code::kUnavailable, "the peer is gone"};
    std::copy_n(wanted_.body.begin() + static_cast<std::ptrdiff_t>(at_), size, into.begin());
    at_ += size;
    return size;
  }
  int reads = 0;

 private:
  const Wanted& wanted_;
  const std::size_t step_;
  std::size_t at_ = 0;
};

struct Seen {
  unsigned status = 0;
  std::string route;
  Bytes body;
  int reads = 0;
  bool operator==(const Seen&) const = default;
};

bool is_members_only(const std::string& route) {
  return route != "none" && route.find("/v1/accounts/") == std::string::npos &&
         route.find("/v1/capsules/") == std::string::npos;
}

bool holds(const Bytes& body, BytesView what) { return !std::ranges::search(body, what).empty(); }

Bytes body_of(const net::Response& response) {
  if (const auto* bytes = std::get_if<Bytes>(&response.body)) return *bytes;
  const auto& file = std::get<net::FileBody>(response.body);
  HF_CHECK(file.size <= api::kMaxPackBytes);
  Bytes bytes(file.size);
  HF_CHECK(::pread(file.file.get(), bytes.data(), bytes.size(), 0) ==
           static_cast<ssize_t>(bytes.size()));
  return bytes;
}

// What holds of every answer.
void check_answer(const Seen& seen, const World& in) {
  static const std::set<unsigned> known = {200, 400, 403, 404, 409, 422, 426, 503};
  HF_CHECK(known.contains(seen.status));
  if (seen.status != 200) {
    const auto error = wire::decode<api::ErrorBody>(seen.body);
    HF_CHECK(error.ok() && error->message.size() <= 1000 && seen.body.size() <= api::kMaxErrorBody);
  }
  // Strangers can put into a request to join what they like, and read it there.
  if (!is_members_only(seen.route)) return;
  HF_CHECK(!holds(seen.body, as_bytes(kSecret)));
  HF_CHECK(!holds(seen.body, in.alice.circle().id().bytes));
}

Seen ask(World& in, const Wanted& wanted, std::size_t step) {
  net::Request request;
  request.method = wanted.method;
  request.target = wanted.target;
  request.authorization = wanted.authorization;
  request.invitation = wanted.invitation;
  request.content_length = wanted.content_length;
  request.address = wanted.address;
  WantedBody body(wanted, step);
  net::Response response = in.routes->handle(request, body);
  if (response.park) {  // as the server does once it was woken, or its time is over
    request.resumed = true;
    request.wait_over = step % 2 == 0;
    response = in.routes->handle(request, body);
    HF_CHECK(!response.park);
  }
  Seen seen{response.status, response.route, body_of(response), body.reads};
  check_answer(seen, in);
  return seen;
}

struct Shape {
  std::string_view method;
  std::string_view pattern;  // A account, J request, M message, L locate, B blob, V vault, P pack
};
constexpr std::array kVisits = {
    Shape{"POST", "/v1/accounts/A"},
    Shape{"PUT", "/v1/accounts/A/joins/J/M"},
    Shape{"GET", "/v1/accounts/A/joins/J/M"},
    Shape{"GET", "/v1/accounts/A/admissions/J"},
};
constexpr std::array kAll = {
    Shape{"GET", "/v1/circle?Q"},
    Shape{"POST", "/v1/circle"},
    Shape{"GET", "/v1/blobs/B"},
    Shape{"GET", "/v1/joins"},
    Shape{"DELETE", "/v1/joins/J"},
    Shape{"GET", "/v1/vaults/V?Q"},
    Shape{"POST", "/v1/vaults/V"},
    Shape{"POST", "/v1/packs/have"},
    Shape{"PUT", "/v1/packs/P"},
    Shape{"GET", "/v1/packs/P"},
    Shape{"GET", "/v1/usage"},
    Shape{"POST", "/v1/deletion"},
    Shape{"DELETE", "/v1/deletion"},
    Shape{"GET", "/v1/connections"},
    Shape{"GET", "/v1/changes?Q"},
    Shape{"GET", "/v1/capsules/L"},
    Shape{"POST", "/v1/accounts/A"},
    Shape{"PUT", "/v1/accounts/A/joins/J/M"},
    Shape{"GET", "/v1/accounts/A/joins/J/M"},
    Shape{"GET", "/v1/accounts/A/admissions/J"},
    Shape{"GET", "/v1/vaults/V/times?Q"},
};

class Runner {
 public:
  explicit Runner(BytesView in) : program_{in}, world_(world()) {}

  void run() {
    world_.clock->advance(kMinute);
    HF_CHECK(world_.service->accounts().keep("bob").ok());
    for (int steps = 0; steps < 12 && !program_.in.empty(); ++steps) step();
  }

 private:
  void step() {
    switch (program_.next() % 6) {
      case 0: visit(); break;
      case 1: pose(); break;
      case 2: enter_removed(); break;
      case 3: ask_anything(); break;
      case 4: world_.clock->advance(program_.next() * kMinute); break;
      default: enter(); break;
    }
  }

  // ---- parts of a request ----

  Bytes body() {
    const std::uint8_t kind = program_.next();
    if (kind % 4 == 0) return program_.some(64);
    Bytes bytes = program_.one_of(world_.bodies);
    if (kind % 4 == 1 && !bytes.empty()) bytes[kind * 31U % bytes.size()] ^= program_.next();
    return bytes;
  }
  std::string raw(std::size_t most) { return std::string(as_text(program_.some(most))); }
  std::string request_id() {
    RequestId id;
    id.bytes.fill(program_.next() % 4);
    return id.hex();
  }
  std::string part(char kind, const std::string& account, const Bytes& with) {
    const std::uint8_t choice = program_.next();
    if (choice == 255) return raw(80);
    switch (kind) {
      case 'A': return to_hex(as_bytes(account));
      case 'J': return request_id();
      case 'M': return std::array{"request", "answer", "counter", "none"}[choice % 4];
      case 'L': return testkit::make_recovery("bob's paper").info.locate.hex();
      case 'B': return crypto::sha256(world_.bodies[choice % world_.bodies.size()]).hex();
      case 'V': return choice % 4 == 0 ? VaultId{}.hex() : world_.vault.hex();
      case 'P':
        if (choice % 4 == 0) return world_.secret_pack.hex();
        if (choice % 4 == 1) return world_.own_pack.hex();
        return name_of(with).hex();
      case 'Q': return query(choice);
      default: HF_CHECK(false);
    }
  }
  std::string query(std::uint8_t choice) {
    if (choice % 4 == 0) return "from=" + std::to_string(choice / 4);
    if (choice % 4 == 1) return "seen=0&wait=0";
    if (choice % 4 == 2) return "seen=18446744073709551615&wait=" + std::to_string(choice) + "000";
    return "from=" + raw(32);
  }
  std::string target_of(std::string_view pattern, const std::string& account, const Bytes& with) {
    std::string target;
    for (const char c : pattern) {
      const bool stands_for_more = c >= 'A' && c <= 'Z';
      target += stands_for_more ? part(c, account, with) : std::string(1, c);
    }
    return target;
  }
  Wanted wanted(const Shape& shape, const std::string& account) {
    Wanted out;
    out.method = shape.method;
    out.body = body();
    out.content_length = out.body.size();
    out.target = target_of(shape.pattern, account, out.body);
    return out;
  }
  std::size_t step_size() { return std::size_t{1} + program_.next() * 16U; }

  api::RequestProof proof_for(const Wanted& wanted, const std::string& account,
                              const testkit::Signer& by) {
    api::RequestProof proof;
    proof.account = account;
    proof.caller = by.id;
    proof.body = crypto::sha256(wanted.body);
    proof.time_ms = world_.service->now();
    crypto::random_fill(proof.nonce.bytes);
    return proof;
  }
  static bool good_text(const std::string& target) {
    return std::ranges::all_of(target, [](char c) { return c > 0; });
  }
  static std::string header(const api::RequestProof& proof) {
    return "Holdfast " + to_hex(wire::encode(proof));
  }
  // What is no text cannot be signed: then the signature is none.
  static void sign(Wanted& wanted, api::RequestProof proof, const testkit::Signer& by) {
    if (good_text(wanted.target))
      api::sign_request(proof, {kPin, wanted.method, wanted.target}, *by.key);
    wanted.authorization = header(proof);
  }

  // ---- strangers: one answer, whoever's account it is ----

  void visit() {
    const Shape& shape = program_.one_of(kVisits);
    const Program same = program_;
    const std::string invitation = program_.next() % 2 == 0 ? "" : raw(40);
    std::optional<Seen> first;
    for (const std::string& account : kStrangersNames) {
      program_ = same;
      Wanted asked = wanted(shape, account);
      asked.address = "of the stranger at " + account;  // else he who is asked last has least room
      asked.invitation = invitation;
      compare(first, ask(world_, asked, step_size()));
    }
  }

  void pose() {
    const Shape& shape = program_.one_of(kAll);
    const Program same = program_;
    std::optional<Seen> first;
    for (const std::string& account : kStrangersNames) {
      program_ = same;
      Wanted asked = wanted(shape, account);
      asked.address = "of the stranger at " + account;  // else he who is asked last has least room
      testkit::Signer by = world_.bob.first;
      const std::uint8_t who = program_.next();
      if (who % 3 == 1) by.id = world_.alice.first.id;
      if (who % 3 == 2) by = world_.phone;
      sign(asked, proof_for(asked, account, by), by);
      const Seen seen = ask(world_, asked, step_size());
      if (is_members_only(seen.route)) HF_CHECK(seen.status == 403 && seen.reads == 0);
      compare(first, seen);
    }
  }

  static void compare(std::optional<Seen>& first, const Seen& seen) {
    if (!first) first = seen;
    HF_CHECK(*first == seen);
  }

  // ---- members ----

  void enter_removed() {
    Wanted asked = wanted(program_.one_of(kAll), kElsewhere);
    sign(asked, proof_for(asked, "bob", world_.phone), world_.phone);
    const Seen seen = ask(world_, asked, step_size());
    if (is_members_only(seen.route) && seen.route != "GET /v1/circle") HF_CHECK(seen.status != 200);
  }

  void enter() {
    Wanted asked = wanted(program_.one_of(kAll), kElsewhere);
    const testkit::Signer& by = world_.bob.first;
    sign(asked, proof_for(asked, "bob", by), by);
    const Wanted good = asked;
    const bool void_now = change(asked);
    const Seen seen = ask(world_, asked, step_size());
    if (!is_members_only(seen.route)) return;
    if (void_now) HF_CHECK(seen.status == 403 && seen.reads == 0);
    if (asked.body != good.body) HF_CHECK(seen.status != 200);
    // Used or void, it does not count a second time.
    if (void_now || seen.status != 403) {
      const Seen again = ask(world_, asked, 1);
      HF_CHECK(again.status == 403 && again.reads == 0);
    }
  }

  // True: the proof is none any more.
  bool change(Wanted& asked) {
    const Wanted good = asked;
    switch (program_.next() % 8) {
      case 1: asked.authorization = changed_header(asked.authorization); break;
      case 2: asked.target += raw(16); break;
      case 3: asked.method = program_.one_of(kAll).method; break;
      case 4:
        asked.body = body();
        asked.content_length = asked.body.size();
        break;
      case 5:
        asked.content_length = program_.next() * std::uint64_t{1} << program_.next() % 57;
        break;
      case 6: remake(asked); return true;
      default: break;
    }
    constexpr std::string_view kScheme = "Holdfast ";
    if (asked.target != good.target || asked.method != good.method) return true;
    if (!asked.authorization.starts_with(kScheme)) return true;
    return from_hex(asked.authorization.substr(kScheme.size())) !=
           from_hex(good.authorization.substr(kScheme.size()));
  }
  std::string changed_header(std::string text) {
    const std::size_t at = (std::size_t{program_.next()} << 8 | program_.next()) % text.size();
    const std::uint8_t how = program_.next();
    if (how == 0) return text.substr(0, at);
    text[at] = static_cast<char>(static_cast<std::uint8_t>(text[at]) ^ how);
    return text;
  }
  // Signed by who may, and void all the same.
  void remake(Wanted& asked) {
    const testkit::Signer& by = world_.bob.first;
    api::RequestProof proof = proof_for(asked, "bob", by);
    api::RequestLine line{kPin, asked.method, asked.target};
    switch (program_.next() % 4) {
      case 0: line.tls_pin = {9}; break;
      case 1: proof.time_ms -= api::kRequestWindowMs + 1; break;
      case 2: proof.time_ms += api::kRequestWindowMs + 1; break;
      default: proof.account = "alice"; break;
    }
    if (good_text(asked.target)) api::sign_request(proof, line, *by.key);
    asked.authorization = header(proof);
  }

  void ask_anything() {
    Wanted asked;
    asked.method = raw(8);
    asked.target = raw(200);
    asked.authorization = raw(255);
    asked.invitation = raw(40);
    asked.body = body();
    asked.content_length = program_.next();
    const Seen seen = ask(world_, asked, step_size());
    if (is_members_only(seen.route)) HF_CHECK(seen.status == 403 && seen.reads == 0);
  }

  Program program_;
  World& world_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Runner(BytesView(data, size)).run();
  return 0;
}
