#include "base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

namespace holdfast {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

class Files : public testing::Test {
 protected:
  Files() {
    std::string pattern = (fs::temp_directory_path() / "holdfast-base.XXXXXX").string();
    HF_CHECK(::mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
  }
  ~Files() override { fs::remove_all(root_); }

  std::string at(const std::string& name) const { return root_ + "/" + name; }
  std::string content(const std::string& name) const {
    return std::string(as_text(read_file(at(name), 1 << 20).value()));
  }
  // Every entry, hidden ones too.
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(root_))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  std::string root_;
};

TEST_F(Files, CreateWritesAllAndLeavesNothingElse) {
  ASSERT_TRUE(create_file(at("a"), as_bytes("one")).ok());
  EXPECT_EQ(content("a"), "one");
  EXPECT_EQ(entries(), Names{"a"});
}

TEST_F(Files, CreateNeverReplaces) {
  ASSERT_TRUE(create_file(at("a"), as_bytes("one")).ok());
  for (const char* again : {"one", "two"}) {
    const auto second = create_file(at("a"), as_bytes(again));
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::kConflict);
  }
  EXPECT_EQ(content("a"), "one");
  EXPECT_EQ(entries(), Names{"a"});
}

TEST_F(Files, CreateDoesNotFollowALinkThatStandsThere) {
  fs::create_symlink(at("elsewhere"), at("a"));
  EXPECT_EQ(create_file(at("a"), as_bytes("one")).error().code, Code::kConflict);
  EXPECT_FALSE(fs::exists(at("elsewhere")));
}

TEST_F(Files, OnlyOneOfManyCreatesOneFile) {
  std::atomic<int> made{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      if (create_file(at("a"), as_bytes(std::to_string(t))).ok()) ++made;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made.load(), 1);
  EXPECT_EQ(entries(), Names{"a"});
}

TEST_F(Files, ReplaceCreatesAndReplaces) {
  ASSERT_TRUE(replace_file(at("a"), as_bytes("one")).ok());
  ASSERT_TRUE(replace_file(at("a"), as_bytes("another")).ok());
  EXPECT_EQ(content("a"), "another");
  EXPECT_EQ(entries(), Names{"a"});
}

// A reader sees the old content or the new, whole.
TEST_F(Files, ReplaceIsNeverSeenHalfDone) {
  const Bytes old_bytes(100'000, 'a');
  const Bytes new_bytes(100'000, 'b');
  ASSERT_TRUE(replace_file(at("a"), old_bytes).ok());
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 0; i < 30; ++i)
      EXPECT_TRUE(replace_file(at("a"), i % 2 == 0 ? new_bytes : old_bytes).ok());
    done = true;
  });
  while (!done) {
    const Bytes seen = read_file(at("a"), 1 << 20).value();
    EXPECT_TRUE(seen == old_bytes || seen == new_bytes);
  }
  writer.join();
}

TEST_F(Files, ModesAreTheOwnersAlone) {
  ASSERT_TRUE(create_file(at("a"), {}).ok());
  ASSERT_TRUE(make_dirs(at("d")).ok());
  struct stat st{};
  ASSERT_EQ(::stat(at("a").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777u, 0600u);
  ASSERT_EQ(::stat(at("d").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777u, 0700u);
}

TEST_F(Files, FailuresLeaveNothingBehindAndNameThePath) {
  const auto created = create_file(at("absent/a"), as_bytes("x"));
  ASSERT_FALSE(created.ok());
  EXPECT_EQ(created.error().code, Code::kNotFound);
  EXPECT_NE(created.error().message.find("absent"), std::string::npos);
  fs::create_directory(at("folder"));
  EXPECT_FALSE(replace_file(at("folder"), as_bytes("x")).ok());
  EXPECT_EQ(entries(), Names{"folder"});
}

TEST_F(Files, AFullDiskSaysWhatToDo) {
  const Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.valid());
  const auto written = write_all(full.get(), as_bytes("x"), "the store");
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, Code::kUnavailable);
  EXPECT_NE(written.error().message.find("free some space"), std::string::npos);
  EXPECT_NE(written.error().message.find("the store"), std::string::npos);
}

TEST_F(Files, ReadRefusesWhatIsAbsentTooLargeOrNoFile) {
  EXPECT_EQ(read_file(at("absent"), 10).error().code, Code::kNotFound);
  ASSERT_TRUE(create_file(at("a"), as_bytes("12345")).ok());
  EXPECT_TRUE(read_file(at("a"), 5).ok());
  EXPECT_EQ(read_file(at("a"), 4).error().code, Code::kInvalid);
  EXPECT_EQ(read_file(root_, 1 << 20).error().code, Code::kInvalid);
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_file(at("pipe"), 10).error().code, Code::kInvalid);
}

TEST_F(Files, ReadsNamesThatAreNoUtf8) {
  ASSERT_TRUE(create_file(at("\xff\xfe"), as_bytes("x")).ok());
  EXPECT_EQ(content("\xff\xfe"), "x");
  EXPECT_EQ(list_dir(root_).value(), Names{"\xff\xfe"});
}

TEST_F(Files, WritesUnderTheLongestName) {
  const std::string longest(255, 'n');
  ASSERT_TRUE(create_file(at(longest), as_bytes("x")).ok());
  EXPECT_EQ(content(longest), "x");
}

TEST_F(Files, MakeDirsMakesThePathAndTakesItAsItIs) {
  ASSERT_TRUE(make_dirs(at("a/b/c")).ok());
  EXPECT_TRUE(fs::is_directory(at("a/b/c")));
  EXPECT_TRUE(make_dirs(at("a/b/c")).ok());
  EXPECT_TRUE(make_dirs(at("a/b/d/")).ok());
  ASSERT_TRUE(create_file(at("file"), {}).ok());
  EXPECT_FALSE(make_dirs(at("file/x")).ok());
}

TEST_F(Files, ListsSortedWithoutHiddenNames) {
  for (const char* name : {"b", "a", ".hidden", "c"}) std::ofstream(at(name)) << name;
  EXPECT_EQ(list_dir(root_).value(), (Names{"a", "b", "c"}));
  EXPECT_EQ(list_dir(at("absent")).error().code, Code::kNotFound);
}

TEST_F(Files, ALockIsHeldByOne) {
  std::optional<FileLock> first = FileLock::acquire(at("lock")).value();
  EXPECT_FALSE(FileLock::try_acquire(at("lock")).value());
  first.reset();
  EXPECT_TRUE(FileLock::try_acquire(at("lock")).value());
}

TEST_F(Files, ALockIsWaitedFor) {
  std::optional<FileLock> first = FileLock::acquire(at("lock")).value();
  std::atomic<bool> released{false};
  std::thread waiter([&] {
    const auto second = FileLock::acquire(at("lock"));
    EXPECT_TRUE(second.ok());
    EXPECT_TRUE(released.load());
  });
  released = true;
  first.reset();
  waiter.join();
}

TEST_F(Files, AnFdClosesOnceAndMoves) {
  Fd a(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_TRUE(a.valid());
  const int number = a.get();
  Fd b(std::move(a));
  EXPECT_EQ(b.get(), number);
  Fd c;
  c = std::move(b);
  EXPECT_EQ(::fcntl(number, F_GETFD), FD_CLOEXEC);
  c.reset();
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

}  // namespace
}  // namespace holdfast
