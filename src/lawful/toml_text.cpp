#include "lawful/toml_text.h"

#include <chrono>

namespace holdfast::lawful::text {
namespace {

Result<TimeMs> ms_of(const toml::node& at, const toml::date& date, const toml::time& time,
                     int offset_min) {
  const std::chrono::year_month_day day{std::chrono::year(date.year),
                                        std::chrono::month(date.month), std::chrono::day(date.day)};
  if (!day.ok() || date.year < 1970 || date.year > 9998) return wrong(at, "there is no such day");
  const auto then = std::chrono::sys_days(day).time_since_epoch() + std::chrono::hours(time.hour) +
                    std::chrono::minutes(time.minute - offset_min) +
                    std::chrono::seconds(time.second);
  return TimeMs{std::chrono::duration_cast<std::chrono::milliseconds>(then).count()};
}

Result<std::string> checked_text(const toml::node& node) {
  const auto* const text = node.as_string();
  if (text == nullptr) return wrong(node, "a text in quotes is needed");
  if (text->get().size() > kMaxText) return wrong(node, "this text is too long");
  return text->get();
}

}  // namespace

Error wrong(const toml::node& at, const std::string& what) {
  return {Code::kInvalid, "line " + std::to_string(at.source().begin.line) + ": " + what};
}

Result<toml::table> parse(BytesView bytes) {
  toml::parse_result parsed = toml::parse(as_text(bytes));
  if (parsed) return std::move(parsed).table();
  const toml::parse_error& error = parsed.error();
  return Error{Code::kInvalid, "line " + std::to_string(error.source().begin.line) + ": " +
                                   std::string(error.description())};
}

Result<void> require_names(const toml::table& table,
                           std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : table)
    if (std::ranges::find(known, key.str()) == known.end())
      return wrong(value, "\"" + std::string(key.str()) + "\" means nothing here");
  return Ok{};
}

Result<std::string> text_in(const toml::table& table, std::string_view name) {
  const toml::node* const node = table.get(name);
  return node == nullptr ? Result<std::string>(std::string()) : checked_text(*node);
}

Result<std::vector<std::string>> texts_in(const toml::table& table, std::string_view name) {
  std::vector<std::string> out;
  const toml::node* const node = table.get(name);
  if (node == nullptr) return out;
  const toml::array* const list = node->as_array();
  if (list == nullptr || list->size() > kMaxValues)
    return wrong(*node, "a list of at most 64 texts is needed");
  for (const toml::node& one : *list) out.push_back(TRY(checked_text(one)));
  return out;
}

Result<std::int64_t> number_in(const toml::table& table, std::string_view name, std::int64_t most) {
  const toml::node* const node = table.get(name);
  if (node == nullptr) return std::int64_t{0};
  const auto* const number = node->as_integer();
  if (number == nullptr || number->get() < 0 || number->get() > most)
    return wrong(*node, "a whole number from 0 to " + std::to_string(most) + " is needed");
  return number->get();
}

Result<bool> flag_in(const toml::table& table, std::string_view name, bool otherwise) {
  const toml::node* const node = table.get(name);
  if (node == nullptr) return otherwise;
  const auto* const flag = node->as_boolean();
  if (flag == nullptr) return wrong(*node, "true or false is needed");
  return flag->get();
}

Result<std::optional<TimeMs>> time_in(const toml::table& table, std::string_view name) {
  const toml::node* const node = table.get(name);
  if (node == nullptr) return std::optional<TimeMs>();
  if (const auto* const date = node->as_date())
    return std::optional(TRY(ms_of(*node, date->get(), {}, 0)));
  const auto* const time = node->as_date_time();
  if (time == nullptr || !time->get().offset)
    return wrong(*node, "a date is needed, as in 2026-11-24 or 2026-11-24T18:00:00Z");
  return std::optional(
      TRY(ms_of(*node, time->get().date, time->get().time, time->get().offset->minutes)));
}

}  // namespace holdfast::lawful::text
