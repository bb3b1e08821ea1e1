#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <iterator>

#include "net/http_server_parts.h"

namespace holdfast::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::steady_clock;

constexpr std::size_t kScratch = 16 * 1024;
constexpr int kAcceptsAtOnce = 64;
constexpr int kDiscardsAtOnce = 16;
constexpr std::int64_t kPauseMs = 100;    // when there is no descriptor for a new connection
constexpr std::int64_t kLingerMs = 2000;  // for a peer to read the answer that refuses it
constexpr std::int64_t kMaxParkMs = std::int64_t{60} * 60 * 1000;
constexpr std::size_t kWakesKept = 1024;
constexpr double kBurst = 10;

struct Peer {
  std::string address;
  std::string payer;
};

Peer name_of(const sockaddr_storage& from) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (from.ss_family != AF_INET6) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return {text.data(), text.data()};
  }
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(from).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    ::inet_ntop(AF_INET, &v6.s6_addr[12], text.data(), text.size());
    return {text.data(), text.data()};
  }
  ::inet_ntop(AF_INET6, &v6, text.data(), text.size());
  // One customer commonly has a /64.
  return {text.data(), to_hex(BytesView{v6.s6_addr, 8})};
}

void drop_front(Bytes& bytes, std::size_t size) {
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  if (bytes.empty()) Bytes().swap(bytes);  // an idle connection keeps no buffer
}

}  // namespace

// --- queue ---------------------------------------------------------------------------------------

bool Queue::full() const {
  const Lock lock(mutex_);
  return waiting_.size() >= capacity_;
}

bool Queue::put(ConnectionPtr connection) {
  const Lock lock(mutex_);
  if (closed_) return false;
  waiting_.push_back(std::move(connection));
  metrics_.set("holdfast_queue_depth", static_cast<double>(waiting_.size()));
  changed_.notify_one();
  return true;
}

// Null: none may be answered now.
ConnectionPtr Queue::take_first() {
  const auto at =
      std::ranges::find_if(waiting_, [this](const ConnectionPtr& c) HF_REQUIRES(mutex_) {
        const auto busy = working_.find(c->payer);
        return busy == working_.end() || busy->second < share_;
      });
  if (at == waiting_.end()) return nullptr;
  ConnectionPtr connection = std::move(*at);
  waiting_.erase(at);
  ++working_[connection->payer];
  metrics_.set("holdfast_queue_depth", static_cast<double>(waiting_.size()));
  return connection;
}

ConnectionPtr Queue::take() {
  const Lock lock(mutex_);
  for (;;) {
    if (ConnectionPtr connection = take_first()) return connection;
    if (closed_ && waiting_.empty()) return nullptr;
    changed_.wait(mutex_);
  }
}

void Queue::done(const std::string& payer) {
  const Lock lock(mutex_);
  const auto at = working_.find(payer);
  if (--at->second == 0) working_.erase(at);
  // Everyone looks again: for the last of a closed queue too.
  if (!waiting_.empty()) changed_.notify_all();
}

