// Cases, as far as they need the service's tables.
#include "server/core.h"

namespace holdfast::server {

// By the trail as it is now: who was revoked ordered nothing.
Result<CaseTurn> Core::disclose(const std::string& account, BytesView order,
                                const std::string& folder) {
  const auto in = TRY(open_account(account));
  if (!in || !log_) return Error{Code::kNotFound, "there is no such account, or no log, here"};
  const auto entries = TRY(operators_.entries());
  const Trail trail = TRY(Trail::verify(entries));
  circle::OperatorKeys now;
  for (const auto& [id, one] : trail.operators()) now.insert(one.key.bytes);
  return gather_case({account, *in, *log_, options_.custodian, *storage_, now, {}}, order, folder);
}

Result<void> Core::state_no_key(const std::string& account, const std::string& folder) {
  const auto in = TRY(open_account(account));
  if (!in || !log_) return Error{Code::kNotFound, "there is no such account, or no log, here"};
  const circle::Circle circle = TRY(in->circle());
  std::vector<Bytes> receipts;
  if (!circle.custodians().empty()) receipts = TRY(custody_.status(account, circle)).receipts;
  return server::state_no_key({account, *in, *log_, nullptr, *storage_, {}, receipts}, folder);
}

}  // namespace holdfast::server
