// What writing the tables of pack keys anew costs a large account, in a store in memory; and what
// turning the advanced level on and removing a device cost it as a whole (whole.cpp). What is
// measured is the product's own code.
#include <cstdio>

#include "made_up.h"
#include "store/local_store.h"
#include "whole.h"

namespace holdfast::bench {
namespace {

constexpr int kRuns = 3;

void measure(const std::string& folder, Sealed sealed, const char* name) {
  const SystemClock clock;
  auto store = store::open_memory();
  vault::Home home = must(vault::Home::open(folder));
  must_do(home.create_device({}));
  must(vault::init(home, *store, clock, {"me", "bench", "ZZ"}));
  fill(home, *store, clock, sealed);
  auto account = must(vault::Account::open(home, *store, clock));
  must_do(account.rotate());
  vault::Account::RekeyReport report;
  const double rekey = seconds_of([&] { report = must(account.rekey("main")); });
  const double exposure = seconds_of([&] { must(account.exposure("main")); });
  const double opened = seconds_of([&] {
    archive::Findings findings;
    must(account.snapshots("main", findings));
  });
  const double losses = seconds_of([&] { must(account.losses()); });
  std::printf(
      "%-28s rekey %5.2f s, %llu keys, %5.2f MB sent; exposure %5.2f s; opened %5.2f s; judged "
      "%5.2f s\n",
      name, rekey, static_cast<unsigned long long>(report.entries),
      static_cast<double>(report.stored_bytes) / 1e6, exposure, opened, losses);
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  using namespace holdfast::bench;
  if (argc != 2) return 2;
  measure(std::string(argv[1]) + "/once", Sealed::kOnce, "never sealed again");
  measure(std::string(argv[1]) + "/again", Sealed::kAgain, "all sealed again");
  for (int run = 1; run <= kRuns; ++run)
    for (const First first : {First::kRaise, First::kRemove})
      measure_whole(std::string(argv[1]) + "/whole-" + std::to_string(run) +
                        (first == First::kRaise ? "-raise" : "-remove"),
                    first);
  return 0;
}