void Queue::close() {
  const Lock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

// --- running and stopping ------------------------------------------------------------------------

Loop::Loop(const ServerOptions& options, const ServerTls& tls, Fd listener, Queue& queue,
           Metrics& metrics)
    : options_(options),
      tls_(tls),
      queue_(queue),
      metrics_(metrics),
      work_(io_.get_executor()),
      listener_(std::move(listener)),
      peers_(io_),
      pause_(io_),
      scratch_(kScratch) {
  asio::post(io_, [this] {
    error_code failed;
    peers_.assign(listener_.get(), failed);
    if (!failed) wait_for_peers();
  });
  show_counts();
}

void Loop::run() {
  for (;;) {
    try {
      io_.run();
      break;
    } catch (...) {
      // No memory for one step of one connection: its timer closes it, the others go on.
      metrics_.add("holdfast_loop_failures_total");
    }
  }
  if (peers_.is_open()) peers_.release();
  const std::set<ConnectionPtr> all = connections_;
  for (const ConnectionPtr& c : all) close(c);
}

void Loop::give_back(ConnectionPtr connection, Outcome outcome) {
  asio::post(io_, [this, c = std::move(connection), o = std::move(outcome)] { returned(c, o); });
}

void Loop::wake(const std::string& topic) {
  asio::post(io_, [this, topic] { wake_now(topic); });
}

std::future<void> Loop::begin_stop() {
  stopping_ = true;
  asio::post(io_, [this] { stop_now(); });
  return drained_.get_future();
}

void Loop::cut() {
  asio::post(io_, [this] {
    cut_ = true;
    const std::set<ConnectionPtr> all = connections_;
    for (const ConnectionPtr& c : all) {
      ::shutdown(c->stream.socket(), SHUT_RDWR);
      if (c->phase != Phase::kWorking) close(c);
    }
  });
}

void Loop::end() {
  work_.reset();
  io_.stop();
}

void Loop::stop_now() {
  if (peers_.is_open()) peers_.release();
  static_cast<void>(pause_.cancel());
  listener_.reset();
  const std::set<ConnectionPtr> all = connections_;
  for (const ConnectionPtr& c : all) {
    if (c->phase == Phase::kParked) {
      c->exchange->request.wait_over = true;
      resume(c);
    } else if (c->phase == Phase::kHeld) {
      dispatch(c);
    } else if (c->phase != Phase::kWorking && c->phase != Phase::kLingering) {
      close(c);
    }
  }
  note_drained();
}

void Loop::note_drained() {
  if (!stopping_ || !connections_.empty() || drained_set_) return;
  drained_set_ = true;
  drained_.set_value();
}

void Loop::show_counts() {
  metrics_.set("holdfast_connections_open", static_cast<double>(connections_.size()));
  metrics_.set("holdfast_connections_parked", static_cast<double>(parked_count_));
}

// --- new connections -----------------------------------------------------------------------------

void Loop::wait_for_peers() {
  peers_.async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code failed) {
    if (!failed && !stopping_) accept_some();
  });
}

void Loop::accept_some() {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    Fd socket(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&from), &size,
                        SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.valid()) {
      Peer peer = name_of(from);
      admit(std::move(socket), std::move(peer.address), std::move(peer.payer));
    } else if (errno == EAGAIN) {
      break;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      refused("resources");
      pause_.expires_after(std::chrono::milliseconds(kPauseMs));
      pause_.async_wait([this](error_code failed) {
        if (!failed && !stopping_) wait_for_peers();
      });
      return;
    }  // else: that one peer is gone already
  }
  wait_for_peers();
}

void Loop::admit(Fd socket, std::string address, std::string payer) {
  if (connections_.size() >= options_.max_connections) return refused("all");
  forget_payers();
  const auto [at, is_new] = payers_.try_emplace(payer);
  Account& account = at->second;
  if (is_new) {
    account.tokens = options_.requests_per_second_per_address * kBurst;
    account.filled = steady_clock::now();
  }
  if (account.connections >= options_.max_connections_per_address) return refused("address");
  auto stream = Stream::accepted(std::move(socket), options_.plain ? nullptr : &tls_);
  if (!stream.ok()) return refused("resources");
  const auto c = std::make_shared<Connection>(io_, std::move(*stream));
  c->address = std::move(address);
  c->payer = std::move(payer);
  connections_.insert(c);
  ++account.connections;
  show_counts();
  set_deadline(c, in_ms(options_.head_ms));
  attach(c);
  if (c->phase != Phase::kClosed) shake_hands(c);
}

void Loop::refused(const char* reason) {
  metrics_.add(std::string("holdfast_connections_refused_total{reason=\"") + reason + "\"}");
}

void Loop::refill(Account& account, Deadline now) const {
  const double rate = options_.requests_per_second_per_address;
  const std::chrono::duration<double> passed = now - account.filled;
  account.tokens = std::min(rate * kBurst, account.tokens + rate * passed.count());
  account.filled = now;
}

