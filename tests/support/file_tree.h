// Temporary folders and the files that tests put into them.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace holdfast::testkit {

enum class Where {
  kDisk,    // $TMPDIR, or /tmp
  kMemory,  // where there is one: for tests that make thousands of folders
};

// Removed at the end, however deep it became and whatever its modes are.
class TempDir {
 public:
  explicit TempDir(Where where = Where::kDisk) {
    const char* const set = std::getenv("TMPDIR");
    path_ = set != nullptr && *set != '\0' ? set : "/tmp";
    if (where == Where::kMemory && ::access("/dev/shm", W_OK) == 0) path_ = "/dev/shm";
    path_ += "/holdfast-test-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
    char* const real = ::realpath(path_.c_str(), nullptr);
    path_ = real;
    std::free(real);
    ::chmod(path_.c_str(), 0755);
  }
  ~TempDir() {
    const std::string quoted = "'" + path_ + "'";
    const std::string command = "rm -rf " + quoted + " 2>/dev/null || { chmod -R u+rwx " + quoted +
                                "; rm -rf " + quoted + "; }";
    [[maybe_unused]] const int done = std::system(command.c_str());
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

inline void make_file(const std::string& path, std::string_view content = "", mode_t mode = 0644) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  ASSERT_GE(fd, 0) << path;
  ASSERT_EQ(::write(fd, content.data(), content.size()), static_cast<ssize_t>(content.size()));
  ::fchmod(fd, mode);
  ::close(fd);
}

inline void make_dir(const std::string& path, mode_t mode = 0755) {
  ASSERT_EQ(::mkdir(path.c_str(), mode), 0) << path;
  ASSERT_EQ(::chmod(path.c_str(), mode), 0) << path;
}

inline std::string content_of(const std::string& path) {
  std::string content;
  FILE* const file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return "(cannot be opened)";
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, file))
    content.append(buffer, n);
  std::fclose(file);
  return content;
}

inline bool stands(const std::string& path) {
  struct stat st{};
  return ::lstat(path.c_str(), &st) == 0;
}

inline struct stat stat_of(const std::string& path) {
  struct stat st{};
  EXPECT_EQ(::lstat(path.c_str(), &st), 0) << path;
  return st;
}

inline void set_mtime(const std::string& path, std::int64_t seconds, long nanoseconds = 0) {
  const timespec times[2] = {{0, UTIME_OMIT}, {seconds, nanoseconds}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0) << path;
}

inline bool is_root() { return ::geteuid() == 0; }

inline bool has_user_xattrs(const TempDir& dir) {
  return ::setxattr(dir.path().c_str(), "user.probe", "1", 1, 0) == 0 &&
         ::removexattr(dir.path().c_str(), "user.probe") == 0;
}

// Runs `body` in a child, so that it may change what belongs to a process (its user, its mounts).
// Fails the test if an expectation in it failed.
template <class Body>
void in_child(const Body& body) {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    body();
    std::fflush(nullptr);
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the child says why";
}

// As the user nobody; as ourselves when we are not root.
template <class Body>
void unprivileged(const Body& body) {
  constexpr uid_t kNobody = 65534;
  if (!is_root()) return body();
  in_child([&] {
    ASSERT_EQ(::setgroups(0, nullptr), 0);
    ASSERT_EQ(::setgid(kNobody), 0);
    ASSERT_EQ(::setuid(kNobody), 0);
    body();
  });
}

}  // namespace holdfast::testkit
