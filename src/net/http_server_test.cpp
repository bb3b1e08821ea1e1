#include "net/http_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <thread>

namespace holdfast::net {
namespace {

constexpr std::int64_t kLong = 60'000;
constexpr std::size_t kBig = 20U << 20;

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::uint8_t>(i * 2654435761U >> 13);
  return bytes;
}

// Opens once.
class Gate {
 public:
  void open() {
    const Lock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    const Lock lock(mutex_);
    while (!open_) changed_.wait(mutex_);
  }

 private:
  Mutex mutex_;
  Condition changed_;
  bool open_ HF_GUARDED_BY(mutex_) = false;
};

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

Response text(unsigned status, std::string_view body) {
  Response response;
  response.status = status;
  response.route = "test";
  response.body = to_bytes(as_bytes(body));
  return response;
}

// What each target does stands in `handle`.
struct TestHandler final : Handler {
  Folder folder;
  Gate entered;  // a request to /gate or /slow-park is inside
  Gate leave;    // and may go on
  std::atomic<bool> changed = false;
  std::atomic<int> parked_calls = 0;
  std::atomic<int> body_failures = 0;

  Response handle(const Request& request, Body& body) override {
    if (request.target == "/echo") return echo(body);
    if (request.target == "/big") return big();
    if (request.target == "/file") return file();
    if (request.target == "/short-file") return short_file();
    if (request.target == "/refuse") return text(403, "no");
    if (request.target == "/refuse-soon") return later(text(403, "no"), 30);
    if (request.target == "/refuse-later") {
      entered.open();
      return later(text(403, "no"), kLong);
    }
    if (request.target == "/throw") throw std::runtime_error("thrown");
    if (request.target == "/who") return text(200, request.address);
    if (request.target == "/gate") {
      entered.open();
      leave.wait();
      return echo(body);
    }
    if (request.target == "/park") return park(request, kLong);
    if (request.target == "/park-briefly") return park(request, 30);
    if (request.target == "/slow-park") {
      if (request.resumed) return text(200, request.wait_over ? "over" : "woken");
      entered.open();
      leave.wait();
      return park(request, kLong);
    }
    return text(200, request.method + " " + request.target);
  }

 private:
  static Response later(Response response, std::int64_t ms) {
    response.not_before_ms = ms;
    return response;
  }
  Response echo(Body& body) {
    Bytes all;
    Bytes piece(100'000);
    for (;;) {
      const auto got = body.read(piece);
      if (!got.ok()) {
        ++body_failures;
        return text(400, "broken body");
      }
      if (*got == 0) break;
      append(all, BytesView{piece}.first(*got));
    }
    Response response = text(200, "");
    response.body = std::move(all);
    return response;
  }
  Response big() {
    Response response = text(200, "");
    response.body = pattern(kBig);
    return response;
  }
  FileBody opened(std::uint64_t more) {
    const std::string name = folder.path() + "/body";
    const auto put = create_file(name, pattern(kBig));
    EXPECT_TRUE(put.ok() || put.error().code == Code::kConflict);
    return {Fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC)), kBig + more};
  }
  Response file() {
    Response response = text(200, "");
    response.body = opened(0);
    return response;
  }
  Response short_file() {
    Response response = text(200, "");
    response.body = opened(1);
    return response;
  }
  Response park(const Request& request, std::int64_t ms) {
    ++parked_calls;
    if (request.wait_over) return text(200, "over");
    if (changed) return text(200, "woken");
    Response response;
    response.park = Park{"topic", ms};
    return response;
  }
};

struct Answer {
  unsigned status = 0;
  std::string head;
  Bytes body;
  bool closes() const { return head.find("Connection: close") != std::string::npos; }
};

// A client that can also misbehave.
class Client {
 public:
  explicit Client(Stream stream) : stream_(std::move(stream)) {}

