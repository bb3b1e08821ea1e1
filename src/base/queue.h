// A bounded queue between threads: push blocks while full, pop while empty.
#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "base/mutex.h"

namespace holdfast {

template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  // False once the queue is closed; the item is then dropped.
  bool push(T item) {
    Lock lock(mutex_);
    while (items_.size() >= capacity_ && !closed_) changed_.wait(mutex_);
    if (closed_) return false;
    items_.push_back(std::move(item));
    changed_.notify_all();
    return true;
  }

  // nullopt once the queue is closed and empty.
  std::optional<T> pop() {
    Lock lock(mutex_);
    while (items_.empty() && !closed_) changed_.wait(mutex_);
    if (items_.empty()) return std::nullopt;
    T item = std::move(items_.front());
    items_.pop_front();
    changed_.notify_all();
    return item;
  }

  // No more items come; what is queued is still handed out.
  void close() {
    Lock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  const std::size_t capacity_;
  Mutex mutex_;
  Condition changed_;
  std::deque<T> items_ HF_GUARDED_BY(mutex_);
  bool closed_ HF_GUARDED_BY(mutex_) = false;
};

}  // namespace holdfast
