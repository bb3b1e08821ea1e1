#include "server/custody.h"

#include <algorithm>
#include <set>

#include "circle/custody.h"
#include "crypto/hash.h"
#include "server/evidence.h"
#include "server/rows.h"

namespace holdfast::server {
namespace {

constexpr std::size_t kATurn = 100;
constexpr TimeMs kFirstPauseMs = 2'000;
constexpr TimeMs kLongestPauseMs = 300'000;

Error busy() {
  return {Code::kUnavailable,
          "the custodian has not answered others yet: try again in a minute; if it lasts, the "
          "service's operator must look at it"};
}

// The custodian that a statement brings in, or proposes; none for others, and what is no statement.
std::optional<circle::CustodianInfo> named_in(BytesView bytes) {
  const auto outer = wire::decode<circle::SignedStatement>(bytes);
  if (!outer.ok()) return std::nullopt;
  const auto statement = wire::decode<circle::Statement>(outer->statement);
  if (!statement.ok()) return std::nullopt;
  const auto of = [](const auto& body) {
    return body.ok() ? body->custodian : std::optional<circle::CustodianInfo>();
  };
  if (statement->type == circle::StatementType::kGenesis)
    return of(wire::decode<circle::Genesis>(statement->body));
  if (statement->type == circle::StatementType::kSetLevel)
    return of(wire::decode<circle::SetLevel>(statement->body));
  if (statement->type == circle::StatementType::kPropose)
    return of(wire::decode<circle::Propose>(statement->body));
  return std::nullopt;
}

}  // namespace

// `custody_due` has the accounts whose circle changed since somebody looked what that means;
// `custody_retire` keys of accounts that are gone.
const std::string Custody::kSchema =
    "CREATE TABLE IF NOT EXISTS custody_fleet("
    "  id INTEGER PRIMARY KEY CHECK(id = 1), fleet BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS custody_due("
    "  account TEXT PRIMARY KEY, stamp INTEGER NOT NULL, since INTEGER NOT NULL,"
    "  tries INTEGER NOT NULL, not_before INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS custody_circle("
    "  account TEXT PRIMARY KEY, circle BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS custody_circle_circle ON custody_circle(circle);"
    "CREATE TABLE IF NOT EXISTS custody_retire("
    "  circle BLOB NOT NULL, reader BLOB NOT NULL, not_before INTEGER NOT NULL,"
    "  PRIMARY KEY(circle, reader)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS custody_receipt("
    "  account TEXT NOT NULL, reader BLOB NOT NULL, receipt BLOB NOT NULL,"
    "  PRIMARY KEY(account, reader)) WITHOUT ROWID;";

Result<void> note_circle(sql::Database& db, std::string_view account, std::string_view path,
                         TimeMs now) {
  if (path.find("/circle/") == std::string_view::npos) return Ok{};
  return run(db,
             "INSERT INTO custody_due(account, stamp, since, tries, not_before) "
             "SELECT ?1, 1, ?2, 0, 0 WHERE EXISTS(SELECT 1 FROM custody_fleet) "
             "ON CONFLICT(account) DO UPDATE SET stamp = stamp + 1, tries = 0, not_before = 0",
             account, std::int64_t{now});
}

// ---- keys ----

Result<std::optional<Bytes>> Custody::fleet_key() {
  std::optional<Bytes> known;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(bound(db, "SELECT fleet FROM custody_fleet"));
    const bool there = TRY(row.step());
    if (there) known = to_bytes(TRY(row.column_blob(0)));
    return Ok{};
  });
  TRY(done);
  if (known || custodian_ == nullptr) return known;
  Bytes key = TRY(custodian_->fleet_key());
  if (key.size() != crypto::Ed25519PublicKey::kSize)
    return Error{Code::kInvalid, "the custodian's fleet key is none"};
  TRY(writer_.write([&](sql::Database& db) {
    return run(db, "INSERT INTO custody_fleet(id, fleet) VALUES(1, ?)", BytesView(key));
  }));
  return std::optional(std::move(key));
}

