#include "archive/filter.h"

#include <fnmatch.h>
#include <gtest/gtest.h>

#include <random>

#include "support/file_tree.h"

namespace holdfast::archive {
namespace {

using namespace std::string_literals;

Glob glob(std::string_view pattern) {
  auto parsed = Glob::parse(pattern);
  EXPECT_TRUE(parsed.ok()) << pattern;
  return parsed.ok() ? std::move(*parsed) : *Glob::parse("?");
}

struct Case {
  std::string pattern;
  std::string path;
  bool matches;
};

TEST(Glob, MatchesAsItsPageSays) {
  const Case cases[] = {
      // Without '/': a name anywhere.
      {"core", "/core", true},
      {"core", "/a/b/core", true},
      {"core", "/a/core/b", true},  // and all below it
      {"core", "/a/cores", false},
      {"core", "/a/Core", false},
      {"*.o", "/src/main.o", true},
      {"*.o", "/src/.o", true},
      {"*.o", "/src/main.o.d", false},
      {"*", "/a", true},
      {"**", "/a/b", true},
      {"a**b", "/x/ab", true},
      {"a**b", "/a/b", false},  // a name holds no '/'
      {"?", "/aa/bc", false},
      {"?", "/aa/b", true},
      {".*", "/a/.git/config", true},
      // From the root.
      {"/home/*/tmp", "/home/ann/tmp", true},
      {"/home/*/tmp", "/home/ann/tmp/x/y", true},
      {"/home/*/tmp", "/home/ann/x/tmp", false},
      {"/home/*/tmp", "/srv/home/ann/tmp", false},
      {"/a", "/a", true},
      {"/a", "/b/a", false},
      {"/*", "/anything/below", true},
      {"/a/**", "/a/b/c", true},
      {"/a/**", "/a", false},
      {"/a/**/z", "/a/z", true},  // `**` as a component stands for none too
      {"/a/**/z", "/a/b/c/z", true},
      {"/a/**/z", "/az", false},
      {"/a/**z", "/a/b/xz", true},
      {"/a/**z", "/a/z", true},
      {"/a**/z", "/abc/d/z", true},
      {"/**/z", "/z", true},
      {"/**/z", "/q/z", true},
      {"/**/**/z", "/z", true},
      {"/a?c", "/a/c", false},
      {"/a*c", "/a/c", false},
      {"/a[!x]c", "/a/c", false},
      // Any trailing part.
      {"a/b", "/a/b", true},
      {"a/b", "/x/a/b", true},
      {"a/b", "/x/a/b/c", true},
      {"a/b", "/xa/b", false},
      {"a/b", "/a/bx", false},
      {"**/a", "/a", true},
      {"**/a", "/x/y/a", true},
      {"a/**/b", "/q/a/b", true},
      {"a/**/b", "/q/a/x/y/b", true},
      {"node_modules/.cache", "/home/ann/p/node_modules/.cache/x", true},
      // A '/' at the end says nothing; doubled ones are one.
      {"tmp/", "/a/tmp", true},
      {"/a//b/", "/a/b", true},
      {"tmp//", "/a/tmp", true},
      // Classes.
      {"[abc]", "/b", true},
      {"[abc]", "/d", false},
      {"[a-c]x", "/bx", true},
      {"[!a-c]x", "/bx", false},
      {"[^a-c]x", "/dx", true},
      {"[]x]", "/]", true},
      {"[!]x]", "/]", false},
      {"[a-]", "/-", true},
      {"[-a]", "/-", true},
      {"[\\]]", "/]", true},
      {"[a\\-c]", "/b", false},
      {"[*?]", "/*", true},
      {"[*?]", "/a", false},
      {"[\x80-\xff]", "/\xc3", true},
      {"[\x80-\xff]", "/a", false},
      // Quoting.
      {"\\*", "/*", true},
      {"\\*", "/a", false},
      {"\\?\\[\\\\", "/?[\\", true},
      {"\\#x", "/#x", true},
      {"a\\bc", "/abc", true},
      // Bytes, not characters.
      {"caf\xe9*", "/caf\xe9 noir", true},
      {"*\xff", "/\xfe\xff", true},
      {"?", "/\xff", true},
      {"??", "/\xc3\xa9", true},
      {"a\nb", "/a\nb", true},
      {"*%*", "/100%", true},
      {"...", "/...", true},
  };
  for (const Case& c : cases)
    EXPECT_EQ(glob(c.pattern).matches(c.path), c.matches) << c.pattern << " on " << c.path;
}

TEST(Glob, MatchesItselfLooksAtNoDirectoryAbove) {
  EXPECT_TRUE(glob("core").matches_itself("/a/core"));
  EXPECT_FALSE(glob("core").matches_itself("/core/a"));
  EXPECT_FALSE(glob("/a/*").matches_itself("/a/b/c"));
}

TEST(Glob, SaysWhatIsWrongWithAPattern) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "names nothing"},
      {"/", "names nothing"},
      {"//", "names nothing"},
      {"[abc", "no ']'"},
      {"[", "no ']'"},
      {"[]", "no ']'"},
      {"[!", "no ']'"},
      {"[a-", "no ']'"},
      {"[a\\", "no ']'"},
      {"[z-a]", "backwards"},
      {"[a/b]", "'/' cannot stand"},
      {"[[:alpha:]]", "named classes"},
      {"abc\\", "lone '\\'"},
      {"a\\/b", "cannot be quoted"},
      {"./a", "no \".\""},
      {"a/../b", "no \".\""},
      {"..", "no \".\""},
      {"a/.", "no \".\""},
      {"a\0b"s, "zero byte"},
  };
  for (const auto& [pattern, why] : cases) {
    const auto parsed = Glob::parse(pattern);
    ASSERT_FALSE(parsed.ok()) << pattern;
    EXPECT_EQ(parsed.error().code, Code::kInvalid) << pattern;
    EXPECT_NE(parsed.error().message.find(why), std::string::npos) << parsed.error().message;
  }
}

