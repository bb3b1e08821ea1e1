// What is needed of packs that are mostly garbage, in new packs. docs/decisions/0016-prune.md
#pragma once

#include "archive/packer.h"
#include "archive/reach.h"
#include "vault/journal.h"
#include "vault/vault_data.h"

namespace holdfast::vault {

// A prune that is killed, or comes too late, leaves what it sent in the journal: done again, it
// does not send it twice.
class Moving {
 public:
  Moving(Account::State& account, VaultData& data, const archive::Reached& reached,
         archive::Progress& progress);

  // Packs that an earlier prune sent and nothing lists yet.
  Result<void> resume();
  // Sends every chunk of it that is needed and not moved yet, wherever else an index says that it
  // lies. The caller found the pack to be what the vault's lists say.
  Result<void> move(const archive::PackEntry& pack, const archive::PackHeader& header);
  // The new packs, which are in the store by then. Once.
  Result<archive::Catalog> finish();
  std::uint64_t stored_bytes() const { return stored_bytes_; }

 private:
  Result<void> move_frame(const archive::OpenPack& pack, std::size_t number);
  bool has_moved(const archive::PackHeader& header) const;
  archive::Packer& packer();

  VaultData& data_;
  const archive::Reached& reached_;
  archive::Progress& progress_;
  HomeJournal journal_;
  Account::State& account_;
  archive::Catalog moved_;  // outlives the packer, which adds to it
  std::optional<archive::Packer> packer_;
  std::uint64_t stored_bytes_ = 0;
};

}  // namespace holdfast::vault
