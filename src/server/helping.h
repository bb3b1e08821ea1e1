// Help for owners without devices, as far as it is the service's: requests that wait, what
// operators grant, and the way of what was granted through custodian, circle and log.
//
// The service decides nothing here. The custodian judges the operators' signatures by keys of its
// own, and gives nothing out that the log does not show.
#pragma once

#include <functional>
#include <map>

#include "api/custodian.h"
#include "circle/help.h"
#include "server/loaded.h"
#include "server/operators.h"
#include "server/per_address.h"
#include "server/public_log.h"

namespace holdfast::server {

constexpr std::size_t kMaxHelpRequests = 1000;  // waiting
constexpr std::size_t kHelpOfAnAddress = 4;     // in thirty days

// A request as operators see it.
struct HelpRow {
  Digest id;  // SHA-256 of the signed request
  std::string account;
  Bytes request;
  TimeMs received_ms = 0;
  std::vector<Bytes> grants;
};

// What one turn of the work came to.
struct HelpTurn {
  std::vector<std::string> proposed;  // to these accounts
  std::vector<std::string> given;
  std::optional<Error> failed;  // why, of the last one that failed
};

// Safe from several threads; step() only from one.
class Helping {
 public:
  static const std::string kSchema;
  using AppendTo = std::function<Result<api::Receipt>(store::Account&, const std::string& account,
                                                      const api::Append&)>;

  // `custodian` null: nobody is helped.
  Helping(Writer& writer, api::Custodian* custodian, Operators& operators)
      : writer_(writer),
        custodian_(custodian),
        operators_(operators),
        asked_(kHelpOfAnAddress, circle::kHelpRequestMs) {}

  // kInvalid: it is no request for this account. kUnavailable: too many wait, or this address asked
  // too often. Never says whether there is such an account.
  Result<void> ask(const std::string& account, BytesView request, const std::string& peer,
                   TimeMs now);
  Result<std::vector<HelpRow>> list();
  // The request that an owner reads this code of. kNotFound.
  Result<HelpRow> find(const std::string& code);
  // `entry`: of the operators' trail, by the same operator. kDenied: nobody's who is an operator
  // now. kConflict: it granted this one before.
  Result<void> grant(const HelpRow& row, const CircleId& circle, BytesView grant, BytesView entry);
  Result<void> refuse(const HelpRow& row, BytesView entry);

  HelpTurn step(PublicLog& log, Loaded& loaded, const AppendTo& append, TimeMs now);
  Result<void> sweep(TimeMs now);  // those that are thirty days old
  Result<void> erase(const std::string& account);

 private:
  enum class Next { kWait, kProposed, kGiven, kOver };
  Result<std::vector<Bytes>> good_grants(const HelpRow& row, const CircleId& circle);
  Result<Next> work(const HelpRow& row, PublicLog& log, Loaded& loaded, const AppendTo& append,
                    TimeMs now);
  Result<Next> give(const HelpRow& row, const circle::Circle& circle, std::uint64_t proposal,
                    store::Account& in, PublicLog& log, const AppendTo& append);
  Result<void> drop(const HelpRow& row);

  Writer& writer_;
  api::Custodian* const custodian_;
  Operators& operators_;
  PerAddress<Digest> asked_;
  TimeMs not_before_ = 0;           // of the thread of step(), as is the next
  std::map<Digest, TimeMs> retry_;  // requests that failed
};

}  // namespace holdfast::server
