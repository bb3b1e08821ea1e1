#include "archive/walk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <linux/fs.h>

#include <algorithm>
#include <set>

#include "support/file_tree.h"

namespace holdfast::archive {
namespace {

using namespace testkit;

struct Walked {
  std::vector<Entry> entries;      // below the first root
  std::vector<std::string> paths;  // all; those below the folder without its path
  Findings findings;

  const Entry* find(const std::string& name) const {
    for (const Entry& entry : entries)
      if (as_text(entry.name) == name) return &entry;
    return nullptr;
  }
};

Walker open_walker(WalkOptions options) {
  auto walker = Walker::open(std::move(options));
  EXPECT_TRUE(walker.ok()) << walker.error().message;
  return std::move(*walker);
}

// Everything a walk finds; paths in `dir` are given from there.
Walked walk(const TempDir& dir, WalkOptions options = {}) {
  if (options.roots.empty()) options.roots = {dir.path()};
  Walker walker = open_walker(std::move(options));
  Walked walked;
  Accounts accounts;
  Findings described;
  while (const auto found = walker.next()) {
    if (!found->path.starts_with(dir.path() + "/")) continue;
    auto entry = describe(*found, accounts, described);
    if (!entry) continue;
    walked.paths.push_back(found->path.substr(dir.path().size() + 1));
    walked.entries.push_back(std::move(*entry));
  }
  walked.findings = std::move(walker.findings());
  std::ranges::move(described.problems, std::back_inserter(walked.findings.problems));
  std::ranges::move(described.notes, std::back_inserter(walked.findings.notes));
  return walked;
}

std::string only_reason(const std::vector<Problem>& problems) {
  EXPECT_EQ(problems.size(), 1U);
  return problems.empty() ? "" : problems.front().path + ": " + problems.front().reason;
}

using Paths = std::vector<std::string>;

TEST(Walk, GivesPreorderWithSiblingsSortedByBytes) {
  const TempDir dir;
  for (const char* name : {"b", "a", "a.b", "\xff", "Z"}) make_dir(dir / name);
  make_file(dir / "a/z");
  make_file(dir / "a/b");
  make_file(dir / "a b");
  make_file(dir / "\xc3\xa9");
  EXPECT_EQ(walk(dir).paths,
            (Paths{"Z", "a", "a/b", "a/z", "a b", "a.b", "b", "\xc3\xa9", "\xff"}));
}

TEST(Walk, EmitsTheDirectoriesAboveARootFirstAndNoSiblings) {
  const TempDir dir;
  make_dir(dir / "a");
  make_dir(dir / "a/b");
  make_file(dir / "a/b/f");
  make_file(dir / "a/no");
  Walker walker = open_walker({.roots = {dir / "a/b"}});
  std::vector<std::string> paths;
  std::uint32_t depth = 0;
  while (auto found = walker.next()) {
    EXPECT_EQ(found->depth, depth++);
    EXPECT_EQ(found->path, paths.empty() ? "/" + std::string(as_text(found->name))
                                         : paths.back() + "/" + std::string(as_text(found->name)));
    paths.push_back(found->path);
  }
  EXPECT_EQ(paths.back(), dir / "a/b/f");
  EXPECT_EQ(static_cast<long>(depth), std::ranges::count(dir / "a/b/f", '/'));
}

TEST(Walk, MergesSeveralRootsInManifestOrder) {
  const TempDir dir;
  for (const char* name : {"a", "a/x", "a-b", "a/y", "a/y/in", "c"}) make_dir(dir / name);
  make_file(dir / "a-b/1");
  make_file(dir / "a/x/2");
  make_file(dir / "c/3");
  make_file(dir / "a/not");
  const WalkOptions options{
      .roots = {dir / "c", dir / "a-b", dir / "a/y", dir / "a/x", dir / "a/y/in"}};
  // "a-b" sorts behind "a" and all in it, though '-' is less than '/'.
  EXPECT_EQ(walk(dir, options).paths,
            (Paths{"a", "a/x", "a/x/2", "a/y", "a/y/in", "a-b", "a-b/1", "c", "c/3"}));
}

TEST(WalkRoots, AreMadeAbsoluteAndLoseOverlaps) {
  const TempDir dir;
  for (const char* name : {"a", "a/b", "ab", "real", "real/in"}) make_dir(dir / name);
  make_file(dir / "file");
  ASSERT_EQ(::symlink("real", (dir / "link").c_str()), 0);
  ASSERT_EQ(::symlink("nowhere", (dir / "dangling").c_str()), 0);
  struct Case {
    Paths typed;
    Paths roots;  // in the folder
  };
  const Case cases[] = {
      {{"a"}, {"a"}},
      {{"./a"}, {"a"}},
      {{"a/"}, {"a"}},
      {{"a//b///"}, {"a/b"}},
      {{"a/../ab"}, {"ab"}},
      {{"a/b/.."}, {"a"}},
      {{"a/b/."}, {"a/b"}},
      {{"."}, {""}},
      {{"a/.."}, {""}},
      {{"a", "a"}, {"a"}},
      {{"a/b", "a"}, {"a"}},
      {{"ab", "a/b", "a"}, {"a", "ab"}},
      {{"a", "."}, {""}},
      {{"file"}, {"file"}},
      {{"link"}, {"link"}},   // itself
      {{"link/"}, {"real"}},  // what it points to
      {{"link/."}, {"real"}},
      {{"link/in"}, {"real/in"}},  // a parent is resolved
      {{"link", "real"}, {"link", "real"}},
      {{"dangling"}, {"dangling"}},
  };
  in_child([&] {
    ASSERT_EQ(::chdir(dir.path().c_str()), 0);
    for (const Case& c : cases) {
      const auto walker = Walker::open({.roots = c.typed});
      ASSERT_TRUE(walker.ok()) << c.typed[0] << ": " << walker.error().message;
      Paths expected;
      for (const std::string& root : c.roots)
        expected.push_back(root.empty() ? dir.path() : dir / root);
      EXPECT_EQ(walker->roots(), expected) << c.typed[0];
      // The same when they are typed from the root.
      Paths absolute;
      for (const std::string& root : c.typed) absolute.push_back(dir.path() + "//" + root);
      const auto again = Walker::open({.roots = absolute});
      ASSERT_TRUE(again.ok()) << c.typed[0];
      EXPECT_EQ(again->roots(), expected) << c.typed[0];
    }
  });
}

TEST(WalkRoots, RefuseWhatIsNotThere) {
  const TempDir dir;
  make_file(dir / "file");
  const std::pair<Paths, Code> cases[] = {
      {{}, Code::kInvalid},
      {{""}, Code::kInvalid},
      {{dir / "absent"}, Code::kNotFound},
      {{dir / "absent/below"}, Code::kNotFound},
      {{dir / "file/below"}, Code::kNotFound},
      {{dir / "file/"}, Code::kNotFound},
      {{dir.path(), dir / "absent"}, Code::kNotFound},
      {{"/" + std::string(300, 'x')}, Code::kInvalid},
  };
  for (const auto& [roots, code] : cases) {
    const auto walker = Walker::open({.roots = roots});
    ASSERT_FALSE(walker.ok()) << (roots.empty() ? "" : roots.back());
    EXPECT_EQ(walker.error().code, code) << walker.error().message;
  }
}

TEST(WalkRoots, TheRootDirectoryIsNoEntry) {
  Walker walker = open_walker({.roots = {"/"}, .one_file_system = true});
  EXPECT_EQ(walker.roots(), (Paths{"/"}));
  const auto first = walker.next();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->depth, 0U);
  EXPECT_EQ(first->path, "/" + std::string(as_text(first->name)));
}

TEST(Walk, ASymlinkAsRootIsSavedAsOne) {
  const TempDir dir;
  make_dir(dir / "real");
  make_file(dir / "real/f");
  ASSERT_EQ(::symlink("real", (dir / "link").c_str()), 0);
  EXPECT_EQ(walk(dir, {.roots = {dir / "link"}}).paths, (Paths{"link"}));
  EXPECT_EQ(walk(dir, {.roots = {dir / "link/"}}).paths, (Paths{"real", "real/f"}));
}

TEST(Walk, ReadsEveryAttribute) {
  const TempDir dir;
  make_file(dir / "f", "hello", 04751);
  set_mtime(dir / "f", -1234567891, 876543211);  // -1234567890.123456789
  ASSERT_EQ(::link((dir / "f").c_str(), (dir / "g").c_str()), 0);
  make_dir(dir / "d", 01770);
  const Walked walked = walk(dir);
  ASSERT_EQ(walked.paths, (Paths{"d", "f", "g"}));
  const struct stat st = stat_of(dir / "f");
  for (const char* name : {"f", "g"}) {
    const Entry& entry = *walked.find(name);
    EXPECT_EQ(entry.kind, EntryKind::kFile);
    EXPECT_EQ(entry.mode, 04751U);
    EXPECT_EQ(entry.uid, st.st_uid);
    EXPECT_EQ(entry.gid, st.st_gid);
    if (st.st_uid == 0) {
      EXPECT_EQ(as_text(entry.user), "root");
    }
    EXPECT_EQ(entry.mtime, (FileTime{-1234567891, 876543211}));
    EXPECT_EQ(entry.ctime.seconds, st.st_ctim.tv_sec);
    EXPECT_EQ(entry.ctime.nanoseconds, st.st_ctim.tv_nsec);
    EXPECT_EQ(entry.device, st.st_dev);
    EXPECT_EQ(entry.inode, st.st_ino);
    EXPECT_EQ(entry.links, 2U);
    EXPECT_EQ(entry.size, 5U);
  }
  EXPECT_EQ(walked.find("d")->kind, EntryKind::kDirectory);
  EXPECT_EQ(walked.find("d")->mode, 01770U);
  EXPECT_EQ(walked.find("d")->size, 0U);
}

TEST(Walk, ReadsTimesFarAhead) {
  const TempDir dir;
  make_file(dir / "f");
  constexpr std::int64_t kYear2150 = 5680281600;
  set_mtime(dir / "f", kYear2150, 1);
  if (stat_of(dir / "f").st_mtim.tv_sec != kYear2150)
    GTEST_SKIP() << "the file system here holds no times after 2150";
  EXPECT_EQ(walk(dir).find("f")->mtime, (FileTime{kYear2150, 1}));
}

TEST(Walk, SavesSymlinksFifosAndDevicesAndSkipsSockets) {
  const TempDir dir;
  const std::string target(4095, 't');
  ASSERT_EQ(::symlink(target.c_str(), (dir / "long").c_str()), 0);
  ASSERT_EQ(::symlink("\xff/\n", (dir / "odd").c_str()), 0);
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0620), 0);  // nobody writes: opening it would hang
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", (dir / "socket").c_str());
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  if (is_root()) {
    ASSERT_EQ(::mknod((dir / "null").c_str(), S_IFCHR | 0600, ::makedev(1, 3)), 0);
    ASSERT_EQ(::mknod((dir / "disk").c_str(), S_IFBLK | 0600, ::makedev(259, 70000)), 0);
  }
  const Walked walked = walk(dir);
  EXPECT_EQ(as_text(walked.find("long")->target), target);
  EXPECT_EQ(as_text(walked.find("odd")->target), "\xff/\n");
  EXPECT_EQ(walked.find("fifo")->kind, EntryKind::kFifo);
  EXPECT_EQ(walked.find("socket"), nullptr);
  ASSERT_EQ(walked.findings.notes.size(), 1U);
  EXPECT_EQ(walked.findings.notes[0].path, dir / "socket");
  EXPECT_TRUE(walked.findings.problems.empty());
  if (!is_root()) return;
  EXPECT_EQ(walked.find("null")->kind, EntryKind::kCharDevice);
  EXPECT_EQ(walked.find("null")->rdev, ::makedev(1, 3));
  EXPECT_EQ(walked.find("disk")->kind, EntryKind::kBlockDevice);
  EXPECT_EQ(walked.find("disk")->rdev, ::makedev(259, 70000));
}

