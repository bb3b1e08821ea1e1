#include "archive/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "archive/entries.h"
#include "archive/manifest.h"

namespace holdfast::archive {
namespace {

constexpr std::size_t kReadSize = 1024 * 1024;
constexpr std::uint64_t kSmallHole = 64 * 1024;     // shorter ones are read as the zeros they are
constexpr std::int64_t kTickNs = 20 * 1000 * 1000;  // of a file system's clock, and some more
constexpr std::int64_t kSettledSeconds = 2;

FileTime time_of(const struct timespec& time) {
  return {time.tv_sec, static_cast<std::uint32_t>(time.tv_nsec)};
}
FileTime time_of(const statx_timestamp& time) { return {time.tv_sec, time.tv_nsec}; }

bool same_times(const Entry& entry, const Status& status) {
  return entry.mtime == time_of(status.stx_mtime) && entry.ctime == time_of(status.stx_ctime);
}

// Whoever changes anything of a file, its extended attributes or a symlink's target too, changes
// its ctime.
bool same_attributes(const Entry& known, const Found& found, Accounts& accounts) {
  const Status& status = found.status;
  const bool sized = known.kind == EntryKind::kFile;
  return known.kind == found.kind && same_times(known, status) && known.inode == status.stx_ino &&
         known.device == device_of(status) && known.mode == (status.stx_mode & 07777U) &&
         known.uid == status.stx_uid && known.gid == status.stx_gid &&
         known.links == status.stx_nlink && (!sized || known.size == status.stx_size) &&
         known.user == accounts.user(known.uid) && known.group == accounts.group(known.gid);
}

bool describes(const Entry& entry, const struct stat& status) {
  return entry.inode == status.st_ino && entry.size == static_cast<std::uint64_t>(status.st_size) &&
         entry.mtime == time_of(status.st_mtim) && entry.ctime == time_of(status.st_ctim);
}

bool same_state(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && time_of(a.st_mtim) == time_of(b.st_mtim) &&
         time_of(a.st_ctim) == time_of(b.st_ctim);
}

bool same_state(const Entry& a, const Entry& b) {
  return a.kind == b.kind && a.size == b.size && a.mtime == b.mtime && a.ctime == b.ctime &&
         a.inode == b.inode;
}

// A file that was changed within this tick could change again and look the same to the next
// backup: its contents are read once the tick is over.
void outwait_tick(const struct stat& status) {
  struct timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t seconds = now.tv_sec - status.st_ctim.tv_sec;
  if (seconds < 0 || seconds > 1) return;
  const std::int64_t age = seconds * 1'000'000'000 + now.tv_nsec - status.st_ctim.tv_nsec;
  if (age < 0 || age >= kTickNs) return;
  const struct timespec rest{0, kTickNs - age};
  ::nanosleep(&rest, nullptr);
}

// Invalid with errno set. Never follows a symlink and never waits for a FIFO put in its place.
Fd open_to_read(const Fd& parent, const Bytes& name) {
  const std::string text(as_text(name));
  const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  Fd fd(::openat(parent.get(), text.c_str(), flags | O_NOATIME));
  if (fd.valid() || errno != EPERM) return fd;  // EPERM: not the owner
  return Fd(::openat(parent.get(), text.c_str(), flags));
}

// The entries of the previous manifest, asked for in manifest order.
class Previous {
 public:
  Previous(ChunkReader& chunks, const VaultAccess& access, const Content* tree) {
    if (tree != nullptr) reader_.emplace(chunks, access, *tree);
    advance();
  }
  // Valid until the next call.
  const Entry* find(const std::vector<Bytes>& path) {
    while (entry_ && reader_->path() < path) advance();
    return entry_ && reader_->path() == path ? &*entry_ : nullptr;
  }
  // As it was encoded, of what find() gave.
  BytesView raw() const { return reader_->raw(); }
  const std::optional<Error>& error() const { return error_; }

 private:
  void advance() {
    entry_.reset();
    if (!reader_) return;
    auto next = reader_->next();
    if (next.ok())
      entry_ = std::move(next).value();
    else
      error_ = next.error();
  }

