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

Result<void> read_back(Files& files, const std::string& path, BytesView bytes) {
  if (!TRY(holds(files, path, bytes)))
    return Error{Code::kUnavailable, "the file system at " + files.place() +
                                         " does not keep what is written to it: do not use it"};
  return Ok{};
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
  return read_back(files, path, bytes);
}

Result<void> put_named_by_hash(Files& files, const std::string& path, BytesView bytes) {
  const auto created = files.create(path, bytes);
  if (created.ok() || created.error().code != Code::kConflict) return created;
  if (TRY(holds(files, path, bytes))) return files.persist(path);
  return files.replace(path, bytes);
}

// What is there already, from an append that was cut short, takes the long way.
Result<void> commit_with_blobs(Files& files, const std::vector<Blob>& blobs,
                               const std::string& path, BytesView bytes) {
  std::vector<Files::New> all;
  for (const Blob& blob : blobs) all.push_back({blob.path, blob.bytes});
  all.push_back({path, bytes});
  const auto created = files.create_all(all);
  if (created.ok()) return read_back(files, path, bytes);
  if (created.error().code != Code::kConflict) return created;
  for (const Blob& blob : blobs) TRY(put_named_by_hash(files, blob.path, blob.bytes));
  return commit(files, path, bytes);
}

}  // namespace holdfast::store
