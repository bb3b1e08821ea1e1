#include "server/log_ages.h"

#include "tlog/age.h"
#include "tlog/map_labels.h"

namespace holdfast::server {
namespace {

class LogAges final : public circle::Ages {
 public:
  LogAges(Writer& writer, std::string account, const Digest& trust_roots)
      : tables_(writer), account_(std::move(account)), trust_roots_(trust_roots) {}

  Result<void> check(BytesView evidence, std::uint64_t seq, const Digest& head,
                     std::int64_t age_ms) const override {
    const auto roots = TRY(tables_.roots(trust_roots_));
    const auto lookup = TRY(tables_.lookup(account_));
    if (!roots || !lookup)
      return Error{Code::kUnsafe,
                   "this service never had the log that the account's genesis names: it cannot "
                   "judge how long a statement has stood"};
    const auto site = TRY(wire::decode<circle::TrustRoots>(*roots));
    const auto parsed = TRY(wire::decode<tlog::LogRoots>(site.log));
    const auto log = TRY(tlog::TrustedLog::open(parsed));
    const LookupKey key = LookupKey::from_bytes(*lookup);
    return tlog::check_age(log, {tlog::circle_label(key, seq), head}, evidence,
                           static_cast<std::uint64_t>(age_ms) / 1000);
  }

 private:
  const LogTables tables_;
  const std::string account_;
  const Digest trust_roots_;
};

}  // namespace

store::MakeAges make_log_ages(Writer& writer) {
  return [&writer](const std::string& account,
                   BytesView genesis) -> std::shared_ptr<const circle::Ages> {
    const auto outer = wire::decode<circle::SignedStatement>(genesis);
    if (!outer.ok()) return nullptr;
    const auto statement = wire::decode<circle::Statement>(outer->statement);
    if (!statement.ok()) return nullptr;
    const auto body = wire::decode<circle::Genesis>(statement->body);
    if (!body.ok() || !body->has_log) return nullptr;
    return std::make_shared<LogAges>(writer, account, body->trust_roots);
  };
}

}  // namespace holdfast::server
