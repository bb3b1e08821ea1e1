#include "base/log.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace holdfast {
namespace {

constexpr std::size_t kMaxText = 1024;

// Bytes of the UTF-8 character that `text` begins with; 0: it begins with none (RFC 3629).
std::size_t character_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  if (first == 0xe0 && byte(1) < 0xa0) return 0;   // longer than needed
  if (first == 0xed && byte(1) >= 0xa0) return 0;  // a surrogate
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) >= 0x90) return 0;  // above U+10FFFF
  return size;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty() && out.size() < kMaxText) {
    const std::size_t size = character_size(text);
    const auto c = static_cast<unsigned char>(text[0]);
    if (size == 0) {
      out += "\\ufffd";
    } else if (c < 0x20 || c == 0x7f) {
      std::array<char, 8> escape{};
      static_cast<void>(std::snprintf(escape.data(), escape.size(), "\\u%04x", unsigned{c}));
      out += escape.data();
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out + '"';
}

std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end.ptr};
}

std::string_view level_name(Level level) {
  switch (level) {
    case Level::kInfo: return "info";
    case Level::kWarning: return "warning";
    case Level::kError: return "error";
  }
  std::abort();
}

// RFC 3339, UTC, with milliseconds.
std::string timestamp(TimeMs at) {
  const TimeMs ms = ((at % 1000) + 1000) % 1000;
  const auto seconds = static_cast<std::time_t>((at - ms) / 1000);
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "1970-01-01T00:00:00.000Z";
  std::array<char, 64> text{};
  static_cast<void>(std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                                  parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                                  parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<int>(ms)));
  return text.data();
}

}  // namespace

Field::Field(Word name, Number value) : name_(name), json_(number(value.value)) {}
Field::Field(Word name, Word value) : name_(name), json_(quoted(value.text())) {}
Field::Field(Word name, Plain value) : name_(name), json_(quoted(value.text)) {}

void Log::event(Level level, Word name, std::initializer_list<Field> fields) const {
  std::string line = "{\"time\":\"" + timestamp(clock_.now()) + "\",\"level\":\"";
  line += level_name(level);
  line += "\",\"event\":" + quoted(name.text());
  for (const Field& field : fields) line += "," + quoted(field.name()) + ":" + field.json();
  line += "}\n";
  ssize_t written = -1;
  do written = ::write(fd_, line.data(), line.size());
  while (written < 0 && errno == EINTR);
}

}  // namespace holdfast
