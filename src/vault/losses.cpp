// What devices took from the vaults: seen and told. docs/decisions/0013-undo.md
#include "vault/losses.h"

#include <unordered_set>

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
constexpr std::size_t kMostSettled = 4096;
constexpr const char* kLookSetting = "looked_ms";

using circle::LinkedRecord;

std::string notes_setting(const VaultId& vault) { return "loss_notes:" + vault.hex(); }

// Whether record `i` of the chain leaves out segments that the one before it lists, or puts tables
// of keys before them, which then count first.
bool lists_fewer(const Chain& chain, std::size_t i) {
  if (i == 0) return false;
  const LinkedRecord& before = chain.records[i - 1];
  const LinkedRecord& record = chain.records[i];
  const auto& keys = record.key_segments;
  return keys.size() < before.key_segments.size() ||
         !std::equal(before.key_segments.begin(), before.key_segments.end(), keys.begin()) ||
         !lists_all(record.index_segments, before.index_segments);
}

// Whether one of the new records takes something away. The first ones that leave out segments are
// those that an undo needs: further ones do not push them out, but for the first one that is new,
// before which everything was listed that the last sync saw.
bool note_new(LossNotes& notes, const Chain& chain) {
  bool any = false;
  bool any_fewer = false;
  for (std::size_t i = notes.read; i < chain.records.size(); ++i) {
    const circle::Act& act = chain.records[i].act;
    const bool fewer = lists_fewer(chain, i);
    if (fewer && !any_fewer && notes.fewer.size() >= kMostNotes) notes.fewer.pop_back();
    if (fewer && notes.fewer.size() < kMostNotes) notes.fewer.push_back(i + 1);
    any_fewer = any_fewer || fewer;
    any = any || fewer || std::holds_alternative<circle::Forgotten>(act) ||
          std::holds_alternative<circle::Dropped>(act) ||
          std::holds_alternative<circle::Rekeyed>(act);
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

LossNotes read_loss_notes(const Home& home, const VaultId& vault) {
  auto notes = wire::decode<LossNotes>(as_bytes(home.setting(notes_setting(vault))));
  return notes.ok() ? std::move(notes).value() : LossNotes{};
}

Result<void> write_loss_notes(Home& home, const VaultId& vault, const LossNotes& notes) {
  const Bytes bytes = wire::encode(notes);
  return home.set_setting(notes_setting(vault), std::string(as_text(bytes)));
}

// Where there are too many, further ones are asked for each time.
Result<void> settle_drops(Home& home, const VaultId& vault,
                          const std::vector<std::uint64_t>& records) {
  if (records.empty()) return Ok{};
  LossNotes notes = read_loss_notes(home, vault);
  for (const std::uint64_t n : records)
    if (notes.settled.size() < kMostSettled &&
        std::ranges::find(notes.settled, n) == notes.settled.end())
      notes.settled.push_back(n);
  return write_loss_notes(home, vault, notes);
}

Result<void> Account::State::note_losses() {
  const TimeMs now = clock.now();
  const TimeMs looked = last_look(home);
  const TimeMs before = looked <= now ? looked : 0;  // a clock that was wrong proves nothing
  for (const circle::Vault& vault : circle().vaults()) {
    const Chain& chain = replica.chain(vault.id);
    LossNotes notes = read_loss_notes(home, vault.id);
    if (notes.read >= chain.records.size()) continue;
    const bool any = note_new(notes, chain);
    if (any && notes.syncs.size() >= kMostNotes) notes.syncs.erase(notes.syncs.begin());
    if (any) notes.syncs.push_back({notes.read + 1, before, now});
    notes.read = chain.records.size();
    TRY(write_loss_notes(home, vault.id, notes));
  }
  if (looked <= now && now - looked < kLookMs) return Ok{};
  return home.set_setting(kLookSetting, std::to_string(std::max<TimeMs>(now, 0)));
}

namespace {

// What the store says of its patience.
struct Terms {
  bool deletes = false;
  std::int64_t grace_ms = 0;
};

Result<Terms> terms_of(api::Session& session) {
  const auto usage = TRY(session.usage());
  return Terms{usage.bytes.has_value(), std::clamp<std::int64_t>(usage.grace_ms, 0, kMostToldMs)};
}

// Every segment that the vault lists, or listed before a record that lost some, and every object
// whose key is in one.
Result<void> add_known(Account::State& account, const circle::Vault& vault,
                       std::unordered_set<PackId, IdHash>& known) {
  const Chain& chain = account.replica.chain(vault.id);
  if (chain.records.empty()) return Ok{};
  const auto access = TRY(account.replica.access(vault));
  archive::PackCache cache(account.replica.session(), account.home.cache_folder());
  std::vector<archive::SegmentRef> keys;
  const auto add = [&](const LinkedRecord& record) {
    for (const archive::SegmentRef& ref : segment_refs(record))
      if (known.insert(ref.object).second) keys.push_back(ref);
    known.insert(record.index_segments.begin(), record.index_segments.end());
  };
  add(chain.records.back());
  for (const auto& [n, lost] : TRY(left_out_lists(account, vault))) add(chain.records[n - 2]);
  archive::Findings ignored;
  const auto catalog = TRY(archive::Catalog::load(cache, access, keys, {}, ignored));
  for (std::uint32_t i = 0; i < catalog.pack_count(); ++i)
    for (const archive::PackObject& object : catalog.pack_at(i).objects) known.insert(object.name);
  return Ok{};
}

// How many of the packs that a record dropped an undo could bring back. A thief names more than
// there are.
class DropCount {
 public:
  explicit DropCount(Account::State& account) : account_(account) {}

  // As long as the store should have them, those that the vaults know count in any case: it must
  // not silence this by saying that they are gone. Of what a rekey dropped, which should have been
  // replaced, nothing else counts.
  Result<std::uint64_t> of(const std::vector<PackId>& packs, bool recent, bool rekeyed) {
    if (recent || rekeyed) {
      if (!known_) known_ = TRY(all_known());
      const auto known =
          std::ranges::count_if(packs, [&](const PackId& id) { return known_->contains(id); });
      if (known > 0 || rekeyed) return static_cast<std::uint64_t>(known);
    }
    const auto absent = TRY(archive::absent_packs(account_.replica.session(), packs));
    return packs.size() - absent.size();
  }

 private:
  Result<std::unordered_set<PackId, IdHash>> all_known() {
    std::unordered_set<PackId, IdHash> known;
    for (const circle::Vault& vault : account_.circle().vaults())
      TRY(add_known(account_, vault, known));
    return known;
  }

  Account::State& account_;
  std::optional<std::unordered_set<PackId, IdHash>> known_;
};

// The losses of one vault, by record.
class VaultLosses {
 public:
  VaultLosses(Account::State& account, const circle::Vault& vault, const Terms& terms)
      : account_(account),
        vault_(vault),
        chain_(account.replica.chain(vault.id)),
        notes_(read_loss_notes(account.home, vault.id)),
        terms_(terms) {}

  Result<std::vector<Account::Loss>> find(DropCount& count) {
    for (const TakenRecord& taken : taken_records(chain_))
      if (const auto it = chain_.state.forgotten.find(taken.record->tip.n);
          it != chain_.state.forgotten.end())
        ++at(it->second).snapshots;
    TRY(find_dropped(count));
    for (const auto& [n, lost] : TRY(left_out_lists(account_, vault_)))
      if (lost.packs > 0 || (lost.unread > 0 && recent(n))) {
        at(n).unlisted = lost.packs;
        at(n).unread = lost.unread;
      }
    std::vector<Account::Loss> all;
    for (auto& [n, loss] : losses_) all.push_back(std::move(loss));
    return all;
  }

 private:
  bool recent(std::uint64_t n) const {
    const SeenLosses* const when = seen(notes_, n);
    return when != nullptr &&
           account_.clock.now() - when->seen_ms < std::max(terms_.grace_ms, kLeastToldMs);
  }
  Result<void> find_dropped(DropCount& count) {
    const std::set<std::uint64_t> settled(notes_.settled.begin(), notes_.settled.end());
    std::map<std::uint64_t, std::vector<PackId>> dropped;
    for (const auto& [pack, since] : chain_.state.dropped)
      if (!settled.contains(since)) dropped[since].push_back(pack);
    std::vector<std::uint64_t> empty;
    for (const auto& [n, packs] : dropped) {
      const bool rekeyed = std::holds_alternative<circle::Rekeyed>(chain_.records[n - 1].act);
      const std::uint64_t left = TRY(count.of(packs, recent(n), rekeyed));
      if (left > 0)
        at(n).packs = left;
      else
        empty.push_back(n);
    }
    return settle_drops(account_.home, vault_.id, empty);
  }
  Account::Loss& at(std::uint64_t n) {
    const auto [it, first] = losses_.try_emplace(n);
    Account::Loss& loss = it->second;
    if (!first) return loss;
    const LinkedRecord& record = chain_.records[n - 1];
    const circle::Device* const device = account_.circle().device(record.signer);
    loss.vault = vault_.name;
    loss.n = n;
    loss.time_ms = record.time_ms;
    loss.signer = record.signer;
    loss.device = device != nullptr ? device->info.name : "?";
    loss.recent = recent(n);
    const SeenLosses* const when = seen(notes_, n);
    if (terms_.deletes)
      loss.kept_until_ms = (when != nullptr ? when->before_ms : 0) + terms_.grace_ms;
    return loss;
  }

  Account::State& account_;
  const circle::Vault& vault_;
  const Chain& chain_;
  const LossNotes notes_;
  const Terms terms_;
  std::map<std::uint64_t, Account::Loss> losses_;
};

bool may_have_lost(Account::State& account, const circle::Vault& vault) {
  const circle::VaultState& state = account.replica.chain(vault.id).state;
  return !state.forgotten.empty() || !state.dropped.empty() ||
         !read_loss_notes(account.home, vault.id).fewer.empty();
}

}  // namespace

Result<std::vector<Account::Loss>> Account::losses() {
  std::vector<Loss> all;
  std::optional<Terms> terms;
  DropCount count(*state_);
  for (const circle::Vault& vault : circle().vaults()) {
    if (!may_have_lost(*state_, vault)) continue;
    if (!terms) terms = TRY(terms_of(state_->replica.session()));
    auto found = TRY(VaultLosses(*state_, vault, *terms).find(count));
    std::ranges::move(found, std::back_inserter(all));
  }
  return all;
}

}  // namespace holdfast::vault
