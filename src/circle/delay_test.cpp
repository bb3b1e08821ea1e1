// Rules that need a proven age: replacing the recovery key where there is a log.
#include <gtest/gtest.h>

#include "support/told_ages.h"

namespace holdfast::circle {
namespace {

using testkit::CircleMaker;
using testkit::make_device;
using testkit::make_recovery;
using testkit::TestDevice;
using testkit::TestRecovery;
using testkit::ToldAges;

constexpr std::int64_t kDayMs = 24 * 60 * 60 * 1000;

testing::AssertionResult refused(const CircleMaker& maker, BytesView statement,
                                 std::string_view why) {
  const auto result = maker.circle().apply(statement);
  if (result.ok()) return testing::AssertionFailure() << "it was accepted";
  if (result.error().code != Code::kUnsafe || result.error().message.find(why) == std::string::npos)
    return testing::AssertionFailure() << result.error().message;
  return testing::AssertionSuccess();
}

// Laptop, from the genesis, then desktop, then phone; and a recovery key.
struct Household {
  CircleMaker maker{std::make_shared<ToldAges>()};
  TestDevice laptop = maker.first;
  TestDevice desktop = maker.admit_new("desktop");
  TestDevice phone = maker.admit_new("phone");
  TestRecovery paper = maker.enroll("paper");
  TestRecovery fresh = make_recovery("fresh");

  std::uint64_t seq_of(const TestDevice& device) const {
    return maker.circle().device(device.id)->admitted_seq;
  }
  Bytes age(std::uint64_t seq, std::int64_t days) const {
    return ToldAges::of(maker.circle(), seq, days * kDayMs);
  }
  // set_recovery by two members, with this evidence.
  Bytes replaced(const TestDevice& by, const testkit::Signer& second,
                 std::vector<Bytes> evidence) const {
    SetRecovery body = maker.set_recovery(fresh);
    for (Bytes& one : evidence) body.evidence.push_back(std::move(one));
    return maker.sign_cosigned(body, by, second);
  }
  std::uint64_t propose(const TestDevice& by) {
    maker.append(Propose{fresh.info, {}}, by);
    return maker.circle().seq();
  }
};

TEST(Ages, TheOldKeyNeedsNone) {
  const Household h;
  EXPECT_TRUE(h.maker.circle().apply(h.replaced(h.laptop, h.paper, {})).ok());
  EXPECT_TRUE(refused(h.maker, h.replaced(h.laptop, h.paper, {h.age(1, 9)}), "nobody asks"));
}

TEST(Ages, ASecondDeviceMustBeAWeekOld) {
  const Household h;
  const std::uint64_t desktop = h.seq_of(h.desktop);
  EXPECT_TRUE(refused(h.maker, h.replaced(h.laptop, h.desktop, {}), "does not prove"));
  EXPECT_TRUE(
      refused(h.maker, h.replaced(h.laptop, h.desktop, {h.age(desktop, 6)}), "not old enough"));
  EXPECT_TRUE(h.maker.circle().apply(h.replaced(h.laptop, h.desktop, {h.age(desktop, 7)})).ok());
}

// A thief with the oldest device admits a second and lets that sign, itself only cosigning.
TEST(Ages, ASignerMustBeAWeekOldToo) {
  const Household h;
  const std::uint64_t phone = h.seq_of(h.phone);
  EXPECT_TRUE(refused(h.maker, h.replaced(h.phone, h.laptop, {}), "does not prove"));
  EXPECT_TRUE(h.maker.circle().apply(h.replaced(h.phone, h.laptop, {h.age(phone, 8)})).ok());
}

TEST(Ages, BothProofsInTheirOrder) {
  const Household h;
  const Bytes desktop = h.age(h.seq_of(h.desktop), 8);
  const Bytes phone = h.age(h.seq_of(h.phone), 8);
  EXPECT_TRUE(h.maker.circle().apply(h.replaced(h.desktop, h.phone, {desktop, phone})).ok());
  EXPECT_TRUE(refused(h.maker, h.replaced(h.desktop, h.phone, {phone, desktop}), "old enough"));
  EXPECT_TRUE(refused(h.maker, h.replaced(h.desktop, h.phone, {desktop}), "does not prove"));
  EXPECT_TRUE(
      refused(h.maker, h.replaced(h.desktop, h.phone, {desktop, phone, phone}), "nobody asks"));
}

// The limit binds a member only while an older one remains.
TEST(Ages, TheOldestWhoRemainsNeedsNone) {
  Household h;
  h.maker.append(h.maker.remove({h.laptop.id}), h.desktop);
  EXPECT_FALSE(h.maker.circle().needs_age(*h.maker.circle().member(h.desktop.id)));
  const Bytes phone = h.age(h.seq_of(h.phone), 7);
  EXPECT_TRUE(h.maker.circle().apply(h.replaced(h.desktop, h.phone, {phone})).ok());
}

TEST(Ages, ASoleMemberMustPropose) {
  Household h;
  h.maker.append(h.maker.remove({h.desktop.id, h.phone.id}), h.laptop);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.set_recovery(h.fresh), h.laptop), "takes the"));
}

