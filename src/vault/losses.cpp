// What devices took from the vaults: seen, told and brought back. docs/decisions/0013-undo.md
#include <algorithm>
#include <map>

#include "vault/home_format.h"
#include "vault/vault_data.h"

namespace holdfast::vault {
namespace {

constexpr std::int64_t kDayMs = 24LL * 60 * 60 * 1000;
// What a store says of its patience is believed within these: one that says "none" would otherwise
// have nothing told.
constexpr std::int64_t kLeastToldMs = 14 * kDayMs;
constexpr std::int64_t kMostToldMs = 400 * kDayMs;
// The time of the last look is written down no more often than this.
constexpr std::int64_t kLookMs = 60'000;
constexpr std::size_t kMostNotes = 1024;
// Lists that are judged at one time: the oldest count, and somebody may write many.
constexpr unsigned kJudged = 16;
constexpr const char* kLookSetting = "looked_ms";

using circle::LinkedRecord;

std::string notes_setting(const VaultId& vault) { return "loss_notes:" + vault.hex(); }

// Notes that cannot be read are begun anew: everything is then told once more.
LossNotes read_notes(const Home& home, const VaultId& vault) {
  auto notes = wire::decode<LossNotes>(as_bytes(home.setting(notes_setting(vault))));
  return notes.ok() ? std::move(notes).value() : LossNotes{};
}

Result<void> write_notes(Home& home, const VaultId& vault, const LossNotes& notes) {
  const Bytes bytes = wire::encode(notes);
  return home.set_setting(notes_setting(vault), std::string(as_text(bytes)));
}

template <class T>
bool lists_all(const std::vector<T>& list, const std::vector<T>& wanted) {
  return std::ranges::all_of(
      wanted, [&](const T& item) { return std::ranges::find(list, item) != list.end(); });
}

// Whether record `i` of the chain leaves out segments that the one before it lists.
bool lists_fewer(const Chain& chain, std::size_t i) {
  if (i == 0) return false;
  const LinkedRecord& before = chain.records[i - 1];
  const LinkedRecord& record = chain.records[i];
  return !lists_all(record.key_segments, before.key_segments) ||
         !lists_all(record.index_segments, before.index_segments);
}

// Whether one of the new records takes something away. The first ones that leave out segments are
// those that an undo needs: further ones do not push them out.
bool note_new(LossNotes& notes, const Chain& chain) {
  bool any = false;
  for (std::size_t i = notes.read; i < chain.records.size(); ++i) {
    const circle::Act& act = chain.records[i].act;
    const bool fewer = lists_fewer(chain, i);
    if (fewer && notes.fewer.size() < kMostNotes) notes.fewer.push_back(i + 1);
    any = any || fewer || std::holds_alternative<circle::Forgotten>(act) ||
          std::holds_alternative<circle::Dropped>(act);
  }
  return any;
}

const SeenLosses* seen(const LossNotes& notes, std::uint64_t n) {
  const SeenLosses* found = nullptr;
  for (const SeenLosses& one : notes.syncs)
    if (one.first <= n) found = &one;
  return found;
}

TimeMs last_look(const Home& home) {
  const std::string text = home.setting(kLookSetting);
  TimeMs time = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || time > INT64_MAX / 10 - 10) return 0;
    time = time * 10 + (c - '0');
  }
  return time;
}

}  // namespace

Result<void> Account::State::note_losses() {
  const TimeMs now = clock.now();
  const TimeMs looked = last_look(home);
  const TimeMs before = looked <= now ? looked : 0;  // a clock that was wrong proves nothing
  for (const circle::Vault& vault : circle().vaults()) {
    const Chain& chain = replica.chain(vault.id);
    LossNotes notes = read_notes(home, vault.id);
    if (notes.read >= chain.records.size()) continue;
    const bool any = note_new(notes, chain);
    if (any && notes.syncs.size() >= kMostNotes) notes.syncs.erase(notes.syncs.begin());
    if (any) notes.syncs.push_back({notes.read + 1, before, now});
    notes.read = chain.records.size();
    TRY(write_notes(home, vault.id, notes));
  }
  if (looked <= now && now - looked < kLookMs) return Ok{};
  return home.set_setting(kLookSetting, std::to_string(std::max<TimeMs>(now, 0)));
}

