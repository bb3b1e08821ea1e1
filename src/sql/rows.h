// A statement with its values in place: what every table needs. Prepared once a connection, so its
// text must not hold values.
#pragma once

#include "sql/sqlite.h"

namespace holdfast::sql {

template <class... Values>
Result<Statement> bound(Database& database, std::string_view text, const Values&... values) {
  Statement statement = TRY(database.prepare_cached(text));
  int at = 0;
  Result<void> done = Ok{};
  static_cast<void>(((done = statement.bind(++at, values), done.ok()) && ...));
  TRY(done);
  return statement;
}

// Of a statement that yields no rows.
template <class... Values>
Result<void> run(Database& database, std::string_view text, const Values&... values) {
  Statement statement = TRY(bound(database, text, values...));
  return statement.run();
}

}  // namespace holdfast::sql
