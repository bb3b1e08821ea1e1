#include "wire/cbor.h"

#include <bit>

namespace holdfast::wire {
namespace {

Error malformed(const char* what) { return {Code::kCorrupt, what}; }

}  // namespace

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(BytesView text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::uint8_t first = text[i];
    if (first < 0x80) {
      ++i;
      continue;
    }
    if (first < 0xc2 || first > 0xf4) return false;
    const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (i + length > text.size()) return false;
    std::uint32_t code = first & (0x7fU >> length);
    for (std::size_t k = 1; k < length; ++k) {
      if ((text[i + k] & 0xc0) != 0x80) return false;
      code = code << 6 | (text[i + k] & 0x3fU);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (overlong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return false;
    i += length;
  }
  return true;
}

void Encoder::head(std::uint8_t major, std::uint64_t value) {
  const auto lead = static_cast<std::uint8_t>(major << 5);
  if (value < 24) {
    out_.push_back(static_cast<std::uint8_t>(lead | value));
    return;
  }
  const unsigned bytes = value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= 0xffffffff ? 4 : 8;
  out_.push_back(static_cast<std::uint8_t>(lead | (24 + std::countr_zero(bytes))));
  for (unsigned i = bytes; i-- > 0;) out_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void Encoder::put_int(std::int64_t value) {
  if (value >= 0) {
    head(0, static_cast<std::uint64_t>(value));
  } else {
    head(1, ~static_cast<std::uint64_t>(value));
  }
}

void Encoder::put_bytes(BytesView value) {
  head(2, value.size());
  append(out_, value);
}

void Encoder::put_text(std::string_view value) {
  HF_CHECK(is_utf8(as_bytes(value)));
  head(3, value.size());
  append(out_, as_bytes(value));
}

Result<std::uint64_t> Decoder::head(std::uint8_t major) {
  if (in_.empty()) return malformed("the data ends too early");
  if (in_[0] >> 5 != major) return malformed("a field has another type than expected");
  const unsigned info = in_[0] & 31U;
  if (info < 24) {
    in_ = in_.subspan(1);
    return std::uint64_t{info};
  }
  if (info > 27) return malformed("an indefinite or reserved length");
  const std::size_t bytes = std::size_t{1} << (info - 24);
  if (in_.size() < 1 + bytes) return malformed("the data ends too early");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | in_[1 + i];
  const std::uint64_t smallest = bytes == 1 ? 24 : std::uint64_t{1} << (8 * (bytes / 2));
  if (value < smallest) return malformed("a number is not in its shortest form");
  in_ = in_.subspan(1 + bytes);
  return value;
}

Result<BytesView> Decoder::take(std::uint64_t size) {
  if (size > in_.size()) return malformed("the data ends too early");
  const BytesView taken = in_.first(static_cast<std::size_t>(size));
  in_ = in_.subspan(static_cast<std::size_t>(size));
  return taken;
}

Result<std::int64_t> Decoder::get_int() {
  const bool negative = !in_.empty() && in_[0] >> 5 == 1;
  const std::uint64_t value = TRY(head(negative ? 1 : 0));
  if (value > static_cast<std::uint64_t>(INT64_MAX)) return malformed("a number is too large");
  return static_cast<std::int64_t>(negative ? ~value : value);
}

Result<BytesView> Decoder::get_bytes() {
  const std::uint64_t size = TRY(head(2));
  return take(size);
}

Result<std::string_view> Decoder::get_text() {
  const std::uint64_t size = TRY(head(3));
  const BytesView text = TRY(take(size));
  if (!is_utf8(text)) return malformed("a text is not UTF-8");
  return as_text(text);
}

Result<std::uint64_t> Decoder::get_array() {
  const std::uint64_t items = TRY(head(4));
  if (items > in_.size()) return malformed("the data ends too early");
  return items;
}

Result<void> Decoder::expect_array(std::uint64_t items) {
  if (TRY(get_array()) != items) return malformed("an array has another length than expected");
  return Ok{};
}

Result<bool> Decoder::get_bool() {
  if (in_.empty() || (in_[0] != 0xf4 && in_[0] != 0xf5))
    return malformed("a field has another type than expected");
  const bool value = in_[0] == 0xf5;
  in_ = in_.subspan(1);
  return value;
}

Result<void> Decoder::get_null() {
  if (!next_is_null()) return malformed("a field has another type than expected");
  in_ = in_.subspan(1);
  return Ok{};
}

Result<void> Decoder::finish() const {
  if (!in_.empty()) return malformed("bytes follow the end");
  return Ok{};
}

}  // namespace holdfast::wire
