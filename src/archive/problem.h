// A path that could not be backed up, restored or checked; the rest goes on and the program
// exits 3.
#pragma once

#include <string>
#include <vector>

namespace holdfast::archive {

struct Problem {
  std::string path;            // as on disk; may not be UTF-8
  std::string reason;          // one sentence
  bool store_damaged = false;  // the store's bytes are not those that were written
};
// A thing worth saying that lost nothing: a socket skipped, an owner that could not be set.
struct Note {
  std::string path;
  std::string reason;
};

struct Findings {
  std::vector<Problem> problems;
  std::vector<Note> notes;
};

}  // namespace holdfast::archive
