#include "lawful/law.h"

#include <gtest/gtest.h>

#include "lawful/test_law.h"

namespace holdfast::lawful {
namespace {

using testkit::law_of;
using testkit::whole_law;

// One instrument in which `what` can be put wrong.
std::string file_with(const std::string& instrument, const std::string& rules) {
  return "country = \"XX\"\nname = \"Nowhere\"\n[[instrument]]\n" + instrument + rules;
}
const char* const kGood =
    "id = \"xx-order\"\nname = \"order\"\nkind = \"production\"\ntable = \"account\"\n";
const char* const kIssuerRule =
    "[[instrument.rule]]\nrule = \"issuer\"\nvalues = [\"court\"]\nstatute = \"s.1\"\ntext = \"A "
    "court.\"\n";
const char* const kReachesRule =
    "[[instrument.rule]]\nrule = \"reaches\"\nvalues = [\"subscriber\"]\nstatute = \"s.2\"\ntext = "
    "\"Names.\"\n";

std::string error_of(const std::string& text) {
  const auto read = read_jurisdiction(as_bytes(text));
  return read.ok() ? "" : read.error().message;
}
bool refuses(const std::string& text, const std::string& words) {
  return error_of(text).find(words) != std::string::npos;
}

TEST(Law, TheShippedJurisdictionsAreWhole) {
  const Law law = whole_law();
  EXPECT_GE(law.instruments().size(), 20u);
  for (const Instrument& one : law.instruments())
    for (const Rule& rule : one.rules) {
      EXPECT_FALSE(rule.statute.empty()) << one.id;
      EXPECT_FALSE(rule.text.empty()) << one.id;
    }
}

// Nothing in the code knows Canada: without its file its orders are unknown, with it they are not.
TEST(Law, ACountryIsAFile) {
  EXPECT_EQ(law_of({"uk", "us"}).find("ca-production-order"), nullptr);
  const Law with = law_of({"uk", "us", "ca"});
  ASSERT_NE(with.find("ca-production-order"), nullptr);
  EXPECT_EQ(with.find("ca-production-order")->country_name, "Canada");
  EXPECT_FALSE(with.find("ca-ministerial-order")->in_force);
}

TEST(Law, ReadsWhatIsWhole) {
  EXPECT_EQ(error_of(file_with(kGood, std::string(kIssuerRule) + kReachesRule)), "");
}

TEST(Law, RefusesARuleWithoutItsStatute) {
  EXPECT_TRUE(refuses(file_with(kGood,
                                "[[instrument.rule]]\nrule = \"issuer\"\nvalues = [\"court\"]\n"
                                "text = \"A court.\"\n"),
                      "needs its statute"));
  EXPECT_TRUE(refuses(file_with(kGood,
                                "[[instrument.rule]]\nrule = \"issuer\"\nvalues = [\"court\"]\n"
                                "statute = \"s.1\"\n"),
                      "needs a text"));
}

TEST(Law, RefusesWhatMeansNothing) {
  EXPECT_TRUE(refuses("colour = 1\n", "means nothing here"));
  EXPECT_TRUE(refuses(file_with(std::string(kGood) + "colour = 1\n", kIssuerRule), "line 8"));
  EXPECT_TRUE(
      refuses(file_with(kGood, std::string(kIssuerRule) + "colour = 1\n"), "means nothing"));
  EXPECT_TRUE(refuses(
      file_with(kGood, "[[instrument.rule]]\nrule = \"mood\"\nstatute = \"s\"\ntext = \"t\"\n"),
      "no rule of the kind \"mood\""));
  EXPECT_TRUE(refuses(
      file_with("id = \"x\"\nname = \"x\"\nkind = \"wish\"\ntable = \"account\"\n", kIssuerRule),
      "no such kind"));
  EXPECT_TRUE(refuses(
      file_with("id = \"x\"\nname = \"x\"\nkind = \"production\"\ntable = \"wish\"\n", kIssuerRule),
      "no such table"));
  EXPECT_TRUE(
      refuses(file_with(std::string(kGood) + "band = 300\n", kIssuerRule), "250 or of 500"));
  EXPECT_TRUE(refuses("country = ", "line 1"));
}

TEST(Law, RefusesValuesThatNoRuleOfTheKindHas) {
  const auto with = [](const std::string& rule) {
    return file_with(kGood, std::string(kIssuerRule) + kReachesRule + "[[instrument.rule]]\n" +
                                rule + "statute = \"s\"\ntext = \"t\"\n");
  };
  EXPECT_TRUE(
      refuses(with("rule = \"place-only\"\nvalues = [\"Britain\"]\n"), "no value \"Britain\""));
  EXPECT_TRUE(refuses(with("rule = \"person-not\"\nvalues = [\"martian\"]\n"), "no value"));
  EXPECT_TRUE(refuses(with("rule = \"gag\"\nvalues = [\"x\"]\n"), "has no values"));
  EXPECT_TRUE(refuses(with("rule = \"valid-for\"\n"), "needs days"));
  EXPECT_TRUE(refuses(with("rule = \"answer-within\"\ndays = 3\nhours = 1\n"), "has no days"));
  EXPECT_TRUE(refuses(with("rule = \"answer-within\"\nhours = -1\n"), "whole number"));
  EXPECT_TRUE(refuses(with("rule = \"review-within\"\nvalues = [\"given\"]\ndays = 3\n"),
                      "a stage that it does not have"));
  EXPECT_EQ(error_of(with("rule = \"valid-for\"\ndays = 3\n")), "");
}

TEST(Law, ACapabilityReachesNothingAndAProductionReachesSomething) {
  EXPECT_TRUE(refuses(file_with(kGood, kIssuerRule), "needs a rule \"reaches\""));
  EXPECT_TRUE(refuses(file_with(kGood, kReachesRule), "needs a rule \"issuer\""));
  const std::string notice =
      "id = \"x\"\nname = \"x\"\nkind = \"capability\"\ntable = \"account\"\n";
  EXPECT_TRUE(
      refuses(file_with(notice, std::string(kIssuerRule) + kReachesRule), "reaches nothing"));
  EXPECT_TRUE(refuses(file_with(notice, kIssuerRule), "needs \"stages\""));
  const std::string keep =
      "id = \"x\"\nname = \"x\"\nkind = \"preservation\"\ntable = \"preservation\"\n";
  EXPECT_TRUE(refuses(file_with(keep, kIssuerRule), "needs \"preserve-for\""));
}

TEST(Law, TwoInstrumentsDoNotShareAnId) {
  const auto one = read_jurisdiction(as_bytes(testkit::shipped("uk"))).value();
  EXPECT_FALSE(Law::make({one, one}).ok());
}

}  // namespace
}  // namespace holdfast::lawful
