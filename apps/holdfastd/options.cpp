#include "options.h"

#include <charconv>

namespace holdfast::daemon {

Result<std::optional<std::uint64_t>> parse_size(const std::string& text) {
  if (text.empty() || text == "none") return std::optional<std::uint64_t>();
  constexpr std::string_view kUnits = "KMGT";
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [at, failed] = std::from_chars(text.data(), end, value);
  const Error bad{Code::kInvalid,
                  "\"" + text + "\" is no size; it looks like 500G (K, M, G or T), or is in bytes"};
  if (failed != std::errc() || end - at > 1) return bad;
  if (at == end) return std::optional(value);
  const auto unit = kUnits.find(*at);
  if (unit == std::string_view::npos) return bad;
  const unsigned shift = 10 * (static_cast<unsigned>(unit) + 1);
  if (value > (UINT64_MAX >> shift)) return bad;
  return std::optional(value << shift);
}

}  // namespace holdfast::daemon
