// For this module's tests: a folder that goes with the test, and what an outcome was.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"

namespace holdfast::server {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string path = std::filesystem::temp_directory_path() / "holdfast-server-XXXXXX";
    HF_CHECK(::mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// nullopt: it went well.
template <class T>
std::optional<Code> code(const Result<T>& result) {
  if (result.ok()) return std::nullopt;
  return result.error().code;
}

}  // namespace holdfast::server
