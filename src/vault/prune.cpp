// What no snapshot needs any more: dropped. docs/decisions/0016-prune.md
#include <algorithm>

#include "archive/check.h"
#include "archive/reach.h"
#include "vault/rekey.h"
#include "vault/trimming.h"

namespace holdfast::vault {
namespace {

// Of packs in one record; the lists that it replaces find room beside them.
constexpr std::size_t kPacksAtOnce = circle::kMaxDropped / 2;

// One attempt, on top of the newest record as it is now.
class Attempt {
 public:
  Attempt(Account::State& account, VaultData& data, archive::Progress& progress,
          std::set<OpenedObject>& opened)
      : account_(account), data_(data), progress_(progress), opened_(opened) {}

  Result<void> find(Account::PruneReport& report) {
    archive::ChunkReader chunks(data_.cache, data_.access, data_.catalog);
    archive::Reached reached(chunks, data_.access);
    TRY(reach(reached));
    TRY(find_packs(reached, report));
    return find_old_tables(report);
  }
  bool empty() const { return gone_.empty() && drop_.empty(); }
  bool more() const { return full_; }

  // New lists are in the store by then, and nothing refers to them.
  Result<circle::Record> make_record(std::set<PackId>& unused, Account::PruneReport& report) {
    circle::Record record = account_.next_record(data_.vault.id, circle::RecordKind::kPrune);
    Trimming lists(data_, gone_);
    TRY(lists.write(record));
    report.stored_bytes += lists.stored_bytes();
    for (const PackId& table : lists.replaced_tables()) drop(table);
    for (const std::uint32_t number : lists.replaced_indexes()) {
      const archive::PackEntry& index = data_.catalog.pack_at(number);
      --report.kept_packs;
      report.kept_bytes -= index.size();
      if (TRY(opens(index, report)))
        for (const archive::PackObject& object : index.objects) drop(object.name);
    }
    for (const PackId& list : unused) drop(list);
    unused.insert(lists.written().begin(), lists.written().end());
    record.dropped = {drop_.begin(), drop_.end()};
    return record;
  }
  std::uint64_t found_packs() const { return gone_.size(); }
  std::uint64_t found_bytes() const { return found_bytes_; }

 private:
  // Whoever cannot read a list of files does not know what it needs.
  Result<void> reach(archive::Reached& reached) {
    for (const TakenRecord& taken : shown_records(*data_.chain)) {
      const std::string name = "snapshot " + taken.record->tip.head.hex().substr(0, 12);
      const auto info = read_snapshot(data_, account_.circle(), taken);
      if (!info.ok()) return damaged(info.error(), name);
      const auto added = reached.add(info->root.tree);
      if (!added.ok()) return damaged(added.error(), name);
      roots_.insert(taken.root);
    }
    return Ok{};
  }
  static Error damaged(const Error& why, const std::string& name) {
    if (why.code == Code::kUnavailable) return why;
    return Error{Code::kCorrupt,
                 name + " cannot be read whole (" + why.message +
                     "), so nothing tells what it needs: forget it, or give the store back what "
                     "it lost, and prune then"};
  }

  bool is_needed(const archive::PackEntry& pack, const archive::Reached& reached) const {
    const auto& listed = data_.newest()->index_segments;
    if (roots_.contains(pack.id) || std::ranges::find(listed, pack.id) != listed.end()) return true;
    if (pack.header) return reached.has_one_of(*pack.header);
    // Nobody says what is in it.
    return pack.may_be(archive::PackKind::kData) || pack.may_be(archive::PackKind::kMeta);
  }

