// Base 64 (RFC 4648 section 4), one spelling of each value: what signed notes are written in.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace holdfast::tlog {

std::string base64_encode(BytesView bytes);
// nullopt for another alphabet, missing or misplaced padding, white space, or bits set in what the
// padding leaves over.
std::optional<Bytes> base64_decode(std::string_view text);

}  // namespace holdfast::tlog
