#include "archive/restore.h"

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
  SnapshotListing(VaultData data, const archive::Snapshot& snapshot, std::string_view top,
                  unsigned depth)
      : data_(std::move(data)),
        chunks_(data_.cache, data_.access, data_.catalog),
        snapshot_(snapshot),
        top_(split(top)),
        depth_(depth) {}

  Result<std::optional<Account::PathEntry>> next() override {
    TRY(open());
    auto entry = TRY(entries_->next());
    return give(std::move(entry));
  }

  Result<std::optional<Account::PathEntry>> next_match(const archive::Glob& glob) override {
    TRY(open());
    if (!ahead_) ahead_.emplace(chunks_, data_.access, snapshot_.tree);
    auto entry = TRY(entries_->next_of([&](const std::string& path) {
      ahead_->is_at(entries_->offset());
      return glob.matches_itself(path);
    }));
    return give(std::move(entry));
  }

 private:
  Result<void> open() {
    if (entries_) return Ok{};
    entries_.emplace(TRY(archive::EntryReader::of(chunks_, data_.access, snapshot_)));
    return top_.empty() ? Result<void>(Ok{}) : entries_->seek(top_);
  }
  Result<std::optional<Account::PathEntry>> give(std::optional<archive::Entry> entry) {
    const std::vector<Bytes>& path = entries_->path();
    const bool below =
        entry && path.size() >= top_.size() && std::equal(top_.begin(), top_.end(), path.begin());
    if (!below) return std::optional<Account::PathEntry>{};
    Account::PathEntry given{archive::path_text(path), std::move(*entry)};
    if (depth_ != 0 && path.size() - top_.size() >= depth_) TRY(entries_->skip_inside());
    return std::optional(std::move(given));
  }

  VaultData data_;
  archive::ChunkReader chunks_;
  const archive::Snapshot snapshot_;
  const std::vector<Bytes> top_;
  const unsigned depth_;
  std::optional<archive::EntryReader> entries_;
  std::optional<archive::ReadAhead> ahead_;
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
                                                        const SnapshotInfo& snapshot,
                                                        const std::string& top, unsigned depth) {
  archive::Findings findings;
  auto data = TRY(open_vault(*state_, vault, findings));
  return std::unique_ptr<Listing>(
      std::make_unique<SnapshotListing>(std::move(data), snapshot.root, top, depth));
}

Result<void> Account::cat(const std::string& vault, const SnapshotInfo& snapshot,
                          const std::string& path, int fd) {
  archive::Findings findings;
  VaultData data = TRY(open_vault(*state_, vault, findings));
  archive::ChunkReader chunks(data.cache, data.access, data.catalog);
  archive::EntryReader entries = TRY(archive::EntryReader::of(chunks, data.access, snapshot.root));
  const std::vector<Bytes> wanted = split(path);
  TRY(entries.seek(wanted));
  auto entry = TRY(entries.next());
  if (!entry || entries.path() != wanted)
    return Error{Code::kNotFound, "the snapshot has no file " + path};
  if (entry->kind != archive::EntryKind::kFile)
    return Error{Code::kInvalid, path + " is not a regular file"};
  archive::ContentReader content(chunks, data.access, entry->content, archive::ChunkType::kData);
  while (auto piece = TRY(content.next())) {
    TRY(write_all(fd, piece->data, "the output"));
    TRY(write_zeros(fd, piece->hole, "the output"));
  }
  return Ok{};
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
