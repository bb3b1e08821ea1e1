#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include <array>

#include "support/restoring.h"

namespace holdfast::archive {
namespace {

using namespace testkit;

// ---- round trips: walk a tree, restore it, compare both to the last attribute ----

struct RoundTrip {
  TempDir dir;
  std::string from = dir / "from";
  std::string to = dir / "to";

  explicit RoundTrip(Where where = Where::kDisk) : dir(where) { make_dir(from); }
  std::string operator/(std::string_view name) const { return from + "/" + std::string(name); }
  void expect_faithful(std::size_t at_least = 1) {
    const Restored restored = copy(from, {.directory = to});
    EXPECT_EQ(restored.errors, Texts{});
    EXPECT_EQ(restored.skipped, Texts{});
    EXPECT_EQ(texts(restored.findings), Texts{});
    expect_equal_trees(from, to, at_least);
  }
};

TEST(RoundTrip, KeepsFilesDirectoriesAndTheirModes) {
  RoundTrip trip;
  make_file(trip / "empty");
  make_file(trip / "f", "hello");
  make_file(trip / "large", std::string(3'000'000, 'x'));
  for (const mode_t mode : {0U, 0400U, 0777U, 01777U, 02755U, 04755U, 06711U, 0666U})
    make_file(trip / ("mode" + std::to_string(mode)), "m", mode);
  for (const mode_t mode : {0500U, 0700U, 01777U, 02775U, 0777U})
    make_dir(trip / ("dir" + std::to_string(mode)), mode);
  make_dir(trip / "d");
  make_dir(trip / "d/e");
  make_file(trip / "d/e/f", "deep");
  if (!is_root()) ::unlink((trip / "mode0").c_str());
  trip.expect_faithful(18);
}

TEST(RoundTrip, KeepsNamesThatAreNotText) {
  RoundTrip trip;
  for (const std::string& name :
       {std::string("\n"), std::string("%s%n"), std::string("\\"), std::string("\x01\x7f"),
        std::string("\xff\xfe"), std::string(255, 'n'), std::string("caf\xc3\xa9"),
        std::string("cafe\xcc\x81"), std::string(" "), std::string("-rf"), std::string("...")}) {
    make_file(trip / name, name);
    make_dir(trip / ("d" + name.substr(0, 254)));
    make_file(trip / ("d" + name.substr(0, 254) + "/" + name), name);
  }
  trip.expect_faithful(33);
}

TEST(RoundTrip, KeepsSymlinks) {
  RoundTrip trip;
  make_dir(trip / "d");
  make_file(trip / "d/f");
  const std::string targets[] = {
      "d", "d/f", "nowhere", "/etc/passwd", "..", std::string(4095, 't'), "\xff\n%", "/"};
  int i = 0;
  for (const std::string& target : targets) {
    const std::string path = trip / ("link" + std::to_string(i++));
    ASSERT_EQ(::symlink(target.c_str(), path.c_str()), 0);
    set_mtime(path, 1000 + i, 999'999'999);
    if (is_root()) {
      ASSERT_EQ(::lchown(path.c_str(), 1234, 4321), 0);
    }
  }
  trip.expect_faithful(10);
  EXPECT_EQ(content_of("/etc/passwd").empty(), false);
}

TEST(RoundTrip, KeepsFifosAndDevices) {
  RoundTrip trip;
  ASSERT_EQ(::mkfifo((trip / "fifo").c_str(), 0600), 0);
  ASSERT_EQ(::chmod((trip / "fifo").c_str(), 0622), 0);
  if (is_root()) {
    ASSERT_EQ(::mknod((trip / "null").c_str(), S_IFCHR | 0666, ::makedev(1, 3)), 0);
    ASSERT_EQ(::mknod((trip / "disk").c_str(), S_IFBLK | 0600, ::makedev(259, 70'000)), 0);
    ASSERT_EQ(::chown((trip / "disk").c_str(), 5, 6), 0);
  } else {
    std::printf("without root no devices are made here\n");
  }
  for (const char* name : {"fifo", "null", "disk"})
    if (stands(trip / name)) set_mtime(trip / name, 12345, 6789);
  trip.expect_faithful();
}

TEST(RoundTrip, KeepsHardLinks) {
  RoundTrip trip;
  for (const char* name : {"a", "m", "z"}) make_dir(trip / name);
  make_file(trip / "m/first", "shared");
  for (const char* name : {"a/1", "m/2", "z/3", "z/4"})
    ASSERT_EQ(::link((trip / "m/first").c_str(), (trip / name).c_str()), 0);
  ASSERT_EQ(::symlink("somewhere", (trip / "z/link").c_str()), 0);
  ASSERT_EQ(::linkat(AT_FDCWD, (trip / "z/link").c_str(), AT_FDCWD, (trip / "a/link").c_str(), 0),
            0);
  ASSERT_EQ(::mkfifo((trip / "fifo").c_str(), 0600), 0);
  ASSERT_EQ(::link((trip / "fifo").c_str(), (trip / "fifo2").c_str()), 0);
  make_file(trip / "outside", "partly");
  ASSERT_EQ(::link((trip / "outside").c_str(), (trip.dir / "not-saved").c_str()), 0);
  const Restored restored = copy(trip.from, {.directory = trip.to});
  EXPECT_EQ(restored.later, (Texts{"fifo2", "m/2", "m/first", "z/3", "z/4", "z/link"}));
  EXPECT_EQ(restored.errors, Texts{});
  EXPECT_EQ(stat_of(trip.to + "/outside").st_nlink, 1U);  // its other name is not in the backup
  ::unlink((trip.dir / "not-saved").c_str());
  expect_equal_trees(trip.from, trip.to, 13);
}

TEST(RoundTrip, KeepsHoles) {
  RoundTrip trip;
  const auto sparse = [&](const char* name, off_t size, std::initializer_list<off_t> data) {
    const Fd fd(::open((trip / name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    ASSERT_EQ(::ftruncate(fd.get(), size), 0);
    for (const off_t at : data) ASSERT_EQ(::pwrite(fd.get(), "data", 4, at), 4);
  };
  constexpr off_t kMiB = 1 << 20;
  sparse("all-hole", 5 * kMiB + 3, {});
  sparse("at-start", 5 * kMiB, {5 * kMiB - 4});
  sparse("at-end", 5 * kMiB + 1, {0});
  sparse("both", 9 * kMiB, {4 * kMiB});
  sparse("many", 9 * kMiB, {0, 2 * kMiB, 4 * kMiB, 6 * kMiB + 1});
  sparse("huge", off_t{1} << 40, {off_t{1} << 39});
  make_file(trip / "zeros", std::string(kMiB, '\0'));  // no hole
  trip.expect_faithful(7);
  EXPECT_EQ(stat_of(trip.to + "/all-hole").st_blocks, 0);
  EXPECT_LT(stat_of(trip.to + "/huge").st_blocks, 100);
  EXPECT_GE(stat_of(trip.to + "/zeros").st_blocks, kMiB / 512);
}

TEST(RoundTrip, AHoleRestoredOverDataIsAHole) {
  RoundTrip trip;
  make_file(trip / "f");
  ASSERT_EQ(::truncate((trip / "f").c_str(), 1 << 20), 0);
  make_dir(trip.to);
  make_file(trip.to + "/f", std::string(2 << 20, 'x'));
  EXPECT_EQ(copy(trip.from, {.directory = trip.to, .overwrite = Overwrite::kAlways}).errors,
            Texts{});
  expect_equal_trees(trip.from, trip.to);
  EXPECT_EQ(stat_of(trip.to + "/f").st_blocks, 0);
}

TEST(RoundTrip, KeepsTimesFromBefore1970ToAfter2100) {
  RoundTrip trip;
  make_dir(trip / "d");
  make_file(trip / "probe");
  constexpr std::int64_t kYear2150 = 5'680'281'600;
  set_mtime(trip / "probe", kYear2150);
  const bool far = stat_of(trip / "probe").st_mtim.tv_sec == kYear2150;
  if (!far) std::printf("the file system here holds no times after 2150\n");
  for (const char* name : {"f", "d/f"}) make_file(trip / name);
  ASSERT_EQ(::symlink("x", (trip / "link").c_str()), 0);
  set_mtime(trip / "f", -1'234'567'891, 876'543'211);  // -1234567890.123456789
  set_mtime(trip / "d/f", -1, 999'999'999);
  set_mtime(trip / "link", 0, 0);
  if (far) set_mtime(trip / "d", 4'102'444'801, 1);
  trip.expect_faithful(5);
}

// What goes on in a directory changes its time: it must be set last.
TEST(RoundTrip, KeepsTheTimesOfDirectoriesAboveChanges) {
  RoundTrip trip;
  make_dir(trip / "a");
  make_dir(trip / "a/b");
  make_file(trip / "a/b/f");
  ASSERT_EQ(::link((trip / "a/b/f").c_str(), (trip / "a/z").c_str()), 0);
  set_mtime(trip / "a/b", 1000, 1);
  set_mtime(trip / "a", 2000, 2);
  trip.expect_faithful(4);
  EXPECT_EQ(stat_of(trip.to + "/a").st_mtim.tv_sec, 2000);
}

TEST(RoundTrip, KeepsOwnersAndSetIdBits) {
  if (!is_root()) GTEST_SKIP() << "owners are set by root only";
  RoundTrip trip;
  make_file(trip / "f", "x");
  make_dir(trip / "d");
  ASSERT_EQ(::chown((trip / "f").c_str(), 54321, 12345), 0);
  ASSERT_EQ(::chmod((trip / "f").c_str(), 06755), 0);
  ASSERT_EQ(::chown((trip / "d").c_str(), 54321, 12345), 0);
  ASSERT_EQ(::chmod((trip / "d").c_str(), 02750), 0);
  make_file(trip / "d/in");
  trip.expect_faithful(3);
  EXPECT_EQ(stat_of(trip.to + "/f").st_mode & 07777U, 06755U);
}

TEST(RoundTrip, KeepsUserXattrs) {
  RoundTrip trip;
  if (!has_user_xattrs(trip.dir)) GTEST_SKIP() << "the file system here has no user xattrs";
  make_file(trip / "f", "x", 0444);  // not writable: no hindrance
  make_dir(trip / "d");
  ::chmod((trip / "f").c_str(), 0644);
  for (const char* name : {"f", "d"}) {
    set_xattr(trip / name, "user.empty", {});
    set_xattr(trip / name, "user.\xff\n", as_bytes(std::string_view("\0\xff", 2)));
    set_xattr(trip / name, "user.large", Bytes(3000, 'v'));
  }
  ::chmod((trip / "f").c_str(), 0444);
  ::chmod((trip / "d").c_str(), 0555);
  trip.expect_faithful(2);
}

TEST(RoundTrip, KeepsXattrsOfRoot) {
  if (!is_root()) GTEST_SKIP() << "trusted and security xattrs are set by root only";
  RoundTrip trip;
  make_file(trip / "f", "x", 0755);
  make_file(trip / "owned", "x", 0755);
  ASSERT_EQ(::chown((trip / "owned").c_str(), 1000, 1000), 0);
  ASSERT_EQ(::symlink("nowhere", (trip / "link").c_str()), 0);
  ASSERT_EQ(::mkfifo((trip / "fifo").c_str(), 0600), 0);
  // cap_net_raw=ep, version 2: what setcap(8) writes; changing the owner would drop it
  const Bytes capability = {1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  for (const char* name : {"f", "owned"}) set_xattr(trip / name, "security.capability", capability);
  for (const char* name : {"f", "link", "fifo"})
    if (::lsetxattr((trip / name).c_str(), "trusted.t", "v", 1, 0) != 0)
      std::printf("trusted xattrs cannot be set here: %s\n", std::strerror(errno));
  trip.expect_faithful(4);
}

// As acl(5) and the kernel spell them: version 2, then tag, permissions and id of each entry.
Bytes acl(std::initializer_list<std::array<unsigned, 3>> entries) {
  Bytes bytes = {2, 0, 0, 0};
  for (const auto& [tag, permissions, id] : entries) {
    for (const unsigned value : {tag, permissions})
      append(bytes, Bytes{static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(value >> 8)});
    for (int shift = 0; shift < 32; shift += 8)
      bytes.push_back(static_cast<std::uint8_t>(id >> shift));
  }
  return bytes;
}

constexpr unsigned kNoId = 0xffffffff;
// user::rwx, user:1000:r--, group::r-x, mask::rwx, other::---
const std::initializer_list<std::array<unsigned, 3>> kAcl = {
    {1, 7, kNoId}, {2, 4, 1000}, {4, 5, kNoId}, {0x10, 7, kNoId}, {0x20, 0, kNoId}};

TEST(RoundTrip, KeepsAcls) {
  RoundTrip trip;
  make_file(trip / "f", "x");
  if (::setxattr((trip / "f").c_str(), "system.posix_acl_access", acl(kAcl).data(),
                 acl(kAcl).size(), 0) != 0)
    GTEST_SKIP() << "the file system here has no ACLs";
  make_dir(trip / "d");
  // Written before the default ACL is set: they have none, and must not get one by inheritance.
  make_file(trip / "d/none", "x", 0640);
  make_dir(trip / "d/sub", 0750);
  ASSERT_EQ(::mkfifo((trip / "d/fifo").c_str(), 0640), 0);
  set_xattr(trip / "d", "system.posix_acl_access", acl(kAcl));
  set_xattr(trip / "d", "system.posix_acl_default", acl(kAcl));
  make_file(trip / "setgid", "x", 0755);
  set_xattr(trip / "setgid", "system.posix_acl_access", acl(kAcl));
  ASSERT_EQ(::chmod((trip / "setgid").c_str(), 06755), 0);
  trip.expect_faithful(6);
}

TEST(RoundTrip, TakesAwayAclsInheritedFromTheTarget) {
  RoundTrip trip;
  make_dir(trip.to);
  const Bytes inherited =
      acl({{1, 6, kNoId}, {2, 4, 1000}, {4, 5, kNoId}, {0x10, 7, kNoId}, {0x20, 0, kNoId}});
  if (::setxattr(trip.to.c_str(), "system.posix_acl_default", inherited.data(), inherited.size(),
                 0) != 0)
    GTEST_SKIP() << "the file system here has no ACLs";
  make_file(trip / "f", "x", 0640);
  make_dir(trip / "d", 0750);
  make_file(trip / "d/f", "x", 0604);
  make_dir(trip / "stood");
  make_dir(trip.to + "/stood");  // a directory that was there, with an inherited ACL
  ASSERT_EQ(::symlink("x", (trip / "link").c_str()), 0);
  ASSERT_EQ(::mkfifo((trip / "fifo").c_str(), 0640), 0);
  trip.expect_faithful(6);
}

TEST(RoundTrip, GoesDeeperThanAnyPathOrTheDescriptorsReach) {
  const std::pair<std::string, int> cases[] = {{std::string(255, 'd'), 50}, {"m", 3000}};
  for (const auto& [name, levels] : cases) {
    RoundTrip trip(Where::kMemory);
    in_child([&] {
      ASSERT_EQ(::chdir(trip.from.c_str()), 0);
      for (int i = 0; i < levels; ++i) {
        if (i % 10 == 0) {
          make_file("a", std::to_string(i));
          make_file("z");
          ASSERT_EQ(::link("a", "zz"), 0);
        }
        make_dir(name);
        set_mtime(name, 1000 + i, 1);
        ASSERT_EQ(::chdir(name.c_str()), 0);
      }
      make_file("bottom");
      // From the bottom up, as what is made in a directory changes its time.
      for (int i = levels - 1; i >= 0; --i) {
        ASSERT_EQ(::chdir(".."), 0);
        if (i % 7 == 0) ::chmod(name.c_str(), 0555);
        set_mtime(name, 1000 + i, 1);
      }
    });
    trip.expect_faithful(static_cast<std::size_t>(levels));
  }
}

TEST(RoundTrip, KeepsTheDirectoriesAboveTheRoot) {
  const TempDir dir;
  make_dir(dir / "x", 0711);
  make_dir(dir / "x/root", 0750);
  make_file(dir / "x/root/f", "1");
  auto walker = Walker::open({.roots = {dir / "x/root"}});
  Target target = open_target({.directory = dir / "to"});
  Restored restored;
  std::vector<Entry> entries;
  Accounts accounts;
  Findings findings;
  while (const auto found = walker->next()) {
    entries.push_back(*describe(*found, accounts, findings));
    place_one(target, entries.back(), [](const Entry&) { return ToldContent("1"); }, restored);
  }
  link_and_finish(target, entries, restored);
  EXPECT_EQ(restored.errors, Texts{});
  const std::string top = dir.path().substr(0, dir.path().find('/', 1));
  EXPECT_EQ(stat_of(dir / "to" + top).st_mode, stat_of(top).st_mode);
  EXPECT_EQ(stat_of(dir / "to" + dir.path() + "/x").st_mode & 07777U, 0711U);
  EXPECT_EQ(stat_of(dir / "to" + dir.path() + "/x/root").st_mode & 07777U, 0750U);
}

TEST(RoundTrip, WithoutRootRestoresItsOwnFilesFaithfully) {
  RoundTrip trip;
  ::chmod(trip.dir.path().c_str(), 0777);
  ::chmod(trip.from.c_str(), 0777);
  unprivileged([&] {
    make_file(trip / "f", "x", 0444);
    make_dir(trip / "d");
    make_file(trip / "d/in", "y", 0600);
    make_dir(trip / "d/sub");
    ASSERT_EQ(::symlink("d", (trip / "link").c_str()), 0);
    ASSERT_EQ(::mkfifo((trip / "fifo").c_str(), 0600), 0);
    ASSERT_EQ(::link((trip / "f").c_str(), (trip / "g").c_str()), 0);
    if (has_user_xattrs(trip.dir)) set_xattr(trip / "d/in", "user.a", as_bytes("v"));
    ::chmod((trip / "d").c_str(), 0500);  // nothing can be made in it afterwards
    set_mtime(trip / "d", 1000);
    trip.expect_faithful(7);
    ::chmod((trip / "d").c_str(), 0700);
    ::chmod((trip.to + "/d").c_str(), 0700);
  });
}

}  // namespace
}  // namespace holdfast::archive