TEST(Walk, ReadsExtendedAttributesSortedByName) {
  const TempDir dir;
  if (!has_user_xattrs(dir)) GTEST_SKIP() << "the file system here has no user xattrs";
  make_file(dir / "f");
  make_dir(dir / "d");
  const std::string large(3000, 'v');
  for (const char* name : {"f", "d"}) {
    ASSERT_EQ(::setxattr((dir / name).c_str(), "user.z", large.data(), large.size(), 0), 0);
    ASSERT_EQ(::setxattr((dir / name).c_str(), "user.empty", "", 0, 0), 0);
    ASSERT_EQ(::setxattr((dir / name).c_str(), "user.\xff", "\0\1", 2, 0), 0);
  }
  const Walked walked = walk(dir);
  for (const char* name : {"f", "d"}) {
    const auto& xattrs = walked.find(name)->xattrs;
    ASSERT_EQ(xattrs.size(), 3U) << name;
    EXPECT_EQ(as_text(xattrs[0].name), "user.empty");
    EXPECT_TRUE(xattrs[0].value.empty());
    EXPECT_EQ(as_text(xattrs[1].name), "user.z");
    EXPECT_EQ(as_text(xattrs[1].value), large);
    EXPECT_EQ(as_text(xattrs[2].name), "user.\xff");
    EXPECT_EQ(xattrs[2].value, (Bytes{0, 1}));
  }
  EXPECT_TRUE(walked.findings.notes.empty());
}

