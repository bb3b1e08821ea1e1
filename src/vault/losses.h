// What records took from a vault: told by losses.cpp, brought back by undo.cpp.
#pragma once

#include <algorithm>
#include <map>

#include "vault/home_format.h"
#include "vault/vault_data.h"

namespace holdfast::vault {

template <class T>
bool lists_all(const std::vector<T>& list, const std::vector<T>& wanted) {
  return std::ranges::all_of(
      wanted, [&](const T& item) { return std::ranges::find(list, item) != list.end(); });
}

// With epoch 0 for an index: under another epoch the same object is another segment.
using SegmentName = std::pair<PackId, std::uint32_t>;
inline SegmentName name_of(const circle::KeySegmentRef& ref) { return {ref.object, ref.epoch}; }
inline SegmentName name_of(const PackId& index) { return {index, 0}; }

// Which device listed each segment of a vault first.
std::map<SegmentName, ReaderId> first_listers(const Chain& chain);

// Notes that cannot be read are begun anew: everything is then told once more.
LossNotes read_loss_notes(const Home& home, const VaultId& vault);
Result<void> write_loss_notes(Home& home, const VaultId& vault, const LossNotes& notes);

// Records of the vault whose drops are not asked for again: nothing is left that an undo could
// bring back.
Result<void> settle_drops(Home& home, const VaultId& vault,
                          const std::vector<std::uint64_t>& records);

// What was listed before a record and is not any more.
struct LeftOut {
  std::uint64_t packs = 0;   // whose keys or places are listed nowhere
  std::uint64_t unread = 0;  // lists that another device made and nobody can read
};
// Of the records that leave out segments those that lost something: most wrote others in their
// place. One that could not be judged now counts, with nothing.
Result<std::map<std::uint64_t, LeftOut>> left_out_lists(Account::State& account,
                                                        const circle::Vault& vault);

}  // namespace holdfast::vault
