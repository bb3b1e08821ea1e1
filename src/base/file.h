// Durable files: what these functions report done survives a power cut.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast {

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset();

 private:
  int fd_ = -1;
};

// The error for errno after `what` failed ("write", "open") on `name`. A full disk, a read-only
// file system and a vanished folder say what to do.
Error io_error(std::string_view what, std::string_view name, int error);

// Whole file; kNotFound if absent, kInvalid above `limit` bytes.
Result<Bytes> read_file(const std::string& path, std::uint64_t limit);
// Of a descriptor, from its start: exactly `size` bytes, or kCorrupt.
Result<Bytes> read_fd(int fd, std::uint64_t size);
Result<void> write_all(int fd, BytesView bytes, std::string_view name);

// Creates or replaces `path`: temporary file, fsync, rename, fsync of the directory.
Result<void> replace_file(const std::string& path, BytesView bytes, unsigned mode = 0600);
// Creates `path`, never replaces: kConflict if it exists. Same durability; a crash leaves no
// partial file under that name.
Result<void> create_file(const std::string& path, BytesView bytes, unsigned mode = 0600);

Result<void> make_dirs(const std::string& path, unsigned mode = 0700);
bool exists(const std::string& path);
// Names of entries, sorted, without "." and ".." and names starting with '.'.
Result<std::vector<std::string>> list_dir(const std::string& path);

// An exclusive advisory lock on a file, held while the value lives; survives no crash.
class FileLock {
 public:
  // Waits for it.
  static Result<FileLock> acquire(const std::string& path);
  // nullopt when another holder has it.
  static Result<std::optional<FileLock>> try_acquire(const std::string& path);

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace holdfast
