// Evidence against a log that kept its word must prove nothing.
#include "vault/log_audit.h"

#include <gtest/gtest.h>

#include "circle/vault_chain.h"
#include "tlog/frontier.h"
#include "tlog/map.h"
#include "tlog/promise.h"

namespace holdfast::vault {
namespace {

constexpr std::uint64_t kNow = 1'700'000'000;

struct Log {
  using Seed = crypto::Key<crypto::Ed25519Purpose>;
  tlog::LogSigner signer{"log.example", Seed::random()};
  tlog::Cosigner witness{"w1", Seed::random()};

  tlog::LogRoots roots() const {
    tlog::LogRoots out;
    out.log = {signer.key().name, signer.key().key.bytes};
    out.witnesses.push_back({witness.key().name, witness.key().key.bytes});
    out.quorum = 1;
    return out;
  }
  Bytes checkpoint(const std::vector<Bytes>& entries, std::uint64_t time_s) const {
    tlog::Frontier tree;
    for (const Bytes& entry : entries) tree.append(tlog::leaf_hash(entry));
    tlog::Note note;
    note.text = tlog::CheckpointText{signer.key().name, tree.head(), {}}.format();
    note.signatures = {signer.sign(note.text), witness.cosign(note.text, time_s)};
    return to_bytes(as_bytes(note.format()));
  }
  Bytes promise(std::uint64_t include_by_s) const {
    tlog::Promise said;
    said.include_by_s = include_by_s;
    return tlog::sign_promise(signer, said);
  }
};

// A map of one entry, and the log's entry for it.
struct Generation {
  tlog::Map map;
  Bytes entry;
  explicit Generation(std::uint64_t n, const tlog::MapLabel& label) {
    HF_CHECK(map.apply(std::vector<tlog::MapEntry>{{label, Digest()}}).ok());
    tlog::MapEpoch epoch;
    epoch.n = n;
    epoch.root = map.root();
    epoch.entries = map.size();
    entry = wire::encode(epoch);
  }
};

tlog::MapLabel label(std::uint8_t fill) {
  tlog::MapLabel out;
  out.bytes.fill(fill);
  return out;
}

Evidence missed(const Log& log, const Generation& map, std::uint64_t seen_s) {
  Evidence out;
  out.kind = EvidenceKind::kMissedPromise;
  out.roots = log.roots();
  out.first = log.promise(kNow);
  out.second = log.checkpoint({map.entry}, seen_s);
  out.epoch = map.entry;
  out.map_label = label(2);
  out.absence = map.map.prove(label(2));
  return out;
}

TEST(Evidence, OfAMissedPromise) {
  const Log log;
  const Generation map(1, label(1));
  const auto proven = verify_evidence(missed(log, map, kNow + 1));
  ASSERT_TRUE(proven.ok()) << proven.error().message;
  // Whose log it is, what was looked at, and what the file cannot show.
  for (const std::string& words : {log.signer.key().format(), std::string("generation 1 "),
                                   std::string("lookup key"), std::string("is the newest")})
    EXPECT_NE(proven->find(words), std::string::npos) << *proven;
}

TEST(Evidence, BeforeThePromiseIsDueProvesNothing) {
  const Log log;
  const Generation map(1, label(1));
  EXPECT_FALSE(verify_evidence(missed(log, map, kNow - 1)).ok());
}

TEST(Evidence, OfWhatIsInTheMapProvesNothing) {
  const Log log;
  const Generation map(1, label(2));
  EXPECT_FALSE(verify_evidence(missed(log, map, kNow + 1)).ok());
}

// From an empty map everything is absent: it would frame any log.
TEST(Evidence, WithoutAGenerationOfTheMapProvesNothing) {
  const Log log;
  const Generation map(1, label(2));
  Evidence framed = missed(log, map, kNow + 1);
  framed.epoch.clear();
  framed.absence = tlog::Map().prove(label(2));
  EXPECT_FALSE(verify_evidence(framed).ok());
}

TEST(Evidence, OfAnotherLogsKeyProvesNothing) {
  const Log log;
  const Generation map(1, label(1));
  Evidence mixed = missed(log, map, kNow + 1);
  mixed.roots = Log().roots();
  EXPECT_FALSE(verify_evidence(mixed).ok());
}

// ---- a generation that is the newest ----

TEST(Evidence, ShowsThatTheGenerationIsTheNewest) {
  const Log log;
  const Generation map(1, label(1));
  const Bytes receipt = wire::encode(tlog::DeletionReceipt());
  Evidence evidence = missed(log, map, kNow + 1);
  EXPECT_NE(verify_evidence(evidence)->find("is the newest in the tree"), std::string::npos);
  evidence.second = log.checkpoint({map.entry, receipt, receipt}, kNow + 1);
  const Digest one = tlog::leaf_hash(receipt);
  evidence.inclusion.push_back(one);
  evidence.inclusion.push_back(one);
  EXPECT_NE(verify_evidence(evidence)->find("no later generation"), std::string::npos);
  evidence.later.push_back(receipt);
  EXPECT_NE(verify_evidence(evidence)->find("no later generation"), std::string::npos);
  evidence.later.push_back(receipt);
  EXPECT_NE(verify_evidence(evidence)->find("is the newest in the tree"), std::string::npos);
}

TEST(Evidence, OfAnOlderGenerationIsNotOfTheNewest) {
  const Log log;
  const Generation map(1, label(1));
  const Generation next(2, label(2));
  Evidence evidence = missed(log, map, kNow + 1);
  evidence.second = log.checkpoint({map.entry, next.entry}, kNow + 1);
  evidence.inclusion.push_back(tlog::leaf_hash(next.entry));
  evidence.later.push_back(next.entry);
  EXPECT_NE(verify_evidence(evidence)->find("no later generation"), std::string::npos);
}

// ---- records ----

VaultId any_vault() {
  VaultId out;
  out.bytes.fill(8);
  return out;
}

// The map has `stands` of the vault's records; the ninth was promised.
Evidence missed_record(const Log& log, std::uint64_t stands) {
  tlog::RecordPromise promise;
  promise.vault = any_vault();
  promise.n = 9;
  promise.include_by_s = kNow;
  Evidence out;
  out.kind = EvidenceKind::kMissedRecord;
  out.roots = log.roots();
  out.first = tlog::sign_promise(log.signer, promise);
  ShownHeads shown;
  shown.map_label = label(1);
  shown.heads.push_back({any_vault(), stands, {}});
  tlog::Map map;
  const auto value = circle::heads_hash({{any_vault(), stands, {}}});
  HF_CHECK(map.apply(std::vector<tlog::MapEntry>{{label(1), value}}).ok());
  tlog::MapEpoch epoch;
  epoch.n = 1;
  epoch.root = map.root();
  epoch.entries = 1;
  out.epoch = wire::encode(epoch);
  out.second = log.checkpoint({out.epoch}, kNow + 1);
  shown.presence = map.prove(label(1));
  out.shown = shown;
  out.map_label = label(2);
  out.absence = map.prove(label(2));
  return out;
}

TEST(Evidence, OfAMissedRecord) {
  const Log log;
  const auto proven = verify_evidence(missed_record(log, 8));
  ASSERT_TRUE(proven.ok()) << proven.error().message;
  for (const std::string& words : {log.signer.key().format(), std::string("record 9 of vault"),
                                   std::string("are from before that record"),
                                   std::string("lookup key"), std::string("is the newest")})
    EXPECT_NE(proven->find(words), std::string::npos) << *proven;
}

TEST(Evidence, OfARecordThatTheMapHasProvesNothing) {
  const Log log;
  EXPECT_FALSE(verify_evidence(missed_record(log, 9)).ok());
  EXPECT_FALSE(verify_evidence(missed_record(log, 10)).ok());
}

TEST(Evidence, OfARecordWithOtherHeadsThanTheMapHasProvesNothing) {
  const Log log;
  Evidence framed = missed_record(log, 9);
  framed.shown->heads[0].n = 8;
  EXPECT_FALSE(verify_evidence(framed).ok());
}

TEST(Evidence, OfARecordBeforeItIsDueProvesNothing) {
  const Log log;
  Evidence early = missed_record(log, 8);
  early.second = log.checkpoint({early.epoch}, kNow);
  EXPECT_FALSE(verify_evidence(early).ok());
}

TEST(Evidence, OfAVaultWhoseSeriesHasNotBegun) {
  const Log log;
  Evidence evidence = missed_record(log, 8);
  evidence.shown.reset();
  const auto proven = verify_evidence(evidence);
  ASSERT_TRUE(proven.ok()) << proven.error().message;
  EXPECT_NE(proven->find("not there yet"), std::string::npos) << *proven;
}

}  // namespace
}  // namespace holdfast::vault
