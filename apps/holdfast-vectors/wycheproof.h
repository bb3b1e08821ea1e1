// Files of Project Wycheproof (https://github.com/C2SP/wycheproof, doc/formats.md): what stands in
// one, and what came of running it.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::vectors {

// A JSON object. Every failure names the field; a byte string is hexadecimal.
class Object {
 public:
  explicit Object(const nlohmann::json& json) : json_(&json) {}

  bool has(const char* name) const;
  // Empty when there is no such text.
  std::string text(const char* name) const;
  Result<Bytes> bytes(const char* name) const;
  Result<std::uint64_t> number(const char* name) const;
  // An object without fields when there is none.
  Object object(const char* name) const;

 private:
  const nlohmann::json* json_;
};

struct Failure {
  std::string test;  // its tcId
  std::string comment;
  std::string why;
};

struct Unsupported {
  std::string what;
  std::uint64_t groups = 0;
  std::uint64_t tests = 0;
};

struct Report {
  std::string file;
  std::uint64_t passed = 0;
  std::vector<Failure> failed;
  std::vector<Unsupported> unsupported;
};

// kInvalid when the text is no vector file.
Result<Report> run_vectors(std::string file, std::string_view text);

// {"files": [...], "passed": n, "failed": n, "unsupported_groups": n, "unsupported_tests": n}
std::string to_json(const std::vector<Report>& reports);

}  // namespace holdfast::vectors
