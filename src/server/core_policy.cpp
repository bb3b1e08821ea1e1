// What the service takes and refuses by the policy in effect. It judges what would be turned on or
// kept, and changes nothing that is there: no policy lowers a level.
#include "server/core.h"

namespace holdfast::server {
namespace {

// Key segments, too, are packs that the service cannot read, of up to 1.3 MB: after a device was
// taken out the others write them anew, and no policy may stand in the way of that. What else is as
// small is no backup without a snapshot.
constexpr std::uint64_t kMaxKeysPack = 2 * 1024 * 1024;

Result<circle::Statement> read_statement(BytesView bytes) {
  const auto outer = TRY(wire::decode<circle::SignedStatement>(bytes));
  return wire::decode<circle::Statement>(outer.statement);
}

}  // namespace

// An account that begins at the advanced level turns it on as well. What is no genesis is refused
// by whoever reads it.
Result<void> Core::check_offered(const api::Append& genesis) const {
  if (!log_) return Ok{};
  const auto statement = read_statement(genesis.statement);
  if (!statement.ok()) return Ok{};
  const auto body = wire::decode<circle::Genesis>(statement->body);
  if (!body.ok() || body->level != circle::Level::kAdvanced) return Ok{};
  const Judged judged = log_->judge(body->region);
  if (judged.standing.may_enable) return Ok{};
  return circle::not_offered(body->region, judged.version);
}

// Judged once, as it comes. What the account has already is not turned on: the same statement
// again, whose answer was lost, is answered as before.
Result<void> Core::check_offered(store::Account& in, BytesView bytes) const {
  if (!log_) return Ok{};
  const auto statement = read_statement(bytes);
  if (!statement.ok() || statement->type != circle::StatementType::kSetLevel) return Ok{};
  const auto body = wire::decode<circle::SetLevel>(statement->body);
  if (!body.ok() || body->level != circle::Level::kAdvanced) return Ok{};
  const auto chosen = TRY(in.chosen());
  if (chosen.level == circle::Level::kAdvanced) return Ok{};
  const Judged judged = log_->judge(chosen.region);
  if (judged.standing.may_enable) return Ok{};
  return circle::not_offered(chosen.region, judged.version);
}

Result<void> Core::check_keeps(store::Account& in) const {
  if (!log_) return Ok{};
  const auto chosen = TRY(in.chosen());
  if (chosen.level != circle::Level::kAdvanced) return Ok{};
  const Judged judged = log_->judge(chosen.region);
  if (!judged.standing.paused) return Ok{};
  return circle::paused(chosen.region, judged.version, judged.standing);
}

Result<void> Core::check_keeps_pack(store::Account& in, std::uint64_t size) const {
  if (size <= kMaxKeysPack) return Ok{};
  return check_keeps(in);
}

}  // namespace holdfast::server
