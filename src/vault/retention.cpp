#include "vault/retention.h"

#include <ctime>
#include <map>
#include <optional>
#include <set>

namespace holdfast::vault {
namespace {

constexpr std::int64_t kHourMs = 60LL * 60 * 1000;

enum class Period { kHour, kDay, kWeek, kMonth, kYear };

// Of local time, but for hours, which a change of the clocks would make two of. None: no such date.
std::optional<std::int64_t> period_of(TimeMs time, Period period) {
  if (period == Period::kHour) return time / kHourMs;
  const auto seconds = static_cast<std::time_t>(time / 1000);
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) return std::nullopt;
  const std::int64_t year = std::int64_t{local.tm_year} + 1900;
  switch (period) {
    case Period::kHour: break;
    case Period::kDay: return year * 1000 + local.tm_yday;
    // Counted by their Thursdays, a week lies in one year.
    case Period::kWeek: {
      const int thursday = local.tm_yday - (local.tm_wday + 6) % 7 + 3;
      std::tm in_week{};
      in_week.tm_year = local.tm_year;
      in_week.tm_mday = 1 + thursday;
      in_week.tm_hour = 12;
      in_week.tm_isdst = -1;
      if (std::mktime(&in_week) == -1) return std::nullopt;
      return (std::int64_t{in_week.tm_year} + 1900) * 1000 + in_week.tm_yday / 7;
    }
    case Period::kMonth: return year * 12 + local.tm_mon;
    case Period::kYear: return year;
  }
  return std::nullopt;
}

using Group = std::vector<const Aged*>;  // the newest first

void keep_newest_of_each(const Group& group, TimeMs Aged::* time, Period period, unsigned count,
                         std::set<std::uint64_t>& kept) {
  std::set<std::int64_t> periods;
  for (const Aged* const one : group) {
    if (periods.size() == count) return;
    const auto in = period_of(one->*time, period);
    if (in && periods.insert(*in).second) kept.insert(one->n);
  }
}

}  // namespace

std::vector<std::uint64_t> outgrown(const std::vector<Aged>& all, const KeepRules& rules) {
  std::map<std::string, Group> groups;
  for (auto one = all.rbegin(); one != all.rend(); ++one) groups[one->group].push_back(&*one);
  std::set<std::uint64_t> kept;
  for (const auto& [name, group] : groups) {
    for (std::size_t i = 0; i < group.size() && i < rules.last; ++i) kept.insert(group[i]->n);
    for (TimeMs Aged::* const time : {&Aged::received_ms, &Aged::made_ms}) {
      keep_newest_of_each(group, time, Period::kHour, rules.hourly, kept);
      keep_newest_of_each(group, time, Period::kDay, rules.daily, kept);
      keep_newest_of_each(group, time, Period::kWeek, rules.weekly, kept);
      keep_newest_of_each(group, time, Period::kMonth, rules.monthly, kept);
      keep_newest_of_each(group, time, Period::kYear, rules.yearly, kept);
    }
  }
  std::vector<std::uint64_t> gone;
  for (const Aged& one : all)
    if (!kept.contains(one.n)) gone.push_back(one.n);
  return gone;
}

}  // namespace holdfast::vault
