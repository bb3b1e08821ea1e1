// Where a program listens, as it was typed.
#pragma once

#include <string>

#include "base/result.h"

namespace holdfast::net {

struct Listen {
  std::string address;
  std::string port;
};
// "ADDRESS:PORT", "[::]:PORT". kInvalid.
Result<Listen> parse_listen(const std::string& text);

}  // namespace holdfast::net
