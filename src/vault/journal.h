// Packs on their way to the store, as this device wrote them down before it sent them: what a
// killed backup or reseal sent already is not sent twice.
#pragma once

#include "archive/packer.h"
#include "base/mutex.h"
#include "vault/home.h"

namespace holdfast::vault {

// New packs, or packs of the vault that were sealed again into other objects.
enum class Way { kBackup, kReseal };

// Seals what must be known into the device's own state.
class HomeJournal final : public archive::PackJournal {
 public:
  HomeJournal(Home& home, const VaultId& vault) : home_(home), vault_(vault) {}
  Result<void> add(const PackId& object, BytesView entry) override {
    const Lock lock(mutex_);
    return home_.add_journal(vault_, object, entry);
  }

 private:
  Mutex mutex_;
  Home& home_ HF_GUARDED_BY(mutex_);
  const VaultId vault_;
};

struct OnItsWay {
  PackId pack;
  archive::PackObject object;
  archive::PackHeader header;
};
// Those of one way, oldest first. What cannot be read any more only saves work, and is left out.
Result<std::vector<OnItsWay>> read_journal(const Home& home, const VaultId& vault, Way way);
// Forgets those of one way; what cannot be read goes with a backup's.
Result<void> clear_journal(Home& home, const VaultId& vault, Way way);

}  // namespace holdfast::vault
