#include "lawful/report.h"

#include <algorithm>
#include <chrono>
#include <map>

namespace holdfast::lawful {
namespace {

constexpr std::uint64_t kSilenceBand = 250;

// What one row of any table counts.
struct Counts {
  std::uint64_t received = 0;
  std::uint64_t specified = 0;
  std::uint64_t rejected = 0;  // challenged in part, or rejected in full
  std::uint64_t non_content = 0;
  std::uint64_t content = 0;
  std::uint64_t preserved = 0;

  std::uint64_t provided() const { return non_content + content; }
  void add(const Matter& matter, std::uint64_t named) {
    ++received;
    specified += named;
    if (matter.challenged || matter.refused) ++rejected;
    if (matter.content_produced()) {
      ++content;
    } else if (std::ranges::any_of(matter.produced,
                                   [](const auto& one) { return one.items > 0; })) {
      ++non_content;
    }
    if (matter.preserved) ++preserved;
  }
};

using ByCountry = std::map<std::string, Counts>;

std::string spelled(std::uint64_t n) { return std::to_string(n); }

std::string percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? "0%" : spelled((part * 100 + whole / 2) / whole) + "%";
}

// A matter, and the instrument as the law has it today.
struct Counted {
  const Matter* matter;
  const Instrument* instrument;
  bool silent;
};

std::vector<Counted> counted(const Period& period, const Trail& trail, const Law& law, TimeMs now) {
  std::vector<Counted> out;
  for (const auto& [n, matter] : trail.matters()) {
    if (matter.received_ms < period.from_ms || matter.received_ms >= period.until_ms) continue;
    const Instrument* const instrument = law.find(matter.demand.instrument);
    const bool silent = trail.gag_of(matter, now).has_value();
    const Kind kind = matter.checked ? matter.checked->kind
                      : instrument   ? instrument->kind
                                     : Kind::kProduction;
    if (kind == Kind::kSecrecy || (kind == Kind::kCapability && silent)) continue;
    out.push_back({&matter, instrument, silent});
  }
  return out;
}

std::string country_of(const Counted& one) {
  return one.instrument == nullptr ? "Unknown" : one.instrument->country_name;
}

std::uint64_t accounts_named(const Matter& matter) {
  return matter.demand.target.account.empty() ? 0 : 1;
}

bool plain(const Counted& one) {
  return !one.silent && (one.instrument == nullptr || one.instrument->band == 0);
}

Table table_of(const Counted& one) {
  return one.instrument == nullptr ? Table::kAccount : one.instrument->table;
}

ByCountry by_country(const std::vector<Counted>& all, Table table, bool devices) {
  ByCountry out;
  for (const Counted& one : all) {
    const auto& named = one.matter->demand.target.devices;
    if (!plain(one) || table_of(one) != table) continue;
    if (table == Table::kAccount && !named.empty() != devices) continue;
    out[country_of(one)].add(*one.matter, devices ? named.size() : accounts_named(*one.matter));
  }
  return out;
}

using Cells = std::vector<std::string> (*)(const Counts&);

std::vector<std::vector<std::string>> rows_of(const Period& period, const ByCountry& counts,
                                              Cells cells) {
  std::vector<std::vector<std::string>> rows;
  Counts total;
  const auto add = [&](const std::string& country, const Counts& one) {
    std::vector<std::string> row{period.label, country};
    for (std::string& cell : cells(one)) row.push_back(std::move(cell));
    rows.push_back(std::move(row));
  };
  for (const auto& [country, one] : counts) {
    add(country, one);
    total.received += one.received;
    total.specified += one.specified;
    total.rejected += one.rejected;
    total.non_content += one.non_content;
    total.content += one.content;
    total.preserved += one.preserved;
  }
  add("Total", total);
  return rows;
}

std::vector<std::string> device_cells(const Counts& c) {
  return {spelled(c.received), spelled(c.specified), spelled(c.provided()),
          percent(c.provided(), c.received)};
}
std::vector<std::string> account_cells(const Counts& c) {
  return {spelled(c.received),    spelled(c.specified), spelled(c.rejected),
          spelled(c.non_content), spelled(c.content),   percent(c.provided(), c.received)};
}
std::vector<std::string> preservation_cells(const Counts& c) {
  return {spelled(c.received), spelled(c.specified), spelled(c.preserved)};
}
// No command here restricts or deletes on demand.
std::vector<std::string> restriction_cells(const Counts& c) {
  return {spelled(c.received), spelled(c.specified), spelled(c.rejected), "0", "0"};
}
std::vector<std::string> emergency_cells(const Counts& c) {
  const std::uint64_t none = c.received - c.provided();
  const std::uint64_t rejected = std::min(c.rejected, none);
  return {spelled(c.received), spelled(rejected), spelled(none - rejected), spelled(c.provided()),
          percent(c.provided(), c.received)};
}

ReportTable device_table(const Period& period, const std::vector<Counted>& all) {
  return {
      "device",
      "Requests about devices",
      "",
      {"TR Period", "Country/Region", "Device Requests Received", "Devices Specified in Requests",
       "Requests Where Data Provided", "Percentage of Requests Where Data Provided"},
      rows_of(period, by_country(all, Table::kAccount, true), device_cells)};
}

ReportTable account_table(const Period& period, const std::vector<Counted>& all) {
  return {"account",
          "Requests about accounts",
          "",
          {"TR Period", "Country/Region", "Account Requests Received",
           "Accounts Specified in Requests", "Requests Challenged in Part or Rejected in Full",
           "Requests Where Only Non-Content Data Provided", "Requests Where Content Provided",
           "Percentage of Requests Where Data Provided"},
          rows_of(period, by_country(all, Table::kAccount, false), account_cells)};
}

ReportTable preservation_table(const Period& period, const std::vector<Counted>& all) {
  return {"account_preservation",
          "Requests to preserve an account's data",
          "What is preserved is ciphertext and metadata. It never delays the destruction of a key, "
          "so it may become unreadable.",
          {"TR Period", "Country/Region", "Account Preservation Requests Received",
           "Accounts Specified in Requests", "Accounts Where Data Preserved"},
          rows_of(period, by_country(all, Table::kPreservation, false), preservation_cells)};
}

ReportTable restriction_table(const Period& period, const std::vector<Counted>& all) {
  return {"account_restriction_deletion",
          "Requests to restrict or delete an account",
          "",
          {"TR Period", "Country/Region", "Account Restriction/Deletion Requests Received",
           "Accounts Specified in Requests", "Requests Rejected with No Action Taken",
           "Accounts Restricted", "Accounts Deleted"},
          rows_of(period, by_country(all, Table::kRestriction, false), restriction_cells)};
}

ReportTable emergency_table(const Period& period, const std::vector<Counted>& all) {
  return {
      "emergency",
      "Emergency requests",
      "",
      {"TR Period", "Country/Region", "Emergency Requests Received",
       "Requests Rejected or Challenged and No Data Provided", "Requests Where No Data Provided",
       "Requests Where Data Provided", "Percentage of Requests Where Data Provided"},
      rows_of(period, by_country(all, Table::kEmergency, false), emergency_cells)};
}

// Each instrument that may only be told in bands has its row in every report, also with none.
ReportTable security_table(const Period& period, const std::vector<Counted>& all, const Law& law) {
  ReportTable out{
      "national_security",
      "National security, and warrants under the agreement",
      "In bands, as the law has it. Every type has its row in every report, so that a "
      "row tells nothing.",
      {"TR Period", "Country/Region", "Type", "Requests Received", "Accounts Specified"},
      {}};
  for (const Instrument& instrument : law.instruments()) {
    if (instrument.band == 0 || instrument.kind == Kind::kCapability) continue;
    Counts counts;
    for (const Counted& one : all)
      if (one.instrument == &instrument) counts.add(*one.matter, accounts_named(*one.matter));
    out.rows.push_back({period.label, instrument.country_name, instrument.name,
                        band_of(counts.received, instrument.band),
                        band_of(counts.specified, instrument.band)});
  }
  return out;
}

ReportTable silence_table(const Period& period, const std::vector<Counted>& all) {
  Counts counts;
  for (const Counted& one : all)
    if (one.silent && (one.instrument == nullptr || one.instrument->band == 0))
      counts.add(*one.matter, accounts_named(*one.matter));
  return {"under_silence",
          "Other requests under an order of silence",
          "They are in no other table until the order ends; then the report of their half-year is "
          "published anew. The row stands in every report.",
          {"TR Period", "Country/Region", "Requests Received", "Accounts Specified"},
          {{period.label, "All", band_of(counts.received, kSilenceBand),
            band_of(counts.specified, kSilenceBand)}}};
}

// Notices that may be spoken of by now.
ReportTable notice_table(const Period& period, const std::vector<Counted>& all) {
  ReportTable out{"capability_notices",
                  "Capability notices that may be spoken of",
                  "A notice authorises no disclosure. Those that may not be spoken of are not "
                  "counted anywhere; what the product offers in a region stands in the signed "
                  "policies of the public log.",
                  {"TR Period", "Country/Region", "Type", "State"},
                  {}};
  for (const Counted& one : all)
    if (one.instrument != nullptr && one.instrument->kind == Kind::kCapability)
      out.rows.push_back({period.label, one.instrument->country_name, one.instrument->name,
                          std::string(name_of(one.matter->state))});
  return out;
}

ReportTable kinds_table(const Period& period, const std::vector<Counted>& all) {
  std::map<std::pair<std::string, std::string>, Counts> counts;
  for (const Counted& one : all)
    if (plain(one) && (one.instrument == nullptr || one.instrument->kind != Kind::kCapability))
      counts[{country_of(one), one.instrument == nullptr ? "Unknown" : one.instrument->name}].add(
          *one.matter, accounts_named(*one.matter));
  ReportTable out{
      "by_kind",
      "By country and kind",
      "",
      {"TR Period", "Country/Region", "Kind", "Received", "Challenged in Part or Rejected in Full",
       "Only Non-Content Data Provided", "Content Provided"},
      {}};
  for (const auto& [key, c] : counts)
    out.rows.push_back({period.label, key.first, key.second, spelled(c.received),
                        spelled(c.rejected), spelled(c.non_content), spelled(c.content)});
  return out;
}

ReportTable levels_table(const Period& period, const std::vector<Levels>& levels) {
  ReportTable out{"levels",
                  "Accounts by region and level",
                  "On the day of the report.",
                  {"TR Period", "Country/Region", "Accounts at the Standard Level",
                   "Accounts at the Advanced Level"},
                  {}};
  for (const Levels& one : levels)
    out.rows.push_back({period.label, one.region, spelled(one.standard), spelled(one.advanced)});
  return out;
}

std::vector<Chart> charts_of(const std::vector<Counted>& all, const std::vector<Levels>& levels) {
  ByCountry counts;
  for (const Counted& one : all)
    if (plain(one) && (one.instrument == nullptr || one.instrument->kind != Kind::kCapability))
      counts[country_of(one)].add(*one.matter, 0);
  Chart requests{
      "Requests received, by country and what became of them",
      {"content provided", "only non-content provided", "challenged or rejected", "other"},
      {}};
  for (const auto& [country, c] : counts) {
    const std::uint64_t answered = c.content + c.non_content;
    const std::uint64_t rejected = std::min(c.rejected, c.received - answered);
    requests.bars.push_back(
        {country, {c.content, c.non_content, rejected, c.received - answered - rejected}});
  }
  Chart accounts{"Accounts at each level, by region", {"advanced", "standard"}, {}};
  for (const Levels& one : levels)
    accounts.bars.push_back({one.region, {one.advanced, one.standard}});
  return {std::move(requests), std::move(accounts)};
}

}  // namespace

