#include "archive/restore.h"

#include "archive/reader.h"
#include "base/file.h"
#include "vault/vault_data.h"

namespace holdfast::vault {
namespace {

std::vector<Bytes> split(std::string_view path) {
  std::vector<Bytes> names;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    if (!name.empty() && name != ".") names.push_back(to_bytes(as_bytes(name)));
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  }
  return names;
}

// Owns everything its cursor reads from.
class SnapshotListing final : public Account::Listing {
 public:
  SnapshotListing(VaultData data, const archive::Content& tree)
      : data_(std::move(data)),
        chunks_(data_.cache, data_.access, data_.catalog),
        entries_(chunks_, data_.access, tree) {}

  Result<std::optional<Account::PathEntry>> next() override {
    auto entry = TRY(entries_.next());
    if (!entry) return std::optional<Account::PathEntry>{};
    return std::optional<Account::PathEntry>{
        {archive::path_text(entries_.path()), std::move(*entry)}};
  }

 private:
  VaultData data_;
  archive::ChunkReader chunks_;
  archive::EntryReader entries_;
};

Result<void> write_zeros(int fd, std::uint64_t count, std::string_view name) {
  static const Bytes kZeros(64 * 1024);
  while (count > 0) {
    const std::uint64_t n = std::min<std::uint64_t>(count, kZeros.size());
    TRY(write_all(fd, BytesView(kZeros).first(n), name));
    count -= n;
  }
  return Ok{};
}

}  // namespace

Result<std::unique_ptr<Account::Listing>> Account::list(const std::string& vault,
                                                        const SnapshotInfo& snapshot) {
  archive::Findings findings;
  auto data = TRY(open_vault(*state_, vault, findings));
  return std::unique_ptr<Listing>(
      std::make_unique<SnapshotListing>(std::move(data), snapshot.root.tree));
}

Result<void> Account::cat(const std::string& vault, const SnapshotInfo& snapshot,
                          const std::string& path, int fd) {
  archive::Findings findings;
  VaultData data = TRY(open_vault(*state_, vault, findings));
  archive::ChunkReader chunks(data.cache, data.access, data.catalog);
  archive::EntryReader entries(chunks, data.access, snapshot.root.tree);
  const std::vector<Bytes> wanted = split(path);
  for (;;) {
    auto entry = TRY(entries.next());
    if (!entry) return Error{Code::kNotFound, "the snapshot has no file " + path};
    if (entries.path() != wanted) continue;
    if (entry->kind != archive::EntryKind::kFile)
      return Error{Code::kInvalid, path + " is not a regular file"};
    archive::ContentReader content(chunks, data.access, entry->content, archive::ChunkType::kData);
    while (auto piece = TRY(content.next())) {
      TRY(write_all(fd, piece->data, "the output"));
      TRY(write_zeros(fd, piece->hole, "the output"));
    }
    return Ok{};
  }
}

Result<Account::RestoreReport> Account::restore(const SnapshotInfo& snapshot,
                                                const RestoreOptions& options,
                                                archive::Progress& progress) {
  RestoreReport report;
  VaultData data = TRY(open_vault(*state_, options.vault, report.findings));
  progress.total_files = snapshot.root.files;
  progress.total_bytes = snapshot.root.bytes;
  const auto done = TRY(archive::restore_tree(
      data.cache, data.access, data.catalog, snapshot.root,
      {split(options.path), options.include, options.target}, progress, report.findings));
  report.files = done.files;
  report.bytes = done.bytes;
  report.skipped = done.skipped;
  return report;
}

}  // namespace holdfast::vault
