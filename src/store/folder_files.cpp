#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/file.h"
#include "store/files.h"

namespace holdfast::store {
namespace {

constexpr std::string_view kMarker = "holdfast-store";
constexpr std::string_view kMarkerText = "holdfast store 1\n";
// What a fresh file system has in its root.
constexpr std::array<std::string_view, 3> kHarmless = {"lost+found", "System Volume Information",
                                                       "$RECYCLE.BIN"};

std::string marker_of(const std::string& root) { return root + "/" + std::string(kMarker); }

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Error no_store(const std::string& root) {
  return {Code::kNotFound, "there is no Holdfast store at " + root + "; is the disk mounted?"};
}

// kNotFound without a marker.
Result<void> check_marker(const std::string& root) {
  auto text = read_file(marker_of(root), 4096);
  if (text.ok()) {
    if (as_text(*text) == kMarkerText) return Ok{};
    return Error{Code::kOutdated,
                 "the store at " + root + " is of another version of Holdfast: update required"};
  }
  if (text.error().code == Code::kNotFound) return no_store(root);
  return std::move(text).error();
}

Error unfit(const std::string& root, std::string_view why) {
  return {Code::kInvalid, "the file system at " + root + " cannot hold a Holdfast store: " +
                              std::string(why) + "; choose another place"};
}

// Locks of two open files must exclude each other; some network file systems only say they do.
Result<void> probe_lock(const std::string& root, const std::string& path) {
  const FileLock held = TRY(FileLock::acquire(path));
  if (TRY(FileLock::try_acquire(path)).has_value()) return unfit(root, "its locks do not lock");
  return Ok{};
}

Result<void> expect_content(const std::string& root, const std::string& path, BytesView bytes) {
  const Bytes now = TRY(read_file(path, 4096));
  if (as_text(now) != as_text(bytes)) return unfit(root, "it does not keep what is written");
  return Ok{};
}

Result<void> probe_files(const std::string& root, const std::string& path) {
  TRY(create_file(path, as_bytes("first")));
  const auto again = create_file(path, as_bytes("second"));
  if (again.ok() || again.error().code != Code::kConflict)
    return unfit(root, "it lets a new file replace an old one");
  TRY(expect_content(root, path, as_bytes("first")));
  TRY(replace_file(path, as_bytes("third")));
  return expect_content(root, path, as_bytes("third"));
}

Result<void> probe(const std::string& root) {
  const std::string path = root + "/.probe-" + std::to_string(::getpid());
  ::unlink(path.c_str());
  auto done = probe_files(root, path);
  if (done.ok()) done = probe_lock(root, path);
  ::unlink(path.c_str());
  return done;
}

Result<void> require_empty(const std::string& root) {
  for (const std::string& name : TRY(list_dir(root))) {
    if (std::find(kHarmless.begin(), kHarmless.end(), name) == kHarmless.end())
      return Error{Code::kInvalid, "the folder " + root +
                                       " is not empty and is not a Holdfast store; choose an "
                                       "empty or a new folder"};
  }
  return Ok{};
}

// The marker comes last: until it is there, this can be done again.
Result<void> make_store(const std::string& root) {
  if (!exists(root)) {
    if (const std::string parent = parent_of(root); !exists(parent))
      return Error{Code::kNotFound, "there is no folder " + parent + "; is the disk mounted?"};
    TRY(make_dirs(root));
  }
  TRY(require_empty(root));
  TRY(probe(root));
  const auto made = create_file(marker_of(root), as_bytes(kMarkerText));
  // Another process was faster: its marker is judged like any other.
  if (!made.ok() && made.error().code == Code::kConflict) return check_marker(root);
  return made;
}

Result<void> sync_path(const std::string& path, int flags) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags));
  if (!fd.valid()) return io_error("open", path, errno);
  if (::fsync(fd.get()) != 0) return io_error("sync", path, errno);
  return Ok{};
}

class FolderLock final : public Files::Lock {
 public:
  explicit FolderLock(FileLock held) : held_(std::move(held)) {}

 private:
  FileLock held_;
};

}  // namespace

Result<std::unique_ptr<Files>> FolderFiles::open(const std::string& root, Create create) {
  std::string path = root;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (path.empty()) return Error{Code::kInvalid, "the store has no path"};
  auto found = check_marker(path);
  if (!found.ok() && found.error().code == Code::kNotFound && create == Create::kYes)
    found = make_store(path);
  TRY(found);
  return std::unique_ptr<Files>(new FolderFiles(std::move(path)));
}

Error FolderFiles::explain(Error error) const {
  if (error.code != Code::kNotFound || exists(marker_of(root_))) return error;
  return {Code::kUnavailable, "the Holdfast store at " + root_ + " is gone; is the disk mounted?"};
}

Result<Bytes> FolderFiles::get(const std::string& path, std::uint64_t limit) {
  auto bytes = read_file(full(path), limit);
  if (bytes.ok()) return bytes;
  Error error = std::move(bytes).error();
  if (error.code == Code::kInvalid) error.code = Code::kCorrupt;
  return explain(std::move(error));
}

Result<void> FolderFiles::make_parent(const std::string& path) const {
  // Under an empty mount point there is no marker, and nothing is made.
  TRY(check_marker(root_));
  return make_dirs(parent_of(full(path)));
}

Result<void> FolderFiles::create(const std::string& path, BytesView bytes) {
  auto done = create_file(full(path), bytes);
  if (done.ok() || done.error().code != Code::kNotFound) return done;
  if (auto made = make_parent(path); !made.ok()) return explain(std::move(made).error());
  return create_file(full(path), bytes);
}

Result<void> FolderFiles::replace(const std::string& path, BytesView bytes) {
  auto done = replace_file(full(path), bytes);
  if (done.ok() || done.error().code != Code::kNotFound) return done;
  if (auto made = make_parent(path); !made.ok()) return explain(std::move(made).error());
  return replace_file(full(path), bytes);
}

Result<void> FolderFiles::remove(const std::string& path) {
  const std::string name = full(path);
  if (::unlink(name.c_str()) != 0) {
    Error error = explain(io_error("remove", name, errno));
    if (error.code == Code::kNotFound) return Ok{};
    return error;
  }
  return sync_path(parent_of(name), O_DIRECTORY);
}

Result<void> FolderFiles::persist(const std::string& path) {
  if (auto synced = sync_path(full(path), 0); !synced.ok())
    return explain(std::move(synced).error());
  return sync_path(parent_of(full(path)), O_DIRECTORY);
}

Result<FileInfo> FolderFiles::info(const std::string& path) {
  const std::string name = full(path);
  struct stat st{};
  if (::stat(name.c_str(), &st) != 0) return explain(io_error("stat", name, errno));
  if (!S_ISREG(st.st_mode)) return Error{Code::kCorrupt, name + " is not a regular file"};
  return FileInfo{static_cast<std::uint64_t>(st.st_size),
                  st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000};
}

Result<std::vector<std::string>> FolderFiles::list(const std::string& folder) {
  auto names = list_dir(full(folder));
  if (names.ok()) return names;
  Error error = explain(std::move(names).error());
  if (error.code == Code::kNotFound) return std::vector<std::string>{};
  return error;
}

Result<std::unique_ptr<Files::Lock>> FolderFiles::lock() {
  // Asked first, because taking the lock makes its file.
  if (auto here = check_marker(root_); !here.ok()) return explain(std::move(here).error());
  FileLock held = TRY(FileLock::acquire(full("lock")));
  return std::unique_ptr<Files::Lock>(std::make_unique<FolderLock>(std::move(held)));
}

}  // namespace holdfast::store
