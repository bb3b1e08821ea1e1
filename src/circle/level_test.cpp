// Levels: the custodian as a reader of vaults, who may take it in, and help without devices.
#include <gtest/gtest.h>

#include "support/told_ages.h"

namespace holdfast::circle {
namespace {

using testkit::CircleMaker;
using testkit::make_custodian;
using testkit::make_device;
using testkit::make_fleet;
using testkit::make_recovery;
using testkit::Signer;
using testkit::TestDevice;
using testkit::TestRecovery;
using testkit::ToldAges;
using testkit::vault_id;

constexpr std::int64_t kDayMs = 24 * 60 * 60 * 1000;

testing::AssertionResult refused(const CircleMaker& maker, BytesView statement,
                                 std::string_view why) {
  const auto result = maker.circle().apply(statement);
  if (result.ok()) return testing::AssertionFailure() << "it was accepted";
  if (result.error().code != Code::kUnsafe || result.error().message.find(why) == std::string::npos)
    return testing::AssertionFailure() << result.error().message;
  return testing::AssertionSuccess();
}

// A laptop from the genesis and a desktop, a recovery key, and two vaults, one of them always
// end-to-end.
struct Household {
  explicit Household(Level level) : maker(std::make_shared<ToldAges>(), level) {
    desktop = maker.admit_new("desktop");
    maker.append(maker.set_vault("home"), laptop);
    maker.append(maker.set_vault("diary", true), laptop);
    paper = maker.enroll("paper");
  }

  const Circle& circle() const { return maker.circle(); }
  CustodianInfo custodian(std::string_view name) const {
    return make_custodian(circle().id(), name);
  }
  bool reads(const ReaderId& reader, const std::string& vault, std::uint32_t epoch) const {
    return circle().blob(epoch, {BlobKind::kVaultReader, reader, vault_id(vault)}).ok();
  }
  Bytes age(std::uint64_t seq, std::int64_t days) const {
    return ToldAges::of(circle(), seq, days * kDayMs);
  }
  std::uint64_t since(const TestDevice& device) const {
    return circle().device(device.id)->admitted_seq;
  }
  Bytes lowered(const Signer& by, const Signer& second, std::vector<Bytes> evidence) const {
    SetLevel body = maker.lower(custodian("next"));
    for (Bytes& one : evidence) body.evidence.push_back(std::move(one));
    return maker.sign_cosigned(body, by, second);
  }

