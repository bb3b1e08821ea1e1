#include "store/packs.h"

#include "crypto/hash.h"
#include "store/commit.h"
#include "store/layout.h"

namespace holdfast::store {

Packs::Packs(std::shared_ptr<Files> files, const std::string& account)
    : files_(std::move(files)), folder_(account_folder(account) + "/packs/") {}

std::string Packs::path(const PackId& pack) const {
  const std::string name = pack.hex();
  return folder_ + name.substr(0, 2) + "/" + name;
}

Result<void> Packs::put(const PackId& pack, BytesView bytes) {
  if (bytes.empty() || bytes.size() > api::kMaxPackBytes)
    return Error{Code::kInvalid, "a pack is empty or too large"};
  if (crypto::sha256(bytes).bytes != pack.bytes)
    return Error{Code::kInvalid, "a pack does not have the hash it is named by"};
  return put_named_by_hash(*files_, path(pack), bytes);
}

Result<Bytes> Packs::get(const PackId& pack) { return files_->get(path(pack), api::kMaxPackBytes); }

Result<std::vector<bool>> Packs::have(const std::vector<PackId>& packs) {
  std::vector<bool> there;
  there.reserve(packs.size());
  for (const PackId& pack : packs) {
    const auto info = files_->info(path(pack));
    if (!info.ok() && info.error().code != Code::kNotFound && info.error().code != Code::kCorrupt)
      return info.error();
    there.push_back(info.ok() && info->size > 0);
    if (!there.back()) continue;
    const Lock guard(mutex_);
    found_[pack.bytes[0]] = pack;
  }
  return there;
}

Result<void> Packs::persist_found() {
  std::map<std::uint8_t, PackId> found;
  {
    const Lock guard(mutex_);
    found = found_;
  }
  for (const auto& [folder, pack] : found) {
    const auto synced = files_->persist(path(pack));
    if (!synced.ok() && synced.error().code != Code::kNotFound) return synced;
  }
  return Ok{};
}

}  // namespace holdfast::store