  std::optional<EntryReader> reader_;
  std::optional<Entry> entry_;
  std::optional<Error> error_;
};

class TreeWriter {
 public:
  TreeWriter(PackCache& cache, const VaultAccess& access, Catalog& catalog, PackJournal& journal,
             BackupInput input, Progress& progress)
      : access_(access),
        catalog_(catalog),
        input_(std::move(input)),
        progress_(progress),
        chunks_(cache, access, catalog),
        previous_(chunks_, access, input_.previous_tree),
        chunker_(*access.cutting),
        packer_(cache, access, catalog, journal, progress,
                input_.dry_run ? Storing::kNo : Storing::kYes),
        content_(packer_, chunker_, ChunkType::kData),
        manifest_(packer_, chunker_) {}

  Result<TreeReport> run();
  Findings& findings() { return findings_; }

 private:
  enum class Fate { kKept, kLeftOut };
  struct Copied {
    Content content;
    std::uint64_t size = 0;
    int error = 0;  // of the file; the store's failures are errors
  };

  Result<void> add(const Found& found);
  Result<bool> repeat(const Entry& known, const Found& found);
  Result<Fate> take_content(const Found& found, Entry& entry, const Entry* known);
  Result<Fate> read_content(const Found& found, Entry& entry);
  Result<Copied> copy(int fd, const struct stat& status);
  bool settled(const Entry& known) const {
    return known.ctime.seconds < input_.previous_started_ms / 1000 - kSettledSeconds;
  }
  bool whole(const Entry& known);
  void count(const Entry& entry);
  Fate leave_out(const Found& found, const Error& error);

