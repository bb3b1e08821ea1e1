#include "vault/gathering.h"

#include <set>

#include "vault/losses.h"

namespace holdfast::vault {
namespace {

// Of the segments that may be anything, so many of each sort are listed again, and so many looked
// at: the others keep their place, and backups have room to go on.
constexpr std::size_t kMostDoubtful = 256;
constexpr std::size_t kMostTried = 1024;

using circle::LinkedRecord;

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
  // For an undo of what `suspect` did.
  Gathering(Account::State& account, const Chain& chain, const ReaderId& suspect)
      : account_(account), chain_(chain), suspect_(suspect), listers_(first_listers(chain)) {}
  void add(const LinkedRecord& record) {
    for (const T& item : list_of<T>(record))
      if (known_.insert(name_of(item)).second) all_.push_back(item);
  }
  // What was added so far is from before.
  void mark_base() { base_ = all_.size(); }

  // What is from before stays, as does what devices of the account brought; theirs comes first. Not
  // what a rekey replaced and nobody has any more: it would be missed at every backup.
  Result<std::vector<T>> sound(const archive::PackCache& cache) const {
    std::vector<T> out;
    std::vector<PackId> replaced;
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (i >= base_ && !trusted(all_[i])) continue;
      out.push_back(all_[i]);
      if (const PackId name = name_of(all_[i]).first; rekeyed(name) && !cache.has(name))
        replaced.push_back(name);
    }
    const auto missing = TRY(archive::absent_packs(account_.replica.session(), replaced));
    const std::set<PackId> gone(missing.begin(), missing.end());
    std::erase_if(out, [&](const T& item) { return gone.contains(name_of(item).first); });
    std::ranges::stable_partition(out, [&](const T& item) { return trusted(item); });
    return out;
  }
  // Of a device that was taken out, or made what is undone, it may be anything: only what the store
  // has. Those of the latter come last.
  Result<std::vector<T>> doubtful() const {
    std::vector<T> out;
    std::vector<PackId> asked;
    for (std::size_t i = base_; i < all_.size(); ++i)
      if (!trusted(all_[i])) out.push_back(all_[i]);
    for (const T& item : out) asked.push_back(name_of(item).first);
    const auto missing = TRY(archive::absent_packs(account_.replica.session(), asked));
    const std::set<PackId> absent(missing.begin(), missing.end());
    std::erase_if(out, [&](const T& item) { return absent.contains(name_of(item).first); });
    std::ranges::stable_partition(
        out, [&](const T& item) { return listers_.at(name_of(item)) != suspect_; });
    return out;
  }
  std::size_t size() const { return all_.size(); }

 private:
  bool trusted(const T& item) const {
    const ReaderId& by = listers_.at(name_of(item));
    return by != suspect_ && account_.circle().member(by) != nullptr;
  }
  bool rekeyed(const PackId& name) const {
    const auto since = chain_.state.dropped.find(name);
    return since != chain_.state.dropped.end() &&
           std::holds_alternative<circle::Rekeyed>(chain_.records[since->second - 1].act);
  }

  Account::State& account_;
  const Chain& chain_;
  const ReaderId suspect_;
  const std::map<SegmentName, ReaderId> listers_;
  std::vector<T> all_;
  std::set<SegmentName> known_;  // of them
  std::size_t base_ = 0;
};

// Adds to `out` those that are of use, as far as there is place; the store may hold noise under
// their names. Returns how many found no place.
template <class T, class OfUse>
std::uint64_t add_doubtful(std::vector<T>& out, const std::vector<T>& doubtful, OfUse of_use) {
  std::size_t added = 0;
  std::size_t tried = 0;
  for (const T& item : doubtful) {
    if (added == kMostDoubtful || tried == kMostTried || out.size() >= circle::kMaxSegments) break;
    ++tried;
    if (!of_use(item)) continue;
    out.push_back(item);
    ++added;
  }
  return doubtful.size() - tried;
}

