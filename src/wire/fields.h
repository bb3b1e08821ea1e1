// One field list serves both directions: a struct names its members once, in wire order,
//
//   static constexpr auto kFields = wire::fields(&T::a, &T::b);
//
// and encode/decode spell it as a CBOR array of exactly those items. A constant first field
// (wire::Fixed) refuses another format or version with "update required".
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/id.h"
#include "wire/cbor.h"

namespace holdfast::wire {

// A function that hands the members on: a std::tuple would cost each file that includes a format a
// quarter of its time to compile.
template <class... Members>
constexpr auto fields(Members... members) {
  return [members...](auto with) { return with(members...); };
}

template <class T>
concept HasFields = requires { T::kFields; };

// A text that must stand here: the label of a format and its version.
template <std::size_t N>
struct Literal {
  char text[N];
  constexpr Literal(const char (&from)[N]) {  // NOLINT: a literal converts
    for (std::size_t i = 0; i < N; ++i) text[i] = from[i];
  }
  constexpr std::string_view view() const { return {text, N - 1}; }
};
template <Literal L>
struct Fixed {
  static constexpr std::string_view value() { return L.view(); }
  bool operator==(const Fixed&) const = default;
};

// A vector that may hold at most Max items; decode refuses more.
template <class T, std::size_t Max>
struct Bounded : std::vector<T> {
  using std::vector<T>::vector;
  Bounded(std::vector<T> items) : std::vector<T>(std::move(items)) {}  // NOLINT: same thing
};

// A number above Max is refused.
template <class T>
void put(Encoder& to, const T& value);
template <class T>
Result<void> get(Decoder& from, T& value);

namespace detail {

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {
  static constexpr std::size_t kMax = SIZE_MAX;
};
template <class T, std::size_t Max>
struct IsVector<Bounded<T, Max>> : std::true_type {
  static constexpr std::size_t kMax = Max;
};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsId : std::false_type {};
template <class Tag, std::size_t N>
struct IsId<Id<Tag, N>> : std::true_type {};
template <class T>
struct IsArray : std::false_type {};
template <std::size_t N>
struct IsArray<std::array<std::uint8_t, N>> : std::true_type {};
template <class T>
struct IsFixed : std::false_type {};
template <Literal L>
struct IsFixed<Fixed<L>> : std::true_type {};

template <std::size_t N>
Result<void> get_exact(Decoder& from, std::array<std::uint8_t, N>& to) {
  const BytesView bytes = TRY(from.get_bytes());
  if (bytes.size() != N) return Error{Code::kCorrupt, "a byte string has the wrong length"};
  std::copy(bytes.begin(), bytes.end(), to.begin());
  return Ok{};
}

template <class T>
Result<void> get_vector(Decoder& from, T& to) {
  const std::uint64_t items = TRY(from.get_array());
  if (items > IsVector<T>::kMax) return Error{Code::kCorrupt, "a list is longer than allowed"};
  to.clear();
  // Each item takes at least a byte of input; growing as they arrive keeps memory bounded by it.
  for (std::uint64_t i = 0; i < items; ++i) TRY(get(from, to.emplace_back()));
  return Ok{};
}

}  // namespace detail

template <class T>
void put(Encoder& to, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    to.put_bool(value);
  } else if constexpr (std::is_enum_v<T>) {
    to.put_uint(static_cast<std::uint64_t>(value));
  } else if constexpr (std::is_signed_v<T>) {
    to.put_int(value);
  } else if constexpr (std::is_unsigned_v<T>) {
    to.put_uint(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    to.put_text(value);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    to.put_bytes(value);
  } else if constexpr (detail::IsArray<T>::value) {
    to.put_bytes(value);
  } else if constexpr (detail::IsId<T>::value) {
    to.put_bytes(value.view());
  } else if constexpr (detail::IsFixed<T>::value) {
    to.put_text(T::value());
  } else if constexpr (detail::IsOptional<T>::value) {
    if (value) {
      put(to, *value);
    } else {
      to.put_null();
    }
  } else if constexpr (detail::IsVector<T>::value) {
    HF_CHECK(value.size() <= detail::IsVector<T>::kMax);
    to.put_array(value.size());
    for (const auto& item : value) put(to, item);
  } else {
    static_assert(HasFields<T>);
    T::kFields([&](auto... member) {
      to.put_array(sizeof...(member));
      (put(to, value.*member), ...);
    });
  }
}

template <class T>
Result<void> get(Decoder& from, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    value = TRY(from.get_bool());
  } else if constexpr (std::is_enum_v<T>) {
    // Every enum on the wire names its highest member kLast; 0 is never a member.
    const std::uint64_t raw = TRY(from.get_uint());
    if (raw == 0 || raw > static_cast<std::uint64_t>(T::kLast))
      return Error{Code::kOutdated, "an unknown kind: update required"};
    value = static_cast<T>(raw);
  } else if constexpr (std::is_signed_v<T>) {
    const std::int64_t raw = TRY(from.get_int());
    value = static_cast<T>(raw);
    if (value != raw) return Error{Code::kCorrupt, "a number is too large"};
  } else if constexpr (std::is_unsigned_v<T>) {
    const std::uint64_t raw = TRY(from.get_uint());
    value = static_cast<T>(raw);
    if (value != raw) return Error{Code::kCorrupt, "a number is too large"};
  } else if constexpr (std::is_same_v<T, std::string>) {
    value = TRY(from.get_text());
  } else if constexpr (std::is_same_v<T, Bytes>) {
    value = to_bytes(TRY(from.get_bytes()));
  } else if constexpr (detail::IsArray<T>::value) {
    TRY(detail::get_exact(from, value));
  } else if constexpr (detail::IsId<T>::value) {
    TRY(detail::get_exact(from, value.bytes));
  } else if constexpr (detail::IsFixed<T>::value) {
    if (TRY(from.get_text()) != T::value())
      return Error{Code::kOutdated, "another format or version: update required"};
  } else if constexpr (detail::IsOptional<T>::value) {
    if (from.next_is_null()) {
      TRY(from.get_null());
      value.reset();
    } else {
      TRY(get(from, value.emplace()));
    }
  } else if constexpr (detail::IsVector<T>::value) {
    TRY(detail::get_vector(from, value));
  } else {
    static_assert(HasFields<T>);
    return T::kFields([&](auto... member) -> Result<void> {
      Result<void> done = from.expect_array(sizeof...(member));
      static_cast<void>((done.ok() && ... && (done = get(from, value.*member), done.ok())));
      return done;
    });
  }
  return Ok{};
}

template <class T>
Bytes encode(const T& value) {
  Bytes out;
  Encoder to(out);
  put(to, value);
  return out;
}

// Refuses trailing bytes, so that decode(encode(x)) == x and accepted bytes re-encode to
// themselves.
template <class T>
Result<T> decode(BytesView bytes) {
  Decoder from(bytes);
  T value{};
  TRY(get(from, value));
  TRY(from.finish());
  return value;
}

// A CBOR array of the arguments, for contexts and hash inputs: unambiguous by construction.
template <class... Items>
Bytes encode_array(const Items&... items) {
  Bytes out;
  Encoder to(out);
  to.put_array(sizeof...(items));
  const auto one = [&](const auto& item) {
    using Item = std::decay_t<decltype(item)>;
    if constexpr (std::is_convertible_v<Item, std::string_view>) {
      to.put_text(item);
    } else if constexpr (std::is_same_v<Item, BytesView>) {
      to.put_bytes(item);
    } else {
      put(to, item);
    }
  };
  (one(items), ...);
  return out;
}

}  // namespace holdfast::wire