  CircleMaker maker;
  TestDevice laptop = maker.first;
  TestDevice desktop;
  TestRecovery paper;
};

// ---- genesis ----

Genesis standard_genesis(const TestDevice& device) {
  Genesis body = testkit::genesis_body(device);
  body.level = Level::kStandard;
  body.has_log = true;
  body.custodian = make_custodian(circle_id(body.device, body.nonce), "custodian");
  return body;
}

testing::AssertionResult genesis_refused(const Genesis& body, std::string_view why) {
  const auto circle = Circle::start(testkit::sign_genesis(body, make_device("laptop")));
  if (circle.ok()) return testing::AssertionFailure() << "it was accepted";
  if (circle.error().message.find(why) == std::string::npos)
    return testing::AssertionFailure() << circle.error().message;
  return testing::AssertionSuccess();
}

TEST(Genesis, AtTheStandardLevelHasACustodianAndALog) {
  const TestDevice laptop = make_device("laptop");
  const Genesis good = standard_genesis(laptop);
  const auto circle = Circle::start(testkit::sign_genesis(good, laptop));
  ASSERT_TRUE(circle.ok()) << circle.error().message;
  ASSERT_NE(circle->custodian(), nullptr);
  EXPECT_EQ(circle->custodian()->id, reader_id(*good.custodian));
  EXPECT_EQ(circle->readers(), std::vector<ReaderId>{laptop.id});  // no full reader

  Genesis body = good;
  body.has_log = false;
  EXPECT_TRUE(genesis_refused(body, "no log"));
  body = good;
  body.custodian.reset();
  EXPECT_TRUE(genesis_refused(body, "has a custodian"));
  body = good;
  body.level = Level::kAdvanced;
  EXPECT_TRUE(genesis_refused(body, "has a custodian"));
}

TEST(Genesis, TakesNoCustodianThatWasIssuedForAnother) {
  const TestDevice laptop = make_device("laptop");
  Genesis body = standard_genesis(laptop);
  body.custodian = make_custodian(CircleId(crypto::sha256(as_bytes("other")).bytes), "custodian");
  EXPECT_TRUE(genesis_refused(body, "not issued for this account"));
  body = standard_genesis(laptop);
  body.custodian->fleet_key = make_fleet("another").public_key().bytes;
  EXPECT_TRUE(genesis_refused(body, "not issued for this account"));
  body = standard_genesis(laptop);
  body.custodian->wrap_key = laptop.info.wrap_key;
  EXPECT_TRUE(genesis_refused(body, "not issued for this account"));
  body.custodian =
      sign_custodian(make_fleet(), circle_id(body.device, body.nonce), {laptop.info.wrap_key});
  EXPECT_TRUE(genesis_refused(body, "used before"));
}

// ---- who reads ----

TEST(Custodian, ReadsVaultsThatAreNotAlwaysEndToEnd) {
  Household h(Level::kStandard);
  const ReaderId custodian = h.circle().custodian()->id;
  EXPECT_TRUE(h.reads(custodian, "home", 1));
  EXPECT_FALSE(h.reads(custodian, "diary", 1));
  h.maker.append(h.maker.rotate(), h.laptop);
  EXPECT_TRUE(h.reads(custodian, "home", 2));
  EXPECT_FALSE(h.reads(custodian, "diary", 2));
  h.maker.append(h.maker.set_vault("home", true), h.laptop);
  EXPECT_FALSE(h.reads(custodian, "home", 3));
  EXPECT_FALSE(h.circle().blob(1, {BlobKind::kRoot, custodian, {}}).ok());
}

TEST(Custodian, StandsRightAfterTheVaultsKey) {
  const Household h(Level::kStandard);
  const ReaderId custodian = h.circle().custodian()->id;
  const auto slots = epoch_slots(h.circle().vaults(), h.circle().readers(), {custodian});
  ASSERT_EQ(slots.size(), 1 + 3 + 4 + 4 + 1u);
  for (std::size_t i = 0; i < slots.size(); ++i)
    if (slots[i].kind == BlobKind::kVaultReader) {
      EXPECT_EQ(slots[i - 1].kind, BlobKind::kVaultKey);
      EXPECT_EQ(slots[i - 1].vault, vault_id("home"));
      EXPECT_EQ(slots[i].vault, vault_id("home"));
    }
}

TEST(Custodian, CannotBeLeftOutOfAnEpochNorSlippedIn) {
  const Household h(Level::kStandard);
  Rotate without{h.maker.next_epoch(h.circle().vaults(), h.circle().readers(), {})};
  EXPECT_TRUE(refused(h.maker, h.maker.sign(without, h.laptop), "another number of keys"));
  const Household advanced(Level::kAdvanced);
  const ReaderId id = reader_id(advanced.custodian("ghost"));
  Rotate with{
      advanced.maker.next_epoch(advanced.circle().vaults(), advanced.circle().readers(), {id})};
  EXPECT_TRUE(
      refused(advanced.maker, advanced.maker.sign(with, advanced.laptop), "another number"));
}

// ---- raising ----

TEST(Raising, TakesOneMemberAndEndsTheCustodian) {
  Household h(Level::kStandard);
  const ReaderId custodian = h.circle().custodian()->id;
  h.maker.append(h.maker.raise(), h.desktop);
  EXPECT_EQ(h.circle().level(), Level::kAdvanced);
  EXPECT_EQ(h.circle().custodian(), nullptr);
  EXPECT_EQ(h.circle().epoch(), 2u);
  EXPECT_FALSE(h.reads(custodian, "home", 2));
  ASSERT_EQ(h.circle().custodians().size(), 1u);
  EXPECT_EQ(h.circle().custodians()[0].left_seq, h.circle().seq());
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.raise(), h.laptop), "that level already"));
}

TEST(Raising, NeedsAWayBack) {
  CircleMaker maker(std::make_shared<ToldAges>(), Level::kStandard);
  EXPECT_TRUE(refused(maker, maker.sign(maker.raise(), maker.first), "no recovery key"));
}

