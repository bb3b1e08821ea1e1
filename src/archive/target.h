// Writes entries below a target directory and nowhere else: by directory handles, never through a
// symlink, never with a name that is "..", absolute, or not one component.
//
// A restore runs in passes over the same entries in manifest order:
//   1. place() every entry: makes directories (0700 for now), and gives jobs for the others, which
//      any thread may run;
//   2. when all jobs have run, link() every entry: acts on those for which place() said Later, and
//      needs the directories to find its way;
//   3. finish() every entry: acts on directories: owner, mode, times, xattrs, once nothing in them
//      changes any more.
// Then sync(). Pass 2 may be left out if place() never said Later, and in pass 3 only the
// directories are needed.
//
// A file appears under its name only when it is whole: it is written as ".holdfast-restore-..." in
// the same directory and renamed. A restore that is killed leaves such a name behind; nothing
// removes it but the person.
//
// A directory that stands already is used, and gets the attributes of its entry, in every mode: so
// a restore that was killed is finished by running it again with kNever.
#pragma once

#include <memory>
#include <variant>

#include "archive/format.h"
#include "archive/problem.h"
#include "base/file.h"

namespace holdfast::archive {

enum class Overwrite { kNever, kOlder, kAlways };

// Where a file's bytes come from; each call reads the next piece. Called from one thread.
class ContentSource {
 public:
  virtual ~ContentSource() = default;
  struct Piece {
    BytesView data;          // valid until the next call; empty for a hole
    std::uint64_t hole = 0;  // length of a hole
  };
  // nullopt at the end. The sum of the pieces must be entry.size or the file is not written.
  virtual Result<std::optional<Piece>> next() = 0;
};

struct TargetOptions {
  std::string directory = {};  // made if absent
  Overwrite overwrite = Overwrite::kNever;
  bool dry_run = false;
  bool numeric_ids = false;  // owner by id, not by name
};

class Target;

// One file, symlink, FIFO or device to be made. Movable between threads.
class PlaceJob {
 public:
  PlaceJob(PlaceJob&&) noexcept;
  PlaceJob& operator=(PlaceJob&&) noexcept;
  ~PlaceJob();
  const Entry& entry() const;
  const std::string& path() const;  // below the target, for messages
  // Once. Files read `content`, the others ignore it. A failure leaves nothing behind under the
  // name: kCorrupt when the content is not as long as the entry says, kConflict when something
  // came to stand there meanwhile that the overwrite mode protects.
  // Notes (an owner that needs root, an xattr the file system has not) go to `findings`, which
  // the caller guards.
  Result<void> run(ContentSource& content, Findings& findings);

 private:
  friend class Target;
  struct State;
  explicit PlaceJob(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct Later {};  // a further name of a file that is being made: link() it in pass 2
struct Skipped {
  std::string reason;  // one sentence: exists, newer, inside a directory that failed
};
struct Made {};  // a directory stands
using Placed = std::variant<Made, PlaceJob, Later, Skipped>;

class Target {
 public:
  static Result<Target> open(TargetOptions options);
  Target(Target&&) noexcept;
  ~Target();

  // Entries must come in manifest order; `entry.depth` counts from the target. kInvalid for a name
  // that would leave it. kConflict when something else stands in the way of a directory, or a
  // directory in the way of something else. What lies in a directory that failed is Skipped.
  Result<Placed> place(const Entry& entry);
  // kConflict when the file it should share was not restored.
  Result<void> link(const Entry& entry, Findings& findings);
  // Failures of directories that are left go to `findings`, the result is about `entry`.
  Result<void> finish(const Entry& entry, Findings& findings);
  // Start of the next pass: place/link/finish begin at the first entry again. finish() acts on a
  // directory when the walk leaves it; end_pass() leaves those still open.
  void begin_pass();
  Result<void> end_pass(Findings& findings);
  // Returns when all that was written is on the disk (one syncfs).
  Result<void> sync();
  // Of the last entry that place(), link() or finish() was called with: below the target, "a/b/c".
  const std::string& path() const;

 private:
  struct State;
  explicit Target(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::archive
