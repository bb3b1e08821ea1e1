// A SoftHSM2 token of a test's own, in a folder of its own. Test-only.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "custody/token.h"

namespace holdfast::custody {

class TestToken {
 public:
  TestToken() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hf-token-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
    std::filesystem::create_directory(keys());
    write("softhsm2.conf", "directories.tokendir = " + keys() + "\nobjectstore.backend = file\n" +
                               "log.level = ERROR\nslots.removable = false\n");
    write("pin", "2468-for-tests\n");
    ::setenv("SOFTHSM2_CONF", (folder_ + "/softhsm2.conf").c_str(), 1);
    add_token("custody");
  }
  ~TestToken() { std::filesystem::remove_all(folder_); }
  TestToken(const TestToken&) = delete;
  TestToken& operator=(const TestToken&) = delete;

  static std::string module() {
    for (const char* const path :
         {"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"})
      if (std::filesystem::exists(path)) return path;
    return "libsofthsm2.so";
  }
  TokenPlace place() const { return {module(), "custody", folder_ + "/pin"}; }
  std::string folder() const { return folder_; }
  std::string keys() const { return folder_ + "/keys"; }  // where the token is

  void add_token(const std::string& label) const {
    const std::string command = "softhsm2-util --init-token --free --label " + label +
                                " --so-pin 1357-for-tests --pin 2468-for-tests > /dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0) << "is softhsm2 installed? ./dev setup";
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
  }

 private:
  std::string folder_;
};

}  // namespace holdfast::custody