// Xattrs of root's own namespace can stand on symlinks and FIFOs too.
TEST(Walk, ReadsExtendedAttributesWithoutOpeningTheFile) {
  const TempDir dir;
  ASSERT_EQ(::symlink("nowhere", (dir / "link").c_str()), 0);
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  for (const char* name : {"link", "fifo"})
    if (::lsetxattr((dir / name).c_str(), "trusted.t", "v", 1, 0) != 0)
      GTEST_SKIP() << "trusted xattrs cannot be set here";
  const Walked walked = walk(dir);
  for (const char* name : {"link", "fifo"}) {
    ASSERT_EQ(walked.find(name)->xattrs.size(), 1U) << name;
    EXPECT_EQ(as_text(walked.find(name)->xattrs[0].name), "trusted.t");
  }
}

TEST(Walk, KeepsNamesThatAreNotText) {
  const TempDir dir;
  const std::string long_name(255, 'n');
  const Paths names = {"\n",      "%s",          "\\",           "\x01\x7f", "\xff\xfe",
                       long_name, "caf\xc3\xa9", "cafe\xcc\x81", " ",        "-rf"};
  for (const std::string& name : names) make_file(dir / name);
  Paths sorted = names;
  std::ranges::sort(sorted);
  EXPECT_EQ(walk(dir).paths, sorted);
}

