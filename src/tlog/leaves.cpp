#include "tlog/leaves.h"

#include "tlog/tile.h"

namespace holdfast::tlog {
namespace {

Result<std::string_view> read_label(BytesView entry) {
  wire::Decoder from(entry);
  TRY(from.get_array());
  return from.get_text();
}

template <class T>
Result<Leaf> decode_as(BytesView entry) {
  auto leaf = TRY(wire::decode<T>(entry));
  return Leaf(std::move(leaf));
}

template <class... Types>
Result<Leaf> decode_by_label(std::string_view label, BytesView entry,
                             const std::variant<Types...>*) {
  Result<Leaf> out =
      Error{Code::kOutdated, "the log has an entry of an unknown type: update required"};
  static_cast<void>(
      ((label == decltype(Types::label)::value() ? (out = decode_as<Types>(entry), true) : false) ||
       ...));
  return out;
}

}  // namespace

Result<Leaf> decode_leaf(BytesView entry) {
  if (entry.size() > kMaxEntry) return Error{Code::kCorrupt, "an entry of the log is too large"};
  const std::string_view label = TRY(read_label(entry));
  return decode_by_label(label, entry, static_cast<const Leaf*>(nullptr));
}

}  // namespace holdfast::tlog