// Backtracking would take longer than the universe lasts.
TEST(Glob, TakesNoLongerForAPatternFullOfStars) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(glob(pattern + "*b").matches("/" + std::string(5000, 'a')));
  EXPECT_TRUE(glob(pattern).matches("/" + std::string(5000, 'a')));
  std::string deep = "/";
  for (int i = 0; i < 60; ++i) deep += "**/a*/";
  EXPECT_FALSE(glob(deep + "b").matches_itself([] {
    std::string path;
    for (int i = 0; i < 1000; ++i) path += "/aa";
    return path;
  }()));
}

// fnmatch(3) knows no `**`, and a trailing part is any one of them to it.
bool oracle(const std::string& pattern, const std::string& path) {
  if (pattern.front() == '/') return ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0;
  for (std::size_t at = path.find('/'); at != path.npos; at = path.find('/', at + 1))
    if (::fnmatch(pattern.c_str(), path.c_str() + at + 1, FNM_PATHNAME) == 0) return true;
  return false;
}

TEST(Glob, AgreesWithFnmatch) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto pick = [&](const auto& from) { return from[random() % std::size(from)]; };
  const std::string parts[] = {"a", "b", "ab", "*", "?", "[ab]", "[!a]", "\\a", "a*", "*b"};
  const std::string names[] = {"a", "b", "ab", "ba", "abab", "c"};
  int matched = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string pattern;
    for (std::size_t n = 1 + random() % 3; n > 0; --n) {
      if (!pattern.empty() || random() % 2 == 0) pattern += "/";
      std::string component = pick(parts);
      if (const std::string more = pick(parts); more != "*" && more != "*b" && random() % 2 == 0)
        component += more;
      pattern += component;
    }
    std::string path;
    for (std::size_t n = 1 + random() % 4; n > 0; --n) path += "/" + pick(names);
    const bool expected = oracle(pattern, path);
    matched += expected ? 1 : 0;
    ASSERT_EQ(glob(pattern).matches_itself(path), expected) << pattern << " on " << path;
  }
  EXPECT_GT(matched, 500);
}

TEST(Filter, ExcludesWhatAnyGlobMatches) {
  Filter filter;
  EXPECT_FALSE(filter.excludes("/a"));
  filter.exclude.push_back(glob("*.tmp"));
  filter.exclude.push_back(glob("/var/cache"));
  EXPECT_TRUE(filter.excludes("/x.tmp"));
  EXPECT_TRUE(filter.excludes("/var/cache/apt"));
  EXPECT_FALSE(filter.excludes_itself("/var/cache/apt"));
  EXPECT_FALSE(filter.excludes("/var/lib"));
}

TEST(ReadGlobs, TakesAPatternALine) {
  const testkit::TempDir dir;
  testkit::make_file(dir / "globs", "# a comment\n\n  \t\n*.o\r\n\\#real#\n/a b/\n\xff*\nlast");
  const auto globs = read_globs(dir / "globs");
  ASSERT_TRUE(globs.ok());
  ASSERT_EQ(globs->size(), 5U);
  EXPECT_TRUE((*globs)[0].matches("/x.o"));
  EXPECT_TRUE((*globs)[1].matches("/#real#"));
  EXPECT_TRUE((*globs)[2].matches("/a b"));
  EXPECT_TRUE((*globs)[3].matches("/\xff\xfe"));
  EXPECT_TRUE((*globs)[4].matches("/last"));
}

TEST(ReadGlobs, NamesTheFileAndLineOfABadPattern) {
  const testkit::TempDir dir;
  testkit::make_file(dir / "globs", "# fine\nfine\n[bad\n");
  const auto globs = read_globs(dir / "globs");
  ASSERT_FALSE(globs.ok());
  EXPECT_EQ(globs.error().code, Code::kInvalid);
  EXPECT_NE(globs.error().message.find("globs:3"), std::string::npos) << globs.error().message;
  EXPECT_FALSE(read_globs(dir / "absent").ok());
}

}  // namespace
}  // namespace holdfast::archive
