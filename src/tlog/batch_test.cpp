// Release batches, and a gate that stands where the custodian's will.
#include "tlog/batch.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"
#include "tlog/map_labels.h"
#include "tlog/test_site.h"
#include "tlog/test_tree.h"

namespace holdfast::tlog {
namespace {

using testkit::TestSite;

constexpr std::uint64_t kNow = 1'700'000'000;

Digest sha(std::uint8_t byte) { return crypto::sha256(Bytes{byte}); }
CircleId circle(std::uint8_t number) { return CircleId(sha(number).bytes); }

Release any_release() {
  Release release;
  std::ranges::copy(sha(9).view().first(16), release.vault.bytes.begin());
  release.epoch = 3;
  release.recipient = sha(6);
  release.instrument = sha(7);
  return release;
}

BatchEntry entry_of(std::uint8_t number, std::vector<Release> releases = {}) {
  BatchEntry entry;
  entry.circle = circle(number);
  for (const Release& release : releases) entry.releases.push_back(release);
  return entry;
}

// A batch of three accounts, the first of which something is released of, in a log.
struct Released {
  explicit Released(const TestSite& site, std::uint64_t time = kNow)
      : batch(*Batch::make({}, {entry_of(1, {any_release()}), entry_of(2), entry_of(3)}, 0)) {
    map.apply(batch.positions()).value();
    log = testkit::TestLog(5);
    log.add(batch.leaf());
    proof.batch.leaf = batch.leaf();
    proof.batch.index = 5;
    const auto path = log.tree(6).prove_inclusion(5);
    for (const Digest& hash : *path) proof.batch.inclusion.push_back(hash);
    const std::string note = site.checkpoint(log.head(6), {time, time}).format();
    proof.batch.checkpoint = to_bytes(as_bytes(note));
    proof.position = prove_position(map, circle(1));
  }
  Result<void> ask(const TestSite& site, const Release& wanted, std::uint64_t now = kNow) const {
    return check_gate(site.trusted(), leaf_hash(batch.leaf()), circle(1), wanted,
                      batch.openings()[0], proof, now);
  }

