#include "server/lawful_store.h"

#include "base/file.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "server/rows.h"

namespace holdfast::server {
namespace {

constexpr std::string_view kCommitmentLabel = "holdfast/v1/lawful/commitment";
constexpr std::int64_t kHeadDayMs = 24LL * 60 * 60 * 1000;

const char* const kLawfulSchema =
    "CREATE TABLE IF NOT EXISTS step("
    "  n INTEGER PRIMARY KEY, entry BLOB NOT NULL, document BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS head(day INTEGER PRIMARY KEY, opening BLOB NOT NULL);"
    "CREATE TRIGGER IF NOT EXISTS step_update BEFORE UPDATE ON step"
    "  BEGIN SELECT raise(ABORT, 'the trail only grows'); END;"
    "CREATE TRIGGER IF NOT EXISTS step_delete BEFORE DELETE ON step"
    "  BEGIN SELECT raise(ABORT, 'the trail only grows'); END;";

}  // namespace

lawful::Roster roster_of(const Trail& operators) {
  lawful::Roster roster;
  for (const Act& act : operators.acts()) {
    roster.heads.push_back(act.head);
    const Digest id = operator_id({act.entry.key});
    if (act.entry.act == OperatorAct::kAdd)
      roster.tenures.push_back({id, act.entry.name, {act.entry.key}, act.entry.n, {}});
    if (act.entry.act == OperatorAct::kRevoke)
      for (lawful::Roster::Tenure& one : roster.tenures)
        if (one.id == id) one.until = act.entry.n;
  }
  return roster;
}

Digest head_commitment(BytesView opening) { return crypto::sha256(kCommitmentLabel, opening); }

bool LawfulStore::begun() const { return exists(path_); }

Result<sql::Database*> LawfulStore::database() {
  if (!database_) {
    sql::Database opened = TRY(sql::Database::open(path_));
    TRY(opened.execute(kLawfulSchema));
    database_.emplace(std::move(opened));
  }
  return &*database_;
}

Result<lawful::Roster> LawfulStore::roster() {
  const auto entries = TRY(operators_.entries());
  const Trail operators = TRY(Trail::verify(entries));
  TRY(check_anchor(operators, anchor_));
  return roster_of(operators);
}

Result<std::vector<lawful::SignedStep>> LawfulStore::read() {
  std::vector<lawful::SignedStep> steps;
  if (!begun()) return steps;
  sql::Database* const db = TRY(database());
  sql::Statement rows = TRY(db->prepare_cached("SELECT entry, document FROM step ORDER BY n"));
  for (;;) {
    const bool there = TRY(rows.step());
    if (!there) return steps;
    lawful::SignedStep step;
    step.entry = to_bytes(TRY(rows.column_blob(0)));
    step.document = to_bytes(TRY(rows.column_blob(1)));
    steps.push_back(std::move(step));
  }
}

Result<std::vector<lawful::SignedStep>> LawfulStore::steps() {
  const Lock one(mutex_);
  return read();
}

Result<lawful::Trail> LawfulStore::trail() {
  auto who = TRY(roster());
  const auto all = TRY(steps());
  return lawful::Trail::verify(all, std::move(who));
}

Result<void> LawfulStore::append(const lawful::SignedStep& step) {
  auto who = TRY(roster());
  const Lock one(mutex_);
  const std::size_t operators_now = who.heads.size();
  const auto before = TRY(read());
  lawful::Trail trail = TRY(lawful::Trail::verify(before, std::move(who)));
  TRY(trail.apply(step));
  // Who was revoked may not act by an older state of the operators.
  if (trail.acts().back().entry.operators_n != operators_now)
    return Error{Code::kConflict, "the operators changed just now: try again"};
  sql::Database* const db = TRY(database());
  return run(*db, "INSERT INTO step(n, entry, document) VALUES(?, ?, ?)",
             static_cast<std::int64_t>(trail.n()), BytesView(step.entry), BytesView(step.document));
}

Result<std::optional<Bytes>> LawfulStore::next_head(TimeMs now) {
  if (!begun()) return std::optional<Bytes>();
  const auto day = static_cast<std::uint64_t>(now / kHeadDayMs);
  const Lock one(mutex_);
  sql::Database& db = *TRY(database());
  {
    auto row = TRY(bound(db, "SELECT coalesce(max(day), 0) FROM head"));
    const bool there = TRY(row.step());
    const auto newest = there ? TRY(row.column_int(0)) : 0;
    if (newest >= static_cast<std::int64_t>(day)) return std::optional<Bytes>();
  }
  // Not verified here: what was changed must be bound as it is, or be found by who verifies.
  const auto steps = TRY(read());
  lawful::HeadOpening opening;
  crypto::random_fill(opening.nonce);
  opening.day = day;
  opening.n = steps.size();
  if (!steps.empty()) opening.head = lawful::entry_head(steps.back().entry);
  Bytes bytes = wire::encode(opening);
  TRY(run(db, "INSERT INTO head(day, opening) VALUES(?, ?)", static_cast<std::int64_t>(day),
          BytesView(bytes)));
  return std::optional(std::move(bytes));
}

Result<std::vector<Bytes>> LawfulStore::read_openings() {
  std::vector<Bytes> out;
  if (!begun()) return out;
  sql::Database* const db = TRY(database());
  sql::Statement rows = TRY(db->prepare_cached("SELECT opening FROM head ORDER BY day"));
  for (;;) {
    const bool there = TRY(rows.step());
    if (!there) return out;
    out.push_back(to_bytes(TRY(rows.column_blob(0))));
  }
}

Result<std::vector<Bytes>> LawfulStore::openings() {
  const Lock one(mutex_);
  return read_openings();
}

}  // namespace holdfast::server
