// The parts of HttpServer. Only for the http_server*.cpp files, and what tests them.
//
// A connection is owned by the loop (one thread, never blocked by a peer) while it shakes hands,
// idles, sends a head, is parked or lingers; and by a worker while its request is answered. It goes
// to a worker through the Queue and comes back through Loop::give_back.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <variant>

#include "base/mutex.h"
#include "net/http_server.h"

namespace holdfast::net {

// --- heads: http_server_head.cpp -----------------------------------------------------------------

struct Head {
  Request request;
  bool keep_alive = false;
  bool expects_continue = false;
};
// A head up to and with its empty line; or the status that refuses it.
std::variant<Head, unsigned> parse_head(BytesView bytes);

// Where a head ends that comes piece by piece: no byte is looked at twice.
class HeadEnd {
 public:
  // After the empty line; nullopt: it is not there yet. `bytes` are all that came so far, from the
  // head's first on.
  std::optional<std::size_t> find(BytesView bytes);

 private:
  std::size_t scanned_ = 0;  // no empty line begins before this
};

// Names one request in the log, and to the peer in an answer that is an error.
using ExchangeId = Id<struct ExchangeTag, 8>;
ExchangeId new_exchange_id();

struct Framing {
  unsigned status = 200;
  std::string content_type;
  std::uint64_t content_length = 0;
  bool keep_alive = false;
  ExchangeId id;
};
std::string format_head(const Framing& framing);
// The service's own answer when no handler has one: a line of text.
Response plain_response(unsigned status);

// --- connections ---------------------------------------------------------------------------------

// One request and where it stands.
struct Exchange {
  ExchangeId id;
  Request request;
  bool keep_alive = false;
  bool expects_continue = false;
  std::uint64_t body_left = 0;         // not yet given to the handler
  std::uint64_t wakes_seen = 0;        // how many wakes there had been when the handler began
  std::optional<Deadline> park_until;  // set when it parks first, and kept
  std::optional<Response> held;        // the answer that waits for its time
  Deadline begun;
  std::uint64_t bytes_in = 0;
};

enum class Phase { kHandshake, kIdle, kHead, kWorking, kParked, kHeld, kLingering, kClosed };

struct Connection {
  Connection(boost::asio::io_context& io, Stream s) : stream(std::move(s)), ready(io), timer(io) {}
  ~Connection() {
    if (ready.is_open()) ready.release();  // the stream closes the socket
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Whoever has the connection, loop or worker:
  Stream stream;
  Bytes early;  // read and not yet used: a head that is coming, the start of a body, a next request
  std::unique_ptr<Exchange> exchange;

  // Set once, before it goes to a worker first:
  std::string address;
  std::string payer;  // whom limits count: the address, or the /64 of IPv6

  // The loop only:
  Phase phase = Phase::kHandshake;
  HeadEnd head_end;   // of the head that `early` begins with
  std::string topic;  // while parked
  boost::asio::posix::stream_descriptor ready;
  boost::asio::steady_timer timer;
  bool waiting = false;          // for readiness
  std::uint64_t wait_epoch = 0;  // a completion with an older one is stale
  std::uint64_t timer_epoch = 0;
};
using ConnectionPtr = std::shared_ptr<Connection>;

// What a worker leaves to the loop.
struct Outcome {
  enum class Next { kKeep, kLinger, kClose, kPark, kHold };
  Next next = Next::kClose;
  Park park;
  Deadline held_until{};
};

// Answers the request of a connection, blocking. Throws nothing.
Outcome answer(Connection& connection, Handler& handler, Metrics& metrics,
               const ServerOptions& options, const std::atomic<bool>& stopping);

// What there was to one answer.
struct Answered {
  ExchangeId id;
  std::string_view method;  // "" when the head could not be read
  const Response& response;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  double seconds = 0;     // without the time it was parked
  bool complete = false;  // the peer took all of it
};
void log_answer(const Log& log, const Answered& answered);

// --- from loop to workers ------------------------------------------------------------------------

// One payer has at most `share` workers at a time: slow bodies cost a stranger little, and must not
// hold up everyone.
class Queue {
 public:
  Queue(std::size_t capacity, unsigned share, Metrics& metrics)
      : capacity_(capacity), share_(share), metrics_(metrics) {}
  // The loop alone puts, so that there is still room after it was told so.
  bool full() const;
  // False once the queue is closed. May exceed the capacity: for those that have waited already.
  bool put(ConnectionPtr connection);
  // The oldest whose payer has a worker left. Null once the queue is closed and empty.
  ConnectionPtr take();
  // What take() gave is answered.
  void done(const std::string& payer);
  void close();

