#include "vault/footing.h"

#include "vault/gathering.h"
#include "vault/losses.h"

namespace holdfast::vault {
namespace {

bool holds_content(const archive::PackEntry& pack) {
  return pack.may_be(archive::PackKind::kData) || pack.may_be(archive::PackKind::kMeta);
}

// Packs of the backup's catalog that the vault does not list any more, or lists where the store may
// delete them. Of its own new packs the vault does not know yet.
bool lists_known(const archive::Catalog& known, const archive::Catalog& listed,
                 const std::set<PackId>& dropped, const std::set<PackId>& sent) {
  const auto going = listed.packs_within(dropped);
  for (std::uint32_t i = 0; i < known.pack_count(); ++i) {
    const archive::PackEntry& pack = known.pack_at(i);
    if (!holds_content(pack) || known.is_left_out(i) || sent.contains(pack.id)) continue;
    const auto number = listed.pack_number(pack.id);
    if (!number || std::ranges::binary_search(going, *number)) return false;
    if (pack.indexed && !listed.pack_at(*number).indexed) return false;
  }
  return true;
}

}  // namespace

Footing footing(Account::State& account, const VaultData& data) {
  Footing out;
  out.dropped = account.replica.dropped();
  if (data.newest() == nullptr) return out;
  out.key_segments = data.newest()->key_segments;
  out.index_segments = data.newest()->index_segments;
  return out;
}

Result<bool> stands(VaultData& data, const Footing& began, const Footing& now,
                    const std::vector<PackId>& sent) {
  if (std::ranges::includes(began.dropped, now.dropped) &&
      lists_all(now.key_segments, began.key_segments) &&
      lists_all(now.index_segments, began.index_segments))
    return true;
  if (std::ranges::any_of(sent, [&](const PackId& id) { return now.dropped.contains(id); }))
    return false;
  archive::Findings ignored;
  const auto listed = TRY(archive::Catalog::load(
      data.cache, data.access, refs_of(now.key_segments, now.key_segments.size()),
      now.index_segments, ignored, archive::Rebuild::kNo));
  return lists_known(data.catalog, listed, now.dropped, {sent.begin(), sent.end()});
}

}  // namespace holdfast::vault
