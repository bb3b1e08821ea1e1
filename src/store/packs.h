// Packs and key segments of an account.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "api/doors.h"
#include "base/mutex.h"
#include "store/files.h"

namespace holdfast::store {

// Safe from several threads and processes; takes no lock of the store.
class Packs {
 public:
  Packs(std::shared_ptr<Files> files, const std::string& account);

  Result<void> put(const PackId& pack, BytesView bytes);
  Result<Bytes> get(const PackId& pack);
  Result<std::vector<bool>> have(const std::vector<PackId>& packs);
  // Makes every pack durable that have() has found: a killed backup may have left it half-way.
  Result<void> persist_found();

 private:
  std::string path(const PackId& pack) const;

  const std::shared_ptr<Files> files_;
  const std::string folder_;
  Mutex mutex_;
  // One pack for each folder in which have() has found some. Contents are synced before a pack has
  // its name, so only the folder matters.
  std::map<std::uint8_t, PackId> found_ HF_GUARDED_BY(mutex_);
};

}  // namespace holdfast::store