Result<Bytes> Custody::issue(const CircleId& circle, const std::string& peer, TimeMs now) {
  if (custodian_ == nullptr) return api::no_custodian();
  const auto turn = turns_.take();
  if (!turn) return busy();
  const Place place = asked_.add(circle, peer, now);
  if (place == Place::kNone)
    return Error{Code::kUnavailable,
                 "too many custodian's keys were asked for from this address today; try again "
                 "tomorrow, or ask the service's operator"};
  return custodian_->issue(circle);
}

Result<void> Custody::note_account(const std::string& account, const CircleId& circle) {
  return writer_.write([&](sql::Database& db) {
    return run(db, "INSERT OR REPLACE INTO custody_circle(account, circle) VALUES(?, ?)",
               std::string_view(account), circle.view());
  });
}

Result<bool> Custody::knows(const CircleId& circle) {
  bool there = false;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(bound(db, "SELECT 1 FROM custody_circle WHERE circle = ?", circle.view()));
    there = TRY(row.step());
    return Ok{};
  });
  TRY(done);
  return there;
}

Result<std::vector<std::string>> Custody::unnoted(const std::vector<std::string>& accounts) {
  std::set<std::string> left(accounts.begin(), accounts.end());
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(bound(db, "SELECT account FROM custody_circle"));
    for (;;) {
      const bool there = TRY(rows.step());
      if (!there) return Ok{};
      left.erase(std::string(TRY(rows.column_text(0))));
    }
  });
  TRY(done);
  return std::vector<std::string>(left.begin(), left.end());
}

bool Custody::names_custodian(BytesView statement) { return named_in(statement).has_value(); }

Result<void> Custody::check_named(BytesView statement, BytesView genesis) {
  const auto named = named_in(statement);
  if (!named) return Ok{};
  if (custodian_ == nullptr)
    return Error{Code::kInvalid, "the statement names a custodian, and this service has none"};
  const auto turn = turns_.take();
  if (!turn) return busy();
  const auto fleet = TRY(fleet_key());
  if (to_bytes(named->fleet_key) != *fleet)
    return Error{Code::kInvalid, "the statement names a custodian that is not this service's"};
  const auto outer = TRY(wire::decode<circle::SignedStatement>(statement));
  const auto parsed = TRY(wire::decode<circle::Statement>(outer.statement));
  const ReaderId key = circle::reader_id(*named);
  // Of an account that ended, and now comes again.
  TRY(writer_.write([&](sql::Database& db) {
    return run(db, "DELETE FROM custody_retire WHERE circle = ? AND reader = ?",
               parsed.circle.view(), key.view());
  }));
  const auto kept = custodian_->keep(parsed.circle, key, genesis);
  if (!kept.ok() && kept.error().code == Code::kNotFound)
    return Error{Code::kInvalid,
                 "the custodian has this key no more, for nothing named it for an hour: ask for "
                 "another"};
  return kept;
}

// ---- what is left to do ----

Result<std::optional<Custody::Due>> Custody::due_of(const std::string& account) {
  std::optional<Due> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(bound(db, "SELECT stamp, since, tries FROM custody_due WHERE account = ?",
                         std::string_view(account)));
    const bool there = TRY(row.step());
    if (there)
      out = Due{account, TRY(row.column_int(0)), TRY(row.column_int(1)), TRY(row.column_int(2))};
    return Ok{};
  });
  TRY(done);
  return out;
}

Result<std::vector<Custody::Due>> Custody::due(TimeMs now, std::size_t limit) {
  std::vector<Due> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(bound(db,
                          "SELECT account, stamp, since, tries FROM custody_due "
                          "WHERE not_before <= ?1 OR not_before > ?1 + ?2 ORDER BY since LIMIT ?3",
                          std::int64_t{now}, std::int64_t{kLongestPauseMs},
                          static_cast<std::int64_t>(limit)));
    for (;;) {
      const bool there = TRY(rows.step());
      if (!there) return Ok{};
      out.push_back({std::string(TRY(rows.column_text(0))), TRY(rows.column_int(1)),
                     TRY(rows.column_int(2)), TRY(rows.column_int(3))});
    }
  });
  TRY(done);
  return out;
}

Result<std::vector<Bytes>> Custody::receipts(const std::string& account) {
  std::vector<Bytes> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(bound(db, "SELECT receipt FROM custody_receipt WHERE account = ?",
                          std::string_view(account)));
    for (;;) {
      const bool there = TRY(rows.step());
      if (!there) return Ok{};
      out.push_back(to_bytes(TRY(rows.column_blob(0))));
    }
  });
  TRY(done);
  return out;
}

