#include "archive/set_attributes.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace holdfast::archive {
namespace {

constexpr std::string_view kAclPrefix = "system.posix_acl_";

// The calls that set attributes, for handles open for data and for O_PATH ones, which need /proc.
// Each gives an error number or 0.
class Handle {
 public:
  Handle(int fd, EntryKind kind)
      : fd_(fd),
        // A file is open to be written to.
        is_path_(kind != EntryKind::kFile && (::fcntl(fd, F_GETFL) & O_PATH) != 0),
        link_(is_path_ ? "/proc/self/fd/" + std::to_string(fd) : std::string()) {}

  int set_owner(uid_t uid, gid_t gid) const {
    return said(::fchownat(fd_, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
  }
  int set_mode(mode_t mode) const {
    return said(is_path_ ? ::chmod(link_.c_str(), mode) : ::fchmod(fd_, mode));
  }
  int set_xattr(const char* name, BytesView value) const {
    return said(is_path_ ? ::setxattr(link_.c_str(), name, value.data(), value.size(), 0)
                         : ::fsetxattr(fd_, name, value.data(), value.size(), 0));
  }
  int remove_xattr(const char* name) const {
    return said(is_path_ ? ::removexattr(link_.c_str(), name) : ::fremovexattr(fd_, name));
  }
  // Names with a NUL behind each; empty when they cannot be listed.
  std::string list_xattrs() const {
    std::string names(1024, '\0');
    for (;;) {
      const ssize_t n = is_path_ ? ::listxattr(link_.c_str(), names.data(), names.size())
                                 : ::flistxattr(fd_, names.data(), names.size());
      if (n < 0 && errno == ERANGE) {
        names.resize(names.size() * 2);
        continue;
      }
      names.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
      return names;
    }
  }
  int set_mtime(FileTime time) const {
    timespec times[2] = {};
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_sec = time.seconds;
    times[1].tv_nsec = time.nanoseconds;
    return said(is_path_ ? ::utimensat(fd_, "", times, AT_EMPTY_PATH) : ::futimens(fd_, times));
  }
  // Whether the file system kept it: it bends what it cannot hold into its range.
  bool has_mtime(FileTime time) const {
    struct stat st{};
    return ::fstat(fd_, &st) != 0 || st.st_mtim.tv_sec == time.seconds;
  }

 private:
  static int said(int result) { return result == 0 ? 0 : errno; }

  int fd_;
  bool is_path_;
  std::string link_;
};

bool is_sane_name(BytesView name) {
  return !name.empty() && name.size() <= 255 && std::ranges::count(name, 0) == 0;
}

// "user.*": enough to tell apart what is lost for one reason.
std::string namespace_of(std::string_view name) {
  return std::string(name.substr(0, name.find('.'))) + ".*";
}

struct Task {
  const Handle& handle;
  const struct stat& now;
  const Entry& entry;
  const std::string& path;
  Losses& losses;
  Findings& findings;

  void lose(const std::string& what, int error) const { losses.add(what, error, path, findings); }
};

// The set-id bits that may be set afterwards.
std::uint32_t set_owner(const Task& task, Owner owner) {
  if (task.now.st_uid == owner.uid && task.now.st_gid == owner.gid) return S_ISUID | S_ISGID;
  const int error = task.handle.set_owner(owner.uid, owner.gid);
  if (error == 0) return S_ISUID | S_ISGID;
  task.lose("owner", error);
  // The group alone may be one of ours.
  const bool has_group = task.handle.set_owner(static_cast<uid_t>(-1), owner.gid) == 0;
  return has_group || task.entry.kind == EntryKind::kDirectory ? S_ISGID : 0U;
}

void remove_inherited_acls(const Task& task) {
  const std::string names = task.handle.list_xattrs();
  for (std::size_t at = 0; at < names.size();) {
    const std::string_view name = names.c_str() + at;
    at += name.size() + 1;
    const auto is_it = [&](const Xattr& xattr) { return as_text(xattr.name) == name; };
    if (!name.starts_with(kAclPrefix) || std::ranges::any_of(task.entry.xattrs, is_it)) continue;
    const int error = task.handle.remove_xattr(std::string(name).c_str());
    if (error != 0 && error != ENODATA) task.lose("inherited ACL", error);
  }
}

void set_xattrs(const Task& task, Inherited inherited) {
  if (task.entry.kind != EntryKind::kSymlink && inherited == Inherited::kPerhaps)
    remove_inherited_acls(task);
  for (const Xattr& xattr : task.entry.xattrs) {
    const std::string name(as_text(xattr.name));
    const int error =
        is_sane_name(xattr.name) ? task.handle.set_xattr(name.c_str(), xattr.value) : EINVAL;
    if (error != 0) task.lose("extended attribute " + namespace_of(name), error);
  }
}

// Setting an owner or an ACL may have changed it.
bool has_mode(const Task& task, std::uint32_t mode, Owner owner, Inherited inherited) {
  return (task.now.st_mode & 07777U) == mode && task.entry.xattrs.empty() &&
         inherited == Inherited::kNothing && task.now.st_uid == owner.uid &&
         task.now.st_gid == owner.gid;
}

void set_time(const Task& task) {
  const FileTime time = task.entry.mtime;
  const int error = time.nanoseconds < 1'000'000'000 ? task.handle.set_mtime(time) : EINVAL;
  if (error != 0) return task.lose("time", error);
  const bool every_system_holds_it = time.seconds >= 0 && time.seconds <= INT32_MAX;
  if (!every_system_holds_it && !task.handle.has_mtime(time)) task.lose("time", ERANGE);
}

}  // namespace

void Losses::add(const std::string& what, int error, const std::string& path, Findings& findings) {
  const std::string key = what + " could not be set: " + std::strerror(error);
  const Lock lock(mutex_);
  const auto [at, fresh] = counts_.try_emplace(key, Count{path, 0});
  if (fresh)
    findings.notes.push_back({path, "its " + key});
  else
    ++at->second.more;
}

void Losses::report_rest(Findings& findings) {
  const Lock lock(mutex_);
  for (auto& [key, count] : counts_) {
    if (count.more == 0) continue;
    findings.notes.push_back(
        {count.first_path, "so it is with " + std::to_string(count.more) + " more: its " + key});
    count.more = 0;
  }
}

void set_attributes(int fd, const struct stat& now, const Entry& entry, Owner owner,
                    Inherited inherited, const std::string& path, Losses& losses,
                    Findings& findings) {
  const Handle handle(fd, entry.kind);
  const Task task{handle, now, entry, path, losses, findings};
  const std::uint32_t set_ids = set_owner(task, owner);
  set_xattrs(task, inherited);
  const std::uint32_t mode = entry.mode & (01777U | set_ids);
  if (entry.kind != EntryKind::kSymlink && !has_mode(task, mode, owner, inherited)) {
    if (const int error = handle.set_mode(mode); error != 0) task.lose("mode", error);
  }
  set_time(task);
}

}  // namespace holdfast::archive
