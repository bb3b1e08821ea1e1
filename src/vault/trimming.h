// The lists of a vault without some of its packs.
#pragma once

#include "vault/vault_data.h"

namespace holdfast::vault {

// An object that is this pack, and holds what the vault's lists say: found so by opening it.
using OpenedObject = std::pair<PackId, PackId>;

// Indexes and tables of keys that name what goes are written anew without it, each in its place: of
// several keys or headers the first counts. The others stay as they are. What cannot be read stays,
// too: what it holds may come back.
class Trimming {
 public:
  // `gone`: numbers in the catalog of `data`. `moved`: packs that are listed from now on.
  Trimming(VaultData& data, std::set<std::uint32_t> gone, archive::Catalog moved = {})
      : data_(data), gone_(std::move(gone)), new_(std::move(moved)) {}

  // The segments of a record to come. What it writes is in the store by then, and nothing refers to
  // it before the record does.
  Result<void> write(circle::Record& record);

  const std::set<PackId>& written() const { return written_; }
  std::uint64_t stored_bytes() const { return stored_bytes_; }
  // What the record lists no more because other lists took its place: tables, and numbers of
  // indexes.
  const std::set<PackId>& replaced_tables() const { return tables_; }
  const std::set<std::uint32_t>& replaced_indexes() const { return indexes_; }

 private:
  Result<void> write_indexes(circle::Record& record);
  Result<void> write_index(const archive::Catalog& catalog, const std::vector<std::uint32_t>& packs,
                           circle::Record& record);
  Result<std::optional<std::vector<std::uint32_t>>> what_is_left(std::uint32_t index);
  Result<void> write_tables(circle::Record& record);
  void add(const archive::WrittenSegments& written, circle::Record& record);
  bool goes(const PackId& pack) const;

  VaultData& data_;
  std::set<std::uint32_t> gone_;
  std::set<std::uint32_t> indexes_;
  std::set<PackId> tables_;
  std::set<PackId> written_;
  std::uint64_t stored_bytes_ = 0;
  archive::Catalog new_;  // what moved, and indexes written now
};

}  // namespace holdfast::vault
