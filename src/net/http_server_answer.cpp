#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

#include "net/http_server_parts.h"

namespace holdfast::net {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kWritePiece = 16 * 1024;  // a TLS record
constexpr std::size_t kFilePiece = 256 * 1024;

// How long a peer may keep us waiting. Only waiting for it counts, not what the handler does.
class Pace {
 public:
  explicit Pace(const ServerOptions& options) : options_(options) {}

  Deadline next() const {
    std::int64_t ms = options_.stall_ms;
    if (options_.bytes_per_second > 0) {
      const auto earned = static_cast<std::int64_t>(
          moved_ * 1000 / static_cast<std::uint64_t>(options_.bytes_per_second));
      const auto used = duration_cast<milliseconds>(waited_).count();
      ms = std::clamp<std::int64_t>(options_.stall_ms + earned - used, 0, options_.stall_ms);
    }
    return in_ms(ms);
  }
  void add(std::size_t bytes, steady_clock::time_point since) {
    moved_ += bytes;
    waited_ += steady_clock::now() - since;
  }

 private:
  const ServerOptions& options_;
  std::uint64_t moved_ = 0;
  steady_clock::duration waited_{};
};

class SocketBody final : public Body {
 public:
  SocketBody(Connection& connection, const ServerOptions& options)
      : connection_(connection), exchange_(*connection.exchange), pace_(options) {}

  Result<std::size_t> read(std::span<std::uint8_t> into) override {
    if (failed_) return gone();
    into = into.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), exchange_.body_left)));
    if (into.empty()) return std::size_t{0};
    if (!connection_.early.empty()) return take_early(into);
    const auto since = steady_clock::now();
    if (exchange_.expects_continue) {
      exchange_.expects_continue = false;
      if (!connection_.stream.write_all(as_bytes("HTTP/1.1 100 Continue\r\n\r\n"), pace_.next()))
        return gone();
    }
    const auto got = connection_.stream.read_some(into, pace_.next());
    if (!got.ok() || *got == 0) return gone();
    pace_.add(*got, since);
    return took(*got);
  }

  // What came together with the head costs nothing to read.
  void drop_early() {
    Bytes& early = connection_.early;
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(early.size(), exchange_.body_left));
    if (size != exchange_.body_left) return;
    early.erase(early.begin(), early.begin() + static_cast<std::ptrdiff_t>(size));
    exchange_.body_left = 0;
  }
  bool failed() const { return failed_; }

 private:
  Error gone() {
    failed_ = true;
    return {Code::kUnavailable, "the body of the request did not come to its end"};
  }
  Result<std::size_t> take_early(std::span<std::uint8_t> into) {
    Bytes& early = connection_.early;
    const std::size_t size = std::min(into.size(), early.size());
    std::copy_n(early.begin(), size, into.begin());
    early.erase(early.begin(), early.begin() + static_cast<std::ptrdiff_t>(size));
    if (early.empty()) Bytes().swap(early);
    return took(size);
  }
  std::size_t took(std::size_t size) {
    exchange_.body_left -= size;
    exchange_.bytes_in += size;
    return size;
  }

  Connection& connection_;
  Exchange& exchange_;
  Pace pace_;
  bool failed_ = false;
};

class Writer {
 public:
  Writer(Stream& stream, const ServerOptions& options) : stream_(stream), pace_(options) {}

  Result<void> put(BytesView bytes) {
    while (!bytes.empty()) {
      const BytesView piece = bytes.first(std::min(bytes.size(), kWritePiece));
      const auto since = steady_clock::now();
      TRY(stream_.write_all(piece, pace_.next()));
      count(piece.size(), since);
      bytes = bytes.subspan(piece.size());
    }
    return Ok{};
  }
  Result<void> put(const FileBody& file) {
    for (std::uint64_t left = file.size; left > 0;) {
      const auto since = steady_clock::now();
      const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(left, kFilePiece));
      const std::size_t sent = TRY(stream_.send_file(file.file.get(), most, pace_.next()));
      if (sent == 0) return Error{Code::kCorrupt, "a file to send is shorter than it was"};
      count(sent, since);
      left -= sent;
    }
    return Ok{};
  }
  std::uint64_t written() const { return written_; }

 private:
  void count(std::size_t bytes, steady_clock::time_point since) {
    pace_.add(bytes, since);
    written_ += bytes;
  }

  Stream& stream_;
  Pace pace_;
  std::uint64_t written_ = 0;
};