TEST(Raising, IsNobodysElse) {
  const Household h(Level::kStandard);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.raise(), h.paper), "not a member"));
  EXPECT_TRUE(
      refused(h.maker, h.maker.sign(h.maker.raise(), make_device("thief")), "not a member"));
  EXPECT_TRUE(
      refused(h.maker, h.maker.sign_by_fleet(h.maker.raise(), make_fleet()), "not a member"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign_cosigned(h.maker.raise(), h.laptop, h.desktop),
                      "cosignature where none"));
  SetLevel keeps = h.maker.raise();
  keeps.custodian = h.custodian("kept");
  EXPECT_TRUE(refused(h.maker, h.maker.sign(keeps, h.laptop), "custodian at the advanced"));
  SetLevel with = h.maker.raise();
  with.epoch = h.maker.next_epoch(h.circle().readers());
  EXPECT_TRUE(refused(h.maker, h.maker.sign(with, h.laptop), "another number of keys"));
}

// ---- lowering ----

TEST(Lowering, TakesTwoVoicesOfAWeek) {
  const Household h(Level::kAdvanced);
  const Bytes desktop = h.age(h.since(h.desktop), 7);
  const auto alone = h.maker.sign(h.maker.lower(h.custodian("next")), h.laptop);
  EXPECT_TRUE(refused(h.maker, alone, "second device or the recovery key"));
  EXPECT_TRUE(refused(h.maker, h.lowered(h.laptop, h.desktop, {}), "does not prove"));
  EXPECT_TRUE(refused(h.maker, h.lowered(h.laptop, h.desktop, {h.age(h.since(h.desktop), 6)}),
                      "not old enough"));
  const auto lowered = h.circle().apply(h.lowered(h.laptop, h.desktop, {desktop}));
  ASSERT_TRUE(lowered.ok()) << lowered.error().message;
  EXPECT_EQ(lowered->level(), Level::kStandard);
  EXPECT_EQ(lowered->custodian()->id, reader_id(h.custodian("next")));
  EXPECT_EQ(lowered->epoch(), 2u);
}

TEST(Lowering, WithTheRecoveryKeyTakesItsAgeToo) {
  const Household h(Level::kAdvanced);
  const std::uint64_t enrolled = h.circle().recovery()->set_seq;
  EXPECT_TRUE(refused(h.maker, h.lowered(h.laptop, h.paper, {}), "does not prove"));
  EXPECT_TRUE(
      refused(h.maker, h.lowered(h.laptop, h.paper, {h.age(enrolled, 6)}), "not old enough"));
  EXPECT_TRUE(h.circle().apply(h.lowered(h.laptop, h.paper, {h.age(enrolled, 7)})).ok());
  EXPECT_TRUE(
      refused(h.maker, h.lowered(h.desktop, h.paper, {h.age(enrolled, 7)}), "does not prove"));
  EXPECT_TRUE(
      h.circle()
          .apply(h.lowered(h.desktop, h.paper, {h.age(h.since(h.desktop), 7), h.age(enrolled, 7)}))
          .ok());
}

TEST(Lowering, IsNotForTheProvider) {
  const Household h(Level::kAdvanced);
  EXPECT_TRUE(refused(h.maker,
                      h.maker.sign_by_fleet(h.maker.lower(h.custodian("next")), make_fleet()),
                      "not a member"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign_by_fleet(Assist{make_device("x").info}, make_fleet()),
                      "not the account's custodian"));
  SetLevel none = h.maker.lower(h.custodian("next"));
  none.custodian.reset();
  EXPECT_TRUE(refused(h.maker, h.maker.sign(none, h.laptop), "without a custodian"));
}

TEST(Lowering, ByProposalWaitsThreeDaysAndHandsOutNoKey) {
  Household h(Level::kAdvanced);
  const CustodianInfo next = h.custodian("next");
  h.maker.append(Propose{{}, next}, h.desktop);
  const std::uint64_t proposal = h.circle().seq();
  EXPECT_EQ(h.circle().level(), Level::kAdvanced);
  EXPECT_EQ(h.circle().epoch(), 1u);
  EXPECT_EQ(h.circle().vault_readers(), std::vector<ReaderId>{});

  Complete body{proposal, h.age(proposal, 2), h.maker.lowered(next)};
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.desktop), "not old enough"));
  body.evidence = h.age(proposal, 3);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, make_device("thief")), "not a member"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign_by_fleet(body, make_fleet()), "not a member"));
  const auto lowered = h.circle().apply(h.maker.sign(body, h.laptop));
  ASSERT_TRUE(lowered.ok()) << lowered.error().message;
  EXPECT_EQ(lowered->level(), Level::kStandard);

  h.maker.append(Cancel{proposal}, h.laptop);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "no such proposal"));
}

