// The roots of a walk: from what was typed to absolute paths, none within another, and the tree of
// directories above them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::archive {

// Absolute paths with their parents resolved, sorted as a manifest is, overlaps dropped. A root
// that is itself a symlink stays one, unless it was typed with a '/', "." or ".." at its end.
Result<std::vector<std::string>> resolve_roots(const std::vector<std::string>& typed);

// One node for each component from "/" to the roots; the leaves are the roots.
struct RootTree {
  std::map<std::string, RootTree> below;
};
RootTree tree_of(const std::vector<std::string>& roots);

}  // namespace holdfast::archive
