// Gives a file that was just made, by its handle, the attributes of an entry.
#pragma once

#include <sys/stat.h>

#include <map>
#include <string>

#include "archive/format.h"
#include "archive/problem.h"
#include "base/mutex.h"

namespace holdfast::archive {

// Tells what could not be set: a note for the first file of each kind of loss, then a count, so
// that a restore without root is not a note for each file. Safe from several threads.
class Losses {
 public:
  // `what` could not be set at `path` because of errno `error`.
  void add(const std::string& what, int error, const std::string& path, Findings& findings);
  // Notes the counts since the last call.
  void report_rest(Findings& findings);

 private:
  struct Count {
    std::string first_path;
    std::uint64_t more = 0;
  };
  Mutex mutex_;
  std::map<std::string, Count> counts_ HF_GUARDED_BY(mutex_);
};

struct Owner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

// Whether a directory may have given what was made in it an ACL.
enum class Inherited { kPerhaps, kNothing };

// Owner, xattrs, mode, time, in this order: changing the owner drops set-id bits and capabilities,
// and an ACL changes the mode. What is as it should be already is not set again. A set-id bit is
// not given to a file that could not be given its owner. `fd` is open for a file, may be O_PATH for
// a directory, and must be for the other kinds. `now`: what it is before. ACLs inherited from the
// directory above are taken away unless the entry has them.
void set_attributes(int fd, const struct stat& now, const Entry& entry, Owner owner,
                    Inherited inherited, const std::string& path, Losses& losses,
                    Findings& findings);

}  // namespace holdfast::archive
