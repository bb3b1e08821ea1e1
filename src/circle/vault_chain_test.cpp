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

TEST(Record, ReservedKindsAndSuitesSayUpdateRequired) {
  Household h;
  for (const RecordKind kind : {RecordKind{0}, RecordKind{6}, RecordKind{255}}) {
    Record record = h.record(h.laptop);
    record.kind = kind;
    EXPECT_TRUE(refused(h.extend(record, h.laptop), "update required", Code::kOutdated))
        << static_cast<int>(kind);
  }
  Record record = h.record(h.laptop);
  record.suite = 2;
  EXPECT_TRUE(refused(h.extend(record, h.laptop), "update required", Code::kOutdated));
}

PackId pack(std::uint8_t first) {
  PackId id;
  id.bytes[0] = first;
  return id;
}

// After three snapshots, as the fourth record.
struct Kinds : Household {
  Kinds() {
    for (int i = 0; i < 3; ++i) maker.append_record(home, laptop);
  }
  Record of(RecordKind kind) const {
    Record out = record(desktop);
    out.kind = kind;
    out.snapshot.reset();
    return out;
  }
  Record forget(std::vector<std::uint64_t> records) const {
    Record out = of(RecordKind::kForget);
    out.forgets = std::move(records);
    return out;
  }
  Record prune(std::vector<PackId> packs) const {
    Record out = of(RecordKind::kPrune);
    out.dropped = std::move(packs);
    return out;
  }
  Record rekey(std::vector<PackId> packs) const {
    Record out = prune(std::move(packs));
    out.kind = RecordKind::kRekey;
    return out;
  }
  Record undo(std::vector<std::uint64_t> records, std::vector<PackId> packs) const {
    Record out = of(RecordKind::kUndo);
    out.forgets = std::move(records);
    out.kept = std::move(packs);
    return out;
  }
  Result<LinkedRecord> judge(const Record& record) const { return extend(record, desktop); }
};

TEST(RecordKinds, EachSaysWhatItDoes) {
  const Kinds k;
  const auto forget = k.judge(k.forget({1, 3}));
  ASSERT_TRUE(forget.ok()) << forget.error().message;
  EXPECT_EQ(std::get<Forgotten>(forget->act).records, (std::vector<std::uint64_t>{1, 3}));
  const auto prune = k.judge(k.prune({pack(1), pack(2)}));
  ASSERT_TRUE(prune.ok()) << prune.error().message;
  EXPECT_EQ(std::get<Dropped>(prune->act).packs, (std::vector{pack(1), pack(2)}));
  EXPECT_EQ(prune->key_segments.size(), 1u);
  EXPECT_EQ(prune->index_segments.size(), 1u);
  EXPECT_EQ(prune->signer, k.desktop.id);
  const auto undo = k.judge(k.undo({2}, {pack(1)}));
  ASSERT_TRUE(undo.ok()) << undo.error().message;
  EXPECT_EQ(std::get<Undone>(undo->act).records, (std::vector<std::uint64_t>{2}));
  EXPECT_EQ(std::get<Undone>(undo->act).packs, (std::vector{pack(1)}));
  // It brings back lists of segments, too, which may be all that there is to do.
  EXPECT_TRUE(k.judge(k.undo({}, {})).ok());
  const auto rekey = k.judge(k.rekey({pack(1), pack(2)}));
  ASSERT_TRUE(rekey.ok()) << rekey.error().message;
  EXPECT_EQ(std::get<Rekeyed>(rekey->act).packs, (std::vector{pack(1), pack(2)}));
  EXPECT_TRUE(k.judge(k.rekey({})).ok()) << "tables alone may be written anew";
  const auto taken = k.judge(k.record(k.desktop));
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(std::get<Taken>(taken->act).root, *k.record(k.desktop).snapshot);
}

TEST(RecordKinds, AnEmptyForgetOrPruneIsRefused) {
  const Kinds k;
  EXPECT_TRUE(refused(k.judge(k.forget({})), "names none"));
  EXPECT_TRUE(refused(k.judge(k.prune({})), "names none"));
}

TEST(RecordKinds, OnlyRecordsBeforeItAreNamed) {
  const Kinds k;
  for (const std::vector<std::uint64_t>& records :
       std::vector<std::vector<std::uint64_t>>{{0}, {0, 1}, {4}, {1, 5}, {UINT64_MAX}}) {
    EXPECT_TRUE(refused(k.judge(k.forget(records)), "not before it")) << records.back();
    EXPECT_TRUE(refused(k.judge(k.undo(records, {})), "not before it")) << records.back();
  }
}

TEST(RecordKinds, ListsAscendWithoutDuplicates) {
  const Kinds k;
  EXPECT_TRUE(refused(k.judge(k.forget({2, 1})), "sorted"));
  EXPECT_TRUE(refused(k.judge(k.forget({1, 1})), "sorted"));
  EXPECT_TRUE(refused(k.judge(k.prune({pack(2), pack(1)})), "sorted"));
  EXPECT_TRUE(refused(k.judge(k.prune({pack(1), pack(1)})), "sorted"));
  EXPECT_TRUE(refused(k.judge(k.rekey({pack(2), pack(1)})), "sorted"));
  EXPECT_TRUE(refused(k.judge(k.rekey({pack(1), pack(1)})), "sorted"));
  EXPECT_TRUE(refused(k.judge(k.undo({2, 2}, {})), "sorted"));
  EXPECT_TRUE(refused(k.judge(k.undo({}, {pack(1), pack(1)})), "sorted"));
  EXPECT_TRUE(refused(k.judge(k.undo({}, {pack(2), pack(1)})), "sorted"));
}

