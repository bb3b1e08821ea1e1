#include "archive/placing.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace holdfast::archive {
namespace {

Error in_the_way(const Spot& spot) {
  return {Code::kConflict, "a folder stands where " + spot.path + " belongs; it was left as it is"};
}

Error appeared(const Spot& spot) {
  return {Code::kConflict, spot.path + " came to stand there meanwhile and was left as it is"};
}

FileTime mtime_of(const Status& status) {
  return {status.stx_mtime.tv_sec, status.stx_mtime.tv_nsec};
}

}  // namespace

Result<std::optional<Status>> look_at(const Spot& spot) {
  auto status = read_status(spot.parent->get(), spot.name, spot.path);
  if (status.ok()) return std::optional<Status>(*status);
  if (status.error().code == Code::kNotFound) return std::optional<Status>();
  return std::move(status).error();
}

Result<std::optional<std::string>> reason_to_skip(const Spot& spot, Overwrite overwrite,
                                                  FileTime mtime) {
  const std::optional<Status> standing = TRY(look_at(spot));
  if (!standing) return std::optional<std::string>();
  if (kind_of(*standing) == EntryKind::kDirectory) return in_the_way(spot);
  switch (overwrite) {
    case Overwrite::kNever: return std::optional<std::string>("it exists already");
    case Overwrite::kOlder:
      if (mtime_of(*standing) < mtime) break;
      return std::optional<std::string>("what stands there is not older");
    case Overwrite::kAlways: break;
  }
  return std::optional<std::string>();
}

Temporary::~Temporary() {
  if (!name_.empty()) ::unlinkat(spot_.parent->get(), name_.c_str(), 0);
}

std::string Temporary::any_name() {
  std::uint64_t number = 0;
  HF_CHECK(::getrandom(&number, sizeof number, 0) == sizeof number);
  char name[64];
  std::snprintf(name, sizeof name, ".holdfast-restore-%016llx",
                static_cast<unsigned long long>(number));
  return name;
}

Result<void> Temporary::appear(Overwrite overwrite, FileTime mtime) {
  if (overwrite == Overwrite::kAlways) return replace();
  // Something may come or go between the look and the rename.
  for (int tries = 0; tries < 8; ++tries) {
    const int error = rename_new();
    if (error == 0) return Ok{};
    if (error != EEXIST) return io_error("rename to", spot_.path, error);
    const std::optional<Status> standing = TRY(look_at(spot_));
    if (!standing) continue;
    if (kind_of(*standing) == EntryKind::kDirectory) return in_the_way(spot_);
    if (overwrite == Overwrite::kNever || mtime_of(*standing) >= mtime) break;
    return replace();
  }
  return appeared(spot_);
}

Result<void> Temporary::replace() {
  const int parent = spot_.parent->get();
  if (::renameat(parent, name_.c_str(), parent, spot_.name.c_str()) == 0) {
    name_.clear();
    return Ok{};
  }
  if (errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST) return in_the_way(spot_);
  return io_error("rename to", spot_.path, errno);
}

// Never replaces, also where the file system has no such rename.
int Temporary::rename_new() {
  const int parent = spot_.parent->get();
  const char* const to = spot_.name.c_str();
  if (::renameat2(parent, name_.c_str(), parent, to, RENAME_NOREPLACE) == 0) {
    name_.clear();
    return 0;
  }
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (::linkat(parent, name_.c_str(), parent, to, 0) == 0) return 0;
  if (errno != EPERM && errno != ENOTSUP && errno != ENOSYS) return errno;
  struct stat st{};
  if (::fstatat(parent, to, &st, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
  if (::renameat(parent, name_.c_str(), parent, to) != 0) return errno;
  name_.clear();
  return 0;
}

}  // namespace holdfast::archive
