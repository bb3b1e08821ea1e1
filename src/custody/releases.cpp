#include "custody/releases.h"

#include <algorithm>

#include "custody/columns.h"
#include "custody/tables.h"
#include "sql/rows.h"
#include "tlog/map_labels.h"

namespace holdfast::custody {
namespace {

using sql::bound;
using sql::run;

constexpr TimeMs kDayMs = 24LL * 60 * 60 * 1000;

template <class T>
Result<T> value_at(const sql::Statement& row, int column) {
  const BytesView bytes = TRY(row.column_blob(column));
  return wire::decode<T>(bytes);
}

Result<std::optional<BatchRow>> one_batch(sql::Statement row) {
  const bool there = TRY(row.step());
  if (!there) return std::optional<BatchRow>();
  BatchRow out;
  out.n = TRY(number_at(row, 0));
  out.leaf = to_bytes(TRY(row.column_blob(1)));
  return std::optional(std::move(out));
}

}  // namespace

// Of `asked`, batch 0 is the next one. `opening.proof` is kept where the list is not empty.
const std::string Releases::kSchema =
    "CREATE TABLE IF NOT EXISTS batch("
    "  n INTEGER PRIMARY KEY, leaf BLOB NOT NULL, open_ms INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS opening("
    "  batch INTEGER NOT NULL, circle BLOB NOT NULL, opening BLOB NOT NULL, proof BLOB NOT NULL,"
    "  given INTEGER NOT NULL, PRIMARY KEY(batch, circle)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS opening_due ON opening(batch, circle) WHERE given = 0;"
    "CREATE TABLE IF NOT EXISTS asked("
    "  circle BLOB NOT NULL, instrument BLOB NOT NULL, release BLOB NOT NULL,"
    "  batch INTEGER NOT NULL, PRIMARY KEY(circle, instrument, release)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS asked_next ON asked(circle) WHERE batch = 0;";

Result<std::optional<BatchRow>> Releases::newest() {
  return one_batch(TRY(bound(database_, "SELECT n, leaf FROM batch ORDER BY n DESC LIMIT 1")));
}

Result<std::optional<BatchRow>> Releases::batch(std::uint64_t n) {
  return one_batch(TRY(bound(database_, "SELECT n, leaf FROM batch WHERE n = ?", signed_of(n))));
}

// ---- making one ----

// The same position in every batch, whether anything was asked for or not.
Result<std::vector<tlog::BatchEntry>> Releases::entries() {
  std::vector<tlog::BatchEntry> out;
  auto rows = TRY(bound(database_,
                        "WITH live AS (SELECT DISTINCT k.circle FROM kept_key k JOIN account_key a "
                        "  ON a.circle = k.circle AND a.reader = k.reader WHERE a.state = ?) "
                        "SELECT live.circle, coalesce(asked.release, x'') FROM live "
                        "LEFT JOIN asked ON asked.circle = live.circle AND asked.batch = 0 "
                        "ORDER BY live.circle",
                        static_cast<std::int64_t>(KeyState::kLive)));
  for (;;) {
    const bool there = TRY(rows.step());
    if (!there) return out;
    const CircleId circle = TRY(id_at<CircleId>(rows, 0));
    if (out.empty() || out.back().circle != circle) {
      out.emplace_back();
      out.back().circle = circle;
    }
    const BytesView release = TRY(rows.column_blob(1));
    if (!release.empty() && out.back().releases.size() < tlog::kMaxReleases)
      out.back().releases.push_back(TRY(wire::decode<tlog::Release>(release)));
  }
}

Result<void> Releases::make(BytesView previous, std::uint8_t open_days, TimeMs now) {
  auto transaction = TRY(sql::Transaction::begin(database_));
  const auto all = TRY(entries());
  if (all.size() > api::kMaxBatchAccounts)
    return Error{Code::kUnavailable, "there are more accounts than a release batch has places"};
  const auto batch = TRY(tlog::Batch::make(previous, all, open_days));
  const auto leaf = TRY(wire::decode<tlog::ReleaseBatch>(batch.leaf()));
  TRY(put_batch(leaf.n, batch, all, now + open_days * kDayMs));
  return transaction.commit();
}

Result<void> Releases::put_batch(std::uint64_t n, const tlog::Batch& batch,
                                 const std::vector<tlog::BatchEntry>& entries, TimeMs open_ms) {
  TRY(run(database_, "INSERT INTO batch(n, leaf, open_ms) VALUES(?, ?, ?)", signed_of(n),
          BytesView(batch.leaf()), std::int64_t{open_ms}));
  tlog::Map map;
  TRY(map.apply(batch.positions()));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const tlog::BatchEntry& entry = entries[i];
    const Bytes opening = wire::encode(batch.openings()[i]);
    Bytes proof;
    if (!entry.releases.empty()) proof = wire::encode(tlog::prove_position(map, entry.circle));
    TRY(run(database_,
            "INSERT INTO opening(batch, circle, opening, proof, given) VALUES(?, ?, ?, ?, 0)",
            signed_of(n), entry.circle.view(), BytesView(opening), BytesView(proof)));
    for (const tlog::Release& release : entry.releases) {
      const Bytes bytes = wire::encode(release);
      TRY(run(database_,
              "UPDATE asked SET batch = ? WHERE circle = ? AND instrument = ? AND release = ?",
              signed_of(n), entry.circle.view(), release.instrument.view(), BytesView(bytes)));
    }
  }
  return Ok{};
}

