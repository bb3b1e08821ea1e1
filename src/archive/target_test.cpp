#include "archive/target.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include <thread>

#include "support/restoring.h"

namespace holdfast::archive {
namespace {

using namespace testkit;
using namespace std::string_literals;

constexpr Overwrite kModes[] = {Overwrite::kNever, Overwrite::kOlder, Overwrite::kAlways};

bool says(const Texts& sentences, std::string_view part) {
  return std::ranges::any_of(sentences,
                             [&](const std::string& s) { return s.find(part) != s.npos; });
}

std::string operator/(const std::string& folder, const std::string& name) {
  return folder + "/" + name;
}

// A target beside a folder that no restore may reach.
struct Place {
  TempDir dir;
  std::string to = dir / "to";
  std::string outside = dir / "outside";

  Place() {
    make_dir(to);
    make_dir(outside, 0711);
    make_file(outside / "precious", "old", 0600);
    set_mtime(outside / "precious", 1000);
    set_mtime(outside, 1000);
  }
  void expect_outside_untouched() const {
    EXPECT_EQ(names_in(outside), (Texts{"precious"}));
    EXPECT_EQ(content_of(outside + "/precious"), "old");
    EXPECT_EQ(stat_of(outside).st_mtim.tv_sec, 1000);
    EXPECT_EQ(stat_of(outside).st_mode & 07777U, 0711U);
    EXPECT_EQ(stat_of(outside + "/precious").st_mode & 07777U, 0600U);
    EXPECT_EQ(names_in(dir.path()), (Texts{"outside", "to"}));
  }
};

// ---- never outside ----

TEST(TargetSafety, RefusesNamesThatAreNotOneComponent) {
  const std::string names[] = {"",
                               ".",
                               "..",
                               "/",
                               "/etc",
                               "a/b",
                               "../escape",
                               "outside/../",
                               "a\0b"s,
                               "\0"s,
                               std::string(256, 'n')};
  for (const std::string& name : names) {
    const Place place;
    const Restored restored =
        restore({.directory = place.to, .overwrite = Overwrite::kAlways},
                {a_file(0, name), a_link(0, name, "x"), a_dir(0, name), a_file(1, "precious"),
                 a_dir(1, "deeper"), a_file(2, "f"), a_file(0, "good")});
    EXPECT_EQ(restored.errors.size(), 3U) << name;
    EXPECT_EQ(restored.skipped.size(), 3U) << name;  // what lies in the refused directory
    EXPECT_EQ(names_in(place.to), (Texts{"good"})) << name;
    place.expect_outside_untouched();
  }
}

TEST(TargetSafety, NeverWritesThroughASymlinkThatStandsWhereAFolderBelongs) {
  for (const Overwrite overwrite : kModes) {
    for (const char* to : {"../outside", "/nowhere-at-all", "."}) {
      const Place place;
      ASSERT_EQ(::symlink(to, (place.to / "d").c_str()), 0);
      const Restored restored =
          restore({.directory = place.to, .overwrite = overwrite},
                  {a_dir(0, "d"), a_file(1, "precious"), a_dir(1, "sub"), a_file(2, "f"),
                   with_inode(a_file(2, "g"), 7), a_dir(0, "e"), with_inode(a_file(1, "h"), 7)});
      ASSERT_EQ(restored.errors.size(), 1U) << restored.errors.back();
      EXPECT_TRUE(says(restored.errors, "symlink stands where the folder d belongs"));
      EXPECT_EQ(restored.skipped.size(), 4U);
      EXPECT_TRUE(says(restored.skipped, "it lies in d, which could not be restored"));
      EXPECT_EQ(names_in(place.to), (Texts{"d", "e"}));
      EXPECT_EQ(content_of(place.to / "e/h"), "new");  // the first name that could be made
      EXPECT_TRUE(S_ISLNK(stat_of(place.to / "d").st_mode));
      place.expect_outside_untouched();
    }
  }
}

TEST(TargetSafety, NeverWritesThroughASymlinkOfTheBackupItself) {
  const Place place;
  const Restored restored =
      restore({.directory = place.to, .overwrite = Overwrite::kAlways},
              {a_link(0, "d", "../outside"), a_dir(0, "d"), a_file(1, "precious")});
  EXPECT_TRUE(says(restored.errors, "symlink stands where"));
  place.expect_outside_untouched();
}

TEST(TargetSafety, ReplacesASymlinkInTheWayOfAFileAndNotWhatItPointsTo) {
  const Place place;
  ASSERT_EQ(::symlink("../outside/precious", (place.to / "f").c_str()), 0);
  EXPECT_EQ(restore({.directory = place.to, .overwrite = Overwrite::kNever}, {a_file(0, "f")})
                .skipped.size(),
            1U);
  EXPECT_EQ(
      restore({.directory = place.to, .overwrite = Overwrite::kAlways}, {a_file(0, "f")}).errors,
      Texts{});
  EXPECT_TRUE(S_ISREG(stat_of(place.to / "f").st_mode));
  place.expect_outside_untouched();
}

TEST(TargetSafety, AFolderSwappedForASymlinkBeforeItsFilesAreWrittenLeadsNowhere) {
  const Place place;
  Target target = open_target({.directory = place.to, .overwrite = Overwrite::kAlways});
  const Item d = a_dir(0, "d"), f = a_file(1, "precious"), g = with_inode(a_file(1, "g"), 9),
             h = with_inode(a_file(1, "h"), 9);
  ASSERT_TRUE(target.place(d.entry).ok());
  auto placed = target.place(f.entry);
  auto placed_g = target.place(g.entry);
  ASSERT_TRUE(std::holds_alternative<Later>(*target.place(h.entry)));
  ASSERT_EQ(std::rename((place.to / "d").c_str(), (place.to / "moved").c_str()), 0);
  ASSERT_EQ(::symlink("../outside", (place.to / "d").c_str()), 0);
  Restored restored;
  ToldContent content("new"), content_g("new");
  EXPECT_TRUE(std::get<PlaceJob>(*placed).run(content, restored.findings).ok());
  EXPECT_TRUE(std::get<PlaceJob>(*placed_g).run(content_g, restored.findings).ok());
  link_and_finish(target, {d.entry, f.entry, g.entry, h.entry}, restored);
  EXPECT_EQ(names_in(place.to / "moved"), (Texts{"g", "precious"}));
  // The link, and the attributes of the folder.
  EXPECT_EQ(restored.errors.size(), 2U);
  EXPECT_TRUE(says(restored.errors, "symlink stands where the folder d belongs"));
  place.expect_outside_untouched();
}

TEST(TargetSafety, AFolderSwappedForAnotherGetsNoAttributes) {
  const Place place;
  Target target = open_target({.directory = place.to});
  const Item d = a_dir(0, "d"), z = a_dir(0, "z");
  ASSERT_TRUE(target.place(d.entry).ok());
  ASSERT_TRUE(target.place(z.entry).ok());
  ASSERT_EQ(::rmdir((place.to / "d").c_str()), 0);
  ASSERT_EQ(std::rename(place.outside.c_str(), (place.to / "d").c_str()), 0);
  Restored restored;
  link_and_finish(target, {d.entry, z.entry}, restored);
  EXPECT_TRUE(says(restored.errors, "the folder d was replaced"));
  EXPECT_EQ(stat_of(place.to / "d").st_mode & 07777U, 0711U);
  EXPECT_EQ(stat_of(place.to / "z").st_mode & 07777U, 0755U);
}

TEST(TargetSafety, AFolderThatKeepsBeingSwappedForASymlinkLeadsNowhere) {
  const Place place;
  make_dir(place.to / "d");
  ASSERT_EQ(::symlink("../outside", (place.to / "s").c_str()), 0);
  int refused = 0;
  {
    std::jthread attacker([&](const std::stop_token& stop) {
      while (!stop.stop_requested())
        ::renameat2(AT_FDCWD, (place.to / "d").c_str(), AT_FDCWD, (place.to / "s").c_str(),
                    RENAME_EXCHANGE);
    });
    for (int i = 0; i < 300 || (refused == 0 && i < 20'000); ++i) {
      const Restored restored =
          restore({.directory = place.to, .overwrite = Overwrite::kAlways},
                  {a_dir(0, "d"), with_inode(a_file(1, "f"), 5), with_inode(a_file(1, "g"), 5),
                   a_link(1, "precious", "x"), a_dir(1, "sub"), a_file(2, "h")});
      if (!restored.errors.empty()) ++refused;
    }
  }
  if (!S_ISLNK(stat_of(place.to / "s").st_mode)) {
    ASSERT_EQ(::renameat2(AT_FDCWD, (place.to / "d").c_str(), AT_FDCWD, (place.to / "s").c_str(),
                          RENAME_EXCHANGE),
              0);
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(names_in(place.to), (Texts{"d", "s"}));
  place.expect_outside_untouched();
}

TEST(TargetSafety, LinksOnlyToTheFileThatWasMade) {
  const Place place;
  Target target = open_target({.directory = place.to});
  const Item a = with_inode(a_file(0, "a"), 5), b = with_inode(a_file(0, "b"), 5);
  Restored restored;
  place_one(target, a.entry, [](const Entry&) { return ToldContent("new"); }, restored);
  ASSERT_TRUE(std::holds_alternative<Later>(*target.place(b.entry)));
  ::unlink((place.to / "a").c_str());
  ASSERT_EQ(::link((place.outside / "precious").c_str(), (place.to / "a").c_str()), 0);
  link_and_finish(target, {a.entry, b.entry}, restored);
  EXPECT_TRUE(says(restored.errors, "b is another name of a, but another file stands there"));
  EXPECT_FALSE(stands(place.to / "b"));
  EXPECT_EQ(stat_of(place.outside / "precious").st_nlink, 2U);
}

TEST(TargetSafety, FindsTheFileToLinkToThroughNoSymlink) {
  const Place place;
  const std::vector<Item> items = {a_dir(0, "d"), with_inode(a_file(1, "precious", "old"), 5),
                                   a_dir(0, "e"), with_inode(a_file(1, "b", "old"), 5)};
  ASSERT_EQ(restore({.directory = place.to}, {items[0], items[1]}).errors, Texts{});
  Target target = open_target({.directory = place.to});
  Restored restored;
  std::vector<Entry> entries;
  for (const Item& item : items) {
    place_one(
        target, item.entry, [&](const Entry&) { return ToldContent(item.content); }, restored);
    entries.push_back(item.entry);
  }
  EXPECT_EQ(restored.later, (Texts{"e/b"}));
  ASSERT_EQ(std::rename((place.to / "d").c_str(), (place.to / "moved").c_str()), 0);
  ASSERT_EQ(::symlink("../outside", (place.to / "d").c_str()), 0);
  // Alike in all that tells a file restored before from another one.
  const FileTime mtime = items[1].entry.mtime;
  set_mtime(place.outside / "precious", mtime.seconds, mtime.nanoseconds);
  link_and_finish(target, entries, restored);
  EXPECT_TRUE(says(restored.errors, "cannot find again d/precious"));
  EXPECT_FALSE(stands(place.to / "e/b"));
  place.expect_outside_untouched();
}

TEST(TargetSafety, RefusesEntriesOutOfOrder) {
  const Place place;
  const Restored restored =
      restore({.directory = place.to}, {a_file(1, "lost"), a_dir(0, "d"), a_file(2, "lost"),
                                        a_file(1, "f"), a_file(2, "in-a-file"), a_file(0, "z")});
  EXPECT_EQ(std::ranges::count_if(restored.errors,
                                  [](const auto& e) { return e.find("out of order") != e.npos; }),
            9);  // three, in each pass
  EXPECT_EQ(names_in(place.to), (Texts{"d", "z"}));
  EXPECT_EQ(names_in(place.to / "d"), (Texts{"f"}));
}

// ---- what stands there already ----

TEST(TargetOverwrite, FollowsItsMode) {
  const Item items[] = {
      a_file(0, "x"), a_link(0, "x", "new"), {entry_of(0, "x", EntryKind::kFifo), ""}};
  for (const Item& item : items) {
    for (const Overwrite overwrite : kModes) {
      for (const std::int64_t age : {-1, 0, 1}) {  // of what stands there, against the entry
        const Place place;
        make_file(place.to / "x", "stood");
        const FileTime mtime = item.entry.mtime;
        set_mtime(place.to / "x", mtime.seconds, mtime.nanoseconds + age);
        const Restored restored = restore({.directory = place.to, .overwrite = overwrite}, {item});
        EXPECT_EQ(restored.errors, Texts{});
        const bool replaces =
            overwrite == Overwrite::kAlways || (overwrite == Overwrite::kOlder && age < 0);
        EXPECT_EQ(restored.skipped.size(), replaces ? 0U : 1U);
        EXPECT_EQ(says(restored.skipped, overwrite == Overwrite::kNever ? "exists" : "not older"),
                  !replaces);
        EXPECT_EQ(S_ISREG(stat_of(place.to / "x").st_mode) && content_of(place.to / "x") == "stood",
                  !replaces);
        EXPECT_EQ(names_in(place.to), (Texts{"x"}));
      }
    }
  }
}

TEST(TargetOverwrite, FilesAndFoldersNeverReplaceOneAnother) {
  for (const Overwrite overwrite : kModes) {
    const Place place;
    make_dir(place.to / "f");
    make_dir(place.to / "h");
    make_file(place.to / "f/kept", "stood");
    make_file(place.to / "d", "stood");
    set_mtime(place.to / "d", 1);
    set_mtime(place.to / "f", 1);
    const Restored restored =
        restore({.directory = place.to, .overwrite = overwrite},
                {a_dir(0, "d"), a_file(1, "below"), a_file(0, "f"), with_inode(a_file(0, "g"), 3),
                 with_inode(a_file(0, "h"), 3)});
    EXPECT_EQ(restored.errors.size(), 3U);
    EXPECT_TRUE(says(restored.errors, "a file stands where the folder d belongs"));
    EXPECT_TRUE(says(restored.errors, "a folder stands where f belongs"));
    EXPECT_TRUE(says(restored.errors, "a folder stands where h belongs"));
    EXPECT_EQ(content_of(place.to / "d"), "stood");
    EXPECT_EQ(content_of(place.to / "f/kept"), "stood");
    EXPECT_EQ(names_in(place.to), (Texts{"d", "f", "g", "h"}));
  }
}

TEST(TargetOverwrite, WhatComesToStandThereMeanwhileIsProtected) {
  const Place place;
  for (const Overwrite overwrite : {Overwrite::kNever, Overwrite::kOlder}) {
    Target target = open_target({.directory = place.to, .overwrite = overwrite});
    auto placed = target.place(a_file(0, "x").entry);
    make_file(place.to / "x", "someone's");  // now, so not older
    ToldContent content("new");
    Findings findings;
    const auto ran = std::get<PlaceJob>(*placed).run(content, findings);
    ASSERT_FALSE(ran.ok());
    EXPECT_EQ(ran.error().code, Code::kConflict);
    EXPECT_EQ(content_of(place.to / "x"), "someone's");
    EXPECT_EQ(names_in(place.to), (Texts{"x"}));
    ::unlink((place.to / "x").c_str());
  }
}

TEST(TargetOverwrite, FoldersThatStandAreUsedAndGetTheirAttributes) {
  for (const Overwrite overwrite : kModes) {
    const Place place;
    make_dir(place.to / "d", 0700);
    make_file(place.to / "d/mine", "stood");
    EXPECT_EQ(
        restore({.directory = place.to, .overwrite = overwrite}, {a_dir(0, "d"), a_file(1, "f")})
            .errors,
        Texts{});
    EXPECT_EQ(names_in(place.to / "d"), (Texts{"f", "mine"}));
    EXPECT_EQ(stat_of(place.to / "d").st_mode & 07777U, 0755U);
    EXPECT_EQ(stat_of(place.to / "d").st_mtim.tv_sec, 1'600'000'000);
  }
}

// ---- contents ----

TEST(TargetContent, OfAnotherLengthIsRefusedAndLeavesNothing) {
  using Told = std::vector<ToldContent::Told>;
  const Told contents[] = {
      {},
      {{"ab", 0}},
      {{"abcd", 0}},
      {{"ab", 0}, {"cd", 0}},
      {{"", 2}},
      {{"", 4}},
      {{"abc", 1}},
      {{"abc", UINT64_MAX}},
      {{"a", 0}, {"", 1}},
      {{"", 3}, {"x", 0}},
      {{"", UINT64_MAX}, {"", 4}},
  };
  for (const Told& told : contents) {
    for (const bool stood : {false, true}) {
      const Place place;
      if (stood) make_file(place.to / "f", "stood");
      Target target = open_target({.directory = place.to, .overwrite = Overwrite::kAlways});
      auto placed = target.place(a_file(0, "f", "abc").entry);
      ToldContent content(told);
      Findings findings;
      const auto ran = std::get<PlaceJob>(*placed).run(content, findings);
      ASSERT_FALSE(ran.ok());
      EXPECT_EQ(ran.error().code, Code::kCorrupt);
      EXPECT_NE(ran.error().message.find("f"), std::string::npos);
      EXPECT_EQ(names_in(place.to), stood ? Texts{"f"} : Texts{});
      if (stood) {
        EXPECT_EQ(content_of(place.to / "f"), "stood");
      }
    }
  }
}

TEST(TargetContent, OfTheRightLengthInAnyPiecesIsWritten) {
  using Told = std::vector<ToldContent::Told>;
  const std::pair<Told, std::string> contents[] = {
      {{{"abc", 0}}, "abc"},
      {{{"a", 0}, {"", 0}, {"bc", 0}}, "abc"},
      {{{"", 3}}, "\0\0\0"s},
      {{{"a", 1}, {"c", 0}}, "a\0c"s},
      {{{"", 1}, {"b", 0}, {"", 1}, {"", 0}}, "\0b\0"s},
  };
  for (const auto& [told, expected] : contents) {
    const Place place;
    Target target = open_target({.directory = place.to});
    auto placed = target.place(a_file(0, "f", "abc").entry);
    ToldContent content(told);
    Findings findings;
    EXPECT_TRUE(std::get<PlaceJob>(*placed).run(content, findings).ok());
    EXPECT_EQ(content_of(place.to / "f"), expected);
  }
}

TEST(TargetContent, ThatFailsToBeReadLeavesNothing) {
  const Place place;
  Target target = open_target({.directory = place.to});
  auto placed = target.place(a_file(0, "f", "abc").entry);
  ToldContent content("abc");
  content.fail_at_the_end();
  Findings findings;
  const auto ran = std::get<PlaceJob>(*placed).run(content, findings);
  EXPECT_EQ(ran.error().message, "a chunk is damaged");
  EXPECT_EQ(names_in(place.to), Texts{});
}

TEST(TargetContent, ASymlinkWithoutATargetIsRefused) {
  const Place place;
  const Restored restored =
      restore({.directory = place.to}, {a_link(0, "a", ""), a_link(0, "b", "x\0y"s)});
  EXPECT_EQ(restored.errors.size(), 2U);
  EXPECT_EQ(names_in(place.to), Texts{});
}

TEST(TargetContent, AFullDiskIsToldAndTheRestIsRestored) {
  const Place place;
  in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", place.to.c_str(), "tmpfs", 0, "size=64k") != 0) {
      std::printf("skipped: a tmpfs cannot be mounted here\n");
      return;
    }
    const Restored restored =
        restore({.directory = place.to},
                {a_file(0, "a", std::string(1'000'000, 'x')), a_file(0, "b", "small")});
    ASSERT_EQ(restored.errors.size(), 1U);
    EXPECT_TRUE(says(restored.errors, "cannot write a: No space left on device; free some space"));
    EXPECT_EQ(names_in(place.to), (Texts{"b"}));
  });
}

TEST(TargetContent, JobsRunInAnyThread) {
  const Place place;
  Target target = open_target({.directory = place.to});
  std::vector<Item> items;
  std::vector<PlaceJob> jobs;
  std::vector<Entry> entries;
  for (int d = 0; d < 10; ++d) {
    items.push_back(a_dir(0, "d" + std::to_string(d)));
    for (int f = 0; f < 50; ++f)
      items.push_back(with_inode(a_file(1, "f" + std::to_string(100 + f)),
                                 static_cast<std::uint64_t>(d * 50 + f / 2)));
  }
  for (const Item& item : items) {
    auto placed = target.place(item.entry);
    ASSERT_TRUE(placed.ok());
    entries.push_back(item.entry);
    if (auto* job = std::get_if<PlaceJob>(&*placed)) jobs.push_back(std::move(*job));
  }
  EXPECT_EQ(jobs.size(), 250U);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 4; ++t)
      threads.emplace_back([&jobs, t] {
        Findings findings;
        for (std::size_t i = t; i < jobs.size(); i += 4) {
          ToldContent content("new");
          EXPECT_TRUE(jobs[i].run(content, findings).ok());
        }
      });
  }
  Restored restored;
  link_and_finish(target, entries, restored);
  EXPECT_EQ(restored.errors, Texts{});
  for (int d = 0; d < 10; ++d) {
    const std::string folder = place.to / ("d" + std::to_string(d));
    EXPECT_EQ(names_in(folder).size(), 50U);
    EXPECT_EQ(stat_of(folder / "f100").st_ino, stat_of(folder / "f101").st_ino);
  }
}