Result<Period> read_period(std::string_view given) {
  const Error wrong{Code::kInvalid, "a period is a half-year, as in 2026H1 or 2026H2"};
  if (given.size() != 6 || given[4] != 'H' || (given[5] != '1' && given[5] != '2')) return wrong;
  int year = 0;
  for (const char c : given.substr(0, 4)) {
    if (c < '0' || c > '9') return wrong;
    year = year * 10 + (c - '0');
  }
  if (year < 2000) return wrong;
  const auto begin = [](int y, unsigned month) {
    const std::chrono::sys_days day(std::chrono::year(y) / std::chrono::month(month) /
                                    std::chrono::day(1));
    return TimeMs{
        std::chrono::duration_cast<std::chrono::milliseconds>(day.time_since_epoch()).count()};
  };
  const bool first = given[5] == '1';
  Period out{std::string(given), std::string(given.substr(0, 4)) + (first ? " H1" : " H2"), 0, 0};
  out.from_ms = begin(year, first ? 1 : 7);
  out.until_ms = first ? begin(year, 7) : begin(year + 1, 1);
  return out;
}

std::string band_of(std::uint64_t count, std::uint64_t width) {
  const std::uint64_t low = count / width * width;
  return spelled(low) + "-" + spelled(low + width - 1);
}

Report make_report(const Period& period, const Trail& trail, const Law& law,
                   const std::vector<Levels>& levels, TimeMs now) {
  const auto all = counted(period, trail, law, now);
  Report out{period, now, {}, charts_of(all, levels)};
  out.tables = {account_table(period, all),      device_table(period, all),
                preservation_table(period, all), restriction_table(period, all),
                emergency_table(period, all),    security_table(period, all, law),
                silence_table(period, all),      notice_table(period, all),
                kinds_table(period, all),        levels_table(period, levels)};
  return out;
}

std::string csv_of(const ReportTable& table) {
  std::string out;
  const auto line = [&](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      std::string cell = cells[i];
      if (cell.find_first_of(",\"\n") != std::string::npos) {
        std::string quoted = "\"";
        for (const char c : cell) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
        cell = quoted + "\"";
      }
      out += (i == 0 ? "" : ",") + cell;
    }
    out += "\r\n";  // RFC 4180
  };
  line(table.columns);
  for (const auto& row : table.rows) line(row);
  return out;
}

}  // namespace holdfast::lawful
