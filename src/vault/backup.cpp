#include "archive/backup.h"

#include <algorithm>
#include <thread>

#include "vault/footing.h"
#include "vault/journal.h"

namespace holdfast::vault {
namespace {

// So many segments make reading a vault slow; they are then written anew as few.
constexpr std::size_t kManySegments = 48;
// A backup is made so many times where what it relies on is taken away meanwhile.
constexpr unsigned kBackups = 4;

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
// Of what a record dropped nothing is lost.
Result<void> send_lost_again(VaultData& data, const std::set<PackId>& dropped, bool dry_run,
                             archive::Findings& findings) {
  if (!dry_run) TRY(give_back_keys(data));
  std::vector<std::uint32_t> gone;
  for (const std::uint32_t number : TRY(archive::missing_packs(data.cache, data.catalog))) {
    bool back = false;
    for (const archive::PackObject& object : data.catalog.pack_at(number).objects)
      back = back || dropped.contains(object.name) ||
             (!dry_run && TRY(data.cache.give_back(object.name)));
    if (!back) gone.push_back(number);
  }
  for (const std::uint32_t number : gone)
    findings.notes.push_back(
        {"pack " + data.catalog.pack_at(number).id.hex().substr(0, 16),
         "the store has lost it; what the files still have of it is sent again"});
  data.catalog.leave_out(gone);
  return Ok{};
}

// A snapshot must not rest on packs that the store may delete: their chunks are sent again.
void leave_out_dropped(VaultData& data, const std::set<PackId>& dropped) {
  data.catalog.leave_out(data.catalog.packs_within(dropped));
}

// Packs that an interrupted backup sent and nothing refers to yet. Their chunks count as known.
Result<std::vector<PackId>> resume(Account::State& account, VaultData& data,
                                   const std::set<PackId>& dropped) {
  auto journal = TRY(read_journal(account.home, data.vault.id, Way::kBackup));
  std::vector<PackId> ids;
  ids.reserve(journal.size());
  for (const OnItsWay& entry : journal) ids.push_back(entry.pack);
  const std::vector<bool> there = TRY(data.cache.session().have_packs(ids));
  std::vector<PackId> resumed;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!there[i] || data.catalog.pack_number(ids[i]) || dropped.contains(ids[i])) continue;
    data.catalog.add(ids[i], std::move(journal[i].object), std::move(journal[i].header));
    resumed.push_back(ids[i]);
  }
  return resumed;
}

// The newest snapshot to compare with: this device's own, or else anyone's.
std::optional<archive::Snapshot> previous(Account::State& account, VaultData& data) {
  std::optional<TakenRecord> best;
  for (const TakenRecord& taken : shown_records(*data.chain))
    if (!best || taken.record->signer == account.replica.self() ||
        best->record->signer != account.replica.self())
      best = taken;
  if (!best) return std::nullopt;
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
    if (found->kind != archive::EntryKind::kFile) continue;
    ++files;
    bytes += found->status.stx_size;
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
  if (read.size() >= kManySegments)
    addition.replaced_index.insert(addition.replaced_index.end(), read.begin(), read.end());
  if (!addition.replaced_index.empty()) {
    for (std::uint32_t i = 0; i < data.catalog.pack_count(); ++i) to_index.push_back(i);
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

bool must_write_anew(const VaultData& data, const std::vector<archive::SegmentRef>& refs,
                     const std::set<PackId>& dropped) {
  return refs.size() >= kManySegments || std::ranges::any_of(refs, [&](const auto& ref) {
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

// One compare-and-swap commits. On conflict the record is made again on top of what came between;
// if the epoch moved, its keys are sealed anew; no data is sent twice. nullopt: what the snapshot
// would rest on was dropped, or is listed no more.
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

// nullopt: what it rested on was taken away before it was done.
Result<std::optional<Account::BackupReport>> try_backup(Account::State& account,
                                                        const Account::BackupOptions& options,
                                                        archive::Progress& progress) {
  Account::BackupReport report;
  const std::string device = account.circle().device(account.replica.self())->info.name;
  const std::int64_t started = account.clock.now();
  VaultData data = TRY(open_vault(account, options.vault, report.findings));
  const Footing began = footing(account, data);
  TRY(send_lost_again(data, began.dropped, options.dry_run, report.findings));
  leave_out_dropped(data, began.dropped);
  std::vector<PackId> packs = TRY(resume(account, data, began.dropped));
  report.resumed_packs = packs.size();
  const auto before = previous(account, data);
  auto walker = TRY(archive::Walker::open(options.walk));
  std::jthread counter;
  if (options.count_ahead)
    counter = std::jthread(
        [&](const std::stop_token& stop) { count_ahead(stop, options.walk, progress); });
  HomeJournal journal(account.home, data.vault.id);
  auto tree =
      TRY(archive::write_tree(data.cache, data.access, data.catalog, journal,
                              {walker, before ? &before->tree : nullptr,
                               before ? before->started_ms : 0, options.dry_run, device, started},
                              progress, report.findings));
  report.files = tree.root.files;
  report.bytes = tree.root.bytes;
  report.new_bytes = tree.new_bytes;
  report.stored_bytes = tree.stored_bytes;
  if (options.dry_run) return std::optional(std::move(report));

  tree.root.finished_ms = account.clock.now();
  tree.root.log_seen = TRY(newest_checkpoint(account.home));
  packs.insert(packs.end(), tree.new_packs.begin(), tree.new_packs.end());
  const Addition addition =
      TRY(prepare(data, began, tree.root, std::move(packs), report.stored_bytes));
  const auto record = TRY(commit(account, data, began, addition, report.stored_bytes));
  if (!record) return std::optional<Account::BackupReport>();
  report.snapshot =
      Account::SnapshotInfo{record->tip.head, record->tip.n, record->time_ms, device, tree.root};
  TRY(clear_journal(account.home, data.vault.id, Way::kBackup));
  return std::optional(std::move(report));
}

}  // namespace

Result<Account::BackupReport> Account::backup(const BackupOptions& options,
                                              archive::Progress& progress) {
  TRY(state_->check_sends());
  if (!options.dry_run) TRY(state_->check_keeps());
  for (unsigned attempt = 0; attempt < kBackups; ++attempt) {
    auto report = TRY(try_backup(*state_, options, progress));
    if (report) return *std::move(report);
    progress.files = 0;
    progress.bytes = 0;
  }
  return Error{Code::kConflict,
               "while this backup ran, other devices dropped packs that it rests on, again and "
               "again. If that was not you, somebody has one of your devices: holdfast undo shows "
               "which, holdfast devices remove takes it out"};
}

}  // namespace holdfast::vault
