#include "vault/journal.h"

namespace holdfast::vault {
namespace {

std::optional<OnItsWay> read_entry(const Home::JournalEntry& entry) {
  auto noted = wire::decode<archive::JournalPack>(entry.plain.view());
  if (!noted.ok()) return std::nullopt;
  OnItsWay out{noted->entry.pack, archive::object_of(noted->entry), std::move(noted->header)};
  crypto::wipe(noted->entry.key);
  if (out.object.name != entry.pack) return std::nullopt;
  return out;
}

Way way_of(const std::optional<OnItsWay>& entry) {
  return entry && entry->object.name != entry->pack ? Way::kReseal : Way::kBackup;
}

}  // namespace

Result<std::vector<OnItsWay>> read_journal(const Home& home, const VaultId& vault, Way way) {
  std::vector<OnItsWay> out;
  for (const Home::JournalEntry& entry : TRY(home.journal(vault)))
    if (auto read = read_entry(entry); read && way_of(read) == way) out.push_back(*std::move(read));
  return out;
}

Result<void> clear_journal(Home& home, const VaultId& vault, Way way) {
  std::vector<PackId> objects;
  for (const Home::JournalEntry& entry : TRY(home.journal(vault)))
    if (way_of(read_entry(entry)) == way) objects.push_back(entry.pack);
  return home.clear_journal(vault, objects);
}

}  // namespace holdfast::vault
