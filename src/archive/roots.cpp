#include "archive/roots.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "base/file.h"

namespace holdfast::archive {
namespace {

std::vector<std::string> components_of(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (end > 0) parts.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return parts;
}

std::string join(const std::vector<std::string>& parts) {
  std::string path;
  for (const std::string& part : parts) path += '/' + part;
  return path.empty() ? "/" : path;
}

Error root_error(const std::string& typed, int error) {
  if (error == ENOENT || error == ENOTDIR)
    return {Code::kNotFound, "there is nothing to back up at " + typed + ": it does not exist"};
  if (error == ENAMETOOLONG)
    return {Code::kInvalid,
            "the path " + typed + " is too long to be typed; name a folder above it"};
  return io_error("find", typed, error);
}

struct Free {
  void operator()(char* text) const { std::free(text); }
};

Result<std::string> real_path(const std::string& path, const std::string& typed) {
  const std::unique_ptr<char, Free> real(::realpath(path.c_str(), nullptr));
  if (!real) return root_error(typed, errno);
  return std::string(real.get());
}

Result<std::string> resolve(const std::string& typed) {
  if (typed.empty()) return Error{Code::kInvalid, "the path of what to back up is empty"};
  const std::size_t slash = typed.rfind('/');
  const std::string last = slash == typed.npos ? typed : typed.substr(slash + 1);
  if (last.empty() || last == "." || last == "..") return real_path(typed, typed);
  const std::string parent = slash == typed.npos ? "." : typed.substr(0, slash + 1);
  std::string path = TRY(real_path(parent, typed));
  if (path.back() != '/') path += '/';
  path += last;
  struct stat st{};
  if (::lstat(path.c_str(), &st) != 0) return root_error(typed, errno);
  return path;
}

bool is_within(const std::vector<std::string>& path, const std::vector<std::string>& root) {
  return path.size() >= root.size() && std::equal(root.begin(), root.end(), path.begin());
}

}  // namespace

Result<std::vector<std::string>> resolve_roots(const std::vector<std::string>& typed) {
  if (typed.empty()) return Error{Code::kInvalid, "nothing to back up was named"};
  std::vector<std::vector<std::string>> paths;
  paths.reserve(typed.size());
  for (const std::string& root : typed) paths.push_back(components_of(TRY(resolve(root))));
  std::ranges::sort(paths);  // by components: what is below a root follows it
  std::vector<std::vector<std::string>> kept;
  for (auto& path : paths)
    if (kept.empty() || !is_within(path, kept.back())) kept.push_back(std::move(path));
  std::vector<std::string> roots;
  roots.reserve(kept.size());
  for (const auto& path : kept) roots.push_back(join(path));
  return roots;
}

RootTree tree_of(const std::vector<std::string>& roots) {
  RootTree tree;
  for (const std::string& root : roots) {
    RootTree* at = &tree;
    for (const std::string& part : components_of(root)) at = &at->below[part];
  }
  return tree;
}

}  // namespace holdfast::archive
