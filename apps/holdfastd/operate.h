// The commands on operators. The private key that signs is read in this program, which the operator
// runs, and goes nowhere: the service gets a signed entry and verifies it.
#pragma once

#include "options.h"
#include "server/operators.h"

namespace holdfast::daemon {

struct OperatorOptions {
  std::string name;
  std::string file;        // of the key that `operator key` shows or makes
  std::string key_file;    // of the key that is added,
  std::string public_key;  // or it in hexadecimal; neither: the acting one
  std::string acting;      // file of the key that signs
  bool make = false;
  bool trail = false;
};

Result<void> show_key(const Options& options, const OperatorOptions& operators);
Result<void> add_operator(const Options& options, const OperatorOptions& operators);
Result<void> revoke_operator(const Options& options, const OperatorOptions& operators);
// Verifies the whole trail, and against the anchor.
Result<void> list_operators(const Options& options, const OperatorOptions& operators);

// As the service has it, verified.
Result<server::Trail> read_trail(const Options& options);
std::string minute_of(TimeMs at);  // "2026-01-31 23:59 UTC"

}  // namespace holdfast::daemon