class SegmentSearch {
 public:
  static Result<SegmentSearch> open(Account::State& account, const circle::Vault& vault) {
    return SegmentSearch{account, vault, TRY(account.replica.access(vault))};
  }

  Result<Segments> since(std::uint64_t n, const ReaderId& suspect) {
    const Chain& chain = account_.replica.chain(vault_.id);
    Gathering<circle::KeySegmentRef> keys(account_, chain, suspect);
    Gathering<PackId> indexes(account_, chain, suspect);
    const auto add = [&](const LinkedRecord& record) {
      keys.add(record);
      indexes.add(record);
    };
    if (n >= 2) add(chain.records[n - 2]);
    keys.mark_base();
    indexes.mark_base();
    for (const auto& [lossy, lost] : TRY(left_out_lists(account_, vault_)))
      if (lossy > n) add(chain.records[lossy - 2]);
    add(chain.records.back());
    Segments out;
    TRY(find_keys(keys, out));
    TRY(find_indexes(indexes, out));
    return out;
  }

 private:
  SegmentSearch(Account::State& account, const circle::Vault& vault, archive::VaultAccess access)
      : account_(account),
        vault_(vault),
        access_(std::move(access)),
        cache_(account.replica.session(), account.home.cache_folder()) {}

  Result<void> find_keys(const Gathering<circle::KeySegmentRef>& all, Segments& out) {
    const auto doubtful = TRY(all.doubtful());
    out.keys = TRY(all.sound(cache_));
    out.left_out += all.size() - out.keys.size() - doubtful.size() + cut(out.keys);
    out.sound_keys = out.keys.size();
    out.left_out += add_doubtful(out.keys, doubtful, [&](const circle::KeySegmentRef& ref) {
      const auto opened = archive::check_key_segment(cache_, access_, {ref.object, ref.epoch});
      if (!opened.ok() && opened.error().code != Code::kInvalid) ++out.left_out;
      return opened.ok();
    });
    return Ok{};
  }
  // One without a key is noise, or its key was left out.
  Result<void> find_indexes(const Gathering<PackId>& all, Segments& out) {
    auto doubtful = TRY(all.doubtful());
    out.indexes = TRY(all.sound(cache_));
    out.left_out += all.size() - out.indexes.size() - doubtful.size() + cut(out.indexes);
    const std::size_t tried = std::min(doubtful.size(), kMostTried);
    archive::Findings ignored;
    const auto catalog = TRY(archive::Catalog::load(
        cache_, access_, refs_of(out.keys, out.keys.size()),
        {doubtful.begin(), doubtful.begin() + static_cast<std::ptrdiff_t>(tried)}, ignored,
        archive::Rebuild::kNo));
    out.left_out +=
        add_doubtful(out.indexes, doubtful, [&](const PackId& id) { return catalog.has_read(id); });
    return Ok{};
  }
  // Returns how many that is too many.
  template <class T>
  static std::uint64_t cut(std::vector<T>& list) {
    const std::size_t size = list.size();
    list.resize(std::min(size, circle::kMaxSegments));
    return size - list.size();
  }

  Account::State& account_;
  const circle::Vault& vault_;
  archive::VaultAccess access_;
  archive::PackCache cache_;
};

}  // namespace

std::vector<archive::SegmentRef> refs_of(const std::vector<circle::KeySegmentRef>& keys,
                                         std::size_t count) {
  std::vector<archive::SegmentRef> refs;
  refs.reserve(count);
  for (std::size_t i = 0; i < count; ++i) refs.push_back({keys[i].object, keys[i].epoch});
  return refs;
}

Result<Segments> gather_segments(Account::State& account, const circle::Vault& vault,
                                 std::uint64_t n, const ReaderId& suspect) {
  auto search = TRY(SegmentSearch::open(account, vault));
  return search.since(n, suspect);
}

}  // namespace holdfast::vault
