#include "lawful/check.h"

#include <gtest/gtest.h>

#include "lawful/test_law.h"

namespace holdfast::lawful {
namespace {

using testkit::bob;
using testkit::demand_of;
using testkit::kToday;
using testkit::warrant;
using testkit::whole_law;

// Nobody's; only its form is judged here.
std::string any_key() {
  DisclosureKey key;
  key.verify_key =
      crypto::SigningKey(crypto::Key<crypto::SigningPurpose>::random()).verify_key().bytes;
  const auto wrap = crypto::Key<crypto::WrapPurpose>::random();
  key.wrap_key = crypto::wrap_public_key(wrap).bytes;
  return spell(key);
}
std::string with_key(const std::string& more = "") {
  return "requester_key = \"" + any_key() + "\"\n" + more;
}
Facts ready() {
  Facts facts = bob();
  facts.discloser = true;
  return facts;
}

CheckedDocument checked(const std::string& demand, const Facts& facts) {
  return check(whole_law(), demand_of(demand), facts, kToday).document;
}
// The finding of this rule that does not pass, or the last of it.
Finding finding(const CheckedDocument& document, const std::string& rule) {
  Finding out;
  for (const Finding& one : document.findings) {
    if (one.rule != rule) continue;
    out = one;
    if (one.outcome == Outcome::kFail || one.outcome == Outcome::kUnclear) return out;
  }
  return out;
}
bool given(const CheckedDocument& document, const std::string& name) {
  for (const Item& item : document.items)
    if (item.name == name) return item.given();
  ADD_FAILURE() << "no item " << name;
  return false;
}
std::string why(const CheckedDocument& document, const std::string& name) {
  for (const Item& item : document.items)
    if (item.name == name) return item.why;
  return "";
}
std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(Check, AWarrantForAStandardAccountReachesItsContent) {
  const CheckedDocument document = checked(warrant(with_key()), ready());
  EXPECT_TRUE(document.passes);
  for (const char* item : {"account", "connections", "devices", "storage", "snapshots"})
    EXPECT_TRUE(given(document, item)) << item;
  EXPECT_TRUE(given(document, "content of documents"));
}

TEST(Check, AnAlwaysEndToEndVaultHasNoKeyAtAnyLevel) {
  const CheckedDocument document = checked(warrant(with_key()), ready());
  EXPECT_FALSE(given(document, "content of diary"));
  EXPECT_NE(why(document, "content of diary").find("no key exists"), std::string::npos);
}

TEST(Check, AtTheAdvancedLevelNoKeyExists) {
  Facts facts = ready();
  facts.standard = false;
  facts.no_key = "statement 4 of the account took the custodian off its readers";
  for (VaultFacts& vault : facts.vaults) vault.provider_reads = false;
  const CheckedDocument document = checked(warrant(), facts);
  EXPECT_TRUE(document.passes);  // what is not content can be given
  EXPECT_FALSE(given(document, "content of documents"));
  EXPECT_NE(why(document, "content of documents").find("statement 4"), std::string::npos);
  EXPECT_TRUE(given(document, "account"));
}

TEST(Check, ASubpoenaReachesNoContent) {
  std::string text = replaced(warrant(), "us-search-warrant", "us-subpoena");
  text = replaced(text, "\"court\"", "\"grand-jury\"");
  const CheckedDocument document = checked(text, bob());
  EXPECT_FALSE(document.passes);
  const Finding reason = finding(document, "reaches");
  EXPECT_EQ(reason.outcome, Outcome::kFail);
  EXPECT_EQ(reason.statute, "18 U.S.C. 2703(c)(2)");
  EXPECT_NE(reason.text.find("metadata, content"), std::string::npos);
  EXPECT_FALSE(given(document, "content of documents"));
  EXPECT_FALSE(given(document, "storage"));
  EXPECT_TRUE(given(document, "account"));
}

TEST(Check, AnIssuerThatMayNotIssueItIsRefusedWithTheStatute) {
  const CheckedDocument document = checked(replaced(warrant(), "\"court\"", "\"sheriff\""), bob());
  EXPECT_FALSE(document.passes);
  const Finding reason = finding(document, "issuer");
  EXPECT_EQ(reason.outcome, Outcome::kFail);
  EXPECT_NE(reason.text.find("sheriff"), std::string::npos);
  EXPECT_NE(reason.statute.find("2703"), std::string::npos);
}

TEST(Check, WhatMustBeShownAndIsNotIsNamed) {
  const CheckedDocument document =
      checked(replaced(warrant(), "[\"probable-cause\"]", "[]"), bob());
  EXPECT_NE(finding(document, "attests").text.find("probable-cause"), std::string::npos);
  EXPECT_FALSE(document.passes);
}

TEST(Check, MissingFieldsAreNamed) {
  std::string text = replaced(warrant(), "issuer = \"D. Mass.\"\n", "");
  text = replaced(text, "issued = 2026-11-20\n", "");
  const Finding reason = finding(checked(text, bob()), "fields");
  EXPECT_EQ(reason.outcome, Outcome::kFail);
  EXPECT_NE(reason.text.find("issuer, issued"), std::string::npos);
}

TEST(Check, DatesThatCannotBeAreRefused) {
  EXPECT_NE(finding(checked(warrant("expires = 2026-11-30\n"), bob()), "dates")
                .text.find("expired on 2026-11-30"),
            std::string::npos);
  EXPECT_EQ(
      finding(checked(replaced(warrant(), "2026-11-20", "2027-01-01"), bob()), "dates").outcome,
      Outcome::kFail);
  EXPECT_EQ(
      finding(checked(warrant("from = 2026-05-01\nuntil = 2026-04-01\n"), bob()), "dates").outcome,
      Outcome::kFail);
  EXPECT_EQ(finding(checked(warrant("from = 2027-05-01\n"), bob()), "dates").outcome,
            Outcome::kFail);
}

TEST(Check, ADemandThatIsTooOldIsRefused) {
  std::string text = replaced(warrant(), "us-search-warrant", "uk-communications-data");
  text = replaced(text, "\"court\"", "\"ocda\"");
  text = replaced(text, "[\"probable-cause\"]", "[\"necessary\", \"proportionate\"]");
  text = replaced(text, ", \"content\"]", "]");
  EXPECT_TRUE(checked(text, bob()).passes);
  const CheckedDocument old = checked(replaced(text, "2026-11-20", "2026-10-20"), bob());
  EXPECT_EQ(finding(old, "valid-for").outcome, Outcome::kFail);
  EXPECT_EQ(finding(old, "valid-for").statute, "IPA 2016 s.65");
}

TEST(Check, AWrongRegionIsRefused) {
  std::string text = replaced(warrant(), "us-search-warrant", "uk-communications-data");
  const CheckedDocument document = checked(text, bob("FR"));
  EXPECT_EQ(finding(document, "place-only").outcome, Outcome::kFail);
  EXPECT_NE(finding(document, "place-only").text.find("FR"), std::string::npos);
}

TEST(Check, ATargetThatIsNotOneAccountIsRefused) {
  EXPECT_EQ(finding(checked(warrant("", "everyone = true"), bob()), "one-account").outcome,
            Outcome::kFail);
  EXPECT_EQ(finding(checked(warrant("", "account = \"*\""), bob()), "one-account").outcome,
            Outcome::kFail);
  EXPECT_EQ(finding(checked(warrant("", "account = \"bob, ann\""), bob()), "target").outcome,
            Outcome::kUnclear);
  Facts alike = bob();
  alike.alike = {"Bob"};
  const Finding reason = finding(checked(warrant(), alike), "target");
  EXPECT_EQ(reason.outcome, Outcome::kUnclear);
  EXPECT_NE(reason.text.find("Bob"), std::string::npos);
  EXPECT_EQ(finding(checked(warrant(), Facts()), "target").outcome, Outcome::kFail);
  EXPECT_EQ(
      finding(checked(warrant("", "account = \"bob\"\nvaults = [\"attic\"]"), bob()), "target")
          .outcome,
      Outcome::kFail);
  EXPECT_EQ(
      finding(checked(warrant("", "account = \"bob\"\ndevices = [\"fridge\"]"), bob()), "target")
          .outcome,
      Outcome::kFail);
}

TEST(Check, ABulkWarrantProducesNothingHere) {
  std::string text =
      replaced(warrant("", "everyone = true"), "us-search-warrant", "uk-bulk-warrant");
  text = replaced(text, "\"court\"", "\"secretary-of-state\"");
  text = replaced(text, "[\"probable-cause\"]",
                  "[\"necessary\", \"proportionate\", \"judicial-commissioner\"]");
  const CheckedDocument document = checked(text, Facts());
  EXPECT_FALSE(document.passes);
  EXPECT_TRUE(document.items.empty());
}

std::string order_of_the_uk(const std::string& target) {
  return "instrument = \"uk-us-order-of-the-uk\"\nreference = \"UK-1\"\nissuer = \"Home Office\"\n"
         "role = \"uk-designated-authority\"\nissued = 2026-11-20\n"
         "attests = [\"serious-crime\", \"certified\", \"targeting-procedures\"]\n"
         "classes = [\"subscriber\"]\n[target]\n" +
         target;
}

TEST(Check, TheUnitedKingdomMayNotTargetUsPersons) {
  const auto with = [](const std::string& person) {
    return checked(order_of_the_uk("account = \"bob\"\nperson = \"" + person + "\"\n"), bob());
  };
  EXPECT_TRUE(with("non-us-person").passes);
  EXPECT_FALSE(with("us-person").passes);
  EXPECT_NE(finding(with("us-person"), "person-not").statute.find("Art. 4"), std::string::npos);
  EXPECT_EQ(finding(with("unknown"), "person-not").outcome, Outcome::kUnclear);
  EXPECT_FALSE(with("unknown").passes);
}

TEST(Check, TheUnitedKingdomMayNotTargetAnyoneInTheUnitedStates) {
  const std::string target = "account = \"bob\"\nperson = \"non-us-person\"\n";
  EXPECT_EQ(finding(checked(order_of_the_uk(target), bob("US")), "place-not").outcome,
            Outcome::kFail);
  const CheckedDocument told = checked(order_of_the_uk(target + "region = \"US\"\n"), bob());
  EXPECT_EQ(finding(told, "place-not").outcome, Outcome::kFail);
}

TEST(Check, TheUnitedStatesMayNotTargetAnyoneInTheUnitedKingdom) {
  std::string text = replaced(order_of_the_uk("account = \"bob\"\n"), "of-the-uk", "of-the-us");
  text = replaced(text, "uk-designated", "us-designated");
  EXPECT_EQ(finding(checked(text, bob()), "place-not").outcome, Outcome::kFail);
  EXPECT_TRUE(checked(text, bob("DE")).passes);
}

TEST(Check, ABillIsNoLaw) {
  const std::string text =
      "instrument = \"ca-ministerial-order\"\nreference = \"C-1\"\nissuer = \"Minister\"\nrole = "
      "\"minister\"\nissued = 2026-11-20\nattests = [\"intelligence-commissioner\"]\n";
  EXPECT_EQ(finding(checked(text, Facts()), "in-force").outcome, Outcome::kFail);
}

TEST(Check, AnUnknownInstrumentAndClassAreNamed) {
  const CheckedDocument document =
      checked(replaced(warrant(), "us-search-warrant", "zz-edict"), bob());
  EXPECT_NE(finding(document, "instrument").text.find("zz-edict"), std::string::npos);
  EXPECT_FALSE(given(document, "account"));
  EXPECT_EQ(finding(checked(replaced(warrant(), "\"metadata\"", "\"thoughts\""), bob()), "classes")
                .outcome,
            Outcome::kFail);
}

TEST(Check, ContentNeedsSomebodyToSealItToAndAMachineThatOpensIt) {
  EXPECT_EQ(finding(checked(warrant(), ready()), "requester-key").outcome, Outcome::kFail);
  EXPECT_EQ(
      finding(checked(warrant("requester_key = \"04ab\"\n"), ready()), "requester-key").outcome,
      Outcome::kFail);
  EXPECT_EQ(finding(checked(warrant(with_key()), bob()), "disclosure-key").outcome,
            Outcome::kUnclear);
}

// Said before anyone approves, and theirs to weigh.
TEST(Check, AGagLongerThanThePublicDelayCannotBeHonoured) {
  Facts facts = ready();
  facts.open_days = 30;
  const auto outcome = [&](const std::string& gag) {
    const CheckedDocument document = checked(warrant(with_key(gag)), facts);
    EXPECT_TRUE(document.passes);
    for (const Finding& one : document.findings)
      if (one.text.find("cannot be honoured") != std::string::npos) return one.outcome;
    return Outcome::kPass;
  };
  EXPECT_EQ(outcome("gag_until = 2026-12-20\n"), Outcome::kPass);
  EXPECT_EQ(outcome("gag_until = 2027-02-01\n"), Outcome::kWarn);
  EXPECT_EQ(outcome("gag = \"indefinite\"\n"), Outcome::kWarn);
}

TEST(Check, ACapabilityNoticeHasNothingToProduce) {
  const std::string text =
      "instrument = \"uk-capability-notice\"\nreference = \"TCN\"\nissuer = \"Home Secretary\"\n"
      "role = \"secretary-of-state\"\nissued = 2026-11-20\ngag = \"indefinite\"\n"
      "attests = [\"necessary\", \"proportionate\", \"consulted\", \"judicial-commissioner\"]\n";
  const Checked out = check(whole_law(), demand_of(text), Facts(), kToday);
  EXPECT_TRUE(out.document.passes);
  EXPECT_TRUE(out.document.items.empty());
  EXPECT_NE(out.verdict.find("Nothing can be produced"), std::string::npos);
}

TEST(Check, OnlyNamedVaultsAreReached) {
  Facts facts = ready();
  facts.vaults.push_back({"photos", false, true, 3});
  const CheckedDocument document =
      checked(warrant(with_key(), "account = \"bob\"\nvaults = [\"photos\"]"), facts);
  EXPECT_TRUE(given(document, "content of photos"));
  EXPECT_FALSE(given(document, "content of documents"));
  EXPECT_EQ(why(document, "content of documents"), "this vault was not named");
}

// However long the list that fails, the reasons are few and the answer is no.
TEST(Check, AThousandReasonsAreStillARefusal) {
  std::string vaults;
  for (int i = 0; i < 64; ++i) vaults += (i == 0 ? "\"v" : ", \"v") + std::to_string(i) + "\"";
  const CheckedDocument document =
      checked(warrant(with_key(), "account = \"bob\"\nvaults = [" + vaults + "]"), ready());
  EXPECT_FALSE(document.passes);
  EXPECT_LE(document.findings.size(), kMaxFindings);
  EXPECT_LE(wire::encode(document).size(), kMaxDocument);
}

TEST(Demand, RefusesWhatMeansNothing) {
  EXPECT_FALSE(read_demand(as_bytes("instrument = \"x\"\n")).ok());  // no reference
  EXPECT_FALSE(read_demand(as_bytes("reference = \"x\"\ncolour = 1\n")).ok());
  EXPECT_FALSE(read_demand(as_bytes("reference = \"x\"\n[target]\nperson = \"robot\"\n")).ok());
  EXPECT_FALSE(read_demand(as_bytes("reference = \"x\"\nissued = \"yesterday\"\n")).ok());
  EXPECT_FALSE(read_demand(as_bytes("reference = \"x\"\nissued = 2026-11-20T10:00:00\n")).ok());
  EXPECT_FALSE(read_demand(as_bytes("reference = \"x\"\ngag = \"please\"\n")).ok());
  EXPECT_FALSE(read_demand(as_bytes("reference = \"" + std::string(20'000, 'x') + "\"\n")).ok());
  EXPECT_FALSE(read_demand(as_bytes("reference = [")).ok());
}

}  // namespace
}  // namespace holdfast::lawful
