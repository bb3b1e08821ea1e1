// What a device asks of the log at each sync: S1 to S4, S6 and S7 of the protocol.
//
// The service and its log are not trusted. What is trusted: that fewer witnesses than the quorum
// lie. Where nobody witnesses, a fork is seen only by this account's own devices.
#pragma once

#include "circle/policy.h"
#include "tlog/checkpoint.h"
#include "vault/home.h"
#include "vault/replica.h"

namespace holdfast::vault {

// What the custodian gave out of this account.
struct Released {
  std::uint64_t batch = 0;
  tlog::Release what;
};

struct PolicyStatus {
  std::uint64_t version = 0;
  std::uint64_t in_effect_from_s = 0;
  bool in_effect = false;
  Digest policy;  // SHA-256 of the signed policy
  // None: the service does not show them, no policy key is known, or this program cannot read them.
  std::optional<circle::RegionRules> rules;
};

struct LogStatus {
  std::string name;
  std::size_t witnesses = 0;  // that signed the newest checkpoint
  std::size_t quorum = 0;
  std::uint64_t size = 0;              // entries
  std::optional<std::uint64_t> age_s;  // of the newest checkpoint; none: nobody witnesses
  std::uint64_t epoch = 0;             // of the map
  std::uint64_t audited = 0;           // newest epoch that an auditor vouches for
  bool circle_included = false;        // every statement that this device knows is in the map
  bool data_included = false;          // every record
  std::uint64_t included = 0;          // statements that the map was proven to have
  std::uint64_t batches = 0;           // of releases, every one checked
  std::size_t closed = 0;              // of them, that have a list for this account not yet opened
  std::vector<Released> released;      // the newest first
  std::vector<PolicyStatus> policies;  // the one in effect, then those to come
  std::uint64_t now_s = 0;  // proven where witnesses prove it, else by this device's clock
  std::optional<std::uint64_t> trust_change_s;  // when other trust roots will count
  // Red, each a sentence for the person; nothing is stopped by them.
  std::vector<std::string> alarms;
  std::size_t bytes = 0;  // read for this check

  bool stale() const { return age_s && *age_s > tlog::kMaxCheckpointAge_s; }
  // Too old to admit anybody by.
  bool stops_approvals() const { return age_s && *age_s > 3 * tlog::kMaxCheckpointAge_s; }
};

// Whether what shows a contradiction is kept in the home, as a file.
enum class Keep { kNothing, kEvidence };

// Reads what is new in the log, verifies it against what this device saw and pins it. kUnsafe: the
// log contradicts itself, or this account. kUnavailable: it is not whole.
// `files`: where the log's tiles are, for evidence.
Result<LogStatus> check_log(Home& home, Replica& replica, api::Visitor& files,
                            const circle::TrustRoots& trust, const keys::LookupKey& lookup,
                            TimeMs now, Keep keep);

// S9: what another of the account's devices saw of the log, as its sealed snapshot says, against
// what this one sees. kUnsafe, with evidence: the service shows its devices different logs.
Result<void> compare_seen(Home& home, api::Visitor& files, const circle::TrustRoots& trust,
                          BytesView theirs, const std::string& device);
// Statements of the circle that the map was proven to have, at the last check that found no fault.
Result<std::uint64_t> included_so_far(const Home& home);
// What this device knows of the log: set aside, so that the next check sees it for the first time.
// The answer puts it back.
Result<Bytes> forget_log(Home& home);
Result<void> put_log_back(Home& home, BytesView known);
// The checkpoint that this device saw last; empty before the first.
Result<Bytes> newest_checkpoint(const Home& home);
// Whether the tree that this device replayed last has the entry of this receipt. kUnavailable: the
// log's files cannot be read now.
Result<bool> log_has_receipt(const Home& home, api::Visitor& files, const Digest& receipt);
// When that was surely the newest; none: nothing proves it, to these roots.
Result<std::optional<TimeMs>> newest_proven(const Home& home, const circle::TrustRoots& trust);

// The trust roots that count now, for an account that began with `genesis`: each change since is
// followed once its notice is over. kUnsafe: what this device keeps of them is none.
Result<circle::TrustRoots> roots_in_effect(const Home& home, const circle::TrustRoots& genesis);
// The provider's fleet keys: the genesis's, and that of each change since that was followed. A
// custodian stays who it is when the provider signs with another key.
Result<std::vector<Bytes>> fleet_keys(const Home& home, const circle::TrustRoots& genesis);
// Follows the next change whose time has come, if the service shows one. False: there is none.
Result<bool> follow_trust_change(Home& home, api::Visitor& files, const circle::TrustRoots& now_in,
                                 TimeMs now);

// Keeps the promise that came with an append. kUnsafe: a wrong one, which is not kept. kInvalid: it
// is kept, but is for later than in ten minutes by this device's clock (five more are forgiven).
Result<void> keep_promise(Home& home, const tlog::LogRoots& roots, const CircleId& circle,
                          std::uint64_t seq, const Digest& head,
                          const std::optional<Bytes>& promise, TimeMs now);
// The same of a record.
Result<void> keep_promise(Home& home, const tlog::LogRoots& roots, const CircleId& circle,
                          const circle::VaultHead& head, const std::optional<Bytes>& promise,
                          TimeMs now);

}  // namespace holdfast::vault