// Former custodians without a receipt.
Result<std::vector<circle::Custodian>> Custody::pending(const std::string& account,
                                                        const circle::Circle& circle) {
  std::vector<circle::Custodian> all = circle.custodians();
  std::erase_if(all, [](const circle::Custodian& one) { return !one.left_seq; });
  if (all.empty()) return all;
  const auto known = TRY(receipts(account));
  std::erase_if(all, [&](const circle::Custodian& one) {
    return std::ranges::any_of(known, [&](const Bytes& receipt) {
      return circle::verify_receipt(circle.id(), one.info, receipt).ok();
    });
  });
  return all;
}

Result<api::CustodyStatus> Custody::status(const std::string& account,
                                           const circle::Circle& circle) {
  const auto fleet = TRY(fleet_key());
  if (!fleet) return api::no_custodian();
  api::CustodyStatus out;
  const auto left = TRY(pending(account, circle));
  out.receipts = TRY(receipts(account));
  if (left.empty()) return out;
  const auto row = TRY(due_of(account));
  out.pending_since = row ? row->since_ms : left.front().since_ms;
  return out;
}

// ---- the work ----

CustodyTurn Custody::step(PublicLog& log, Loaded& loaded,
                          const std::function<void(const std::string&)>& changed, TimeMs now) {
  CustodyTurn turn;
  const auto all = due(now, kATurn);
  if (!all.ok()) {
    turn.failed = all.error();
    return turn;
  }
  for (const Due& one : *all) {
    const std::size_t before = turn.destroyed.size();
    const auto done = work(one, log, loaded, turn);
    if (turn.destroyed.size() > before) changed(one.account);
    if (done.ok() && *done) continue;
    ++turn.waiting;
    const bool failed = !done.ok();
    static_cast<void>(put_off(one, failed ? one.tries + 1 : 0, now));
    if (!failed) continue;  // the log has not come so far yet
    turn.failed = done.error();
    // Nobody is asked again who is away.
    if (done.error().code == Code::kUnavailable) return turn;
  }
  const auto retired = retire_some(now);
  if (!retired.ok()) turn.failed = retired.error();
  return turn;
}

// One after the other: where one fails, nobody is asked for the others before a while.
Result<void> Custody::retire_some(TimeMs now) {
  if (custodian_ == nullptr) return Ok{};
  std::vector<std::pair<CircleId, ReaderId>> due;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(bound(db,
                          "SELECT circle, reader FROM custody_retire "
                          "WHERE not_before <= ?1 OR not_before > ?1 + ?2 LIMIT ?3",
                          std::int64_t{now}, std::int64_t{kLongestPauseMs},
                          static_cast<std::int64_t>(kATurn)));
    for (;;) {
      const bool there = TRY(rows.step());
      if (!there) return Ok{};
      const auto circle = CircleId::from(TRY(rows.column_blob(0)));
      const auto reader = ReaderId::from(TRY(rows.column_blob(1)));
      if (!circle || !reader)
        return Error{Code::kCorrupt, "the service's notes for its custodian are damaged"};
      due.emplace_back(*circle, *reader);
    }
  });
  TRY(done);
  for (const auto& [circle, reader] : due) {
    const auto retired = custodian_->retire(circle, reader);
    TRY(writer_.write([&](sql::Database& db) {
      if (!retired.ok())
        return run(db, "UPDATE custody_retire SET not_before = ?", now + kLongestPauseMs);
      return run(db, "DELETE FROM custody_retire WHERE circle = ? AND reader = ?", circle.view(),
                 reader.view());
    }));
    TRY(retired);
  }
  return Ok{};
}