  bool send(std::string_view bytes) {
    return stream_.write_all(as_bytes(bytes), in_ms(kLong)).ok();
  }
  bool send(BytesView bytes) { return stream_.write_all(bytes, in_ms(kLong)).ok(); }
  void end_writing() { stream_.end_writing(); }

  // nullopt: the connection ended before the answer did.
  std::optional<Answer> receive() {
    std::size_t end = 0;
    while ((end = as_text(buffer_).find("\r\n\r\n")) == std::string_view::npos)
      if (!more()) return std::nullopt;
    Answer answer;
    answer.head = as_text(buffer_).substr(0, end + 2);
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(end + 4));
    answer.status = static_cast<unsigned>(std::stoul(answer.head.substr(9, 3)));
    if (answer.status == 100) return answer;
    constexpr std::string_view kLength = "Content-Length: ";
    const std::size_t at = answer.head.find(kLength);
    if (at == std::string::npos) return std::nullopt;
    const std::size_t size = std::stoul(answer.head.substr(at + kLength.size()));
    while (buffer_.size() < size)
      if (!more()) return std::nullopt;
    const auto middle = buffer_.begin() + static_cast<std::ptrdiff_t>(size);
    answer.body.assign(buffer_.begin(), middle);
    buffer_.erase(buffer_.begin(), middle);
    return answer;
  }
  std::optional<Answer> ask(std::string_view bytes) {
    return send(bytes) ? receive() : std::nullopt;
  }
  // Whether the server ends the connection, with nothing more said.
  bool ended() { return !more() && buffer_.empty(); }

 private:
  bool more() {
    Bytes piece(256 * 1024);
    const auto got = stream_.read_some(piece, in_ms(kLong));
    if (!got.ok() || *got == 0) return false;
    append(buffer_, BytesView{piece}.first(*got));
    return true;
  }

  Stream stream_;
  Bytes buffer_;
};

std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n";
}
std::string put(std::string_view target, std::size_t size) {
  return "PUT " + std::string(target) +
         " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
}

// `from`: 1 for 127.0.0.1, and so on.
Fd connect_plain(const std::string& port, unsigned from = 1) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl((127U << 24) + from);
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoul(port)));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  return socket;
}

struct Service {
  TestHandler handler;
  Metrics metrics;
  bool plain;
  std::unique_ptr<HttpServer> server;

  explicit Service(ServerOptions options = {}) : plain(options.plain) {
    auto tls = ServerTls::load_or_make(handler.folder.path());
    EXPECT_TRUE(tls.ok());
    if (options.threads == ServerOptions{}.threads) options.threads = 4;
    auto started = HttpServer::start(options, std::move(*tls), handler, metrics);
    EXPECT_TRUE(started.ok());
    server = std::move(*started);
  }
  ~Service() {
    handler.leave.open();
    server->stop();
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  Client connect() const {
    auto stream = plain ? Stream::accepted(connect_plain(server->port()), nullptr)
                        : Stream::connect("127.0.0.1", server->port(), in_ms(kLong));
    EXPECT_TRUE(stream.ok());
    return Client(std::move(*stream));
  }
  bool shows(const std::string& line) const {
    return metrics.render({}).find("\n" + line + "\n") != std::string::npos;
  }
  // Until a metric says so; for what the server does by itself.
  bool comes_to_show(const std::string& line) const {
    for (const Deadline end = in_ms(kLong); std::chrono::steady_clock::now() < end;
         std::this_thread::yield())
      if (shows(line)) return true;
    return false;
  }
};

ServerOptions plain_options() {
  ServerOptions options;
  options.plain = true;
  return options;
}

// Everything that does not depend on TLS is tried with it and without.
class HttpServerBoth : public testing::TestWithParam<bool> {
 protected:
  static ServerOptions options() {
    ServerOptions o;
    o.plain = GetParam();
    return o;
  }
};
INSTANTIATE_TEST_SUITE_P(Lines, HttpServerBoth, testing::Bool(),
                         [](const auto& run) { return run.param ? "Plain" : "Tls"; });

TEST_P(HttpServerBoth, AnswersARequestAndKeepsTheConnection) {
  const Service service(options());
  Client client = service.connect();
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.ask(get("/hello?x=1"));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200U);
    EXPECT_EQ(as_text(answer->body), "GET /hello?x=1");
    EXPECT_NE(answer->head.find("Cache-Control: no-store\r\n"), std::string::npos);
    EXPECT_NE(answer->head.find("Content-Type: application/cbor\r\n"), std::string::npos);
    EXPECT_FALSE(answer->closes());
  }
  EXPECT_TRUE(service.comes_to_show("holdfast_requests_total{route=\"test\",status=\"200\"} 3"));
}

