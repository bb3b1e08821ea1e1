#include "store/commit.h"

#include <algorithm>

namespace holdfast::store {
namespace {

// A damaged object may have any size.
Result<bool> holds(Files& files, const std::string& path, BytesView bytes) {
  const auto now = files.get(path, bytes.size());
  if (now.ok()) return std::ranges::equal(*now, bytes);
  if (now.error().code == Code::kCorrupt) return false;
  return now.error();
}

}  // namespace

Result<void> commit(Files& files, const std::string& path, BytesView bytes) {
  const auto created = files.create(path, bytes);
  if (!created.ok()) {
    if (created.error().code != Code::kConflict) return created;
    if (!TRY(holds(files, path, bytes)))
      return Error{Code::kConflict, "the store has changed since this was made"};
    return files.persist(path);
  }
  if (!TRY(holds(files, path, bytes)))
    return Error{Code::kUnavailable, "the file system at " + files.place() +
                                         " does not keep what is written to it: do not use it"};
  return Ok{};
}

Result<void> put_named_by_hash(Files& files, const std::string& path, BytesView bytes) {
  const auto created = files.create(path, bytes);
  if (created.ok() || created.error().code != Code::kConflict) return created;
  if (TRY(holds(files, path, bytes))) return files.persist(path);
  return files.replace(path, bytes);
}

}  // namespace holdfast::store
