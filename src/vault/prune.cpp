// What no snapshot needs any more: dropped. docs/decisions/0016-prune.md
#include <algorithm>

#include "archive/check.h"
#include "archive/reach.h"
#include "vault/moving.h"
#include "vault/rekey.h"
#include "vault/trimming.h"

namespace holdfast::vault {
namespace {

// Of packs in one record; the lists that it replaces find room beside them.
constexpr std::size_t kPacksAtOnce = circle::kMaxDropped / 2;

// One attempt, on top of the newest record as it is now.
class Attempt {
 public:
  Attempt(Account::State& account, VaultData& data, const Account::PruneOptions& options,
          archive::Progress& progress, std::set<OpenedObject>& opened)
      : account_(account),
        data_(data),
        options_(options),
        progress_(progress),
        opened_(opened),
        chunks_(data.cache, data.access, data.catalog),
        reached_(chunks_, data.access),
        moving_(account, data, reached_, progress) {}

  Result<void> find(Account::PruneReport& report) {
    TRY(reach());
    if (!options_.dry_run) TRY(moving_.resume());
    TRY(find_packs(report));
    return find_old_tables(report);
  }
  bool empty() const { return gone_.empty() && drop_.empty(); }
  bool more() const { return full_; }

  // New lists are in the store by then, and nothing refers to them.
  Result<circle::Record> make_record(std::set<PackId>& unused, Account::PruneReport& report) {
    circle::Record record = account_.next_record(data_.vault.id, circle::RecordKind::kPrune);
    auto moved = TRY(moving_.finish());
    for (std::uint32_t i = 0; i < moved.pack_count(); ++i) {
      const archive::PackEntry& pack = moved.pack_at(i);
      moved_.push_back(pack.objects.front().name);
      ++report.kept_packs;
      report.kept_bytes += pack.size();
    }
    Trimming lists(data_, gone_, std::move(moved));
    TRY(lists.write(record));
    report.stored_bytes += moving_.stored_bytes() + lists.stored_bytes();
    for (const PackId& table : lists.replaced_tables()) drop(table);
    for (const std::uint32_t number : lists.replaced_indexes()) {
      const archive::PackEntry& index = data_.catalog.pack_at(number);
      --report.kept_packs;
      report.kept_bytes -= index.size();
      if (TRY(opens(number, report)))
        for (const archive::PackObject& object : index.objects) drop(object.name);
    }
    for (const PackId& list : unused) drop(list);
    unused.insert(lists.written().begin(), lists.written().end());
    record.dropped = {drop_.begin(), drop_.end()};
    return record;
  }
  // The record lists the packs that moved: they are on no way any more.
  Result<void> arrived() { return account_.home.clear_journal(data_.vault.id, moved_); }
  void count(Account::PruneReport& report) const {
    report.packs += gone_.size();
    report.bytes += found_bytes_;
    report.moved_packs += moved_packs_;
    report.moved_bytes += moved_bytes_;
  }

 private:
  // Whoever cannot read a list of files does not know what it needs.
  Result<void> reach() {
    for (const TakenRecord& taken : shown_records(*data_.chain)) {
      const std::string name = "snapshot " + taken.record->tip.head.hex().substr(0, 12);
      const auto info = read_snapshot(data_, account_.circle(), taken);
      if (!info.ok()) return damaged(info.error(), name);
      const auto added = reached_.add(info->root);
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

  enum class Fate { kStays, kMoves, kGoes };
  Result<Fate> fate_of(std::uint32_t number) const {
    const archive::PackEntry& pack = data_.catalog.pack_at(number);
    const auto& listed = data_.newest()->index_segments;
    if (roots_.contains(pack.id) || std::ranges::find(listed, pack.id) != listed.end())
      return Fate::kStays;
    const bool contents =
        pack.may_be(archive::PackKind::kData) || pack.may_be(archive::PackKind::kMeta);
    // Where there is no header nobody says what is in it.
    const auto header = TRY(data_.catalog.header(number));
    if (!header) return contents ? Fate::kStays : Fate::kGoes;
    if (!reached_.has_one_of(*header)) return Fate::kGoes;
    const auto share = reached_.share_of(*header);
    const bool wasteful = share.others * 100 > (share.reached + share.others) * options_.max_waste;
    return contents && wasteful ? Fate::kMoves : Fate::kStays;
  }

  Result<void> find_packs(Account::PruneReport& report) {
    report.skipped = report.kept_packs = report.kept_bytes = 0;
    report.findings = {};
    for (std::uint32_t i = 0; i < data_.catalog.pack_count(); ++i) {
      const archive::PackEntry& pack = data_.catalog.pack_at(i);
      const Fate fate = TRY(fate_of(i));
      full_ = full_ || (fate != Fate::kStays && drop_.size() >= kPacksAtOnce);
      if (fate != Fate::kStays && !full_ && TRY(opens(i, report))) {
        gone_.insert(i);
        found_bytes_ += pack.size();
        if (fate == Fate::kMoves) TRY(move(i));
        for (const archive::PackObject& object : pack.objects) drop(object.name);
      } else {
        ++report.kept_packs;
        report.kept_bytes += pack.size();
      }
    }
    return Ok{};
  }
  Result<void> move(std::uint32_t number) {
    const auto header = TRY(data_.catalog.header(number));
    ++moved_packs_;
    moved_bytes_ += reached_.share_of(*header).reached;
    if (options_.dry_run) return Ok{};
    return moving_.move(data_.catalog.pack_at(number), *header);
  }
  // An index may say of a pack what is not so, and a table name another vault's: what is dropped is
  // what this device opened, and found to hold what the index says.
  Result<bool> opens(std::uint32_t number, Account::PruneReport& report) {
    const archive::PackEntry& pack = data_.catalog.pack_at(number);
    const auto header = TRY(data_.catalog.header(number));
    for (const archive::PackObject& object : pack.objects) {
      if (opened_.contains({pack.id, object.name})) continue;
      const auto sound =
          archive::check_object(data_.cache, data_.access, pack, header, object, progress_);
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
  const Account::PruneOptions& options_;
  archive::Progress& progress_;
  std::set<OpenedObject>& opened_;
  archive::ChunkReader chunks_;
  archive::Reached reached_;
  Moving moving_;
  std::set<PackId> roots_;        // of snapshots that are shown
  std::set<std::uint32_t> gone_;  // numbers in the catalog
  std::vector<PackId> moved_;     // objects that are new
  std::uint64_t found_bytes_ = 0;
  std::uint64_t moved_packs_ = 0;
  std::uint64_t moved_bytes_ = 0;
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
    Attempt attempt(*state_, data, options, progress, opened);
    TRY(attempt.find(report));
    if (options.dry_run) attempt.count(report);
    if (attempt.empty() || options.dry_run) return report;
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
    TRY(attempt.arrived());
    ++report.records;
    attempt.count(report);
    if (!attempt.more()) return report;
  }
  return Error{Code::kConflict, "other devices keep writing to this vault; try again"};
}

}  // namespace holdfast::vault