namespace {

// Packs whose keys or places the newest record does not list any more.
struct Unlisted {
  std::uint64_t packs = 0;    // that stay
  std::uint64_t dropped = 0;  // that the store may delete, which is another loss
  bool sure = false;          // all that was listed before could be read
};

// What the segments of `before` give and those of `after` do not.
Unlisted count_unlisted(const archive::Catalog& before, const archive::Catalog& after,
                        const circle::VaultState& state) {
  Unlisted out;
  for (std::uint32_t i = 0; i < before.pack_count(); ++i) {
    const archive::PackEntry& pack = before.pack_at(i);
    const auto number = after.pack_number(pack.id);
    if (number && (!pack.header || after.pack_at(*number).header)) continue;
    ++(state.dropped.contains(pack.id) ? out.dropped : out.packs);
  }
  return out;
}

// Judges records that leave out segments: most wrote others in their place.
class ListJudge {
 public:
  ListJudge(Account::State& account, const circle::Vault& vault)
      : account_(account),
        vault_(vault),
        chain_(account.replica.chain(vault.id)),
        cache_(account.replica.session(), account.home.cache_folder()) {}

  // Records after which something is not listed that was before, and how many packs. One after
  // which all is there is not looked at again; one that cannot be judged now counts, with none.
  Result<std::map<std::uint64_t, std::uint64_t>> lossy() {
    std::map<std::uint64_t, std::uint64_t> out;
    LossNotes notes = read_notes(account_.home, vault_.id);
    const std::vector<std::uint64_t> asked = notes.fewer;
    unsigned judged = 0;
    for (const std::uint64_t n : asked) {
      if (n < 2 || n > chain_.records.size()) continue;
      out[n] = 0;
      if (judged++ >= kJudged) continue;
      const auto now = compare(chain_.records[n - 2], chain_.records.back());
      if (!now.ok()) continue;
      out[n] = now->packs;
      if (!now->sure || now->packs + now->dropped > 0) continue;
      out.erase(n);
      std::erase(notes.fewer, n);
    }
    if (notes.fewer.size() < asked.size()) TRY(write_notes(account_.home, vault_.id, notes));
    return out;
  }

 private:
  Result<archive::Catalog> listed(const LinkedRecord& record, archive::Findings& findings) {
    return archive::Catalog::load(cache_, *access_, segment_refs(record), record.index_segments,
                                  findings, archive::Rebuild::kNo);
  }
  Result<Unlisted> compare(const LinkedRecord& before, const LinkedRecord& after) {
    if (!access_) access_ = TRY(account_.replica.access(vault_));
    // A store that does not answer must not look like a record that lists what is not there.
    TRY(cache_.session().have_packs({}));
    archive::Findings findings;
    archive::Findings ignored;
    const auto then = TRY(listed(before, findings));
    const auto now = TRY(listed(after, ignored));
    Unlisted out = count_unlisted(then, now, chain_.state);
    out.sure = findings.problems.empty() && findings.notes.empty();
    return out;
  }

  Account::State& account_;
  const circle::Vault& vault_;
  const Chain& chain_;
  archive::PackCache cache_;
  std::optional<archive::VaultAccess> access_;
};

// By record; without times.
Result<std::map<std::uint64_t, Account::Loss>> losses_of(Account::State& account,
                                                         const circle::Vault& vault) {
  const Chain& chain = account.replica.chain(vault.id);
  std::map<std::uint64_t, Account::Loss> losses;
  for (const TakenRecord& taken : taken_records(chain))
    if (const auto it = chain.state.forgotten.find(taken.record->tip.n);
        it != chain.state.forgotten.end())
      ++losses[it->second].snapshots;
  for (const auto& [pack, since] : chain.state.dropped) ++losses[since].packs;
  for (const auto& [n, lost] : TRY(ListJudge(account, vault).lossy()))
    if (lost > 0) losses[n].unlisted = lost;
  for (auto& [n, loss] : losses) {
    const LinkedRecord& record = chain.records[n - 1];
    const circle::Device* const device = account.circle().device(record.signer);
    loss.vault = vault.name;
    loss.n = n;
    loss.time_ms = record.time_ms;
    loss.signer = record.signer;
    loss.device = device != nullptr ? device->info.name : "?";
  }
  return losses;
}

}  // namespace

