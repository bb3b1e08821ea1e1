#include "lawful/report.h"

#include <gtest/gtest.h>

#include "lawful/test_desk.h"

namespace holdfast::lawful {
namespace {

using testkit::bob;
using testkit::kToday;
using testkit::subpoena;
using testkit::TestDesk;

const ReportTable& table(const Report& report, const std::string& id) {
  for (const ReportTable& one : report.tables)
    if (one.id == id) return one;
  ADD_FAILURE() << "no table " << id;
  return report.tables.front();
}
using Row = std::vector<std::string>;

Report of(const TestDesk& desk, TimeMs now = kToday) {
  return make_report(read_period("2026H2").value(), *desk.trail, desk.law, {{"GB", 3, 1}}, now);
}

TEST(Report, APeriodIsAHalfYear) {
  const Period period = read_period("2026H2").value();
  EXPECT_EQ(period.label, "2026 H2");
  EXPECT_EQ(day_of(period.from_ms), "2026-07-01");
  EXPECT_EQ(day_of(period.until_ms), "2027-01-01");
  EXPECT_EQ(day_of(read_period("2027H1")->from_ms), "2027-01-01");
  for (const char* wrong : {"2026", "2026H3", "26H1", "2026h2", "2026H2 ", "1999H1", "abcdH1"})
    EXPECT_FALSE(read_period(wrong).ok()) << wrong;
}

TEST(Report, CountsWhatBecameOfEachRequest) {
  TestDesk desk;
  ASSERT_TRUE(desk.produce("anna", desk.approved("S-1")).ok());
  const std::uint64_t refused = desk.receive("anna", subpoena("S-2")).value();
  ASSERT_TRUE(desk.note("ben", Step::kRefuse, refused).ok());
  ASSERT_TRUE(desk.receive("anna", subpoena("S-3")).ok());
  const ReportTable accounts = table(of(desk), "account");
  ASSERT_EQ(accounts.rows.size(), 2u);
  EXPECT_EQ(accounts.rows[0], (Row{"2026 H2", "United States", "3", "3", "1", "1", "0", "33%"}));
  EXPECT_EQ(accounts.rows[1][1], "Total");
  EXPECT_EQ(accounts.columns[2], "Account Requests Received");
}

TEST(Report, CountsDevicesWhereDevicesWereNamed) {
  TestDesk desk;
  std::string text = subpoena("S-1");
  text += "devices = [\"phone\"]\n";
  ASSERT_TRUE(desk.receive("anna", text).ok());
  EXPECT_EQ(table(of(desk), "device").rows[0],
            (Row{"2026 H2", "United States", "1", "1", "0", "0%"}));
  EXPECT_EQ(table(of(desk), "account").rows.size(), 1u);  // only the total
}

TEST(Report, OnlyThePeriodCounts) {
  TestDesk desk;
  ASSERT_TRUE(desk.receive("anna", subpoena("S-1")).ok());
  const Report next =
      make_report(read_period("2027H1").value(), *desk.trail, desk.law, {}, kToday + 60 * kDayMs);
  EXPECT_EQ(table(next, "account").rows,
            (std::vector<Row>{{"2027 H1", "Total", "0", "0", "0", "0", "0", "0%"}}));
}

TEST(Report, BandsHideAGaggedMatter) {
  EXPECT_EQ(band_of(0, 250), "0-249");
  EXPECT_EQ(band_of(249, 250), "0-249");
  EXPECT_EQ(band_of(250, 250), "250-499");
  EXPECT_EQ(band_of(499, 500), "0-499");
  TestDesk none;
  TestDesk one;
  ASSERT_TRUE(one.receive("anna", subpoena("S-1", "gag_until = 2027-02-01\n")).ok());
  // Byte for byte the same report, whether it was received or not.
  EXPECT_EQ(html_of(of(none)), html_of(of(one)));
  EXPECT_EQ(json_of(of(none)), json_of(of(one)));
  const Report later = of(one, kToday + 90 * kDayMs);
  EXPECT_EQ(table(later, "account").rows[0][2], "1");
}

TEST(Report, NationalSecurityIsOnlyInBandsAndEveryTypeHasItsRow) {
  TestDesk none;
  TestDesk one;
  ASSERT_TRUE(one.receive("anna",
                          "instrument = \"us-nsl\"\nreference = \"N-1\"\nissuer = \"FBI\"\nrole = "
                          "\"fbi\"\nissued = 2026-11-20\nclasses = [\"subscriber\"]\n[target]\n"
                          "account = \"bob\"\n")
                  .ok());
  EXPECT_EQ(html_of(of(none)), html_of(of(one)));
  const ReportTable security = table(of(one), "national_security");
  ASSERT_EQ(security.rows.size(), 5u);
  for (const Row& row : security.rows)
    EXPECT_TRUE(row[3] == "0-249" || row[3] == "0-499") << row[2];
}

TEST(Report, AGaggedNoticeIsNowhere) {
  const std::string notice =
      "instrument = \"uk-capability-notice\"\nreference = \"TCN-1\"\nissuer = \"Home Secretary\"\n"
      "role = \"secretary-of-state\"\nissued = 2026-11-20\ngag_until = 2027-02-01\n";
  TestDesk none;
  TestDesk one;
  ASSERT_TRUE(one.receive("anna", notice).ok());
  EXPECT_EQ(html_of(of(none)), html_of(of(one)));
  EXPECT_EQ(json_of(of(none)), json_of(of(one)));
  EXPECT_EQ(table(of(one, kToday + 90 * kDayMs), "capability_notices").rows.size(), 1u);
}

TEST(Report, CsvQuotesWhatNeedsIt) {
  const ReportTable one{"x", "", "", {"a", "b,c"}, {{"say \"x\"", "2"}}};
  EXPECT_EQ(csv_of(one), "a,\"b,c\"\r\n\"say \"\"x\"\"\",2\r\n");
}

TEST(Report, ThePageNamesItsTablesAndChartsForAScreenReader) {
  TestDesk desk;
  ASSERT_TRUE(desk.receive("anna", subpoena("S-1")).ok());
  const std::string page = html_of(of(desk));
  for (const char* part : {"<html lang=\"en\">", "scope=\"col\"", "scope=\"row\"", "role=\"img\"",
                           "aria-labelledby=\"chart0t chart0d\"", "@media print",
                           "United States: 0 content provided, 0 only non-content provided"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace holdfast::lawful