// ---- hard links ----

std::vector<Item> two_names() {
  return {with_inode(a_file(0, "a"), 5), a_dir(0, "d"), with_inode(a_file(1, "b"), 5)};
}

bool are_one(const std::string& left, const std::string& right) {
  return stat_of(left).st_ino == stat_of(right).st_ino;
}

TEST(TargetLink, FailsWhenItsFileCouldNotBeRestored) {
  const Place place;
  Target target = open_target({.directory = place.to});
  const std::vector<Item> items = two_names();
  Restored restored;
  std::vector<Entry> entries;
  for (const Item& item : items) {
    place_one(
        target, item.entry, [](const Entry&) { return ToldContent("wrong length"); }, restored);
    entries.push_back(item.entry);
  }
  EXPECT_EQ(restored.later, (Texts{"d/b"}));
  link_and_finish(target, entries, restored);
  EXPECT_EQ(restored.errors.size(), 2U);
  EXPECT_TRUE(says(restored.errors, "d/b is another name of a, which could not be restored"));
  EXPECT_EQ(names_in(place.to), (Texts{"d"}));
  EXPECT_EQ(names_in(place.to / "d"), Texts{});
}

TEST(TargetLink, RestoredTwiceIsTheSame) {
  for (const Overwrite overwrite : kModes) {
    const Place place;
    EXPECT_EQ(restore({.directory = place.to, .overwrite = overwrite}, two_names()).errors,
              Texts{});
    const Restored again = restore({.directory = place.to, .overwrite = overwrite}, two_names());
    EXPECT_EQ(again.errors, Texts{});
    EXPECT_TRUE(are_one(place.to / "a", place.to / "d/b"));
    EXPECT_EQ(stat_of(place.to / "a").st_nlink, 2U);
    EXPECT_EQ(again.skipped.size(), overwrite == Overwrite::kAlways ? 0U : 2U);
    EXPECT_EQ(names_in(place.to), (Texts{"a", "d"}));
    EXPECT_EQ(names_in(place.to / "d"), (Texts{"b"}));
  }
}

