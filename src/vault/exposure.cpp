#include "vault/exposure.h"

#include <algorithm>

namespace holdfast::vault {
namespace {

bool lets_read(const circle::BlobSlot& slot, const VaultId& vault) {
  return slot.reader != ReaderId{} && (slot.vault == VaultId{} || slot.vault == vault);
}

// By the clock of whoever signed the statement that began the epoch.
Result<TimeMs> start_of(const Account::State& account, std::uint32_t epoch) {
  const std::uint64_t seq = account.circle().epochs()[epoch - 1].start_seq;
  const auto outer =
      TRY(wire::decode<circle::SignedStatement>(account.replica.statements().at(seq)));
  return TRY(wire::decode<circle::Statement>(outer.statement)).time_ms;
}

}  // namespace

std::uint32_t epoch_without_former_readers(const circle::Circle& circle, const VaultId& vault) {
  const std::vector<circle::Epoch>& epochs = circle.epochs();
  for (std::size_t i = epochs.size(); i-- > 1;)
    for (const auto& [slot, blob] : epochs[i - 1].blobs)
      if (lets_read(slot, vault) && !epochs[i].blobs.contains(slot)) return epochs[i].number;
  return 0;
}

bool is_exposed(const archive::PackEntry& pack, std::uint32_t safe,
                const std::set<PackId>& dropped) {
  return std::ranges::any_of(pack.objects, [&](const archive::PackObject& object) {
    return object.epoch < safe && !dropped.contains(object.name);
  });
}

Result<Account::Exposure> Account::exposure(const std::string& vault) {
  const circle::Vault* const found = circle().vault_named(vault);
  if (found == nullptr)
    return Error{Code::kNotFound, "there is no vault \"" + vault + "\" (holdfast vault list)"};
  Exposure out;
  const std::uint32_t safe = epoch_without_former_readers(circle(), found->id);
  if (safe > 0) out.since_ms = TRY(start_of(*state_, safe));
  const Chain& chain = state_->replica.chain(found->id);
  if (chain.records.empty()) return out;
  // The tables are enough: what the packs hold is not looked at.
  const auto access = TRY(state_->replica.access(*found));
  archive::PackCache cache(state_->replica.session(), state_->home.cache_folder());
  archive::Findings findings;
  const auto refs = segment_refs(chain.records.back());
  const auto catalog = TRY(archive::Catalog::load(cache, access, refs, {}, findings));
  out.unread_tables = catalog.unread().size();
  for (const archive::SegmentRef& ref : refs)
    if (ref.epoch != access.epoch) ++out.old_tables;
  const auto dropped = state_->replica.dropped();
  for (std::uint32_t i = 0; i < catalog.pack_count(); ++i) {
    const archive::PackEntry& pack = catalog.pack_at(i);
    ++out.total_packs;
    out.total_bytes += pack.size();
    if (!is_exposed(pack, safe, dropped)) continue;
    ++out.packs;
    out.bytes += pack.size();
  }
  return out;
}

}  // namespace holdfast::vault
