// A small account with a victim (laptop) and a member in the hands of someone else (nas), over a
// store in memory. Test-only.
#pragma once

#include "hostile/hostile_member.h"
#include "support/file_tree.h"

namespace holdfast::hostile {

class TwoDevices : public ::testing::Test {
 protected:
  TwoDevices() : home_(new_home(folder_ / "laptop")), nas_home_(new_home(folder_ / "nas")) {
    account_.emplace(
        std::move(must(vault::init(home_, *store_, clock_, {"me", "laptop", "ZZ"})).account));
    join(*account_, nas_home_, *store_, clock_, "nas");
  }

  // What the victim's restore of the newest snapshot made of it.
  struct Restored {
    std::optional<Error> error;
    std::string reasons;   // of all problems and notes
    bool damaged = false;  // it says that the store's bytes are not those that were written
  };
  Restored restore(const std::string& target,
                   archive::Overwrite overwrite = archive::Overwrite::kAlways) {
    must_do(account_->sync());
    Restored restored;
    const auto snapshot = account_->find_snapshot("main", "latest");
    archive::Progress progress;
    vault::Account::RestoreOptions options;
    options.target.directory = target;
    options.target.overwrite = overwrite;
    if (!snapshot.ok()) {
      restored.error = snapshot.error();
      return restored;
    }
    const auto report = account_->restore(*snapshot, options, progress);
    if (!report.ok()) {
      restored.error = report.error();
      return restored;
    }
    for (const archive::Problem& problem : report->findings.problems) {
      restored.reasons += problem.path + ": " + problem.reason + "\n";
      restored.damaged = restored.damaged || problem.store_damaged;
    }
    return restored;
  }
  static std::vector<std::string> names_below(const std::string& folder) {
    std::vector<std::string> names;
    if (!fs::exists(folder)) return names;
    for (const auto& file : fs::recursive_directory_iterator(folder))
      names.push_back(fs::relative(file.path(), folder));
    std::sort(names.begin(), names.end());
    return names;
  }

  testkit::TempDir folder_{testkit::Where::kMemory};
  SystemClock clock_;
  std::unique_ptr<api::Store> store_ = store::open_memory();
  vault::Home home_;
  vault::Home nas_home_;
  std::optional<vault::Account> account_;
};

}  // namespace holdfast::hostile
