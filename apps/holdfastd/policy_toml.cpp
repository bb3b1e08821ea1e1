#include "policy_toml.h"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>
#include <algorithm>
#include <chrono>
#include <initializer_list>

#include "base/file.h"

namespace holdfast::daemon {
namespace {

constexpr std::size_t kMaxFile = 256 * 1024;

Error wrong(const toml::node& at, const std::string& what) {
  return {Code::kInvalid, "line " + std::to_string(at.source().begin.line) + ": " + what};
}

Result<void> require_names(const toml::table& table,
                           std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : table)
    if (std::ranges::find(known, key.str()) == known.end())
      return wrong(value, "\"" + std::string(key.str()) + "\" means nothing here");
  return Ok{};
}

Result<std::uint64_t> seconds_of(const toml::date& date, const toml::time& time, int offset_min) {
  const std::chrono::year_month_day day{std::chrono::year(date.year),
                                        std::chrono::month(date.month), std::chrono::day(date.day)};
  if (!day.ok() || date.year < 1970) return Error{Code::kInvalid, "there is no such day"};
  const auto at = std::chrono::sys_days(day).time_since_epoch() + std::chrono::hours(time.hour) +
                  std::chrono::minutes(time.minute - offset_min) +
                  std::chrono::seconds(time.second);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(at).count();
  if (seconds < 0) return Error{Code::kInvalid, "there is no such day"};
  return static_cast<std::uint64_t>(seconds);
}

// A day begins in UTC; a time says its zone, for nobody should guess it.
Result<std::uint64_t> read_time(const toml::node& node) {
  if (const auto* const date = node.as_date()) return seconds_of(date->get(), {}, 0);
  const auto* const time = node.as_date_time();
  if (time == nullptr || !time->get().offset)
    return wrong(node, "a date is needed, as in 2026-11-24 or 2026-11-24T18:00:00Z");
  return seconds_of(time->get().date, time->get().time, time->get().offset->minutes);
}

Result<std::string> read_text(const toml::node& node) {
  if (const auto* const text = node.as_string()) return text->get();
  return wrong(node, "a text in quotes is needed");
}

Result<void> read_existing(const toml::node& node, circle::Terms& terms) {
  if (const toml::table* const leave = node.as_table()) {
    TRY(require_names(*leave, {"leave_by"}));
    const toml::node* const day = leave->get("leave_by");
    if (day == nullptr) return wrong(node, "{ leave_by = DATE } is needed, or \"keep\"");
    terms.leave_by_s = TRY(read_time(*day));
    return Ok{};
  }
  if (node.value<std::string>() == "keep") return Ok{};
  return wrong(node, "\"keep\" is needed, or { leave_by = DATE }");
}

Result<void> read_advanced(const toml::node& node, circle::Terms& terms) {
  const toml::table* const table = node.as_table();
  if (table == nullptr) return wrong(node, "advanced.enable and advanced.existing are needed");
  TRY(require_names(*table, {"enable", "existing"}));
  if (const toml::node* const enable = table->get("enable")) {
    const auto word = enable->value<std::string>();
    if (word != "offered" && word != "withdrawn")
      return wrong(*enable, "\"offered\" or \"withdrawn\" is needed");
    terms.enable = word == "offered" ? circle::Offer::kOffered : circle::Offer::kWithdrawn;
  }
  const toml::node* const existing = table->get("existing");
  return existing == nullptr ? Result<void>(Ok{}) : read_existing(*existing, terms);
}

Result<circle::Terms> read_terms(const toml::node& node) {
  const toml::table* const table = node.as_table();
  if (table == nullptr) return wrong(node, "what holds in a region is a table");
  TRY(require_names(*table, {"advanced", "oldest_client", "open_days", "note"}));
  circle::Terms terms;
  if (const toml::node* const advanced = table->get("advanced"))
    TRY(read_advanced(*advanced, terms));
  if (const toml::node* const oldest = table->get("oldest_client")) {
    const auto version = circle::parse_version(TRY(read_text(*oldest)));
    if (!version.ok()) return wrong(*oldest, version.error().message);
    terms.oldest_client = *version;
  }
  if (const toml::node* const days = table->get("open_days")) {
    const auto* const number = days->as_integer();
    if (number == nullptr || number->get() < 0 || number->get() > circle::kMaxOpenDays)
      return wrong(*days, "0 to 90 days");
    terms.open_days = static_cast<std::uint8_t>(number->get());
  }
  if (const toml::node* const note = table->get("note")) {
    terms.note = TRY(read_text(*note));
    // Of a text in three quotes.
    if (terms.note.ends_with('\n')) terms.note.pop_back();
  }
  return terms;
}

Result<PolicyDraft> read_draft(const toml::table& file) {
  TRY(require_names(file, {"in_effect_from", "others", "region"}));
  PolicyDraft draft;
  if (const toml::node* const from = file.get("in_effect_from"))
    draft.in_effect_from_s = TRY(read_time(*from));
  if (const toml::node* const others = file.get("others"))
    draft.rules.others = TRY(read_terms(*others));
  const toml::node* const regions = file.get("region");
  const toml::table empty;
  const toml::table* const named = regions == nullptr ? &empty : regions->as_table();
  if (named == nullptr)
    return wrong(*regions, "[region.GB] is needed, or another region's letters");
  for (const auto& [key, value] : *named)
    draft.rules.regions.push_back({std::string(key.str()), TRY(read_terms(value))});
  std::ranges::sort(draft.rules.regions, {}, &circle::RegionTerms::region);
  TRY(circle::check_rules(draft.rules));
  return draft;
}

}  // namespace

Result<PolicyDraft> read_policy_toml(const std::string& path) {
  const Bytes bytes = TRY(read_file(path, kMaxFile));
  const toml::parse_result parsed = toml::parse(as_text(bytes), path);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return Error{Code::kInvalid, path + ": line " + std::to_string(error.source().begin.line) +
                                     ": " + std::string(error.description())};
  }
  auto draft = read_draft(parsed.table());
  if (!draft.ok()) return std::move(draft).error().in(path);
  return draft;
}

}  // namespace holdfast::daemon
