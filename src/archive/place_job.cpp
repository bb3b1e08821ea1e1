// The jobs that make one file, symlink, FIFO or device.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "archive/placing.h"

namespace holdfast::archive {
namespace {

Result<void> write_at(int fd, BytesView bytes, std::uint64_t offset, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("write", path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return Ok{};
}

Error wrong_length(const std::string& path) {
  return {Code::kCorrupt, "the stored content of " + path +
                              " is not as long as its entry says; it was not written"};
}

// Holes are left out of the writing, so they stay holes.
Result<void> write_content(int fd, std::uint64_t size, ContentSource& content,
                           const std::string& path) {
  if (size > INT64_MAX) return wrong_length(path);
  std::uint64_t offset = 0;
  bool ends_in_hole = false;
  for (;;) {
    const auto piece = TRY(content.next());
    if (!piece) break;
    if (piece->data.size() > size - offset) return wrong_length(path);
    TRY(write_at(fd, piece->data, offset, path));
    offset += piece->data.size();
    if (piece->hole > size - offset) return wrong_length(path);
    offset += piece->hole;
    if (piece->hole > 0 || !piece->data.empty()) ends_in_hole = piece->hole > 0;
  }
  if (offset != size) return wrong_length(path);
  if (ends_in_hole && ::ftruncate(fd, static_cast<off_t>(size)) != 0)
    return io_error("set the length of", path, errno);
  return Ok{};
}

mode_t type_of(EntryKind kind) {
  switch (kind) {
    case EntryKind::kFile: return S_IFREG;
    case EntryKind::kDirectory: return S_IFDIR;
    case EntryKind::kSymlink: return S_IFLNK;
    case EntryKind::kFifo: return S_IFIFO;
    case EntryKind::kCharDevice: return S_IFCHR;
    case EntryKind::kBlockDevice: return S_IFBLK;
  }
  std::abort();
}

// Whether this is what we just made and not something put under its name: others may write in the
// directory too.
bool is_as_made(const struct stat& st, const Entry& entry) {
  if ((st.st_mode & S_IFMT) != type_of(entry.kind)) return false;
  const bool is_device = S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode);
  return st.st_nlink == 1 && (!is_device || st.st_rdev == entry.rdev);
}

}  // namespace

PlaceJob::State::~State() {
  // A job that never ran made nothing.
  if (first && first->fate() == FirstName::Fate::kPending)
    first->became(FirstName::Fate::kFailed, {});
}

PlaceJob::PlaceJob(std::unique_ptr<State> state) : state_(std::move(state)) {}
PlaceJob::PlaceJob(PlaceJob&&) noexcept = default;
PlaceJob& PlaceJob::operator=(PlaceJob&&) noexcept = default;
PlaceJob::~PlaceJob() = default;

const Entry& PlaceJob::entry() const { return state_->entry; }
const std::string& PlaceJob::path() const { return state_->spot.path; }

Result<void> PlaceJob::run(ContentSource& content, Findings& findings) {
  if (state_->dry_run) return Ok{};
  auto made = state_->make(content, findings);
  if (!made.ok() && state_->first) state_->first->became(FirstName::Fate::kFailed, {});
  state_->spot.parent = nullptr;  // a handle less that is held open
  return made;
}

Result<void> PlaceJob::State::make(ContentSource& content, Findings& findings) {
  return entry.kind == EntryKind::kFile ? make_file(content, findings) : make_other(findings);
}

Result<void> PlaceJob::State::make_file(ContentSource& content, Findings& findings) {
  Temporary temporary(spot);
  Fd fd;
  const int error = temporary.make([&](const char* name) {
    fd = Fd(::openat(spot.parent->get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     0600));
    return fd.valid() ? 0 : -1;
  });
  if (error != 0) return io_error("create", spot.path, error);
  TRY(write_content(fd.get(), entry.size, content, spot.path));
  struct stat now{};
  if (::fstat(fd.get(), &now) != 0) return io_error("stat", spot.path, errno);
  return give(fd.get(), now, temporary, findings);
}

int PlaceJob::State::make_node(const char* temporary, const std::string& link_target) const {
  const int parent = spot.parent->get();
  if (entry.kind == EntryKind::kSymlink) return ::symlinkat(link_target.c_str(), parent, temporary);
  return ::mknodat(parent, temporary, type_of(entry.kind) | 0600, entry.rdev);
}

Result<void> PlaceJob::State::make_other(Findings& findings) {
  const std::string link_target(as_text(entry.target));
  if (entry.kind == EntryKind::kSymlink &&
      (link_target.empty() || link_target.find('\0') != link_target.npos))
    return Error{Code::kCorrupt, "the stored target of the symlink " + spot.path + " is none"};
  Temporary temporary(spot);
  const int error = temporary.make([&](const char* name) { return make_node(name, link_target); });
  const bool is_device =
      entry.kind == EntryKind::kCharDevice || entry.kind == EntryKind::kBlockDevice;
  if (error == EPERM && is_device)
    return Error{Code::kDenied, "making the device " + spot.path + " needs root"};
  if (error != 0) return io_error("create", spot.path, error);
  const Fd fd(
      ::openat(spot.parent->get(), temporary.name().c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return io_error("open", spot.path, errno);
  struct stat now{};
  if (::fstat(fd.get(), &now) != 0 || !is_as_made(now, entry))
    return Error{Code::kConflict, spot.path + " was replaced while it was being made"};
  return give(fd.get(), now, temporary, findings);
}

Result<void> PlaceJob::State::give(int fd, const struct stat& now, Temporary& temporary,
                                   Findings& findings) {
  set_attributes(fd, now, entry, owner, inherited, spot.path, *losses, findings);
  TRY(temporary.appear(overwrite, entry.mtime));
  if (first) first->became(FirstName::Fate::kMade, {now.st_dev, now.st_ino});
  return Ok{};
}

}  // namespace holdfast::archive
