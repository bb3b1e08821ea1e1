#include "circle/vault_chain.h"

#include <gtest/gtest.h>

#include "support/circle_maker.h"

namespace holdfast::circle {
namespace {

using testkit::CircleMaker;
using testkit::make_device;
using testkit::TestDevice;
using testkit::TestRecovery;
using testkit::vault_id;

struct Household {
  CircleMaker maker;
  TestDevice laptop = maker.first;
  TestDevice desktop = maker.admit_new("desktop");
  VaultId home = maker.add_vault("home");
  TestRecovery paper = maker.enroll("paper");

  Record record(const testkit::Signer& by) const { return maker.record(home, by); }
  Result<LinkedRecord> extend(const Record& record, const testkit::Signer& by) const {
    return maker.extend(home, sign_record(record, *by.key));
  }
};

testing::AssertionResult refused(const Result<LinkedRecord>& result, std::string_view why,
                                 Code code = Code::kUnsafe) {
  if (result.ok()) return testing::AssertionFailure() << "it was accepted";
  if (result.error().code != code || result.error().message.find(why) == std::string::npos)
    return testing::AssertionFailure()
           << code_name(result.error().code) << ": " << result.error().message;
  return testing::AssertionSuccess();
}

// As its signer would have made it when the circle stood at `seq`.
void look_back_to(Record& record, std::uint64_t seq, const Circle& circle) {
  record.circle_seq = seq;
  record.circle_head = circle.head_at(seq);
}

TEST(Record, ExtendsTheChain) {
  Household h;
  const Bytes first = sign_record(h.record(h.laptop), *h.laptop.key);
  const auto linked = h.maker.extend(h.home, first);
  ASSERT_TRUE(linked.ok());
  EXPECT_EQ(linked->tip.n, 1u);
  EXPECT_EQ(linked->tip.head, crypto::sha256("holdfast/v1/record/head", first));
  EXPECT_EQ(linked->tip.circle_seq, h.maker.circle().seq());
  EXPECT_EQ(linked->tip.epoch, 1u);
  h.maker.append_record(h.home, h.laptop);
  h.maker.append_record(h.home, h.desktop);
  EXPECT_EQ(h.maker.tips().at(h.home).n, 2u);
}

TEST(Record, ThatDoesNotFollowTheTipIsAConflict) {
  Household h;
  h.maker.append_record(h.home, h.laptop);
  EXPECT_TRUE(
      refused(h.maker.extend(h.home, h.maker.records(h.home)[0]), "has changed", Code::kConflict));
  Record record = h.record(h.laptop);
  record.n = 3;
  EXPECT_TRUE(refused(h.extend(record, h.laptop), "has changed", Code::kConflict));
  record = h.record(h.laptop);
  record.prev.bytes[0] ^= 1;
  EXPECT_TRUE(refused(h.extend(record, h.laptop), "has changed", Code::kConflict));
}

TEST(Record, OfAnotherVaultOrCircleIsRefused) {
  Household h;
  h.maker.add_vault("photos");
  const Bytes photos = sign_record(h.maker.record(vault_id("photos"), h.laptop), *h.laptop.key);
  EXPECT_TRUE(refused(h.maker.extend(h.home, photos), "another vault"));
  Record record = h.record(h.laptop);
  record.circle.bytes[0] ^= 1;
  EXPECT_TRUE(refused(h.extend(record, h.laptop), "another vault"));
}

TEST(Record, OfAVaultTheCircleDoesNotKnowIsRefused) {
  Household h;
  Record record = h.record(h.laptop);
  record.vault = vault_id("elsewhere");
  EXPECT_TRUE(
      refused(extend(h.maker.circle(), record.vault, {}, sign_record(record, *h.laptop.key)),
              "no such vault", Code::kNotFound));
}

TEST(Record, SignerMustBeMemberAtItsSeq) {
  Household h;
  EXPECT_TRUE(refused(h.extend(h.record(make_device("x")), make_device("x")), "not a member"));
  EXPECT_TRUE(refused(h.extend(h.record(h.paper), h.paper), "not a member"));
  const TestDevice phone = h.maker.admit_new("phone");
  Record record = h.record(phone);
  EXPECT_TRUE(h.extend(record, phone).ok());
  look_back_to(record, record.circle_seq - 1, h.maker.circle());  // before it was admitted
  EXPECT_TRUE(refused(h.extend(record, phone), "not a member"));
}

TEST(Record, OfAnotherHistoryOfTheCircleIsRefused) {
  Household h;
  Record record = h.record(h.laptop);
  record.circle_head = h.maker.circle().head_at(record.circle_seq - 1);
  EXPECT_TRUE(refused(h.extend(record, h.laptop), "another history"));
}

TEST(Record, OfARemovedSignerIsRefused) {
  Household h;
  const Record before = h.record(h.desktop);
  h.maker.append(h.maker.remove({h.desktop.id}), h.laptop);
  EXPECT_TRUE(refused(h.extend(h.record(h.desktop), h.desktop), "not a member"));
  // Nor dated back to when it was one.
  EXPECT_TRUE(refused(h.extend(before, h.desktop), "epoch that had ended"));
}

TEST(Record, OfASignerRemovedLaterStaysGood) {
  Household h;
  h.maker.append_record(h.home, h.desktop);
  h.maker.append(h.maker.remove({h.desktop.id}), h.laptop);
  ASSERT_TRUE(extend(h.maker.circle(), h.home, {}, h.maker.records(h.home)[0]).ok());
}

TEST(Record, SignatureIsByItsSigner) {
  Household h;
  EXPECT_TRUE(refused(h.extend(h.record(h.laptop), h.desktop), "signature is wrong"));
}

TEST(Record, OfEndedEpochIsRefused) {
  Household h;
  h.maker.append_record(h.home, h.laptop);
  const Record late = h.record(h.laptop);
  h.maker.append(h.maker.rotate(), h.laptop);
  EXPECT_TRUE(refused(h.extend(late, h.laptop), "epoch that had ended"));
  Record rebased = late;
  look_back_to(rebased, h.maker.circle().seq(), h.maker.circle());
  EXPECT_TRUE(refused(h.extend(rebased, h.laptop), "epoch was not current"));
  rebased.epoch = 2;
  EXPECT_TRUE(h.extend(rebased, h.laptop).ok());
}

TEST(Record, OfAnEpochNotCurrentAtItsSeqIsRefused) {
  Household h;
  h.maker.append(h.maker.rotate(), h.laptop);
  for (const std::uint32_t epoch : {0u, 1u, 3u}) {
    Record record = h.record(h.laptop);
    record.key_segments.clear();
    record.epoch = epoch;
    EXPECT_TRUE(refused(h.extend(record, h.laptop), "epoch was not current")) << epoch;
  }
}

TEST(Record, OfTheSameEpochMayCrossAnAdmission) {
  Household h;
  const Record prepared = h.record(h.desktop);
  h.maker.admit_new("phone");
  EXPECT_TRUE(h.extend(prepared, h.desktop).ok());
}

TEST(Record, LooksAheadOnlyToWhatWasRead) {
  Household h;
  Record record = h.record(h.laptop);
  ++record.circle_seq;
  EXPECT_TRUE(refused(h.extend(record, h.laptop), "not read yet", Code::kConflict));
}

TEST(Record, CircleSeqNeverDecreases) {
  Household h;
  h.maker.append(SetRegion{"DE"}, h.laptop);
  h.maker.append_record(h.home, h.laptop);
  Record record = h.record(h.desktop);
  look_back_to(record, record.circle_seq - 1, h.maker.circle());
  EXPECT_TRUE(refused(h.extend(record, h.desktop), "looks back"));
}

TEST(Record, IsNotOlderThanItsVault) {
  Household h;
  Record record = h.record(h.laptop);
  look_back_to(record, h.maker.circle().vault(h.home)->since_seq, h.maker.circle());
  EXPECT_TRUE(h.extend(record, h.laptop).ok());
  look_back_to(record, record.circle_seq - 1, h.maker.circle());
  EXPECT_TRUE(refused(h.extend(record, h.laptop), "looks back"));
}

TEST(Record, ThatAStatementNamesCannotBeAnother) {
  Household h;
  const Record twin = h.record(h.desktop);
  h.maker.append_record(h.home, h.laptop);
  h.maker.admit_new("phone");  // names record 1
  EXPECT_TRUE(refused(extend(h.maker.circle(), h.home, {}, sign_record(twin, *h.desktop.key)),
                      "not the one that a statement"));
  EXPECT_TRUE(extend(h.maker.circle(), h.home, {}, h.maker.records(h.home)[0]).ok());
}

// ECDSA gives a new signature each time, and the head covers it.
TEST(Record, SignedAgainIsAnotherRecord) {
  Household h;
  const Record record = h.record(h.laptop);
  h.maker.append_record(h.home, h.laptop);
  h.maker.append(h.maker.rotate(), h.laptop);
  EXPECT_TRUE(refused(extend(h.maker.circle(), h.home, {}, sign_record(record, *h.laptop.key)),
                      "not the one that a statement"));
}

TEST(Record, ReservedKindsAndFieldsSayUpdateRequired) {
  Household h;
  for (const RecordKind kind : {RecordKind::kForget, RecordKind::kRekey, RecordKind::kPrune,
                                RecordKind::kUndo, RecordKind{0}, RecordKind{6}, RecordKind{255}}) {
    Record record = h.record(h.laptop);
    record.kind = kind;
    EXPECT_TRUE(refused(h.extend(record, h.laptop), "update required", Code::kOutdated))
        << static_cast<int>(kind);
  }
  Record record = h.record(h.laptop);
  record.forgets.push_back(1);
  EXPECT_TRUE(refused(h.extend(record, h.laptop), "update required", Code::kOutdated));
  record = h.record(h.laptop);
  record.dropped.emplace_back();
  EXPECT_TRUE(refused(h.extend(record, h.laptop), "update required", Code::kOutdated));
  record = h.record(h.laptop);
  record.kept.emplace_back();
  EXPECT_TRUE(refused(h.extend(record, h.laptop), "update required", Code::kOutdated));
  record = h.record(h.laptop);
  record.suite = 2;
  EXPECT_TRUE(refused(h.extend(record, h.laptop), "update required", Code::kOutdated));
}

TEST(Record, SnapshotNamesItsRoot) {
  Household h;
  Record record = h.record(h.laptop);
  record.snapshot.reset();
  EXPECT_TRUE(refused(h.extend(record, h.laptop), "without its root"));
}

TEST(Record, KeySegmentsAreOfEpochsThatWere) {
  Household h;
  h.maker.append(h.maker.rotate(), h.laptop);
  Record record = h.record(h.laptop);
  record.key_segments[0].epoch = 1;
  EXPECT_TRUE(h.extend(record, h.laptop).ok());
  for (const std::uint32_t epoch : {0u, 3u}) {
    record.key_segments[0].epoch = epoch;
    EXPECT_TRUE(refused(h.extend(record, h.laptop), "epoch to come")) << epoch;
  }
}

TEST(Record, SizeIsLimited) {
  Household h;
  EXPECT_TRUE(refused(h.maker.extend(h.home, Bytes(kMaxRecord + 1)), "too large", Code::kCorrupt));
}

TEST(Record, SigningLabelIsNotAStatements) {
  Household h;
  SignedRecord out;
  out.record = wire::encode(h.record(h.laptop));
  out.signature = h.laptop.key->sign("holdfast/v1/statement/sig", out.record);
  EXPECT_TRUE(refused(h.maker.extend(h.home, wire::encode(out)), "signature is wrong"));
}

}  // namespace
}  // namespace holdfast::circle
