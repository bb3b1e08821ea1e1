// A mutex that clang's thread-safety analysis understands: members say what guards them.
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define HF_TSA(x) __attribute__((x))
#else
#define HF_TSA(x)
#endif
#define HF_GUARDED_BY(m) HF_TSA(guarded_by(m))
#define HF_REQUIRES(m) HF_TSA(requires_capability(m))

namespace holdfast {

class HF_TSA(capability("mutex")) Mutex {
 public:
  void lock() HF_TSA(acquire_capability()) { mutex_.lock(); }
  void unlock() HF_TSA(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class HF_TSA(scoped_lockable) Lock {
 public:
  explicit Lock(Mutex& mutex) HF_TSA(acquire_capability(mutex)) : mutex_(mutex) { mutex_.lock(); }
  ~Lock() HF_TSA(release_capability()) { mutex_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits with the mutex held on entry and on return.
class Condition {
 public:
  void wait(Mutex& mutex) HF_REQUIRES(mutex) { condition_.wait(mutex); }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable_any condition_;
};

}  // namespace holdfast
