// The one property of every decoder: bytes that it accepts are the only spelling of their value.
#pragma once

#include <algorithm>
#include <cstdlib>

#include "wire/fields.h"

namespace holdfast::fuzz {

template <class T>
void round_trip(BytesView input) {
  const auto value = wire::decode<T>(input);
  if (!value.ok()) return;
  const Bytes again = wire::encode(*value);
  if (!std::equal(again.begin(), again.end(), input.begin(), input.end())) std::abort();
}

// The first byte chooses one of `Types`; the rest is decoded as it.
template <class... Types>
void round_trip_one_of(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return;
  const BytesView rest = BytesView(data, size).subspan(1);
  std::size_t at = data[0] % sizeof...(Types);
  static_cast<void>(((at-- == 0 ? (round_trip<Types>(rest), true) : false) || ...));
}

}  // namespace holdfast::fuzz
