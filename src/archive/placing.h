// How one name appears in a directory: under a temporary name first, then renamed as the overwrite
// mode allows. Shared by files, hard links and everything else a restore makes.
#pragma once

#include <optional>

#include "archive/attributes.h"
#include "archive/dir_stack.h"
#include "archive/set_attributes.h"
#include "archive/target.h"

namespace holdfast::archive {

// Where an entry goes.
struct Spot {
  DirStack::Handle parent;
  std::string name;
  std::string path;  // below the target, for messages
};

// What stands there; nullopt: nothing.
Result<std::optional<Status>> look_at(const Spot& spot);

// Why an entry with this mtime is not to be put there: a sentence. kConflict: a directory stands
// there.
Result<std::optional<std::string>> reason_to_skip(const Spot& spot, Overwrite overwrite,
                                                  FileTime mtime);

// One name ".holdfast-restore-..." in a directory, removed again unless it appeared.
class Temporary {
 public:
  explicit Temporary(const Spot& spot) : spot_(spot) {}
  ~Temporary();
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  // `make(name)` makes it and must fail with EEXIST if the name is taken. Gives its errno or 0.
  template <class Make>
  int make(const Make& make) {
    for (int tries = 0; tries < 16; ++tries) {
      name_ = any_name();
      if (make(name_.c_str()) == 0) return 0;
      if (errno != EEXIST) break;
    }
    name_.clear();
    return errno;
  }
  const std::string& name() const { return name_; }

  // Takes its place. kConflict when what stands there must stay.
  Result<void> appear(Overwrite overwrite, FileTime mtime);

 private:
  static std::string any_name();
  Result<void> replace();
  int rename_new();

  const Spot& spot_;
  std::string name_;
};

// The first name of a file with several. Its job writes what became of it, link() reads it.
class FirstName {
 public:
  enum class Fate { kPending, kMade, kStood, kFailed };
  FirstName(EntryKind kind, std::string path, Fate fate)
      : kind_(kind), path_(std::move(path)), fate_(fate) {}

  EntryKind kind() const { return kind_; }
  const std::string& path() const { return path_; }
  void became(Fate fate, FileIdentity identity) {
    const Lock lock(mutex_);
    fate_ = fate;
    identity_ = identity;
  }
  Fate fate() {
    const Lock lock(mutex_);
    return fate_;
  }
  FileIdentity identity() {
    const Lock lock(mutex_);
    return identity_;
  }

 private:
  const EntryKind kind_;
  const std::string path_;
  Mutex mutex_;
  Fate fate_ HF_GUARDED_BY(mutex_);
  FileIdentity identity_ HF_GUARDED_BY(mutex_);
};

struct PlaceJob::State {
  Entry entry;
  Spot spot;
  Owner owner;
  Inherited inherited = Inherited::kPerhaps;
  Overwrite overwrite = Overwrite::kNever;
  bool dry_run = false;
  std::shared_ptr<Losses> losses;
  std::shared_ptr<FirstName> first;  // null unless the file has several names

  ~State();
  Result<void> make(ContentSource& content, Findings& findings);
  Result<void> make_file(ContentSource& content, Findings& findings);
  Result<void> make_other(Findings& findings);
  int make_node(const char* temporary, const std::string& link_target) const;
  Result<void> give(int fd, const struct stat& now, Temporary& temporary, Findings& findings);
};

}  // namespace holdfast::archive