TEST(Ages, WithoutAJudgeNothingIsOldEnough) {
  const Household h;
  auto circle = Circle::start(h.maker.statements()[0]);
  for (std::size_t i = 1; i < h.maker.statements().size(); ++i)
    circle = circle->apply(h.maker.statements()[i]);
  const Bytes statement = h.replaced(h.laptop, h.desktop, {h.age(h.seq_of(h.desktop), 9)});
  EXPECT_EQ(circle->apply(statement).error().code, Code::kUnsafe);
}

TEST(Proposal, StandsThreeDaysThenCounts) {
  Household h;
  const std::uint64_t seq = h.propose(h.phone);
  EXPECT_EQ(h.maker.circle().recovery()->id, h.paper.id);
  const auto by_desktop = [&](std::int64_t days) {
    return h.maker.sign(h.maker.complete(seq, h.fresh, h.age(seq, days)), h.desktop);
  };
  EXPECT_TRUE(refused(h.maker, by_desktop(2), "not old enough"));
  const auto after = h.maker.circle().apply(by_desktop(3));
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->recovery()->id, h.fresh.id);
  EXPECT_EQ(after->epoch(), h.maker.circle().epoch() + 1);
  EXPECT_TRUE(after->proposals().empty());
  EXPECT_TRUE(after->ever_committed_capsule(crypto::sha256(h.fresh.info.capsule)));
}

TEST(Proposal, EvidenceIsOfThisProposal) {
  Household h;
  const std::uint64_t seq = h.propose(h.phone);
  const Bytes other = h.age(seq - 1, 9);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.complete(seq, h.fresh, other), h.desktop),
                      "not old enough"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.complete(seq - 1, h.fresh, other), h.desktop),
                      "no such proposal"));
}

TEST(Proposal, AnyMemberCancels) {
  Household h;
  const std::uint64_t seq = h.propose(h.phone);
  h.maker.append(Cancel{seq}, h.laptop);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.complete(seq, h.fresh, h.age(seq, 9)), h.phone),
                      "no such proposal"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(Cancel{seq}, h.laptop), "no such proposal"));
}

TEST(Proposal, GoesWithItsProposer) {
  Household h;
  const std::uint64_t seq = h.propose(h.phone);
  h.maker.append(h.maker.remove({h.phone.id}), h.laptop);
  EXPECT_TRUE(refused(h.maker,
                      h.maker.sign(h.maker.complete(seq, h.fresh, h.age(seq, 9)), h.laptop),
                      "no such proposal"));
}

TEST(Proposal, GoesWithARecovery) {
  Household h;
  h.propose(h.phone);
  const TestDevice tablet = make_device("tablet");
  h.maker.append(h.maker.recover(tablet, {h.phone.id, h.laptop.id}), h.paper);
  EXPECT_TRUE(h.maker.circle().proposals().empty());
}

TEST(Proposal, GoesWithTheKeyItWasToReplace) {
  Household h;
  h.propose(h.phone);
  SetRecovery body = h.maker.set_recovery(make_recovery("another"));
  h.maker.append(h.maker.sign_cosigned(body, h.laptop, h.paper));
  EXPECT_TRUE(h.maker.circle().proposals().empty());
}

TEST(Proposal, FourAtMost) {
  Household h;
  for (int i = 0; i < 4; ++i)
    h.maker.append(Propose{make_recovery("p" + std::to_string(i)).info, {}}, h.laptop);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(Propose{h.fresh.info, {}}, h.laptop), "too many"));
}

TEST(Proposal, NeedsALogAndAKeyToReplace) {
  CircleMaker folder;
  folder.enroll("paper");
  EXPECT_TRUE(refused(folder, folder.sign(Propose{make_recovery("x").info, {}}, folder.first),
                      "no log proves"));
  const CircleMaker bare{std::make_shared<ToldAges>()};
  EXPECT_TRUE(refused(bare, bare.sign(Propose{make_recovery("x").info, {}}, bare.first),
                      "no recovery key"));
}

TEST(Proposal, ItsKeysAreNew) {
  Household h;
  EXPECT_TRUE(refused(h.maker, h.maker.sign(Propose{h.paper.info, {}}, h.laptop), "used before"));
}

}  // namespace
}  // namespace holdfast::circle
