#include "net/stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "net/tls.h"

namespace holdfast::net {
namespace {

constexpr std::size_t kReadPiece = 64 * 1024;

Error too_slow() { return {Code::kUnavailable, "the peer did not answer in time"}; }
Error broken() { return {Code::kUnavailable, "the connection broke"}; }

Stream::Step after_errno(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK) return Stream::Step::kWantRead;
  return Stream::Step::kClosed;
}

// Until the socket is ready for what `step` wants.
Result<void> wait_until(int socket, Stream::Step step, Deadline deadline) {
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) return too_slow();
    const auto left = std::min<std::chrono::steady_clock::duration>(
        deadline - now, std::chrono::steady_clock::duration(std::chrono::hours(1)));
    pollfd one{};
    one.fd = socket;
    one.events = step == Stream::Step::kWantWrite ? POLLOUT : POLLIN;
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    const int ready = ::poll(&one, 1, static_cast<int>(ms));
    if (ready > 0) return Ok{};
    if (ready < 0 && errno != EINTR) return broken();
  }
}

void set_option(int socket, int level, int name) {
  const int on = 1;
  // A socket without it works, only less well.
  static_cast<void>(::setsockopt(socket, level, name, &on, sizeof on));
}

Result<Fd> connect_to(const addrinfo& where, Deadline deadline) {
  Fd socket(::socket(where.ai_family, where.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                     where.ai_protocol));
  if (!socket.valid()) return io_error("open a socket for", "the service", errno);
  if (::connect(socket.get(), where.ai_addr, where.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return broken();
    TRY(wait_until(socket.get(), Stream::Step::kWantWrite, deadline));
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0)
      return Error{Code::kUnavailable, std::string("cannot connect: ") + std::strerror(error)};
  }
  set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY);
  set_option(socket.get(), SOL_SOCKET, SO_KEEPALIVE);
  return socket;
}

// The name's addresses in turn, each with its share of the time.
Result<Fd> connect_socket(const std::string& host, const std::string& port, Deadline deadline) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0)
    return Error{Code::kUnavailable, "no address for " + host + ": " + ::gai_strerror(error)};
  const std::unique_ptr<addrinfo, FreeWith<::freeaddrinfo>> owner(found);
  int count = 0;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) ++count;
  Result<Fd> last = Error{Code::kUnavailable, "no address for " + host};
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next, --count) {
    const auto now = std::chrono::steady_clock::now();
    last = connect_to(*at, now + (deadline - now) / count);
    if (last.ok()) break;
  }
  return last;
}

bool is_numeric(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return ::inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

}  // namespace

struct Stream::State {
  Fd socket;
  SslPtr ssl;  // null: plain bytes
  Bytes pin;
  bool shaken = false;   // the handshake is over
  bool broken = false;   // the connection failed: OpenSSL must not be called again
  bool ended = false;    // we said that we send no more
  bool orderly = false;  // the peer said so

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { say_end(); }

  void say_end() {
    if (!ssl || !shaken || broken || ended) return;
    ended = true;
    ERR_clear_error();
    static_cast<void>(SSL_shutdown(ssl.get()));
    ERR_clear_error();
  }

  // What a failed call of OpenSSL wants.
  Step after_tls(int result) {
    switch (SSL_get_error(ssl.get(), result)) {
      case SSL_ERROR_WANT_READ: return Step::kWantRead;
      case SSL_ERROR_WANT_WRITE: return Step::kWantWrite;
      case SSL_ERROR_ZERO_RETURN: orderly = true; return Step::kClosed;
      default: broken = true; return Step::kClosed;
    }
  }

  Step handshake() {
    if (!ssl || shaken) return Step::kDone;
    if (broken) return Step::kClosed;
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl.get());
    if (result != 1) return after_tls(result);
    shaken = true;
    return Step::kDone;
  }

  Step read(std::span<std::uint8_t> into, std::size_t& got) {
    if (broken || orderly) return Step::kClosed;
    if (ssl) {
      ERR_clear_error();
      const int result = SSL_read_ex(ssl.get(), into.data(), into.size(), &got);
      return result == 1 ? Step::kDone : after_tls(result);
    }
    ssize_t count = -1;
    do count = ::recv(socket.get(), into.data(), into.size(), 0);
    while (count < 0 && errno == EINTR);
    if (count > 0) {
      got = static_cast<std::size_t>(count);
      return Step::kDone;
    }
    if (count == 0) orderly = true;
    const Step step = count == 0 ? Step::kClosed : after_errno(errno);
    if (count < 0 && step == Step::kClosed) broken = true;
    return step;
  }

  Step write(BytesView bytes, std::size_t& put) {
    if (broken || ended) return Step::kClosed;
    if (ssl) {
      ERR_clear_error();
      const int result = SSL_write_ex(ssl.get(), bytes.data(), bytes.size(), &put);
      return result == 1 ? Step::kDone : after_tls(result);
    }
    ssize_t count = -1;
    do count = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    while (count < 0 && errno == EINTR);
    if (count >= 0) {
      put = static_cast<std::size_t>(count);
      return Step::kDone;
    }
    if (after_errno(errno) != Step::kClosed) return Step::kWantWrite;
    broken = true;
    return Step::kClosed;
  }
};

