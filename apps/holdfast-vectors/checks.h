// Which primitive a group of vectors is for, and how one vector is put to it.
#pragma once

#include "wycheproof.h"

namespace holdfast::vectors {

enum class Outcome {
  kAccepted,  // and every output is the vector's
  kRefused,
  kWrong,  // accepted, with another output
};

// An error when the vector lacks a field the primitive needs.
using Check = Result<Outcome> (*)(const Object& group, const Object& test);

struct Choice {
  Check check;       // nullptr: not supported
  std::string what;  // the group in words
};

Choice choose_check(const Object& file, const Object& group);

}  // namespace holdfast::vectors
