// Reads what a file system keeps of a file beside its contents: mode, owner, times, extended
// attributes (POSIX ACLs are among them). Never follows a symlink, never opens a FIFO or a device.
#pragma once

#include <sys/stat.h>

#include <optional>

#include "archive/accounts.h"
#include "archive/format.h"
#include "base/file.h"

namespace holdfast::archive {

using Status = struct statx;

// Of `name` in `parent`, or of `parent` itself (opened to read or by O_PATH) for an empty name.
// `shown` is its path for messages. kNotFound: it is gone.
Result<Status> read_status(int parent, const std::string& name, std::string_view shown);

std::uint64_t device_of(const Status& status);

// nullopt: a socket, or a kind of file that no restore could make.
std::optional<EntryKind> kind_of(const Status& status);

struct Attributes {
  Entry entry;                    // everything but content
  std::vector<std::string> lost;  // sentences: extended attributes that could not be read
};

// `status` is what read_status() said of the same file, of a kind that kind_of() knows.
Result<Attributes> read_attributes(int parent, const std::string& name, const Status& status,
                                   std::string_view shown, Accounts& accounts);

}  // namespace holdfast::archive
