// What the service does when time has passed: Core::sweep().
#include "server/core.h"

namespace holdfast::server {
namespace {

constexpr std::size_t kSweptPacks = 1000;

}  // namespace

Result<void> Core::sweep() {
  const Lock one(sweeping_);
  const TimeMs now = clock_->now();
  TRY(connections_.flush());
  TRY(connections_.prune(now - options_.connection_log_days * kDayMs));
  TRY(joins_.drop_expired(now));
  TRY(helping_.sweep(now));
  TRY(sweep_preserved(options_.data, now));
  for (const std::string& account : TRY(rows_.begin_ends(now))) TRY(end_account(account));
  return sweep_drops();
}

// Marked as ending, it gets nothing new once those who were storing are through. The rows go last:
// until then, the next sweep begins anew.
Result<void> Core::end_account(const std::string& account) {
  {
    const std::unique_lock alone(writing_);
  }
  // What cannot be read names no key.
  if (const auto found = TRY(loaded_.find(account))) {
    const auto circle = found->circle();
    if (circle.ok()) TRY(custody_.outlive(account, *circle));
  }
  TRY(storage_->remove_account(account));
  loaded_.forget(account);
  if (log_) TRY(log_->forget_account(account));
  TRY(custody_.erase(account));
  TRY(helping_.erase(account));
  TRY(rows_.erase(account));
  changed(account);
  return Ok{};
}

Result<void> Core::sweep_drops() {
  const TimeMs until = clock_->now() - options_.grace_days * kDayMs;
  for (const AccountPack& pack : TRY(rows_.dropped(until, kSweptPacks))) TRY(sweep_pack(pack));
  return Ok{};
}

// Alone, so that no record comes that keeps the pack after all, and nobody sends it anew.
Result<void> Core::sweep_pack(const AccountPack& pack) {
  const auto account = TRY(open_account(pack.account));
  if (!account) return Ok{};
  const std::unique_lock alone(writing_);
  TRY(catch_up(*account, pack.account, pack.vault));
  const bool still = TRY(rows_.is_dropped(pack));
  if (!still) return Ok{};
  TRY(storage_->remove(pack.account, pack.pack));
  return rows_.forget_drop(pack);
}

}  // namespace holdfast::server