// Makes `levels` directories in one another, with two files in every tenth, and goes there.
void make_deep(const std::string& at, const std::string& name, int levels) {
  ASSERT_EQ(::chdir(at.c_str()), 0);
  for (int i = 0; i < levels; ++i) {
    if (i % 10 == 0) make_file("file", std::to_string(i));
    if (i % 10 == 0) make_file("z-last");
    ASSERT_EQ(::mkdir(name.c_str(), 0755), 0);
    ASSERT_EQ(::chdir(name.c_str()), 0);
  }
}

int open_descriptors() {
  int count = 0;
  for (int fd = 0; fd < 1024; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

TEST(Walk, GoesDeeperThanAnyPathOrTheDescriptorsReach) {
  const std::pair<std::string, int> cases[] = {{std::string(255, 'd'), 50}, {"m", 3000}};
  for (const auto& [name, levels] : cases) {
    const TempDir dir(Where::kMemory);
    in_child([&] { make_deep(dir.path(), name, levels); });
    Walker walker = open_walker({.roots = {dir.path()}});
    const int before = open_descriptors();
    int files = 0, directories = 0, most = 0;
    std::size_t longest = 0;
    while (auto found = walker.next()) {
      if (found->path.size() <= dir.path().size()) continue;
      (found->kind == EntryKind::kFile ? files : directories) += 1;
      longest = std::max(longest, found->path.size());
      if (directories % 100 == 0) most = std::max(most, open_descriptors() - before);
      if (found->kind != EntryKind::kFile || as_text(found->name) != "file") continue;
      // What a backup does with it.
      const Fd fd(::openat(found->parent->get(), "file", O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
      ASSERT_TRUE(fd.valid());
    }
    EXPECT_EQ(files, levels / 5);
    EXPECT_EQ(directories, levels);
    EXPECT_GT(longest, 4096U);
    EXPECT_LE(most, 140);
    EXPECT_TRUE(walker.findings().problems.empty());
    EXPECT_TRUE(walker.findings().notes.empty());
  }
}

TEST(Walk, UnreadableThingsAreProblemsAndTheRestIsWalked) {
  const TempDir dir;
  make_dir(dir / "closed", 0700);
  make_file(dir / "closed/f");
  make_dir(dir / "no-search", 0744);
  make_file(dir / "no-search/f");
  make_dir(dir / "open");
  make_file(dir / "open/secret", "x", 0600);
  make_dir(dir / "search-only", 0711);
  make_dir(dir / "search-only/inner");
  make_file(dir / "search-only/inner/f");
  if (!is_root()) ::chmod((dir / "closed").c_str(), 0);
  if (!is_root()) ::chmod((dir / "no-search").c_str(), 0444);
  if (!is_root()) ::chmod((dir / "search-only").c_str(), 0111);
  unprivileged([&] {
    const Walked walked = walk(dir);
    EXPECT_EQ(walked.paths, (Paths{"closed", "no-search", "open", "open/secret", "search-only"}));
    ASSERT_EQ(walked.findings.problems.size(), 3U);
    EXPECT_EQ(walked.findings.problems[0].path, dir / "closed");
    EXPECT_EQ(walked.findings.problems[1].path, dir / "no-search/f");
    EXPECT_EQ(walked.findings.problems[2].path, dir / "search-only");
    EXPECT_NE(walked.findings.problems[0].reason.find("Permission denied"), std::string::npos);
    EXPECT_TRUE(walked.findings.notes.empty());
    // A directory above a root need not be readable.
    const Walked inner = walk(dir, {.roots = {dir / "search-only/inner"}});
    EXPECT_EQ(inner.paths, (Paths{"search-only", "search-only/inner", "search-only/inner/f"}));
    EXPECT_TRUE(inner.findings.problems.empty());
  });
}

// ---- what changes while it is walked ----

// Walks to the entry `path` in `dir`, and no further.
void walk_to(Walker& walker, const std::string& path) {
  while (auto found = walker.next())
    if (found->path == path) return;
  FAIL() << path << " was not found";
}

Paths rest_of(Walker& walker, const TempDir& dir) {
  Paths paths;
  while (auto found = walker.next()) paths.push_back(found->path.substr(dir.path().size() + 1));
  return paths;
}

TEST(WalkWhileChanging, WhatVanishedIsNoted) {
  const TempDir dir;
  for (const char* name : {"a", "b", "c"}) make_file(dir / name);
  make_dir(dir / "d");
  Walker walker = open_walker({.roots = {dir.path()}});
  walk_to(walker, dir / "a");
  ::unlink((dir / "b").c_str());
  ::rmdir((dir / "d").c_str());
  EXPECT_EQ(rest_of(walker, dir), (Paths{"c"}));
  EXPECT_TRUE(walker.findings().problems.empty());
  ASSERT_EQ(walker.findings().notes.size(), 2U);
  EXPECT_EQ(walker.findings().notes[0].path, dir / "b");
  EXPECT_NE(walker.findings().notes[0].reason.find("vanished"), std::string::npos);
}

TEST(WalkWhileChanging, ARootThatVanishedIsAProblem) {
  const TempDir dir;
  make_file(dir / "a");
  make_file(dir / "b");
  Walker walker = open_walker({.roots = {dir / "a", dir / "b"}});
  walk_to(walker, dir / "a");
  ::unlink((dir / "b").c_str());
  EXPECT_EQ(rest_of(walker, dir), Paths{});
  EXPECT_NE(only_reason(walker.findings().problems).find("vanished"), std::string::npos);
}

TEST(WalkWhileChanging, ADirectoryReplacedByASymlinkIsNotFollowed) {
  const TempDir dir;
  const TempDir elsewhere;
  make_file(elsewhere / "secret");
  make_file(dir / "a");
  make_dir(dir / "b");
  make_file(dir / "b/f");
  Walker walker = open_walker({.roots = {dir.path()}});
  walk_to(walker, dir / "a");
  ASSERT_EQ(std::rename((dir / "b").c_str(), (dir / "c").c_str()), 0);
  ASSERT_EQ(::symlink(elsewhere.path().c_str(), (dir / "b").c_str()), 0);
  const auto found = walker.next();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->kind, EntryKind::kSymlink);
  EXPECT_FALSE(walker.next().has_value());
}

TEST(WalkWhileChanging, AFileThatBecameADirectoryIsWalked) {
  const TempDir dir;
  make_file(dir / "a");
  make_file(dir / "b");
  Walker walker = open_walker({.roots = {dir.path()}});
  walk_to(walker, dir / "a");
  ::unlink((dir / "b").c_str());
  make_dir(dir / "b");
  make_file(dir / "b/f");
  EXPECT_EQ(rest_of(walker, dir), (Paths{"b", "b/f"}));
}

TEST(WalkWhileChanging, AnAncestorReplacedByASymlinkIsAProblem) {
  const TempDir dir;
  const TempDir elsewhere;
  make_dir(elsewhere / "in");
  make_file(elsewhere / "in/secret");
  make_dir(dir / "a");
  make_dir(dir / "a/in");
  Walker walker = open_walker({.roots = {dir / "a/in"}});
  ASSERT_EQ(std::rename((dir / "a").c_str(), (dir / "old").c_str()), 0);
  ASSERT_EQ(::symlink(elsewhere.path().c_str(), (dir / "a").c_str()), 0);
  walk_to(walker, dir / "a");
  EXPECT_FALSE(walker.next().has_value());
  EXPECT_NE(only_reason(walker.findings().problems).find("no folder"), std::string::npos);
}

// The handles of the upper levels are closed by then, and are opened again on the way back.
TEST(WalkWhileChanging, ADirectoryMovedWhileTheWalkIsDeepInItLosesNoSiblings) {
  const TempDir dir(Where::kMemory);
  make_dir(dir / "base");
  make_dir(dir / "base/top");
  make_dir(dir / "other");
  in_child([&] { make_deep(dir / "base/top", "m", 300); });
  make_file(dir / "base/z");
  Walker walker = open_walker({.roots = {dir / "base"}});
  for (int files = 0; files < 30;)
    if (walker.next()->kind == EntryKind::kFile) ++files;
  // From now on ".." of top leads into "other", which is not where the walk came from.
  ASSERT_EQ(std::rename((dir / "base/top").c_str(), (dir / "other/top").c_str()), 0);
  make_file(dir / "other/not-mine");
  const Paths rest = rest_of(walker, dir);
  EXPECT_EQ(rest.back(), "base/z");
  EXPECT_EQ(std::ranges::count(rest, "other/not-mine"), 0);
  EXPECT_TRUE(walker.findings().problems.empty());
}

TEST(WalkWhileChanging, ADirectoryMovedOutOfReachIsAProblem) {
  const TempDir dir(Where::kMemory);
  make_dir(dir / "base");
  make_dir(dir / "base/top");
  make_dir(dir / "other");
  in_child([&] { make_deep(dir / "base/top", "m", 300); });
  Walker walker = open_walker({.roots = {dir / "base"}});
  for (int files = 0; files < 30;)
    if (walker.next()->kind == EntryKind::kFile) ++files;
  // The 100th level goes elsewhere; the 99th, to which ".." led, cannot be found from there.
  std::string deep = dir / "base/top";
  for (int i = 0; i < 100; ++i) deep += "/m";
  ASSERT_EQ(std::rename(deep.c_str(), (dir / "other/m").c_str()), 0);
  ASSERT_EQ(std::rename((dir / "base").c_str(), (dir / "gone").c_str()), 0);
  const Paths rest = rest_of(walker, dir);
  EXPECT_LT(rest.size(), 400U);
  ASSERT_FALSE(walker.findings().problems.empty());
  EXPECT_NE(walker.findings().problems[0].reason.find("moved away"), std::string::npos);
}

TEST(WalkWhileChanging, ReadEntrySeesTheNewestState) {
  const TempDir dir;
  make_file(dir / "f", "1");
  const Fd parent(::open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Bytes name = to_bytes(as_bytes("f"));
  const auto before = read_entry(parent, name, 7);
  ASSERT_TRUE(before.ok());
  EXPECT_EQ(before->depth, 7U);
  EXPECT_EQ(before->size, 1U);
  make_file(dir / "f", "123");
  EXPECT_EQ(read_entry(parent, name, 7)->size, 3U);
  ::unlink((dir / "f").c_str());
  EXPECT_EQ(read_entry(parent, name, 7).error().code, Code::kNotFound);
  ASSERT_EQ(::symlink("/etc/passwd", (dir / "f").c_str()), 0);
  EXPECT_EQ(read_entry(parent, name, 7)->kind, EntryKind::kSymlink);
}

// ---- what is left out ----

Filter excluding(std::initializer_list<const char*> patterns) {
  Filter filter;
  for (const char* pattern : patterns) filter.exclude.push_back(std::move(*Glob::parse(pattern)));
  return filter;
}

TEST(WalkFilter, ExcludedDirectoriesAreNotEntered) {
  const TempDir dir;
  for (const char* name : {"keep", "keep/tmp", "tmp"}) make_dir(dir / name);
  for (const char* name : {"keep/a.o", "keep/b", "keep/tmp/c", "tmp/d"}) make_file(dir / name);
  EXPECT_EQ(walk(dir, {.filter = excluding({"tmp", "*.o"})}).paths, (Paths{"keep", "keep/b"}));
}

TEST(WalkFilter, RootsThatWereNamedAreSavedAllTheSame) {
  const TempDir dir;
  make_dir(dir / "tmp");
  make_dir(dir / "tmp/in");
  make_file(dir / "tmp/in/f");
  make_file(dir / "tmp/in/tmp");
  EXPECT_EQ(walk(dir, {.roots = {dir / "tmp/in"}, .filter = excluding({"tmp", "in"})}).paths,
            (Paths{"tmp", "tmp/in", "tmp/in/f"}));
}

TEST(WalkFilter, TaggedCachesKeepOnlyTheirTag) {
  const TempDir dir;
  const std::string signature = "Signature: 8a477f597d28d172789f06886806bc55";
  for (const char* name :
       {"cache", "cache/sub", "exact", "short", "link", "other", "other/CACHEDIR.TAG"})
    make_dir(dir / name);
  make_file(dir / "cache/CACHEDIR.TAG", signature + "\n# made by a program\n");
  make_file(dir / "cache/a");
  make_file(dir / "cache/sub/b");
  make_file(dir / "exact/CACHEDIR.TAG", signature);
  make_file(dir / "exact/a");
  make_file(dir / "short/CACHEDIR.TAG", signature.substr(0, 42));
  make_file(dir / "short/a");
  ASSERT_EQ(::symlink("../cache/CACHEDIR.TAG", (dir / "link/CACHEDIR.TAG").c_str()), 0);
  WalkOptions options;
  options.filter.caches = true;
  EXPECT_EQ(walk(dir, options).paths,
            (Paths{"cache", "cache/CACHEDIR.TAG", "exact", "exact/CACHEDIR.TAG", "link",
                   "link/CACHEDIR.TAG", "other", "other/CACHEDIR.TAG", "short",
                   "short/CACHEDIR.TAG", "short/a"}));
  EXPECT_EQ(walk(dir).paths.size(), 15U);
}

TEST(WalkFilter, NodumpFilesAndDirectoriesAreLeftOutWhenAsked) {
  const TempDir dir;
  make_file(dir / "f");
  make_dir(dir / "d");
  make_file(dir / "d/in");
  make_file(dir / "kept");
  for (const char* name : {"f", "d"}) {
    const Fd fd(::open((dir / name).c_str(), O_RDONLY | O_CLOEXEC));
    int flags = 0;
    if (::ioctl(fd.get(), FS_IOC_GETFLAGS, &flags) != 0) GTEST_SKIP() << "no flags here";
    flags |= FS_NODUMP_FL;
    if (::ioctl(fd.get(), FS_IOC_SETFLAGS, &flags) != 0) GTEST_SKIP() << "no nodump flag here";
  }
  WalkOptions options;
  options.filter.nodump = true;
  EXPECT_EQ(walk(dir, options).paths, (Paths{"kept"}));
  EXPECT_EQ(walk(dir).paths.size(), 4U);
}

TEST(Walk, OneFileSystemStopsAtMountPoints) {
  const TempDir dir;
  make_dir(dir / "here");
  make_dir(dir / "mount");
  make_dir(dir / "mount/hidden");
  in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", (dir / "mount").c_str(), "tmpfs", 0, nullptr) != 0) {
      std::printf("skipped: a tmpfs cannot be mounted here\n");
      return;
    }
    make_file(dir / "mount/f");
    EXPECT_EQ(walk(dir, {.one_file_system = true}).paths, (Paths{"here", "mount"}));
    EXPECT_EQ(walk(dir).paths, (Paths{"here", "mount", "mount/f"}));
    // Each root has its own file system.
    EXPECT_EQ(walk(dir, {.roots = {dir / "here", dir / "mount"}, .one_file_system = true}).paths,
              (Paths{"here", "mount", "mount/f"}));
  });
}

TEST(Walk, WhatTheKernelMakesUpIsNotSavedUnlessNamed) {
  const TempDir dir;
  make_dir(dir / "proc");
  make_file(dir / "z");
  in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("proc", (dir / "proc").c_str(), "proc", 0, nullptr) != 0) {
      std::printf("skipped: a proc cannot be mounted here\n");
      return;
    }
    const Walked walked = walk(dir);
    EXPECT_EQ(walked.paths, (Paths{"proc", "z"}));
    EXPECT_TRUE(walked.findings.problems.empty());
    EXPECT_EQ(walked.findings.notes.size(), 1U);
    EXPECT_EQ(walk(dir, {.roots = {dir / "proc/sys/kernel/ostype"}}).paths.size(), 4U);
    EXPECT_GT(walk(dir, {.roots = {dir / "proc/sys/kernel"}}).paths.size(), 10U);
  });
}

TEST(Walk, LeavesTheTimesOfReadingAlone) {
  const TempDir dir;
  make_dir(dir / "d");
  make_file(dir / "d/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
  const timespec times[2] = {{1000, 0}, {2000, 0}};  // read before it was written: relatime acts
  for (const char* name : {"d", "d/CACHEDIR.TAG"})
    ASSERT_EQ(::utimensat(AT_FDCWD, (dir / name).c_str(), times, 0), 0);
  WalkOptions options;
  options.filter.caches = true;
  EXPECT_EQ(walk(dir, options).paths.size(), 2U);
  EXPECT_EQ(stat_of(dir / "d").st_atim.tv_sec, 1000);
  EXPECT_EQ(stat_of(dir / "d/CACHEDIR.TAG").st_atim.tv_sec, 1000);
}

}  // namespace
}  // namespace holdfast::archive
