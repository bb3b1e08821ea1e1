// What is whole of a damaged vault goes on without the rest. docs/decisions/0016-prune.md
#include <algorithm>

#include "archive/check.h"
#include "archive/manifest.h"
#include "crypto/hash.h"
#include "vault/committing.h"
#include "vault/journal.h"
#include "vault/rekey.h"
#include "vault/trimming.h"

namespace holdfast::vault {
namespace {

constexpr std::size_t kDamagedAtOnce = circle::kMaxDropped / 2;

Error written_to() { return {Code::kConflict, "other devices write to this vault; try again"}; }

// Listed tables of keys that are not in the store, or not as their names say.
Result<std::set<PackId>> damaged_tables(VaultData& data) {
  std::set<PackId> damaged;
  for (const auto& ref : data.newest()->key_segments) {
    const auto bytes = data.cache.session().get_pack(ref.object);
    if (!bytes.ok() && bytes.error().code != Code::kNotFound &&
        bytes.error().code != Code::kCorrupt)
      return bytes.error();
    if (!bytes.ok() || PackId(crypto::sha256(*bytes).bytes) != ref.object)
      damaged.insert(ref.object);
  }
  return damaged;
}

// What the store lost and this device kept.
Result<std::uint64_t> give_back(VaultData& data, const std::set<PackId>& tables) {
  std::uint64_t given = 0;
  for (const PackId& table : tables)
    if (TRY(data.cache.give_back(table))) ++given;
  std::vector<PackId> names;
  for (const std::uint32_t number : TRY(archive::missing_packs(data.cache, data.catalog)))
    for (const archive::PackObject& object : data.catalog.pack_at(number).objects)
      names.push_back(object.name);
  for (const PackId& name : TRY(archive::absent_packs(data.cache.session(), names)))
    if (TRY(data.cache.give_back(name))) ++given;
  return given;
}

// The snapshot's files that are whole, as a list of files of its own.
class Salvage {
 public:
  Salvage(Account::State& account, VaultData& data, archive::Progress& progress)
      : journal_(account.home, data.vault.id),
        chunks_(data.cache, data.access, data.catalog),
        packer_(data.cache, data.access, data.catalog, journal_, progress),
        chunker_(*data.access.cutting),
        names_(packer_, chunker_),
        data_(data) {}

  // `root` becomes that of what is left.
  Result<void> run(archive::Snapshot& root) {
    archive::EntryReader entries(chunks_, data_.access, root.tree);
    const std::uint64_t had = root.files + root.directories + root.others;
    root.files = root.directories = root.others = root.bytes = 0;
    for (;;) {
      const auto entry = entries.next();
      if (!entry.ok() && entry.error().code == Code::kUnavailable) return entry.error();
      if (!entry.ok()) {
        // What the list has after this nobody can tell; how much, the snapshot says.
        const std::uint64_t seen = root.files + root.directories + root.others + left_out_;
        left_out_ += had > seen ? had - seen : 1;
        break;
      }
      if (!*entry) break;
      if (TRY(is_whole(**entry)))
        TRY(keep(entries.path(), **entry, root));
      else
        ++left_out_;
    }
    root.problems += left_out_;
    TRY(names_.finish(root));
    packs_ = TRY(packer_.finish());
    return Ok{};
  }
  std::uint64_t left_out() const { return left_out_; }
  std::vector<PackId> take_packs() { return std::move(packs_); }

 private:
  Result<bool> is_whole(const archive::Entry& entry) {
    if (entry.kind != archive::EntryKind::kFile) return true;
    const auto sound = archive::check_content(chunks_, data_.access, data_.catalog, entry, {});
    if (!sound.ok() && sound.error().code == Code::kUnavailable) return sound.error();
    return sound.ok();
  }
  Result<void> keep(const std::vector<Bytes>& path, const archive::Entry& entry,
                    archive::Snapshot& root) {
    ++(entry.kind == archive::EntryKind::kFile        ? root.files
       : entry.kind == archive::EntryKind::kDirectory ? root.directories
                                                      : root.others);
    if (entry.kind == archive::EntryKind::kFile) root.bytes += entry.size;
    return names_.write(path, wire::encode(entry));
  }

  HomeJournal journal_;
  archive::ChunkReader chunks_;
  archive::Packer packer_;
  archive::Chunker chunker_;
  archive::ManifestWriter names_;
  VaultData& data_;
  std::vector<PackId> packs_;
  std::uint64_t left_out_ = 0;
};

class Repair {
 public:
  Repair(Account::State& account, VaultData data, archive::Progress& progress,
         Account::RepairReport& report)
      : account_(account), data_(std::move(data)), progress_(progress), report_(report) {}

  // The beginnings of ids of the snapshots that are to be shown no more.
  Result<std::vector<std::string>> run() {
    const auto damaged_before = TRY(damaged_tables(data_));
    report_.given_back = TRY(give_back(data_, damaged_before));
    lost_tables_ = TRY(damaged_tables(data_));
    report_.lost_tables = lost_tables_.size();
    const auto packs = TRY(archive::check_packs(data_.cache, data_.access, data_.catalog, 100,
                                                progress_, report_.findings));
    report_.damaged = packs.damaged.size();
    for (const std::uint32_t number : packs.damaged)
      if (TRY(is_spoiled(data_.catalog.pack_at(number))))
        spoiled_.insert(data_.catalog.pack_at(number).id);
    const auto shown = shown_records(*data_.chain);
    std::vector<std::uint64_t> damaged;
    for (const TakenRecord& taken : shown)
      if (!TRY(is_whole(taken, packs.damaged))) damaged.push_back(taken.record->tip.n);
    data_.catalog.leave_out({packs.damaged.begin(), packs.damaged.end()});
    std::vector<std::string> hidden;
    for (const std::uint64_t n : damaged) hidden.push_back(TRY(salvage(n)));
    return hidden;
  }
  const std::set<PackId>& spoiled() const { return spoiled_; }
  // Whatever keys they held, nobody here has them.
  const std::set<PackId>& lost_tables() const { return lost_tables_; }

