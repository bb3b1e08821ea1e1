// What a backup leaves out, and what a restore takes: globs, files of globs, CACHEDIR.TAG, nodump.
//
// A glob without '/' matches a name anywhere; with '/' it matches a whole path from the root, or,
// when it does not begin with '/', any trailing part of a path. `*` and `?` do not match '/', `**`
// does, `[...]` is a class (`[!...]` its complement; never '/'), `\` quotes. A `**` that is a whole
// component also stands for none: a/**/b matches a/b. A '/' at the end says nothing. Bytes are
// matched, so `?` is one byte and names need not be UTF-8. What matches a directory holds for all
// below it.
#pragma once

#include <bitset>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::archive {

class Glob {
 public:
  static Result<Glob> parse(std::string_view pattern);  // kInvalid: what is wrong with it
  // The path, or a directory above it, matches. Takes time linear in the path for any pattern.
  bool matches(std::string_view absolute_path) const;
  // The path itself, for a walk that asks about each directory on its way.
  bool matches_itself(std::string_view absolute_path) const;

 private:
  enum class Kind : std::uint8_t { kByte, kAny, kClass, kStar, kStarStar };
  struct Token {
    Kind kind{};
    char byte = 0;        // kByte
    std::size_t set = 0;  // kClass: which of sets_
  };
  using ByteSet = std::bitset<256>;

  Glob() = default;
  Result<void> add_class(std::string_view pattern, std::size_t& at);
  void find_literal_ends();
  bool accepts(const Token& token, char byte) const;
  bool simulate(std::string_view text) const;

  std::vector<Token> tokens_;
  std::vector<ByteSet> sets_;
  bool name_only_ = false;  // matches against the last component
  // What a matching text begins and ends with: most paths are refused by these alone.
  std::string prefix_;
  std::string suffix_;
};

struct Filter {
  std::vector<Glob> exclude;
  bool caches = false;  // leave out the contents of directories tagged by CACHEDIR.TAG
  bool nodump = false;  // leave out files with the nodump flag (chattr +d)

  // By the globs alone; see Glob.
  bool excludes(std::string_view absolute_path) const;
  bool excludes_itself(std::string_view absolute_path) const;
};

// A pattern a line; blank lines and lines that begin with # are skipped; a leading "\#" is a '#'.
// An error names the file and the line.
Result<std::vector<Glob>> read_globs(const std::string& file);

}  // namespace holdfast::archive
