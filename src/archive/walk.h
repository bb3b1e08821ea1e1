// Walks file trees for a backup, by directory handles, so that no path is too long or too deep and
// none is followed out of the tree through a symlink that is swapped in.
#pragma once

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "archive/attributes.h"
#include "archive/filter.h"
#include "archive/format.h"
#include "archive/problem.h"
#include "base/file.h"
#include "base/queue.h"

namespace holdfast::archive {

struct WalkOptions {
  std::vector<std::string> roots = {};  // as typed; relative, doubled, overlapping and "." are fine
  bool one_file_system = false;
  Filter filter = {};  // holds below the roots: what is asked for by name is saved
};

// Something that is to be saved, as a look at it showed; its attributes are read by describe().
struct Found {
  Bytes name;
  std::uint32_t depth = 0;
  EntryKind kind{};
  Status status;
  // openat(parent, name, ...). May be O_PATH. Holding it keeps a descriptor open, of which there is
  // one for each directory: a queue of these needs a bound.
  std::shared_ptr<const Fd> parent;
  std::shared_ptr<const Fd> self;  // a directory that was opened: the one whose contents follow
  std::string path;                // absolute, for messages
};

// Everything but content. nullopt: it could not be read, and `findings` says why.
std::optional<Entry> describe(const Found& found, Accounts& accounts, Findings& findings);

class Walker {
 public:
  // kNotFound when a root does not exist, kInvalid when there is none. Roots become absolute with
  // their parents resolved (a root that is itself a symlink is saved as one); a root inside
  // another is dropped.
  static Result<Walker> open(WalkOptions options);
  Walker(Walker&&) noexcept;
  Walker& operator=(Walker&&) noexcept;
  ~Walker();

  const std::vector<std::string>& roots() const;  // absolute, sorted, none within another

  // Entries in manifest order, the parents of each root first (their own attributes, no siblings);
  // nullopt at the end. Paths that cannot be read go to findings() (a directory whose contents
  // cannot be read is still an entry); sockets and what vanished meanwhile are noted and skipped,
  // and so is what lies in mounts such as /proc and /sys, unless they were named as roots.
  std::optional<Found> next();
  // For hints of progress: entries seen so far never shrink.
  Findings& findings();

 private:
  struct State;
  explicit Walker(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A walk on a thread of its own, a few hundred entries ahead of who takes them.
class WalkAhead {
 public:
  explicit WalkAhead(Walker& walker);  // nobody else uses it meanwhile
  ~WalkAhead();
  WalkAhead(const WalkAhead&) = delete;
  WalkAhead& operator=(const WalkAhead&) = delete;
  // After the end the walker's findings are complete.
  std::optional<Found> next();

 private:
  using Batch = std::vector<Found>;
  void walk(Walker& walker);

  BoundedQueue<Batch> queue_;
  Batch batch_;
  std::size_t at_ = 0;
  std::jthread thread_;
};

// Reads the attributes of `name` in `parent` again, without following it. For a file that changed
// while it was read. kNotFound when it is gone, kInvalid when it became a socket.
Result<Entry> read_entry(const Fd& parent, const Bytes& name, std::uint32_t depth);

}  // namespace holdfast::archive
