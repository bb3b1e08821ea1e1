#include "vault/vault_data.h"

#include <algorithm>

namespace holdfast::vault {

std::vector<archive::SegmentRef> segment_refs(const circle::LinkedRecord& record) {
  std::vector<archive::SegmentRef> refs;
  refs.reserve(record.key_segments.size());
  for (const circle::KeySegmentRef& ref : record.key_segments)
    refs.push_back({ref.object, ref.epoch});
  return refs;
}

std::vector<TakenRecord> taken_records(const Chain& chain) {
  std::vector<TakenRecord> all;
  for (const circle::LinkedRecord& record : chain.records)
    if (const auto* const taken = std::get_if<circle::Taken>(&record.act))
      all.push_back({&record, taken->root});
  return all;
}

std::vector<TakenRecord> shown_records(const Chain& chain) {
  std::vector<TakenRecord> shown = taken_records(chain);
  std::erase_if(shown, [&](const TakenRecord& one) {
    return chain.state.forgotten.contains(one.record->tip.n);
  });
  return shown;
}

namespace {

// The newest snapshot of another device, hidden or not.
std::optional<TakenRecord> newest_of_others(Account::State& account, const VaultId& vault) {
  const auto taken = taken_records(account.replica.chain(vault));
  const auto other = std::find_if(taken.rbegin(), taken.rend(), [&](const auto& one) {
    return one.record->signer != account.replica.self();
  });
  if (other == taken.rend()) return std::nullopt;
  return *other;
}

std::string compared_setting(const VaultId& vault) { return "log_compared:" + vault.hex(); }

bool is_compared(const Account::State& account, const VaultId& vault, const TakenRecord& taken) {
  return account.home.setting(compared_setting(vault)) == taken.record->tip.head.hex();
}

// Its keys are enough; the indexes of a large vault are not read for this. By the tables of its own
// record, which say least that others could have changed; they may be gone, written anew since.
Result<Account::SnapshotInfo> read_newest(Account::State& account, const circle::Vault& vault,
                                          const TakenRecord& taken) {
  auto access = TRY(account.replica.access(vault));
  archive::PackCache cache(account.replica.session(), account.home.cache_folder());
  archive::Findings findings;
  auto tables = segment_refs(*taken.record);
  for (const archive::SegmentRef& ref :
       segment_refs(account.replica.chain(vault.id).records.back()))
    if (std::ranges::find(tables, ref) == tables.end()) tables.push_back(ref);
  auto catalog = TRY(archive::Catalog::load(cache, access, tables, {}, findings));
  VaultData data{vault, std::move(access), std::move(cache), std::move(catalog),
                 &account.replica.chain(vault.id)};
  return read_snapshot(data, account.circle(), taken);
}

}  // namespace

Result<void> compare_with_others(Account::State& account) {
  for (const circle::Vault& vault : account.circle().vaults()) {
    const auto other = newest_of_others(account, vault.id);
    if (!other || is_compared(account, vault.id, *other)) continue;
    // One that is damaged, or that this device may not open yet, says nothing; a check of the vault
    // reports it, and the next sync tries again.
    const auto info = read_newest(account, vault, *other);
    if (!info.ok()) continue;
    if (!info->root.log_seen.empty())
      TRY(compare_seen(account.home, account.store, account.roots_now, info->root.log_seen,
                       info->device));
    TRY(account.home.set_setting(compared_setting(vault.id), other->record->tip.head.hex()));
  }
  return Ok{};
}

Result<void> leave_uncompared(Account::State& account) {
  for (const circle::Vault& vault : account.circle().vaults())
    if (const auto other = newest_of_others(account, vault.id))
      TRY(account.home.set_setting(compared_setting(vault.id), other->record->tip.head.hex()));
  return Ok{};
}

Result<VaultData> open_vault(Account::State& account, const std::string& name,
                             archive::Findings& findings, Places places) {
  const circle::Vault* const vault = account.circle().vault_named(name);
  if (vault == nullptr)
    return Error{Code::kNotFound, "there is no vault \"" + name + "\" (holdfast vault list)"};
  auto access = TRY(account.replica.access(*vault));
  archive::PackCache cache(account.replica.session(), account.home.cache_folder());
  const Chain& chain = account.replica.chain(vault->id);
  std::vector<archive::SegmentRef> keys;
  std::vector<PackId> indexes;
  if (!chain.records.empty()) {
    keys = segment_refs(chain.records.back());
    if (places == Places::kAll) indexes = chain.records.back().index_segments;
  }
  auto catalog = TRY(archive::Catalog::load(cache, access, keys, indexes, findings));
  return VaultData{*vault, std::move(access), std::move(cache), std::move(catalog), &chain};
}

Result<Account::SnapshotInfo> read_snapshot(VaultData& data, const circle::Circle& circle,
                                            const TakenRecord& taken) {
  const circle::LinkedRecord& record = *taken.record;
  const auto number = data.catalog.pack_number(taken.root);
  if (!number)
    return Error{Code::kCorrupt, "the key of snapshot " + record.tip.head.hex().substr(0, 12) +
                                     " is missing: a key segment in the store is damaged"};
  const Bytes plain =
      TRY(archive::read_single_pack(data.cache, data.access, data.catalog.pack_at(*number)));
  Account::SnapshotInfo info;
  info.id = record.tip.head;
  info.n = record.tip.n;
  info.time_ms = record.time_ms;
  const circle::Device* const signer = circle.device(record.signer);
  info.device = signer != nullptr ? signer->info.name : "?";
  info.root = TRY(wire::decode<archive::Snapshot>(plain));
  return info;
}

}  // namespace holdfast::vault
