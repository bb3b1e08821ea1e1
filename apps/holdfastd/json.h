// JSON on standard output and on the control socket: one object a line.
#pragma once

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

namespace holdfast::daemon {

using Json = nlohmann::ordered_json;

inline std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// Flushed, for a program that reads along.
inline void print_line(const Json& json) {
  std::fputs(line_of(json).c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace holdfast::daemon
