// What the custodian's tables hold, as values of its own. For this module's own files.
#pragma once

#include "sql/sqlite.h"

namespace holdfast::custody {

inline Error damaged() { return {Code::kCorrupt, "the custodian's memory is damaged"}; }

inline std::int64_t signed_of(std::uint64_t n) { return static_cast<std::int64_t>(n); }

inline Result<std::uint64_t> number_at(const sql::Statement& row, int column) {
  const std::int64_t n = TRY(row.column_int(column));
  if (n < 0) return damaged();
  return static_cast<std::uint64_t>(n);
}

template <class AnyId>
Result<AnyId> id_at(const sql::Statement& row, int column) {
  const auto id = AnyId::from(TRY(row.column_blob(column)));
  if (!id) return damaged();
  return *id;
}

}  // namespace holdfast::custody
