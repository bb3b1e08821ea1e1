#include "net/client_answer.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/vector_body.hpp>

#include "api/format.h"

namespace holdfast::net {
namespace {

namespace http = boost::beast::http;

constexpr std::uint32_t kMaxHead = 16 * 1024;
constexpr TimeMs kLastTime = 253'402'300'799'999;  // of the year 9999: sums with it do not overflow

Code code_of(unsigned status) {
  if (status == 404) return Code::kNotFound;
  if (status == 403 || status == 401) return Code::kDenied;
  if (status == 409) return Code::kConflict;
  if (status == 426) return Code::kOutdated;
  return status >= 500 || status == 408 || status == 429 ? Code::kUnavailable : Code::kInvalid;
}

}  // namespace

struct AnswerReader::State {
  http::response_parser<http::vector_body<std::uint8_t>> parser;
  boost::beast::flat_buffer buffer;
};

AnswerReader::AnswerReader(std::size_t max_body) : state_(std::make_unique<State>()) {
  state_->parser.header_limit(kMaxHead);
  state_->parser.body_limit(max_body);
}
AnswerReader::AnswerReader(AnswerReader&&) noexcept = default;
AnswerReader& AnswerReader::operator=(AnswerReader&&) noexcept = default;
AnswerReader::~AnswerReader() = default;

// A service says how long its answer is. That keeps us from Beast's reading of chunks, which an
// assertion ends where they come byte by byte (1.81).
Result<bool> AnswerReader::put(BytesView piece) {
  auto& [parser, buffer] = *state_;
  buffer.commit(boost::asio::buffer_copy(buffer.prepare(piece.size()),
                                         boost::asio::const_buffer(piece.data(), piece.size())));
  while (!parser.is_done() && buffer.size() > 0) {
    boost::system::error_code failed;
    const std::size_t used = parser.put(buffer.data(), failed);  // the head, or of the body
    buffer.consume(used);
    if ((failed && failed != http::error::need_more) ||
        (parser.is_header_done() && !parser.content_length()))
      return Error{Code::kUnavailable,
                   "the service answered with something that is not HTTP, or with too much"};
    if (used == 0) break;
  }
  return parser.is_done();
}

Answer AnswerReader::take() {
  auto& parser = state_->parser;
  return {parser.get().result_int(), std::move(parser.get().body()), parser.keep_alive()};
}

std::string harmless(std::string text) {
  std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  for (std::size_t i = 0; i + 1 < text.size(); ++i)  // U+0080 to U+009F
    if (static_cast<unsigned char>(text[i]) == 0xc2 &&
        static_cast<unsigned char>(text[i + 1]) < 0xa0)
      text[i] = text[i + 1] = '?';
  return text;
}

Error refusal(const Answer& answer, const std::string& host) {
  const auto body = wire::decode<api::ErrorBody>(answer.body);
  if (!body.ok() || body->code > static_cast<std::uint8_t>(Code::kOutdated))
    return {code_of(answer.status),
            "the service at " + host + " answered with status " + std::to_string(answer.status)};
  return {static_cast<Code>(body->code), harmless(body->message)};
}

std::optional<TimeMs> service_time(const Answer& answer) {
  const auto body = wire::decode<api::ErrorBody>(answer.body);
  if (!body.ok() || body->service_time_ms <= 0 || body->service_time_ms > kLastTime)
    return std::nullopt;
  return body->service_time_ms;
}

}  // namespace holdfast::net
