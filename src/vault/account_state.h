// What Account's parts share. Not for others.
#pragma once

#include <functional>

#include "vault/contradiction.h"
#include "vault/format.h"
#include "vault/log_sight.h"
#include "vault/replica.h"
#include "vault/vault.h"

namespace holdfast::vault {

// How often something is made again because another device's append came first.
constexpr unsigned kRebases = 16;

struct Account::State {
  Home& home;
  api::Store& store;
  const Clock& clock;
  crypto::SigningKey signing;
  Replica replica;
  circle::TrustRoots roots{};             // that the genesis commits to
  circle::TrustRoots roots_now{};         // after every change since whose notice is over
  std::optional<tlog::LogRoots> log{};    // of the account's log, if it has one
  std::optional<LogStatus> log_status{};  // of the last sync; none while a contradiction stands
  std::optional<Contradiction> contradiction{};  // that stands
  std::string withheld{};                        // Account::log_withheld()
  std::uint64_t sends = 0;                       // Account::sends()
  std::optional<circle::Device> helped{};        // this device, where it is no member but helped

  const circle::Circle& circle() const { return replica.circle(); }
  Result<void> sync();

  // Makes a statement at the head and appends it; on conflict reads what is new, checks it, and
  // makes it again from the state that then stands.
  struct Made {
    circle::StatementType type;
    Bytes body;
    std::vector<Bytes> blobs;
    std::function<void(circle::SignedStatement&)> cosign = {};  // where a rule asks for it
    std::function<api::Admission(BytesView statement)> admission =
        {};  // where a device is admitted
  };
  Result<void> append(const std::function<Result<Made>()>& make);
  // A statement that waits; gives its number.
  Result<std::uint64_t> propose(const std::function<Result<circle::Propose>()>& make);
  // kUnsafe: the circle has a custodian of another provider than the account trusts. What would be
  // sent then waits; reading and raising the level do not.
  Result<void> check_custodian() const;
  // A record that would follow the newest one of a vault as this device knows it; its kind, what
  // belongs to that and the segments are the caller's.
  circle::Record next_record(const VaultId& vault, circle::RecordKind kind);
  // For a list of key or index segments that is to grow beyond its limit.
  Error too_many_segments(const VaultId& vault);
  // Signed, sent, and seen in the vault after that. nullopt: something else came first.
  Result<std::optional<circle::LinkedRecord>> append_record(const circle::Record& record);
  Result<void> note_losses();  // when this device first saw them
  Result<void> ask_log();
  // An error: there was no looking, or the account itself contradicts what was pinned.
  struct Looked {
    std::optional<LogSight> sight{};
    std::string contradiction{};  // where there is none
  };
  Result<Looked> look_twice();
  Result<void> remember(const std::string& sentence);
  Result<void> look();
  Result<void> withhold(const Error& why);
  Result<void> close_until_included();
  // What must be right before something is sent. kUnsafe while a contradiction stands or
  // check_custodian() fails, kUnavailable while the log is withheld.
  enum class Needs { kNothing, kLog, kAll };
  Needs needs(circle::StatementType type) const;
  Result<void> check(Needs needs) const;
  Result<void> check_sends() const { return check(Needs::kAll); }
  // kDenied while the service's policy lets this account keep nothing new. (account_policy.cpp)
  Result<void> check_keeps() const;
  // Red, where another device acknowledged another policy than this one is shown.
  void compare_acknowledged();
  PolicyHere policy_in(const std::string& region) const;
  Result<void> promised(const api::Append& append, const api::Receipt& receipt);
  Result<void> promised(const circle::LinkedRecord& linked, const api::Receipt& receipt);
};

// Names that a person typed, before they are put into a statement. kInvalid: not UTF-8.
Result<void> check_typed(std::string_view name);

// A device's own keys, as the circle shows them.
circle::DeviceInfo device_info(const keys::DeviceKey& key, const std::string& name);
crypto::SigningKey signing_key(const keys::DeviceKey& key);
api::Caller caller(const keys::DeviceKey& key);
// Whom a new account in this store would trust. kUnavailable, kCorrupt: its log cannot be read.
Result<circle::TrustRoots> trust_roots(api::Store& store);
// As this device was told when it joined; unchecked.
Result<circle::TrustRoots> told_roots(const Home& home);
// The same, checked.
Result<circle::TrustRoots> trust_roots(const Home& home, const circle::Circle& circle);
// kUnsafe unless the store is the one that these roots name.
Result<void> check_store(const circle::TrustRoots& roots, const api::Store& store);
// The lookup key as a service with a log is given it: it makes the account's labels, too.
Bytes for_the_map(const keys::LookupKey& lookup);
Digest lookup_hash(const keys::LookupKey& key);
// What keep_promise() came to: a wrong promise is a contradiction, and remembered.
Result<void> remember_wrong(Home& home, const Result<void>& kept, TimeMs now);
// Writes into a home what an accepted circle means for it.
Result<void> become_member(Home& home, const std::string& account, const std::string& device_name,
                           const keys::LookupKey& lookup, const circle::TrustRoots& roots,
                           const std::vector<Bytes>& statements);

// An enrolment of `key` as it stands in set_recovery.
circle::RecoveryInfo make_recovery_info(const keys::RecoveryKey& key, const Replica& replica,
                                        const keys::LookupKey& lookup,
                                        const circle::TrustRoots& roots);

}  // namespace holdfast::vault
