// What the service has of one account, for a lawful demand: facts that decide what can be produced,
// and a copy that outlives the account. Nothing of it is readable content.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/doors.h"
#include "circle/circle.h"
#include "server/accounts.h"

namespace holdfast::server {

struct VaultHoldings {
  VaultId id;
  std::string name;
  bool always_e2e = false;
  bool provider_reads = false;    // the custodian holds its key
  std::uint32_t epoch = 0;        // of that key
  std::vector<TimeMs> snapshots;  // when the service received each
};

struct Holdings {
  AccountRow row;
  circle::Circle circle;
  std::vector<std::pair<PackId, std::uint64_t>> packs;  // and their sizes
  std::vector<api::Connection> connections;
  std::vector<VaultHoldings> vaults;
};

// Ciphertext and metadata of a moment, in DATA/lawful/<matter>/.
struct PreservedCopy {
  TimeMs until_ms = 0;
  std::uint64_t packs = 0;
  std::uint64_t bytes = 0;
};

// What was preserved and whose time is over goes. To be called every minute.
Result<void> sweep_preserved(const std::string& data, TimeMs now);
// nullopt: nothing is preserved for it, or not any more.
Result<std::optional<PreservedCopy>> preserved_copy(const std::string& data, std::uint64_t matter);

}  // namespace holdfast::server
