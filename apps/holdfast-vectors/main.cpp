// holdfast-vectors FILE...: published vectors against the primitives Holdfast is built from.
//
// Exit: 0 when something ran and nothing failed, 1 when something failed or nothing ran, 2 for a
// wrong command line or a file that is no vector file.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/file.h"
#include "wycheproof.h"

namespace holdfast::vectors {
namespace {

constexpr std::uint64_t kFileLimit = std::uint64_t{1} << 30;
constexpr std::size_t kFailuresShown = 20;

Result<Report> run_file(const std::string& path) {
  const Bytes text = TRY(read_file(path, kFileLimit));
  return run_vectors(path, as_text(text));
}

void print(const Report& report) {
  std::printf("%s: %llu passed, %zu failed\n", report.file.c_str(),
              static_cast<unsigned long long>(report.passed), report.failed.size());
  const std::size_t shown = std::min(report.failed.size(), kFailuresShown);
  for (const Failure& f : std::span(report.failed).first(shown))
    std::printf("  FAILED test %s (%s): %s\n", f.test.c_str(), f.comment.c_str(), f.why.c_str());
  if (shown < report.failed.size()) std::printf("  and %zu more\n", report.failed.size() - shown);
  for (const Unsupported& u : report.unsupported)
    std::printf("  unsupported: %llu groups, %llu tests: %s\n",
                static_cast<unsigned long long>(u.groups), static_cast<unsigned long long>(u.tests),
                u.what.c_str());
}

void print_total(const std::vector<Report>& reports) {
  std::uint64_t passed = 0, failed = 0, groups = 0;
  for (const Report& report : reports) {
    passed += report.passed;
    failed += report.failed.size();
    for (const Unsupported& u : report.unsupported) groups += u.groups;
  }
  std::printf("total: %llu passed, %llu failed, %llu groups unsupported%s\n",
              static_cast<unsigned long long>(passed), static_cast<unsigned long long>(failed),
              static_cast<unsigned long long>(groups), passed + failed == 0 ? "; nothing ran" : "");
}

bool all_good(const std::vector<Report>& reports) {
  bool ran = false;
  for (const Report& report : reports) {
    if (!report.failed.empty()) return false;
    ran = ran || report.passed > 0;
  }
  return ran;
}

enum class Form { kText, kJson };

int run(const std::vector<std::string>& paths, Form form) {
  std::vector<Report> reports;
  bool unreadable = false;
  for (const std::string& path : paths) {
    Result<Report> report = run_file(path);
    if (report.ok()) {
      if (form == Form::kText) print(*report);
      reports.push_back(std::move(*report));
    } else {
      std::fprintf(stderr, "holdfast-vectors: %s\n", report.error().message.c_str());
      unreadable = true;
    }
  }
  if (form == Form::kText) {
    print_total(reports);
  } else {
    std::printf("%s\n", to_json(reports).c_str());
  }
  if (unreadable) return 2;
  return all_good(reports) ? 0 : 1;
}

}  // namespace
}  // namespace holdfast::vectors

int main(int argc, char** argv) {
  CLI::App app{
      "Runs files of Project Wycheproof over Holdfast's primitives: ML-KEM-768,\n"
      "chunked-encryption with AES-256-GCM, ECDSA P-256 (P1363), Ed25519, X25519, HKDF-SHA256,\n"
      "HMAC-SHA256 and AES-256-GCM. Groups of other sizes, curves and hashes are counted as\n"
      "unsupported.",
      "holdfast-vectors"};
  std::vector<std::string> paths;
  bool json = false;
  app.add_option("FILE", paths, "files of test vectors (JSON)")->required();
  app.add_flag("--json", json, "print one JSON object");
  app.set_version_flag("--version", HOLDFAST_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  using holdfast::vectors::Form;
  return holdfast::vectors::run(paths, json ? Form::kJson : Form::kText);
}