// What a log got, once nothing writes to it any more.
class LogFile {
 public:
  const Log& log() const { return log_; }
  std::string text() const {
    const auto bytes = read_file(path_, 1U << 20);
    EXPECT_TRUE(bytes.ok());
    return std::string(as_text(*bytes));
  }

 private:
  Folder folder_;
  const std::string path_ = folder_.path() + "/log";
  const Fd file_{::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
  const SystemClock clock_;
  const Log log_{file_.get(), clock_};
};

// Of what its head names, in an answer that is an error.
std::string request_id(const Answer& answer) {
  constexpr std::string_view kName = "Holdfast-Request: ";
  const auto at = answer.head.find(kName);
  return at == std::string::npos ? "" : answer.head.substr(at + kName.size(), 16);
}

TEST_P(HttpServerBoth, EveryRequestIsLoggedWhenAskedFor) {
  const LogFile file;
  ServerOptions wanted = options();
  wanted.log = &file.log();
  wanted.log_requests = true;
  std::string refused;
  std::string failed;
  std::string unread;
  {
    const Service service(wanted);
    Client client = service.connect();
    EXPECT_EQ(request_id(*client.ask(get("/secret-target"))), "");
    ASSERT_TRUE(client.ask("BREW /who HTTP/1.1\r\nHost: x\r\n\r\n"));
    refused = request_id(*client.ask(get("/refuse")));
    failed = request_id(*client.ask(get("/throw")));
    Client other = service.connect();
    unread = request_id(*other.ask("no request\r\n\r\n"));
  }
  const std::string text = file.text();
  EXPECT_EQ(std::ranges::count(text, '\n'), 5);
  EXPECT_NE(text.find(R"("method":"GET","route":"test","status":200,"bytes_in":)"),
            std::string::npos);
  EXPECT_NE(text.find(R"("method":"other","route":"test","status":200)"), std::string::npos);
  EXPECT_NE(text.find(R"("complete":true)"), std::string::npos);
  const auto has = [&](const std::string& level, const std::string& id, const std::string& rest) {
    return text.find("\"level\":\"" + level + "\",\"event\":\"request\",\"request\":\"" + id +
                     "\"," + rest) != std::string::npos;
  };
  ASSERT_EQ(refused.size(), 16U);
  EXPECT_NE(refused, failed);
  EXPECT_TRUE(has("info", refused, R"("method":"GET","route":"test","status":403)")) << text;
  EXPECT_TRUE(has("warning", failed, R"("method":"GET","route":"refused","status":500)")) << text;
  EXPECT_TRUE(has("info", unread, R"("method":"other","route":"refused","status":400)")) << text;
  for (const char* const never : {"secret-target", "127.0.0.1", "BREW", "who"})
    EXPECT_EQ(text.find(never), std::string::npos) << never;
}

TEST_P(HttpServerBoth, OnlyFailuresAreLoggedUnasked) {
  const LogFile file;
  ServerOptions wanted = options();
  wanted.log = &file.log();
  std::string failed;
  {
    const Service service(wanted);
    Client client = service.connect();
    ASSERT_TRUE(client.ask(get("/hello")));
    ASSERT_TRUE(client.ask(get("/refuse")));
    failed = request_id(*client.ask(get("/throw")));
  }
  const std::string text = file.text();
  EXPECT_EQ(std::ranges::count(text, '\n'), 1);
  EXPECT_NE(text.find("\"request\":\"" + failed + "\""), std::string::npos);
}

TEST_P(HttpServerBoth, CarriesBodiesOfEverySizeBothWays) {
  const Service service(options());
  Client client = service.connect();
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{16'383},
                                 std::size_t{16'385}, std::size_t{100'000}, kBig}) {
    const Bytes body = pattern(size);
    ASSERT_TRUE(client.send(put("/echo", size)));
    ASSERT_TRUE(client.send(body));
    const auto answer = client.receive();
    ASSERT_TRUE(answer) << size;
    EXPECT_EQ(answer->status, 200U);
    EXPECT_TRUE(answer->body == body) << size;
  }
}