 private:
  // No object of it is what its name says, so nobody can use any. One that is, and does not open,
  // is perhaps another vault's.
  Result<bool> is_spoiled(const archive::PackEntry& pack) {
    for (const archive::PackObject& object : pack.objects) {
      const auto bytes = data_.cache.get_sealed(object.name);
      if (bytes.ok() && PackId(crypto::sha256(*bytes).bytes) == object.name) return false;
      if (!bytes.ok() && bytes.error().code != Code::kNotFound &&
          bytes.error().code != Code::kCorrupt)
        return bytes.error();
    }
    return true;
  }
  Result<bool> is_whole(const TakenRecord& taken, const std::set<std::uint32_t>& damaged) {
    const auto info = read_snapshot(data_, account_.circle(), taken);
    if (!info.ok() && info.error().code == Code::kUnavailable) return info.error();
    if (!info.ok()) return false;
    archive::Findings files;
    const auto tree =
        archive::check_tree(data_.cache, data_.access, data_.catalog, info->root, damaged, files);
    if (!tree.ok() && tree.error().code == Code::kUnavailable) return tree.error();
    return tree.ok() && files.problems.empty();
  }

  // The id of the record, after which another one shows what is left of its snapshot.
  Result<std::string> salvage(std::uint64_t n) {
    const circle::LinkedRecord record = data_.chain->records[n - 1];
    const auto info = read_snapshot(data_, account_.circle(),
                                    {&record, std::get<circle::Taken>(record.act).root});
    if (!info.ok()) {
      Account::SnapshotInfo lost;
      lost.id = record.tip.head;
      lost.n = n;
      lost.time_ms = record.time_ms;
      report_.lost.push_back(std::move(lost));
      return record.tip.head.hex();
    }
    const Footing began = footing(account_, data_);
    Account::RepairReport::Salvaged done{*info, *info};
    Salvage salvage(account_, data_, progress_);
    TRY(salvage.run(done.to.root));
    done.left_out = salvage.left_out();
    std::uint64_t stored = 0;
    const Addition addition =
        TRY(prepare(data_, began, done.to.root, salvage.take_packs(), stored));
    const auto linked = TRY(commit(account_, data_, began, addition, stored));
    if (!linked) return written_to();
    done.to.id = linked->tip.head;
    done.to.n = linked->tip.n;
    done.to.time_ms = linked->time_ms;
    report_.salvaged.push_back(std::move(done));
    TRY(clear_journal(account_.home, data_.vault.id, Way::kBackup));
    return record.tip.head.hex();
  }

  Account::State& account_;
  VaultData data_;
  archive::Progress& progress_;
  Account::RepairReport& report_;
  std::set<PackId> spoiled_;
  std::set<PackId> lost_tables_;
};

// Listed nowhere, its chunks are sent again by the next backup of any device.
Result<void> drop_spoiled(Account::State& account, const std::string& vault,
                          std::set<PackId> spoiled, const std::set<PackId>& lost_tables) {
  bool tables = !lost_tables.empty();
  for (unsigned conflicts = 0; conflicts < kRebases && (tables || !spoiled.empty());) {
    TRY(account.sync());
    archive::Findings ignored;
    VaultData data = TRY(open_vault(account, vault, ignored));
    std::set<std::uint32_t> gone;
    std::set<PackId> drop;
    for (const PackId& pack : spoiled) {
      const auto number = data.catalog.pack_number(pack);
      if (!number || gone.size() == kDamagedAtOnce) continue;
      gone.insert(*number);
      for (const archive::PackObject& object : data.catalog.pack_at(*number).objects)
        if (!data.chain->state.dropped.contains(object.name)) drop.insert(object.name);
    }
    Trimming lists(data, gone);
    circle::Record record = account.next_record(data.vault.id, circle::RecordKind::kPrune);
    TRY(lists.write(record));
    drop.insert(lists.replaced_tables().begin(), lists.replaced_tables().end());
    for (const circle::KeySegmentRef& ref : record.key_segments)
      if (lost_tables.contains(ref.object)) drop.insert(ref.object);
    std::erase_if(record.key_segments,
                  [&](const auto& ref) { return lost_tables.contains(ref.object); });
    if (drop.empty()) return Ok{};
    record.dropped = {drop.begin(), drop.end()};
    if (!TRY(account.append_record(record))) {
      ++conflicts;
      continue;
    }
    tables = false;
    std::erase_if(spoiled, [&](const PackId& pack) {
      const auto number = data.catalog.pack_number(pack);
      return !number || gone.contains(*number);
    });
  }
  if (!spoiled.empty()) return written_to();
  return Ok{};
}

}  // namespace

Result<Account::RepairReport> Account::repair(const std::string& vault,
                                              archive::Progress& progress) {
  TRY(state_->check_sends());
  TRY(state_->check_keeps());
  TRY(check_nothing_left_out(*this, vault));
  RepairReport report;
  VaultData data = TRY(open_vault(*state_, vault, report.findings));
  if (data.newest() == nullptr) return report;
  Repair repair(*state_, std::move(data), progress, report);
  const auto hidden = TRY(repair.run());
  if (!hidden.empty()) TRY(forget({vault, {}, hidden}));
  TRY(drop_spoiled(*state_, vault, repair.spoiled(), repair.lost_tables()));
  return report;
}

}  // namespace holdfast::vault