bool Loop::may_request(const std::string& payer) {
  Account& account = payers_[payer];
  refill(account, steady_clock::now());
  if (account.tokens < 1) return false;
  account.tokens -= 1;
  return true;
}

// Only when most of the table is of payers without a connection: amortised, it costs nothing.
void Loop::forget_payers() {
  if (payers_.size() < 2 * connections_.size() + 1024) return;
  const auto now = steady_clock::now();
  const double most = options_.requests_per_second_per_address * kBurst;
  for (auto at = payers_.begin(); at != payers_.end();) {
    refill(at->second, now);
    const bool idle = at->second.connections == 0 && at->second.tokens >= most;
    at = idle ? payers_.erase(at) : std::next(at);
  }
}

// --- readiness and time --------------------------------------------------------------------------

void Loop::attach(const ConnectionPtr& c) {
  error_code failed;
  c->ready.assign(c->stream.socket(), failed);
  if (failed) close(c);
}

void Loop::detach(Connection& c) {
  ++c.wait_epoch;  // a completion may be on its way already
  c.waiting = false;
  if (c.ready.is_open()) c.ready.release();
}

void Loop::wait(const ConnectionPtr& c, Stream::Step step) {
  if (c->waiting) return;
  c->waiting = true;
  const auto kind = step == Stream::Step::kWantWrite ? asio::posix::stream_descriptor::wait_write
                                                     : asio::posix::stream_descriptor::wait_read;
  c->ready.async_wait(kind, [this, c, epoch = c->wait_epoch](error_code failed) {
    if (epoch != c->wait_epoch) return;
    c->waiting = false;
    if (failed)
      close(c);
    else
      on_ready(c);
  });
}

void Loop::set_deadline(const ConnectionPtr& c, Deadline deadline) {
  c->timer.expires_at(deadline);
  c->timer.async_wait([this, c, epoch = ++c->timer_epoch](error_code failed) {
    if (!failed && epoch == c->timer_epoch) on_deadline(c);
  });
}

void Loop::clear_deadline(Connection& c) {
  ++c.timer_epoch;
  static_cast<void>(c.timer.cancel());
}

void Loop::on_ready(const ConnectionPtr& c) {
  switch (c->phase) {
    case Phase::kHandshake: return shake_hands(c);
    case Phase::kIdle:
    case Phase::kHead: return read_head(c);
    case Phase::kParked: return watch_parked(c);
    case Phase::kLingering: return discard(c);
    case Phase::kWorking:
    case Phase::kHeld:
    case Phase::kClosed: return;
  }
}

void Loop::on_deadline(const ConnectionPtr& c) {
  switch (c->phase) {
    case Phase::kHead: static_cast<void>(refuse(c, 408, false)); return;
    case Phase::kParked: c->exchange->request.wait_over = true; return resume(c);
    case Phase::kHeld: return dispatch(c);
    case Phase::kHandshake: refused("handshake"); return close(c);
    case Phase::kIdle:
    case Phase::kLingering: return close(c);
    case Phase::kWorking:
    case Phase::kClosed: return;
  }
}

// --- up to a request -----------------------------------------------------------------------------

void Loop::shake_hands(const ConnectionPtr& c) {
  const Stream::Step step = c->stream.try_handshake();
  if (step == Stream::Step::kDone) return expect_request(c);
  if (step != Stream::Step::kClosed) return wait(c, step);
  refused("handshake");
  close(c);
}

void Loop::expect_request(const ConnectionPtr& c) {
  c->head_end = {};
  c->phase = c->early.empty() ? Phase::kIdle : Phase::kHead;
  set_deadline(c, in_ms(c->early.empty() ? options_.idle_ms : options_.head_ms));
  read_head(c);
}