TEST_P(HttpServerBoth, SendsBytesAndFiles) {
  const Service service(options());
  Client client = service.connect();
  for (const char* target : {"/big", "/file", "/file"}) {
    const auto answer = client.ask(get(target));
    ASSERT_TRUE(answer) << target;
    EXPECT_TRUE(answer->body == pattern(kBig)) << target;
  }
}

TEST_P(HttpServerBoth, AFileThatIsTooShortBreaksTheConnection) {
  const Service service(options());
  Client client = service.connect();
  EXPECT_FALSE(client.ask(get("/short-file")));
}

TEST_P(HttpServerBoth, ABodyThatNobodyReadsEndsWithAnAnswerAndAClose) {
  const Service service(options());
  Client client = service.connect();
  ASSERT_TRUE(client.send(put("/refuse", kBig)));
  const Bytes body = pattern(kBig);
  static_cast<void>(client.send(body));  // the server may be gone before its end
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 403U);
  EXPECT_TRUE(answer->closes());
  EXPECT_TRUE(client.ended());
}

TEST_P(HttpServerBoth, PipelinedRequestsAreAnsweredInOrder) {
  const Service service(options());
  Client client = service.connect();
  ASSERT_TRUE(client.send(get("/1") + put("/echo", 5) + "first" + get("/2") + put("/refuse", 3) +
                          "abc" + get("/3")));
  for (const std::string expected : {"GET /1", "first", "GET /2", "no", "GET /3"}) {
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(as_text(answer->body), expected);
  }
}

TEST_P(HttpServerBoth, ManyIdleConnectionsHoldUpNobody) {
  ServerOptions o = options();
  o.max_connections_per_address = 1000;
  o.threads = 2;
  const Service service(o);
  std::vector<Client> idle;
  for (int i = 0; i < 500; ++i) idle.push_back(service.connect());
  EXPECT_TRUE(service.comes_to_show("holdfast_connections_open 500"));
  for (Client& client : idle) {
    const auto answer = client.ask(get("/x"));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200U);
  }
  idle.clear();
  EXPECT_TRUE(service.comes_to_show("holdfast_connections_open 0"));
}

TEST_P(HttpServerBoth, AParkedRequestIsWokenByItsTopic) {
  Service service(options());
  Client client = service.connect();
  ASSERT_TRUE(client.send(get("/park")));
  ASSERT_TRUE(service.comes_to_show("holdfast_connections_parked 1"));
  service.server->wake("another");
  service.handler.changed = true;
  service.server->wake("topic");
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(as_text(answer->body), "woken");
  EXPECT_EQ(service.handler.parked_calls, 2);
  const auto next = client.ask(get("/next"));
  ASSERT_TRUE(next);
  EXPECT_EQ(as_text(next->body), "GET /next");
}

TEST_P(HttpServerBoth, AParkedRequestEndsWithItsTime) {
  const Service service(options());
  Client client = service.connect();
  for (int i = 0; i < 2; ++i) {
    const auto answer = client.ask(get("/park-briefly"));
    ASSERT_TRUE(answer);
    EXPECT_EQ(as_text(answer->body), "over");
  }
}

