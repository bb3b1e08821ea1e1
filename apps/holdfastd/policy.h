// The commands on policies. The private key that signs is read in this program, best on a machine
// that is offline, and goes nowhere: the service gets a signed policy and verifies it.
#pragma once

#include "base/bytes.h"
#include "options.h"

namespace holdfast::daemon {

struct PolicyOptions {
  std::string file;   // a policy in TOML, one that is signed, or the private key
  std::string key;    // file of the private key
  std::string out;    // where the signed policy goes
  std::string after;  // the signed policy that it follows
  bool make = false;
};

Result<void> policy_key(const Options& options, const PolicyOptions& policy);
Result<void> policy_check(const Options& options, const PolicyOptions& policy);
Result<void> policy_sign(const Options& options, const PolicyOptions& policy);
Result<void> policy_publish(const Options& options, const PolicyOptions& policy);
Result<void> policy_show(const Options& options, const PolicyOptions& policy);

// The public key that `serve --policy-key` names: 64 hexadecimal digits, or a file that begins with
// them. kInvalid; kDenied: it is the private one.
Result<Bytes> read_policy_key(const std::string& named);

}  // namespace holdfast::daemon
