// The policies that a service published, and what it judges by them.
//
// They are of its operator, who signs them with a key that this machine does not have; they bind
// the service and no device. Devices check each of them in the log for themselves.
#pragma once

#include <shared_mutex>

#include "circle/policy.h"
#include "server/log_files.h"
#include "server/log_tables.h"

namespace holdfast::server {

struct Judged {
  std::uint64_t version = 0;  // of the policy in effect; 0: none is
  circle::Standing standing;
};

// Safe from several threads.
class Policies {
 public:
  // `key`: whose policies are taken; empty: none are. What they are given must outlive this.
  Policies(const LogTables& tables, LogFiles& files, Bytes key)
      : tables_(tables), files_(files), key_(std::move(key)) {}

  // All that were published, from the tables; their files are written again.
  Result<void> load();
  // Puts the next one into the log. kInvalid, kUnsafe: as PublicLog::append_policy().
  Result<void> append(BytesView signed_policy, std::uint64_t now_s);
  std::vector<Bytes> all() const;  // signed, the first one first
  Judged judge(std::string_view region, std::uint64_t now_s) const;

 private:
  struct One {
    std::uint64_t version = 0;
    std::uint64_t from_s = 0;
    circle::RegionRules rules;
    Bytes bytes;
  };
  static Result<One> parse(BytesView signed_policy);
  Result<void> check_next(const One& next, BytesView signed_policy, std::uint64_t now_s) const;

  const LogTables& tables_;
  LogFiles& files_;
  const Bytes key_;
  mutable std::shared_mutex mutex_;  // of the next; held alone from its check until it is stored
  std::vector<One> all_;
};

}  // namespace holdfast::server
