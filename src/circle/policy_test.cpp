#include "circle/policy.h"

#include <gtest/gtest.h>

#include <fstream>

namespace holdfast::circle {
namespace {

constexpr std::uint64_t kDay = 1'800'000'000;

RegionRules affair() {
  RegionRules rules;
  rules.others.open_days = 7;
  RegionTerms gb;
  gb.region = "GB";
  gb.terms.enable = Offer::kWithdrawn;
  gb.terms.leave_by_s = kDay;
  gb.terms.oldest_client = {0, 1, 0};
  gb.terms.open_days = 90;
  gb.terms.note = "Two lines,\nand no more.";
  RegionTerms us;
  us.region = "US";
  us.terms.note = "Untouch\xc3\xa9";
  rules.regions.push_back(gb);
  rules.regions.push_back(us);
  return rules;
}

Code code_of(const RegionRules& rules) {
  const auto read = decode_rules(wire::encode(rules));
  EXPECT_FALSE(read.ok());
  EXPECT_EQ(check_rules(rules).ok(), read.ok());
  return read.ok() ? Code::kNotFound : read.error().code;
}

template <class Change>
Code changed(Change change) {
  RegionRules rules = affair();
  change(rules);
  return code_of(rules);
}

TEST(RegionRules, AreReadAsTheyWereWritten) {
  for (const RegionRules& rules : {affair(), RegionRules{}}) {
    const auto read = decode_rules(wire::encode(rules));
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(*read, rules);
    EXPECT_TRUE(check_rules(rules).ok());
  }
}

TEST(RegionRules, AreTheBytesOfTheWorkedExample) {
  // docs/formats/policy.md has the same lines.
  std::ifstream in(HF_VECTORS_DIR "/circle/region-rules.hex");
  std::string hex;
  for (std::string line; std::getline(in, line);) hex += line;
  EXPECT_EQ(to_hex(wire::encode(affair())), hex);
}

TEST(RegionRules, RejectEveryTruncationAndTrailingBytes) {
  Bytes good = wire::encode(affair());
  for (std::size_t n = 0; n < good.size(); ++n)
    EXPECT_FALSE(decode_rules(BytesView(good).first(n)).ok()) << n;
  good.push_back(0);
  EXPECT_FALSE(decode_rules(good).ok());
}

TEST(RegionRules, RejectAnotherVersionAsOutdated) {
  Bytes other = wire::encode(affair());
  const std::string_view text = as_text(other);
  other[text.find("/v1/") + 2] = '2';
  EXPECT_EQ(decode_rules(other).error().code, Code::kOutdated);
  RegionRules rules;
  rules.others.enable = static_cast<Offer>(3);
  EXPECT_EQ(decode_rules(wire::encode(rules)).error().code, Code::kOutdated);
  rules.others.enable = static_cast<Offer>(0);
  EXPECT_EQ(decode_rules(wire::encode(rules)).error().code, Code::kOutdated);
}

TEST(RegionRules, RejectWhatContradictsItself) {
  EXPECT_EQ(changed([](RegionRules& r) { r.regions[0].terms.enable = Offer::kOffered; }),
            Code::kCorrupt);
  EXPECT_EQ(changed([](RegionRules& r) { r.others.leave_by_s = kDay; }), Code::kCorrupt);
  EXPECT_EQ(changed([](RegionRules& r) { r.regions[0].terms.leave_by_s = 1ULL << 53; }),
            Code::kCorrupt);
  EXPECT_EQ(changed([](RegionRules& r) { r.others.open_days = 91; }), Code::kCorrupt);
}

TEST(RegionRules, RejectRegionsThatAreNoneOrOutOfOrder) {
  for (const char* const region : {"", "G", "GBR", "gb", "G1", "\xc3\x84"})
    EXPECT_EQ(changed([&](RegionRules& r) { r.regions[0].region = region; }), Code::kCorrupt)
        << region;
  EXPECT_EQ(changed([](RegionRules& r) { std::swap(r.regions[0], r.regions[1]); }), Code::kCorrupt);
  EXPECT_EQ(changed([](RegionRules& r) { r.regions[1].region = "GB"; }), Code::kCorrupt);
}

TEST(RegionRules, RejectNotesThatATerminalWouldObey) {
  for (const char* const note :
       {"\n", "a\n", "\na", "a\n\nb", "\x1b[2J", "a\rb", "a\tb", "\x7f", "\xc2\x9b", "a\xc2\x85"})
    EXPECT_EQ(changed([&](RegionRules& r) { r.others.note = note; }), Code::kCorrupt) << note;
  EXPECT_EQ(changed([](RegionRules& r) { r.others.note = std::string("a\0b", 3); }),
            Code::kCorrupt);
  EXPECT_EQ(changed([](RegionRules& r) { r.others.note.assign(kMaxNote + 1, 'a'); }),
            Code::kCorrupt);
  RegionRules longest = affair();
  longest.others.note.assign(kMaxNote, 'a');
  EXPECT_TRUE(decode_rules(wire::encode(longest)).ok());
}

TEST(RegionRules, AreBounded) {
  RegionRules many;
  for (char a = 'A'; many.regions.size() < kMaxNamedRegions; ++a)
    for (char b = 'A'; b <= 'Z' && many.regions.size() < kMaxNamedRegions; ++b)
      many.regions.push_back({{a, b}, {}});
  EXPECT_TRUE(decode_rules(wire::encode(many)).ok());
  RegionRules large = many;
  for (RegionTerms& one : large.regions) one.terms.note.assign(kMaxNote, 'a');
  EXPECT_EQ(code_of(large), Code::kCorrupt);
  // One more than may be named: the list's length alone.
  Bytes more = wire::encode(many);
  const Bytes others = wire::encode(many.others);
  const auto at = std::search(more.begin(), more.end(), others.begin(), others.end()) +
                  static_cast<std::ptrdiff_t>(others.size());
  ASSERT_EQ(*at, 0x98);
  *(at + 1) = kMaxNamedRegions + 1;
  append(more, wire::encode(RegionTerms{"ZZ", {}}));
  EXPECT_EQ(decode_rules(more).error().code, Code::kCorrupt);
}

TEST(RegionRules, RejectANoteThatIsNotText) {
  RegionRules rules = affair();
  rules.others.note = "\xff";
  EXPECT_EQ(check_rules(rules).error().code, Code::kInvalid);
  Bytes bytes = wire::encode(affair());
  bytes[as_text(bytes).find("Untouch") + 3] = 0xff;
  EXPECT_EQ(decode_rules(bytes).error().code, Code::kCorrupt);
}

TEST(Judge, OffersAllWhereNothingWasPublished) {
  const Standing standing = judge(nullptr, "GB", UINT64_MAX);
  EXPECT_EQ(standing, Standing{});
  EXPECT_TRUE(standing.may_enable);
}

TEST(Judge, GivesANamedRegionItsTermsAndOthersTheRest) {
  const RegionRules rules = affair();
  EXPECT_FALSE(judge(&rules, "GB", 0).may_enable);
  EXPECT_EQ(judge(&rules, "GB", 0).terms, rules.regions[0].terms);
  for (const char* const region : {"US", "FR", "ZZ", "GA", "GC", ""}) {
    const Standing standing = judge(&rules, region, UINT64_MAX);
    EXPECT_TRUE(standing.may_enable) << region;
    EXPECT_FALSE(standing.leaving) << region;
    EXPECT_FALSE(standing.paused) << region;
  }
  EXPECT_EQ(judge(&rules, "US", 0).terms, rules.regions[1].terms);
  EXPECT_EQ(judge(&rules, "FR", 0).terms, rules.others);
}

TEST(Judge, PausesFromTheVeryDayToLeaveBy) {
  const RegionRules rules = affair();
  EXPECT_TRUE(judge(&rules, "GB", 0).leaving);
  EXPECT_FALSE(judge(&rules, "GB", kDay - 1).paused);
  EXPECT_TRUE(judge(&rules, "GB", kDay).paused);
}

TEST(Judge, KeepsWhoIsThereWhereOnlyTheOfferIsWithdrawn) {
  RegionRules rules = affair();
  rules.regions[0].terms.leave_by_s.reset();
  const Standing standing = judge(&rules, "GB", UINT64_MAX);
  EXPECT_FALSE(standing.may_enable);
  EXPECT_FALSE(standing.leaving);
  EXPECT_FALSE(standing.paused);
}

TEST(ClientVersion, HasOneSpelling) {
  EXPECT_EQ(format(*parse_version("1.20.65535")), "1.20.65535");
  for (const char* const text : {"", "1", "1.2", "1.2.", "1.2.3.", "1.2.3.4", "01.2.3", "1.2.65536",
                                 "1.2.x", " 1.2.3", "-1.2.3", "1..3", "1.2.3 ", "+1.2.3"})
    EXPECT_FALSE(parse_version(text).ok()) << text;
  EXPECT_LT(*parse_version("1.9.0"), *parse_version("1.10.0"));
}

}  // namespace
}  // namespace holdfast::circle
