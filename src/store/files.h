// Durable named byte objects: what a store needs of the place it lives in.
//
// A path is relative, its parts are joined by '/', and folders come and go by themselves. What
// create, replace, remove and persist report done survives a power cut. Safe from several threads
// and, for a folder, several processes.
//
// Not trusted: whoever controls the place can lose, change or add objects; sizes are bounded here,
// and contents are checked by whoever reads them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"

namespace holdfast::store {

struct FileInfo {
  std::uint64_t size = 0;
  TimeMs modified_ms = 0;  // as the place believes
};

class Files {
 public:
  virtual ~Files() = default;

  // kNotFound: no such object. kCorrupt: larger than `limit`, or not an object.
  // kUnavailable (of every function): the place itself is gone or out of order.
  virtual Result<Bytes> get(const std::string& path, std::uint64_t limit) = 0;
  // Never replaces: kConflict if the object exists. Whole or not at all.
  virtual Result<void> create(const std::string& path, BytesView bytes) = 0;
  // create() of each, in this order: a failure or a crash leaves the first few, or none. A place
  // that can does all of it, or nothing, at the price of one.
  struct New {
    std::string path;
    BytesView bytes;
  };
  virtual Result<void> create_all(const std::vector<New>& files);
  // Creates or replaces. Readers see the old bytes or the new, nothing else.
  virtual Result<void> replace(const std::string& path, BytesView bytes) = 0;
  // Nothing there is success.
  virtual Result<void> remove(const std::string& path) = 0;
  // Makes an object durable that another, perhaps killed in the middle, has put there. kNotFound.
  virtual Result<void> persist(const std::string& path) = 0;
  // kNotFound.
  virtual Result<FileInfo> info(const std::string& path) = 0;
  // Names of what lies directly under a folder, objects and folders, sorted; none if it is absent.
  virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;

  // The one exclusive lock of the place, held while the value lives. Waits for it. Everything else
  // works without it.
  class Lock {
   public:
    virtual ~Lock() = default;
  };
  virtual Result<std::unique_ptr<Lock>> lock() = 0;

  // For messages.
  virtual std::string place() const = 0;
};

// In memory.
class MemoryFiles final : public Files {
 public:
  Result<Bytes> get(const std::string& path, std::uint64_t limit) override;
  Result<void> create(const std::string& path, BytesView bytes) override;
  Result<void> replace(const std::string& path, BytesView bytes) override;
  Result<void> remove(const std::string& path) override;
  Result<void> persist(const std::string& path) override;
  Result<FileInfo> info(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Result<std::unique_ptr<Lock>> lock() override;
  std::string place() const override { return "memory"; }

 private:
  struct Object {
    Bytes bytes;
    TimeMs modified_ms = 0;
  };
  std::mutex exclusive_;
  Mutex mutex_;
  std::map<std::string, Object> objects_ HF_GUARDED_BY(mutex_);
};

enum class Create { kNo, kYes };

// A folder. `holdfast-store` in it says that it is one, and of which version; without it nothing
// is read or written, so that an empty mount point is never taken for a store.
class FolderFiles final : public Files {
 public:
  // kNo: kNotFound when there is no store. kYes: makes one where there is none, in a folder that is
  // empty or does not exist (its parent must), once the file system has shown that it keeps the
  // promises above; kInvalid when it does not. kOutdated: a store of a later version.
  static Result<std::unique_ptr<Files>> open(const std::string& root, Create create);

  Result<Bytes> get(const std::string& path, std::uint64_t limit) override;
  Result<void> create(const std::string& path, BytesView bytes) override;
  Result<void> replace(const std::string& path, BytesView bytes) override;
  Result<void> remove(const std::string& path) override;
  Result<void> persist(const std::string& path) override;
  Result<FileInfo> info(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Result<std::unique_ptr<Lock>> lock() override;
  std::string place() const override { return root_; }

 private:
  explicit FolderFiles(std::string root) : root_(std::move(root)) {}
  std::string full(const std::string& path) const { return root_ + "/" + path; }
  // Turns "not found" into "the store is gone" when that is so.
  Error explain(Error error) const;
  Result<void> make_parent(const std::string& path) const;

  const std::string root_;
};

}  // namespace holdfast::store
