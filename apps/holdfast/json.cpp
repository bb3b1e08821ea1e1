#include "json.h"

#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace holdfast::app {
namespace {

using Json = nlohmann::ordered_json;

// The length of the UTF-8 character at the front, 0 when there is none.
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool beyond = (first == 0xed && byte(1) > 0x9f) || (first == 0xf4 && byte(1) > 0x8f);
  return overlong || beyond ? 0 : length;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

struct JsonObject::State {
  Json object = Json::object();
  Json& operator[](std::string_view name) { return object[std::string(name)]; }
};

JsonObject::JsonObject(std::string_view event) : state_(std::make_unique<State>()) {
  text("event", event);
}
JsonObject::~JsonObject() = default;

JsonObject& JsonObject::text(std::string_view name, std::string_view value) {
  (*state_)[name] = std::string(value);
  return *this;
}

JsonObject& JsonObject::texts(std::string_view name, const std::vector<std::string>& values) {
  (*state_)[name] = values;
  return *this;
}

JsonObject& JsonObject::number(std::string_view name, std::uint64_t value) {
  (*state_)[name] = value;
  return *this;
}

JsonObject& JsonObject::integer(std::string_view name, std::int64_t value) {
  (*state_)[name] = value;
  return *this;
}

JsonObject& JsonObject::real(std::string_view name, double value) {
  (*state_)[name] = value;
  return *this;
}

JsonObject& JsonObject::flag(std::string_view name, bool value) {
  (*state_)[name] = value;
  return *this;
}

JsonObject& JsonObject::path(std::string_view name, std::string_view bytes) {
  text(name, bytes);
  if (!is_utf8(bytes)) text(std::string(name) + "_hex", to_hex(as_bytes(bytes)));
  return *this;
}

JsonObject& JsonObject::paths(std::string_view name, const std::vector<std::string>& values) {
  texts(name, values);
  std::vector<std::string> hex;
  bool lossy = false;
  for (const std::string& value : values) {
    hex.push_back(to_hex(as_bytes(value)));
    lossy = lossy || !is_utf8(value);
  }
  if (lossy) texts(std::string(name) + "_hex", hex);
  return *this;
}

std::string JsonObject::line() const {
  return state_->object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace holdfast::app