Result<std::vector<tlog::MapEntry>> Releases::positions(std::uint64_t n) {
  std::vector<tlog::MapEntry> out;
  auto rows =
      TRY(bound(database_, "SELECT circle, opening FROM opening WHERE batch = ?", signed_of(n)));
  for (;;) {
    const bool there = TRY(rows.step());
    if (!there) break;
    const CircleId circle = TRY(id_at<CircleId>(rows, 0));
    const auto opening = TRY(value_at<tlog::BatchOpening>(rows, 1));
    out.push_back({tlog::batch_position(circle), tlog::batch_value(opening)});
  }
  std::ranges::sort(out);
  return out;
}

// ---- what is asked for ----

Result<std::uint64_t> Releases::ask(const CircleId& circle,
                                    const std::vector<tlog::Release>& wanted) {
  if (wanted.empty()) return Error{Code::kInvalid, "nothing is asked to be released"};
  const Digest& instrument = wanted.front().instrument;
  auto transaction = TRY(sql::Transaction::begin(database_));
  std::optional<std::uint64_t> in;
  bool together = true;
  for (const tlog::Release& release : wanted) {
    const Bytes bytes = wire::encode(release);
    auto row = TRY(bound(database_,
                         "SELECT batch FROM asked WHERE circle = ? AND instrument = ? "
                         "AND release = ?",
                         circle.view(), instrument.view(), BytesView(bytes)));
    const bool there = TRY(row.step());
    std::optional<std::uint64_t> at;
    if (there) at = TRY(number_at(row, 0));
    together = together && at && (!in || in == at);
    in = at;
  }
  if (together) return *in;
  // A vault came in or an epoch began: all of them once more, so that one batch has them all.
  TRY(run(database_, "DELETE FROM asked WHERE circle = ? AND instrument = ?", circle.view(),
          instrument.view()));
  for (const tlog::Release& release : wanted) {
    const Bytes bytes = wire::encode(release);
    TRY(run(database_, "INSERT INTO asked(circle, instrument, release, batch) VALUES(?, ?, ?, 0)",
            circle.view(), instrument.view(), BytesView(bytes)));
  }
  TRY(transaction.commit());
  return std::uint64_t{0};
}

Result<std::optional<Listed>> Releases::listed(std::uint64_t n, const CircleId& circle) {
  auto row = TRY(bound(database_,
                       "SELECT opening, proof FROM opening "
                       "WHERE batch = ? AND circle = ? AND length(proof) > 0",
                       signed_of(n), circle.view()));
  const bool there = TRY(row.step());
  if (!there) return std::optional<Listed>();
  Listed out;
  out.opening = TRY(value_at<tlog::BatchOpening>(row, 0));
  out.position = TRY(value_at<tlog::PositionProof>(row, 1));
  return std::optional(std::move(out));
}

// ---- telling the accounts ----

Result<api::DueOpenings> Releases::due(std::uint64_t logged, TimeMs now) {
  api::DueOpenings out;
  auto rows = TRY(bound(database_,
                        "SELECT opening.batch, circle, opening FROM opening "
                        "JOIN batch ON batch.n = opening.batch "
                        "WHERE given = 0 AND batch.n <= ? AND open_ms <= ? "
                        "ORDER BY opening.batch, circle LIMIT ?",
                        signed_of(logged), std::int64_t{now},
                        static_cast<std::int64_t>(api::kMaxOpenings)));
  for (;;) {
    const bool there = TRY(rows.step());
    if (!there) return out;
    const std::uint64_t n = TRY(number_at(rows, 0));
    if (out.openings.empty()) out.batch = n;
    if (n != out.batch) return out;
    out.openings.emplace_back(TRY(id_at<CircleId>(rows, 1)), to_bytes(TRY(rows.column_blob(2))));
  }
}

Result<void> Releases::opened(std::uint64_t n, const CircleId& last, TimeMs now) {
  auto due = TRY(bound(database_, "SELECT 1 FROM batch WHERE n = ? AND open_ms <= ?", signed_of(n),
                       std::int64_t{now}));
  if (!TRY(due.step()))
    return Error{Code::kInvalid, "that batch is not to be opened yet, so none of it was shown"};
  auto transaction = TRY(sql::Transaction::begin(database_));
  TRY(run(database_, "DELETE FROM opening WHERE batch = ? AND circle <= ? AND length(proof) = 0",
          signed_of(n), last.view()));
  TRY(run(database_, "UPDATE opening SET given = 1 WHERE batch = ? AND circle <= ?", signed_of(n),
          last.view()));
  return transaction.commit();
}

}  // namespace holdfast::custody
