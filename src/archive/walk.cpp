#include "archive/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

#include "archive/attributes.h"
#include "archive/dir_stack.h"
#include "archive/roots.h"

namespace holdfast::archive {
namespace {

// How far a walk on its own thread is ahead. Each hand-over may wake a thread, which costs more
// than to walk a directory. What is queued holds directories open: five batches, a third of the
// descriptors that a process may have.
constexpr std::size_t kAhead = 2048;
constexpr std::size_t kAheadBatches = 3;
std::size_t directories_in_batch() {
  struct rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 4;
  return std::clamp<std::size_t>(limit.rlim_cur / 15, 1, 128);
}

constexpr const char* kCacheTag = "CACHEDIR.TAG";
constexpr std::string_view kCacheSignature = "Signature: 8a477f597d28d172789f06886806bc55";

// O_NOATIME leaves no trace of the backup, but is for owners only. O_NONBLOCK: a FIFO that took the
// place of a file does not hang us.
Fd open_quietly(int parent, const char* name, int flags) {
  flags |= O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  Fd fd(::openat(parent, name, flags | O_NOATIME));
  if (!fd.valid() && errno == EPERM) fd = Fd(::openat(parent, name, flags));
  return fd;
}

struct Listing {
  std::vector<std::string> names;  // sorted by their bytes
  int error = 0;                   // what ended it early
};

Listing list_names(int directory, std::span<char> buffer) {
  Listing listing;
  for (;;) {
    const ssize_t size = ::getdents64(directory, buffer.data(), buffer.size());
    if (size < 0) listing.error = errno;
    if (size <= 0) break;
    for (ssize_t at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") listing.names.emplace_back(name);
      at += entry->d_reclen;
    }
  }
  std::ranges::sort(listing.names);
  return listing;
}

// File systems that the kernel makes up as they are read: there is nothing in them to restore, and
// much that fails to be read.
bool is_made_up(int directory) {
  struct statfs fs{};
  if (::fstatfs(directory, &fs) != 0) return false;
  constexpr std::array<std::uint32_t, 14> kMagics = {
      PROC_SUPER_MAGIC, SYSFS_MAGIC,        CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
      DEBUGFS_MAGIC,    TRACEFS_MAGIC,      SECURITYFS_MAGIC,   SELINUX_MAGIC,
      BPF_FS_MAGIC,     DEVPTS_SUPER_MAGIC, BINFMTFS_MAGIC,     NSFS_MAGIC,
      PSTOREFS_MAGIC,   EFIVARFS_MAGIC};
  return std::ranges::count(kMagics, static_cast<std::uint32_t>(fs.f_type)) > 0;
}

bool is_tagged_cache(int directory) {
  struct stat st{};
  if (::fstatat(directory, kCacheTag, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
    return false;
  const Fd fd = open_quietly(directory, kCacheTag, 0);
  std::string begin(kCacheSignature.size(), '\0');
  return fd.valid() &&
         ::pread(fd.get(), begin.data(), begin.size(), 0) == static_cast<ssize_t>(begin.size()) &&
         begin == kCacheSignature;
}

}  // namespace

struct Walker::State {
  // What is left to visit in a directory.
  struct Level {
    std::vector<std::string> names;
    std::size_t next = 0;
    const RootTree* above = nullptr;  // a directory above roots: only what leads to them
    std::uint64_t device = 0;         // of the root it belongs to
  };

  std::vector<std::string> roots;
  RootTree tree;
  bool one_file_system = false;
  Filter filter;
  Findings findings;
  DirStack stack;
  std::vector<Level> levels;
  std::vector<char> listing_buffer = std::vector<char>(64 * 1024);

  void enter_start();
  std::optional<Found> visit(const std::string& name);
  std::optional<Found> visit_directory(const std::string& name, Found found, const RootTree* node);
  Level list(int directory, const std::string& path);
  void leave();
  void problem(const std::string& path, std::string reason) {
    findings.problems.push_back({path, std::move(reason)});
  }
  void note(const std::string& path, std::string reason) {
    findings.notes.push_back({path, std::move(reason)});
  }
  bool is_excluded(const std::string& path, const Status& status) const {
    return (filter.nodump && (status.stx_attributes & STATX_ATTR_NODUMP) != 0) ||
           filter.excludes_itself(path);
  }
};

void Walker::State::enter_start() {
  const int root = stack.root()->get();
  if (!tree.below.empty()) {
    Level level;
    level.above = &tree;
    for (const auto& [name, node] : tree.below) level.names.push_back(name);
    levels.push_back(std::move(level));
    return;
  }
  levels.push_back(list(root, "/"));
  levels.back().device = stack.top_identity().device;
}

Walker::State::Level Walker::State::list(int directory, const std::string& path) {
  Level level;
  Listing listing = list_names(directory, listing_buffer);
  if (listing.error != 0)
    problem(path, std::string("the folder could not be read to its end: ") +
                      std::strerror(listing.error));
  level.names = std::move(listing.names);
  if (filter.caches && std::ranges::binary_search(level.names, kCacheTag) &&
      is_tagged_cache(directory))
    level.names = {kCacheTag};
  return level;
}

std::optional<Found> Walker::State::visit(const std::string& name) {
  Found found;
  found.path = "/" + stack.path_of(name);
  const RootTree* const above = levels.back().above;
  auto parent = stack.top();
  if (!parent.ok()) {
    problem("/" + stack.path(), parent.error().message + "; what was left in it is not saved");
    levels.back().next = levels.back().names.size();
    return std::nullopt;
  }
  found.parent = std::move(*parent);
  const int at = found.parent->get();
  found.name = to_bytes(as_bytes(name));
  found.depth = static_cast<std::uint32_t>(stack.depth());
  const auto status = read_status(at, name, found.path);
  if (!status.ok()) {
    if (status.error().code != Code::kNotFound)
      problem(found.path, status.error().message);
    else if (above != nullptr)
      problem(found.path, "it vanished before it could be read");
    else
      note(found.path, "it vanished while being read");
    return std::nullopt;
  }
  if (above == nullptr && is_excluded(found.path, *status)) return std::nullopt;
  const auto kind = kind_of(*status);
  if (!kind) {
    const bool socket = (status->stx_mode & S_IFMT) == S_IFSOCK;
    note(found.path, socket ? "it is a socket, which holds nothing that could be saved"
                            : "it is of an unknown kind and was skipped");
    return std::nullopt;
  }
  found.kind = *kind;
  found.status = *status;
  const RootTree* const node = above != nullptr ? &above->below.at(name) : nullptr;
  if (*kind == EntryKind::kDirectory) return visit_directory(name, std::move(found), node);
  if (node != nullptr && !node->below.empty())
    problem(found.path,
            "it was replaced by something that is no folder; what was to be saved in it "
            "is missing");
  return found;
}

// The directory is opened before it is described, so that attributes and contents are of the same
// one even when it is replaced meanwhile.
std::optional<Found> Walker::State::visit_directory(const std::string& name, Found found,
                                                    const RootTree* node) {
  const bool is_above = node != nullptr && !node->below.empty();
  const bool is_root = node != nullptr && node->below.empty();
  const int parent = found.parent->get();
  const auto is_other_device = [&](const Status& status) {
    return one_file_system && node == nullptr && device_of(status) != levels.back().device;
  };
  if (is_other_device(found.status)) return found;

  Fd fd = is_above
              ? Fd(::openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
              : open_quietly(parent, name.c_str(), O_DIRECTORY);
  if (!fd.valid()) {
    if (errno == ENOENT) {
      note(found.path, "it vanished while being read");
      return std::nullopt;
    }
    problem(found.path, std::string("the folder could not be opened, so what is in it is not "
                                    "saved: ") +
                            std::strerror(errno));
    return found;
  }
  const auto opened = read_status(fd.get(), "", found.path);
  if (!opened.ok()) {
    problem(found.path, opened.error().message);
    return std::nullopt;
  }
  found.status = *opened;
  found.self = std::make_shared<const Fd>(std::move(fd));
  if (is_other_device(*opened)) return found;
  const bool is_mount = node == nullptr && device_of(*opened) != stack.top_identity().device;
  if (is_mount && is_made_up(found.self->get())) {
    note(found.path, "what is in it is made up by the kernel as it is read and was not saved");
    return found;
  }

  Level level;
  if (is_above) {
    level.above = node;
    for (const auto& [below, unused] : node->below) level.names.push_back(below);
  } else {
    level = list(found.self->get(), found.path);
    level.device = is_root ? device_of(*opened) : levels.back().device;
  }
  stack.push(name, found.self, {device_of(*opened), opened->stx_ino});
  levels.push_back(std::move(level));
  return found;
}

void Walker::State::leave() {
  levels.pop_back();
  if (!levels.empty()) stack.pop();
}

Walker::Walker(std::unique_ptr<State> state) : state_(std::move(state)) {}
Walker::Walker(Walker&&) noexcept = default;
Walker& Walker::operator=(Walker&&) noexcept = default;
Walker::~Walker() = default;

Result<Walker> Walker::open(WalkOptions options) {
  std::vector<std::string> roots = TRY(resolve_roots(options.roots));
  RootTree tree = tree_of(roots);
  const int access = tree.below.empty() ? O_RDONLY : O_PATH;
  Fd root(::open("/", access | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return io_error("open", "/", errno);
  const FileIdentity identity = TRY(identity_of(root.get()));
  std::unique_ptr<State> state(new State{.roots = std::move(roots),
                                         .tree = std::move(tree),
                                         .one_file_system = options.one_file_system,
                                         .filter = std::move(options.filter),
                                         .findings = {},
                                         .stack = DirStack(std::move(root), identity),
                                         .levels = {}});
  state->enter_start();
  return Walker(std::move(state));
}

const std::vector<std::string>& Walker::roots() const { return state_->roots; }
Findings& Walker::findings() { return state_->findings; }

std::optional<Found> Walker::next() {
  auto& levels = state_->levels;
  while (!levels.empty()) {
    State::Level& level = levels.back();
    if (level.next == level.names.size()) {
      state_->leave();
      continue;
    }
    const std::string name = std::move(level.names[level.next++]);
    if (auto found = state_->visit(name)) return found;
  }
  return std::nullopt;
}

std::optional<Entry> describe(const Found& found, Accounts& accounts, Findings& findings) {
  const bool opened = found.self != nullptr;
  const std::string name(opened ? std::string_view() : as_text(found.name));
  auto attributes = read_attributes(opened ? found.self->get() : found.parent->get(), name,
                                    found.status, found.path, accounts);
  if (!attributes.ok()) {
    if (attributes.error().code == Code::kNotFound)
      findings.notes.push_back({found.path, "it vanished while being read"});
    else
      findings.problems.push_back({found.path, attributes.error().message});
    return std::nullopt;
  }
  for (std::string& sentence : attributes->lost)
    findings.notes.push_back({found.path, std::move(sentence)});
  attributes->entry.name = found.name;
  attributes->entry.depth = found.depth;
  return std::move(attributes->entry);
}

WalkAhead::WalkAhead(Walker& walker)
    : queue_(kAheadBatches), thread_([this, &walker] { walk(walker); }) {}

WalkAhead::~WalkAhead() { queue_.close(); }

void WalkAhead::walk(Walker& walker) {
  Batch batch;
  const std::size_t most = directories_in_batch();
  std::size_t directories = 0;
  while (auto found = walker.next()) {
    if (found->self != nullptr) ++directories;
    batch.push_back(std::move(*found));
    if (batch.size() < kAhead && directories < most) continue;
    if (!queue_.push(std::exchange(batch, {}))) return;
    directories = 0;
  }
  if (!batch.empty()) queue_.push(std::move(batch));
  queue_.close();
}

std::optional<Found> WalkAhead::next() {
  if (at_ == batch_.size()) {
    auto batch = queue_.pop();
    if (!batch) return std::nullopt;
    batch_ = std::move(*batch);
    at_ = 0;
  }
  return std::move(batch_[at_++]);
}

Result<Entry> read_entry(const Fd& parent, const Bytes& name, std::uint32_t depth) {
  const std::string text(as_text(name));
  const Status status = TRY(read_status(parent.get(), text, text));
  if (!kind_of(status)) return Error{Code::kInvalid, text + " became a socket"};
  Accounts accounts;
  Entry entry = TRY(read_attributes(parent.get(), text, status, text, accounts)).entry;
  entry.depth = depth;
  return entry;
}

}  // namespace holdfast::archive
