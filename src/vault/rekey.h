// Writes the tables of pack keys of a vault anew, for the newest epoch.
// docs/decisions/0015-reseal.md
#pragma once

#include "vault/vault_data.h"

namespace holdfast::vault {

// A pack for which the tables are to say something else.
struct Resealed {
  PackId pack;
  std::vector<PackId> seen;    // the objects that it had
  std::vector<PackId> opened;  // those that are this pack indeed, and not needed any more
  // It opened as an index, and nobody listed it as anything else.
  bool is_index = false;
  // Where it lies now. An index is no envelope but a pack of its own, in the other one's place;
  // none: it is an index that the vault does not list.
  std::optional<archive::PackObject> object;
};

struct TablesWritten {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;    // of tables, also of those that came too late
  std::uint64_t dropped = 0;  // objects that the store may delete
};
// One record, made again on top of what came between. Of the batch what another device did already
// is dropped.
Result<TablesWritten> write_tables(Account::State& account, VaultData& data,
                                   const std::vector<Resealed>& batch);

// Whether the newest record lists tables that were sealed for an older epoch.
bool has_old_tables(const VaultData& data);

// kInvalid while a record is not undone after which the vault does not list all that it listed:
// what is written anew now would lack it for good.
Result<void> check_nothing_left_out(Account& account, const std::string& vault);

}  // namespace holdfast::vault
