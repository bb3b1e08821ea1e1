// Sealed objects that are read often (indexes, names, snapshots), kept in a local folder.
#pragma once

#include <optional>
#include <string>

#include "api/doors.h"
#include "base/result.h"

namespace holdfast::archive {

// What it keeps is ciphertext; a file there that is not what its name says is fetched again.
class PackCache {
 public:
  // An empty folder name keeps nothing.
  PackCache(api::Session& session, std::string folder)
      : session_(session), folder_(std::move(folder)) {}
  // Checked against its name: kCorrupt when the store's bytes are others.
  Result<Bytes> get_named(const PackId& id);
  // Straight from the store and not checked, for packs whose seal is opened next.
  Result<Bytes> get_sealed(const PackId& id) { return session_.get_pack(id); }
  void keep(const PackId& id, BytesView sealed);
  bool has(const PackId& id) const { return local(id).has_value(); }
  // Puts into the store what it lost and this cache has; false: it has not.
  Result<bool> give_back(const PackId& id);
  api::Session& session() { return session_; }
  const std::string& folder() const { return folder_; }

 private:
  std::optional<Bytes> local(const PackId& id) const;

  api::Session& session_;
  std::string folder_;
};

}  // namespace holdfast::archive
