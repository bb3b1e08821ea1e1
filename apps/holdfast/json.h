// One JSON object, printed as one line. docs/cli.md lists every object.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

// Bytes that are valid UTF-8 (no surrogates, no second spellings).
bool is_utf8(std::string_view text);

class JsonObject {
 public:
  // Begins with {"event": event}.
  explicit JsonObject(std::string_view event);
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;
  ~JsonObject();

  JsonObject& text(std::string_view name, std::string_view value);
  JsonObject& texts(std::string_view name, const std::vector<std::string>& values);
  JsonObject& number(std::string_view name, std::uint64_t value);
  JsonObject& integer(std::string_view name, std::int64_t value);
  JsonObject& real(std::string_view name, double value);
  JsonObject& flag(std::string_view name, bool value);
  // A name from a file system: when it is not UTF-8, `name` shows it with replacement characters
  // and `name`_hex has its bytes.
  JsonObject& path(std::string_view name, std::string_view bytes);
  JsonObject& paths(std::string_view name, const std::vector<std::string>& values);

  std::string line() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::app