// True: nothing is left to do. False: the log has not come so far yet.
Result<bool> Custody::work(const Due& due, PublicLog& log, Loaded& loaded, CustodyTurn& turn) {
  const auto account = TRY(loaded.find(due.account));
  if (account) {
    const circle::Circle circle = TRY(account->circle());
    for (const circle::Custodian& gone : TRY(pending(due.account, circle))) {
      if (custodian_ == nullptr) return api::no_custodian();
      const std::uint64_t logged = TRY(log.logged_statements(due.account));
      if (logged <= *gone.left_seq) return false;
      const Bytes receipt = TRY(destroy(due.account, *account, log, circle, gone));
      TRY(circle::verify_receipt(circle.id(), gone.info, receipt));
      TRY(store(due.account, gone, receipt));
      turn.destroyed.push_back(circle.id());
    }
  }
  TRY(finish(due));
  return true;
}

Result<Bytes> Custody::destroy(const std::string& account, store::Account& in, PublicLog& log,
                               const circle::Circle& circle, const circle::Custodian& gone) {
  const auto evidence = TRY(gather_evidence(*custodian_, log, account, in, circle));
  return custodian_->destroy(circle.id(), gone.id, evidence);
}

// The receipt and its entry in the log together: each once.
Result<void> Custody::store(const std::string& account, const circle::Custodian& gone,
                            BytesView receipt) {
  tlog::DeletionReceipt leaf;
  leaf.receipt = crypto::sha256(receipt);
  const Bytes entry = wire::encode(leaf);
  return writer_.write([&](sql::Database& db) -> Result<void> {
    TRY(run(db, "INSERT OR IGNORE INTO custody_receipt(account, reader, receipt) VALUES(?, ?, ?)",
            std::string_view(account), gone.id.view(), receipt));
    if (db.changes() == 0) return Ok{};
    return queue_leaf(db, entry);
  });
}

// Each account by itself: one that fails for long does not hold up the others.
Result<void> Custody::put_off(const Due& due, std::int64_t tries, TimeMs now) {
  const TimeMs until =
      now + std::min(kFirstPauseMs << std::min<std::int64_t>(tries, 10), kLongestPauseMs);
  return writer_.write([&](sql::Database& db) {
    return run(db,
               "UPDATE custody_due SET tries = ?, not_before = ? WHERE account = ? AND stamp = ?",
               tries, std::int64_t{until}, std::string_view(due.account), due.stamp);
  });
}

// Unless the circle changed meanwhile.
Result<void> Custody::finish(const Due& due) {
  return writer_.write([&](sql::Database& db) {
    return run(db, "DELETE FROM custody_due WHERE account = ? AND stamp = ?",
               std::string_view(due.account), due.stamp);
  });
}

Result<void> Custody::outlive(const std::string& account, const circle::Circle& circle) {
  std::vector<ReaderId> left;
  for (const circle::Custodian& one : TRY(pending(account, circle))) left.push_back(one.id);
  if (circle.custodian() != nullptr) left.push_back(circle.custodian()->id);
  return writer_.write([&](sql::Database& db) -> Result<void> {
    for (const ReaderId& reader : left)
      TRY(run(db,
              "INSERT OR IGNORE INTO custody_retire(circle, reader, not_before) VALUES(?, ?, 0)",
              circle.id().view(), reader.view()));
    return Ok{};
  });
}

Result<void> Custody::erase(const std::string& account) {
  return writer_.write([&](sql::Database& db) -> Result<void> {
    TRY(run(db, "DELETE FROM custody_circle WHERE account = ?", std::string_view(account)));
    TRY(run(db, "DELETE FROM custody_due WHERE account = ?", std::string_view(account)));
    return run(db, "DELETE FROM custody_receipt WHERE account = ?", std::string_view(account));
  });
}

std::vector<std::pair<std::string, double>> Custody::gauges(TimeMs now) {
  std::int64_t count = 0;
  std::int64_t oldest = now;
  const auto read = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(
        bound(db,
              "SELECT count(*) + (SELECT count(*) FROM custody_retire), coalesce(min(since), ?) "
              "FROM custody_due",
              std::int64_t{now}));
    const bool there = TRY(row.step());
    if (!there) return Ok{};
    count = TRY(row.column_int(0));
    oldest = TRY(row.column_int(1));
    return Ok{};
  });
  if (!read.ok()) return {};
  return {{"holdfast_custody_waiting", static_cast<double>(count)},
          {"holdfast_custody_oldest_seconds",
           static_cast<double>(std::max<std::int64_t>(now - oldest, 0)) / 1000}};
}

}  // namespace holdfast::server
