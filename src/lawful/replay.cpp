#include "lawful/replay.h"

#include "tlog/age.h"
#include "tlog/map_labels.h"

namespace holdfast::lawful {
namespace {

class LogAges final : public circle::Ages {
 public:
  LogAges(tlog::TrustedLog log, std::shared_ptr<const LookupKey> lookup)
      : log_(std::move(log)), lookup_(std::move(lookup)) {}

  Result<void> check(BytesView evidence, std::uint64_t seq, const Digest& head,
                     std::int64_t age_ms) const override {
    return tlog::check_age(log_, {tlog::circle_label(*lookup_, seq), head}, evidence,
                           static_cast<std::uint64_t>(age_ms) / 1000);
  }

 private:
  const tlog::TrustedLog log_;
  const std::shared_ptr<const LookupKey> lookup_;
};

Error not_its(const char* what) {
  return {Code::kUnsafe, std::string("the account's genesis commits to another ") + what};
}

Result<circle::Genesis> genesis_of(BytesView bytes) {
  const auto outer = TRY(wire::decode<circle::SignedStatement>(bytes));
  const auto statement = TRY(wire::decode<circle::Statement>(outer.statement));
  if (statement.type != circle::StatementType::kGenesis)
    return Error{Code::kUnsafe, "an account's first statement is no genesis"};
  return wire::decode<circle::Genesis>(statement.body);
}

// By the witnesses that watched it when the account was made: others may by now, and what a
// statement was judged by never changes. But it must be the log that is followed here.
Result<tlog::TrustedLog> log_at_genesis(const circle::Genesis& genesis, BytesView roots,
                                        const tlog::TrustedLog& log) {
  const auto trust = TRY(wire::decode<circle::TrustRoots>(roots));
  if (circle::roots_hash(trust) != genesis.trust_roots) return not_its("set of trust roots");
  const auto parsed = TRY(wire::decode<tlog::LogRoots>(trust.log));
  auto then = TRY(tlog::TrustedLog::open(parsed));
  if (then.log() != log.log())
    return Error{Code::kUnsafe, "the account is in another log than the one that is followed here"};
  return then;
}

}  // namespace

Result<LookupKey> lookup_of(BytesView bytes) {
  if (bytes.size() != LookupKey::kSize)
    return Error{Code::kInvalid, "a lookup key has another length"};
  return LookupKey::from_bytes(bytes);
}

Result<void> CircleReplay::take(BytesView statement) {
  if (!circle_) return start(statement);
  circle_ = TRY(circle_->apply(statement));
  return Ok{};
}

Result<void> CircleReplay::start(BytesView bytes) {
  const auto genesis = TRY(genesis_of(bytes));
  if (!genesis.has_log)
    return Error{Code::kUnsafe, "the account is in no log: nothing shows what is newest in it"};
  if (tlog::lookup_hash(*lookup_) != genesis.lookup) return not_its("lookup key");
  auto then = TRY(log_at_genesis(genesis, roots_, log_));
  const auto ages = std::make_shared<const LogAges>(std::move(then), lookup_);
  auto circle = TRY(circle::Circle::start(bytes, ages));
  if (circle.id() != id_) return Error{Code::kUnsafe, "the statements are of another account"};
  circle_ = std::move(circle);
  return Ok{};
}

Result<circle::Circle> CircleReplay::circle() && {
  if (!circle_) return Error{Code::kInvalid, "no statement of the account was shown"};
  return *std::move(circle_);
}

Result<circle::Circle> replay_circle(const CircleId& id, const std::vector<Bytes>& statements,
                                     std::shared_ptr<const LookupKey> lookup, BytesView roots,
                                     const tlog::TrustedLog& log) {
  CircleReplay replay(id, std::move(lookup), roots, log);
  for (const Bytes& statement : statements) TRY(replay.take(statement));
  return std::move(replay).circle();
}

}  // namespace holdfast::lawful