Result<std::vector<Account::Loss>> Account::losses() {
  std::vector<Loss> all;
  std::optional<api::Usage> usage;
  for (const circle::Vault& vault : circle().vaults()) {
    const LossNotes notes = read_notes(state_->home, vault.id);
    for (auto& [n, loss] : TRY(losses_of(*state_, vault))) {
      if (!usage) usage = TRY(state_->replica.session().usage());
      const bool deletes = usage->bytes.has_value();
      const std::int64_t grace = std::clamp<std::int64_t>(usage->grace_ms, 0, kMostToldMs);
      const SeenLosses* const when = seen(notes, n);
      loss.recent =
          when != nullptr && state_->clock.now() - when->seen_ms < std::max(grace, kLeastToldMs);
      if (deletes) loss.kept_until_ms = (when != nullptr ? when->before_ms : 0) + grace;
      if (loss.recent || !deletes) all.push_back(std::move(loss));
    }
  }
  return all;
}

namespace {

struct Segments {
  std::vector<circle::KeySegmentRef> keys;
  std::vector<PackId> indexes;
  std::uint64_t added = 0;     // that the newest record does not list
  std::uint64_t left_out = 0;  // that it lists, perhaps
  bool changed = false;
};

PackId object_of(const circle::KeySegmentRef& ref) { return ref.object; }
PackId object_of(const PackId& id) { return id; }
std::uint32_t epoch_of(const circle::KeySegmentRef& ref) { return ref.epoch; }
std::uint32_t epoch_of(const PackId&) { return 0; }

template <class T>
const std::vector<T>& list_of(const LinkedRecord& record) {
  if constexpr (std::is_same_v<T, PackId>) {
    return record.index_segments;
  } else {
    return record.key_segments;
  }
}

// Segments of one sort from several records of a vault, each once.
template <class T>
class Gathering {
 public:
  // For an undo from record `n` on.
  Gathering(Account::State& account, const Chain& chain, std::uint64_t n)
      : account_(account), suspect_(chain.records[n - 1].signer) {
    for (const LinkedRecord& record : chain.records)
      for (const T& item : list_of<T>(record)) first_.try_emplace(object_of(item), record.signer);
  }
  void add(const LinkedRecord& record) {
    for (const T& item : list_of<T>(record))
      if (known_.emplace(object_of(item), epoch_of(item)).second) all_.push_back(item);
  }
  // What was added so far is from before.
  void mark_base() { base_ = all_.size(); }
  // What is from before comes first and stays, as does what devices of the account brought. Of one
  // that was taken out, or made what is undone, it may be anything: only what the store has, and as
  // much as there is place for.
  Result<std::vector<T>> finish(std::uint64_t& left_out) {
    std::vector<T> out;
    std::vector<T> doubtful;
    std::vector<PackId> asked;
    for (std::size_t i = 0; i < all_.size(); ++i)
      (i < base_ || trusted(all_[i]) ? out : doubtful).push_back(all_[i]);
    asked.reserve(doubtful.size());
    for (const T& item : doubtful) asked.push_back(object_of(item));
    const auto missing = TRY(archive::absent_packs(account_.replica.session(), asked));
    const std::set<PackId> absent(missing.begin(), missing.end());
    std::ranges::copy_if(doubtful, std::back_inserter(out),
                         [&](const T& item) { return !absent.contains(object_of(item)); });
    if (out.size() > circle::kMaxSegments) out.resize(circle::kMaxSegments);
    left_out += all_.size() - out.size();
    return out;
  }

 private:
  bool trusted(const T& item) const {
    const ReaderId& by = first_.at(object_of(item));
    return by != suspect_ && account_.circle().member(by) != nullptr;
  }

