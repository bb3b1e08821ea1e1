#include "tlog/age.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tlog/map.h"
#include "tlog/map_labels.h"
#include "tlog/test_site.h"
#include "tlog/test_tree.h"

namespace holdfast::tlog {
namespace {

using testkit::TestLog;
using testkit::TestSite;

constexpr std::uint64_t kStart = 1'700'000'000;
constexpr std::uint64_t kThreeDays = 72 * 60 * 60;

MapEntry any_entry(std::string_view name) {
  const Digest hash = crypto::sha256(as_bytes(name));
  return {MapLabel(hash.bytes), crypto::sha256(hash.view())};
}

// A log whose map got `entry` in its second generation, and grew since.
struct Scene {
  explicit Scene(TestSite which = TestSite()) : site(std::move(which)) {
    publish({any_entry("another account")});
    publish({entry});
    start_size = log.entries.size();
    publish({any_entry("a third")});
    log.add(testkit::any_entry(9));
  }

  void publish(const std::vector<MapEntry>& entries) {
    MapEpoch epoch;
    epoch.n = ++n;
    epoch.root = *map.apply(entries);
    epoch.entries = map.size();
    newest = wire::encode(epoch);
    if (entries.front() == entry) {
      evidence.epoch = newest;
      evidence.index = log.entries.size();
      evidence.proof = map.prove(entry.label);
    }
    log.add(newest);
  }
  Bytes note(std::uint64_t size, const std::vector<std::uint64_t>& times) const {
    return to_bytes(as_bytes(site.checkpoint(log.head(size), times).format()));
  }
  Proof included(std::uint64_t size) const {
    return *log.tree(size).prove_inclusion(evidence.index);
  }
  // From checkpoints that witnesses signed at these times.
  AgeEvidence proof(const std::vector<std::uint64_t>& start,
                    const std::vector<std::uint64_t>& end) const {
    AgeEvidence out = evidence;
    out.start = note(start_size, start);
    out.end = note(log.entries.size(), end);
    out.in_start = included(start_size);
    out.in_end = included(log.entries.size());
    return out;
  }
  AgeEvidence good(std::uint64_t seconds = kThreeDays) const {
    return proof({kStart, kStart}, {kStart + seconds, kStart + seconds});
  }
  Result<void> judge(const AgeEvidence& what, std::uint64_t age_s = kThreeDays) const {
    return check_age(site.trusted(), entry, wire::encode(what), age_s);
  }
  std::uint64_t proven(const AgeEvidence& what) const {
    const auto age = verify_age(site.trusted(), entry, wire::encode(what));
    return age.ok() ? age->age_s() : 0;
  }

