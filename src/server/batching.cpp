#include "server/batching.h"

#include "server/evidence.h"
#include "server/rows.h"

namespace holdfast::server {
namespace {

constexpr TimeMs kPauseMs = 20'000;  // from one look at what the custodian has to tell to the next

}  // namespace

const std::string Batching::kSchema =
    "CREATE TABLE IF NOT EXISTS release_clock("
    "  id INTEGER PRIMARY KEY CHECK(id = 1), due_ms INTEGER NOT NULL);";

Result<TimeMs> Batching::due_ms() {
  TimeMs due = 0;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(bound(db, "SELECT due_ms FROM release_clock"));
    const bool there = TRY(row.step());
    if (there) due = TRY(row.column_int(0));
    return Ok{};
  });
  TRY(done);
  return due;
}

Result<bool> Batching::step(PublicLog& log, TimeMs now) {
  const TimeMs pause = std::min(kPauseMs, every_ms_);
  // Nor does a clock that was ahead, for longer than one pause.
  if (custodian_ == nullptr || (now < not_before_ && not_before_ <= now + pause)) return false;
  not_before_ = now + pause;
  TRY(show_log(*custodian_, log));
  TRY(open_due(log));
  const TimeMs due = TRY(due_ms());
  // A clock that was set back does not stop them for longer than one interval.
  if (now < due && due <= now + every_ms_) return false;
  const api::NextBatch next = TRY(custodian_->next_batch());
  std::vector<tlog::MapEntry> positions;
  for (const auto& [label, value] : next.positions)
    positions.push_back({tlog::MapLabel(label.bytes), value});
  TRY(log.append_batch(next.leaf, positions));
  TRY(writer_.write([&](sql::Database& db) {
    return run(db, "INSERT OR REPLACE INTO release_clock(id, due_ms) VALUES(1, ?)",
               std::int64_t{now + every_ms_});
  }));
  return true;
}

Result<void> Batching::open_due(PublicLog& log) {
  for (;;) {
    const api::DueOpenings due = TRY(custodian_->due_openings());
    if (due.openings.empty()) return Ok{};
    for (const auto& [circle, opening] : due.openings)
      TRY(log.open_batch(due.batch, circle, opening));
    TRY(custodian_->opened(due.batch, due.openings.back().first));
  }
}

}  // namespace holdfast::server
