// Snapshots that are shown no more. docs/decisions/0016-prune.md
#include <algorithm>

#include "vault/vault_data.h"

namespace holdfast::vault {
namespace {

// By the store's word, as far as it makes sense: no record came before the one that it follows, and
// none has yet to come.
Result<std::vector<TimeMs>> received_times(Account::State& account, const Chain& chain,
                                           const VaultId& vault) {
  std::vector<TimeMs> times;
  while (times.size() < chain.records.size()) {
    const auto page = TRY(account.replica.session().received(vault, times.size() + 1));
    if (page.empty())
      return Error{Code::kUnavailable, "the store does not say when it received the snapshots"};
    times.insert(times.end(), page.begin(), page.end());
  }
  TimeMs latest = 0;
  for (TimeMs& time : times) {
    latest = std::max(latest, std::min(time, account.clock.now()));
    time = latest;
  }
  return times;
}

// A device's snapshots of the same paths are each other's successors.
std::string group_of(const circle::LinkedRecord& record, const archive::Snapshot& root) {
  std::string group = record.signer.hex();
  for (const Bytes& path : root.roots) (group += '\0') += as_text(path);
  return group;
}

bool has_tags(const archive::Snapshot& root, const std::vector<std::string>& tags) {
  return std::ranges::all_of(tags, [&](const std::string& tag) {
    return std::ranges::find(root.tags, tag) != root.tags.end();
  });
}

bool is_named(const Digest& id, const std::vector<std::string>& prefixes) {
  return std::ranges::any_of(
      prefixes, [&](const std::string& prefix) { return id.hex().starts_with(prefix); });
}

// What goes, and what stays, of all that is shown now. What cannot be read stays, unless it is
// named.
Result<Account::ForgetReport> plan_forget(Account::State& account, VaultData& data,
                                          const Account::ForgetOptions& options) {
  Account::ForgetReport report;
  const auto received = TRY(received_times(account, *data.chain, data.vault.id));
  std::vector<Aged> aged;
  for (const TakenRecord& taken : shown_records(*data.chain)) {
    const circle::LinkedRecord& record = *taken.record;
    auto info = read_snapshot(data, account.circle(), taken);
    if (!info.ok() && is_named(record.tip.head, options.which)) {
      Account::SnapshotInfo unread;
      unread.id = record.tip.head;
      unread.n = record.tip.n;
      unread.time_ms = record.time_ms;
      report.kept.push_back(std::move(unread));
      continue;
    }
    if (!info.ok()) {
      report.findings.problems.push_back(
          {"snapshot " + record.tip.head.hex().substr(0, 12), info.error().message, true});
      continue;
    }
    if (options.which.empty() && has_tags(info->root, options.tags))
      aged.push_back(
          {record.tip.n, group_of(record, info->root), received[record.tip.n - 1], record.time_ms});
    report.kept.push_back(std::move(info).value());
  }
  const auto gone = outgrown(aged, options.keep);
  const auto stays = [&](const Account::SnapshotInfo& one) {
    return !std::ranges::binary_search(gone, one.n) && !is_named(one.id, options.which);
  };
  const auto first_gone = std::ranges::stable_partition(report.kept, stays).begin();
  report.forgotten.assign(std::make_move_iterator(first_gone),
                          std::make_move_iterator(report.kept.end()));
  report.kept.erase(first_gone, report.kept.end());
  return report;
}

// Each names one snapshot that is shown, and nothing but the beginning of its id does: "latest" is
// another one after every backup.
Result<void> check_named(const Chain& chain, const std::vector<std::string>& prefixes) {
  for (const std::string& prefix : prefixes) {
    const bool hex = std::ranges::all_of(
        prefix, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
    if (!hex || prefix.size() < 4)
      return Error{Code::kInvalid,
                   "give at least 4 characters of the id of a snapshot, not \"" + prefix + "\""};
    const auto shown = shown_records(chain);
    const auto count = std::ranges::count_if(
        shown, [&](const TakenRecord& one) { return is_named(one.record->tip.head, {prefix}); });
    if (count == 0) return Error{Code::kNotFound, "no snapshot " + prefix + " is shown"};
    if (count > 1)
      return Error{Code::kInvalid,
                   "more than one snapshot begins with " + prefix + ": give more of its id"};
  }
  return Ok{};
}

}  // namespace

Result<Account::ForgetReport> Account::forget(const ForgetOptions& options) {
  HF_CHECK(options.keep.any() != !options.which.empty());
  for (unsigned attempt = 0; attempt < kRebases; ++attempt) {
    TRY(sync());
    TRY(state_->check_sends());
    archive::Findings findings;
    VaultData data = TRY(open_vault(*state_, options.vault, findings, Places::kNone));
    TRY(check_named(*data.chain, options.which));
    auto report = TRY(plan_forget(*state_, data, options));
    report.findings.problems.insert(report.findings.problems.begin(), findings.problems.begin(),
                                    findings.problems.end());
    // More go with the next time.
    if (report.forgotten.size() > circle::kMaxForgets) report.forgotten.resize(circle::kMaxForgets);
    if (report.forgotten.empty() || options.dry_run) return report;
    circle::Record record = state_->next_record(data.vault.id, circle::RecordKind::kForget);
    record.key_segments = data.newest()->key_segments;
    record.index_segments = data.newest()->index_segments;
    for (const SnapshotInfo& one : report.forgotten) record.forgets.push_back(one.n);
    if (TRY(state_->append_record(record))) return report;
  }
  return Error{Code::kConflict, "other devices keep writing to this vault; try again"};
}

}  // namespace holdfast::vault
