// Cases that other tools got wrong and no other test shows. docs/edge-cases.md
#include <fcntl.h>
#include <sys/stat.h>

#include <thread>

#include "support/journey.h"
#include "support/service_place.h"

namespace holdfast {
namespace {

class LaterClock final : public Clock {
 public:
  TimeMs now() const override { return SystemClock().now() + ahead_.load(); }
  void advance_days(std::int64_t days) { ahead_ += days * 24 * 60 * 60 * 1000; }

 private:
  std::atomic<TimeMs> ahead_ = 0;
};

class EdgeCases : public ::testing::Test {
 protected:
  vault::Account begin(api::Store& store) {
    return must(vault::init(home_, store, *clock_, {"me", "laptop", "ZZ"})).account;
  }
  std::string data() const { return folder_ / "data"; }

  Folder folder_;
  const std::shared_ptr<LaterClock> clock_ = std::make_shared<LaterClock>();
  vault::Home home_ = new_home(folder_ / "laptop");
};

TEST_F(EdgeCases, AnEditThatKeepsTimeAndSizeIsSaved) {
  const auto store = store::open_memory();
  auto account = begin(*store);
  write(data() + "/a", "before");
  struct stat was{};
  ASSERT_EQ(::stat((data() + "/a").c_str(), &was), 0);
  backup_id(account, data());
  write(data() + "/a", "after!");
  const struct timespec times[2] = {was.st_atim, was.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, (data() + "/a").c_str(), times, 0), 0);
  backup_id(account, data());
  restore_to(account, data(), folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/a"), "after!");
}

// Longer, shorter and longer again, while it is read.
TEST_F(EdgeCases, AFileThatKeepsChangingIsSavedAsLongAsItSays) {
  const auto store = store::open_memory();
  auto account = begin(*store);
  const std::string path = data() + "/changes";
  write(path, std::string(3'000'000, 'a'));
  write(data() + "/stays", "stays");
  std::atomic<bool> done = false;
  std::jthread changing([&] {
    for (unsigned i = 0; !done; ++i) {
      const off_t size = i % 2 == 0 ? 100'000 : 4'000'000;
      if (::truncate(path.c_str(), size) != 0) return;
    }
  });
  for (int i = 0; i < 3; ++i) backup_id(account, data());
  done = true;
  changing.join();
  archive::Progress progress;
  const auto report = must(account.check("main", 100, progress));
  for (const auto& problem : report.findings.problems)
    ADD_FAILURE() << problem.path << ": " << problem.reason;
  restore_to(account, data(), folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/stays"), "stays");
  const std::string text = read(folder_ / "out/changes");
  EXPECT_TRUE(text.find_first_not_of(std::string("a\0", 2)) == std::string::npos);
}

// All that it knew is forgotten, dropped and deleted by then; its file is what was dropped.
TEST_F(EdgeCases, ADeviceThatWasAwayForAYearBacksUpAgain) {
  ServicePlace service(Place::kService, clock_);
  const auto store = service.store();
  auto laptop = begin(*store);
  vault::Home away_home = new_home(folder_ / "away");
  auto away = join(laptop, away_home, *store, *clock_, "away");
  write(data() + "/a", std::string(700'000, 'a'));
  backup_id(laptop, data());
  backup_id(away, data());
  must_do(laptop.sync());
  write(data() + "/a", "small");
  backup_id(laptop, data());
  const auto latest = must(laptop.find_snapshot("main", "latest"));
  archive::Findings findings;
  vault::Account::ForgetOptions forget;
  for (const auto& one : must(laptop.snapshots("main", findings)))
    if (one.n != latest.n) forget.which.push_back(one.id.hex());
  EXPECT_EQ(must(laptop.forget(forget)).forgotten.size(), 2U);
  archive::Progress progress;
  EXPECT_GT(must(laptop.prune({}, progress)).packs, 0U);
  clock_->advance_days(400);
  service.sweep();
  write(data() + "/a", std::string(700'000, 'a'));
  backup_id(away, data());
  const auto report = must(away.check("main", 100, progress));
  for (const auto& problem : report.findings.problems)
    ADD_FAILURE() << problem.path << ": " << problem.reason;
  restore_to(away, data(), folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/a"), std::string(700'000, 'a'));
}

}  // namespace
}  // namespace holdfast