  const VaultAccess& access_;
  const Catalog& catalog_;
  BackupInput input_;
  Progress& progress_;
  ChunkReader chunks_;
  Previous previous_;
  Chunker chunker_;
  Packer packer_;
  ContentWriter content_;
  ManifestWriter manifest_;
  Findings findings_;
  Accounts accounts_;
  Snapshot root_;
  std::vector<Bytes> path_;
  struct Linked {
    Content content;
    std::uint64_t size = 0;
    FileTime mtime, ctime;  // as the first of its names was found
    std::uint64_t seen_size = 0;
  };
  std::map<std::pair<std::uint64_t, std::uint64_t>, Linked> linked_;  // by device and inode
};

Result<TreeReport> TreeWriter::run() {
  if (input_.walker.roots().size() > 4096)
    return Error{Code::kInvalid, "a backup takes at most 4096 paths"};
  for (const std::string& root : input_.walker.roots())
    root_.roots.push_back(to_bytes(as_bytes(root)));
  {
    WalkAhead walk(input_.walker);
    while (const auto found = walk.next()) TRY(add(*found));
  }
  if (previous_.error())
    findings_.notes.push_back({"the snapshot before this one",
                               previous_.error()->message + "; files after that were read anew"});
  TreeReport report;
  TRY(manifest_.finish(root_));
  report.new_packs = TRY(packer_.finish());
  report.new_bytes = packer_.new_bytes();
  report.stored_bytes = packer_.stored_bytes();
  Findings& walked = input_.walker.findings();
  std::move(walked.problems.begin(), walked.problems.end(), std::back_inserter(findings_.problems));
  std::move(walked.notes.begin(), walked.notes.end(), std::back_inserter(findings_.notes));
  walked = {};
  root_.started_ms = input_.started_ms;
  root_.device = input_.device;
  root_.problems = findings_.problems.size();
  if (input_.dry_run) root_.tree = root_.guide = {};
  report.root = std::move(root_);
  return report;
}

Result<void> TreeWriter::add(const Found& found) {
  path_.resize(found.depth);
  path_.push_back(found.name);
  const Entry* const known = previous_.find(path_);
  if (known != nullptr && TRY(repeat(*known, found))) return Ok{};
  const std::size_t told = findings_.notes.size();
  auto entry = describe(found, accounts_, findings_);
  if (!entry) return Ok{};
  bool lost = findings_.notes.size() > told;
  if (found.kind == EntryKind::kFile && TRY(take_content(found, *entry, known)) == Fate::kLeftOut)
    return Ok{};
  Bytes encoded = wire::encode(*entry);
  if (encoded.size() > kMaxEntry) {
    entry->xattrs.clear();
    lost = true;
    findings_.problems.push_back({found.path, "its extended attributes are too large to be saved"});
  }
  // So that no later backup repeats it: each tries again, and tells.
  if (lost) entry->ctime = {};
  if (lost) encoded = wire::encode(*entry);
  count(*entry);
  return manifest_.write(path_, encoded);
}

// Writes once more what the previous snapshot says of it, where nothing of it has changed; false:
// it is to be read. A change in the same tick of the clock as the one before it leaves no trace in
// the times: what was changed just before the previous snapshot, or during it, is read again.
Result<bool> TreeWriter::repeat(const Entry& known, const Found& found) {
  if (!settled(known)) return false;
  if (!same_attributes(known, found, accounts_)) return false;
  if (known.kind == EntryKind::kFile) {
    if (known.links > 1 || !whole(known)) return false;
    progress_.bytes += known.size;
  }
  count(known);
  TRY(manifest_.write(path_, previous_.raw()));
  return true;
}

void TreeWriter::count(const Entry& entry) {
  if (entry.kind == EntryKind::kDirectory) {
    ++root_.directories;
  } else if (entry.kind == EntryKind::kFile) {
    ++root_.files;
    root_.bytes += entry.size;
    ++progress_.files;
  } else {
    ++root_.others;
  }
}

Result<TreeWriter::Fate> TreeWriter::take_content(const Found& found, Entry& entry,
                                                  const Entry* known) {
  const std::pair file(entry.device, entry.inode);
  // The number of a file that is gone is soon another's.
  if (const auto seen = linked_.find(file);
      entry.links > 1 && seen != linked_.end() && seen->second.mtime == entry.mtime &&
      seen->second.ctime == entry.ctime && seen->second.seen_size == entry.size) {
    entry.content = seen->second.content;
    entry.size = seen->second.size;
    progress_.bytes += entry.size;
    return Fate::kKept;
  }
  // Contents are read when a tick of nanoseconds is over. Where the file system's are seconds, two
  // changes may look like one.
  const bool told_apart = known != nullptr && (known->ctime.nanoseconds != 0 || settled(*known));
  const Linked seen{{}, 0, entry.mtime, entry.ctime, entry.size};
  if (told_apart && same_state(*known, entry) && whole(*known)) {
    entry.content = known->content;
    progress_.bytes += entry.size;
  } else if (TRY(read_content(found, entry)) == Fate::kLeftOut) {
    return Fate::kLeftOut;
  }
  if (entry.links > 1) {
    Linked& linked = linked_[file] = seen;
    linked.content = entry.content;
    linked.size = entry.size;
  }
  return Fate::kKept;
}

// Everything that the previous snapshot says of the file is still in the vault.
bool TreeWriter::whole(const Entry& known) {
  ExtentReader extents(chunks_, access_, known.content);
  std::uint64_t size = 0;
  for (;;) {
    const auto extent = extents.next();
    if (!extent.ok()) return false;
    if (!*extent) return size == known.size;
    size += (*extent)->length;
    if (!(*extent)->chunk) continue;
    const auto place = catalog_.find(*(*extent)->chunk);
    if (!place || place->type != ChunkType::kData || place->length != (*extent)->length)
      return false;
  }
}

TreeWriter::Fate TreeWriter::leave_out(const Found& found, const Error& error) {
  if (error.code == Code::kNotFound)
    findings_.notes.push_back({found.path, "it was removed during the backup"});
  else
    findings_.problems.push_back({found.path, error.message});
  return Fate::kLeftOut;
}

Result<TreeWriter::Fate> TreeWriter::read_content(const Found& found, Entry& entry) {
  for (int attempt = 0;; ++attempt) {
    const bool last = attempt == 1;
    const Fd fd = open_to_read(*found.parent, entry.name);
    if (!fd.valid()) {
      if (errno == ENOENT) return leave_out(found, {Code::kNotFound, {}});
      if (errno == ELOOP)
        return leave_out(found, {Code::kInvalid, "it became a symlink meanwhile"});
      return leave_out(found, io_error("open", found.path, errno));
    }
    struct stat before{};
    if (::fstat(fd.get(), &before) != 0)
      return leave_out(found, io_error("read", found.path, errno));
    if (!S_ISREG(before.st_mode))
      return leave_out(found, {Code::kInvalid, "it is no longer a regular file"});
    if (!describes(entry, before)) {
      auto again = read_entry(*found.parent, entry.name, entry.depth);
      if (!again.ok()) return leave_out(found, again.error());
      if (again->kind != EntryKind::kFile || again->inode != before.st_ino) {
        if (last) return leave_out(found, {Code::kConflict, "it is replaced again and again"});
        continue;
      }
      entry = std::move(again).value();
    }
    outwait_tick(before);
    Copied copied = TRY(copy(fd.get(), before));
    if (copied.error != 0) return leave_out(found, io_error("read", found.path, copied.error));
    entry.content = std::move(copied.content);
    entry.size = copied.size;
    struct stat after{};
    if (::fstat(fd.get(), &after) == 0 && same_state(before, after)) return Fate::kKept;
    if (!last) continue;
    findings_.notes.push_back({found.path, "it changed while it was read"});
    return Fate::kKept;
  }
}

Result<TreeWriter::Copied> TreeWriter::copy(int fd, const struct stat& status) {
  const auto size = static_cast<std::uint64_t>(status.st_size);
  bool sparse = static_cast<std::uint64_t>(status.st_blocks) * 512 < size;
  Copied copied;
  std::uint64_t& at = copied.size;
  std::uint64_t data_end = sparse ? 0 : UINT64_MAX;
  content_.reset();
  if (size > kReadSize) static_cast<void>(::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
  // Not beyond the size that it had: a file that grows meanwhile is seen to have changed. One that
  // says 0 may still have something.
  while (at < size || size == 0) {
    if (at >= data_end) {
      const off_t data = ::lseek(fd, static_cast<off_t>(at), SEEK_DATA);
      const off_t end = data < 0 ? -1 : ::lseek(fd, data, SEEK_HOLE);
      const bool only_hole = data < 0 && errno == ENXIO;
      const std::uint64_t next = only_hole ? size : static_cast<std::uint64_t>(data);
      if ((only_hole || end >= 0) && next > at && (only_hole || next - at >= kSmallHole)) {
        TRY(content_.hole(next - at));
        progress_.bytes += next - at;
        at = next;
      }
      if (only_hole) break;
      data_end = end < 0 ? UINT64_MAX : static_cast<std::uint64_t>(end);
    }
    std::uint64_t wanted = std::min<std::uint64_t>(kReadSize, data_end - at);
    if (size > 0) wanted = std::min(wanted, size - at);
    const auto room = content_.room(wanted);
    const ssize_t n = ::pread(fd, room.data(), room.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) copied.error = errno;
    if (n <= 0) break;
    TRY(content_.wrote(static_cast<std::size_t>(n)));
    at += static_cast<std::uint64_t>(n);
    progress_.bytes += static_cast<std::uint64_t>(n);
  }
  if (copied.error != 0)
    content_.reset();
  else
    copied.content = TRY(content_.finish());
  return copied;
}

}  // namespace

Result<TreeReport> write_tree(PackCache& cache, const VaultAccess& access, Catalog& catalog,
                              PackJournal& journal, BackupInput input, Progress& progress,
                              Findings& findings) {
  TreeWriter writer(cache, access, catalog, journal, std::move(input), progress);
  auto report = writer.run();
  Findings& own = writer.findings();
  std::move(own.problems.begin(), own.problems.end(), std::back_inserter(findings.problems));
  std::move(own.notes.begin(), own.notes.end(), std::back_inserter(findings.notes));
  return report;
}

}  // namespace holdfast::archive
