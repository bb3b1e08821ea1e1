#include "server/joins.h"

#include <algorithm>

#include "server/rows.h"

namespace holdfast::server {
namespace {

using api::JoinMessage;

std::int64_t number_of(JoinMessage which) { return static_cast<std::int64_t>(which); }

Error ended() { return {Code::kNotFound, "this request to join has ended"}; }

Result<std::int64_t> count(Result<sql::Statement> of) {
  sql::Statement statement = TRY(std::move(of));
  const bool row = TRY(statement.step());
  HF_CHECK(row);
  return statement.column_int(0);
}

Result<void> make_room(sql::Database& database, const std::string& account, std::size_t limit,
                       TimeMs now) {
  TRY(run(database, "DELETE FROM joins WHERE request_ms <= ?", now - kJoinLifeMs));
  const std::int64_t open = TRY(count(
      bound(database, "SELECT count(*) FROM joins WHERE account = ? AND which = 0", account)));
  const std::int64_t all =
      TRY(count(bound(database, "SELECT count(*) FROM joins WHERE which = 0")));
  if (open >= static_cast<std::int64_t>(api::kMaxOpenJoins) ||
      all >= static_cast<std::int64_t>(limit))
    return Error{Code::kUnavailable, "too many requests to join are waiting; try again later"};
  return Ok{};
}

// When the request was made; kNotFound.
Result<TimeMs> request_time(sql::Database& database, const std::string& account,
                            const RequestId& request, TimeMs now) {
  sql::Statement row = TRY(bound(database,
                                 "SELECT request_ms FROM joins WHERE account = ? AND request = ?"
                                 " AND which = 0 AND request_ms > ?",
                                 account, request.view(), now - kJoinLifeMs));
  const bool there = TRY(row.step());
  if (!there) return ended();
  return row.column_int(0);
}

}  // namespace

// `request_ms` is the time of the request in all of its messages: they expire together.
const std::string Joins::kSchema =
    "CREATE TABLE IF NOT EXISTS joins("
    "  account TEXT NOT NULL, request BLOB NOT NULL, which INTEGER NOT NULL,"
    "  message BLOB NOT NULL, request_ms INTEGER NOT NULL,"
    "  PRIMARY KEY(account, request, which));"
    "CREATE INDEX IF NOT EXISTS joins_time ON joins(request_ms);"
    "CREATE INDEX IF NOT EXISTS joins_open ON joins(account) WHERE which = 0;";

Result<void> Joins::put(const std::string& account, const RequestId& request, JoinMessage which,
                        BytesView message, TimeMs now) {
  if (message.empty() || message.size() > api::kMaxJoinMessage)
    return Error{Code::kInvalid, "a message of an admission is empty or too large"};
  return writer_.write([&](sql::Database& database) -> Result<void> {
    sql::Statement old = TRY(bound(database,
                                   "SELECT message FROM joins WHERE account = ? AND request = ?"
                                   " AND which = ? AND request_ms > ?",
                                   account, request.view(), number_of(which), now - kJoinLifeMs));
    const bool there = TRY(old.step());
    if (there) {
      const BytesView was = TRY(old.column_blob(0));
      if (std::ranges::equal(was, message)) return Ok{};
      return Error{Code::kConflict, "this message of the admission was written before"};
    }
    TimeMs request_ms = now;
    if (which == JoinMessage::kRequest) {
      TRY(make_room(database, account, limit_, now));
    } else {
      request_ms = TRY(request_time(database, account, request, now));
    }
    return run(database, "INSERT INTO joins VALUES(?, ?, ?, ?, ?)", account, request.view(),
               number_of(which), message, request_ms);
  });
}

Result<Bytes> Joins::get(const std::string& account, const RequestId& request, JoinMessage which,
                         TimeMs now) {
  Bytes message;
  const Result<void> done = writer_.read([&](sql::Database& database) -> Result<void> {
    sql::Statement row = TRY(bound(database,
                                   "SELECT message FROM joins WHERE account = ? AND request = ?"
                                   " AND which = ? AND request_ms > ?",
                                   account, request.view(), number_of(which), now - kJoinLifeMs));
    const bool there = TRY(row.step());
    if (!there) return Error{Code::kNotFound, "there is no such message of an admission"};
    message = to_bytes(TRY(row.column_blob(0)));
    return Ok{};
  });
  TRY(done);
  return message;
}

Result<std::vector<RequestId>> Joins::list(const std::string& account, TimeMs now) {
  std::vector<RequestId> requests;
  const Result<void> done = writer_.read([&](sql::Database& database) -> Result<void> {
    sql::Statement rows = TRY(bound(database,
                                    "SELECT request FROM joins WHERE account = ? AND which = 0"
                                    " AND request_ms > ? ORDER BY request_ms, request",
                                    account, now - kJoinLifeMs));
    for (;;) {
      const bool there = TRY(rows.step());
      if (!there) return Ok{};
      const auto id = RequestId::from(TRY(rows.column_blob(0)));
      if (id) requests.push_back(*id);
    }
  });
  TRY(done);
  return requests;
}

Result<void> Joins::drop(const std::string& account, const RequestId& request) {
  return writer_.write([&](sql::Database& database) {
    return run(database, "DELETE FROM joins WHERE account = ? AND request = ?", account,
               request.view());
  });
}

Result<void> Joins::drop_expired(TimeMs now) {
  return writer_.write([&](sql::Database& database) {
    return run(database, "DELETE FROM joins WHERE request_ms <= ?", now - kJoinLifeMs);
  });
}

}  // namespace holdfast::server
