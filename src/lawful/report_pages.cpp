// The report as JSON and as one HTML page.
#include <algorithm>

#include "lawful/report.h"

namespace holdfast::lawful {
namespace {

std::string quoted(std::string_view plain) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : plain) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 15U];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string list(const std::vector<std::string>& cells) {
  std::string out = "[";
  for (const std::string& cell : cells) out += (out.size() == 1 ? "" : ",") + quoted(cell);
  return out + "]";
}

std::string escaped(std::string_view plain) {
  std::string out;
  for (const char c : plain) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

// Numbers stand to the right, under each other.
bool is_number(const std::string& cell) { return cell.front() >= '0' && cell.front() <= '9'; }

std::string cell_html(const std::string& cell, std::size_t column) {
  if (column == 1) return "<th scope=\"row\">" + escaped(cell) + "</th>";
  const bool words = cell.empty() || !is_number(cell);
  return (words ? "<td class=\"t\">" : "<td>") + escaped(cell) + "</td>";
}

std::string table_html(const ReportTable& table) {
  std::string out = "<section><h2 id=\"" + table.id + "\">" + escaped(table.caption) + "</h2>\n";
  if (!table.note.empty()) out += "<p>" + escaped(table.note) + "</p>\n";
  if (table.rows.empty()) return out + "<p>None.</p></section>\n";
  out += "<div class=\"wide\"><table aria-labelledby=\"" + table.id + "\"><thead><tr>";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const std::string& below = table.rows.front().at(i);
    out +=
        below.empty() || is_number(below) ? "<th scope=\"col\">" : "<th scope=\"col\" class=\"t\">";
    out += escaped(table.columns[i]) + "</th>";
  }
  out += "</tr></thead><tbody>\n";
  for (const auto& row : table.rows) {
    out += row.size() > 1 && row[1] == "Total" ? "<tr class=\"total\">" : "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) out += cell_html(row[i], i);
    out += "</tr>\n";
  }
  return out + "</tbody></table></div></section>\n";
}

std::uint64_t length(const Bar& bar) {
  std::uint64_t sum = 0;
  for (const std::uint64_t part : bar.parts) sum += part;
  return sum;
}

// What a screen reader says instead of the bars.
std::string spoken(const Chart& chart) {
  std::string out;
  for (const Bar& bar : chart.bars) {
    out += bar.label + ":";
    for (std::size_t i = 0; i < bar.parts.size(); ++i)
      out += (i == 0 ? " " : ", ") + std::to_string(bar.parts[i]) + " " + chart.parts[i];
    out += ". ";
  }
  return out;
}

std::string bar_svg(const Bar& bar, std::uint64_t y, std::uint64_t longest) {
  constexpr std::uint64_t kLeft = 190;
  constexpr std::uint64_t kWidth = 440;
  std::string out = "<text x=\"" + std::to_string(kLeft - 10) + "\" y=\"" + std::to_string(y + 17) +
                    "\" text-anchor=\"end\">" + escaped(bar.label) + "</text>";
  std::uint64_t x = kLeft;
  for (std::size_t i = 0; i < bar.parts.size(); ++i) {
    const std::uint64_t wide = bar.parts[i] * kWidth / longest;
    if (bar.parts[i] > 0)
      out += "<rect class=\"p" + std::to_string(i) + "\" x=\"" + std::to_string(x) + "\" y=\"" +
             std::to_string(y) + "\" width=\"" + std::to_string(std::max<std::uint64_t>(wide, 2)) +
             "\" height=\"24\"/>";
    x += wide;
  }
  return out + "<text x=\"" + std::to_string(x + 8) + "\" y=\"" + std::to_string(y + 17) + "\">" +
         std::to_string(length(bar)) + "</text>\n";
}

