// The service's side of its custodian: keys for accounts that ask, and the end of keys that are a
// reader no more.
//
// That a circle changed is noted in the write that stores its statement. Whether a custodian left
// by it, the circle says, and what is left to do is what has no receipt yet: nothing beside it
// could disagree. So the work survives a kill at every point, and a custodian that is away delays
// it.
//
// The custodian's answers are checked: a receipt counts once its fleet key signed it.
#pragma once

#include "api/custodian.h"
#include "server/loaded.h"
#include "server/per_address.h"
#include "server/public_log.h"
#include "server/turns.h"

namespace holdfast::server {

constexpr int kCustodianTurns = 4;  // requests that may wait for the custodian at one time

// Within the write that stores objects of an account, `path` the last of them. Nothing happens
// where the service never had a custodian, or the object is no statement.
Result<void> note_circle(sql::Database& database, std::string_view account, std::string_view path,
                         TimeMs now);

// What one turn of the work came to.
struct CustodyTurn {
  std::vector<CircleId> destroyed;
  std::size_t waiting = 0;      // accounts with something left to do
  std::optional<Error> failed;  // why, of the last one that failed
};

// Safe from several threads; step() only from one.
class Custody {
 public:
  static const std::string kSchema;

  // `custodian` null: the service has none (any more).
  Custody(Writer& writer, api::Custodian* custodian, std::size_t keys_per_address, TimeMs life)
      : writer_(writer), custodian_(custodian), asked_(keys_per_address, life) {}

  bool has_custodian() const { return custodian_ != nullptr; }
  // Asks for it the first time and keeps it. nullopt: there never was a custodian.
  Result<std::optional<Bytes>> fleet_key();

  // kUnavailable also where the custodian is busy with others, or `peer` asked too often: also for
  // what was not answered, as its key may have been made.
  Result<Bytes> issue(const CircleId& circle, const std::string& peer, TimeMs now);
  // Which accounts there are, by their circles.
  Result<void> note_account(const std::string& account, const CircleId& circle);
  Result<bool> knows(const CircleId& circle);
  Result<std::vector<std::string>> unnoted(const std::vector<std::string>& accounts);
  static bool names_custodian(BytesView statement);
  // Before a statement is stored that names a custodian: that the key is this service's
  // custodian's, who keeps it from now on. Says nothing of other statements.
  Result<void> check_named(BytesView statement, BytesView genesis);

  Result<api::CustodyStatus> status(const std::string& account, const circle::Circle& circle);
  // Works off what it can; what fails is tried again later, at most five minutes apart. `changed`
  // is told of each account whose key was destroyed.
  CustodyTurn step(PublicLog& log, Loaded& loaded,
                   const std::function<void(const std::string&)>& changed, TimeMs now);
  // Keys of an account that is about to end, so that the custodian is told of them, however long
  // after the end. Repeated, it adds nothing.
  Result<void> outlive(const std::string& account, const circle::Circle& circle);
  Result<void> erase(const std::string& account);
  std::vector<std::pair<std::string, double>> gauges(TimeMs now);

 private:
  struct Due {
    std::string account;
    std::int64_t stamp = 0;
    TimeMs since_ms = 0;
    std::int64_t tries = 0;  // that failed, one after the other
  };
  Result<std::vector<Due>> due(TimeMs now, std::size_t limit);
  Result<std::optional<Due>> due_of(const std::string& account);
  Result<std::vector<Bytes>> receipts(const std::string& account);
  Result<std::vector<circle::Custodian>> pending(const std::string& account,
                                                 const circle::Circle& circle);
  Result<bool> work(const Due& due, PublicLog& log, Loaded& loaded, CustodyTurn& turn);
  Result<Bytes> destroy(const std::string& account, store::Account& in, PublicLog& log,
                        const circle::Circle& circle, const circle::Custodian& gone);
  Result<void> store(const std::string& account, const circle::Custodian& gone, BytesView receipt);
  Result<void> retire_some(TimeMs now);
  Result<void> put_off(const Due& due, std::int64_t tries, TimeMs now);
  Result<void> finish(const Due& due);

  Writer& writer_;
  api::Custodian* const custodian_;
  PerAddress<CircleId> asked_;
  Turns turns_{kCustodianTurns};
};

}  // namespace holdfast::server
