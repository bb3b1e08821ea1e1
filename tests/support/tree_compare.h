// Compares two file trees to the last attribute, with plain system calls and none of the program's
// own code: kinds, modes, owners, times, sizes, contents, holes, link structure, xattrs with ACLs.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::testkit {

enum class Owners { kCompare, kIgnore };

class TreeComparison {
 public:
  explicit TreeComparison(Owners owners) : owners_(owners) {}

  // What lies below the two directories; their own attributes are not looked at. Any depth.
  void compare(const std::string& left, const std::string& right) {
    int fds[2] = {::open(left.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                  ::open(right.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (fds[0] < 0 || fds[1] < 0) {
      differ("cannot be opened: " + left + " or " + right);
    } else {
      compare_directories(fds);
    }
    for (const int fd : fds)
      if (fd >= 0) ::close(fd);
  }
  const std::vector<std::string>& differences() const { return differences_; }
  std::size_t entries() const { return entries_; }

 private:
  struct Level {
    std::vector<std::string> names;  // left to visit, last first
    std::size_t path_length;
  };
  using Pair = int[2];

  void differ(const std::string& what) {
    if (differences_.size() < 100) differences_.push_back(path_ + ": " + what);
  }

  // Walks both at once, holding one directory of each open, and goes back up by "..".
  void compare_directories(Pair fds) {
    std::vector<Level> levels;
    levels.push_back({common_names(fds), 0});
    while (!levels.empty()) {
      if (levels.back().names.empty()) {
        levels.pop_back();
        if (!levels.empty()) go(fds, "..");
        continue;
      }
      const std::string name = std::move(levels.back().names.back());
      levels.back().names.pop_back();
      path_.resize(levels.back().path_length);
      path_ += "/" + name;
      ++entries_;
      if (!compare_entry(fds, name)) continue;
      go(fds, name.c_str());
      levels.push_back({common_names(fds), path_.size()});
    }
  }

  void go(Pair fds, const char* name) {
    for (int i = 0; i < 2; ++i) {
      const int to = ::openat(fds[i], name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (to < 0) differ("cannot be opened");
      if (to < 0) continue;
      ::close(fds[i]);
      fds[i] = to;
    }
  }

  static std::vector<std::string> names_in(int fd) {
    std::vector<std::string> names;
    DIR* const dir = ::fdopendir(::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (dir == nullptr) return {"(unreadable)"};
    while (const dirent* entry = ::readdir(dir))
      if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
        names.emplace_back(entry->d_name);
    ::closedir(dir);
    std::sort(names.rbegin(), names.rend());
    return names;
  }

  std::vector<std::string> common_names(const Pair fds) {
    const auto left = names_in(fds[0]);
    const auto right = names_in(fds[1]);
    std::vector<std::string> common;
    for (const std::string& name : left)
      if (std::binary_search(right.begin(), right.end(), name, std::greater<>()))
        common.push_back(name);
      else
        differ(name + " is on the left only");
    for (const std::string& name : right)
      if (!std::binary_search(left.begin(), left.end(), name, std::greater<>()))
        differ(name + " is on the right only");
    return common;
  }

  template <class Value>
  void same(const char* what, const Value& left, const Value& right) {
    if (left != right) differ(std::string(what) + " differs: " + text(left) + ", " + text(right));
  }
  static std::string text(const std::string& value) { return "\"" + value + "\""; }
  template <class Number>
  static std::string text(const Number& value) {
    return std::to_string(value);
  }

  // True for directories in both.
  bool compare_entry(const Pair fds, const std::string& name) {
    struct stat st[2] = {};
    for (int i = 0; i < 2; ++i)
      if (::fstatat(fds[i], name.c_str(), &st[i], AT_SYMLINK_NOFOLLOW) != 0) {
        differ("cannot be looked at");
        return false;
      }
    same("mode", st[0].st_mode, st[1].st_mode);
    if (owners_ == Owners::kCompare) {
      same("user", st[0].st_uid, st[1].st_uid);
      same("group", st[0].st_gid, st[1].st_gid);
    }
    same("mtime", st[0].st_mtim.tv_sec, st[1].st_mtim.tv_sec);
    same("mtime (ns)", st[0].st_mtim.tv_nsec, st[1].st_mtim.tv_nsec);
    same("xattrs", xattrs(fds[0], name), xattrs(fds[1], name));
    if ((st[0].st_mode & S_IFMT) != (st[1].st_mode & S_IFMT)) return false;
    if (S_ISDIR(st[0].st_mode)) return true;
    same("device number", st[0].st_rdev, st[1].st_rdev);
    same("number of links", st[0].st_nlink, st[1].st_nlink);
    same("name it shares its file with", first_name(0, st[0]), first_name(1, st[1]));
    if (S_ISLNK(st[0].st_mode)) same("target", target(fds[0], name), target(fds[1], name));
    if (S_ISREG(st[0].st_mode)) {
      same("size", st[0].st_size, st[1].st_size);
      compare_contents(fds, name);
    }
    return false;
  }

  std::string first_name(int side, const struct stat& st) {
    if (st.st_nlink < 2) return path_;
    return first_names_[side].try_emplace({st.st_dev, st.st_ino}, path_).first->second;
  }

  static std::string target(int fd, const std::string& name) {
    std::string to(70000, '\0');
    const ssize_t n = ::readlinkat(fd, name.c_str(), to.data(), to.size());
    to.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return to;
  }

  static std::string xattrs(int fd, const std::string& name) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd) + "/" + name;
    std::string names(70000, '\0');
    const ssize_t n = ::llistxattr(path.c_str(), names.data(), names.size());
    if (n <= 0) return n < 0 && errno != ENOTSUP ? std::strerror(errno) : "";
    std::vector<std::string> pairs;
    for (const char* at = names.data(); at < names.data() + n; at += std::strlen(at) + 1) {
      std::string value(70000, '\0');
      const ssize_t size = ::lgetxattr(path.c_str(), at, value.data(), value.size());
      value.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
      std::string pair = at + std::string(size < 0 ? " unreadable" : "=");
      for (const char c : value) {
        constexpr char kDigits[] = "0123456789abcdef";
        pair += kDigits[static_cast<unsigned char>(c) >> 4];
        pair += kDigits[static_cast<unsigned char>(c) & 15];
      }
      pairs.push_back(std::move(pair));
    }
    std::sort(pairs.begin(), pairs.end());
    std::string all;
    for (const std::string& pair : pairs) all += pair + ";";
    return all;
  }

  // Where data begins and ends, as the file system says.
  static std::string extents(int fd) {
    std::string all;
    for (off_t at = 0;;) {
      const off_t data = ::lseek(fd, at, SEEK_DATA);
      if (data < 0) return all;
      at = ::lseek(fd, data, SEEK_HOLE);
      if (at < 0) return all;
      all += std::to_string(data) + "-" + std::to_string(at) + " ";
    }
  }

  // Where either file has data next; -1: nowhere.
  static off_t next_data(const Pair files, off_t at) {
    const off_t left = ::lseek(files[0], at, SEEK_DATA);
    const off_t right = ::lseek(files[1], at, SEEK_DATA);
    return left < 0 || right < 0 ? std::max(left, right) : std::min(left, right);
  }

  void compare_contents(const Pair fds, const std::string& name) {
    int files[2];
    for (int i = 0; i < 2; ++i)
      files[i] = ::openat(fds[i], name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (files[0] < 0 || files[1] < 0) {
      differ("content cannot be read");
    } else {
      same("extents of data", extents(files[0]), extents(files[1]));
      std::vector<char> bytes[2] = {std::vector<char>(1 << 16), std::vector<char>(1 << 16)};
      for (off_t at = next_data(files, 0); at >= 0; at = next_data(files, at + (1 << 16))) {
        const ssize_t left = ::pread(files[0], bytes[0].data(), bytes[0].size(), at);
        const ssize_t right = ::pread(files[1], bytes[1].data(), bytes[1].size(), at);
        if (left != right || (left > 0 && std::memcmp(bytes[0].data(), bytes[1].data(),
                                                      static_cast<std::size_t>(left)) != 0)) {
          differ("content differs in the 64 KiB from " + std::to_string(at));
          break;
        }
        if (left <= 0) break;
      }
    }
    for (const int file : files)
      if (file >= 0) ::close(file);
  }

  Owners owners_;
  std::string path_;
  std::size_t entries_ = 0;
  std::vector<std::string> differences_;
  std::map<std::pair<dev_t, ino_t>, std::string> first_names_[2];
};

// One sentence for each difference of what lies below the two directories; empty: they are equal.
inline std::vector<std::string> tree_differences(const std::string& left, const std::string& right,
                                                 Owners owners = Owners::kCompare) {
  TreeComparison comparison(owners);
  comparison.compare(left, right);
  return comparison.differences();
}

}  // namespace holdfast::testkit