TEST_P(HttpServerBoth, APeerThatLeavesWhileParkedIsForgotten) {
  const Service service(options());
  {
    Client client = service.connect();
    ASSERT_TRUE(client.send(get("/park")));
    ASSERT_TRUE(service.comes_to_show("holdfast_connections_parked 1"));
  }
  EXPECT_TRUE(service.comes_to_show("holdfast_connections_open 0"));
  EXPECT_TRUE(service.comes_to_show("holdfast_connections_parked 0"));
  EXPECT_EQ(service.handler.parked_calls, 1);
}

TEST_P(HttpServerBoth, AStopAnswersWhatIsParked) {
  const Service service(options());
  Client client = service.connect();
  ASSERT_TRUE(client.send(get("/park")));
  ASSERT_TRUE(service.comes_to_show("holdfast_connections_parked 1"));
  std::jthread stopper([&] { service.server->stop(); });
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(as_text(answer->body), "over");
  EXPECT_TRUE(answer->closes());
}

// It takes no worker, and a stop does not wait for it.
TEST_P(HttpServerBoth, AnAnswerIsHeldBack) {
  ServerOptions one_worker = options();
  one_worker.threads = 1;
  Service service(one_worker);
  Client refused = service.connect();
  ASSERT_TRUE(refused.send(get("/refuse-later")));
  service.handler.entered.wait();
  Client other = service.connect();
  const auto at_once = other.ask(get("/next"));
  ASSERT_TRUE(at_once);
  EXPECT_EQ(at_once->status, 200U);
  for (int i = 0; i < 2; ++i) {
    const auto soon = other.ask(get("/refuse-soon"));
    ASSERT_TRUE(soon);
    EXPECT_EQ(soon->status, 403U);
    EXPECT_EQ(as_text(soon->body), "no");
    EXPECT_FALSE(soon->closes());
  }
  std::jthread stopper([&] { service.server->stop(); });
  const auto answer = refused.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 403U);
  EXPECT_TRUE(answer->closes());
}

