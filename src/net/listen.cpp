#include "net/listen.h"

#include <charconv>

namespace holdfast::net {

Result<Listen> parse_listen(const std::string& text) {
  const auto colon = text.rfind(':');
  unsigned port = 0;
  const Error bad{Code::kInvalid,
                  "\"" + text + "\" is no address to listen on; it looks like 0.0.0.0:8440"};
  if (colon == std::string::npos || colon == 0) return bad;
  const char* const end = text.data() + text.size();
  const auto [at, failed] = std::from_chars(text.data() + colon + 1, end, port);
  if (failed != std::errc() || at != end || port > 65535) return bad;
  std::string address = text.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']'))
    address = address.substr(1, address.size() - 2);
  return Listen{address, std::to_string(port)};
}

}  // namespace holdfast::net
