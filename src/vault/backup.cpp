#include "archive/backup.h"

#include <algorithm>
#include <thread>

#include "base/mutex.h"
#include "vault/vault_data.h"

namespace holdfast::vault {
namespace {

// So many segments make reading a vault slow; they are then written anew as few.
constexpr std::size_t kManySegments = 48;
constexpr unsigned kRebases = 16;

// Seals what a killed backup must know into the device's own state, before a pack is sent.
class HomeJournal final : public archive::PackJournal {
 public:
  HomeJournal(Home& home, const VaultId& vault) : home_(home), vault_(vault) {}
  Result<void> add(const PackId& pack, BytesView entry) override {
    const Lock lock(mutex_);
    return home_.add_journal(vault_, pack, entry);
  }

 private:
  Mutex mutex_;
  Home& home_ HF_GUARDED_BY(mutex_);
  const VaultId vault_;
};

// Sealed pack keys, without which packs are nothing. Those that the cache has not are found missing
// when they are loaded.
Result<void> give_back_keys(VaultData& data) {
  if (data.newest() == nullptr) return Ok{};
  std::vector<PackId> ids;
  for (const archive::SegmentRef& ref : segment_refs(*data.newest())) ids.push_back(ref.object);
  const std::vector<bool> there = TRY(data.cache.session().have_packs(ids));
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (i >= there.size() || !there[i]) TRY(data.cache.give_back(ids[i]));
  return Ok{};
}

// What the store lost comes from the cache, or else is not relied on: its chunks are sent again.
Result<void> send_lost_again(VaultData& data, bool dry_run, archive::Findings& findings) {
  if (!dry_run) TRY(give_back_keys(data));
  std::vector<std::uint32_t> gone;
  for (const std::uint32_t number : TRY(archive::missing_packs(data.cache, data.catalog))) {
    const bool back = !dry_run && TRY(data.cache.give_back(data.catalog.pack_at(number).id));
    if (!back) gone.push_back(number);
  }
  for (const std::uint32_t number : gone)
    findings.notes.push_back(
        {"pack " + data.catalog.pack_at(number).id.hex().substr(0, 16),
         "the store has lost it; what the files still have of it is sent again"});
  data.catalog.leave_out(gone);
  return Ok{};
}

// Packs that an interrupted backup sent and nothing refers to yet. Their chunks count as known.
Result<std::vector<PackId>> resume(Account::State& account, VaultData& data) {
  const auto journal = TRY(account.home.journal(data.vault.id));
  std::vector<PackId> ids;
  ids.reserve(journal.size());
  for (const auto& entry : journal) ids.push_back(entry.pack);
  const std::vector<bool> there = TRY(data.cache.session().have_packs(ids));
  std::vector<PackId> resumed;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!there[i] || data.catalog.pack_number(ids[i])) continue;
    auto pack = wire::decode<archive::JournalPack>(journal[i].plain.view());
    if (!pack.ok() || pack->entry.pack != ids[i]) continue;
    data.catalog.add(ids[i], keys::PackKey::from_bytes(pack->entry.key), pack->entry.kind,
                     pack->entry.size, std::move(pack->header));
    crypto::wipe(pack->entry.key);
    resumed.push_back(ids[i]);
  }
  return resumed;
}

// The newest snapshot to compare with: this device's own, or else anyone's.
std::optional<archive::Snapshot> previous(Account::State& account, VaultData& data) {
  const circle::LinkedRecord* best = nullptr;
  for (const circle::LinkedRecord& record : data.chain->records)
    if (best == nullptr || record.record.signer == account.replica.self() ||
        best->record.signer != account.replica.self())
      best = &record;
  if (best == nullptr) return std::nullopt;
  auto info = read_snapshot(data, account.circle(), *best);
  if (!info.ok()) return std::nullopt;  // damaged: everything is read again
  return std::move(info->root);
}

