// What devices took from the vaults: brought back. docs/decisions/0013-undo.md
#include <set>

#include "vault/gathering.h"
#include "vault/losses.h"

namespace holdfast::vault {
namespace {

using circle::LinkedRecord;

template <class T>
std::uint64_t count_new(const std::vector<T>& list, const std::vector<T>& known) {
  return static_cast<std::uint64_t>(std::ranges::count_if(
      list, [&](const T& item) { return std::ranges::find(known, item) == known.end(); }));
}

// Of packs that were dropped, those that an undo keeps, in the order of their worth: somebody who
// filled the account may have left room for some only.
class KeptPacks {
 public:
  KeptPacks(Account::State& account, std::set<PackId> dropped)
      : account_(account), dropped_(std::move(dropped)) {}

  // What a vault needs, as far as it was dropped: its segments, then packs, the oldest first.
  Result<void> add(const circle::Vault& vault, const Segments& segments) {
    const auto access = TRY(account_.replica.access(vault));
    archive::PackCache cache(account_.replica.session(), account_.home.cache_folder());
    archive::Findings ignored;
    for (const auto& ref : segments.keys) take(ref.object, sound_);
    for (const PackId& id : segments.indexes) take(id, sound_);
    const auto sound = TRY(archive::Catalog::load(
        cache, access, refs_of(segments.keys, segments.sound_keys), {}, ignored));
    take_packs(sound, sound_);
    const auto all = TRY(archive::Catalog::load(
        cache, access, refs_of(segments.keys, segments.keys.size()), {}, ignored));
    take_packs(all, doubtful_);
    return Ok{};
  }
  struct Kept {
    std::vector<PackId> packs;
    std::size_t known = 0;  // the first ones, which a vault needs
    std::uint64_t gone = 0;
  };
  // Those that the store has, or that this device can give back. A thief names more than there are,
  // also in lists of keys; then those that no vault knows.
  Result<Kept> finish() {
    std::vector<PackId> order = sound_;
    order.insert(order.end(), doubtful_.begin(), doubtful_.end());
    order.insert(order.end(), dropped_.begin(), dropped_.end());
    const auto missing = TRY(archive::absent_packs(account_.replica.session(), order));
    const std::set<PackId> absent(missing.begin(), missing.end());
    const archive::PackCache cache(account_.replica.session(), account_.home.cache_folder());
    Kept kept;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const bool known = i < sound_.size() + doubtful_.size();
      if (!absent.contains(order[i]) || (known && cache.has(order[i])))
        kept.packs.push_back(order[i]);
      else if (i < sound_.size())
        ++kept.gone;
      if (known) kept.known = kept.packs.size();
    }
    return kept;
  }

 private:
  void take_packs(const archive::Catalog& catalog, std::vector<PackId>& to) {
    for (std::uint32_t i = 0; i < catalog.pack_count(); ++i)
      for (const archive::PackObject& object : catalog.pack_at(i).objects) take(object.name, to);
  }
  void take(const PackId& id, std::vector<PackId>& to) {
    if (dropped_.erase(id) > 0) to.push_back(id);
  }