void Loop::read_head(const ConnectionPtr& c) {
  for (;;) {
    if (const auto end = c->head_end.find(c->early)) {
      if (!take_head(c, *end)) return;
      continue;
    }
    if (c->early.size() > options_.max_head) {
      static_cast<void>(refuse(c, 431, false));
      return;
    }
    std::size_t got = 0;
    const Stream::Step step = c->stream.try_read(scratch_, got);
    if (step == Stream::Step::kClosed) return close(c);
    if (step != Stream::Step::kDone) return wait(c, step);
    if (c->phase == Phase::kIdle) {
      c->phase = Phase::kHead;
      set_deadline(c, in_ms(options_.head_ms));
    }
    append(c->early, BytesView{scratch_}.first(got));
  }
}

// True: the request was refused and the next head may come.
bool Loop::take_head(const ConnectionPtr& c, std::size_t end) {
  if (end > options_.max_head) return refuse(c, 431, false);
  auto parsed = parse_head(BytesView{c->early}.first(end));
  if (const auto* status = std::get_if<unsigned>(&parsed)) return refuse(c, *status, false);
  Head& head = std::get<Head>(parsed);
  drop_front(c->early, end);
  c->head_end = {};
  const bool keep = head.keep_alive && head.request.content_length == 0;
  if (!may_request(c->payer)) return refuse(c, 429, keep);
  if (queue_.full()) return refuse(c, 503, keep);
  auto exchange = std::make_unique<Exchange>();
  exchange->id = new_exchange_id();
  exchange->request = std::move(head.request);
  exchange->request.address = c->address;
  exchange->request.payer = c->payer;
  exchange->keep_alive = head.keep_alive;
  exchange->expects_continue = head.expects_continue;
  exchange->body_left = exchange->request.content_length;
  exchange->bytes_in = end;
  c->exchange = std::move(exchange);
  dispatch(c);
  return false;
}

// A short answer from the loop itself: it fits into the socket's buffer, or the peer gets none.
bool Loop::refuse(const ConnectionPtr& c, unsigned status, bool keep) {
  const Response response = plain_response(status);
  const Bytes& body = std::get<Bytes>(response.body);
  const ExchangeId id = new_exchange_id();
  const std::string head = format_head({status, response.content_type, body.size(), keep, id});
  Bytes all = to_bytes(as_bytes(head));
  append(all, body);
  metrics_.observe(response.route, status, 0, 0, all.size());
  const bool written = c->stream.write_all(all, steady_clock::now()).ok();
  // Never unasked: whoever is refused could fill the log.
  if (options_.log != nullptr && options_.log_requests)
    log_answer(*options_.log, {id, {}, response, 0, all.size(), 0, written});
  if (!written) {
    close(c);
    return false;
  }
  if (!keep) {
    linger(c);
    return false;
  }
  c->phase = c->early.empty() ? Phase::kIdle : Phase::kHead;
  set_deadline(c, in_ms(c->early.empty() ? options_.idle_ms : options_.head_ms));
  return true;
}

void Loop::dispatch(const ConnectionPtr& c) {
  c->phase = Phase::kWorking;
  clear_deadline(*c);
  detach(*c);
  c->exchange->wakes_seen = wake_count_;
  // One that was held keeps its time: it is as long as the peer waited.
  if (!c->exchange->held) c->exchange->begun = steady_clock::now();
  if (!queue_.put(c)) close(c);
}

// --- after a request -----------------------------------------------------------------------------

void Loop::returned(const ConnectionPtr& c, const Outcome& outcome) {
  if (c->phase != Phase::kWorking) return;
  if (outcome.next == Outcome::Next::kPark) return park(c, outcome.park);
  if (outcome.next == Outcome::Next::kHold) return hold(c, outcome.held_until);
  c->exchange.reset();
  if (outcome.next == Outcome::Next::kClose || cut_) return close(c);
  if (outcome.next == Outcome::Next::kKeep && stopping_) return close(c);
  attach(c);
  if (c->phase == Phase::kClosed) return;
  if (outcome.next == Outcome::Next::kKeep)
    expect_request(c);
  else
    linger(c);
}