// How much there is to read, for a display; published whole, so that nobody sees half a total.
void count_ahead(const std::stop_token& stop, archive::WalkOptions options,
                 archive::Progress& progress) {
  auto walker = archive::Walker::open(std::move(options));
  if (!walker.ok()) return;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  while (const auto found = walker->next()) {
    if (stop.stop_requested()) return;
    if (found->entry.kind != archive::EntryKind::kFile) continue;
    ++files;
    bytes += found->entry.size;
  }
  progress.total_files = files;
  progress.total_bytes = bytes;
}

// What a commit adds to the vault, whatever record it will follow.
struct Addition {
  PackId snapshot;
  std::vector<PackId> packs;           // whose keys the record must list
  std::vector<PackId> index_segments;  // new ones
  std::vector<PackId> replaced_index;  // these are covered by the new ones
};

Result<PackId> store_pack(VaultData& data, archive::SealedPack pack, Addition& addition,
                          std::uint64_t& stored) {
  TRY(data.cache.session().put_pack(pack.id, pack.bytes));
  data.cache.keep(pack.id, pack.bytes);
  stored += pack.bytes.size();
  const PackId id = pack.id;
  data.catalog.add(id, std::move(pack.key), pack.header.kind,
                   static_cast<std::uint32_t>(pack.bytes.size()), std::move(pack.header));
  addition.packs.push_back(id);
  return id;
}

Result<Addition> prepare(VaultData& data, const archive::Snapshot& root,
                         std::vector<PackId> new_packs, bool damaged, std::uint64_t& stored) {
  Addition addition;
  std::vector<std::uint32_t> to_index;
  const circle::Record* const newest = data.newest();
  // With damage in the old segments they stay listed: what they hold may come back.
  const bool compact =
      newest != nullptr && !damaged && newest->index_segments.size() >= kManySegments;
  if (compact) {
    for (std::uint32_t i = 0; i < data.catalog.pack_count(); ++i) to_index.push_back(i);
    addition.replaced_index = newest->index_segments;
  } else {
    for (const PackId& id : new_packs) to_index.push_back(*data.catalog.pack_number(id));
  }
  addition.packs = std::move(new_packs);
  auto index_packs = archive::make_index_packs(data.access, data.catalog, to_index);
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

// The key segments of the record to come: those that stand and one for what is new. After a
// rotation, or when there are many, all are written anew under the current vault key.
Result<std::vector<archive::SegmentRef>> key_segments(VaultData& data, const Addition& addition,
                                                      const circle::Record* base,
                                                      std::uint64_t& stored) {
  std::vector<archive::SegmentRef> refs;
  if (base != nullptr) refs = segment_refs(*base);
  const bool old_epoch = std::any_of(
      refs.begin(), refs.end(), [&](const auto& ref) { return ref.epoch != data.access.epoch; });
  std::vector<std::uint32_t> packs;
  packs.reserve(addition.packs.size());
  for (const PackId& id : addition.packs) packs.push_back(*data.catalog.pack_number(id));
  archive::Findings findings;
  if (old_epoch || refs.size() >= kManySegments) {
    auto all = TRY(archive::Catalog::load(data.cache, data.access, refs, {}, findings));
    if (findings.problems.empty()) {
      for (const std::uint32_t number : packs) {
        all.add_key_of(data.catalog.pack_at(number));
      }
      std::vector<std::uint32_t> every(all.pack_count());
      for (std::uint32_t i = 0; i < every.size(); ++i) every[i] = i;
      auto written = TRY(archive::write_key_segments(data.cache, data.access, all, every));
      stored += written.bytes;
      return std::move(written.refs);
    }
  }
  auto written = TRY(archive::write_key_segments(data.cache, data.access, data.catalog, packs));
  stored += written.bytes;
  refs.insert(refs.end(), written.refs.begin(), written.refs.end());
  return refs;
}

std::vector<PackId> merged_index(const Addition& addition, const circle::Record* base) {
  std::vector<PackId> merged;
  if (base != nullptr)
    for (const PackId& id : base->index_segments)
      if (std::find(addition.replaced_index.begin(), addition.replaced_index.end(), id) ==
          addition.replaced_index.end())
        merged.push_back(id);
  merged.insert(merged.end(), addition.index_segments.begin(), addition.index_segments.end());
  return merged;
}

// One compare-and-swap commits. On conflict the record is made again on top of what came between;
// if the epoch moved, its keys are sealed anew; no data is sent twice.
Result<circle::LinkedRecord> commit(Account::State& account, VaultData& data,
                                    const Addition& addition, std::uint64_t& stored) {
  for (unsigned attempt = 0; attempt < kRebases; ++attempt) {
    TRY(account.sync());
    TRY(account.check_sends());
    const circle::Vault vault = *account.circle().vault(data.vault.id);
    if (account.circle().epoch() != data.access.epoch)
      data.access = TRY(account.replica.access(vault));
    data.chain = &account.replica.chain(vault.id);
    const circle::Record* const base = data.newest();

    circle::Record record;
    record.circle = account.circle().id();
    record.vault = vault.id;
    record.n = data.chain->tip.n + 1;
    record.prev = data.chain->tip.head;
    record.circle_seq = account.circle().seq();
    record.circle_head = account.circle().head();
    record.epoch = account.circle().epoch();
    record.time_ms = account.clock.now();
    record.kind = circle::RecordKind::kSnapshot;
    record.signer = account.replica.self();
    record.snapshot = addition.snapshot;
    const auto refs = TRY(key_segments(data, addition, base, stored));
    for (const archive::SegmentRef& ref : refs)
      record.key_segments.push_back({ref.object, ref.epoch});
    for (const PackId& id : merged_index(addition, base)) record.index_segments.push_back(id);
    const Bytes signed_record = circle::sign_record(record, account.signing);
    auto linked = TRY(circle::extend(account.circle(), vault.id, data.chain->tip, signed_record));
    auto receipt = data.cache.session().append_record(vault.id, signed_record);
    if (!receipt.ok() && receipt.error().code != Code::kConflict) return std::move(receipt).error();
    if (receipt.ok()) {
      TRY(account.promised(linked, *receipt));
      TRY(account.sync());
      TRY(account.replica.expect_record(linked, signed_record, account.home));
      TRY(account.check_sends());
      return linked;
    }
  }
  return Error{Code::kConflict, "other devices keep writing to this vault; try again"};
}

}  // namespace

