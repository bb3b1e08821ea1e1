#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace holdfast {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

namespace {

std::string_view advice(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT: return "; free some space there and run this again";
    case EROFS: return "; it is mounted read-only";
    case EACCES:
    case EPERM: return "; check who may write there";
    case EMFILE: return "; raise the limit of open files (ulimit -n)";
    case EIO:
    case ESTALE:
    case ENODEV: return "; the disk or mount may be failing or gone";
    default: return "";
  }
}

Code code_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR: return Code::kNotFound;
    case EEXIST: return Code::kConflict;
    case EACCES:
    case EPERM: return Code::kDenied;
    default: return Code::kUnavailable;
  }
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> sync_dir(const std::string& path) {
  const Fd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir.valid()) return io_error("open folder", path, errno);
  if (::fsync(dir.get()) != 0) return io_error("sync folder", path, errno);
  return Ok{};
}

// Writes and syncs a temporary file beside `path`; its name starts with '.', so listings skip it.
Result<std::string> write_temporary(const std::string& path, BytesView bytes, unsigned mode) {
  static std::atomic<unsigned> counter{0};
  const auto slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string temporary = parent_of(path) + "/.tmp-" + std::to_string(::getpid()) + "-" +
                                std::to_string(counter++) + "-" + name.substr(0, 64);
  // A leftover of a killed process that had our pid is garbage.
  ::unlink(temporary.c_str());
  const Fd fd(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd.valid()) return io_error("create a file in", parent_of(path), errno);
  auto written = write_all(fd.get(), bytes, path);
  if (written.ok() && ::fsync(fd.get()) != 0) written = io_error("sync", path, errno);
  if (!written.ok()) {
    ::unlink(temporary.c_str());
    return std::move(written).error();
  }
  return temporary;
}

// rename() that never replaces, on file systems with and without RENAME_NOREPLACE.
int rename_new(const char* from, const char* to) {
  if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (::link(from, to) != 0) return errno;
  ::unlink(from);
  return 0;
}

}  // namespace

Error io_error(std::string_view what, std::string_view name, int error) {
  std::string text = "cannot ";
  text += what;
  text += ' ';
  text += name;
  text += ": ";
  text += std::strerror(error);
  text += advice(error);
  return {code_of(error), text};
}

Result<Bytes> read_file(const std::string& path, std::uint64_t limit) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return io_error("open", path, errno);
  struct stat st{};
  if (::fstat(fd.get(), &st) != 0) return io_error("stat", path, errno);
  if (!S_ISREG(st.st_mode)) return Error{Code::kInvalid, path + " is not a regular file"};
  if (static_cast<std::uint64_t>(st.st_size) > limit)
    return Error{Code::kInvalid, path + " is larger than it may be"};
  Bytes bytes(static_cast<std::size_t>(st.st_size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::read(fd.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("read", path, errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

Result<Bytes> read_fd(int fd, std::uint64_t size) {
  Bytes bytes(size);
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t got = ::pread(fd, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("read", "a file", errno);
    if (got == 0) return Error{Code::kCorrupt, "a file is shorter than it was said to be"};
    at += static_cast<std::size_t>(got);
  }
  return bytes;
}

Result<void> write_all(int fd, BytesView bytes, std::string_view name) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("write", name, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return Ok{};
}

Result<void> replace_file(const std::string& path, BytesView bytes, unsigned mode) {
  const std::string temporary = TRY(write_temporary(path, bytes, mode));
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return io_error("rename to", path, error);
  }
  return sync_dir(parent_of(path));
}

Result<void> create_file(const std::string& path, BytesView bytes, unsigned mode) {
  const std::string temporary = TRY(write_temporary(path, bytes, mode));
  if (const int error = rename_new(temporary.c_str(), path.c_str()); error != 0) {
    ::unlink(temporary.c_str());
    return io_error("create", path, error);
  }
  return sync_dir(parent_of(path));
}

Result<void> make_dirs(const std::string& path, unsigned mode) {
  if (path.empty() || exists(path)) return Ok{};
  const std::string parent = parent_of(path);
  if (parent != path) TRY(make_dirs(parent, mode));
  if (::mkdir(path.c_str(), mode) != 0) {
    if (errno == EEXIST) return Ok{};
    return io_error("create folder", path, errno);
  }
  return sync_dir(parent);
}

bool exists(const std::string& path) {
  struct stat st{};
  return ::stat(path.c_str(), &st) == 0;
}

Result<std::vector<std::string>> list_dir(const std::string& path) {
  DIR* const dir = ::opendir(path.c_str());
  if (dir == nullptr) return io_error("list", path, errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(dir)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    errno = 0;
  }
  const int error = errno;
  ::closedir(dir);
  if (error != 0) return io_error("list", path, error);
  std::sort(names.begin(), names.end());
  return names;
}

namespace {
Result<Fd> open_lock(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return io_error("open lock", path, errno);
  return fd;
}
}  // namespace

Result<FileLock> FileLock::acquire(const std::string& path) {
  Fd fd = TRY(open_lock(path));
  while (::flock(fd.get(), LOCK_EX) != 0)
    if (errno != EINTR) return io_error("lock", path, errno);
  return FileLock(std::move(fd));
}

Result<std::optional<FileLock>> FileLock::try_acquire(const std::string& path) {
  Fd fd = TRY(open_lock(path));
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::optional<FileLock>{};
    if (errno != EINTR) return io_error("lock", path, errno);
  }
  return std::optional<FileLock>{FileLock(std::move(fd))};
}

}  // namespace holdfast
