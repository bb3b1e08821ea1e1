#include <algorithm>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <charconv>
#include <memory>

#include "crypto/key.h"
#include "net/http_server_parts.h"

namespace holdfast::net {
namespace {

namespace http = boost::beast::http;
using Parser = http::request_parser<http::buffer_body>;

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

// The header's value, "" when absent; nullopt: it is there twice.
std::optional<std::string> only(const Parser& parser, std::string_view name) {
  const auto [first, last] = parser.get().equal_range({name.data(), name.size()});
  if (first == last) return "";
  if (std::next(first) != last) return std::nullopt;
  return std::string(view(first->value()));
}

std::optional<std::uint64_t> parse_length(std::string_view text) {
  std::uint64_t length = 0;
  const char* const end = std::to_address(text.end());
  const auto parsed = std::from_chars(std::to_address(text.begin()), end, length);
  // from_chars takes no sign for an unsigned number.
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return length;
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

// Beast joins a line that begins with a blank to the one before (RFC 9112 5.2); whoever stands in
// between may have read it as a header of its own.
bool has_folded_line(BytesView bytes) {
  const std::string_view text = as_text(bytes);
  return text.find("\r\n ") != std::string_view::npos ||
         text.find("\r\n\t") != std::string_view::npos;
}

// How long the body is; or the status that refuses it. Bodies have exactly one spelling, so that
// nobody in between can see other borders of requests than we do.
std::variant<std::uint64_t, unsigned> body_length(const Parser& parser) {
  const auto& fields = parser.get();
  if (fields.count(http::field::transfer_encoding) != 0)
    return fields.count(http::field::content_length) == 0 ? 411U : 400U;
  const auto text = only(parser, "Content-Length");
  if (!text) return 400U;
  if (text->empty() && fields.count(http::field::content_length) == 0) {
    const auto verb = parser.get().method();
    if (verb == http::verb::post || verb == http::verb::put || verb == http::verb::patch)
      return 411U;
    return std::uint64_t{0};
  }
  const auto length = parse_length(*text);
  if (!length || *length > INT64_MAX) return 400U;
  return *length;
}

std::variant<Head, unsigned> read_fields(const Parser& parser) {
  const auto& fields = parser.get();
  if (fields.version() != 11) return 505U;
  const auto length = body_length(parser);
  if (const auto* status = std::get_if<unsigned>(&length)) return *status;
  const auto authorization = only(parser, "Authorization");
  const auto invitation = only(parser, "Holdfast-Invitation");
  const auto expect = only(parser, "Expect");
  if (!authorization || !invitation || !expect) return 400U;
  if (!expect->empty() && !boost::beast::iequals(*expect, "100-continue")) return 417U;
  Head head;
  head.request.method = std::string(view(fields.method_string()));
  head.request.target = std::string(view(fields.target()));
  head.request.authorization = *authorization;
  head.request.invitation = *invitation;
  head.request.content_length = std::get<std::uint64_t>(length);
  head.keep_alive = fields.keep_alive();
  head.expects_continue = !expect->empty();
  // Beast lets bytes from 0x80 on pass, which no URI has (RFC 3986 2).
  if (!head.request.target.starts_with('/') || !is_printable(head.request.target)) return 400U;
  return head;
}

}  // namespace

std::optional<std::size_t> HeadEnd::find(BytesView bytes) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  const std::size_t at = as_text(bytes).find(kEnd, scanned_);
  if (at != std::string_view::npos) return at + kEnd.size();
  scanned_ = bytes.size() < kEnd.size() ? 0 : bytes.size() - kEnd.size() + 1;
  return std::nullopt;
}

std::variant<Head, unsigned> parse_head(BytesView bytes) {
  if (has_folded_line(bytes)) return 400U;
  Parser parser;
  parser.header_limit(static_cast<std::uint32_t>(bytes.size() + 1));  // the caller has the limit
  parser.body_limit(boost::none);                                     // and handlers have theirs
  boost::system::error_code failed;
  const std::size_t used =
      parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), failed);
  if (failed || !parser.is_header_done() || used != bytes.size()) {
    // Two lengths, or a length and chunks: Beast says no before we do.
    return failed == http::error::bad_version ? 505U : 400U;
  }
  return read_fields(parser);
}

ExchangeId new_exchange_id() {
  ExchangeId id;
  crypto::random_fill(id.bytes);
  return id;
}

std::string format_head(const Framing& framing) {
  std::string head = "HTTP/1.1 " + std::to_string(framing.status) + " ";
  head += view(http::obsolete_reason(http::int_to_status(framing.status)));
  head += "\r\nContent-Type: " + framing.content_type;
  head += "\r\nContent-Length: " + std::to_string(framing.content_length);
  head += "\r\nCache-Control: no-store\r\n";
  if (framing.status == 429 || framing.status == 503) head += "Retry-After: 1\r\n";
  if (framing.status >= 400) head += "Holdfast-Request: " + framing.id.hex() + "\r\n";
  if (!framing.keep_alive) head += "Connection: close\r\n";
  return head + "\r\n";
}

Response plain_response(unsigned status) {
  Response response;
  response.status = status;
  response.content_type = "text/plain";
  const std::string text =
      std::string(view(http::obsolete_reason(http::int_to_status(status)))) + "\n";
  response.body = to_bytes(as_bytes(text));
  response.route = "refused";
  return response;
}

}  // namespace holdfast::net
