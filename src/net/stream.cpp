#include "net/stream.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>

#include "net/tls_identity.h"

namespace holdfast::net {
namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using Ssl = std::unique_ptr<SSL, Freed<SSL_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;

Error closed() { return {Code::kUnavailable, "the connection broke"}; }
Error too_slow() { return {Code::kUnavailable, "the other side took too long"}; }

// Waits for an event on the socket until the deadline.
Result<void> wait_for(int fd, short events, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return too_slow();
    pollfd p{fd, events, 0};
    const int ready =
        ::poll(&p, 1, static_cast<int>(std::min<std::int64_t>(left.count() + 1, 60'000)));
    if (ready > 0) return Ok{};
    if (ready < 0 && errno != EINTR) return closed();
  }
}

// OpenSSL writes with write(2): a peer that is gone must not end the process.
void ignore_sigpipe() {
  static std::once_flag once;
  std::call_once(once, [] { std::signal(SIGPIPE, SIG_IGN); });
}

Context client_context() {
  Context context(SSL_CTX_new(TLS_client_method()));
  if (context) {
    SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);  // the caller compares the pin
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  }
  return context;
}

Result<Fd> connect_to(const addrinfo& where, Deadline deadline) {
  Fd fd(::socket(where.ai_family, where.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                 where.ai_protocol));
  if (!fd.valid()) return closed();
  if (::connect(fd.get(), where.ai_addr, where.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return Error{Code::kUnavailable, std::strerror(errno)};
    TRY(wait_for(fd.get(), POLLOUT, deadline));
    int failed = 0;
    socklen_t size = sizeof failed;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failed, &size);
    if (failed != 0) return Error{Code::kUnavailable, std::strerror(failed)};
  }
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

Result<Fd> connect_to(const std::string& host, const std::string& port, Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int status = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); status != 0)
    return Error{Code::kUnavailable, std::string(::gai_strerror(status))};
  const std::unique_ptr<addrinfo, Freed<freeaddrinfo>> all(found);
  Error last = closed();
  for (const addrinfo* a = all.get(); a != nullptr; a = a->ai_next) {
    auto fd = connect_to(*a, deadline);
    if (fd.ok()) return fd;
    last = std::move(fd).error();
  }
  return last;
}

}  // namespace

struct Stream::State {
  Fd fd;
  Context context;  // of a client
  Ssl ssl;          // null: plain
  Bytes pin;

  enum class Outcome { kOk, kWantRead, kWantWrite, kClosed };
  Outcome outcome(int result) const {
    switch (SSL_get_error(ssl.get(), result)) {
      case SSL_ERROR_WANT_READ: return Outcome::kWantRead;
      case SSL_ERROR_WANT_WRITE: return Outcome::kWantWrite;
      default: return Outcome::kClosed;
    }
  }
  Outcome read(std::span<std::uint8_t> into, std::size_t& got) {
    if (ssl) {
      ERR_clear_error();
      const int result = SSL_read_ex(ssl.get(), into.data(), into.size(), &got);
      return result == 1 ? Outcome::kOk : outcome(result);
    }
    const ssize_t n = ::recv(fd.get(), into.data(), into.size(), 0);
    if (n > 0) got = static_cast<std::size_t>(n);
    if (n > 0) return Outcome::kOk;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
      return Outcome::kWantRead;
    return Outcome::kClosed;
  }
  Outcome write(BytesView bytes, std::size_t& put) {
    if (ssl) {
      ERR_clear_error();
      const int result = SSL_write_ex(ssl.get(), bytes.data(), bytes.size(), &put);
      return result == 1 ? Outcome::kOk : outcome(result);
    }
    const ssize_t n = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) put = static_cast<std::size_t>(n);
    if (n >= 0) return Outcome::kOk;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return Outcome::kWantWrite;
    return Outcome::kClosed;
  }
};

Stream::Stream(std::unique_ptr<State> state) : state_(std::move(state)) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() {
  if (!state_ || !state_->ssl) return;
  ERR_clear_error();
  SSL_shutdown(state_->ssl.get());  // says goodbye, waits for none
}