  Account::State& account_;
  std::set<PackId> dropped_;  // that no vault knows so far
  std::vector<PackId> sound_;
  std::vector<PackId> doubtful_;
};

// What an undo writes, as long as no other record comes between.
struct Plan {
  Segments segments;
  std::uint64_t added = 0;  // segments that the newest record does not list
  bool changed = false;     // its lists
  KeptPacks::Kept kept;
};

Result<KeptPacks::Kept> plan_packs(Account::State& account, const circle::Vault& vault,
                                   std::uint64_t n, const Segments& segments) {
  const Chain& chain = account.replica.chain(vault.id);
  std::set<PackId> dropped;
  for (const auto& [pack, since] : chain.state.dropped)
    if (since >= n) dropped.insert(pack);
  if (dropped.empty()) return KeptPacks::Kept{};
  KeptPacks kept(account, std::move(dropped));
  TRY(kept.add(vault, segments));
  // A pack is the account's: those of other vaults may be among them.
  const ReaderId suspect = chain.records[n - 1].signer;
  for (const circle::Vault& other : account.circle().vaults()) {
    if (other.id == vault.id || account.replica.chain(other.id).records.empty()) continue;
    const Segments theirs = TRY(gather_segments(account, other, 0, suspect));
    TRY(kept.add(other, theirs));
  }
  return kept.finish();
}

Result<Plan> plan_undo(Account::State& account, const circle::Vault& vault, std::uint64_t n) {
  const Chain& chain = account.replica.chain(vault.id);
  const LinkedRecord& newest = chain.records.back();
  Plan plan;
  plan.segments = TRY(gather_segments(account, vault, n, chain.records[n - 1].signer));
  Segments& segments = plan.segments;
  plan.kept = TRY(plan_packs(account, vault, n, segments));
  plan.added = count_new(segments.keys, newest.key_segments) +
               count_new(segments.indexes, newest.index_segments);
  // Their order, too: what is listed first counts first.
  const std::vector<circle::KeySegmentRef>& keys = newest.key_segments;
  const std::vector<PackId>& indexes = newest.index_segments;
  plan.changed = segments.keys != keys || segments.indexes != indexes;
  return plan;
}

// As much as one record takes. What no vault knows comes in records of its own, for which a full
// account may have no room.
struct Step {
  std::vector<std::uint64_t> records;
  std::vector<PackId> packs;
  bool beside = false;  // only such packs
};

Step next_step(const Chain& chain, const Plan& plan, std::uint64_t n) {
  Step step;
  for (const TakenRecord& taken : taken_records(chain)) {
    const auto it = chain.state.forgotten.find(taken.record->tip.n);
    if (it != chain.state.forgotten.end() && it->second >= n &&
        step.records.size() < circle::kMaxForgets)
      step.records.push_back(it->first);
  }
  for (std::size_t i = 0; i < plan.kept.packs.size(); ++i) {
    if (step.packs.size() == circle::kMaxDropped) break;
    if (i == plan.kept.known && !step.packs.empty()) break;
    if (!chain.state.dropped.contains(plan.kept.packs[i])) continue;
    step.beside = i >= plan.kept.known;
    step.packs.push_back(plan.kept.packs[i]);
  }
  std::ranges::sort(step.packs);
  return step;
}

// Asks for all that counts now; what the store has deleted comes from this device's cache, or is
// gone.
Result<void> look_after(Account::State& account, std::vector<PackId> packs,
                        const LinkedRecord& newest, Account::UndoReport& report) {
  for (const circle::KeySegmentRef& ref : newest.key_segments) packs.push_back(ref.object);
  packs.insert(packs.end(), newest.index_segments.begin(), newest.index_segments.end());
  std::ranges::sort(packs);
  packs.erase(std::unique(packs.begin(), packs.end()), packs.end());
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

// What is not kept by now was made up, or is gone.
Result<void> settle_rest(Account::State& account, const VaultId& vault, std::uint64_t n) {
  std::set<std::uint64_t> records;
  for (const auto& [pack, since] : account.replica.chain(vault).state.dropped)
    if (since >= n) records.insert(since);
  return settle_drops(account.home, vault, {records.begin(), records.end()});
}

// As many records as it takes, each on top of what came between.
Result<std::vector<PackId>> write_undo(Account::State& account, const circle::Vault& vault,
                                       std::uint64_t n, Account::UndoReport& report) {
  const Chain& chain = account.replica.chain(vault.id);
  std::vector<PackId> kept;
  std::optional<Plan> plan;
  for (unsigned conflicts = 0; conflicts < kRebases;) {
    if (!plan) plan = TRY(plan_undo(account, vault, n));
    const Step step = next_step(chain, *plan, n);
    report.gone = plan->kept.gone;
    if (step.records.empty() && step.packs.empty() && !plan->changed) return kept;
    circle::Record record = account.next_record(vault.id, circle::RecordKind::kUndo);
    record.key_segments = plan->segments.keys;
    record.index_segments = plan->segments.indexes;
    record.forgets = step.records;
    record.kept = step.packs;
    auto linked = account.append_record(record);
    if (!linked.ok() && step.beside)
      return std::move(linked).error().in(
          "all that the vaults list stays; what was dropped beside it does not yet");
    if (!linked.ok()) return linked.error();
    if (!*linked) {
      ++conflicts;
      plan.reset();
      continue;
    }
    ++report.records;
    report.snapshots += step.records.size();
    report.packs += step.packs.size();
    report.segments += std::exchange(plan->added, 0);
    report.left_out += std::exchange(plan->segments.left_out, 0);
    plan->changed = false;
    kept.insert(kept.end(), step.packs.begin(), step.packs.end());
  }
  return Error{Code::kConflict, "other devices keep writing to this vault; try again"};
}

}  // namespace

Result<Account::UndoReport> Account::undo(const std::string& name, std::uint64_t n) {
  const circle::Vault* const found = circle().vault_named(name);
  if (found == nullptr)
    return Error{Code::kNotFound, "there is no vault \"" + name + "\" (holdfast vault list)"};
  const circle::Vault vault = *found;
  const Chain& chain = state_->replica.chain(vault.id);
  if (n == 0 || n > chain.tip.n)
    return Error{Code::kNotFound, "vault \"" + name + "\" has no record " + std::to_string(n)};
  UndoReport report;
  const auto kept = TRY(write_undo(*state_, vault, n, report));
  TRY(settle_rest(*state_, vault.id, n));
  if (report.records == 0)
    return Error{Code::kNotFound, "nothing that record " + std::to_string(n) + " of vault \"" +
                                      name + "\", or a later one, took away is left to bring back"};
  TRY(look_after(*state_, kept, chain.records.back(), report));
  return report;
}

}  // namespace holdfast::vault