Result<Account::BackupReport> Account::backup(const BackupOptions& options,
                                              archive::Progress& progress) {
  TRY(state_->check_sends());
  BackupReport report;
  const std::int64_t started = state_->clock.now();
  VaultData data = TRY(open_vault(*state_, options.vault, report.findings));
  const bool damaged = !report.findings.problems.empty();
  TRY(send_lost_again(data, options.dry_run, report.findings));
  std::vector<PackId> packs = TRY(resume(*state_, data));
  report.resumed_packs = packs.size();
  const auto before = previous(*state_, data);
  auto walker = TRY(archive::Walker::open(options.walk));
  std::jthread counter;
  if (options.count_ahead)
    counter = std::jthread(
        [&](const std::stop_token& stop) { count_ahead(stop, options.walk, progress); });
  HomeJournal journal(state_->home, data.vault.id);
  auto tree = TRY(archive::write_tree(
      data.cache, data.access, data.catalog, journal,
      {walker, before ? &before->tree : nullptr, options.dry_run, self().info.name, started},
      progress, report.findings));
  report.files = tree.root.files;
  report.bytes = tree.root.bytes;
  report.new_bytes = tree.new_bytes;
  report.stored_bytes = tree.stored_bytes;
  if (options.dry_run) return report;

  tree.root.finished_ms = state_->clock.now();
  tree.root.log_seen = TRY(newest_checkpoint(state_->home));
  packs.insert(packs.end(), tree.new_packs.begin(), tree.new_packs.end());
  const Addition addition =
      TRY(prepare(data, tree.root, std::move(packs), damaged, report.stored_bytes));
  const auto record = TRY(commit(*state_, data, addition, report.stored_bytes));
  report.snapshot = SnapshotInfo{record.tip.head, record.record.n, record.record.time_ms,
                                 self().info.name, tree.root};
  TRY(state_->home.clear_journal(data.vault.id));
  return report;
}

}  // namespace holdfast::vault
