// One vault as its head shows it, with its keys open: what backup, restore and check work on.
#pragma once

#include "archive/catalog.h"
#include "vault/account_state.h"

namespace holdfast::vault {

struct VaultData {
  circle::Vault vault;
  archive::VaultAccess access;
  archive::PackCache cache;
  archive::Catalog catalog;
  const Chain* chain;  // in the replica; valid until its next sync adds a vault

  // Of any kind: its segments are those in use.
  const circle::LinkedRecord* newest() const {
    return chain->records.empty() ? nullptr : &chain->records.back();
  }
};

// A record that took a snapshot: no other has a root to be read.
struct TakenRecord {
  const circle::LinkedRecord* record;  // in the chain
  PackId root;
};
// Oldest first.
std::vector<TakenRecord> taken_records(const Chain& chain);
// Those that no record hides.
std::vector<TakenRecord> shown_records(const Chain& chain);

// Whether it is read in which pack each chunk lies.
enum class Places { kAll, kNone };
// Findings name what of it could not be read.
Result<VaultData> open_vault(Account::State& account, const std::string& name,
                             archive::Findings& findings, Places places = Places::kAll);

// S9: what the newest snapshot of another device, in each vault, says that it saw of the log. Once
// each; where nothing is new nothing is read. kUnsafe, with evidence: the service shows its devices
// different logs.
Result<void> compare_with_others(Account::State& account);
// What stands now is not compared any more: the person judged it.
Result<void> leave_uncompared(Account::State& account);

std::vector<archive::SegmentRef> segment_refs(const circle::LinkedRecord& record);

Result<Account::SnapshotInfo> read_snapshot(VaultData& data, const circle::Circle& circle,
                                            const TakenRecord& taken);

}  // namespace holdfast::vault