  TestSite site;
  const MapEntry entry = any_entry("a statement");
  TestLog log;
  Map map;
  Bytes newest;
  std::uint64_t n = 0;
  std::uint64_t start_size = 0;
  AgeEvidence evidence;
};

testing::AssertionResult refused(const Result<void>& judged, std::string_view why) {
  if (judged.ok()) return testing::AssertionFailure() << "it was accepted";
  if (judged.error().code != Code::kUnsafe || judged.error().message.find(why) == std::string::npos)
    return testing::AssertionFailure() << judged.error().message;
  return testing::AssertionSuccess();
}

TEST(Age, IsProvenToTheSecond) {
  const Scene scene;
  EXPECT_TRUE(scene.judge(scene.good()).ok());
  EXPECT_TRUE(refused(scene.judge(scene.good(kThreeDays - 1)), "71 h 59 min"));
}

// docs/decisions/0010-proven-time.md: of two of three that must sign, one may lie.
TEST(Age, IsTheShortestThatTheWitnessesTimesAllow) {
  const Scene scene;
  EXPECT_EQ(scene.proven(scene.proof({100, 160}, {500, 900})), 340u);
  EXPECT_EQ(scene.proven(scene.proof({160, 100}, {900, 500})), 340u);
  // The one who lies, either way, gains nothing.
  EXPECT_EQ(scene.proven(scene.proof({1, 160, 160}, {500, 500, 99'999})), 340u);
  EXPECT_EQ(scene.proven(scene.proof({500, 500}, {400, 400})), 0u);
}

TEST(Age, NeedsTheQuorumAtBothEnds) {
  const Scene scene;
  const std::uint64_t end = kStart + kThreeDays;
  EXPECT_TRUE(refused(scene.judge(scene.proof({kStart}, {end, end})), "at its start"));
  EXPECT_TRUE(refused(scene.judge(scene.proof({kStart, kStart}, {end})), "at its end"));
}

TEST(Age, IsNotProvenWhereNobodyWitnesses) {
  const Scene scene{TestSite(0, 0)};
  EXPECT_TRUE(refused(scene.judge(scene.proof({}, {})), "nobody outside witnesses"));
}

TEST(Age, OfAnotherEntryProvesNothing) {
  const Scene scene;
  const Bytes good = wire::encode(scene.good());
  const auto of = [&](const MapEntry& entry) {
    return check_age(scene.site.trusted(), entry, good, kThreeDays);
  };
  EXPECT_TRUE(of(scene.entry).ok());
  MapEntry other = scene.entry;
  other.value = crypto::sha256(as_bytes("another head"));
  EXPECT_TRUE(refused(of(other), "not proven"));
  other = scene.entry;
  other.label = any_entry("another account's").label;
  EXPECT_TRUE(refused(of(other), "not proven"));
}

// Another log with the same witnesses, which cosign whatever grows.
TEST(Age, OfAnotherLogProvesNothing) {
  const Scene scene;
  for (const auto& [name, why] :
       {std::pair{"log.example/2", "of another log"}, {"log.example/1", "not signed by the log"}}) {
    TestSite other;
    other.log = LogSigner(name, testkit::seed(2));
    other.roots.log = testkit::holder(other.log.key());
    EXPECT_TRUE(refused(scene.judge(Scene(std::move(other)).good()), why));
  }
}

TEST(Age, BothCheckpointsMustHaveTheGeneration) {
  Scene scene;
  AgeEvidence early = scene.good();
  early.start = scene.note(1, {kStart, kStart});  // before the entry came
  early.in_start = {};
  EXPECT_TRUE(refused(scene.judge(early), "at its start"));
  AgeEvidence later = scene.good();
  later.index = 0;  // the generation before it
  EXPECT_TRUE(refused(scene.judge(later), "at its start"));
  AgeEvidence swapped = scene.proof({kStart + kThreeDays, kStart + kThreeDays}, {kStart, kStart});
  std::swap(swapped.start, swapped.end);
  std::swap(swapped.in_start, swapped.in_end);
  EXPECT_TRUE(refused(scene.judge(swapped), "older than its start"));
}

// An entry that is no generation of the map, though it has a root in the right place.
TEST(Age, AGenerationIsNothingElse) {
  Scene scene;
  AgeEvidence evidence = scene.good();
  ReleaseBatch batch;
  batch.n = 1;
  batch.root = scene.map.root();
  evidence.epoch = wire::encode(batch);
  evidence.index = scene.log.entries.size();
  evidence.proof = scene.map.prove(scene.entry.label);
  scene.log.add(evidence.epoch);
  const std::uint64_t size = scene.log.entries.size();
  scene.evidence.index = evidence.index;
  evidence.start = scene.note(size, {kStart, kStart});
  evidence.end = scene.note(size, {kStart + kThreeDays, kStart + kThreeDays});
  evidence.in_start = scene.included(size);
  evidence.in_end = scene.included(size);
  EXPECT_TRUE(refused(scene.judge(evidence), "not proven"));
}

// What flips is refused, or was no part of the proof (a name nobody looks for) and proves the same.
TEST(Age, EveryBitCounts) {
  const Scene scene;
  const Bytes good = wire::encode(scene.good());
  for (std::size_t bit = 0; bit < good.size() * 8; bit += 7) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    const auto age = verify_age(scene.site.trusted(), scene.entry, bad);
    if (age.ok())
      ADD_FAILURE() << "bit " << bit << " makes it " << age->age_s();
    else
      EXPECT_EQ(age.error().code, Code::kUnsafe) << age.error().message;
  }
  for (std::size_t n = 0; n < good.size(); ++n)
    EXPECT_FALSE(verify_age(scene.site.trusted(), scene.entry, BytesView(good).first(n)).ok()) << n;
}

TEST(Age, ALargeEvidenceIsNotRead) {
  const Scene scene;
  AgeEvidence large = scene.good();
  large.start.resize(kMaxAgeEvidence);
  EXPECT_TRUE(refused(scene.judge(large), "too large"));
}

// The larger a site can be by its trust roots, the more a proof takes.
TEST(Age, OfTheLargestSiteFits) {
  TestSite site(0, 0);
  for (std::size_t i = 0; i < kMaxWitnesses; ++i) {
    std::string name = "w" + std::to_string(i);
    name.resize(kMaxKeyName, 'x');
    site.witnesses.emplace_back(name, testkit::seed(static_cast<std::uint8_t>(100 + i)));
    site.roots.witnesses.push_back(testkit::holder(site.witnesses.back().key()));
  }
  site.roots.quorum = kMaxWitnesses;
  const Scene scene{std::move(site)};
  const std::vector<std::uint64_t> start(kMaxWitnesses, kStart);
  const std::vector<std::uint64_t> end(kMaxWitnesses, kStart + kThreeDays);
  AgeEvidence evidence = scene.proof(start, end);
  EXPECT_TRUE(scene.judge(evidence).ok());
  evidence.in_start = Proof(kMaxProof);
  evidence.in_end = Proof(kMaxProof);
  evidence.proof.siblings = std::vector<Digest>(64);
  EXPECT_LE(wire::encode(evidence).size(), kMaxAgeEvidence);
}

}  // namespace
}  // namespace holdfast::tlog