// A restore that was killed before its second pass is run again.
TEST(TargetLink, JoinsAFileThatWasRestoredBefore) {
  const Place place;
  ASSERT_EQ(restore({.directory = place.to}, two_names()).errors, Texts{});
  ASSERT_EQ(::unlink((place.to / "d/b").c_str()), 0);
  const Restored again = restore({.directory = place.to}, two_names());
  EXPECT_EQ(again.errors, Texts{});
  EXPECT_EQ(again.skipped.size(), 1U);
  EXPECT_TRUE(are_one(place.to / "a", place.to / "d/b"));
}

TEST(TargetLink, DoesNotJoinAnotherFileThatStoodThere) {
  const Place place;
  make_file(place.to / "a", "mine");
  const Restored restored = restore({.directory = place.to}, two_names());
  EXPECT_TRUE(says(restored.errors, "d/b is another name of a, but another file stands there"));
  EXPECT_EQ(content_of(place.to / "a"), "mine");
  EXPECT_FALSE(stands(place.to / "d/b"));
}

TEST(TargetLink, FollowsTheOverwriteMode) {
  for (const Overwrite overwrite : kModes) {
    for (const std::int64_t mtime : {1'000, 2'000'000'000}) {
      const Place place;
      make_dir(place.to / "d");
      make_file(place.to / "d/b", "stood");
      set_mtime(place.to / "d/b", mtime);
      const Restored restored =
          restore({.directory = place.to, .overwrite = overwrite}, two_names());
      EXPECT_EQ(restored.errors, Texts{});
      const bool replaces =
          overwrite == Overwrite::kAlways || (overwrite == Overwrite::kOlder && mtime == 1'000);
      EXPECT_EQ(are_one(place.to / "a", place.to / "d/b"), replaces);
      EXPECT_EQ(restored.skipped.size(), replaces ? 0U : 1U);
      EXPECT_EQ(names_in(place.to / "d"), (Texts{"b"}));
    }
  }
}

TEST(TargetLink, ANameAloneIsAnOrdinaryFile) {
  const Place place;
  EXPECT_EQ(restore({.directory = place.to}, {with_inode(a_file(0, "b"), 5)}).errors, Texts{});
  EXPECT_EQ(stat_of(place.to / "b").st_nlink, 1U);
}

TEST(TargetLink, AnotherKindWithTheSameInodeIsMadeByItself) {
  const Place place;
  EXPECT_EQ(restore({.directory = place.to},
                    {with_inode(a_file(0, "a"), 5), with_inode(a_link(0, "b", "x"), 5)})
                .errors,
            Texts{});
  EXPECT_TRUE(S_ISLNK(stat_of(place.to / "b").st_mode));
}

// ---- owners, modes and what could not be set ----

TEST(TargetAttributes, OwnersGoByNameUnlessNumbersAreAsked) {
  if (!is_root()) GTEST_SKIP() << "owners are set by root only";
  const passwd* const daemon = ::getpwnam("daemon");
  if (daemon == nullptr) GTEST_SKIP() << "there is no user daemon here";
  const uid_t uid = daemon->pw_uid;
  const gid_t gid = daemon->pw_gid;
  Item named = a_file(0, "named"), unknown = a_file(0, "unknown"), odd = a_file(0, "zero");
  named.entry.uid = unknown.entry.uid = odd.entry.uid = 54'321;
  named.entry.gid = unknown.entry.gid = odd.entry.gid = 54'322;
  named.entry.user = named.entry.group = to_bytes(as_bytes("daemon"));
  unknown.entry.user = unknown.entry.group = to_bytes(as_bytes("no-such-user-here"));
  odd.entry.user = odd.entry.group = to_bytes(as_bytes("daemon\0x"s));
  for (const bool numeric : {false, true}) {
    const Place place;
    restore({.directory = place.to, .numeric_ids = numeric}, {named, unknown, odd});
    EXPECT_EQ(stat_of(place.to / "named").st_uid, numeric ? 54'321 : uid);
    EXPECT_EQ(stat_of(place.to / "named").st_gid, numeric ? 54'322 : gid);
    for (const char* name : {"unknown", "zero"}) {
      EXPECT_EQ(stat_of(place.to / name).st_uid, 54'321U);
      EXPECT_EQ(stat_of(place.to / name).st_gid, 54'322U);
    }
  }
}

TEST(TargetAttributes, WithoutRootLostOwnersAreToldOnceAndSetIdBitsAreNotSet) {
  const Place place;
  ::chmod(place.to.c_str(), 0777);
  unprivileged([&] {
    std::vector<Item> items = {a_dir(0, "d")};
    for (int i = 0; i < 10; ++i) items.push_back(a_file(1, "f" + std::to_string(i)));
    for (Item& item : items) {
      item.entry.uid = 12'345;
      item.entry.gid = 12'345;
      if (item.entry.kind == EntryKind::kFile) item.entry.mode = 06755;
    }
    const Restored restored = restore({.directory = place.to}, items);
    EXPECT_EQ(restored.errors, Texts{});
    EXPECT_TRUE(restored.findings.problems.empty());
    ASSERT_EQ(restored.findings.notes.size(), 3U)
        << ::testing::PrintToString(texts(restored.findings));
    EXPECT_EQ(restored.findings.notes[0].path, "d/f0");
    EXPECT_EQ(restored.findings.notes[0].reason,
              "its owner could not be set: Operation not permitted");
    EXPECT_TRUE(says(texts(restored.findings), "so it is with 9 more"));
    EXPECT_TRUE(says(texts(restored.findings), "so it is with 1 more"));  // the folder, in pass 3
    EXPECT_EQ(stat_of(place.to / "d/f3").st_mode & 07777U, 0755U);
    EXPECT_EQ(stat_of(place.to / "d").st_mtim.tv_sec, 1'600'000'000);
  });
}

TEST(TargetAttributes, WithoutRootADeviceIsAnErrorAndTheRestIsRestored) {
  const Place place;
  ::chmod(place.to.c_str(), 0777);
  unprivileged([&] {
    Item device{entry_of(0, "device", EntryKind::kCharDevice), ""};
    device.entry.rdev = ::makedev(1, 3);
    const Restored restored = restore({.directory = place.to}, {device, a_file(0, "f")});
    ASSERT_EQ(restored.errors.size(), 1U);
    EXPECT_EQ(restored.errors[0], "making the device device needs root");
    EXPECT_EQ(names_in(place.to), (Texts{"f"}));
  });
}

TEST(TargetAttributes, XattrsTheTargetHasNotAreToldOnce) {
  const Place place;
  std::vector<Item> items;
  for (const char* name : {"a", "b", "c"}) {
    items.push_back(a_file(0, name));
    items.back().entry.xattrs = {{to_bytes(as_bytes("nosuch.x")), {1}}};
  }
  const Restored restored = restore({.directory = place.to}, items);
  EXPECT_EQ(restored.errors, Texts{});
  EXPECT_EQ(texts(restored.findings),
            (Texts{"a: its extended attribute nosuch.* could not be set: Operation not supported",
                   "a: so it is with 2 more: its extended attribute nosuch.* could not be set: "
                   "Operation not supported"}));
  EXPECT_EQ(names_in(place.to), (Texts{"a", "b", "c"}));
}

TEST(TargetAttributes, WrongOnesAreNotedAndTheFileIsRestored) {
  const Place place;
  Item item = a_file(0, "f");
  item.entry.mode = 0xffff0000U | 0644U;
  item.entry.mtime.nanoseconds = 2'000'000'000;
  item.entry.xattrs = {{{}, {1}}, {Bytes(300, 'u'), {1}}, {Bytes{'u', 0, 'x'}, {1}}};
  const Restored restored = restore({.directory = place.to}, {item});
  EXPECT_EQ(restored.errors, Texts{});
  EXPECT_TRUE(says(texts(restored.findings), "time could not be set"));
  EXPECT_EQ(content_of(place.to / "f"), "new");
  EXPECT_EQ(stat_of(place.to / "f").st_mode & 07777U, 0644U);
}

TEST(TargetAttributes, AReadOnlyFolderThatStoodHindersOnlyWhatIsInIt) {
  const Place place;
  ::chmod(place.to.c_str(), 0777);
  unprivileged([&] {
    make_dir(place.to / "d", 0500);
    const Restored restored =
        restore({.directory = place.to},
                {a_dir(0, "d"), a_file(1, "f"), a_dir(1, "sub"), a_file(2, "g"), a_file(0, "z")});
    EXPECT_EQ(restored.errors.size(), 2U);
    EXPECT_TRUE(says(restored.errors, "cannot create d/f: Permission denied"));
    EXPECT_TRUE(says(restored.errors, "cannot create the folder d/sub"));
    EXPECT_TRUE(says(restored.skipped, "it lies in d/sub"));
    EXPECT_EQ(names_in(place.to), (Texts{"d", "z"}));
  });
}

// ---- dry runs and the folder itself ----

TEST(TargetDryRun, TouchesNothingAndForetells) {
  const Place place;
  make_dir(place.to / "d", 0700);
  make_file(place.to / "d/stood", "stood");
  make_file(place.to / "not-a-folder", "stood");
  ASSERT_EQ(::symlink("../outside", (place.to / "link").c_str()), 0);
  for (const char* name : {"d/stood", "d", "not-a-folder"}) set_mtime(place.to / name, 1000);
  const std::vector<Item> items = {a_dir(0, "d"),
                                   a_file(1, "f"),
                                   a_file(1, "stood"),
                                   a_dir(0, "link"),
                                   a_file(1, "precious"),
                                   a_dir(0, "new"),
                                   a_dir(1, "new"),
                                   with_inode(a_file(2, "a"), 5),
                                   with_inode(a_file(2, "b"), 5),
                                   a_dir(0, "not-a-folder"),
                                   a_file(1, "f"),
                                   a_file(0, "..")};
  const Restored dry = restore({.directory = place.to, .dry_run = true}, items);
  EXPECT_EQ(names_in(place.to), (Texts{"d", "link", "not-a-folder"}));
  EXPECT_EQ(names_in(place.to / "d"), (Texts{"stood"}));
  EXPECT_EQ(stat_of(place.to / "d").st_mode & 07777U, 0700U);
  EXPECT_EQ(stat_of(place.to / "d").st_mtim.tv_sec, 1000);
  place.expect_outside_untouched();
  const Restored real = restore({.directory = place.to}, items);
  EXPECT_EQ(dry.errors, real.errors);
  EXPECT_EQ(dry.skipped, real.skipped);
  EXPECT_EQ(dry.later, real.later);
  EXPECT_EQ(dry.made, real.made);
}

TEST(TargetDryRun, NeedsNoFolder) {
  const TempDir dir;
  const Restored dry = restore({.directory = dir / "absent/deeper", .dry_run = true},
                               {a_dir(0, "d"), a_file(1, "f"), a_link(0, "l", "x")});
  EXPECT_EQ(dry.errors, Texts{});
  EXPECT_EQ(dry.made, 3U);
  EXPECT_EQ(names_in(dir.path()), Texts{});
}

TEST(TargetFolder, IsMadeMayBeASymlinkAndMustBeAFolder) {
  const TempDir dir;
  EXPECT_EQ(restore({.directory = dir / "a/b/c/"}, {a_file(0, "f")}).errors, Texts{});
  EXPECT_EQ(content_of(dir / "a/b/c/f"), "new");
  ASSERT_EQ(::symlink("a/b", (dir / "link").c_str()), 0);
  EXPECT_EQ(restore({.directory = dir / "link"}, {a_file(0, "g")}).errors, Texts{});
  EXPECT_EQ(content_of(dir / "a/b/g"), "new");
  make_file(dir / "file");
  ASSERT_EQ(::symlink("nowhere", (dir / "dangling").c_str()), 0);
  for (const std::string& bad : {dir / "file", dir / "dangling", std::string()})
    EXPECT_FALSE(Target::open({.directory = bad}).ok()) << bad;
  EXPECT_FALSE(stands(dir / "nowhere"));
}

TEST(TargetFolder, LeftoversOfAKilledRestoreAreLeftAlone) {
  const Place place;
  make_file(place.to / ".holdfast-restore-0123456789abcdef", "half");
  EXPECT_EQ(restore({.directory = place.to}, {a_file(0, "f")}).errors, Texts{});
  EXPECT_EQ(names_in(place.to), (Texts{".holdfast-restore-0123456789abcdef", "f"}));
}

}  // namespace
}  // namespace holdfast::archive
