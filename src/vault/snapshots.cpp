#include <algorithm>
#include <ctime>

#include "vault/vault_data.h"

namespace holdfast::vault {
namespace {

// "2026-11-24", "2026-11-24 10:30", "2026-11-24T10:30:15", local time; a day means its end.
std::optional<std::int64_t> parse_time(const std::string& text) {
  static constexpr const char* kFormats[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
                                             "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
  for (const char* format : kFormats) {
    std::tm tm{};
    tm.tm_isdst = -1;
    const char* const end = ::strptime(text.c_str(), format, &tm);
    if (end == nullptr || *end != '\0') continue;
    const bool day = std::string_view(format) == "%Y-%m-%d";
    if (day) tm.tm_mday += 1;
    return std::int64_t{std::mktime(&tm)} * 1000 - (day ? 1 : 0);
  }
  return std::nullopt;
}

bool is_hex(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Error no_snapshot(const std::string& vault, const Chain& chain) {
  if (taken_records(chain).empty())
    return {Code::kNotFound, "vault \"" + vault + "\" has no snapshot yet"};
  return {Code::kNotFound, "a device forgot every snapshot of vault \"" + vault +
                               "\". holdfast undo lists what can be brought back"};
}

}  // namespace

Result<std::vector<Account::SnapshotInfo>> Account::snapshots(const std::string& vault,
                                                              archive::Findings& findings) {
  VaultData data = TRY(open_vault(*state_, vault, findings, Places::kNone));
  std::vector<SnapshotInfo> all;
  for (const TakenRecord& taken : shown_records(*data.chain)) {
    auto info = read_snapshot(data, circle(), taken);
    if (info.ok()) {
      all.push_back(std::move(info).value());
    } else {
      findings.problems.push_back(
          {"snapshot " + taken.record->tip.head.hex().substr(0, 12), info.error().message});
    }
  }
  return all;
}

Result<Account::SnapshotInfo> Account::find_snapshot(const std::string& vault,
                                                     const std::string& which) {
  archive::Findings findings;
  VaultData data = TRY(open_vault(*state_, vault, findings, Places::kNone));
  const auto shown = shown_records(*data.chain);
  if (shown.empty()) return no_snapshot(vault, *data.chain);
  if (which == "latest") return read_snapshot(data, circle(), shown.back());

  std::vector<const TakenRecord*> matches;
  if (which.size() >= 4 && is_hex(which))
    for (const TakenRecord& one : shown)
      if (one.record->tip.head.hex().starts_with(which)) matches.push_back(&one);
  if (matches.size() == 1) return read_snapshot(data, circle(), *matches[0]);
  if (matches.size() > 1)
    return Error{Code::kInvalid,
                 "more than one snapshot begins with " + which + ": give more of its id"};
  if (const auto time = parse_time(which)) {
    for (auto it = shown.rbegin(); it != shown.rend(); ++it)
      if (it->record->time_ms <= *time) return read_snapshot(data, circle(), *it);
    return Error{Code::kNotFound, "no snapshot is as old as " + which};
  }
  return Error{Code::kNotFound, "no snapshot " + which +
                                    ": give at least 4 characters of an id, `latest`, or a time"};
}

}  // namespace holdfast::vault
