#include "archive/dir_stack.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace holdfast::archive {
namespace {

constexpr std::size_t kMaxOpen = 128;

DirStack::Handle open_same(int at, const char* name, FileIdentity identity) {
  Fd fd(::openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return nullptr;
  const auto opened = identity_of(fd.get());
  if (!opened.ok() || *opened != identity) return nullptr;
  return std::make_shared<const Fd>(std::move(fd));
}

}  // namespace

Result<FileIdentity> identity_of(int fd) {
  struct stat st{};
  if (::fstat(fd, &st) != 0) return io_error("stat", "an open file", errno);
  return FileIdentity{st.st_dev, st.st_ino};
}

DirStack::DirStack(Fd root, FileIdentity identity) {
  levels_.push_back({std::make_shared<const Fd>(std::move(root)), identity, 0});
}

std::string DirStack::path_of(std::string_view name) const {
  std::string path;
  path.reserve(path_.size() + 1 + name.size());
  path = path_;
  if (depth() > 0) path += '/';
  return path += name;
}

Result<DirStack::Handle> DirStack::top() {
  Level& level = levels_.back();
  if (!level.handle) level.handle = reopen_from_root(depth());
  if (!level.handle)
    return Error{Code::kConflict, "the folder " + path_ + " was moved away or replaced meanwhile"};
  return level.handle;
}

void DirStack::push(std::string_view name, Handle handle, FileIdentity identity) {
  if (depth() > 0) path_ += '/';
  path_ += name;
  levels_.push_back({std::move(handle), identity, path_.size()});
  if (levels_.size() - lowest_open_ > kMaxOpen) levels_[lowest_open_++].handle = nullptr;
}

DirStack::Handle DirStack::pop() {
  HF_CHECK(depth() > 0);
  Handle left = std::move(levels_.back().handle);
  levels_.pop_back();
  Level& level = levels_.back();
  path_.resize(level.path_length);
  if (!level.handle && left) level.handle = reopen_from(left, level);
  lowest_open_ = std::max<std::size_t>(1, std::min(lowest_open_, depth()));
  return left;
}

DirStack::Handle DirStack::reopen_from(const Handle& child, const Level& level) const {
  return open_same(child->get(), "..", level.identity);
}

DirStack::Handle DirStack::reopen_from_root(std::size_t index) const {
  Handle at = levels_.front().handle;
  for (std::size_t i = 1; i <= index; ++i) {
    const std::size_t begin = i == 1 ? 0 : levels_[i - 1].path_length + 1;
    const std::string name = path_.substr(begin, levels_[i].path_length - begin);
    at = open_same(at->get(), name.c_str(), levels_[i].identity);
    if (!at) return nullptr;
  }
  return at;
}

}  // namespace holdfast::archive
