// A PKCS#11 module that passes every call on to another and fails on demand. Test-only.
#pragma once

namespace holdfast::testkit {

// Guarded by nobody: tests of one thread.
struct TokenTrouble {
  const char* call = "";   // the name of the function that fails
  unsigned long code = 0;  // what it then says
  bool after = false;      // it does its work before
  int times = 0;           // from now on
};

// The module has it under this name; the environment's HF_REAL_MODULE is the path of the other.
using TokenTroubleOf = TokenTrouble* (*)();
constexpr const char* kTokenTroubleName = "token_trouble";

}  // namespace holdfast::testkit
