// For journeys: a folder to work in, and the steps that every story takes. Test-only.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "store/local_store.h"
#include "vault/vault.h"

namespace holdfast {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "holdfast-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

template <class T>
T must(Result<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.error().message;
    std::abort();
  }
  return std::move(result).value();
}
inline void must_do(Result<void> result) {
  if (!result.ok()) FAIL() << result.error().message;
}

inline void write(const std::string& path, const std::string& text) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}
inline std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline vault::Home new_home(const std::string& folder) {
  vault::Home home = must(vault::Home::open(folder));
  must_do(home.create_device({}));
  return home;
}

inline std::string backup_id(vault::Account& account, const std::string& path) {
  archive::Progress progress;
  vault::Account::BackupOptions options;
  options.walk.roots = {path};
  auto report = must(account.backup(options, progress));
  EXPECT_TRUE(report.findings.problems.empty());
  return report.snapshot->id.hex();
}

inline void restore_to(vault::Account& account, const std::string& path,
                       const std::string& target) {
  archive::Progress progress;
  vault::Account::RestoreOptions options;
  options.path = path;
  options.target.directory = target;
  const auto snapshot = must(account.find_snapshot("main", "latest"));
  const auto report = must(account.restore(snapshot, options, progress));
  for (const auto& problem : report.findings.problems)
    ADD_FAILURE() << problem.path << ": " << problem.reason;
}

// Admits the device of `home` while it waits in a thread of its own.
inline vault::Account join(vault::Account& trusted, vault::Home& home, api::Store& store,
                           const Clock& clock, const std::string& name) {
  auto asking = must(vault::Join::start(home, store, clock, "me", name));
  std::optional<vault::Account> joined;
  std::thread waiting([&] { joined = must(asking.wait()); });
  EXPECT_EQ(must(trusted.approve(asking.code(), 60000)).info.name, name);
  waiting.join();
  return std::move(*joined);
}

}  // namespace holdfast