  Batch batch;
  Map map;
  testkit::TestLog log;
  GateProof proof;
};

TEST(Batch, HasAPlaceForEveryAccountAndHidesWhatIsThere) {
  const Released made{TestSite()};
  EXPECT_EQ(made.map.size(), 3U);
  const auto leaf = *wire::decode<ReleaseBatch>(made.batch.leaf());
  EXPECT_EQ(leaf.n, 1U);
  EXPECT_EQ(leaf.accounts, 3U);
  EXPECT_EQ(leaf.root, made.map.root());
  // The same list has another value each time: nobody can guess it.
  const Released again{TestSite()};
  EXPECT_NE(again.map.find(batch_position(circle(2))), made.map.find(batch_position(circle(2))));
}

TEST(Batch, ShowsAnAccountItsPlaceOrThatItHasNone) {
  const Released made{TestSite()};
  for (std::uint8_t n = 1; n <= 4; ++n) {
    const PositionProof proof = prove_position(made.map, circle(n));
    EXPECT_EQ(proof.value.has_value(), n <= 3);
    EXPECT_TRUE(verify_position(made.map.root(), circle(n), proof).ok());
    PositionProof denied = proof;
    denied.value = n <= 3 ? std::nullopt : std::optional(sha(1));
    EXPECT_FALSE(verify_position(made.map.root(), circle(n), denied).ok());
    EXPECT_FALSE(
        verify_position(made.map.root(), circle(static_cast<std::uint8_t>(n + 1)), proof).ok());
    EXPECT_FALSE(verify_position(sha(0), circle(n), proof).ok());
  }
}

TEST(Batch, IsOpenedWithWhatItHasAndNothingElse) {
  const Released made{TestSite()};
  const Digest value = *made.map.find(batch_position(circle(1)));
  const Bytes good = wire::encode(made.batch.openings()[0]);
  const auto entry = verify_opening(value, circle(1), 1, good);
  ASSERT_TRUE(entry.ok());
  ASSERT_EQ(entry->releases.size(), 1U);
  EXPECT_EQ(entry->releases[0], any_release());
  EXPECT_FALSE(verify_opening(value, circle(2), 1, good).ok());
  EXPECT_FALSE(verify_opening(value, circle(1), 2, good).ok());
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(verify_opening(value, circle(1), 1, bad).ok()) << bit;
  }
}

TEST(Batch, FollowsTheOneBefore) {
  const Batch first = *Batch::make({}, {entry_of(1)}, 0);
  const Batch second = *Batch::make(first.leaf(), {entry_of(1)}, 90);
  const auto leaf = *wire::decode<ReleaseBatch>(second.leaf());
  EXPECT_TRUE(check_batch_follows(leaf, 1, leaf_hash(first.leaf())).ok());
  EXPECT_FALSE(check_batch_follows(leaf, 0, std::nullopt).ok());
  EXPECT_FALSE(check_batch_follows(leaf, 2, leaf_hash(first.leaf())).ok());
  EXPECT_FALSE(check_batch_follows(leaf, 1, leaf_hash(second.leaf())).ok());
  auto late = leaf;
  late.open_days = 91;
  EXPECT_FALSE(check_batch_follows(late, 1, leaf_hash(first.leaf())).ok());
}

TEST(Batch, RefusesAnAccountTwiceAndALongSilence) {
  EXPECT_EQ(Batch::make({}, {entry_of(1), entry_of(1)}, 0).error().code, Code::kInvalid);
  EXPECT_EQ(Batch::make({}, {entry_of(1)}, 91).error().code, Code::kInvalid);
}

TEST(Gate, OpensForWhatIsLoggedAtQuorum) {
  const TestSite site;
  EXPECT_TRUE(Released(site).ask(site, any_release()).ok());
}

TEST(Gate, StaysShutForAnythingElse) {
  const TestSite site;
  const Released made(site);
  Release other = any_release();
  other.epoch = 4;
  EXPECT_EQ(made.ask(site, other).error().code, Code::kUnsafe);
  // Another account, another's opening, an opening made later.
  EXPECT_FALSE(check_gate(site.trusted(), leaf_hash(made.batch.leaf()), circle(2), any_release(),
                          made.batch.openings()[0], made.proof, kNow)
                   .ok());
  BatchOpening later = made.batch.openings()[0];
  later.nonce[0] ^= 1;
  EXPECT_FALSE(check_gate(site.trusted(), leaf_hash(made.batch.leaf()), circle(1), any_release(),
                          later, made.proof, kNow)
                   .ok());
  // A batch that somebody else made, however well it is logged.
  EXPECT_FALSE(check_gate(site.trusted(), sha(1), circle(1), any_release(),
                          made.batch.openings()[0], made.proof, kNow)
                   .ok());
  // Not in the tree where it is said to be.
  Released moved(site);
  moved.proof.batch.index = 4;
  EXPECT_EQ(moved.ask(site, any_release()).error().code, Code::kUnsafe);
}

TEST(Gate, StaysShutWithoutTheQuorum) {
  const TestSite site;
  Released made(site);
  const std::string alone = site.checkpoint(made.log.head(6), {kNow}).format();
  made.proof.batch.checkpoint = to_bytes(as_bytes(alone));
  EXPECT_EQ(made.ask(site, any_release()).error().code, Code::kUnsafe);
  const Released old(site, kNow - kMaxCheckpointAge_s - 1);
  EXPECT_EQ(old.ask(site, any_release()).error().code, Code::kUnsafe);
}

// ---- the example of docs/formats/tlog.md, made in Python with hashlib ----

TEST(Example, OfABatchIsWhatThePageSays) {
  BatchEntry mine = entry_of(1, {any_release()});
  BatchEntry other = entry_of(2);
  mine.batch = other.batch = 1;
  BatchOpening opening;
  opening.nonce.fill(8);
  opening.entry = wire::encode(mine);
  BatchOpening empty;
  empty.nonce.fill(9);
  empty.entry = wire::encode(other);
  std::vector<MapEntry> positions = {{batch_position(circle(1)), batch_value(opening)},
                                     {batch_position(circle(2)), batch_value(empty)}};
  std::ranges::sort(positions);
  ReleaseBatch batch;
  batch.n = 1;
  batch.root = *Map().root_after(positions);
  batch.accounts = 2;
  batch.open_days = 30;
  EXPECT_EQ(to_hex(wire::encode(opening)),
            "825820080808080808080808080808080808080808080808080808080808080808080858948477686f"
            "6c64666173742f76312f62617463682d656e74727958204bf5122f344554c53bde2ebb8cd2b7e3d160"
            "0ad631c385a5d7cce23c7785459a018184502b4c342f5433ebe591a1da77e013d1b703582067586e98"
            "fad27da0b9968bc039a1ef34c939b9b8e523a8bef89d478608c5ecf65820ca358758f6d27e6cf45272"
            "937977a748fd88391db679ceda7dc7bf1f005ee879");
  EXPECT_EQ(batch_value(opening).hex(),
            "a91e2fbae80a42cdffd787ca069715ae1d44e1c1c0448155ca623be4f26642dc");
  EXPECT_EQ(leaf_hash(wire::encode(batch)).hex(),
            "d31d509ea4c9943fee0a91252ca793bc30b06e50714c0de1dbfb680954212c2f");
}

}  // namespace
}  // namespace holdfast::tlog