TEST(Lowering, ACustodianThatLeftDoesNotReturnUnderItsKey) {
  Household h(Level::kStandard);
  const CustodianInfo old = h.circle().custodian()->info;
  h.maker.append(h.maker.raise(), h.laptop);
  SetLevel body = h.maker.lower(old);
  body.evidence.push_back(h.age(h.since(h.desktop), 7));
  EXPECT_TRUE(refused(h.maker, h.maker.sign_cosigned(body, h.laptop, h.desktop), "used before"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(Propose{{}, old}, h.laptop), "used before"));
  TestDevice mixed = make_device("mixed");
  mixed.info.wrap_key = old.wrap_key;
  mixed.id = reader_id(mixed.info);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.admit(mixed), h.laptop), "used before"));
}

TEST(Lowering, AProposalGoesWithItsProposer) {
  Household h(Level::kAdvanced);
  h.maker.append(Propose{{}, h.custodian("next")}, h.desktop);
  h.maker.append(h.maker.remove({h.desktop.id}), h.laptop);
  EXPECT_TRUE(h.circle().proposals().empty());
}

TEST(Proposals, OfOneSortLeaveRoomForTheOthers) {
  Household h(Level::kAdvanced);
  for (std::size_t i = 0; i < kMaxProposals; ++i)
    h.maker.append(Propose{{}, h.custodian("c" + std::to_string(i))}, h.desktop);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(Propose{{}, h.custodian("x")}, h.desktop), "too many"));
  h.maker.append(Propose{make_recovery("new paper").info, {}}, h.laptop);
  EXPECT_TRUE(refused(h.maker,
                      h.maker.sign(Propose{make_recovery("y").info, h.custodian("y")}, h.laptop),
                      "or of a custodian"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(Propose{}, h.laptop), "or of a custodian"));
}

// ---- help ----

struct Help {
  Household h{Level::kStandard};
  TestDevice owner = make_device("borrowed");
  std::uint64_t ask() {
    h.maker.append(h.maker.sign_by_fleet(Assist{owner.info}, make_fleet()));
    return h.circle().seq();
  }
  Complete completed(std::uint64_t proposal, std::int64_t days) const {
    return {proposal, h.age(proposal, days),
            h.maker.same_epoch(assist_slots(h.circle(), owner.id))};
  }
};

TEST(Assist, IsTheCustodiansToProposeAndToComplete) {
  Help help;
  EXPECT_TRUE(refused(help.h.maker, help.h.maker.sign(Assist{help.owner.info}, help.h.laptop),
                      "not the account's custodian"));
  EXPECT_TRUE(refused(help.h.maker,
                      help.h.maker.sign_by_fleet(Assist{help.owner.info}, make_fleet("another")),
                      "signature is wrong"));
  const std::uint64_t proposal = help.ask();
  EXPECT_FALSE(help.h.reads(help.owner.id, "home", 1));
  const auto sign = [&](std::int64_t days) {
    return help.h.maker.sign_by_fleet(help.completed(proposal, days), make_fleet());
  };
  EXPECT_TRUE(refused(help.h.maker, sign(2), "not old enough"));
  EXPECT_TRUE(refused(help.h.maker, help.h.maker.sign(help.completed(proposal, 3), help.h.laptop),
                      "not the account's custodian"));
  help.h.maker.append(sign(3));
  EXPECT_TRUE(help.h.reads(help.owner.id, "home", 1));
  EXPECT_FALSE(help.h.reads(help.owner.id, "diary", 1));
}

