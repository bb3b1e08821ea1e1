#include "vault/covering.h"

#include <algorithm>

#include "archive/check.h"

namespace holdfast::vault {
namespace {

// Read whole from the store for each record that moved packs: 64 MiB or so.
constexpr std::size_t kSampled = 4;

// An entry of other lists for the same object, which opens as much.
bool has_one_of(const archive::PackEntry& pack, const archive::PackObjects& objects) {
  return std::ranges::any_of(objects, [&](const archive::PackObject& object) {
    return std::ranges::any_of(pack.objects, [&](const archive::PackObject& one) {
      return archive::same_object(one, object);
    });
  });
}

std::size_t random_below(std::size_t size) {
  std::array<std::uint8_t, 8> bytes{};
  crypto::random_fill(bytes);
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return static_cast<std::size_t>(value % size);  // the slight bias does not matter here
}

class ListComparison {
 public:
  ListComparison(const archive::Catalog& before, const archive::Catalog& after,
                 const circle::VaultState& state)
      : before_(before), after_(after), state_(state) {
    for (std::uint32_t i = 0; i < before.pack_count(); ++i)
      for (const archive::PackObject& object : before.pack_at(i).objects) used_.insert(object.name);
  }

  // An index is not missed for itself: what it says of other packs is looked for with those.
  Compared run() {
    for (std::uint32_t i = 0; i < before_.pack_count(); ++i) {
      const archive::PackEntry& pack = before_.pack_at(i);
      if (archive::is_index(pack)) continue;
      const auto number = after_.pack_number(pack.id);
      const bool listed = number && (!pack.indexed || after_.pack_at(*number).indexed);
      if (listed && has_one_of(after_.pack_at(*number), pack.objects)) continue;
      if (listed && moved(pack, after_.pack_at(*number)))
        out_.moved.push_back(*number);
      else
        ++(all_dropped(pack) ? out_.dropped : out_.lost);
    }
    return std::move(out_);
  }

 private:
  // Each into an object of its own, that no other pack had.
  bool moved(const archive::PackEntry& from, const archive::PackEntry& to) {
    const archive::PackObject& object = to.objects.front();
    return from.may_be(object.kind) && !state_.dropped.contains(object.name) &&
           used_.insert(object.name).second;
  }
  bool all_dropped(const archive::PackEntry& pack) const {
    return std::ranges::all_of(pack.objects, [&](const archive::PackObject& object) {
      return state_.dropped.contains(object.name);
    });
  }

  const archive::Catalog& before_;
  const archive::Catalog& after_;
  const circle::VaultState& state_;
  std::set<PackId> used_;
  Compared out_;
};

}  // namespace

Compared compare_lists(const archive::Catalog& before, const archive::Catalog& after,
                       const circle::VaultState& state) {
  return ListComparison(before, after, state).run();
}

Result<bool> MovedPacks::are_there(archive::PackCache& cache, const archive::VaultAccess& access,
                                   const archive::Catalog& after,
                                   const std::vector<std::uint32_t>& moved) {
  std::vector<PackId> names;
  std::vector<std::uint32_t> left;
  for (const std::uint32_t number : moved) {
    if (!there_.contains(number)) names.push_back(after.pack_at(number).objects.front().name);
    if (!read_.contains(number)) left.push_back(number);
  }
  if (!TRY(archive::absent_packs(cache.session(), names)).empty()) return false;
  there_.insert(moved.begin(), moved.end());
  archive::Progress ignored;
  for (std::size_t i = 0; i < kSampled && !left.empty(); ++i) {
    std::swap(left[random_below(left.size())], left.back());
    const archive::PackEntry& pack = after.pack_at(left.back());
    const auto sound = archive::check_object(cache, access, pack, TRY(after.header(left.back())),
                                             pack.objects.front(), ignored);
    if (!sound.ok() && sound.error().code == Code::kUnavailable) return sound.error();
    if (!sound.ok()) return false;
    read_.insert(left.back());
    left.pop_back();
  }
  return true;
}

}  // namespace holdfast::vault