std::string chart_html(const Chart& chart, std::size_t n) {
  const std::string id = "chart" + std::to_string(n);
  std::string out = "<figure><figcaption>" + escaped(chart.title) + "</figcaption>\n";
  if (chart.bars.empty()) return out + "<p>None.</p></figure>\n";
  std::uint64_t longest = 1;
  for (const Bar& bar : chart.bars) longest = std::max(longest, length(bar));
  const std::uint64_t height = chart.bars.size() * 34 + 6;
  out += "<svg role=\"img\" aria-labelledby=\"" + id + "t " + id + "d\" viewBox=\"0 0 700 " +
         std::to_string(height) + "\"><title id=\"" + id + "t\">" + escaped(chart.title) +
         "</title><desc id=\"" + id + "d\">" + escaped(spoken(chart)) + "</desc>\n";
  for (std::size_t i = 0; i < chart.bars.size(); ++i)
    out += bar_svg(chart.bars[i], 4 + i * 34, longest);
  out += "</svg><ul class=\"key\" aria-hidden=\"true\">";
  for (std::size_t i = 0; i < chart.parts.size(); ++i)
    out += "<li><i class=\"k" + std::to_string(i) + "\"></i>" + escaped(chart.parts[i]) + "</li>";
  return out + "</ul></figure>\n";
}

// Patterns would be needed for four parts without colour; the numbers stand in the tables.
constexpr const char* kStyle = R"(
:root{color-scheme:light}
body{font:16px/1.5 system-ui,"DejaVu Sans",sans-serif;color:#1b1b1f;background:#fff;max-width:60rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.8rem;line-height:1.2;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2.2rem 0 .4rem}
p{margin:.3rem 0 .7rem;max-width:46rem}.lead{color:#4a4a55}
table{border-collapse:collapse;width:100%;font-size:.86rem;font-variant-numeric:tabular-nums}
th,td{padding:.4rem .55rem;border-bottom:1px solid #d8d8de;text-align:right;vertical-align:bottom}
th:nth-child(-n+2),td:first-child,.t{text-align:left}td:first-child{white-space:nowrap}thead th{border-bottom:2px solid #55555f}
tbody th{font-weight:400}tr.total td,tr.total th{font-weight:700;border-top:2px solid #55555f}
.wide{overflow-x:auto}figure{margin:1.6rem 0}figcaption{font-weight:600;margin-bottom:.4rem}
svg{width:100%;height:auto;max-width:44rem}svg text{font-size:14px;fill:#1b1b1f}
.p0{fill:#0b3c6f}.p1{fill:#4a90c8}.p2{fill:#c9611a}.p3{fill:#b9b9c2}
.key{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;padding:0;font-size:.86rem}
.key i{display:inline-block;width:.8em;height:.8em;margin-right:.4em}
.k0{background:#0b3c6f}.k1{background:#4a90c8}.k2{background:#c9611a}.k3{background:#b9b9c2}
@media print{body{max-width:none;margin:0;font-size:11pt}section,figure{break-inside:avoid}
.wide{overflow:visible}rect,.key i{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)";

}  // namespace

std::string json_of(const Report& report) {
  std::string out =
      "{\"format\":\"holdfast/v1/lawful-report\",\"period\":" + quoted(report.period.name) +
      ",\"made\":" + quoted(day_of(report.made_ms)) + ",\n\"tables\":[";
  for (std::size_t i = 0; i < report.tables.size(); ++i) {
    const ReportTable& table = report.tables[i];
    out += std::string(i == 0 ? "\n" : ",\n") + "{\"id\":" + quoted(table.id) +
           ",\"caption\":" + quoted(table.caption) + ",\"note\":" + quoted(table.note) +
           ",\"columns\":" + list(table.columns) + ",\"rows\":[";
    for (std::size_t row = 0; row < table.rows.size(); ++row)
      out += (row == 0 ? "" : ",") + list(table.rows[row]);
    out += "]}";
  }
  return out + "]}\n";
}

std::string html_of(const Report& report) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<title>Lawful demands, " +
      escaped(report.period.label) + "</title><style>" + kStyle +
      "</style></head><body><main>\n<h1>Lawful demands, " + escaped(report.period.label) +
      "</h1>\n<p class=\"lead\">What governments and others with legal power asked of this service "
      "from " +
      day_of(report.period.from_ms) + " to " + day_of(report.period.until_ms - 1) +
      ", and what it gave. Made on " + day_of(report.made_ms) +
      " from the sealed record of every demand. The same numbers are in the CSV files beside this "
      "page, and in report.json, whose SHA-256 stands in the public log.</p>\n";
  for (std::size_t i = 0; i < report.charts.size(); ++i) out += chart_html(report.charts[i], i);
  for (const ReportTable& table : report.tables) out += table_html(table);
  return out + "</main></body></html>\n";
}

}  // namespace holdfast::lawful
