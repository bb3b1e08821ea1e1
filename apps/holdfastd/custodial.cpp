#include "custodial.h"

namespace holdfast::daemon {
namespace {

constexpr std::chrono::seconds kPause{2};

}  // namespace

void Custodial::step_releases() {
  const auto turn = service_.step_releases();
  if (!turn) return;
  if (turn->batched) log_.event(Level::kInfo, "release_batch", {});
  if (!turn->proposed.empty())
    log_.event(Level::kInfo, "help_proposed", {{"accounts", turn->proposed.size()}});
  if (!turn->given.empty())
    log_.event(Level::kInfo, "help_given", {{"accounts", turn->given.size()}});
  if (turn->failed)
    log_.event(Level::kWarning, "release", {{"error", Plain(turn->failed->message)}});
}

void Custodial::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto turn = service_.step_custody();
    if (!turn) return;
    for (const CircleId& circle : turn->destroyed)
      log_.event(Level::kInfo, "custody_destroyed", {{"circle", circle}});
    if (turn->failed)
      log_.event(Level::kWarning, "custody",
                 {{"waiting", turn->waiting}, {"error", Plain(turn->failed->message)}});
    step_releases();
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, kPause, [] { return false; });
  }
}

}  // namespace holdfast::daemon