Result<Stream> Stream::connect(const std::string& host, const std::string& port,
                               Deadline deadline) {
  ignore_sigpipe();
  auto state = std::make_unique<State>();
  state->fd = TRY(connect_to(host, port, deadline));
  state->context = client_context();
  if (state->context) state->ssl.reset(SSL_new(state->context.get()));
  if (!state->ssl || SSL_set_fd(state->ssl.get(), state->fd.get()) != 1)
    return Error{Code::kUnavailable, "TLS cannot start"};
  if (host.find_first_not_of("0123456789.") != std::string::npos &&
      host.find(':') == std::string::npos)
    SSL_set_tlsext_host_name(state->ssl.get(), host.c_str());
  SSL_set_connect_state(state->ssl.get());
  Stream stream(std::move(state));
  for (;;) {
    const Step step = stream.try_handshake();
    if (step == Step::kDone) break;
    if (step == Step::kClosed) return Error{Code::kUnavailable, "it speaks no TLS 1.3"};
    TRY(wait_for(stream.socket(), step == Step::kWantRead ? POLLIN : POLLOUT, deadline));
  }
  const std::unique_ptr<X509, Freed<X509_free>> certificate(
      SSL_get1_peer_certificate(stream.state_->ssl.get()));
  if (!certificate) return Error{Code::kUnavailable, "it shows no key"};
  stream.state_->pin = pin_of(certificate.get());
  return stream;
}

Result<Stream> Stream::accepted(Fd socket, const ServerTls* tls) {
  ignore_sigpipe();
  auto state = std::make_unique<State>();
  state->fd = std::move(socket);
  if (tls != nullptr) {
    state->ssl.reset(SSL_new(tls->state_->context.get()));
    if (!state->ssl || SSL_set_fd(state->ssl.get(), state->fd.get()) != 1)
      return Error{Code::kUnavailable, "TLS cannot start"};
    SSL_set_accept_state(state->ssl.get());
  }
  return Stream(std::move(state));
}

const Bytes& Stream::pin() const { return state_->pin; }
int Stream::socket() const { return state_->fd.get(); }

Stream::Step Stream::try_handshake() {
  if (!state_->ssl) return Step::kDone;
  ERR_clear_error();
  const int result = SSL_do_handshake(state_->ssl.get());
  if (result == 1) return Step::kDone;
  switch (state_->outcome(result)) {
    case State::Outcome::kWantRead: return Step::kWantRead;
    case State::Outcome::kWantWrite: return Step::kWantWrite;
    case State::Outcome::kOk:
    case State::Outcome::kClosed: break;
  }
  return Step::kClosed;
}

Stream::Step Stream::try_read(std::span<std::uint8_t> into, std::size_t& got) {
  got = 0;
  switch (state_->read(into, got)) {
    case State::Outcome::kOk: return Step::kDone;
    case State::Outcome::kWantRead: return Step::kWantRead;
    case State::Outcome::kWantWrite: return Step::kWantWrite;
    case State::Outcome::kClosed: break;
  }
  return Step::kClosed;
}

Result<std::size_t> Stream::read_some(std::span<std::uint8_t> into, Deadline deadline) {
  for (;;) {
    std::size_t got = 0;
    const Step step = try_read(into, got);
    if (step == Step::kDone) return got;
    if (step == Step::kClosed) return std::size_t{0};
    TRY(wait_for(socket(), step == Step::kWantRead ? POLLIN : POLLOUT, deadline));
  }
}

Result<void> Stream::write_all(BytesView bytes, Deadline deadline) {
  while (!bytes.empty()) {
    std::size_t put = 0;
    switch (state_->write(bytes, put)) {
      case State::Outcome::kOk: bytes = bytes.subspan(put); continue;
      case State::Outcome::kWantRead: TRY(wait_for(socket(), POLLIN, deadline)); continue;
      case State::Outcome::kWantWrite: TRY(wait_for(socket(), POLLOUT, deadline)); continue;
      case State::Outcome::kClosed: return closed();
    }
  }
  return Ok{};
}

}  // namespace holdfast::net
