// The segments that a vault needs again after an undo.
#pragma once

#include "vault/vault_data.h"

namespace holdfast::vault {

struct Segments {
  std::vector<circle::KeySegmentRef> keys;
  std::vector<PackId> indexes;
  std::size_t sound_keys = 0;  // the first ones, which are not doubtful
  std::uint64_t left_out = 0;  // that the newest record lists, perhaps
};

// The first `count` of them.
std::vector<archive::SegmentRef> refs_of(const std::vector<circle::KeySegmentRef>& keys,
                                         std::size_t count);

// Of the record before `n` (0: of none), of those before each later one that lost some, and of the
// newest. Of what `suspect` brought, or a device that is out, only what is of use.
Result<Segments> gather_segments(Account::State& account, const circle::Vault& vault,
                                 std::uint64_t n, const ReaderId& suspect);

}  // namespace holdfast::vault
