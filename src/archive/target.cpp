#include "archive/target.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <unordered_map>

#include "archive/dir_stack.h"
#include "archive/placing.h"

namespace holdfast::archive {
namespace {

struct IdentityHash {
  std::size_t operator()(const FileIdentity& identity) const {
    return std::hash<std::uint64_t>()(identity.inode * 0x9e3779b97f4a7c15U ^ identity.device);
  }
};

// Why this name may not be made, or nothing.
std::optional<Error> bad_name(const Entry& entry, const std::string& path) {
  const std::string_view name = as_text(entry.name);
  if (!name.empty() && name.size() <= 255 && name != "." && name != ".." &&
      name.find('/') == name.npos && name.find('\0') == name.npos)
    return std::nullopt;
  return Error{
      Code::kInvalid,
      "the stored name " + path + " is none a folder can hold, or leads out of it; it was refused"};
}

bool has_several_names(const Entry& entry) {
  return entry.links > 1 && entry.kind != EntryKind::kDirectory;
}

struct OpenDirectory {
  DirStack::Handle handle;
  struct stat status{};
  FileIdentity identity() const { return {status.st_dev, status.st_ino}; }
};

bool gives_no_acl(int directory) {
  const std::string link = "/proc/self/fd/" + std::to_string(directory);
  return ::getxattr(link.c_str(), "system.posix_acl_default", nullptr, 0) < 0 &&
         (errno == ENODATA || errno == ENOTSUP);
}

// By its components from the root, through no symlink.
Result<DirStack::Handle> open_below(DirStack::Handle at, std::string_view path,
                                    const std::string& shown) {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string name(path.substr(0, end));
    Fd fd(::openat(at->get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) return io_error("find again", shown, errno);
    at = std::make_shared<const Fd>(std::move(fd));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return at;
}

}  // namespace

struct Target::State {
  enum class Stand {
    kHere,     // on top of the stack of handles
    kDryRun,   // would be made
    kRefused,  // failed: nothing below it is touched
  };
  struct Level {
    Stand stand{};
    // Made by us and ours alone until finish(): nobody else can enter it, so nothing stands in it
    // yet, and nothing in it inherits an ACL.
    bool ours = false;
    std::size_t path_length = 0;
    std::optional<Entry> finish = {};  // attributes it gets when it is left
  };

  TargetOptions options;
  std::optional<DirStack> stack;  // none: a dry run into a directory that does not exist
  DirStack::Handle root;          // for sync(), beside another thread's walk on the stack
  std::vector<Level> levels;
  std::string path;        // of the last entry
  std::string refused_at;  // the directory of the lowest level kRefused
  Accounts accounts;
  std::shared_ptr<Losses> losses = std::make_shared<Losses>();
  std::unordered_map<FileIdentity, std::shared_ptr<FirstName>, IdentityHash> first_names;

  // What place() found, in the order of the entries, for the passes after it.
  std::vector<FileIdentity> directories;  // zero: refused
  std::vector<bool> later;                // of the files with several names
  std::size_t next_directory = 0;
  std::size_t next_of_several = 0;

