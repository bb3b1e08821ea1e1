// The half-yearly report to the public: numbers counted from the trail. What the law lets nobody
// tell but in bands is in bands, whatever the number; what is under an order of silence is counted
// only in a row that stands there in every report; a capability notice under a gag is nowhere.
#pragma once

#include <string>
#include <vector>

#include "lawful/law.h"
#include "lawful/trail.h"

namespace holdfast::lawful {

struct Period {
  std::string name;   // "2026H2"
  std::string label;  // "2026 H2", as the columns have it
  TimeMs from_ms = 0;
  TimeMs until_ms = 0;
};
// kInvalid: not a year and H1 or H2.
Result<Period> read_period(std::string_view text);

// Of all accounts in a region, at the time of the report.
struct Levels {
  std::string region;
  std::uint64_t standard = 0;
  std::uint64_t advanced = 0;
};

struct ReportTable {
  std::string id;  // name of its CSV file
  std::string caption;
  std::string note;  // may be empty
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

// A bar of a chart, and what it stands for.
struct Bar {
  std::string label;
  std::vector<std::uint64_t> parts;
};
struct Chart {
  std::string title;
  std::vector<std::string> parts;  // what each part of a bar is
  std::vector<Bar> bars;
};

struct Report {
  Period period;
  TimeMs made_ms = 0;
  std::vector<ReportTable> tables;
  std::vector<Chart> charts;
};

Report make_report(const Period& period, const Trail& trail, const Law& law,
                   const std::vector<Levels>& levels, TimeMs now);

// "0-249", "250-499" of 250.
std::string band_of(std::uint64_t count, std::uint64_t width);

std::string csv_of(const ReportTable& table);
std::string json_of(const Report& report);
std::string html_of(const Report& report);  // complete: no other file is needed to read it

}  // namespace holdfast::lawful