TEST_P(HttpServerBoth, AStopFinishesABodyInFlight) {
  Service service(options());
  Client client = service.connect();
  const Bytes body = pattern(1'000'000);
  ASSERT_TRUE(client.send(put("/gate", body.size())));
  ASSERT_TRUE(client.send(BytesView{body}.first(500'000)));
  service.handler.entered.wait();
  std::jthread stopper([&] { service.server->stop(); });
  service.handler.leave.open();
  ASSERT_TRUE(client.send(BytesView{body}.subspan(500'000)));
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->body == body);
}

TEST(HttpServer, StopsTwice) {
  const Service service(plain_options());
  service.server->stop();
  service.server->stop();
}

TEST(HttpServer, AStopWithNobodyLeftToWaitForCutsBodiesOff) {
  ServerOptions options = plain_options();
  options.stop_ms = 50;
  Service service(options);
  Client client = service.connect();
  ASSERT_TRUE(client.send(put("/gate", 1000)));  // whose body never comes
  service.handler.entered.wait();
  service.handler.leave.open();
  service.server->stop();
  EXPECT_EQ(service.handler.body_failures, 1);
}

TEST(HttpServer, AWakeBeforeTheParkingIsNotLost) {
  Service service(plain_options());
  Client client = service.connect();
  ASSERT_TRUE(client.send(get("/slow-park")));
  service.handler.entered.wait();
  service.server->wake("topic");  // after the handler looked, before it parks
  // The loop has seen the wake once it has answered somebody.
  Client other = service.connect();
  ASSERT_TRUE(other.ask(get("/")));
  service.handler.leave.open();
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(as_text(answer->body), "woken");
}

TEST(HttpServer, AWakeForNothingDoesNotProlongTheWait) {
  Service service(plain_options());
  Client client = service.connect();
  ASSERT_TRUE(client.send(get("/park-briefly")));
  std::jthread waker([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      service.server->wake("topic");
      std::this_thread::yield();
    }
  });
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(as_text(answer->body), "over");
}

TEST(HttpServer, AHandlerThatThrowsIsA500) {
  const Service service(plain_options());
  Client client = service.connect();
  const auto answer = client.ask(get("/throw"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 500U);
  EXPECT_TRUE(answer->closes());
  EXPECT_TRUE(client.ended());
  Client next = service.connect();
  EXPECT_TRUE(next.ask(get("/")));
}

TEST(HttpServer, AGiantHeadIsRefused) {
  const Service service(plain_options());
  for (const std::string& head : {"GET /" + std::string(17'000, 'x') + " HTTP/1.1\r\n\r\n",
                                  "GET / HTTP/1.1\r\nX: " + std::string(1'000'000, 'x')}) {
    Client client = service.connect();
    static_cast<void>(client.send(head));
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 431U);
    EXPECT_TRUE(client.ended());
  }
}

TEST(HttpServer, ALengthHasOneSpelling) {
  const Service service(plain_options());
  const auto status = [&](const std::string& headers) {
    Client client = service.connect();
    const auto answer = client.ask("PUT /echo HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n");
    if (!answer) return 0U;
    EXPECT_TRUE(answer->status == 200 || answer->closes());
    return answer->status;
  };
  EXPECT_EQ(status("Content-Length: 0\r\n"), 200U);
  EXPECT_EQ(status(""), 411U);
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\n"), 411U);
  EXPECT_EQ(status("Transfer-Encoding: gzip\r\n"), 411U);
  EXPECT_EQ(status("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), 400U);
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), 400U);
  EXPECT_EQ(status("Content-Length: 0\r\nContent-Length: 0\r\n"), 400U);
  EXPECT_EQ(status("Content-Length: 0\r\nContent-Length: 1\r\n"), 400U);
  EXPECT_EQ(status("Content-Length: 0, 0\r\n"), 400U);
  EXPECT_EQ(status("Content-Length: +1\r\n"), 400U);
  EXPECT_EQ(status("Content-Length: -1\r\n"), 400U);
  EXPECT_EQ(status("Content-Length: 0x1\r\n"), 400U);
  EXPECT_EQ(status("Content-Length:\r\n"), 400U);
  EXPECT_EQ(status("Content-Length:\r\n 0\r\n"), 400U);
  EXPECT_EQ(status("X: y\r\n\tContent-Length: 0\r\nContent-Length: 0\r\n"), 400U);
  EXPECT_EQ(status("Content-Length: 99999999999999999999999\r\n"), 400U);
  EXPECT_EQ(status("Content-Length: 18446744073709551615\r\n"), 400U);
}

TEST(HttpServer, WhatIsNotARequestIsRefused) {
  const Service service(plain_options());
  const auto status = [&](const std::string& bytes) {
    Client client = service.connect();
    const auto answer = client.ask(bytes);
    return answer ? answer->status : 0U;
  };
  EXPECT_EQ(status("nonsense\r\n\r\n"), 400U);
  EXPECT_EQ(status("GET nowhere HTTP/1.1\r\n\r\n"), 400U);
  EXPECT_EQ(status("GET /\xff HTTP/1.1\r\n\r\n"), 400U);
  EXPECT_EQ(status("GET /\xc3\xa4 HTTP/1.1\r\n\r\n"), 400U);
  EXPECT_EQ(status("GET / HTTP/1.0\r\n\r\n"), 505U);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nno colon\r\n\r\n"), 400U);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n"), 400U);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nExpect: miracles\r\n\r\n"), 417U);
}

TEST(HttpServer, AClientMayWaitForContinue) {
  const Service service(plain_options());
  Client client = service.connect();
  const auto first =
      client.ask("PUT /echo HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, 100U);
  const auto answer = client.ask("body");
  ASSERT_TRUE(answer);
  EXPECT_EQ(as_text(answer->body), "body");
}

TEST(HttpServer, ARefusalComesInsteadOfContinue) {
  const Service service(plain_options());
  Client client = service.connect();
  const auto answer =
      client.ask("PUT /refuse HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 403U);
  EXPECT_TRUE(client.ended());
}

TEST(HttpServer, AClientMayAskToClose) {
  const Service service(plain_options());
  Client client = service.connect();
  const auto answer = client.ask("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->closes());
  EXPECT_TRUE(client.ended());
}

TEST(HttpServer, AHeadHasNoBody) {
  const Service service(plain_options());
  Client client = service.connect();
  ASSERT_TRUE(client.send("HEAD /x HTTP/1.1\r\n\r\nBAD"));
  client.end_writing();
  // The answer names a length, and nothing of that length follows.
  EXPECT_FALSE(client.receive());
}

TEST(HttpServer, SlowHeadsAreCutOffAndHoldUpNobody) {
  ServerOptions options = plain_options();
  options.head_ms = 300;
  options.threads = 2;
  const Service service(options);
  std::vector<Client> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(service.connect());
    ASSERT_TRUE(slow.back().send("GET / HT"));
  }
  Client fast = service.connect();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(fast.ask(get("/")));
  for (Client& client : slow) {
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 408U);
    EXPECT_TRUE(client.ended());
  }
}

TEST(HttpServer, ASlowHandshakeIsCutOff) {
  ServerOptions options;
  options.head_ms = 50;
  const Service service(options);
  auto stream = Stream::accepted(connect_plain(service.server->port()), nullptr);
  ASSERT_TRUE(stream.ok());
  EXPECT_TRUE(Client(std::move(*stream)).ended());
}

TEST(HttpServer, AnIdleConnectionIsClosed) {
  ServerOptions options;
  options.idle_ms = 50;
  const Service service(options);
  Client client = service.connect();
  EXPECT_TRUE(client.ended());
}

TEST(HttpServer, ABodyThatStallsIsCutOff) {
  ServerOptions options = plain_options();
  options.stall_ms = 50;
  const Service service(options);
  Client client = service.connect();
  ASSERT_TRUE(client.send(put("/echo", 1000) + "some"));
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 400U);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(service.handler.body_failures, 1);
}

TEST(HttpServer, ABodyThatTricklesIsCutOff) {
  ServerOptions options = plain_options();
  options.stall_ms = 100;
  options.bytes_per_second = 1'000'000;
  const Service service(options);
  Client client = service.connect();
  ASSERT_TRUE(client.send(put("/echo", kBig)));
  // A byte now and then moves, but far below the rate.
  std::jthread trickle([&](const std::stop_token& stop) {
    while (!stop.stop_requested() && service.handler.body_failures == 0) {
      if (!client.send("x")) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  trickle.join();
  EXPECT_EQ(service.handler.body_failures, 1);
}

TEST(HttpServer, AnAnswerThatNobodyReadsIsCutOff) {
  ServerOptions options = plain_options();
  options.stall_ms = 50;
  const Service service(options);
  Client client = service.connect();
  ASSERT_TRUE(client.send(get("/big")));
  EXPECT_TRUE(service.comes_to_show("holdfast_connections_open 0"));
}

TEST(HttpServer, APeerThatEndedItsSideStillGetsItsAnswer) {
  const Service service(plain_options());
  Client client = service.connect();
  ASSERT_TRUE(client.send(put("/echo", 4) + "body"));
  client.end_writing();
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(as_text(answer->body), "body");
  EXPECT_TRUE(client.ended());
}

TEST(HttpServer, ABodyThatBreaksOffIsAnErrorToTheHandler) {
  const Service service(plain_options());
  Client client = service.connect();
  ASSERT_TRUE(client.send(put("/echo", 1000) + "some"));
  client.end_writing();
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 400U);
  EXPECT_TRUE(client.ended());
}

TEST(HttpServer, ConnectionsOfOneAddressAreLimited) {
  ServerOptions options = plain_options();
  options.max_connections_per_address = 2;
  const Service service(options);
  Client a = service.connect();
  {
    Client b = service.connect();
    ASSERT_TRUE(a.ask(get("/")) && b.ask(get("/")));
    Client c = service.connect();
    EXPECT_TRUE(c.ended());
    EXPECT_TRUE(service.comes_to_show("holdfast_connections_refused_total{reason=\"address\"} 1"));
  }
  ASSERT_TRUE(service.comes_to_show("holdfast_connections_open 1"));
  Client d = service.connect();
  EXPECT_TRUE(d.ask(get("/")));
}

TEST(HttpServer, ConnectionsOfAllAreLimited) {
  ServerOptions options = plain_options();
  options.max_connections = 1;
  const Service service(options);
  Client a = service.connect();
  ASSERT_TRUE(a.ask(get("/")));
  Client b = service.connect();
  EXPECT_TRUE(b.ended());
  EXPECT_TRUE(service.comes_to_show("holdfast_connections_refused_total{reason=\"all\"} 1"));
}

TEST(HttpServer, RequestsOfOneAddressAreLimited) {
  ServerOptions options = plain_options();
  options.requests_per_second_per_address = 1;
  const Service service(options);
  Client client = service.connect();
  std::string all;
  for (int i = 0; i < 200; ++i) all += get("/");
  ASSERT_TRUE(client.send(all));
  int good = 0;
  int refused = 0;
  for (int i = 0; i < 200; ++i) {
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    good += answer->status == 200 ? 1 : 0;
    refused += answer->status == 429 ? 1 : 0;
  }
  EXPECT_GE(good, 10);
  EXPECT_GE(refused, 1);
  EXPECT_EQ(good + refused, 200);
}

TEST(HttpServer, AFullQueueIsA503) {
  ServerOptions options = plain_options();
  options.threads = 1;
  Service service(options);
  Client first = service.connect();
  ASSERT_TRUE(first.send(get("/gate")));
  service.handler.entered.wait();
  std::vector<Client> waiting;
  for (int i = 0; i < 16; ++i) {
    waiting.push_back(service.connect());
    ASSERT_TRUE(waiting.back().send(get("/")));
  }
  ASSERT_TRUE(service.comes_to_show("holdfast_queue_depth 16"));
  Client late = service.connect();
  const auto answer = late.ask(get("/"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503U);
  service.handler.leave.open();
  for (Client& client : waiting) EXPECT_TRUE(client.receive());
  const auto again = late.ask(get("/"));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->status, 200U);
}

TEST(HttpServer, OneAddressCannotHoldAllThreads) {
  Service service(plain_options());
  std::vector<Client> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(service.connect());
    ASSERT_TRUE(slow.back().send(put("/gate", 1)));
  }
  service.handler.entered.wait();
  auto stream = Stream::accepted(connect_plain(service.server->port(), 2), nullptr);
  ASSERT_TRUE(stream.ok());
  Client other(std::move(*stream));
  for (int i = 0; i < 10; ++i) {
    const auto answer = other.ask(get("/x"));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200U);
  }
  service.handler.leave.open();
  for (Client& client : slow) {
    ASSERT_TRUE(client.send("x"));
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200U);
  }
}

TEST(HttpServer, AHandlerSeesThePeersAddress) {
  const Service service(plain_options());
  Client client = service.connect();
  const auto answer = client.ask(get("/who"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(as_text(answer->body), "127.0.0.1");
}

TEST(HttpServer, APortInUseIsAnError) {
  const Service service(plain_options());
  auto tls = ServerTls::load_or_make(service.handler.folder.path());
  ASSERT_TRUE(tls.ok());
  ServerOptions options = plain_options();
  options.port = service.server->port();
  TestHandler handler;
  Metrics metrics;
  const auto second = HttpServer::start(options, std::move(*tls), handler, metrics);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace holdfast::net