// Each kind with each list of another.
TEST(RecordKinds, HaveNoFieldsOfOneAnother) {
  const Kinds k;
  for (const Record& good : {k.record(k.desktop), k.forget({1}), k.prune({pack(1)}),
                             k.rekey({pack(1)}), k.undo({1}, {pack(1)})}) {
    ASSERT_TRUE(k.judge(good).ok());
    Record bad = good;
    if (good.kind != RecordKind::kSnapshot) {
      bad.snapshot = pack(9);
      EXPECT_TRUE(refused(k.judge(bad), "no snapshot and has a root"));
      bad = good;
    }
    if (good.forgets.empty()) {
      bad.forgets = {1};
      EXPECT_TRUE(refused(k.judge(bad), "of another kind"));
      bad = good;
    }
    if (good.dropped.empty()) {
      bad.dropped = {pack(1)};
      EXPECT_TRUE(refused(k.judge(bad), "of another kind"));
      bad = good;
    }
    if (good.kept.empty()) {
      bad.kept = {pack(1)};
      EXPECT_TRUE(refused(k.judge(bad), "of another kind"));
    }
  }
}

TEST(RecordKinds, WhatDropsKeepsTheSegmentsThatItNames) {
  const Kinds k;
  for (Record record : {k.prune({pack(1)}), k.rekey({pack(1)})}) {
    record.dropped = {record.key_segments[0].object};
    EXPECT_TRUE(refused(k.judge(record), "key segment that it names"));
    record.dropped = {record.index_segments[0]};
    EXPECT_TRUE(refused(k.judge(record), "index that it names"));
    record.key_segments.clear();
    record.index_segments.clear();
    EXPECT_TRUE(k.judge(record).ok());
  }
}

TEST(RecordKinds, KeySegmentsAreOfEpochsThatWereInEach) {
  const Kinds k;
  for (Record record : {k.forget({1}), k.prune({pack(1)}), k.rekey({}), k.undo({1}, {})}) {
    record.key_segments[0].epoch = 2;
    EXPECT_TRUE(refused(k.judge(record), "epoch to come"));
  }
}

TEST(RecordKinds, AnEarlierRecordOfARemovedDeviceIsRefused) {
  Kinds k;
  const Record forget = k.forget({1});
  const Record prune = k.prune({pack(1)});
  const Record rekey = k.rekey({pack(1)});
  const Record undo = k.undo({1}, {});
  k.maker.append(k.maker.remove({k.desktop.id}), k.laptop);
  for (const Record& record : {forget, prune, rekey, undo})
    EXPECT_TRUE(refused(k.judge(record), "epoch that had ended"));
}

// The records of one vault, as they come.
VaultState state_of(const std::vector<Act>& acts) {
  VaultState state;
  LinkedRecord record;
  for (const Act& act : acts) {
    ++record.tip.n;
    record.act = act;
    state.add(record);
  }
  return state;
}

TEST(VaultState, LaterRecordsHaveTheLastWord) {
  const VaultState state = state_of({Taken{}, Taken{}, Forgotten{{1, 2}}, Undone{{1}, {}},
                                     Dropped{{pack(1), pack(2)}}, Undone{{}, {pack(1)}}});
  EXPECT_EQ(state.forgotten, (std::map<std::uint64_t, std::uint64_t>{{2, 3}}));
  EXPECT_EQ(state.dropped, (std::map<PackId, std::uint64_t>{{pack(2), 5}}));
}

// As the store counts the days: from the first time, until somebody keeps it.
TEST(VaultState, APackIsDroppedSinceTheFirstTime) {
  const std::vector<Act> twice{Dropped{{pack(1)}}, Dropped{{pack(1), pack(2)}}};
  EXPECT_EQ(state_of(twice).dropped, (std::map<PackId, std::uint64_t>{{pack(1), 1}, {pack(2), 2}}));
  std::vector<Act> again = twice;
  again.insert(again.begin() + 1, Undone{{}, {pack(1)}});
  EXPECT_EQ(state_of(again).dropped, (std::map<PackId, std::uint64_t>{{pack(1), 3}, {pack(2), 3}}));
}

TEST(VaultState, ARekeyDropsWhatItReplaced) {
  const VaultState state =
      state_of({Taken{}, Rekeyed{{pack(1), pack(2)}}, Undone{{}, {pack(1)}}, Rekeyed{{pack(2)}}});
  EXPECT_EQ(state.dropped, (std::map<PackId, std::uint64_t>{{pack(2), 2}}));
}

TEST(VaultState, UndoingWhatNobodyDidChangesNothing) {
  const VaultState state = state_of({Taken{}, Undone{{1}, {pack(1)}}, Forgotten{{2}}});
  EXPECT_EQ(state.forgotten, (std::map<std::uint64_t, std::uint64_t>{{2, 3}}));
  EXPECT_TRUE(state.dropped.empty());
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
