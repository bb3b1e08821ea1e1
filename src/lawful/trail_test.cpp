#include "lawful/trail.h"

#include <gtest/gtest.h>

#include "lawful/deadlines.h"
#include "lawful/test_desk.h"

namespace holdfast::lawful {
namespace {

using testkit::bob;
using testkit::kToday;
using testkit::subpoena;
using testkit::TestDesk;

Code code_of(const Result<void>& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? Code::kCorrupt : result.error().code;
}

const char* const kNotice =
    "instrument = \"uk-capability-notice\"\nreference = \"TCN-1\"\nissuer = \"Home Secretary\"\n"
    "role = \"secretary-of-state\"\nissued = 2026-11-20\ngag = \"indefinite\"\n"
    "attests = [\"necessary\", \"proportionate\", \"consulted\", \"judicial-commissioner\"]\n";

TEST(LawfulTrail, AMatterGoesFromReceivedToClosed) {
  TestDesk desk;
  const std::uint64_t n = desk.approved("S-1");
  EXPECT_EQ(desk.state(n), State::kApproved);
  ASSERT_TRUE(desk.produce("anna", n).ok());
  EXPECT_EQ(desk.state(n), State::kProduced);
  ASSERT_TRUE(desk.note("anna", Step::kClose, n).ok());
  EXPECT_EQ(desk.state(n), State::kClosed);
  EXPECT_EQ(code_of(desk.produce("anna", n)), Code::kConflict);
}

TEST(LawfulTrail, NothingIsProducedWithoutTwoApprovals) {
  TestDesk desk;
  const std::uint64_t n = desk.receive("anna", subpoena("S-1")).value();
  EXPECT_EQ(code_of(desk.produce("anna", n)), Code::kConflict);
  EXPECT_EQ(code_of(desk.approve("ben", n)), Code::kConflict);  // before it was checked
  ASSERT_TRUE(desk.check("anna", n, bob()).ok());
  ASSERT_TRUE(desk.approve("ben", n).ok());
  EXPECT_EQ(code_of(desk.produce("anna", n)), Code::kConflict);
  EXPECT_EQ(desk.state(n), State::kChecked);
}

TEST(LawfulTrail, AnOperatorApprovesOnceAndNeverWhatItReceived) {
  TestDesk desk;
  const std::uint64_t n = desk.receive("anna", subpoena("S-1")).value();
  ASSERT_TRUE(desk.check("ben", n, bob()).ok());
  EXPECT_EQ(code_of(desk.approve("anna", n)), Code::kDenied);
  ASSERT_TRUE(desk.approve("ben", n).ok());
  const auto twice = desk.approve("ben", n);
  ASSERT_EQ(code_of(twice), Code::kDenied);
  EXPECT_NE(twice.error().message.find("approved it already"), std::string::npos);
}

// One operator can add others: they do not approve what was there before them.
TEST(LawfulTrail, WhoCameLaterDoesNotApprove) {
  TestDesk desk;
  const std::uint64_t n = desk.receive("anna", subpoena("S-1")).value();
  desk.hire("puppet");
  desk.reopen();
  ASSERT_TRUE(desk.check("anna", n, bob()).ok());
  EXPECT_EQ(code_of(desk.approve("puppet", n)), Code::kDenied);
  EXPECT_TRUE(desk.approve("ben", n).ok());
  const std::uint64_t later = desk.receive("anna", subpoena("S-2")).value();
  ASSERT_TRUE(desk.check("anna", later, bob()).ok());
  EXPECT_TRUE(desk.approve("puppet", later).ok());
}

TEST(LawfulTrail, WhatDoesNotPassIsNotApproved) {
  TestDesk desk;
  const std::uint64_t n = desk.receive("anna", subpoena("S-1")).value();
  ASSERT_TRUE(desk.check("anna", n, Facts()).ok());  // there is no such account
  EXPECT_EQ(code_of(desk.approve("ben", n)), Code::kDenied);
  ASSERT_TRUE(desk.note("ben", Step::kChallenge, n).ok());
  EXPECT_EQ(desk.state(n), State::kChallenged);
  EXPECT_EQ(code_of(desk.approve("ben", n)), Code::kConflict);
  ASSERT_TRUE(desk.note("ben", Step::kRefuse, n).ok());
  EXPECT_EQ(code_of(desk.check("ben", n, bob())), Code::kConflict);
}

TEST(LawfulTrail, ANewCheckThrowsApprovalsAway) {
  TestDesk desk;
  const std::uint64_t n = desk.approved("S-1");
  ASSERT_TRUE(desk.check("anna", n, bob()).ok());
  EXPECT_EQ(desk.state(n), State::kChecked);
  EXPECT_TRUE(desk.trail->matter(n)->approvers.empty());
  EXPECT_EQ(code_of(desk.produce("anna", n)), Code::kConflict);
}

TEST(LawfulTrail, AnApprovalIsOfTheCheckThatItsSignerSaw) {
  TestDesk desk;
  const std::uint64_t n = desk.receive("anna", subpoena("S-1")).value();
  ASSERT_TRUE(desk.check("anna", n, bob()).ok());
  ApprovedDocument stale;
  stale.checked = desk.trail->matter(n)->checked_digest;
  Facts other = bob();
  other.connections = 9;
  other.packs = 0;
  ASSERT_TRUE(desk.check("anna", n, other).ok());
  EXPECT_EQ(code_of(desk.act("ben", Step::kApprove, n, wire::encode(stale))), Code::kConflict);
}

TEST(LawfulTrail, ACopyOfADemandIsRefused) {
  TestDesk desk;
  ASSERT_TRUE(desk.receive("anna", subpoena("S-1")).ok());
  const auto copy = desk.receive("ben", subpoena("S-1", "contact = \"other\"\n"));
  ASSERT_FALSE(copy.ok());
  EXPECT_EQ(copy.error().code, Code::kConflict);
  EXPECT_NE(copy.error().message.find("matter 1"), std::string::npos);
}

TEST(LawfulTrail, ContentIsNotProducedWhereNoneCanBe) {
  TestDesk desk;
  const std::uint64_t n = desk.approved("S-1");
  EXPECT_EQ(code_of(desk.produce("anna", n, true)), Code::kDenied);
}

TEST(LawfulTrail, ACapabilityNoticeHasStagesAndNoProduce) {
  TestDesk desk;
  const std::uint64_t n = desk.receive("anna", kNotice).value();
  EXPECT_EQ(code_of(desk.stage("anna", n, "given")), Code::kConflict);  // it was not checked
  ASSERT_TRUE(desk.check("anna", n, Facts()).ok());
  EXPECT_EQ(code_of(desk.approve("ben", n)), Code::kInvalid);
  EXPECT_EQ(code_of(desk.produce("ben", n)), Code::kInvalid);
  PreservedDocument keep;
  keep.until_ms = kToday + 1;
  EXPECT_EQ(code_of(desk.act("ben", Step::kPreserve, n, wire::encode(keep))), Code::kInvalid);
  ASSERT_TRUE(desk.stage("ben", n, "given").ok());
  EXPECT_EQ(code_of(desk.stage("ben", n, "given")), Code::kConflict);
  ASSERT_TRUE(desk.note("ben", Step::kClose, n).ok());
}

TEST(LawfulTrail, DeadlinesComeFromTheRulesAndTheStages) {
  TestDesk desk;
  const std::uint64_t n = desk.receive("anna", kNotice).value();
  ASSERT_TRUE(desk.check("anna", n, Facts()).ok());
  EXPECT_TRUE(deadlines(desk.law, *desk.trail, kToday).empty());
  ASSERT_TRUE(desk.stage("ben", n, "given").ok());
  const auto due = deadlines(desk.law, *desk.trail, kToday);
  ASSERT_EQ(due.size(), 2u);
  EXPECT_EQ(due[0].at_ms, kToday + 28 * kDayMs);
  EXPECT_EQ(due[0].statute, "IPA 2016 s.257");
  EXPECT_EQ(due[1].at_ms, kToday + 730 * kDayMs);
}

TEST(LawfulTrail, WhoIsNoOperatorDoesNothing) {
  TestDesk desk;
  EXPECT_EQ(desk.receive("dan", subpoena("S-1")).error().code, Code::kDenied);
  desk.keys.emplace("eve", testkit::new_key());
  EXPECT_EQ(desk.receive("eve", subpoena("S-1")).error().code, Code::kDenied);
}

// What Ben did stands; what the one who stole Ben's key does after the revocation does not, also
// not by pointing at the time before it.
TEST(LawfulTrail, AStolenKeyEndsWithItsRevocation) {
  TestDesk desk;
  const std::uint64_t n = desk.receive("anna", subpoena("S-1")).value();
  ASSERT_TRUE(desk.check("ben", n, bob()).ok());
  const Trail before = *desk.trail;
  desk.dismiss("ben");
  desk.reopen();
  EXPECT_EQ(code_of(desk.approve("ben", n)), Code::kDenied);
  ASSERT_TRUE(desk.approve("carl", n).ok());
  ApprovedDocument document;
  document.checked = before.matter(n)->checked_digest;
  const auto stolen =
      before.sign(Step::kApprove, n, wire::encode(document), desk.keys.at("ben"), desk.now).value();
  EXPECT_FALSE(desk.trail->apply(stolen).ok());
}

TEST(LawfulTrail, FindsWhatWasEditedRemovedOrReordered) {
  TestDesk desk;
  const std::uint64_t n = desk.approved("S-1");
  ASSERT_TRUE(desk.produce("anna", n).ok());
  const auto whole = desk.steps;
  ASSERT_TRUE(Trail::verify(whole, desk.roster).ok());
  const auto verifies = [&](const std::vector<SignedStep>& steps) {
    return Trail::verify(steps, desk.roster).ok();
  };
  for (std::size_t i = 0; i < whole.size(); ++i) {
    auto edited = whole;
    edited[i].document.back() ^= 1;
    EXPECT_FALSE(verifies(edited)) << "document " << i;
    for (const std::size_t at :
         {std::size_t{3}, whole[i].entry.size() / 2, whole[i].entry.size() - 1}) {
      edited = whole;
      edited[i].entry[at] ^= 1;
      EXPECT_FALSE(verifies(edited)) << "entry " << i << " byte " << at;
    }
    auto removed = whole;
    removed.erase(removed.begin() + static_cast<std::ptrdiff_t>(i));
    if (i + 1 < whole.size()) {
      EXPECT_FALSE(verifies(removed)) << i;  // the newest shows against the public log
      auto swapped = whole;
      std::swap(swapped[i], swapped[i + 1]);
      EXPECT_FALSE(verifies(swapped)) << i;
    }
  }
}

TEST(LawfulTrail, ADateBeforeTheNewestIsRefused) {
  TestDesk desk;
  ASSERT_TRUE(desk.receive("anna", subpoena("S-1")).ok());
  desk.now -= 1;
  EXPECT_EQ(desk.receive("anna", subpoena("S-2")).error().code, Code::kInvalid);
}

TEST(LawfulTrail, AnOrderOfSilenceIsAboutAnotherMatter) {
  TestDesk desk;
  const std::uint64_t n = desk.receive("anna", subpoena("S-1")).value();
  EXPECT_FALSE(desk.trail->gag_of(*desk.trail->matter(n), desk.now));
  const std::uint64_t order =
      desk.receive("anna",
                   "instrument = \"us-nondisclosure-order\"\nreference = \"NDO-1\"\nissuer = "
                   "\"D. Mass.\"\nrole = \"court\"\nissued = 2026-11-20\nabout = \"S-1\"\n"
                   "gag_until = 2027-02-01\n")
          .value();
  ASSERT_TRUE(desk.check("anna", order, Facts()).ok());
  EXPECT_TRUE(desk.trail->gag_of(*desk.trail->matter(n), desk.now));
  EXPECT_FALSE(desk.trail->gag_of(*desk.trail->matter(n), desk.now + 100 * kDayMs));
}

// ---- the disclosure order ----

TEST(LawfulTrail, WhoApprovesContentSignsItsOrder) {
  TestDesk desk;
  DisclosureKey key;
  key.verify_key = testkit::new_key().verify_key().bytes;
  key.wrap_key = crypto::wrap_public_key(crypto::Key<crypto::WrapPurpose>::random()).bytes;
  Facts facts = bob();
  facts.discloser = true;
  const std::uint64_t n =
      desk.receive("anna", testkit::warrant("requester_key = \"" + spell(key) + "\"\n")).value();
  CheckedDocument document =
      lawful::check(desk.law, desk.trail->matter(n)->demand, facts, desk.now).document;
  ASSERT_TRUE(document.passes);
  DisclosureOrder order;
  order.instrument = document.demand;
  order.circle.bytes.fill(7);
  order.keys.push_back({VaultId(), 1});
  order.discloser = key;
  order.requester = key;
  order.until_ms = desk.now;
  order.made_ms = desk.now;
  DisclosureOrder other = order;
  other.instrument.bytes.fill(1);
  document.order = wire::encode(other);
  EXPECT_FALSE(desk.act("anna", Step::kCheck, n, wire::encode(document)).ok());
  document.order = wire::encode(order);
  ASSERT_TRUE(desk.act("anna", Step::kCheck, n, wire::encode(document)).ok());

  EXPECT_EQ(code_of(desk.approve("ben", n)), Code::kInvalid);  // without a signature
  ApprovedDocument approval;
  approval.checked = desk.trail->matter(n)->checked_digest;
  approval.signature = wire::encode(sign_order(document.order, desk.keys.at("carl")));
  EXPECT_EQ(code_of(desk.act("ben", Step::kApprove, n, wire::encode(approval))), Code::kDenied);
  for (const char* who : {"ben", "carl"}) {
    EXPECT_FALSE(desk.trail->matter(n)->signed_order().ok());
    approval.signature = wire::encode(sign_order(document.order, desk.keys.at(who)));
    ASSERT_TRUE(desk.act(who, Step::kApprove, n, wire::encode(approval)).ok());
  }
  const Bytes signed_order = desk.trail->matter(n)->signed_order().value();
  const std::vector<crypto::VerifyKey> both{desk.keys.at("ben").verify_key(),
                                            desk.keys.at("carl").verify_key()};
  EXPECT_TRUE(wire::decode<SignedOrder>(signed_order).ok());
  EXPECT_EQ(wire::decode<SignedOrder>(signed_order)->signatures.size(), 2u);
  EXPECT_TRUE(desk.produce("anna", n, true).ok());
}

}  // namespace
}  // namespace holdfast::lawful
