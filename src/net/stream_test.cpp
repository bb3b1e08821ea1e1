#include "net/stream.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "net/http_server.h"

namespace holdfast::net {
namespace {

constexpr std::int64_t kLong = 60'000;

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

std::pair<Fd, Fd> socket_pair() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::uint8_t>(i * 2654435761U >> 13);
  return bytes;
}

struct Nothing final : Handler {
  Response handle(const Request&, Body&) override { return {}; }
};

// A service that only shakes hands matters here.
struct Service {
  Folder folder;
  Metrics metrics;
  Nothing handler;
  std::unique_ptr<HttpServer> server;

  Service() {
    auto tls = ServerTls::load_or_make(folder.path());
    EXPECT_TRUE(tls.ok());
    ServerOptions options;
    options.threads = 1;
    auto started = HttpServer::start(options, std::move(*tls), handler, metrics);
    EXPECT_TRUE(started.ok());
    server = std::move(*started);
  }
};

TEST(ServerTls, KeepsItsPinOverRestarts) {
  const Folder folder;
  const auto first = ServerTls::load_or_make(folder.path());
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_EQ(first->pin().size(), 32U);
  const auto second = ServerTls::load_or_make(folder.path());
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->pin(), first->pin());
}

TEST(ServerTls, ANewCertificateKeepsThePin) {
  const Folder folder;
  const auto first = ServerTls::load_or_make(folder.path());
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(::unlink((folder.path() + "/tls.crt").c_str()), 0);
  const auto second = ServerTls::load_or_make(folder.path());
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->pin(), first->pin());
}

TEST(ServerTls, ALostKeyIsNotReplacedByAnother) {
  const Folder folder;
  ASSERT_TRUE(ServerTls::load_or_make(folder.path()).ok());
  ASSERT_EQ(::unlink((folder.path() + "/tls.key").c_str()), 0);
  const auto again = ServerTls::load_or_make(folder.path());
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::kNotFound);
}