  Stand stand() const {
    if (!levels.empty()) return levels.back().stand;
    return stack ? Stand::kHere : Stand::kDryRun;
  }
  bool ours() const { return !levels.empty() && levels.back().ours; }
  Result<void> go_to(const Entry& entry, Findings* findings);
  void leave(Findings* findings);
  void enter(Level level);
  void restart();
  Result<Spot> spot_of(const Entry& entry);
  Result<OpenDirectory> open_directory(const Spot& spot) const;
  Result<Level> make_directory(const Spot& spot);
  Result<Level> place_directory(const Entry& entry);
  Result<Stand> enter_again(const Entry& entry);
  Owner owner_of(const Entry& entry);
  std::string below_refused() const {
    return "it lies in " + refused_at + ", which could not be restored";
  }
  Result<Placed> place_other(const Entry& entry);
  Result<void> link_to(FirstName& first, const Entry& entry);
  Result<FileIdentity> identity_of_first(FirstName& first, const Spot& spot, const Entry& entry);
};

// Makes the directory of `entry` the current one, and `path` that of the entry.
Result<void> Target::State::go_to(const Entry& entry, Findings* findings) {
  while (levels.size() > entry.depth) leave(findings);
  path.resize(levels.empty() ? 0 : levels.back().path_length);
  if (!levels.empty()) path += '/';
  path += as_text(entry.name);
  if (levels.size() < entry.depth)
    return Error{Code::kInvalid, "the stored tree is out of order at " + path};
  return Ok{};
}

void Target::State::leave(Findings* findings) {
  Level level = std::move(levels.back());
  levels.pop_back();
  if (level.stand != Stand::kHere) return;
  const std::string left = stack->path();
  // First out of it: its new mode may forbid to go up from it.
  const DirStack::Handle handle = stack->pop();
  if (!level.finish || findings == nullptr) return;
  if (!handle) {
    findings->problems.push_back(
        {left, "the folder was moved away meanwhile, so it did not get its attributes"});
    return;
  }
  // Opened to read where that is allowed, because O_PATH needs /proc.
  const Fd fd(::openat(handle->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const int at = fd.valid() ? fd.get() : handle->get();
  struct stat now{};
  if (::fstat(at, &now) != 0) {
    findings->problems.push_back({left, io_error("stat", left, errno).message});
    return;
  }
  set_attributes(at, now, *level.finish, owner_of(*level.finish), Inherited::kPerhaps, left,
                 *losses, *findings);
}

void Target::State::enter(Level level) {
  if (level.stand == Stand::kRefused && stand() != Stand::kRefused) refused_at = path;
  level.path_length = path.size();
  levels.push_back(std::move(level));
}

void Target::State::restart() {
  while (!levels.empty()) leave(nullptr);
  next_directory = 0;
  next_of_several = 0;
}

Result<Spot> Target::State::spot_of(const Entry& entry) {
  return Spot{TRY(stack->top()), std::string(as_text(entry.name)), path};
}

Owner Target::State::owner_of(const Entry& entry) {
  if (options.numeric_ids) return {entry.uid, entry.gid};
  return {accounts.uid(entry.user).value_or(entry.uid),
          accounts.gid(entry.group).value_or(entry.gid)};
}

Result<OpenDirectory> Target::State::open_directory(const Spot& spot) const {
  Fd fd(::openat(spot.parent->get(), spot.name.c_str(),
                 O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) {
    const int error = errno;
    if (error != ENOTDIR && error != ELOOP) return io_error("open the folder", spot.path, error);
    const auto standing = TRY(look_at(spot));
    const bool symlink = standing && kind_of(*standing) == EntryKind::kSymlink;
    return Error{
        Code::kConflict,
        (symlink ? "a symlink stands where the folder " : "a file stands where the folder ") +
            spot.path + " belongs; it was left as it is and nothing was written through it"};
  }
  OpenDirectory opened;
  if (::fstat(fd.get(), &opened.status) != 0) return io_error("stat", spot.path, errno);
  opened.handle = std::make_shared<const Fd>(std::move(fd));
  return opened;
}

// Makes or finds it, and puts its handle on the stack.
Result<Target::State::Level> Target::State::make_directory(const Spot& spot) {
  bool is_new = false;
  if (options.dry_run) {
    if (!TRY(look_at(spot))) return Level{Stand::kDryRun};
  } else {
    is_new = ::mkdirat(spot.parent->get(), spot.name.c_str(), 0700) == 0;
    if (!is_new && errno != EEXIST) return io_error("create the folder", spot.path, errno);
  }
  OpenDirectory opened = TRY(open_directory(spot));
  const int fd = opened.handle->get();
  const mode_t mode = opened.status.st_mode & 0777U;
  // A umask, or an ACL inherited from above, may have kept us out of it.
  if (is_new && (mode & 0700U) != 0700U)
    ::chmod(("/proc/self/fd/" + std::to_string(fd)).c_str(), 0700);
  Level level{Stand::kHere};
  // Its owner is asked because another may have been put under its name.
  level.ours = is_new && mode == 0700U && opened.status.st_uid == ::geteuid() &&
               (ours() || gives_no_acl(fd));
  stack->push(spot.name, std::move(opened.handle), opened.identity());
  return level;
}

Result<Target::State::Level> Target::State::place_directory(const Entry& entry) {
  if (stand() != Stand::kHere) return Level{stand()};
  return make_directory(TRY(spot_of(entry)));
}

// In the passes after place().
Result<Target::State::Stand> Target::State::enter_again(const Entry& entry) {
  const std::size_t index = next_directory++;
  if (stand() != Stand::kHere) return stand();
  if (index >= directories.size())
    return Error{Code::kInvalid, "the folder " + path + " was not placed before"};
  if (directories[index] == FileIdentity{}) return Stand::kRefused;  // was told then
  if (bad_name(entry, path)) return Stand::kRefused;
  const Spot spot = TRY(spot_of(entry));
  OpenDirectory opened = TRY(open_directory(spot));
  if (opened.identity() != directories[index])
    return Error{Code::kConflict, "the folder " + path + " was replaced while it was restored"};
  stack->push(spot.name, std::move(opened.handle), opened.identity());
  return Stand::kHere;
}

Result<Placed> Target::State::place_other(const Entry& entry) {
  if (stand() == Stand::kRefused) return Placed(Skipped{below_refused()});
  auto job = std::make_unique<PlaceJob::State>();
  job->spot.path = path;
  std::optional<std::string> skip;
  if (stand() == Stand::kHere) {
    job->spot = TRY(spot_of(entry));
    if (ours())
      job->inherited = Inherited::kNothing;
    else
      skip = TRY(reason_to_skip(job->spot, options.overwrite, entry.mtime));
  }
  if (has_several_names(entry)) {
    auto& first = first_names[{entry.device, entry.inode}];
    if (!first) {
      first = std::make_shared<FirstName>(
          entry.kind, path, skip ? FirstName::Fate::kStood : FirstName::Fate::kPending);
      job->first = first;
    } else if (first->kind() == entry.kind) {
      if (!skip) return Placed(Later{});
    }
  }
  if (skip) return Placed(Skipped{std::move(*skip)});
  job->entry = entry;
  job->owner = owner_of(entry);
  job->overwrite = options.overwrite;
  job->dry_run = options.dry_run;
  job->losses = losses;
  return Placed(PlaceJob(std::move(job)));
}

// The file that carries the first name, if it can be trusted to be the one to share.
Result<FileIdentity> Target::State::identity_of_first(FirstName& first, const Spot& spot,
                                                      const Entry& entry) {
  const std::string what = path + " is another name of " + first.path();
  if (first.fate() == FirstName::Fate::kFailed)
    return Error{Code::kConflict, what + ", which could not be restored"};
  const std::optional<Status> found = TRY(look_at(spot));
  if (!found) return Error{Code::kConflict, what + ", which is gone"};
  const FileIdentity identity{device_of(*found), found->stx_ino};
  const bool is_the_one =
      first.fate() == FirstName::Fate::kMade
          ? identity == first.identity()
          // It stood there before; a restored file has its mtime as soon as it has its name.
          : kind_of(*found) == entry.kind &&
                (entry.kind != EntryKind::kFile || found->stx_size == entry.size) &&
                found->stx_mtime.tv_sec == entry.mtime.seconds &&
                found->stx_mtime.tv_nsec == entry.mtime.nanoseconds;
  if (!is_the_one) return Error{Code::kConflict, what + ", but another file stands there"};
  return identity;
}

Result<void> Target::State::link_to(FirstName& first, const Entry& entry) {
  const std::size_t slash = first.path().rfind('/');
  const std::string above = slash == std::string::npos ? "" : first.path().substr(0, slash);
  const Spot from{TRY(open_below(stack->root(), above, first.path())),
                  first.path().substr(slash + 1), first.path()};
  const FileIdentity identity = TRY(identity_of_first(first, from, entry));
  const Spot spot = TRY(spot_of(entry));
  if (const auto standing = TRY(look_at(spot));
      standing && FileIdentity{device_of(*standing), standing->stx_ino} == identity)
    return Ok{};
  Temporary temporary(spot);
  const int error = temporary.make([&](const char* name) {
    return ::linkat(from.parent->get(), from.name.c_str(), spot.parent->get(), name, 0);
  });
  if (error != 0) return io_error("link " + first.path() + " to", path, error);
  const auto linked = TRY(look_at({spot.parent, temporary.name(), path}));
  if (!linked || FileIdentity{device_of(*linked), linked->stx_ino} != identity)
    return Error{Code::kConflict,
                 first.path() + " was replaced while " + path + " was linked to it"};
  return temporary.appear(options.overwrite, entry.mtime);
}

Target::Target(std::unique_ptr<State> state) : state_(std::move(state)) {}
Target::Target(Target&&) noexcept = default;
Target::~Target() = default;

Result<Target> Target::open(TargetOptions options) {
  if (options.directory.empty())
    return Error{Code::kInvalid, "the folder to restore into has no name"};
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  const std::string& directory = state->options.directory;
  if (!state->options.dry_run) TRY(make_dirs(directory));
  Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    if (state->options.dry_run && errno == ENOENT) return Target(std::move(state));
    return io_error("open the folder to restore into,", directory, errno);
  }
  const FileIdentity identity = TRY(identity_of(fd.get()));
  state->stack.emplace(std::move(fd), identity);
  state->root = state->stack->root();
  return Target(std::move(state));
}

const std::string& Target::path() const { return state_->path; }

Result<Placed> Target::place(const Entry& entry) {
  State& state = *state_;
  TRY(state.go_to(entry, nullptr));
  auto bad = bad_name(entry, state.path);
  if (entry.kind != EntryKind::kDirectory) {
    if (bad && state.stand() != State::Stand::kRefused) {
      if (has_several_names(entry)) state.later.push_back(false);
      return std::move(*bad);
    }
    auto placed = state.place_other(entry);
    if (has_several_names(entry))
      state.later.push_back(placed.ok() && std::holds_alternative<Later>(*placed));
    return placed;
  }
  const bool below_refused = state.stand() == State::Stand::kRefused;
  auto level =
      bad && !below_refused ? Result<State::Level>(std::move(*bad)) : state.place_directory(entry);
  state.enter(level.ok() ? std::move(*level) : State::Level{State::Stand::kRefused});
  const bool here = state.stand() == State::Stand::kHere;
  state.directories.push_back(here ? state.stack->top_identity() : FileIdentity{});
  if (!level.ok()) return std::move(level).error();
  if (below_refused) return Placed(Skipped{state.below_refused()});
  return Placed(Made{});
}

Result<void> Target::link(const Entry& entry, Findings&) {
  State& state = *state_;
  TRY(state.go_to(entry, nullptr));
  if (entry.kind == EntryKind::kDirectory) {
    const auto stand = state.enter_again(entry);
    // finish() will say what is wrong with it.
    state.enter({stand.ok() ? *stand : State::Stand::kRefused});
    return Ok{};
  }
  if (!has_several_names(entry)) return Ok{};
  const std::size_t index = state.next_of_several++;
  if (index >= state.later.size() || !state.later[index]) return Ok{};
  if (state.options.dry_run || state.stand() == State::Stand::kDryRun) return Ok{};
  if (state.stand() == State::Stand::kRefused)
    return Error{Code::kConflict, "the folder above " + state.path + " was replaced meanwhile"};
  const auto first = state.first_names.find({entry.device, entry.inode});
  if (first == state.first_names.end())
    return Error{Code::kInvalid, state.path + " was not placed before"};
  return state.link_to(*first->second, entry);
}

Result<void> Target::finish(const Entry& entry, Findings& findings) {
  State& state = *state_;
  TRY(state.go_to(entry, &findings));
  if (entry.kind != EntryKind::kDirectory) return Ok{};
  const auto stand = state.enter_again(entry);
  state.enter({stand.ok() ? *stand : State::Stand::kRefused});
  if (!stand.ok()) return stand.error();
  if (*stand == State::Stand::kHere && !state.options.dry_run) state.levels.back().finish = entry;
  return Ok{};
}

void Target::begin_pass() { state_->restart(); }

Result<void> Target::end_pass(Findings& findings) {
  while (!state_->levels.empty()) state_->leave(&findings);
  state_->restart();
  state_->losses->report_rest(findings);
  return Ok{};
}

Result<void> Target::sync() {
  if (!state_->root || state_->options.dry_run) return Ok{};
  if (::syncfs(state_->root->get()) != 0)
    return io_error("write to the disk all of", state_->options.directory, errno);
  return Ok{};
}

}  // namespace holdfast::archive
