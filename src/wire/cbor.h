// Deterministic CBOR, the part of RFC 8949 section 4.2 that Holdfast's formats use: unsigned and
// negative integers, byte strings, text, arrays, false, true, null. No maps, tags or floats.
//
// There is one spelling of every value: Decoder refuses longer integers than needed, indefinite
// lengths and text that is not UTF-8, and never allocates more than the input can hold.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::wire {

// RFC 3629. put_text() takes nothing else: what a person typed is checked first.
bool is_utf8(BytesView text);

class Encoder {
 public:
  explicit Encoder(Bytes& out) : out_(out) {}

  void put_uint(std::uint64_t value) { head(0, value); }
  void put_int(std::int64_t value);
  void put_bytes(BytesView value);
  void put_text(std::string_view value);
  void put_array(std::uint64_t items) { head(4, items); }
  void put_bool(bool value) { out_.push_back(value ? 0xf5 : 0xf4); }
  void put_null() { out_.push_back(0xf6); }

 private:
  void head(std::uint8_t major, std::uint64_t value);
  Bytes& out_;
};

// Reads one value after another from bytes that outlive it. Every failure is kCorrupt; a caller
// that knows better says so with Error::in.
class Decoder {
 public:
  explicit Decoder(BytesView in) : in_(in) {}

  Result<std::uint64_t> get_uint() { return head(0); }
  Result<std::int64_t> get_int();
  Result<BytesView> get_bytes();
  Result<std::string_view> get_text();
  // The number of items; at most as many as bytes remain, so reserving for them is bounded.
  Result<std::uint64_t> get_array();
  Result<void> expect_array(std::uint64_t items);
  Result<bool> get_bool();
  bool next_is_null() const { return !in_.empty() && in_[0] == 0xf6; }
  Result<void> get_null();

  std::size_t remaining() const { return in_.size(); }
  // Fails when bytes remain.
  Result<void> finish() const;

 private:
  Result<std::uint64_t> head(std::uint8_t major);
  Result<BytesView> take(std::uint64_t size);
  BytesView in_;
};

}  // namespace holdfast::wire