 private:
  ConnectionPtr take_first() HF_REQUIRES(mutex_);

  const std::size_t capacity_;
  const unsigned share_;
  Metrics& metrics_;
  mutable Mutex mutex_;
  Condition changed_;
  std::deque<ConnectionPtr> waiting_ HF_GUARDED_BY(mutex_);
  std::map<std::string, unsigned> working_ HF_GUARDED_BY(mutex_);  // workers by payer
  bool closed_ HF_GUARDED_BY(mutex_) = false;
};

// --- the loop: http_server_loop.cpp --------------------------------------------------------------

class Loop {
 public:
  Loop(const ServerOptions& options, const ServerTls& tls, Fd listener, Queue& queue,
       Metrics& metrics);

  void run();  // in its thread, until end()

  // From any thread:
  void give_back(ConnectionPtr connection, Outcome outcome);
  void wake(const std::string& topic);
  // Takes nothing new; the future is ready when no connection is left. Once.
  std::future<void> begin_stop();
  void cut();  // breaks every connection, so that no worker waits for a peer
  void end();
  const std::atomic<bool>& stopping() const { return stopping_; }

 private:
  // Of one payer.
  struct Account {
    unsigned connections = 0;
    double tokens = 0;
    Deadline filled;
  };
  struct Wake {
    std::uint64_t number;
    std::string topic;
  };

  void wait_for_peers();
  void accept_some();
  void admit(Fd socket, std::string address, std::string payer);
  void refused(const char* reason);
  bool may_request(const std::string& payer);
  void refill(Account& account, Deadline now) const;
  void forget_payers();

  void attach(const ConnectionPtr& c);  // the loop has it again
  void detach(Connection& c);           // before a worker has it
  void wait(const ConnectionPtr& c, Stream::Step step);
  void set_deadline(const ConnectionPtr& c, Deadline deadline);
  void clear_deadline(Connection& c);
  void on_ready(const ConnectionPtr& c);
  void on_deadline(const ConnectionPtr& c);

  void shake_hands(const ConnectionPtr& c);
  void expect_request(const ConnectionPtr& c);
  void read_head(const ConnectionPtr& c);
  bool take_head(const ConnectionPtr& c, std::size_t end);
  bool refuse(const ConnectionPtr& c, unsigned status, bool keep);
  void dispatch(const ConnectionPtr& c);
  void returned(const ConnectionPtr& c, const Outcome& outcome);
  void linger(const ConnectionPtr& c);
  void discard(const ConnectionPtr& c);
  void close(const ConnectionPtr& c);

  void park(const ConnectionPtr& c, const Park& wish);
  void hold(const ConnectionPtr& c, Deadline until);
  void unpark(const ConnectionPtr& c);
  void watch_parked(const ConnectionPtr& c);
  void resume(const ConnectionPtr& c);
  bool woken_since(std::uint64_t seen, const std::string& topic) const;
  void wake_now(const std::string& topic);
  void stop_now();
  void note_drained();
  void show_counts();

  const ServerOptions& options_;
  const ServerTls& tls_;
  Queue& queue_;
  Metrics& metrics_;
  std::atomic<bool> stopping_ = false;
  std::promise<void> drained_;

  // The loop's thread only. Connections are declared after what they are made on.
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  Fd listener_;
  boost::asio::posix::stream_descriptor peers_;
  boost::asio::steady_timer pause_;
  std::vector<std::uint8_t> scratch_;
  std::unordered_map<std::string, Account> payers_;
  std::deque<Wake> wakes_;  // the newest
  std::uint64_t wake_count_ = 0;
  bool drained_set_ = false;
  bool cut_ = false;
  std::set<ConnectionPtr> connections_;
  std::map<std::string, std::set<ConnectionPtr>> parked_;
  std::size_t parked_count_ = 0;
};

}  // namespace holdfast::net