// Closing a socket with unread bytes resets the connection, and the peer may never see the answer:
// it is told that nothing more comes, and what it still sends is thrown away for a while.
void Loop::linger(const ConnectionPtr& c) {
  c->phase = Phase::kLingering;
  Bytes().swap(c->early);
  c->stream.end_writing();
  set_deadline(c, in_ms(kLingerMs));
  discard(c);
}

void Loop::discard(const ConnectionPtr& c) {
  for (int i = 0; i < kDiscardsAtOnce; ++i) {
    const ssize_t size = ::recv(c->stream.socket(), scratch_.data(), scratch_.size(), MSG_DONTWAIT);
    if (size > 0) continue;
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) break;
    return close(c);
  }
  wait(c, Stream::Step::kWantRead);
}

void Loop::close(const ConnectionPtr& c) {
  if (c->phase == Phase::kClosed) return;
  unpark(c);
  c->phase = Phase::kClosed;
  clear_deadline(*c);
  detach(*c);
  const auto at = payers_.find(c->payer);
  if (at != payers_.end() && at->second.connections > 0) --at->second.connections;
  connections_.erase(c);
  show_counts();
  note_drained();
}

// --- parked --------------------------------------------------------------------------------------

void Loop::park(const ConnectionPtr& c, const Park& wish) {
  Exchange& exchange = *c->exchange;
  const auto now = steady_clock::now();
  if (!exchange.park_until)
    exchange.park_until =
        now + std::chrono::milliseconds(std::clamp<std::int64_t>(wish.for_ms, 0, kMaxParkMs));
  if (cut_) return close(c);
  if (stopping_ || now >= *exchange.park_until) {
    exchange.request.wait_over = true;
    return resume(c);
  }
  if (woken_since(exchange.wakes_seen, wish.topic)) return resume(c);
  attach(c);
  if (c->phase == Phase::kClosed) return;
  c->phase = Phase::kParked;
  c->topic = wish.topic;
  parked_[c->topic].insert(c);
  ++parked_count_;
  show_counts();
  set_deadline(c, *exchange.park_until);
  watch_parked(c);
}

// Nobody looks at its socket meanwhile: it is for a moment.
void Loop::hold(const ConnectionPtr& c, Deadline until) {
  if (cut_) return close(c);
  if (stopping_) return dispatch(c);
  c->phase = Phase::kHeld;
  set_deadline(c, until);
}

void Loop::unpark(const ConnectionPtr& c) {
  if (c->phase != Phase::kParked) return;
  const auto at = parked_.find(c->topic);
  at->second.erase(c);
  if (at->second.empty()) parked_.erase(at);
  --parked_count_;
  show_counts();
}

// A peer that goes away is noticed; one that sends the next request already must wait.
void Loop::watch_parked(const ConnectionPtr& c) {
  while (c->early.size() < options_.max_head) {
    std::size_t got = 0;
    const Stream::Step step = c->stream.try_read(scratch_, got);
    if (step == Stream::Step::kClosed) return close(c);
    if (step != Stream::Step::kDone) return wait(c, step);
    append(c->early, BytesView{scratch_}.first(got));
  }
}

void Loop::resume(const ConnectionPtr& c) {
  unpark(c);
  c->exchange->request.resumed = true;
  dispatch(c);
}

// A wake that came between the handler's look at the world and its parking must not be lost.
bool Loop::woken_since(std::uint64_t seen, const std::string& topic) const {
  if (!wakes_.empty() && wakes_.front().number > seen + 1) return true;  // forgotten: perhaps
  return std::any_of(wakes_.begin(), wakes_.end(),
                     [&](const Wake& wake) { return wake.number > seen && wake.topic == topic; });
}

void Loop::wake_now(const std::string& topic) {
  wakes_.push_back({++wake_count_, topic});
  if (wakes_.size() > kWakesKept) wakes_.pop_front();
  const auto at = parked_.find(topic);
  if (at == parked_.end()) return;
  const std::set<ConnectionPtr> woken = at->second;
  for (const ConnectionPtr& c : woken) resume(c);
}

}  // namespace holdfast::net
