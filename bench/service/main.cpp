// bench_service MEASUREMENT [--name value]...: one measurement against servers that run already.
// run.py starts those, calls this and makes a table of what it prints.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "measures.h"

namespace holdfast::bench {

void print_rows(const std::vector<Row>& rows) {
  std::printf("{");
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::printf("%s\"%s\": %.9g", i == 0 ? "" : ", ", rows[i].name.c_str(), rows[i].value);
  std::printf("}\n");
  std::fflush(stdout);
}

double cpu_seconds(const std::string& pids) {
  double ticks = 0;
  std::istringstream list(pids);
  for (std::string pid; std::getline(list, pid, ',');) {
    std::ifstream file("/proc/" + pid + "/stat");
    const std::string all{std::istreambuf_iterator<char>(file), {}};
    std::istringstream fields(all.substr(all.rfind(')') + 1));  // the name may hold anything
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    double user = 0;
    double system = 0;
    fields >> user >> system;
    ticks += user + system;
  }
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double resident_bytes(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/status");
  for (std::string word; file >> word;) {
    if (word != "VmRSS:") continue;
    double kib = 0;
    file >> kib;
    return kib * 1024;
  }
  return 0;
}

double part_of(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[std::min(values.size() - 1,
                         static_cast<std::size_t>(part * static_cast<double>(values.size())))];
}

std::string text(const Arguments& all, const std::string& name, const std::string& otherwise) {
  const auto at = all.find(name);
  return at == all.end() ? otherwise : at->second;
}

std::size_t number(const Arguments& all, const std::string& name, std::size_t otherwise) {
  const auto at = all.find(name);
  return at == all.end() ? otherwise : std::stoul(at->second);
}

namespace {

const std::map<std::string, Result<void> (*)(const Arguments&)> kMeasurements = {
    {"transfer", transfer}, {"hash", hash},       {"serve-plain", serve_plain},
    {"inserts", inserts},   {"appends", appends}, {"idle", idle},
    {"load", load}};

int run(int argc, char** argv) {
  const auto at = argc < 2 ? kMeasurements.end() : kMeasurements.find(argv[1]);
  if (at == kMeasurements.end()) {
    std::fprintf(stderr, "bench_service: which measurement?\n");
    return 2;
  }
  Arguments arguments;
  for (int i = 2; i + 1 < argc; i += 2) arguments[std::string(argv[i]).substr(2)] = argv[i + 1];
  std::signal(SIGPIPE, SIG_IGN);
  const auto done = at->second(arguments);
  if (done.ok()) return 0;
  std::fprintf(stderr, "bench_service: %s\n", done.error().message.c_str());
  return 1;
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) { return holdfast::bench::run(argc, argv); }
