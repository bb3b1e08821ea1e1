// The service: accounts in a data directory, behind proven requests.
//
//   DATA/lock         held while a program uses the directory
//   DATA/service.db   everything but packs (SQLite)
//   DATA/packs/       packs and key segments
//   DATA/operators.anchor
#pragma once

#include <functional>

#include "api/service.h"
#include "server/accounts.h"
#include "server/custody.h"
#include "server/disclosing.h"
#include "server/helping.h"
#include "server/holdings.h"
#include "server/lawful_store.h"
#include "server/operators.h"
#include "server/public_log.h"

namespace holdfast::server {

struct ServiceOptions {
  std::string data;
  Bytes tls_pin;  // a proof made for another service is void here
  SignUp sign_up = SignUp::kInvite;
  std::size_t sign_ups_per_address = 20;           // a day, where sign-up is open
  std::optional<std::uint64_t> default_quota;      // of new accounts, in bytes
  std::uint64_t small_reserve = 64 * 1024 * 1024;  // beyond it, for statements and records
  std::int64_t connection_log_days = 30;
  std::int64_t grace_days = 14;     // packs that a record dropped are kept so long
  std::int64_t deletion_days = 14;  // from asking for an account's end to it
  std::uint64_t free_bytes_floor = 64 * 1024 * 1024;  // of the disk; below it, not ready
  std::size_t loaded_accounts = 4096;                 // circles kept in memory
  std::int64_t lock_patience_ms = 0;  // waited for another program to leave the directory
  std::optional<LogOptions> log;      // none: no public log
  TimeMs release_every_ms = 6LL * 60 * 60 * 1000;  // from one release batch to the next
  api::Custodian* custodian = nullptr;             // outlives the service; null: it has none
  // Called after something in an account changed, on the thread that changed it; must be quick.
  std::function<void(const std::string& account)> on_change;
};

// What one turn with the custodian's releases came to.
struct ReleaseTurn {
  bool batched = false;               // a batch went on its way into the log
  std::vector<std::string> proposed;  // help, to these accounts
  std::vector<std::string> given;
  std::optional<Error> failed;  // why, of the last thing that failed
};

class Core;

// Sessions must go before it.
class Service final : public api::Service {
 public:
  // kUnavailable: another program uses the directory. Makes it where there is none.
  static Result<std::unique_ptr<Service>> open(ServiceOptions options,
                                               std::shared_ptr<const Clock> clock);
  // stop()s.
  ~Service() override;

  api::Visitor& visitor() override;
  Result<api::Receipt> sign_up(const std::string& account, const api::Append& genesis,
                               const std::string& invitation, const std::string& peer) override;
  Result<void> put_join(const std::string& account, const RequestId& request,
                        api::JoinMessage which, BytesView message,
                        const std::string& peer) override;
  Result<std::unique_ptr<api::ServiceSession>> prove(const api::RequestProof& proof,
                                                     const api::RequestLine& line,
                                                     const std::string& address) override;
  Result<Bytes> custodian_key(const CircleId& circle, const std::string& invitation,
                              const std::string& peer) override;
  Result<void> ask_help(const std::string& account, BytesView request,
                        const std::string& peer) override;
  Result<api::StoredFile> open_log(const std::string& path) override;
  TimeMs now() override;
  std::vector<std::pair<std::string, double>> gauges() override;
  Result<void> ready() override;

  // What is due: accounts and packs whose time has come, old connections, requests to join that
  // expired. To be called every minute; repeats what was cut short.
  Result<void> sweep();
  // nullptr: there is none.
  PublicLog* log();
  // Takes into the log what changed, if anything did: then log()->due() has it.
  Result<bool> step_log();
  // Has the custodian destroy keys that are a reader no more, as far as the log has come. nullopt:
  // there is no log, so no custodian. To be called every few seconds.
  std::optional<CustodyTurn> step_custody();
  // Brings release batches into the log, opens them to their accounts, and goes on with help that
  // was granted. nullopt: there is no custodian. To be called every few seconds, from one thread.
  std::optional<ReleaseTurn> step_releases();
  // Writes down what is only in memory. Proofs are refused from then on.
  Result<void> stop();

  // For the service's operator.
  Accounts& accounts();
  Operators& operators();
  Helping& helping();
  // nullopt: there is no such account.
  Result<std::optional<circle::Circle>> circle_of(const std::string& account);
  LawfulStore& lawful();
  // nullopt: there is no such account, or its end has begun.
  Result<std::optional<Holdings>> holdings_of(const std::string& account);
  // Names of other accounts that differ from this one only in capitals.
  Result<std::vector<std::string>> alike(const std::string& account);
  // Keeps the account's ciphertext and metadata of now for a matter, until then, beyond its end;
  // never a key. What was kept for the matter before stays as it is. kNotFound.
  Result<PreservedCopy> preserve(const std::string& account, std::uint64_t matter, TimeMs until_ms);
  // gather_case() and state_no_key() of an account. kNotFound: there is none, or no log.
  Result<CaseTurn> disclose(const std::string& account, BytesView signed_order,
                            const std::string& folder);
  Result<void> state_no_key(const std::string& account, const std::string& folder);

 private:
  explicit Service(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace holdfast::server
