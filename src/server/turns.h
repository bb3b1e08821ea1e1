// So many at a time, and no waiting: who finds no place is told so at once. For what may take long,
// so that it never holds every thread that answers requests.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

namespace holdfast::server {

// Safe from several threads.
class Turns {
 public:
  explicit Turns(int limit) : free_(limit) {}

  // Ends with the turn; before its Turns.
  class Turn {
   public:
    explicit Turn(std::atomic<int>* free) : free_(free) {}

   private:
    struct Give {
      void operator()(std::atomic<int>* free) const { free->fetch_add(1); }
    };
    std::unique_ptr<std::atomic<int>, Give> free_;
  };

  std::optional<Turn> take() {
    for (int free = free_.load(); free > 0;)
      if (free_.compare_exchange_weak(free, free - 1)) return std::optional<Turn>(&free_);
    return std::nullopt;
  }

 private:
  std::atomic<int> free_;
};

}  // namespace holdfast::server
