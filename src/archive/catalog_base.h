// The local index as a catalog uses it. For the catalog's own files.
#pragma once

#include <atomic>

#include "archive/catalog.h"

namespace holdfast::archive {

struct Catalog::Base {
  explicit Base(LocalIndex of) : index(std::move(of)) {}
  LocalIndex index;
  std::vector<std::uint32_t> numbers;  // in the catalog, by row
  std::uint32_t last = 0;              // the latest position of its segments
  mutable std::atomic<bool> damaged = false;
};

}  // namespace holdfast::archive