  Account::State& account_;
  const ReaderId suspect_;
  std::map<PackId, ReaderId> first_;  // who listed it first
  std::vector<T> all_;
  std::set<std::pair<PackId, std::uint32_t>> known_;  // of them
  std::size_t base_ = 0;
};

template <class T>
std::uint64_t count_new(const std::vector<T>& list, const std::vector<T>& known) {
  return static_cast<std::uint64_t>(std::ranges::count_if(
      list, [&](const T& item) { return std::ranges::find(known, item) == known.end(); }));
}

// Of the record before `n`, of those before each later one that lost some, and of the newest.
Result<Segments> segments_since(Account::State& account, const circle::Vault& vault,
                                std::uint64_t n) {
  const Chain& chain = account.replica.chain(vault.id);
  Gathering<circle::KeySegmentRef> keys(account, chain, n);
  Gathering<PackId> indexes(account, chain, n);
  const auto add = [&](const LinkedRecord& record) {
    keys.add(record);
    indexes.add(record);
  };
  if (n >= 2) add(chain.records[n - 2]);
  keys.mark_base();
  indexes.mark_base();
  for (const auto& [lossy, lost] : TRY(ListJudge(account, vault).lossy()))
    if (lossy > n) add(chain.records[lossy - 2]);
  const LinkedRecord& newest = chain.records.back();
  add(newest);
  Segments out;
  out.keys = TRY(keys.finish(out.left_out));
  out.indexes = TRY(indexes.finish(out.left_out));
  out.added =
      count_new(out.keys, newest.key_segments) + count_new(out.indexes, newest.index_segments);
  out.changed = out.added > 0 || out.keys.size() != newest.key_segments.size() ||
                out.indexes.size() != newest.index_segments.size();
  if (out.changed) return out;
  out.keys = newest.key_segments;
  out.indexes = newest.index_segments;
  return out;
}

struct Back {
  std::vector<std::uint64_t> records;
  std::vector<PackId> packs;
};

// As much as one record takes.
Back hidden_since(const Chain& chain, std::uint64_t n) {
  Back back;
  for (const TakenRecord& taken : taken_records(chain)) {
    const auto it = chain.state.forgotten.find(taken.record->tip.n);
    if (it != chain.state.forgotten.end() && it->second >= n &&
        back.records.size() < circle::kMaxForgets)
      back.records.push_back(it->first);
  }
  for (const auto& [pack, since] : chain.state.dropped)
    if (since >= n && back.packs.size() < circle::kMaxDropped) back.packs.push_back(pack);
  return back;
}

// Asks for all that counts now; what the store has deleted comes from this device's cache, or is
// gone.
Result<void> look_after(Account::State& account, const std::vector<PackId>& packs,
                        Account::UndoReport& report) {
  archive::PackCache cache(account.replica.session(), account.home.cache_folder());
  for (const PackId& id : TRY(archive::absent_packs(cache.session(), packs))) {
    const auto back = cache.give_back(id);
    if (back.ok() && *back)
      ++report.given_back;
    else
      ++report.gone;
  }
  return Ok{};
}

}  // namespace

// As many records as it takes, each on top of what came between.
Result<Account::UndoReport> Account::undo(const std::string& name, std::uint64_t n) {
  const circle::Vault* const found = circle().vault_named(name);
  if (found == nullptr)
    return Error{Code::kNotFound, "there is no vault \"" + name + "\" (holdfast vault list)"};
  const circle::Vault vault = *found;
  const Chain& chain = state_->replica.chain(vault.id);
  UndoReport report;
  std::vector<PackId> looked_for;
  unsigned conflicts = 0;
  while (conflicts < kRebases) {
    if (n == 0 || n > chain.tip.n)
      return Error{Code::kNotFound, "vault \"" + name + "\" has no record " + std::to_string(n)};
    Back back = hidden_since(chain, n);
    Segments segments;
    if (report.records == 0) segments = TRY(segments_since(*state_, vault, n));
    if (back.records.empty() && back.packs.empty() && !segments.changed) break;
    circle::Record record = state_->next_record(vault.id, circle::RecordKind::kUndo);
    const LinkedRecord& newest = chain.records.back();
    record.key_segments = report.records == 0 ? segments.keys : newest.key_segments;
    record.index_segments = report.records == 0 ? segments.indexes : newest.index_segments;
    record.forgets = back.records;
    record.kept = back.packs;
    const auto linked = TRY(state_->append_record(record));
    if (!linked) {
      ++conflicts;
      continue;
    }
    ++report.records;
    report.snapshots += back.records.size();
    report.packs += back.packs.size();
    report.segments += segments.added;
    report.left_out += segments.left_out;
    looked_for.insert(looked_for.end(), back.packs.begin(), back.packs.end());
  }
  if (conflicts == kRebases)
    return Error{Code::kConflict, "other devices keep writing to this vault; try again"};
  if (report.records == 0)
    return Error{Code::kNotFound, "nothing that record " + std::to_string(n) + " of vault \"" +
                                      name + "\", or a later one, took away is left to bring back"};
  for (const circle::KeySegmentRef& ref : chain.records.back().key_segments)
    looked_for.push_back(ref.object);
  looked_for.insert(looked_for.end(), chain.records.back().index_segments.begin(),
                    chain.records.back().index_segments.end());
  std::ranges::sort(looked_for);
  looked_for.erase(std::unique(looked_for.begin(), looked_for.end()), looked_for.end());
  TRY(look_after(*state_, looked_for, report));
  return report;
}

}  // namespace holdfast::vault
