// A statement with its values in place: what every table of the service needs. Prepared once a
// connection, so its text must not hold values.
#pragma once

#include "sql/sqlite.h"

namespace holdfast::server {

constexpr std::int64_t kRemovedAtOnce = 500;  // rows that one write removes

template <class... Values>
Result<sql::Statement> bound(sql::Database& database, std::string_view text,
                             const Values&... values) {
  sql::Statement statement = TRY(database.prepare_cached(text));
  int at = 0;
  Result<void> done = Ok{};
  static_cast<void>(((done = statement.bind(++at, values), done.ok()) && ...));
  TRY(done);
  return statement;
}

// Of a statement that yields no rows.
template <class... Values>
Result<void> run(sql::Database& database, std::string_view text, const Values&... values) {
  sql::Statement statement = TRY(bound(database, text, values...));
  return statement.run();
}

}  // namespace holdfast::server
