// One account with a past, and the devices that come to a store which has turned hostile: one that
// saw everything, one that saw less, and a bare machine with the recovery key. Each visit begins
// from copies, so that none leaves a trace for the next. Test-only.
#pragma once

#include "hostile/attacks.h"
#include "support/file_tree.h"
#include "support/journey.h"

namespace holdfast::hostile {

enum class Visitor { kKnown, kEarlier, kBare };
inline constexpr std::array kVisitors = {Visitor::kKnown, Visitor::kEarlier, Visitor::kBare};
inline std::string visitor_name(Visitor visitor) {
  switch (visitor) {
    case Visitor::kKnown: return "known";
    case Visitor::kEarlier: return "earlier";
    case Visitor::kBare: return "bare";
  }
  std::abort();
}

// What a device made of its visit.
struct Outcome {
  std::optional<Error> error;  // that ended it
  std::string step;            // in which it ended; "" when it did not
  archive::Findings findings;
  std::size_t snapshots = 0;       // of the vault `main`, that it showed
  std::vector<std::string> names;  // of devices and vaults that it showed
  bool all_right = false;          // everything came back, of the newest snapshot

  bool noticed() const { return error || !findings.problems.empty() || !findings.notes.empty(); }
  std::string words() const {
    if (error) return error->message;
    if (!findings.problems.empty()) return findings.problems[0].reason;
    return findings.notes.empty() ? "" : findings.notes[0].reason;
  }
  std::string code() const {
    if (error) return std::string(code_name(error->code));
    return findings.problems.empty() ? "ok" : "problems";
  }
};

inline void copy_files(store::Files& from, store::Files& to,
                       const std::string& folder = "accounts") {
  for (const std::string& name : must(from.list(folder))) {
    const std::string path = folder + "/" + name;
    auto bytes = from.get(path, UINT32_MAX);
    if (bytes.ok())
      must_do(to.create(path, *bytes));
    else
      copy_files(from, to, path);
  }
}

inline void copy_home(const std::string& from, const std::string& to) {
  fs::copy(from, to, fs::copy_options::recursive);
  fs::permissions(to, fs::perms::owner_all);
  for (const auto& file : fs::directory_iterator(to + "/cache")) fs::remove_all(file);
}

// Nothing that compresses.
inline std::string noise(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

class Scene {
 public:
  static constexpr std::size_t kSnapshots = 3;

  Scene() : files_(std::make_shared<store::MemoryFiles>()), store_(store::open_files(files_)) {
    vault::Home home = new_home(folder_ / "laptop");
    auto begun = must(vault::init(home, *store_, clock_, {"me", "laptop", "ZZ"}));
    recovery_ = std::move(begun.recovery);
    vault::Account& laptop = begun.account;
    must_do(laptop.create_vault("photos", false));
    write(data() + "/b", noise(600 * 1024, 7));
    back_up(laptop, "photos", "of photos");
    back_up(laptop, "main", content(1));
    {
      vault::Home nas = new_home(folder_ / "known");
      join(laptop, nas, *store_, clock_, "nas");
    }
    copy_home(folder_ / "known", folder_ / "earlier");
    back_up(laptop, "main", content(2));
    must_do(laptop.rotate());
    back_up(laptop, "photos", "of photos, edited");
    back_up(laptop, "main", content(3));
    must_do(laptop.set_region("CH"));
    vault::Home nas = must(vault::Home::open(folder_ / "known"));
    must_do(nas.unlock({}));
    must(vault::Account::open(nas, *store_, clock_));
  }

  static std::string content(std::uint64_t n) { return "alpha, as of " + std::to_string(n); }
  std::string data() const { return folder_ / "data"; }
  const SystemClock& clock() const { return clock_; }
  const keys::RecoveryKey& recovery() const { return *recovery_; }
  std::string home(const std::string& name) const { return folder_ / name; }
  std::shared_ptr<store::Files> copy_store() const {
    auto copy = std::make_shared<store::MemoryFiles>();
    copy_files(*files_, *copy);
    return copy;
  }

  // A device comes, looks at everything and restores the newest snapshot of `main`. Wrong content,
  // or a part that nobody said is missing, fails the test.
  Outcome visit(Visitor visitor, const Lies& lies) const {
    const testkit::TempDir place(testkit::Where::kMemory);
    const auto honest = store::open_files(copy_store());
    HostileStore store(*honest, lies);
    const std::string at = place / "home";
    if (visitor != Visitor::kBare) copy_home(folder_ / visitor_name(visitor), at);
    vault::Home home = visitor == Visitor::kBare ? new_home(at) : must(vault::Home::open(at));
    if (visitor != Visitor::kBare) must_do(home.unlock({}));
    Outcome outcome;
    auto account = visitor == Visitor::kBare
                       ? vault::recover(home, store, clock_, *recovery_, {"bare", {}})
                       : vault::Account::open(home, store, clock_);
    if (!account.ok()) {
      outcome.error = account.error();
      outcome.step = visitor == Visitor::kBare ? "recover" : "open";
      return outcome;
    }
    look(*account, outcome);
    restore(*account, place / "out", outcome);
    return outcome;
  }

  void look(vault::Account& account, Outcome& outcome) const {
    for (const circle::Device& device : account.circle().devices())
      outcome.names.push_back(device.info.name);
    for (const circle::Vault& vault : account.circle().vaults())
      outcome.names.push_back(vault.name);
    auto snapshots = account.snapshots("main", outcome.findings);
    if (snapshots.ok())
      outcome.snapshots = snapshots->size();
    else
      outcome.error = snapshots.error();
    if (outcome.error) outcome.step = "snapshots";
  }

  void restore(vault::Account& account, const std::string& target, Outcome& outcome) const {
    const auto snapshot = account.find_snapshot("main", "latest");
    archive::Progress progress;
    vault::Account::RestoreOptions options;
    options.path = data();
    options.target.directory = target;
    std::optional<Error> error;
    if (!snapshot.ok()) {
      error = snapshot.error();
    } else {
      auto report = account.restore(*snapshot, options, progress);
      if (!report.ok()) error = report.error();
      if (report.ok()) append_findings(outcome.findings, report->findings);
    }
    if (error && !outcome.error) {
      outcome.error = error;
      outcome.step = "restore";
    }
    judge(snapshot.ok() ? snapshot->n : 0, target, outcome);
  }

 private:
  static void append_findings(archive::Findings& to, const archive::Findings& from) {
    to.problems.insert(to.problems.end(), from.problems.begin(), from.problems.end());
    to.notes.insert(to.notes.end(), from.notes.begin(), from.notes.end());
  }

  // Each file is whole and right, or absent and missed; nothing else lies there.
  void judge(std::uint64_t n, const std::string& target, Outcome& outcome) const {
    const bool quiet = !outcome.error && outcome.findings.problems.empty();
    std::size_t right = 0;
    if (fs::exists(target)) {
      for (const auto& file : fs::recursive_directory_iterator(target)) {
        const std::string name = file.path().filename();
        const std::string want = name == "a" ? content(n) : read(data() + "/b");
        EXPECT_TRUE(name == "a" || name == "b") << name << " was restored and never saved";
        EXPECT_TRUE(read(file.path()) == want) << name << " has another content";
        ++right;
      }
    }
    EXPECT_TRUE(right == 2 || !quiet) << "files are missing and nothing said so";
    outcome.all_right = right == 2 && n == kSnapshots;
  }

  void back_up(vault::Account& account, const std::string& vault, const std::string& text) {
    write(data() + "/a", text);
    archive::Progress progress;
    vault::Account::BackupOptions options;
    options.vault = vault;
    options.walk.roots = {data()};
    EXPECT_TRUE(must(account.backup(options, progress)).findings.problems.empty());
  }

  testkit::TempDir folder_{testkit::Where::kMemory};
  SystemClock clock_;
  std::shared_ptr<store::MemoryFiles> files_;
  std::unique_ptr<api::Store> store_;
  std::optional<keys::RecoveryKey> recovery_;
};

// Made once for all tests of a program.
inline const Scene& scene() {
  static const Scene made;
  return made;
}

}  // namespace holdfast::hostile
