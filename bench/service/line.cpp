#include "line.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>

#include "crypto/hash.h"

namespace holdfast::bench {
namespace {

constexpr std::size_t kKept = 64 * 1024;  // of an answer's body
constexpr std::size_t kPiece = 256 * 1024;

Error broken() { return {Code::kUnavailable, "the connection to the measured server broke"}; }

// One for all connections: 10,000 of them would be most of what this program takes.
SSL_CTX* context() {
  static SSL_CTX* const made = [] {
    SSL_CTX* const c = SSL_CTX_new(TLS_client_method());
    HF_CHECK(c != nullptr && SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1);
    // The same for every server, whatever it would choose.
    HF_CHECK(SSL_CTX_set_ciphersuites(c, "TLS_AES_256_GCM_SHA384") == 1);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
    return c;
  }();
  return made;
}

sockaddr_in address_of(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  return address;
}

Result<Fd> connect_from(const Target& target) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return io_error("open", "a socket", errno);
  const int on = 1;
  // Without it each of our addresses would give away its ports twice.
  ::setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const sockaddr_in from = address_of(target.from, 0);
  const sockaddr_in to =
      address_of("127.0.0.1", static_cast<std::uint16_t>(std::stoul(target.port)));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0 ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
    return io_error("connect to port", target.port, errno);
  return fd;
}

// The number after `name`, which is followed by ": "; 0 when it is not there.
std::uint64_t number_of(std::string_view head, std::string_view name) {
  const auto at = head.find(name);
  std::uint64_t number = 0;
  if (at != std::string_view::npos) {
    const std::string_view rest = head.substr(at + name.size());
    std::from_chars(rest.data(), rest.data() + rest.size(), number);
  }
  return number;
}

}  // namespace

struct Line::State {
  Fd socket;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl{nullptr, SSL_free};

  Result<std::size_t> read(std::span<std::uint8_t> into) {
    std::size_t got = 0;
    if (ssl) {
      if (SSL_read_ex(ssl.get(), into.data(), into.size(), &got) != 1) return broken();
      return got;
    }
    const ssize_t count = ::recv(socket.get(), into.data(), into.size(), 0);
    if (count <= 0) return broken();
    return static_cast<std::size_t>(count);
  }

  Result<void> write(BytesView bytes) {
    while (!bytes.empty()) {
      std::size_t put = 0;
      const std::size_t most = std::min(bytes.size(), kPiece);
      if (ssl) {
        if (SSL_write_ex(ssl.get(), bytes.data(), most, &put) != 1) return broken();
      } else {
        const ssize_t count = ::send(socket.get(), bytes.data(), most, MSG_NOSIGNAL);
        if (count <= 0) return broken();
        put = static_cast<std::size_t>(count);
      }
      bytes = bytes.subspan(put);
    }
    return Ok{};
  }
};

Line::Line(std::unique_ptr<State> state) : state_(std::move(state)) {}
Line::Line(Line&&) noexcept = default;
Line& Line::operator=(Line&&) noexcept = default;
Line::~Line() = default;

Result<Line> Line::open(const Target& target) {
  auto state = std::make_unique<State>();
  state->socket = TRY(connect_from(target));
  if (target.tls) {
    state->ssl.reset(SSL_new(context()));
    if (!state->ssl || SSL_set_fd(state->ssl.get(), state->socket.get()) != 1 ||
        SSL_connect(state->ssl.get()) != 1)
      return Error{Code::kUnavailable, "TLS 1.3 with the measured server failed"};
  }
  return Line(std::move(state));
}

Result<void> Line::send(const std::string& head, BytesView body) {
  if (body.size() > kPiece) {
    TRY(state_->write(as_bytes(head)));
    return state_->write(body);
  }
  Bytes all = to_bytes(as_bytes(head));  // one packet where one is enough
  append(all, body);
  return state_->write(all);
}

Result<Answer> Line::receive() {
  thread_local Bytes piece(kPiece);
  Bytes early;
  std::size_t end = std::string_view::npos;
  while (end == std::string_view::npos) {
    const std::size_t got = TRY(state_->read(piece));
    append(early, BytesView{piece}.first(got));
    end = as_text(early).find("\r\n\r\n");
  }
  const std::string_view head = as_text(early).substr(0, end);
  Answer answer;
  answer.status = static_cast<unsigned>(number_of(head, "HTTP/1.1 "));
  answer.size = number_of(head, "Content-Length: ");
  answer.body.assign(early.begin() + static_cast<std::ptrdiff_t>(end + 4), early.end());
  for (std::uint64_t have = answer.body.size(); have < answer.size;) {
    const std::size_t got = TRY(state_->read(piece));
    have += got;
    if (answer.body.size() < kKept) append(answer.body, BytesView{piece}.first(got));
  }
  return answer;
}

Result<Answer> Line::ask(const std::string& head, BytesView body) {
  TRY(send(head, body));
  return receive();
}

Result<Bytes> Line::pin() const {
  if (!state_->ssl) return Bytes{};
  const std::unique_ptr<X509, decltype(&X509_free)> peer(
      SSL_get1_peer_certificate(state_->ssl.get()), X509_free);
  unsigned char* der = nullptr;
  const int size = peer ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(peer.get()), &der) : 0;
  if (size <= 0) return Error{Code::kUnavailable, "the measured server shows no key"};
  const Digest pin = crypto::sha256(BytesView{der, static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return to_bytes(pin.view());
}

int Line::socket() const { return state_->socket.get(); }

}  // namespace holdfast::bench
