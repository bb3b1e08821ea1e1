#include "custody/replay.h"

#include "tlog/age.h"
#include "tlog/map_labels.h"

namespace holdfast::custody {
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
// statement was judged by never changes. But it must be the log that this custodian follows.
Result<tlog::TrustedLog> log_at_genesis(const circle::Genesis& genesis, BytesView roots,
                                        const tlog::TrustedLog& log) {
  const auto trust = TRY(wire::decode<circle::TrustRoots>(roots));
  if (circle::roots_hash(trust) != genesis.trust_roots) return not_its("set of trust roots");
  const auto parsed = TRY(wire::decode<tlog::LogRoots>(trust.log));
  auto then = TRY(tlog::TrustedLog::open(parsed));
  if (then.log() != log.log())
    return Error{Code::kUnsafe, "the account is in another log than this custodian follows"};
  return then;
}

}  // namespace

Result<LookupKey> lookup_of(BytesView bytes) {
  if (bytes.size() != LookupKey::kSize)
    return Error{Code::kInvalid, "a lookup key has another length"};
  return LookupKey::from_bytes(bytes);
}

Result<circle::Circle> replay_circle(const CircleId& id, const std::vector<Bytes>& statements,
                                     std::shared_ptr<const LookupKey> lookup, BytesView roots,
                                     const tlog::TrustedLog& log) {
  if (statements.empty()) return Error{Code::kInvalid, "no statement of the account was shown"};
  const auto genesis = TRY(genesis_of(statements[0]));
  if (!genesis.has_log)
    return Error{Code::kUnsafe, "the account is in no log: nothing shows what is newest in it"};
  if (tlog::lookup_hash(*lookup) != genesis.lookup) return not_its("lookup key");
  auto then = TRY(log_at_genesis(genesis, roots, log));
  const auto ages = std::make_shared<const LogAges>(std::move(then), std::move(lookup));
  auto circle = TRY(circle::Circle::start(statements[0], ages));
  if (circle.id() != id) return Error{Code::kUnsafe, "the statements are of another account"};
  for (std::size_t i = 1; i < statements.size(); ++i) circle = TRY(circle.apply(statements[i]));
  return circle;
}

}  // namespace holdfast::custody
