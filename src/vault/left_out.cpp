// Judges records that leave out segments of keys or places. docs/decisions/0013-undo.md
#include "vault/covering.h"
#include "vault/losses.h"

#include <ranges>
#include <set>
#include <span>

namespace holdfast::vault {
namespace {

// From either end of the records that are to be judged, until so many have lost something: the
// person is told by then, and somebody may write many.
constexpr unsigned kJudged = 16;

using circle::LinkedRecord;

class ListJudge {
 public:
  static Result<ListJudge> open(Account::State& account, const circle::Vault& vault) {
    ListJudge judge(account, vault);
    // A store that does not answer must not look like a record that lists what is not there.
    TRY(judge.cache_.session().have_packs({}));
    judge.access_ = TRY(account.replica.access(vault));
    judge.newest_ = TRY(judge.listed(judge.chain_.records.back()));
    return judge;
  }

  // nullopt: all is there.
  Result<std::optional<LeftOut>> judge(std::uint64_t n) {
    const auto before = TRY(listed(chain_.records[n - 2]));
    const Compared compared = compare_lists(before, *newest_, chain_.state);
    LeftOut out{compared.lost, 0};
    // If one is not where it should be, none is believed to be.
    if (!TRY(are_found(compared.moved, chain_.records[n - 1]))) out.packs += compared.moved.size();
    for (const archive::UnreadSegment& segment : before.unread()) {
      if (segment.why == Code::kUnavailable)
        return Error{Code::kUnavailable, "the store does not give a list of the vault now"};
      if (may_have_held(segment, chain_.records[n - 1])) ++out.unread;
    }
    if (out.packs + compared.dropped + out.unread == 0) return std::optional<LeftOut>();
    return std::optional(out);
  }

 private:
  ListJudge(Account::State& account, const circle::Vault& vault)
      : account_(account),
        chain_(account.replica.chain(vault.id)),
        listers_(first_listers(chain_)),
        cache_(account.replica.session(), account.home.cache_folder()) {
    const LinkedRecord& newest = chain_.records.back();
    for (const auto& ref : newest.key_segments) still_listed_.insert(name_of(ref));
    for (const PackId& id : newest.index_segments) still_listed_.insert(name_of(id));
  }

  Result<archive::Catalog> listed(const LinkedRecord& record) {
    archive::Findings ignored;
    return archive::Catalog::load(cache_, *access_, segment_refs(record), record.index_segments,
                                  ignored, archive::Rebuild::kNo);
  }
  // Of each record some are read, what a later one moved among them: an honest record before it
  // vouches for nothing. This device's own it need not read.
  Result<bool> are_found(const std::vector<std::uint32_t>& moved, const LinkedRecord& record) {
    if (moved.empty() || record.signer == account_.replica.self()) return true;
    return moved_.are_there(cache_, *access_, *newest_, moved);
  }
  // Of noise, of what its own writer left out again, and of what devices brought that are out,
  // nobody is told: it would be whoever undid that.
  bool may_have_held(const archive::UnreadSegment& segment, const LinkedRecord& left_out) const {
    const SegmentName name(segment.segment.object, segment.segment.epoch);
    if (segment.why == Code::kInvalid || still_listed_.contains(name)) return false;
    const ReaderId& by = listers_.at(name);
    return by != left_out.signer && account_.circle().member(by) != nullptr;
  }

  Account::State& account_;
  const Chain& chain_;
  std::map<SegmentName, ReaderId> listers_;
  archive::PackCache cache_;
  std::set<SegmentName> still_listed_;
  std::optional<archive::VaultAccess> access_;
  std::optional<archive::Catalog> newest_;
  MovedPacks moved_;
};

// In this order, until kJudged of them have lost something; returns how many were judged.
template <class Records>
std::size_t judge_some(ListJudge& judge, const Records& records,
                       std::map<std::uint64_t, LeftOut>& lossy) {
  unsigned stay = 0;
  std::size_t judged = 0;
  for (const std::uint64_t n : records) {
    if (stay == kJudged) break;
    ++judged;
    const auto found = judge.judge(n);
    if (found.ok() && !*found) {
      lossy.erase(n);
      continue;
    }
    if (found.ok()) lossy[n] = **found;
    ++stay;
  }
  return judged;
}

}  // namespace

std::map<SegmentName, ReaderId> first_listers(const Chain& chain) {
  std::map<SegmentName, ReaderId> first;
  for (const LinkedRecord& record : chain.records) {
    for (const auto& ref : record.key_segments) first.try_emplace(name_of(ref), record.signer);
    for (const PackId& id : record.index_segments) first.try_emplace(name_of(id), record.signer);
  }
  return first;
}

// One after which all is there is not looked at again.
Result<std::map<std::uint64_t, LeftOut>> left_out_lists(Account::State& account,
                                                        const circle::Vault& vault) {
  std::map<std::uint64_t, LeftOut> lossy;
  LossNotes notes = read_loss_notes(account.home, vault.id);
  const std::size_t records = account.replica.chain(vault.id).records.size();
  for (const std::uint64_t n : notes.fewer)
    if (n >= 2 && n <= records) lossy[n];
  if (lossy.empty()) return lossy;
  auto judge = ListJudge::open(account, vault);
  if (!judge.ok()) return lossy;
  std::vector<std::uint64_t> asked;
  for (const auto& [n, lost] : lossy) asked.push_back(n);
  const std::size_t judged = judge_some(*judge, asked, lossy);
  judge_some(*judge, std::views::reverse(std::span(asked).subspan(judged)), lossy);
  if (lossy.size() == asked.size()) return lossy;
  std::erase_if(notes.fewer, [&](std::uint64_t n) { return !lossy.contains(n); });
  TRY(write_loss_notes(account.home, vault.id, notes));
  return lossy;
}

}  // namespace holdfast::vault
