// What the law and the facts say of a demand: every reason with its rule, and what could be
// produced, item by item. Pure: facts and the time come in as parameters.
#pragma once

#include "lawful/demand.h"
#include "lawful/law.h"

namespace holdfast::lawful {

constexpr std::int64_t kDayMs = 24LL * 60 * 60 * 1000;

struct VaultFacts {
  std::string name;
  bool always_e2e = false;
  bool provider_reads = false;  // the custodian holds its key
  std::uint64_t snapshots = 0;
};

// What the service knows of the target, before anything is produced.
struct Facts {
  bool found = false;              // an account of exactly this name
  std::vector<std::string> alike;  // others whose names differ only in case
  std::string region;              // as the account's own devices signed it
  bool standard = false;
  bool ending = false;               // its end has begun
  std::vector<std::string> devices;  // ids in hexadecimal and names
  std::uint64_t device_count = 0;
  std::uint64_t connections = 0;
  std::uint64_t packs = 0;
  std::uint64_t bytes = 0;
  std::uint64_t snapshots = 0;
  std::vector<VaultFacts> vaults;
  // Why no key of the content exists, with the statement and the receipt that show it; "" at the
  // standard level.
  std::string no_key;
  bool discloser = false;      // the machine that would open content is named
  std::int64_t open_days = 0;  // after a release the account is told within so many days
};

struct Checked {
  CheckedDocument document;
  // What must be said to the person who asks, in one sentence.
  std::string verdict;
};

Checked check(const Law& law, const Demand& demand, const Facts& facts, TimeMs now);

// Items alone, in a fixed order. `instrument`: nullptr reaches nothing.
std::vector<Item> producible(const Instrument* instrument, const Demand& demand,
                             const Facts& facts);

}  // namespace holdfast::lawful
