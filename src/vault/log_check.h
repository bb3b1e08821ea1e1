// What a device asks of the log at each sync: S1 to S4 of the protocol.
//
// The service and its log are not trusted. What is trusted: that fewer witnesses than the quorum
// lie. Where nobody witnesses, a fork is seen only by this account's own devices.
#pragma once

#include "tlog/checkpoint.h"
#include "vault/home.h"
#include "vault/replica.h"

namespace holdfast::vault {

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
  std::size_t bytes = 0;               // read for this check

  bool stale() const { return age_s && *age_s > tlog::kMaxCheckpointAge_s; }
  // Too old to admit anybody by.
  bool stops_approvals() const { return age_s && *age_s > 3 * tlog::kMaxCheckpointAge_s; }
};

// Reads what is new in the log, verifies it against what this device saw and pins it. kUnsafe, with
// evidence in the home: the log contradicts itself, or this account. kUnavailable: it is not whole.
// `files`: where the log's tiles are, for evidence.
Result<LogStatus> check_log(Home& home, Replica& replica, api::Visitor& files,
                            const tlog::LogRoots& roots, const keys::LookupKey& lookup, TimeMs now);

// Keeps the promise that came with an append; a wrong one is refused: kUnsafe.
Result<void> keep_promise(Home& home, const tlog::LogRoots& roots, const CircleId& circle,
                          std::uint64_t seq, const Digest& head,
                          const std::optional<Bytes>& promise);

}  // namespace holdfast::vault
