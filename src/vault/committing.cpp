#include "vault/committing.h"

#include <algorithm>

namespace holdfast::vault {
namespace {

// So many segments make reading a vault slow; they are then written anew as few.
constexpr std::size_t kManySegments = 48;
// Not counted are those that a vault of its size has in any case: so many keys or chunks, at least,
// of each two segments that were written full.
constexpr std::uint64_t kKeysOfSegment = 8192;
constexpr std::uint64_t kChunksOfSegment = 32768;

Result<PackId> store_pack(VaultData& data, archive::SealedPack pack, Addition& addition,
                          std::uint64_t& stored) {
  TRY(data.cache.session().put_pack(pack.id, pack.bytes));
  data.cache.keep(pack.id, pack.bytes);
  stored += pack.bytes.size();
  const PackId id = pack.id;
  archive::PackObject object = archive::object_of(pack, data.access.epoch);
  data.catalog.add(id, std::move(object), std::move(pack.header));
  addition.packs.push_back(id);
  return id;
}

std::vector<PackId> dropped_of(const std::vector<PackId>& packs, const std::set<PackId>& dropped) {
  std::vector<PackId> out;
  std::ranges::copy_if(packs, std::back_inserter(out),
                       [&](const PackId& id) { return dropped.contains(id); });
  return out;
}

bool must_write_anew(const VaultData& data, const std::vector<archive::SegmentRef>& refs,
                     const std::set<PackId>& dropped) {
  return refs.size() >= kManySegments + data.catalog.pack_count() / kKeysOfSegment ||
         std::ranges::any_of(refs, [&](const auto& ref) {
           return ref.epoch != data.access.epoch || dropped.contains(ref.object);
         });
}

// The key segments of the record to come: those that stand and one for what is new. After a
// rotation, when there are many, or when the store may delete one, all are written anew under the
// current vault key; those that cannot be read stay beside them: what they hold may come back.
Result<std::vector<archive::SegmentRef>> key_segments(VaultData& data, const Addition& addition,
                                                      const std::set<PackId>& dropped,
                                                      std::uint64_t& stored) {
  std::vector<archive::SegmentRef> refs;
  if (data.newest() != nullptr) refs = segment_refs(*data.newest());
  std::vector<std::uint32_t> packs;
  packs.reserve(addition.packs.size());
  for (const PackId& id : addition.packs) packs.push_back(*data.catalog.pack_number(id));
  if (must_write_anew(data, refs, dropped)) {
    archive::Findings ignored;
    auto all = TRY(archive::Catalog::load(data.cache, data.access, refs, {}, ignored));
    const auto unread =
        std::ranges::stable_partition(refs, [&](const auto& ref) { return all.has_read(ref); });
    const std::vector<archive::SegmentRef> read(refs.begin(), unread.begin());
    refs.assign(unread.begin(), unread.end());
    std::erase_if(refs, [&](const auto& ref) { return dropped.contains(ref.object); });
    if (must_write_anew(data, read, dropped)) {
      for (const std::uint32_t number : packs) all.add_keys_of(data.catalog.pack_at(number));
      std::vector<std::uint32_t> every(all.pack_count());
      for (std::uint32_t i = 0; i < every.size(); ++i) every[i] = i;
      auto written = TRY(archive::write_key_segments(data.cache, data.access, all, every));
      stored += written.bytes;
      refs.insert(refs.begin(), written.refs.begin(), written.refs.end());
      return refs;
    }
    refs.insert(refs.begin(), read.begin(), read.end());
  }
  auto written = TRY(archive::write_key_segments(data.cache, data.access, data.catalog, packs));
  stored += written.bytes;
  refs.insert(refs.end(), written.refs.begin(), written.refs.end());
  return refs;
}

std::vector<PackId> merged_index(const Addition& addition, const std::vector<PackId>& base) {
  std::vector<PackId> merged;
  for (const PackId& id : base)
    if (std::ranges::find(addition.replaced_index, id) == addition.replaced_index.end())
      merged.push_back(id);
  merged.insert(merged.end(), addition.index_segments.begin(), addition.index_segments.end());
  return merged;
}

}  // namespace

Result<Addition> prepare(VaultData& data, const Footing& base, const archive::Snapshot& root,
                         std::vector<PackId> new_packs, std::uint64_t& stored) {
  Addition addition;
  std::vector<std::uint32_t> to_index;
  // Those that could not be read stay listed: what they hold may come back. Those that the store
  // may delete are written anew in any case.
  std::vector<PackId> read;
  std::ranges::copy_if(base.index_segments, std::back_inserter(read),
                       [&](const PackId& id) { return data.catalog.has_read(id); });
  addition.replaced_index = dropped_of(base.index_segments, base.dropped);
  if (read.size() >= kManySegments + data.catalog.chunk_count() / kChunksOfSegment)
    addition.replaced_index.insert(addition.replaced_index.end(), read.begin(), read.end());
  if (!addition.replaced_index.empty()) {
    for (std::uint32_t i = 0; i < data.catalog.pack_count(); ++i) to_index.push_back(i);
  } else {
    for (const PackId& id : new_packs) to_index.push_back(*data.catalog.pack_number(id));
  }
  addition.packs = std::move(new_packs);
  auto index_packs = TRY(archive::make_index_packs(data.access, data.catalog, to_index));
  for (archive::SealedPack& pack : index_packs) {
    const PackId id = TRY(store_pack(data, std::move(pack), addition, stored));
    addition.index_segments.push_back(id);
  }
  addition.snapshot =
      TRY(store_pack(data,
                     archive::make_single_pack(data.access, archive::PackKind::kSnapshot,
                                               archive::ChunkType::kSnapshot, wire::encode(root)),
                     addition, stored));
  return addition;
}

Result<std::optional<circle::LinkedRecord>> commit(Account::State& account, VaultData& data,
                                                   const Footing& began, const Addition& addition,
                                                   std::uint64_t& stored) {
  for (unsigned attempt = 0; attempt < kRebases; ++attempt) {
    TRY(account.sync());
    TRY(account.check_sends());
    const circle::Vault vault = *account.circle().vault(data.vault.id);
    if (account.circle().epoch() != data.access.epoch)
      data.access = TRY(account.replica.access(vault));
    data.chain = &account.replica.chain(vault.id);
    const Footing base = footing(account, data);
    if (!TRY(stands(data, began, base, addition.packs)))
      return std::optional<circle::LinkedRecord>();

    circle::Record record = account.next_record(vault.id, circle::RecordKind::kSnapshot);
    record.snapshot = addition.snapshot;
    const auto refs = TRY(key_segments(data, addition, base.dropped, stored));
    const auto indexes = merged_index(addition, base.index_segments);
    if (std::max(refs.size(), indexes.size()) > circle::kMaxSegments)
      return account.too_many_segments(vault.id);
    for (const archive::SegmentRef& ref : refs)
      record.key_segments.push_back({ref.object, ref.epoch});
    record.index_segments = indexes;
    auto linked = TRY(account.append_record(record));
    if (!linked) continue;
    TRY(account.check_sends());
    return linked;
  }
  return Error{Code::kConflict, "other devices keep writing to this vault; try again"};
}

}  // namespace holdfast::vault
