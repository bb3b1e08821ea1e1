// Counters that a long operation moves and a display reads, from another thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace holdfast::archive {

struct Progress {
  std::atomic<std::uint64_t> files{0};         // finished
  std::atomic<std::uint64_t> bytes{0};         // of content: read, reused or written
  std::atomic<std::uint64_t> stored_bytes{0};  // sent to the store, or read from it
  std::atomic<std::uint64_t> total_files{0};   // 0 while unknown
  std::atomic<std::uint64_t> total_bytes{0};
};

}  // namespace holdfast::archive
