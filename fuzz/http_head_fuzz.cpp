// The head of a request, as bytes of a peer: the first byte says how they are cut into pieces. What
// is accepted is read once more, line by line and with nothing of Beast, and must say the same.
#include <cctype>

#include "net/http_server_parts.h"

using namespace holdfast;

namespace {

constexpr std::size_t kMaxHead = 16 * 1024;

using Parsed = std::variant<net::Head, unsigned>;

bool same(const Parsed& a, const Parsed& b) {
  if (a.index() != b.index()) return false;
  if (const auto* status = std::get_if<unsigned>(&a)) return *status == std::get<unsigned>(b);
  const net::Head& x = std::get<net::Head>(a);
  const net::Head& y = std::get<net::Head>(b);
  return x.request.method == y.request.method && x.request.target == y.request.target &&
         x.request.authorization == y.request.authorization &&
         x.request.invitation == y.request.invitation &&
         x.request.content_length == y.request.content_length && x.keep_alive == y.keep_alive &&
         x.expects_continue == y.expects_continue;
}

// As the loop reads: a piece is added, the end is looked for, too much is refused.
std::optional<Parsed> read_in_pieces(BytesView bytes, std::size_t step) {
  net::HeadEnd end_of;
  for (std::size_t have = 0;;) {
    if (const auto end = end_of.find(bytes.first(have))) {
      if (*end > kMaxHead) return Parsed(431U);
      return net::parse_head(bytes.first(*end));
    }
    if (have > kMaxHead) return Parsed(431U);
    if (have == bytes.size()) return std::nullopt;
    have += std::min(step, bytes.size() - have);
  }
}

std::vector<std::string_view> lines_of(std::string_view head) {
  std::vector<std::string_view> lines;
  while (!head.empty()) {
    const auto end = head.find("\r\n");
    HF_CHECK(end != std::string_view::npos);
    lines.push_back(head.substr(0, end));
    head.remove_prefix(end + 2);
  }
  HF_CHECK(lines.size() >= 2 && lines.back().empty());
  lines.pop_back();
  return lines;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  while (!text.empty() && kBlank.find(text.front()) != std::string_view::npos)
    text.remove_prefix(1);
  while (!text.empty() && kBlank.find(text.back()) != std::string_view::npos) text.remove_suffix(1);
  return text;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

std::vector<std::string_view> values_of(const std::vector<std::string_view>& lines,
                                        std::string_view name) {
  std::vector<std::string_view> values;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto colon = lines[i].find(':');
    HF_CHECK(colon != std::string_view::npos);
    if (same_name(lines[i].substr(0, colon), name))
      values.push_back(trimmed(lines[i].substr(colon + 1)));
  }
  return values;
}

void check_once(const std::vector<std::string_view>& lines, std::string_view name,
                const std::string& given) {
  const auto values = values_of(lines, name);
  HF_CHECK(values.size() <= 1 && given == (values.empty() ? "" : values[0]));
}

void check_length(const std::vector<std::string_view>& lines, const net::Request& request) {
  HF_CHECK(values_of(lines, "Transfer-Encoding").empty());
  const auto lengths = values_of(lines, "Content-Length");
  if (lengths.empty()) {
    HF_CHECK(request.content_length == 0 && request.method != "PUT" && request.method != "POST");
    return;
  }
  HF_CHECK(lengths.size() == 1 && !lengths[0].empty());
  std::uint64_t length = 0;
  for (const char digit : lengths[0]) {
    HF_CHECK(digit >= '0' && digit <= '9' && length <= UINT64_MAX / 10 - 1);
    length = length * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  HF_CHECK(length == request.content_length && length <= INT64_MAX);
}

void check_accepted(BytesView bytes, const net::Head& head) {
  const auto lines = lines_of(as_text(bytes));
  for (const std::string_view line : lines)
    for (const char c : line)  // no second border of lines, and nothing to fold
      HF_CHECK(c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f));
  for (const std::string_view line : lines) HF_CHECK(line[0] != ' ' && line[0] != '\t');
  const net::Request& request = head.request;
  HF_CHECK(lines[0] == request.method + " " + request.target + " HTTP/1.1");
  HF_CHECK(request.target.starts_with('/'));
  for (const char c : request.target) HF_CHECK(c > ' ' && c < 0x7f);
  check_once(lines, "Authorization", request.authorization);
  check_once(lines, "Holdfast-Invitation", request.invitation);
  check_length(lines, request);
  // What came sooner was no head.
  HF_CHECK(std::holds_alternative<unsigned>(net::parse_head(bytes.first(bytes.size() - 1))));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const BytesView bytes(data + 1, size - 1);
  const auto whole = read_in_pieces(bytes, SIZE_MAX);
  const auto cut = read_in_pieces(bytes, std::size_t{1} + data[0] % 64);
  HF_CHECK(whole.has_value() == cut.has_value());
  if (!whole) return 0;
  HF_CHECK(same(*whole, *cut));
  if (const auto* head = std::get_if<net::Head>(&*whole))
    check_accepted(bytes.first(*net::HeadEnd().find(bytes)), *head);
  return 0;
}