Result<Stream> Stream::connect(const std::string& host, const std::string& port, Deadline deadline,
                               const ServerTls* own) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  auto state = std::make_unique<State>();
  state->socket = TRY(connect_socket(host, port, deadline));
  const SslContextPtr context = make_context(TLS_client_method());
  if (!context) return Error{Code::kUnavailable, "OpenSSL cannot start TLS"};
  if (own != nullptr && !show_identity(context.get(), own->state_->context.get()))
    return Error{Code::kUnavailable, "OpenSSL cannot use the TLS key"};
  // Whose key it is, the caller decides by the pin. That the peer has it, TLS 1.3 always proves.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  state->ssl.reset(SSL_new(context.get()));
  if (!state->ssl || SSL_set_fd(state->ssl.get(), state->socket.get()) != 1 ||
      (!is_numeric(host) && SSL_set_tlsext_host_name(state->ssl.get(), host.c_str()) != 1))
    return Error{Code::kUnavailable, "OpenSSL cannot start TLS"};
  SSL_set_connect_state(state->ssl.get());
  for (Step step = state->handshake(); step != Step::kDone; step = state->handshake()) {
    if (step == Step::kClosed) return Error{Code::kUnavailable, "TLS 1.3 with " + host + " failed"};
    TRY(wait_until(state->socket.get(), step, deadline));
  }
  const CertificatePtr peer(SSL_get1_peer_certificate(state->ssl.get()));
  if (peer) state->pin = pin_of(peer.get());
  if (state->pin.empty()) return Error{Code::kUnavailable, host + " shows no key"};
  return Stream(std::move(state));
}

Result<Stream> Stream::accepted(Fd socket, const ServerTls* tls) {
  auto state = std::make_unique<State>();
  state->socket = std::move(socket);
  const int flags = ::fcntl(state->socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(state->socket.get(), F_SETFL, flags | O_NONBLOCK) != 0)
    return io_error("prepare", "a connection", errno);
  set_option(state->socket.get(), IPPROTO_TCP, TCP_NODELAY);
  set_option(state->socket.get(), SOL_SOCKET, SO_KEEPALIVE);
  if (tls != nullptr) {
    state->ssl.reset(SSL_new(tls->state_->context.get()));
    if (!state->ssl || SSL_set_fd(state->ssl.get(), state->socket.get()) != 1)
      return Error{Code::kUnavailable, "OpenSSL cannot start TLS"};
    SSL_set_accept_state(state->ssl.get());
  }
  return Stream(std::move(state));
}

Stream::Stream(std::unique_ptr<State> state) : state_(std::move(state)) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() = default;

const Bytes& Stream::pin() const { return state_->pin; }
int Stream::socket() const { return state_->socket.get(); }
Stream::Step Stream::try_handshake() { return state_->handshake(); }
Stream::Step Stream::try_read(std::span<std::uint8_t> into, std::size_t& got) {
  return state_->read(into, got);
}

Result<std::size_t> Stream::read_some(std::span<std::uint8_t> into, Deadline deadline) {
  std::size_t have = 0;
  for (;;) {
    std::size_t got = 0;
    const Step step = state_->read(into.subspan(have), got);
    have += got;
    // OpenSSL gives a record at a time. Whoever hashes and writes does so better in larger pieces.
    if (step == Step::kDone && state_->ssl && have < into.size()) continue;
    if (have > 0) return have;
    if (step == Step::kClosed) {
      if (state_->orderly) return std::size_t{0};
      return broken();
    }
    TRY(wait_until(socket(), step, deadline));
  }
}

Result<void> Stream::write_all(BytesView bytes, Deadline deadline) {
  while (!bytes.empty()) {
    std::size_t put = 0;
    const Step step = state_->write(bytes, put);
    if (step == Step::kClosed) return broken();
    if (step == Step::kDone)
      bytes = bytes.subspan(put);
    else
      TRY(wait_until(socket(), step, deadline));
  }
  return Ok{};
}

Result<std::size_t> Stream::send_file(int file, std::size_t most, Deadline deadline) {
  while (!state_->ssl) {
    if (state_->broken || state_->ended) return broken();
    const ssize_t count = ::sendfile(socket(), file, nullptr, most);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EINVAL || errno == ENOSYS) break;  // not from this kind of file
    if (errno == EINTR) continue;
    if (after_errno(errno) == Step::kClosed) return broken();
    TRY(wait_until(socket(), Step::kWantWrite, deadline));
  }
  std::array<std::uint8_t, kReadPiece> piece;
  ssize_t count = -1;
  do count = ::read(file, piece.data(), std::min(most, piece.size()));
  while (count < 0 && errno == EINTR);
  if (count < 0) return io_error("read", "a file to send", errno);
  const auto size = static_cast<std::size_t>(count);
  TRY(write_all(BytesView{piece}.first(size), deadline));
  return size;
}

void Stream::end_writing() {
  state_->say_end();
  state_->ended = true;
  static_cast<void>(::shutdown(socket(), SHUT_WR));
}

}  // namespace holdfast::net
