// Proves that a restore would work.
#include "archive/check.h"

#include "crypto/hash.h"
#include "vault/vault_data.h"

namespace holdfast::vault {
namespace {

// What is read through the cache may be gone from the store: asked for by name, not from the cache.
Result<void> check_segments(VaultData& data, archive::Findings& findings) {
  if (data.newest() == nullptr) return Ok{};
  for (const circle::KeySegmentRef& ref : data.newest()->key_segments) {
    const auto bytes = data.cache.session().get_pack(ref.object);
    if (!bytes.ok() && bytes.error().code != Code::kNotFound &&
        bytes.error().code != Code::kCorrupt)
      return bytes.error();
    const bool whole = bytes.ok() && PackId(crypto::sha256(*bytes).bytes) == ref.object;
    if (!whole)
      findings.problems.push_back({"key segment " + ref.object.hex().substr(0, 16),
                                   bytes.ok() ? "damaged in the store" : "missing in the store"});
  }
  return Ok{};
}

// Each file of it that is damaged, and whether its list of files can be read to the end.
Result<void> check_snapshot(Account::State& account, VaultData& data, const TakenRecord& taken,
                            const std::set<std::uint32_t>& damaged, Account::CheckReport& report) {
  const Digest& id = taken.record->tip.head;
  const std::string name = "snapshot " + id.hex().substr(0, 12);
  const auto info = read_snapshot(data, account.circle(), taken);
  archive::Findings files;
  const auto tree = info.ok() ? archive::check_tree(data.cache, data.access, data.catalog,
                                                    info->root, damaged, files)
                              : Result<void>(info.error());
  if (!tree.ok() && tree.error().code == Code::kUnavailable) return tree;
  for (archive::Problem& problem : files.problems) {
    report.damaged.push_back({id, problem.path});
    report.findings.problems.push_back(
        {std::move(problem.path), "in " + name + ": " + problem.reason});
  }
  if (tree.ok()) return Ok{};
  report.damaged.push_back({id});
  report.findings.problems.push_back({name, tree.error().message});
  return Ok{};
}

}  // namespace

Result<Account::CheckReport> Account::check(const std::string& vault, unsigned read_percent,
                                            archive::Progress& progress) {
  CheckReport report;
  VaultData data = TRY(open_vault(*state_, vault, report.findings));
  TRY(check_segments(data, report.findings));
  const auto packs = TRY(archive::check_packs(data.cache, data.access, data.catalog, read_percent,
                                              progress, report.findings));
  report.packs = data.catalog.pack_count();
  report.packs_read = packs.read;
  report.bytes_read = packs.bytes;
  for (const TakenRecord& taken : shown_records(*data.chain)) {
    ++report.snapshots;
    TRY(check_snapshot(*state_, data, taken, packs.damaged, report));
  }
  return report;
}

}  // namespace holdfast::vault
