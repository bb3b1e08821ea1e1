#include "server/helping.h"

#include <algorithm>

#include "api/format.h"
#include "crypto/hash.h"
#include "server/evidence.h"
#include "server/rows.h"

namespace holdfast::server {
namespace {

constexpr TimeMs kGrantedMs = 10LL * 24 * 60 * 60 * 1000;
constexpr TimeMs kLookMs = 20'000;  // replaying an account is no work for every second
constexpr TimeMs kFailedPauseMs = 300'000;
constexpr TimeMs kClockSlackMs = 24LL * 60 * 60 * 1000;

Result<HelpRow> row_at(const sql::Statement& rows) {
  HelpRow out;
  const auto id = Digest::from(TRY(rows.column_blob(0)));
  if (!id) return Error{Code::kCorrupt, "the service's requests for help are damaged"};
  out.id = *id;
  out.account = std::string(TRY(rows.column_text(1)));
  out.request = to_bytes(TRY(rows.column_blob(2)));
  out.received_ms = TRY(rows.column_int(3));
  return out;
}

Result<void> read_grants(sql::Database& db, HelpRow& row) {
  auto rows = TRY(bound(db, "SELECT bytes FROM help_grant WHERE id = ?", row.id.view()));
  for (;;) {
    const bool there = TRY(rows.step());
    if (!there) return Ok{};
    row.grants.push_back(to_bytes(TRY(rows.column_blob(0))));
  }
}

Result<circle::SignedHelpGrant> outer_of(BytesView grant) {
  return wire::decode<circle::SignedHelpGrant>(grant);
}

// The custodian's own envelopes of what it reads, in the order that it asks for.
Result<std::vector<Bytes>> envelopes(const circle::Circle& circle, store::Account& in) {
  std::vector<Bytes> out;
  const circle::Custodian* const custodian = circle.custodian();
  if (custodian == nullptr) return out;
  for (const circle::Vault& vault : circle.vaults()) {
    if (vault.always_e2e) continue;
    const BlobId blob =
        TRY(circle.blob(circle.epoch(), {circle::BlobKind::kVaultReader, custodian->id, vault.id}));
    out.push_back(TRY(in.get_blob(blob)));
  }
  return out;
}

// Also where it was cancelled: that request has had its turn.
Result<bool> was_proposed(store::Account& in, const ReaderId& helped) {
  for (std::uint64_t from = 0;;) {
    const auto page = TRY(in.read_circle(from));
    if (page.empty()) return false;
    from += page.size();
    for (const Bytes& bytes : page) {
      const auto outer = TRY(wire::decode<circle::SignedStatement>(bytes));
      const auto statement = TRY(wire::decode<circle::Statement>(outer.statement));
      if (statement.type != circle::StatementType::kAssist) continue;
      const auto body = TRY(wire::decode<circle::Assist>(statement.body));
      if (circle::reader_id(body.helped) == helped) return true;
    }
  }
}

Error said_too_little(const std::string& account) {
  return {Code::kDenied, "the entry of the trail is not for this act on \"" + account + "\""};
}

}  // namespace

const std::string Helping::kSchema =
    "CREATE TABLE IF NOT EXISTS help_request("
    "  id BLOB PRIMARY KEY, account TEXT NOT NULL, request BLOB NOT NULL,"
    "  received_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS help_grant("
    "  id BLOB NOT NULL, operator BLOB NOT NULL, bytes BLOB NOT NULL,"
    "  PRIMARY KEY(id, operator)) WITHOUT ROWID;";

// ---- asking ----

// Stored whether there is such an account or not: neither the answer nor its time tells.
Result<void> Helping::ask(const std::string& account, BytesView bytes, const std::string& peer,
                          TimeMs now) {
  if (custodian_ == nullptr) return api::no_custodian();
  const auto request = TRY(circle::verify_help_request(bytes));
  if (request.account != account || request.time_ms > now + kClockSlackMs ||
      request.time_ms < now - kClockSlackMs)
    return Error{Code::kInvalid,
                 "the request for help is of another account, or this device's clock is wrong"};
  const Digest id = crypto::sha256(bytes);
  const Place place = asked_.add(id, peer, now);
  if (place == Place::kNone)
    return Error{Code::kUnavailable,
                 "too many requests for help came from this address; ask the service's operator"};
  auto put = writer_.write([&](sql::Database& db) -> Result<void> {
    auto count = TRY(bound(db, "SELECT count(*) FROM help_request WHERE id != ?", id.view()));
    const bool there = TRY(count.step());
    const std::int64_t waiting = there ? TRY(count.column_int(0)) : 0;
    if (waiting >= static_cast<std::int64_t>(kMaxHelpRequests))
      return Error{Code::kUnavailable,
                   "too many requests for help wait; ask the service's operator"};
    return run(db,
               "INSERT OR IGNORE INTO help_request(id, account, request, received_ms) "
               "VALUES(?, ?, ?, ?)",
               id.view(), std::string_view(account), bytes, std::int64_t{now});
  });
  if (!put.ok() && place == Place::kNew) asked_.remove(id);
  return put;
}

// ---- the operators ----

Result<std::vector<HelpRow>> Helping::list() {
  std::vector<HelpRow> out;
  const auto done = writer_.read([&](sql::Database& db) -> Result<void> {
    auto rows = TRY(bound(
        db, "SELECT id, account, request, received_ms FROM help_request ORDER BY received_ms, id"));
    for (;;) {
      const bool there = TRY(rows.step());
      if (!there) break;
      out.push_back(TRY(row_at(rows)));
    }
    for (HelpRow& row : out) TRY(read_grants(db, row));
    return Ok{};
  });
  TRY(done);
  return out;
}

Result<HelpRow> Helping::find(const std::string& code) {
  for (HelpRow& row : TRY(list()))
    if (circle::help_code(row.request) == code) return std::move(row);
  return Error{Code::kNotFound, "no request for help with this code waits"};
}

// The trail and the grant in one write: no grant counts that the trail does not tell of.
Result<void> Helping::grant(const HelpRow& row, const CircleId& circle, BytesView grant,
                            BytesView entry) {
  const auto key = TRY(circle::verify_help_grant(circle, row.request, grant));
  return writer_.write([&](sql::Database& db) -> Result<void> {
    const Act act = TRY(operators_.append_within(db, entry));
    if (act.entry.act != OperatorAct::kGrantHelp ||
        act.entry.name != circle::help_code(row.request) || act.entry.signer != operator_id(key))
      return said_too_little(row.account);
    TRY(run(db,
            "INSERT OR IGNORE INTO help_grant(id, operator, bytes) "
            "SELECT ?1, ?2, ?3 WHERE EXISTS(SELECT 1 FROM help_request WHERE id = ?1)",
            row.id.view(), act.entry.signer.view(), grant));
    if (db.changes() == 1) return Ok{};
    return Error{Code::kConflict, "you granted this request before; it takes a second operator"};
  });
}

Result<void> Helping::refuse(const HelpRow& row, BytesView entry) {
  return writer_.write([&](sql::Database& db) -> Result<void> {
    const Act act = TRY(operators_.append_within(db, entry));
    if (act.entry.act != OperatorAct::kRefuseHelp ||
        act.entry.name != circle::help_code(row.request))
      return said_too_little(row.account);
    TRY(run(db, "DELETE FROM help_grant WHERE id = ?", row.id.view()));
    return run(db, "DELETE FROM help_request WHERE id = ?", row.id.view());
  });
}

// Those of operators that are some now: who was revoked meanwhile granted nothing. None: they are
// not enough.
Result<std::vector<Bytes>> Helping::good_grants(const HelpRow& row, const CircleId& circle) {
  if (row.grants.size() < circle::kHelpGrants) return std::vector<Bytes>();
  const auto entries = TRY(operators_.entries());
  const Trail trail = TRY(Trail::verify(entries));
  circle::OperatorKeys now;
  for (const auto& [id, one] : trail.operators()) now.insert(one.key.bytes);
  std::vector<Bytes> theirs;
  for (const Bytes& grant : row.grants) {
    const auto outer = TRY(outer_of(grant));
    if (now.contains(outer.operator_key) && theirs.size() < api::kMaxGrants)
      theirs.push_back(grant);
  }
  if (!circle::check_help_granted(circle, row.request, theirs, now).ok()) theirs.clear();
  return theirs;
}

// ---- the work ----

HelpTurn Helping::step(PublicLog& log, Loaded& loaded, const AppendTo& append, TimeMs now) {
  HelpTurn turn;
  // A clock that was ahead does not stop it for longer than a pause; nor below.
  if (custodian_ == nullptr || (now < not_before_ && not_before_ <= now + kLookMs)) return turn;
  not_before_ = now + kLookMs;
  const auto rows = list();
  if (!rows.ok()) {
    turn.failed = rows.error();
    return turn;
  }
  for (const HelpRow& row : *rows) {
    if (row.grants.size() < circle::kHelpGrants) continue;
    TimeMs& not_before = retry_[row.id];
    if (now < not_before && not_before <= now + kFailedPauseMs) continue;
    const auto next = work(row, log, loaded, append, now);
    if (!next.ok()) {
      not_before = now + kFailedPauseMs;
      turn.failed = next.error();
      continue;
    }
    if (*next == Next::kProposed) turn.proposed.push_back(row.account);
    if (*next == Next::kGiven) turn.given.push_back(row.account);
    if (*next != Next::kOver) continue;
    retry_.erase(row.id);
    static_cast<void>(drop(row));  // else in the next turn
  }
  return turn;
}

// Where it is, the circle says: nothing beside it could disagree.
Result<Helping::Next> Helping::work(const HelpRow& row, PublicLog& log, Loaded& loaded,
                                    const AppendTo& append, TimeMs now) {
  const auto in = TRY(loaded.find(row.account));
  if (!in) return Next::kOver;
  const circle::Circle circle = TRY(in->circle());
  const std::vector<Bytes> grants = TRY(good_grants(row, circle.id()));
  if (grants.empty()) return Next::kWait;
  const auto request = TRY(circle::verify_help_request(row.request));
  const ReaderId helped = circle::reader_id(request.device);
  for (const circle::Helped& one : circle.helped())
    if (one.id == helped) return Next::kOver;
  const std::uint64_t logged = TRY(log.logged_statements(row.account));
  if (logged <= circle.seq()) return Next::kWait;  // the log has not come so far yet
  for (const circle::Proposal& one : circle.proposals()) {
    if (one.helped() == nullptr || circle::reader_id(*one.helped()) != helped) continue;
    if (now < one.time_ms + circle::kProposalAgeMs) return Next::kWait;
    return give(row, circle, one.seq, *in, log, append);
  }
  const bool before = TRY(was_proposed(*in, helped));
  if (before) return Next::kOver;
  const auto evidence = TRY(gather_evidence(*custodian_, log, row.account, *in, circle));
  api::Append out;
  out.statement = TRY(custodian_->propose_help(circle.id(), {row.request, grants}, evidence));
  const auto appended = append(*in, row.account, out);
  if (!appended.ok() && appended.error().code == Code::kConflict) return Next::kWait;
  TRY(appended);
  return Next::kProposed;
}

Result<Helping::Next> Helping::give(const HelpRow& row, const circle::Circle& circle,
                                    std::uint64_t proposal, store::Account& in, PublicLog& log,
                                    const AppendTo& append) {
  api::HelpDue due;
  due.proposal = proposal;
  due.age = TRY(log.prove_age(row.account, proposal));
  for (const circle::VaultHead& head : TRY(in.vault_heads()))
    due.heads.push_back({head.vault, head.n, head.head});
  auto evidence = TRY(gather_evidence(*custodian_, log, row.account, in, circle));
  const Bytes batch = TRY(custodian_->list_help(circle.id(), due, evidence));
  if (batch.empty()) return Next::kWait;
  const auto proof = log.prove_leaf(batch);
  if (!proof.ok() && proof.error().code == Code::kUnavailable) return Next::kWait;
  TRY(proof);
  evidence = TRY(gather_evidence(*custodian_, log, row.account, in, circle));
  const auto own = TRY(envelopes(circle, in));
  auto given =
      TRY(custodian_->complete_help(circle.id(), due, own, wire::encode(*proof), evidence));
  api::Append out;
  out.statement = std::move(given.statement);
  out.blobs = std::move(given.blobs);
  const auto appended = append(in, row.account, out);
  if (!appended.ok() && appended.error().code == Code::kConflict) return Next::kWait;
  TRY(appended);
  return Next::kGiven;
}

// ---- the rest ----

Result<void> Helping::drop(const HelpRow& row) {
  return writer_.write([&](sql::Database& db) -> Result<void> {
    TRY(run(db, "DELETE FROM help_grant WHERE id = ?", row.id.view()));
    return run(db, "DELETE FROM help_request WHERE id = ?", row.id.view());
  });
}

// Three days and some batches more where two had granted it in time.
Result<void> Helping::sweep(TimeMs now) {
  const TimeMs before = now - circle::kHelpRequestMs;
  // One that was granted in time has three days and some batches before it.
  const TimeMs granted = before - kGrantedMs;
  const std::string over =
      "received_ms <= ? AND (received_ms <= ? OR "
      "(SELECT count(*) FROM help_grant g WHERE g.id = help_request.id) < 2)";
  return writer_.write([&](sql::Database& db) -> Result<void> {
    TRY(run(db, "DELETE FROM help_request WHERE " + over, std::int64_t{before},
            std::int64_t{granted}));
    return run(db, "DELETE FROM help_grant WHERE id NOT IN (SELECT id FROM help_request)");
  });
}

Result<void> Helping::erase(const std::string& account) {
  return writer_.write([&](sql::Database& db) -> Result<void> {
    TRY(run(db,
            "DELETE FROM help_grant WHERE id IN (SELECT id FROM help_request WHERE account = ?)",
            std::string_view(account)));
    return run(db, "DELETE FROM help_request WHERE account = ?", std::string_view(account));
  });
}

}  // namespace holdfast::server