// What a membership would have allowed: to remove the owner's devices, to back up, to admit, to
// change the level. Whoever deceives the operators is a reader of standard vaults and no more.
TEST(Assist, MakesNoMember) {
  Help help;
  const std::uint64_t proposal = help.ask();
  help.h.maker.append(help.h.maker.sign_by_fleet(help.completed(proposal, 3), make_fleet()));
  const CircleMaker& maker = help.h.maker;
  EXPECT_EQ(maker.circle().member(help.owner.id), nullptr);
  EXPECT_FALSE(maker.circle().blob(1, {BlobKind::kRoot, help.owner.id, {}}).ok());
  EXPECT_TRUE(
      refused(maker, maker.sign(maker.remove({help.h.laptop.id}), help.owner), "not a member"));
  EXPECT_TRUE(
      refused(maker, maker.sign(maker.admit(make_device("x")), help.owner), "not a member"));
  EXPECT_TRUE(refused(maker, maker.sign(maker.raise(), help.owner), "not a member"));
  EXPECT_TRUE(refused(maker, maker.sign(maker.rotate(), help.owner), "not a member"));
  EXPECT_TRUE(refused(maker, maker.sign(maker.set_recovery(make_recovery("y")), help.owner),
                      "not a member"));
  const VaultId home = vault_id("home");
  const auto record = extend(maker.circle(), home, maker.tips().at(home),
                             sign_record(maker.record(home, help.owner), *help.owner.key));
  EXPECT_FALSE(record.ok());
}

TEST(Assist, AnyMemberCancelsAndTheNextEpochEndsIt) {
  Help help;
  const std::uint64_t proposal = help.ask();
  help.h.maker.append(Cancel{proposal}, help.h.desktop);
  EXPECT_TRUE(refused(help.h.maker,
                      help.h.maker.sign_by_fleet(help.completed(proposal, 3), make_fleet()),
                      "no such proposal"));
  const std::uint64_t again = help.ask();
  help.h.maker.append(help.h.maker.sign_by_fleet(help.completed(again, 3), make_fleet()));
  help.h.maker.append(help.h.maker.rotate(), help.h.laptop);
  EXPECT_FALSE(help.h.reads(help.owner.id, "home", 2));
  EXPECT_EQ(help.h.circle().helped().back().left_seq, help.h.circle().seq());
}

TEST(Assist, EndsWithTheLevel) {
  Help help;
  const std::uint64_t proposal = help.ask();
  help.h.maker.append(help.h.maker.raise(), help.h.laptop);
  EXPECT_TRUE(help.h.circle().proposals().empty());
  EXPECT_TRUE(refused(help.h.maker,
                      help.h.maker.sign_by_fleet(help.completed(proposal, 3), make_fleet()),
                      "no such proposal"));
}

// ---- policies, receipts ----

TEST(PolicyAck, IsAMembersWordOfWhatItWasShown) {
  Household h(Level::kAdvanced);
  const PolicyAck ack{2, crypto::sha256(as_bytes("policy"))};
  EXPECT_TRUE(refused(h.maker, h.maker.sign(ack, h.paper), "not a member"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(PolicyAck{}, h.laptop), "numbered from 1"));
  h.maker.append(ack, h.desktop);
  EXPECT_EQ(h.circle().acknowledged()->version, 2u);
  EXPECT_EQ(h.circle().epoch(), 1u);
}

TEST(Receipt, IsOfOneCustodianAndItsFleet) {
  const Household h(Level::kStandard);
  const CustodianInfo& info = h.circle().custodian()->info;
  DeletionReceipt receipt;
  receipt.circle = h.circle().id();
  receipt.custodian = reader_id(info);
  const auto good = verify_receipt(h.circle().id(), info, sign_receipt(make_fleet(), receipt));
  EXPECT_TRUE(good.ok());
  EXPECT_FALSE(
      verify_receipt(h.circle().id(), info, sign_receipt(make_fleet("another"), receipt)).ok());
  EXPECT_FALSE(
      verify_receipt(h.circle().id(), h.custodian("other"), sign_receipt(make_fleet(), receipt))
          .ok());
  Bytes bytes = sign_receipt(make_fleet(), receipt);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= 1;
    EXPECT_FALSE(verify_receipt(h.circle().id(), info, bytes).ok()) << i;
    bytes[i] ^= 1;
  }
}

}  // namespace
}  // namespace holdfast::circle