TEST(ServerTls, OnlyItsOwnerReadsTheKey) {
  const Folder folder;
  ASSERT_TRUE(ServerTls::load_or_make(folder.path()).ok());
  struct stat info{};
  ASSERT_EQ(::stat((folder.path() + "/tls.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST(ServerTls, ACertificateForAnotherKeyIsRefused) {
  const Folder a;
  const Folder b;
  ASSERT_TRUE(ServerTls::load_or_make(a.path()).ok());
  ASSERT_TRUE(ServerTls::load_or_make(b.path()).ok());
  const auto mixed = ServerTls::load(a.path() + "/tls.crt", b.path() + "/tls.key");
  ASSERT_FALSE(mixed.ok());
  EXPECT_EQ(mixed.error().code, Code::kInvalid);
}

TEST(ServerTls, FilesThatAreNotPemAreRefused) {
  const Folder folder;
  ASSERT_TRUE(ServerTls::load_or_make(folder.path()).ok());
  std::ofstream(folder.path() + "/no.pem") << "no";
  const auto key = ServerTls::load(folder.path() + "/tls.crt", folder.path() + "/no.pem");
  ASSERT_FALSE(key.ok());
  EXPECT_EQ(key.error().code, Code::kInvalid);
  const auto chain = ServerTls::load(folder.path() + "/no.pem", folder.path() + "/tls.key");
  ASSERT_FALSE(chain.ok());
  EXPECT_EQ(chain.error().code, Code::kInvalid);
}

TEST(Stream, AClientSeesTheServersPin) {
  const Service service;
  const auto stream = Stream::connect("127.0.0.1", service.server->port(), in_ms(kLong));
  ASSERT_TRUE(stream.ok()) << stream.error().message;
  EXPECT_EQ(stream->pin(), service.server->pin());
}

TEST(Stream, Tls12IsRefused) {
  const Service service;
  const auto with_version = [&](int version) {
    auto reached = Stream::connect("127.0.0.1", service.server->port(), in_ms(kLong));
    EXPECT_TRUE(reached.ok());
    SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(context, version);
    BIO* const bio = BIO_new_ssl_connect(context);
    BIO_set_conn_hostname(bio, ("127.0.0.1:" + service.server->port()).c_str());
    const bool shaken = BIO_do_handshake(bio) == 1;
    BIO_free_all(bio);
    SSL_CTX_free(context);
    return shaken;
  };
  EXPECT_FALSE(with_version(TLS1_2_VERSION));
  EXPECT_TRUE(with_version(TLS1_3_VERSION));
}

TEST(Stream, AReadEndsAtItsDeadline) {
  auto [a, b] = socket_pair();
  auto stream = Stream::accepted(std::move(a), nullptr);
  ASSERT_TRUE(stream.ok());
  Bytes into(10);
  const auto got = stream->read_some(into, in_ms(20));
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code, Code::kUnavailable);
}

TEST(Stream, AWriteThatNobodyReadsEndsAtItsDeadline) {
  auto [a, b] = socket_pair();
  auto stream = Stream::accepted(std::move(a), nullptr);
  ASSERT_TRUE(stream.ok());
  EXPECT_FALSE(stream->write_all(pattern(16U << 20), in_ms(50)).ok());
}

TEST(Stream, AHandshakeWithSilenceEndsAtItsDeadline) {
  ServerOptions options;
  options.plain = true;
  const Folder folder;
  Metrics metrics;
  Nothing handler;
  auto tls = ServerTls::load_or_make(folder.path());
  ASSERT_TRUE(tls.ok());
  options.head_ms = kLong;
  const auto server = HttpServer::start(options, std::move(*tls), handler, metrics);
  ASSERT_TRUE(server.ok());
  EXPECT_FALSE(Stream::connect("127.0.0.1", (*server)->port(), in_ms(100)).ok());
}

TEST(Stream, WritingToAPeerThatLeftIsAnErrorAndNoSignal) {
  auto [a, b] = socket_pair();
  auto stream = Stream::accepted(std::move(a), nullptr);
  ASSERT_TRUE(stream.ok());
  b.reset();
  EXPECT_FALSE(stream->write_all(pattern(1000), in_ms(kLong)).ok());
}

TEST(Stream, APeersEndIsZeroBytes) {
  auto [a, b] = socket_pair();
  auto stream = Stream::accepted(std::move(a), nullptr);
  auto peer = Stream::accepted(std::move(b), nullptr);
  ASSERT_TRUE(stream.ok() && peer.ok());
  peer->end_writing();
  Bytes into(10);
  const auto got = stream->read_some(into, in_ms(kLong));
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(*got, 0U);
}

TEST(Stream, AFileIsSentFromItsPosition) {
  const Folder folder;
  const Bytes bytes = pattern(300'000);
  ASSERT_TRUE(create_file(folder.path() + "/f", bytes).ok());
  std::ifstream opened(folder.path() + "/f");
  auto [a, b] = socket_pair();
  auto stream = Stream::accepted(std::move(a), nullptr);
  auto peer = Stream::accepted(std::move(b), nullptr);
  ASSERT_TRUE(stream.ok() && peer.ok());
  const std::jthread sender([&] {
    std::FILE* const file = std::fopen((folder.path() + "/f").c_str(), "rb");
    ASSERT_NE(file, nullptr);
    ASSERT_EQ(::lseek(::fileno(file), 100, SEEK_SET), 100);
    for (;;) {
      const auto sent = stream->send_file(::fileno(file), 1 << 20, in_ms(kLong));
      ASSERT_TRUE(sent.ok());
      if (*sent == 0) break;
    }
    std::fclose(file);
    stream->end_writing();
  });
  Bytes got;
  Bytes into(64 * 1024);
  for (;;) {
    const auto size = peer->read_some(into, in_ms(kLong));
    ASSERT_TRUE(size.ok());
    if (*size == 0) break;
    append(got, BytesView{into}.first(*size));
  }
  EXPECT_EQ(got, Bytes(bytes.begin() + 100, bytes.end()));
}

}  // namespace
}  // namespace holdfast::net
