#include "server/service.h"

#include "server/core.h"

namespace holdfast::server {

Result<std::unique_ptr<Service>> Service::open(ServiceOptions options,
                                               std::shared_ptr<const Clock> clock) {
  auto core = TRY(Core::open(std::move(options), std::move(clock)));
  return std::unique_ptr<Service>(new Service(std::move(core)));
}

Service::Service(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Service::~Service() { static_cast<void>(core_->stop()); }

api::Visitor& Service::visitor() { return *core_; }
Result<api::Receipt> Service::sign_up(const std::string& account, const api::Append& genesis,
                                      const std::string& invitation, const std::string& peer) {
  return core_->sign_up(account, genesis, invitation, peer);
}
Result<void> Service::put_join(const std::string& account, const RequestId& request,
                               api::JoinMessage which, BytesView message, const std::string& peer) {
  return core_->put_join_of(peer, account, request, which, message);
}
Result<std::unique_ptr<api::ServiceSession>> Service::prove(const api::RequestProof& proof,
                                                            const api::RequestLine& line,
                                                            const std::string& address) {
  return core_->prove(proof, line, address);
}
Result<api::StoredFile> Service::open_log(const std::string& path) { return core_->open_log(path); }
Result<Bytes> Service::custodian_key(const CircleId& circle, const std::string& invitation,
                                     const std::string& peer) {
  return core_->custodian_key_of(peer, invitation, circle);
}
std::optional<CustodyTurn> Service::step_custody() { return core_->step_custody(); }
std::optional<ReleaseTurn> Service::step_releases() { return core_->step_releases(); }
Result<void> Service::ask_help(const std::string& account, BytesView request,
                               const std::string& peer) {
  return core_->ask_help_of(peer, account, request);
}
Helping& Service::helping() { return core_->helping(); }
Result<std::optional<circle::Circle>> Service::circle_of(const std::string& account) {
  return core_->circle_of(account);
}
Result<CaseTurn> Service::disclose(const std::string& account, BytesView order,
                                   const std::string& folder) {
  return core_->disclose(account, order, folder);
}
Result<void> Service::state_no_key(const std::string& account, const std::string& folder) {
  return core_->state_no_key(account, folder);
}
LawfulStore& Service::lawful() { return core_->lawful(); }
Result<std::optional<Holdings>> Service::holdings_of(const std::string& account) {
  return core_->holdings_of(account);
}
Result<std::vector<std::string>> Service::alike(const std::string& account) {
  return core_->alike(account);
}
Result<PreservedCopy> Service::preserve(const std::string& account, std::uint64_t matter,
                                        TimeMs until_ms) {
  return core_->preserve(account, matter, until_ms);
}
PublicLog* Service::log() { return core_->log(); }
Result<bool> Service::step_log() { return core_->step_log(); }
TimeMs Service::now() { return core_->now(); }
std::vector<std::pair<std::string, double>> Service::gauges() { return core_->gauges(); }
Result<void> Service::ready() { return core_->ready(); }
Result<void> Service::sweep() { return core_->sweep(); }
Result<void> Service::stop() { return core_->stop(); }
Accounts& Service::accounts() { return core_->rows(); }
Operators& Service::operators() { return core_->operators(); }

}  // namespace holdfast::server
