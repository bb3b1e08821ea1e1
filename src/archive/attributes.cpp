#include "archive/attributes.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace holdfast::archive {
namespace {

constexpr std::size_t kMaxXattrs = 4096;  // as in format.h

FileTime to_time(const statx_timestamp& time) { return {time.tv_sec, time.tv_nsec}; }

// Where the extended attributes of a file are asked for. A path through /proc needs no open file,
// so it serves files that cannot be read, FIFOs and symlinks, and costs one system call a file.
class XattrSource {
 public:
  XattrSource(int parent, const std::string& name)
      : path_("/proc/self/fd/" + std::to_string(parent) + (name.empty() ? "" : "/") + name),
        itself_(name.empty()) {}
  // For a machine without /proc.
  explicit XattrSource(Fd fd) : fd_(std::move(fd)) {}

  ssize_t list(char* to, std::size_t size) const {
    if (fd_.valid()) return ::flistxattr(fd_.get(), to, size);
    return itself_ ? ::listxattr(path_.c_str(), to, size) : ::llistxattr(path_.c_str(), to, size);
  }
  ssize_t get(const char* xattr, void* to, std::size_t size) const {
    if (fd_.valid()) return ::fgetxattr(fd_.get(), xattr, to, size);
    return itself_ ? ::getxattr(path_.c_str(), xattr, to, size)
                   : ::lgetxattr(path_.c_str(), xattr, to, size);
  }

 private:
  std::string path_;
  bool itself_ = false;  // the path is the magic link of the file itself
  Fd fd_;
};

// Repeats a call of the getxattr family with a larger buffer as long as what it reads grows.
// Returns 0 and the bytes, or an error number.
template <class Container, class Read>
int read_growing(Container& to, const Read& read) {
  to.resize(256);
  for (;;) {
    ssize_t n = read(to.data(), to.size());
    if (n >= 0) {
      to.resize(static_cast<std::size_t>(n));
      return 0;
    }
    if (errno != ERANGE) return errno;
    n = read(nullptr, 0);
    if (n < 0) return errno;
    to.resize(std::max(static_cast<std::size_t>(n), to.size() * 2));
  }
}

std::string lost_sentence(std::string_view xattr, int error) {
  return "its extended attribute " + std::string(xattr) +
         " could not be read: " + std::strerror(error);
}

bool is_unsupported(int error) { return error == ENOTSUP || error == ENOSYS; }

// Gives the error number of listing.
int read_xattrs(const XattrSource& source, Attributes& to) {
  std::string names;
  const auto list = [&](char* at, std::size_t size) { return source.list(at, size); };
  if (const int error = read_growing(names, list); error != 0) return error;
  std::vector<std::string> sorted;
  for (std::size_t at = 0; at < names.size(); at += sorted.back().size() + 1)
    sorted.emplace_back(names.c_str() + at);
  std::ranges::sort(sorted);
  for (const std::string& name : sorted) {
    if (to.entry.xattrs.size() == kMaxXattrs) {
      to.lost.push_back("it has more extended attributes than the " + std::to_string(kMaxXattrs) +
                        " that can be saved");
      break;
    }
    Xattr xattr{to_bytes(as_bytes(name)), {}};
    const auto get = [&](void* at, std::size_t size) { return source.get(name.c_str(), at, size); };
    const int error = read_growing(xattr.value, get);
    if (error == 0)
      to.entry.xattrs.push_back(std::move(xattr));
    else if (error != ENODATA && !is_unsupported(error))
      to.lost.push_back(lost_sentence(name, error));
  }
  return 0;
}

void add_xattrs(int parent, const std::string& name, Attributes& to) {
  int error = read_xattrs(XattrSource(parent, name), to);
  const bool can_open = to.entry.kind == EntryKind::kFile || to.entry.kind == EntryKind::kDirectory;
  if (error == ENOENT && can_open) {  // no /proc, or the file is gone
    Fd fd(::openat(parent, name.empty() ? "." : name.c_str(),
                   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    error = fd.valid() ? read_xattrs(XattrSource(std::move(fd)), to) : errno;
  }
  if (error != 0 && error != ENOENT && !is_unsupported(error))
    to.lost.push_back(std::string("its extended attributes could not be listed: ") +
                      std::strerror(error));
}

// What may not be read needs no advice about writing.
Error read_error(std::string_view what, std::string_view shown, int error) {
  if (error != EACCES && error != EPERM) return io_error(what, shown, error);
  return {Code::kDenied,
          "cannot " + std::string(what) + " " + std::string(shown) + ": " + std::strerror(error)};
}

Result<Bytes> read_target(int parent, const std::string& name, std::string_view shown) {
  Bytes target(256);
  for (;;) {
    const ssize_t n =
        ::readlinkat(parent, name.c_str(), reinterpret_cast<char*>(target.data()), target.size());
    if (n < 0) return read_error("read the symlink", shown, errno);
    if (static_cast<std::size_t>(n) < target.size()) {
      target.resize(static_cast<std::size_t>(n));
      return target;
    }
    target.resize(target.size() * 2);
  }
}

}  // namespace

Result<Status> read_status(int parent, const std::string& name, std::string_view shown) {
  Status status{};
  const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name.empty() ? AT_EMPTY_PATH : 0);
  if (::statx(parent, name.c_str(), flags, STATX_BASIC_STATS, &status) != 0)
    return read_error("read the attributes of", shown, errno);
  return status;
}

std::optional<EntryKind> kind_of(const Status& status) {
  switch (status.stx_mode & S_IFMT) {
    case S_IFREG: return EntryKind::kFile;
    case S_IFDIR: return EntryKind::kDirectory;
    case S_IFLNK: return EntryKind::kSymlink;
    case S_IFIFO: return EntryKind::kFifo;
    case S_IFCHR: return EntryKind::kCharDevice;
    case S_IFBLK: return EntryKind::kBlockDevice;
    default: return std::nullopt;
  }
}

Result<Attributes> read_attributes(int parent, const std::string& name, const Status& status,
                                   std::string_view shown, Accounts& accounts) {
  const auto kind = kind_of(status);
  HF_CHECK(kind.has_value());
  Attributes attributes;
  Entry& entry = attributes.entry;
  entry.name = to_bytes(as_bytes(name));
  entry.kind = *kind;
  entry.mode = status.stx_mode & 07777U;
  entry.uid = status.stx_uid;
  entry.gid = status.stx_gid;
  entry.user = accounts.user(entry.uid);
  entry.group = accounts.group(entry.gid);
  entry.mtime = to_time(status.stx_mtime);
  entry.ctime = to_time(status.stx_ctime);
  entry.device = device_of(status);
  entry.inode = status.stx_ino;
  entry.links = status.stx_nlink;
  if (*kind == EntryKind::kFile) entry.size = status.stx_size;
  if (*kind == EntryKind::kCharDevice || *kind == EntryKind::kBlockDevice)
    entry.rdev = ::makedev(status.stx_rdev_major, status.stx_rdev_minor);
  if (*kind == EntryKind::kSymlink) entry.target = TRY(read_target(parent, name, shown));
  add_xattrs(parent, name, attributes);
  return attributes;
}

std::uint64_t device_of(const Status& status) {
  return ::makedev(status.stx_dev_major, status.stx_dev_minor);
}

}  // namespace holdfast::archive
