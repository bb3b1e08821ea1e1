// The directories from a root down to the place of work, by handles, however deep it is.
//
// Only the topmost handles are held open. A lower one is opened again when the work returns to it:
// by ".." from the directory below, or by its names from the root; either way it must be the same
// directory (device, inode) as before, so no rename or symlink leads anywhere else. Handles opened
// again are O_PATH.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file.h"

namespace holdfast::archive {

struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  auto operator<=>(const FileIdentity&) const = default;
};

// Of an open file.
Result<FileIdentity> identity_of(int fd);

class DirStack {
 public:
  using Handle = std::shared_ptr<const Fd>;

  DirStack(Fd root, FileIdentity identity);

  std::size_t depth() const { return levels_.size() - 1; }  // 0: at the root
  const Handle& root() const { return levels_.front().handle; }
  const std::string& path() const { return path_; }  // from the root: "", "a", "a/b"
  std::string path_of(std::string_view name) const;  // of a name in the top directory

  // kConflict when the directory was moved out of reach; pop() still works then.
  Result<Handle> top();
  FileIdentity top_identity() const { return levels_.back().identity; }
  void push(std::string_view name, Handle handle, FileIdentity identity);
  // Leaves the top, which must not be the root, and gives its handle (null when out of reach).
  // The directory above is open then, if it can be.
  Handle pop();

 private:
  struct Level {
    Handle handle;  // null: closed, or out of reach
    FileIdentity identity;
    std::size_t path_length = 0;  // of path_ up to here
  };
  Handle reopen_from(const Handle& child, const Level& level) const;
  Handle reopen_from_root(std::size_t index) const;

  std::string path_;
  std::vector<Level> levels_;
  std::size_t lowest_open_ = 1;  // levels from here up may be open, and the root always is
};

}  // namespace holdfast::archive