std::uint64_t size_of(const Response& response) {
  if (const auto* file = std::get_if<FileBody>(&response.body)) return file->size;
  return std::get<Bytes>(response.body).size();
}

Result<void> write(Writer& writer, const Response& response, const Exchange& exchange,
                   bool keep_alive) {
  const std::string head = format_head(
      {response.status, response.content_type, size_of(response), keep_alive, exchange.id});
  if (exchange.request.method == "HEAD") return writer.put(as_bytes(head));
  if (const auto* file = std::get_if<FileBody>(&response.body)) {
    TRY(writer.put(as_bytes(head)));
    return writer.put(*file);
  }
  const Bytes& body = std::get<Bytes>(response.body);
  Bytes first = to_bytes(as_bytes(head));  // a small answer is one packet
  const std::size_t with = std::min(body.size(), kWritePiece - std::min(kWritePiece, first.size()));
  append(first, BytesView{body}.first(with));
  TRY(writer.put(first));
  return writer.put(BytesView{body}.subspan(with));
}

// A peer may send any word.
Word known(std::string_view method) {
  if (method == "GET") return "GET";
  if (method == "PUT") return "PUT";
  if (method == "POST") return "POST";
  if (method == "HEAD") return "HEAD";
  if (method == "DELETE") return "DELETE";
  return "other";
}

Response response_to(Exchange& exchange, Handler& handler, SocketBody& body) {
  if (exchange.held) return *std::exchange(exchange.held, std::nullopt);
  try {
    return handler.handle(exchange.request, body);
  } catch (...) {
    exchange.keep_alive = false;
    return plain_response(500);
  }
}

Outcome answer_or_throw(Connection& connection, Handler& handler, Metrics& metrics,
                        const ServerOptions& options, const std::atomic<bool>& stopping) {
  Exchange& exchange = *connection.exchange;
  SocketBody body(connection, options);
  Response response = response_to(exchange, handler, body);
  if (response.park && !exchange.request.wait_over)
    return {Outcome::Next::kPark, std::move(*response.park)};
  if (response.park) response = plain_response(503);  // it has waited long enough
  const Deadline earliest = exchange.begun + milliseconds(response.not_before_ms);
  if (response.not_before_ms > 0 && steady_clock::now() < earliest) {
    response.not_before_ms = 0;
    exchange.held = std::move(response);
    return {Outcome::Next::kHold, {}, earliest};
  }
  body.drop_early();
  const bool keep = exchange.keep_alive && !stopping && !body.failed() && exchange.body_left == 0;
  Writer writer(connection.stream, options);
  const bool written = write(writer, response, exchange, keep).ok();
  const std::chrono::duration<double> took = steady_clock::now() - exchange.begun;
  metrics.observe(response.route, response.status, took.count(), exchange.bytes_in,
                  writer.written());
  if (options.log != nullptr && (options.log_requests || response.status >= 500))
    log_answer(*options.log, {exchange.id, exchange.request.method, response, exchange.bytes_in,
                              writer.written(), took.count(), written});
  if (!written) return {};
  return {keep ? Outcome::Next::kKeep : Outcome::Next::kLinger, {}};
}

}  // namespace

void log_answer(const Log& log, const Answered& answered) {
  const unsigned status = answered.response.status;
  log.event(status >= 500 ? Level::kWarning : Level::kInfo, "request",
            {{"request", answered.id},
             {"method", known(answered.method)},
             {"route", Plain(answered.response.route)},
             {"status", status},
             {"bytes_in", answered.bytes_in},
             {"bytes_out", answered.bytes_out},
             {"ms", std::round(answered.seconds * 10'000) / 10},
             {"complete", answered.complete}});
}

Outcome answer(Connection& connection, Handler& handler, Metrics& metrics,
               const ServerOptions& options, const std::atomic<bool>& stopping) {
  try {
    return answer_or_throw(connection, handler, metrics, options, stopping);
  } catch (...) {  // there was no memory
    return {};
  }
}

}  // namespace holdfast::net
