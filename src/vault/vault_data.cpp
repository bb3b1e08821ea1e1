#include "vault/vault_data.h"

#include <algorithm>

namespace holdfast::vault {

std::vector<archive::SegmentRef> segment_refs(const circle::Record& record) {
  std::vector<archive::SegmentRef> refs;
  for (const circle::KeySegmentRef& ref : record.key_segments)
    refs.push_back({ref.object, ref.epoch});
  return refs;
}

namespace {

// What the newest snapshot of another device says that it saw of the log: once each. One that is
// damaged says nothing; a check of the vault reports it.
Result<void> compare_with_others(Account::State& account, VaultData& data) {
  if (!account.log || account.contradiction) return Ok{};
  const auto& records = data.chain->records;
  const auto other = std::find_if(records.rbegin(), records.rend(), [&](const auto& one) {
    return one.record.signer != account.replica.self();
  });
  if (other == records.rend()) return Ok{};
  const std::string key = "log_compared:" + data.vault.id.hex();
  const std::string head = other->tip.head.hex();
  if (account.home.setting(key) == head) return Ok{};
  const auto info = read_snapshot(data, account.circle(), *other);
  if (!info.ok() || info->root.log_seen.empty()) return Ok{};
  TRY(compare_seen(account.home, account.store, account.roots_now, info->root.log_seen,
                   info->device));
  return account.home.set_setting(key, head);
}

}  // namespace

Result<VaultData> open_vault(Account::State& account, const std::string& name,
                             archive::Findings& findings) {
  const circle::Vault* const vault = account.circle().vault_named(name);
  if (vault == nullptr)
    return Error{Code::kNotFound, "there is no vault \"" + name + "\" (holdfast vault list)"};
  auto access = TRY(account.replica.access(*vault));
  archive::PackCache cache(account.replica.session(), account.home.cache_folder());
  const Chain& chain = account.replica.chain(vault->id);
  std::vector<archive::SegmentRef> keys;
  std::vector<PackId> indexes;
  if (!chain.records.empty()) {
    keys = segment_refs(chain.records.back().record);
    indexes = chain.records.back().record.index_segments;
  }
  auto catalog = TRY(archive::Catalog::load(cache, access, keys, indexes, findings));
  VaultData data{*vault, std::move(access), std::move(cache), std::move(catalog), &chain};
  const auto compared = compare_with_others(account, data);
  if (!compared.ok() && compared.error().code == Code::kUnsafe) {
    TRY(remember_contradiction(account.home, compared.error().message, account.clock.now()));
    account.contradiction = TRY(standing_contradiction(account.home));
  } else {
    TRY(compared);
  }
  return data;
}

Result<Account::SnapshotInfo> read_snapshot(VaultData& data, const circle::Circle& circle,
                                            const circle::LinkedRecord& record) {
  const auto number = data.catalog.pack_number(*record.record.snapshot);
  if (!number)
    return Error{Code::kCorrupt, "the key of snapshot " + record.tip.head.hex().substr(0, 12) +
                                     " is missing: a key segment in the store is damaged"};
  const Bytes plain =
      TRY(archive::read_single_pack(data.cache, data.access, data.catalog.pack_at(*number)));
  Account::SnapshotInfo info;
  info.id = record.tip.head;
  info.n = record.record.n;
  info.time_ms = record.record.time_ms;
  const circle::Device* const signer = circle.device(record.record.signer);
  info.device = signer != nullptr ? signer->info.name : "?";
  info.root = TRY(wire::decode<archive::Snapshot>(plain));
  return info;
}

}  // namespace holdfast::vault
