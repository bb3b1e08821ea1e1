#include "tlog/leaves.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/hash.h"
#include "tlog/map.h"
#include "tlog/promise.h"
#include "tlog/test_site.h"

namespace holdfast::tlog {
namespace {

using testkit::TestSite;

TEST(Leaf, IsReadAsWhatItsLabelSays) {
  const auto reads_as = [](const auto& leaf) {
    const auto decoded = decode_leaf(wire::encode(leaf));
    return decoded.ok() && std::holds_alternative<std::decay_t<decltype(leaf)>>(*decoded);
  };
  EXPECT_TRUE(reads_as(MapEpoch{}));
  EXPECT_TRUE(reads_as(PolicyLeaf{}));
  EXPECT_TRUE(reads_as(CustodyKey{}));
  EXPECT_TRUE(reads_as(DeletionReceipt{}));
  EXPECT_TRUE(reads_as(SoftwareRelease{}));
  EXPECT_TRUE(reads_as(LawfulHead{}));
  EXPECT_TRUE(reads_as(LawfulReport{}));
  EXPECT_TRUE(reads_as(TrustChange{}));
  EXPECT_TRUE(reads_as(ReleaseBatch{}));
}

TEST(Leaf, OfAnUnknownTypeIsNeverSkipped) {
  const Bytes unknown = wire::encode_array("holdfast/v1/leaf/new", std::uint64_t{1});
  EXPECT_EQ(decode_leaf(unknown).error().code, Code::kOutdated);
  EXPECT_EQ(decode_leaf(wire::encode(MapDelta{})).error().code, Code::kOutdated);
  EXPECT_EQ(decode_leaf({}).error().code, Code::kCorrupt);
  EXPECT_EQ(decode_leaf(Bytes(70'000)).error().code, Code::kCorrupt);
  Bytes trailing = wire::encode(MapEpoch{});
  trailing.push_back(0);
  EXPECT_EQ(decode_leaf(trailing).error().code, Code::kCorrupt);
}

TEST(Promise, VerifiesWhenTheLogSignedIt) {
  const TestSite site;
  Promise promise;
  promise.seq = 7;
  promise.include_by_s = 1'700'000'600;
  const Bytes good = sign_promise(site.log, promise);
  const auto verified = verify_promise(site.trusted(), good);
  ASSERT_TRUE(verified.ok());
  EXPECT_EQ(verified->seq, 7U);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(verify_promise(site.trusted(), bad).ok()) << bit;
  }
  const LogSigner other("log.example/1", testkit::seed(2));
  EXPECT_EQ(verify_promise(site.trusted(), sign_promise(other, promise)).error().code,
            Code::kUnsafe);
}

TEST(Promise, OfARecordVerifiesWhenTheLogSignedIt) {
  const TestSite site;
  RecordPromise promise;
  promise.n = 7;
  promise.include_by_s = 1'700'000'600;
  const Bytes good = sign_promise(site.log, promise);
  const auto verified = verify_record_promise(site.trusted(), good);
  ASSERT_TRUE(verified.ok());
  EXPECT_EQ(verified->n, 7U);
  // Neither stands for the other.
  EXPECT_EQ(verify_promise(site.trusted(), good).error().code, Code::kUnsafe);
  EXPECT_EQ(verify_record_promise(site.trusted(), sign_promise(site.log, Promise())).error().code,
            Code::kUnsafe);
}

// Evidence needs an honest witness who saw the checkpoint after the promise was due.
TEST(Promise, IsMissedOnlyByWhatAWitnessSawLater) {
  Promise promise;
  promise.include_by_s = 1000;
  EXPECT_FALSE(is_due(promise.include_by_s, {1000, 2000}));
  EXPECT_TRUE(is_due(promise.include_by_s, {1001, 2000}));
}

// ---- the examples of docs/formats/tlog.md; hashes and signature checked in Python, with hashlib
// ----

Digest sha(std::uint8_t byte) { return crypto::sha256(Bytes{byte}); }

MapDelta example_delta() {
  MapDelta delta;
  delta.n = 1;
  delta.entries = {{MapLabel(sha(2).bytes), sha(3)}, {MapLabel(sha(4).bytes), sha(5)}};
  std::ranges::sort(delta.entries);
  return delta;
}

MapEpoch example_epoch() {
  MapEpoch epoch;
  epoch.n = 1;
  epoch.root = *Map().apply(example_delta().entries);
  epoch.entries = 2;
  epoch.delta = crypto::sha256(wire::encode(example_delta()));
  return epoch;
}

TEST(Example, OfAnEpochIsWhatThePageSays) {
  const Bytes leaf = wire::encode(example_epoch());
  EXPECT_EQ(example_epoch().root.hex(),
            "da8d2ec479e5312ba0053c7aa22cad863e17d84dc5000431506720f94de6da5e");
  EXPECT_EQ(leaf_hash(leaf).hex(),
            "4b9165dc4dbc544b942e3512f74edef8475887cca4c7a8ba0bdccf08a724556d");
  EXPECT_EQ(
      to_hex(leaf),
      "87781a686f6c64666173742f76312f6c6561662f6d61702d65706f636801f65820da8d2ec479e5312ba0053c"
      "7aa22cad863e17d84dc5000431506720f94de6da5e0258205e06dc8d4e1faae743bfe34960a50daad572d354"
      "11e9ba886978ac9095125ed300");
}

TEST(Example, OfACheckpointIsWhatThePageSays) {
  const TestSite site;
  const TreeHead head{1, leaf_hash(wire::encode(example_epoch()))};
  EXPECT_EQ(site.checkpoint(head, {1'700'000'000, 1'700'000'001}).format(),
            "log.example/1\n"
            "1\n"
            "S5Fl3E28VEuULjUS907e+EdYh8ykx6i6C9zPCKckVW0=\n"
            "\n"
            "— log.example/1 "
            "9fGIJVkHkzERO2HSBxC2LdyxVFveF6SmPt23+"
            "1QfIWY6XoN5p6Wt5kl6X4FwIaQjOxIbtwXYELC67k2ZdOQX5UO1CgM=\n"
            "— witness.example/w0 "
            "JT68hQAAAABlU/EATR762sRSffPgrkF5bLgq2nxiM4xPMNRa/kDehMEq32tT4IBwbBeWF8w1Dn9OsH+jB/sj/"
            "xZK7pyW9q/YKq8GAg==\n"
            "— witness.example/w1 "
            "782ADAAAAABlU/EBKlWF9qxm0W8XLlx4OfIUR/pql8WNokjYXta7Cs/"
            "BM0b8OBN3kCXUIOFLwJajWaPTpXi85BZvcb43D8OOWQkgCg==\n");
}

TEST(Example, OfAPromiseIsWhatThePageSays) {
  Promise promise;
  promise.circle = CircleId(sha(1).bytes);
  promise.seq = 7;
  promise.head = sha(2);
  promise.include_by_s = 1'700'000'600;
  EXPECT_EQ(
      to_hex(sign_promise(TestSite().log, promise)),
      "82585f8573686f6c64666173742f76312f70726f6d69736558204bf5122f344554c53bde2ebb8cd2b7e3d160"
      "0ad631c385a5d7cce23c7785459a075820dbc1b4c900ffe48d575b5da5c638040125f65db0fe3e24494b76ea"
      "986457d9861a6553f358584052ecb4da23fd91edf689a8189d9c2fcb87446254d73f5fdcea990e89f25db3ea"
      "15ba801deed122c098fdbb0d5d89008bfe0efb109c415ef2ec2083f5e801820d");
}

TEST(Example, OfAPromiseOfARecordIsWhatThePageSays) {
  RecordPromise promise;
  promise.circle = CircleId(sha(1).bytes);
  std::ranges::copy(sha(9).view().first(16), promise.vault.bytes.begin());
  promise.n = 7;
  promise.head = sha(2);
  promise.include_by_s = 1'700'000'600;
  EXPECT_EQ(
      to_hex(sign_promise(TestSite().log, promise)),
      "82587886781a686f6c64666173742f76312f7265636f72642d70726f6d69736558204bf5122f344554c53bde"
      "2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a502b4c342f5433ebe591a1da77e013d1b7075820dbc1"
      "b4c900ffe48d575b5da5c638040125f65db0fe3e24494b76ea986457d9861a6553f3585840a78e52d4ffd655"
      "25028595a90b83ce3503c43a14d3e691a325325c4947e0dfed7ea699fd57e471e731965e903b71b99284b0aa"
      "ed4184dbe86f06de1c214be50f");
}

}  // namespace
}  // namespace holdfast::tlog
