// Runs a fuzz target over files, or every file below the folders given: the corpora as a test,
// without libFuzzer.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

void run_bytes(const std::vector<char>& bytes) {
  // An exact heap copy, so that a read past the end is one a sanitizer sees.
  const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

bool run_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in.good() && !in.eof()) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    return false;
  }
  std::fprintf(stderr, "%s\n", path.c_str());  // names the culprit when the target aborts
  run_bytes(bytes);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  run_bytes({});
  int inputs = 1;
  for (int i = 1; i < argc; ++i) {
    std::error_code error;
    const fs::path path = argv[i];
    if (!fs::is_directory(path, error)) {
      if (!run_file(path)) return 1;
      ++inputs;
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(path, error)) {
      if (!entry.is_regular_file(error)) continue;
      if (!run_file(entry.path())) return 1;
      ++inputs;
    }
  }
  std::printf("%d inputs\n", inputs);
  return 0;
}
