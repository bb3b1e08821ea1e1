#include "archive/backup.h"

#include <algorithm>
#include <thread>

#include "vault/committing.h"
#include "vault/journal.h"

namespace holdfast::vault {
namespace {

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
  for (const std::string& tag : options.tags) tree.root.tags.push_back(tag);
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
  for (const std::string& tag : options.tags) TRY(check_typed(tag));
  if (options.tags.size() > archive::kMaxTags)
    return Error{Code::kInvalid, "a snapshot has at most 64 tags"};
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
