#include "store/files.h"

namespace holdfast::store {
namespace {

Error absent(const std::string& path) { return {Code::kNotFound, "there is no " + path}; }

class MemoryLock final : public Files::Lock {
 public:
  explicit MemoryLock(std::mutex& mutex) : held_(mutex) {}

 private:
  std::unique_lock<std::mutex> held_;
};

}  // namespace

Result<void> Files::create_all(const std::vector<New>& files) {
  for (const New& file : files) TRY(create(file.path, file.bytes));
  return Ok{};
}

Result<Bytes> MemoryFiles::get(const std::string& path, std::uint64_t limit) {
  const holdfast::Lock guard(mutex_);
  const auto it = objects_.find(path);
  if (it == objects_.end()) return absent(path);
  if (it->second.bytes.size() > limit)
    return Error{Code::kCorrupt, path + " is larger than it may be"};
  return it->second.bytes;
}

Result<void> MemoryFiles::create(const std::string& path, BytesView bytes) {
  const holdfast::Lock guard(mutex_);
  const Object object{to_bytes(bytes), SystemClock().now()};
  if (!objects_.emplace(path, object).second) return Error{Code::kConflict, path + " exists"};
  return Ok{};
}

Result<void> MemoryFiles::replace(const std::string& path, BytesView bytes) {
  const holdfast::Lock guard(mutex_);
  objects_[path] = {to_bytes(bytes), SystemClock().now()};
  return Ok{};
}

Result<void> MemoryFiles::remove(const std::string& path) {
  const holdfast::Lock guard(mutex_);
  objects_.erase(path);
  return Ok{};
}

Result<void> MemoryFiles::persist(const std::string& path) {
  TRY(info(path));
  return Ok{};
}

Result<FileInfo> MemoryFiles::info(const std::string& path) {
  const holdfast::Lock guard(mutex_);
  const auto it = objects_.find(path);
  if (it == objects_.end()) return absent(path);
  return FileInfo{it->second.bytes.size(), it->second.modified_ms};
}

Result<std::vector<std::string>> MemoryFiles::list(const std::string& folder) {
  const std::string prefix = folder + "/";
  const holdfast::Lock guard(mutex_);
  std::vector<std::string> names;
  for (auto it = objects_.lower_bound(prefix); it != objects_.end(); ++it) {
    if (!it->first.starts_with(prefix)) break;
    const std::string rest = it->first.substr(prefix.size());
    const std::string name = rest.substr(0, rest.find('/'));
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  return names;
}

Result<std::unique_ptr<Files::Lock>> MemoryFiles::lock() {
  return std::unique_ptr<Files::Lock>(std::make_unique<MemoryLock>(exclusive_));
}

}  // namespace holdfast::store
