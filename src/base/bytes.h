// Byte strings: owned (Bytes) and borrowed (BytesView), and their spelling in hexadecimal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

using Bytes = std::vector<std::uint8_t>;
using BytesView = std::span<const std::uint8_t>;

inline BytesView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(BytesView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(BytesView view) { return {view.begin(), view.end()}; }
inline void append(Bytes& to, BytesView more) { to.insert(to.end(), more.begin(), more.end()); }

// Lower case, two digits a byte.
std::string to_hex(BytesView bytes);
// Either case; nullopt on an odd length or another character.
std::optional<Bytes> from_hex(std::string_view text);

}  // namespace holdfast