  Result<void> find_packs(const archive::Reached& reached, Account::PruneReport& report) {
    report.skipped = report.kept_packs = report.kept_bytes = 0;
    report.findings = {};
    for (std::uint32_t i = 0; i < data_.catalog.pack_count(); ++i) {
      const archive::PackEntry& pack = data_.catalog.pack_at(i);
      const bool garbage = !is_needed(pack, reached);
      full_ = full_ || (garbage && drop_.size() >= kPacksAtOnce);
      if (garbage && !full_ && TRY(opens(pack, report))) {
        gone_.insert(i);
        found_bytes_ += pack.size();
        for (const archive::PackObject& object : pack.objects) drop(object.name);
      } else {
        ++report.kept_packs;
        report.kept_bytes += pack.size();
      }
    }
    return Ok{};
  }
  // An index may say of a pack what is not so, and a table name another vault's: what is dropped is
  // what this device opened, and found to hold what the index says.
  Result<bool> opens(const archive::PackEntry& pack, Account::PruneReport& report) {
    for (const archive::PackObject& object : pack.objects) {
      if (opened_.contains({pack.id, object.name})) continue;
      const auto sound = archive::check_object(data_.cache, data_.access, pack, object, progress_);
      if (!sound.ok() && sound.error().code == Code::kUnavailable) return sound.error();
      if (!sound.ok()) {
        ++report.skipped;
        report.findings.notes.push_back(
            {"pack " + archive::short_name(pack.id), sound.error().message + "; it is left alone"});
        return false;
      }
      opened_.emplace(pack.id, object.name);
    }
    ++progress_.files;
    progress_.bytes += pack.size();
    return true;
  }

  // Tables of keys that were written anew since. One that opens is one of this vault.
  Result<void> find_old_tables(Account::PruneReport& report) {
    std::set<PackId> listed;
    for (const auto& ref : data_.newest()->key_segments) listed.insert(ref.object);
    std::map<PackId, std::uint32_t> old;
    for (const circle::LinkedRecord& record : data_.chain->records)
      for (const auto& ref : record.key_segments)
        if (!listed.contains(ref.object) && !is_dropped(ref.object)) old[ref.object] = ref.epoch;
    std::vector<PackId> names;
    for (const auto& [name, epoch] : old) names.push_back(name);
    for (const PackId& name : TRY(archive::absent_packs(data_.cache.session(), names)))
      old.erase(name);
    for (const auto& [name, epoch] : old) {
      full_ = full_ || drop_.size() >= kPacksAtOnce;
      if (full_) return Ok{};
      const auto sound = archive::check_key_segment(data_.cache, data_.access, {name, epoch});
      if (!sound.ok() && sound.error().code == Code::kUnavailable) return sound.error();
      if (!sound.ok()) continue;
      drop(name);
      ++report.lists;
    }
    return Ok{};
  }

  // By this vault: what another one dropped is not lost to this one's lists.
  bool is_dropped(const PackId& object) const {
    return data_.chain->state.dropped.contains(object);
  }
  void drop(const PackId& object) {
    if (!is_dropped(object)) drop_.insert(object);
  }

  Account::State& account_;
  VaultData& data_;
  archive::Progress& progress_;
  std::set<OpenedObject>& opened_;
  std::set<PackId> roots_;        // of snapshots that are shown
  std::set<std::uint32_t> gone_;  // numbers in the catalog
  std::uint64_t found_bytes_ = 0;
  bool full_ = false;      // there is more than one record takes
  std::set<PackId> drop_;  // objects
};

}  // namespace

Result<Account::PruneReport> Account::prune(const PruneOptions& options,
                                            archive::Progress& progress) {
  PruneReport report;
  std::set<OpenedObject> opened;
  std::set<PackId> unused;  // lists of attempts that came too late
  for (unsigned conflicts = 0; conflicts < kRebases;) {
    TRY(sync());
    TRY(state_->check_sends());
    TRY(check_nothing_left_out(*this, options.vault));
    archive::Findings findings;
    VaultData data = TRY(open_vault(*state_, options.vault, findings));
    if (data.newest() == nullptr) return report;
    const std::uint64_t lists = report.lists;
    Attempt attempt(*state_, data, progress, opened);
    TRY(attempt.find(report));
    if (attempt.empty() || options.dry_run) {
      if (options.dry_run) report.packs = attempt.found_packs();
      if (options.dry_run) report.bytes = attempt.found_bytes();
      return report;
    }
    const std::uint64_t packs = attempt.found_packs();
    const circle::Record record = TRY(attempt.make_record(unused, report));
    if (std::max(record.key_segments.size(), record.index_segments.size()) > circle::kMaxSegments)
      return state_->too_many_segments(data.vault.id);
    if (!TRY(state_->append_record(record))) {
      ++conflicts;
      report.lists = lists;
      continue;
    }
    TRY(state_->check_sends());
    unused.clear();
    ++report.records;
    report.packs += packs;
    report.bytes += attempt.found_bytes();
    if (!attempt.more()) return report;
  }
  return Error{Code::kConflict, "other devices keep writing to this vault; try again"};
}

}  // namespace holdfast::vault
