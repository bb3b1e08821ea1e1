#include "net/http_server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <filesystem>
#include <thread>

namespace holdfast::net {
namespace {

namespace fs = std::filesystem;

// Answers "echo" with the body, "wait" by parking once, anything else with its target.
class Echo final : public Handler {
 public:
  Response handle(const Request& request, Body& body) override {
    Response response;
    response.route = request.target;
    if (request.target == "/wait" && !request.resumed) {
      ++parking;
      response.park = Park{"topic", 60'000};
      return response;
    }
    if (request.target == "/wait")
      response.body = to_bytes(as_bytes(request.wait_over ? "over" : "woken"));
    else if (request.target == "/throw")
      throw std::runtime_error("a handler's bug");
    else if (request.target == "/echo")
      response.body = whole(request, body);
    else if (request.target != "/ignore")
      response.body = to_bytes(as_bytes(request.target));
    return response;
  }
  std::atomic<int> parking = 0;

 private:
  static Bytes whole(const Request& request, Body& body) {
    Bytes all(request.content_length);
    std::size_t have = 0;
    while (have < all.size()) {
      const auto got = body.read(std::span(all).subspan(have));
      if (!got.ok() || *got == 0) break;
      have += *got;
    }
    all.resize(have);
    return all;
  }
};

class HttpServerTest : public ::testing::TestWithParam<bool> {
 protected:
  HttpServerTest() {
    std::string pattern = (fs::temp_directory_path() / "holdfast-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    options_.plain = GetParam();
    options_.threads = 4;
    options_.head_ms = 30'000;
  }
  ~HttpServerTest() override {
    server_.reset();
    fs::remove_all(folder_);
  }
  void start() {
    auto tls = ServerTls::load_or_make(folder_);
    ASSERT_TRUE(tls.ok());
    auto server = HttpServer::start(options_, std::move(tls).value(), echo_, metrics_);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(server).value();
  }
  // Over plain sockets Stream has no connect(): one is made by hand.
  Stream connect() {
    if (!options_.plain) {
      auto stream = Stream::connect("127.0.0.1", server_->port(), in_ms(10'000));
      EXPECT_TRUE(stream.ok()) << stream.error().message;
      return std::move(stream).value();
    }
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(server_->port())));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return std::move(Stream::accepted(std::move(fd), nullptr)).value();
  }
  static void put(Stream& stream, std::string_view text) {
    // The peer may have closed already; what it answered is what a test looks at.
    static_cast<void>(stream.write_all(as_bytes(text), in_ms(20'000)).ok());
  }
  // Until the other side closes, or `until` has been seen.
  static std::string take(Stream& stream, std::string_view until) {
    std::string text;
    std::array<std::uint8_t, 65536> piece{};
    while (until.empty() || text.find(until) == std::string::npos) {
      const auto got = stream.read_some(piece, in_ms(20'000));
      if (!got.ok() || *got == 0) break;
      text.append(as_text(BytesView(piece).first(*got)));
    }
    return text;
  }
  std::string ask(std::string_view text, std::string_view until = {}) {
    Stream stream = connect();
    put(stream, text);
    return take(stream, until);
  }

  std::string folder_;
  ServerOptions options_;
  Echo echo_;
  Metrics metrics_;
  std::unique_ptr<HttpServer> server_;
};
INSTANTIATE_TEST_SUITE_P(Transport, HttpServerTest, ::testing::Bool(),
                         [](const auto& p) { return p.param ? "plain" : "tls"; });

TEST_P(HttpServerTest, AnswersAndKeepsTheConnection) {
  start();
  Stream stream = connect();
  for (int i = 0; i < 3; ++i) {
    put(stream, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(take(stream, "\r\n\r\n/a").find("200 OK"), std::string::npos);
  }
}

TEST_P(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  const std::string answers = ask(
      "GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
      "\r\nabcGET /z HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const auto a = answers.find("\r\n\r\n/a");
  const auto b = answers.find("\r\n\r\nabc");
  const auto z = answers.find("\r\n\r\n/z");
  ASSERT_NE(a, std::string::npos) << answers;
  ASSERT_NE(b, std::string::npos) << answers;
  ASSERT_NE(z, std::string::npos) << answers;
  EXPECT_TRUE(a < b && b < z);
}

TEST_P(HttpServerTest, ALargeBodyGoesBothWaysWhole) {
  start();
  std::string body(20U * 1024 * 1024, 'x');
  for (std::size_t i = 0; i < body.size(); i += 997) body[i] = static_cast<char>('a' + i % 23);
  Stream stream = connect();
  std::thread sending([&] {
    put(stream, "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                    std::to_string(body.size()) + "\r\n\r\n" + body);
  });
  sending.join();  // the handler reads all before it answers
  const std::string answer = take(stream, {});
  const auto at = answer.find("\r\n\r\n");
  ASSERT_NE(at, std::string::npos);
  EXPECT_TRUE(answer.substr(at + 4) == body);
}

TEST_P(HttpServerTest, BadHeadsAreRefused) {
  start();
  const auto status = [&](std::string_view text) { return ask(text).substr(0, 12); };
  EXPECT_EQ(status("GET / HTTP/1.0\r\n\r\n"), "HTTP/1.1 505");
  EXPECT_EQ(status("nonsense\r\n\r\n"), "HTTP/1.1 400");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 411");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), "HTTP/1.1 411");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), "HTTP/1.1 400");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
            "HTTP/1.1 400");
  EXPECT_EQ(status("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"),
            "HTTP/1.1 431");
}

TEST_P(HttpServerTest, AHandlersBugIsAnAnswer) {
  start();
  EXPECT_EQ(ask("GET /throw HTTP/1.1\r\nConnection: close\r\n\r\n").substr(0, 12), "HTTP/1.1 500");
}

TEST_P(HttpServerTest, AnUnwantedLargeBodyEndsTheConnection) {
  start();
  const std::string answer =
      ask("POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\nsome");
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 200");
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
}

TEST_P(HttpServerTest, AWakeOrTheStopAnswersAParkedRequest) {
  start();
  Stream first = connect();
  put(first, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  while (echo_.parking < 1) std::this_thread::yield();
  server_->wake("topic");
  EXPECT_NE(take(first, "woken").find("woken"), std::string::npos);
  Stream second = connect();
  put(second, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  while (echo_.parking < 2) std::this_thread::yield();
  std::thread stopping([&] { server_->stop(); });
  EXPECT_NE(take(second, "over").find("over"), std::string::npos);
  stopping.join();
}

TEST_P(HttpServerTest, HeadsThatNeverEndHoldNoThread) {
  start();
  std::vector<Stream> slow;
  for (int i = 0; i < 50; ++i) {
    slow.push_back(connect());
    put(slow.back(), "GET /a HTTP/1.1\r\nHost: ");
  }
  for (int i = 0; i < 20; ++i)
    EXPECT_NE(ask("GET /b HTTP/1.1\r\nConnection: close\r\n\r\n").find("/b"), std::string::npos);
}

TEST_P(HttpServerTest, AHeadThatTakesTooLongIsCutOff) {
  options_.head_ms = 50;
  start();
  EXPECT_EQ(ask("GET /a HTTP/1.1\r\n"), "");  // ends, without an answer
}

TEST_P(HttpServerTest, ABodyThatStallsIsCutOff) {
  options_.stall_ms = 50;
  start();
  const std::string answer = ask("POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_TRUE(answer.empty() || answer.find("Connection: close") != std::string::npos) << answer;
}

TEST_P(HttpServerTest, AnAddressHasSoManyConnections) {
  if (!options_.plain) GTEST_SKIP() << "the handshake of a refused one fails in connect()";
  options_.max_connections_per_address = 2;
  start();
  Stream a = connect();
  put(a, "GET /a HTTP/1.1\r\n\r\n");
  take(a, "/a");
  Stream b = connect();
  put(b, "GET /a HTTP/1.1\r\n\r\n");
  take(b, "/a");
  EXPECT_EQ(ask("GET /c HTTP/1.1\r\n\r\n"), "");
}

TEST_P(HttpServerTest, AnAddressAsksSoOften) {
  options_.requests_per_second_per_address = 1;
  start();
  Stream stream = connect();
  bool refused = false;
  for (int i = 0; i < 100 && !refused; ++i) {
    put(stream, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string answer = take(stream, "\r\n\r\n");
    refused = answer.find(" 429 ") != std::string::npos;
  }
  EXPECT_TRUE(refused);
}

TEST(ServerTlsTest, TheKeyOutlivesARestartAndALostCertificate) {
  std::string pattern = (fs::temp_directory_path() / "holdfast-XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const Bytes pin = ServerTls::load_or_make(pattern).value().pin();
  EXPECT_EQ(pin.size(), 32U);
  EXPECT_EQ(ServerTls::load_or_make(pattern).value().pin(), pin);
  fs::remove(pattern + "/tls.crt");
  EXPECT_EQ(ServerTls::load_or_make(pattern).value().pin(), pin);
  fs::remove_all(pattern);
}

}  // namespace
}  // namespace holdfast::net
