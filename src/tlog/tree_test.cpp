#include "tlog/tree.h"

#include <gtest/gtest.h>

#include <random>

#include "tlog/test_tree.h"

namespace holdfast::tlog {
namespace {

using testkit::TestLog;

Digest digest(std::string_view hex) { return *Digest::from(*from_hex(hex)); }

// The tree of google/certificate-transparency's and transparency-dev/merkle's tests
// (proof/verify_test.go there).
const char* const kLeaves[] = {"",
                               "00",
                               "10",
                               "2021",
                               "3031",
                               "40414243",
                               "5051525354555657",
                               "606162636465666768696a6b6c6d6e6f"};
const char* const kRoots[] = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                              "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                              "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                              "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                              "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                              "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                              "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                              "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

struct Published {
  std::uint64_t at;  // an entry's number, or the size of the old tree
  std::uint64_t size;
  std::vector<const char*> proof;
};

const std::vector<Published> kInclusion = {
    {0,
     8,
     {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
    {5,
     8,
     {"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
    {2, 3, {"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
    {1,
     5,
     {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
};

const std::vector<Published> kConsistency = {
    {1, 1, {}},
    {1,
     8,
     {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
    {6,
     8,
     {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
    {2,
     5,
     {"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
    {6,
     7,
     {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
};

Proof proof_of(const Published& published) {
  Proof out;
  for (const char* const hash : published.proof) out.push_back(digest(hash));
  return out;
}

TestLog published_log() {
  TestLog log;
  for (const char* const leaf : kLeaves) log.add(*from_hex(leaf));
  return log;
}

TEST(Tree, HasThePublishedRoots) {
  EXPECT_EQ(empty_root().hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const TestLog log = published_log();
  for (std::uint64_t size = 1; size <= 8; ++size)
    EXPECT_EQ(log.head(size).root.hex(), kRoots[size - 1]) << size;
}

TEST(Tree, MakesAndVerifiesThePublishedProofs) {
  const TestLog log = published_log();
  for (const Published& one : kInclusion) {
    const Digest leaf = leaf_hash(log.entries[one.at]);
    EXPECT_EQ(*log.tree(one.size).prove_inclusion(one.at), proof_of(one));
    EXPECT_TRUE(
        verify_inclusion({one.size, digest(kRoots[one.size - 1])}, one.at, leaf, proof_of(one))
            .ok());
  }
  for (const Published& one : kConsistency) {
    EXPECT_EQ(*log.tree(one.size).prove_consistency(one.at), proof_of(one));
    EXPECT_TRUE(verify_consistency({one.at, digest(kRoots[one.at - 1])},
                                   {one.size, digest(kRoots[one.size - 1])}, proof_of(one))
                    .ok());
  }
}

// ---- every tree up to 70 entries ----

constexpr std::uint64_t kMany = 70;
constexpr std::uint64_t kFew = 12;  // of which every bit is flipped

class EveryTree : public testing::Test {
 protected:
  const unsigned seed_ = std::random_device{}();
  std::mt19937 random_{seed_};
  const testing::ScopedTrace trace_{__FILE__, __LINE__, "seed " + std::to_string(seed_)};
  const TestLog log_{kMany};

  // Calls `check` with bits of the digest flipped: all of them in small trees, else one.
  void flip(Digest& digest, std::uint64_t size, const std::function<void()>& check) {
    const std::size_t chosen = random_() % 256;
    for (std::size_t bit = 0; bit < 256; ++bit) {
      if (size > kFew && bit != chosen) continue;
      const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
      digest.bytes[bit / 8] ^= mask;
      check();
      digest.bytes[bit / 8] ^= mask;
    }
  }
};

TEST_F(EveryTree, HasTheRootOfTheDefinition) {
  for (std::uint64_t size = 0; size <= kMany; ++size)
    EXPECT_EQ(log_.head(size).root, testkit::naive_root(log_.entries, 0, size)) << size;
  EXPECT_EQ(log_.frontier.head(), log_.head(kMany));
}

TEST_F(EveryTree, ProvesEachEntryAndNothingElse) {
  for (std::uint64_t size = 1; size <= kMany; ++size) {
    TreeHead head = log_.head(size);
    for (std::uint64_t index = 0; index < size; ++index) {
      Digest leaf = leaf_hash(log_.entries[index]);
      Proof proof = *log_.tree(size).prove_inclusion(index);
      const auto verifies = [&] { return verify_inclusion(head, index, leaf, proof).ok(); };
      const auto refused = [&] { EXPECT_FALSE(verifies()) << index << " of " << size; };
      EXPECT_TRUE(verifies()) << index << " of " << size;
      for (Digest& hash : proof) flip(hash, size, refused);
      flip(leaf, size, refused);
      flip(head.root, size, refused);
      for (std::uint64_t other = 0; other <= size; ++other)
        EXPECT_EQ(verify_inclusion(head, other, leaf, proof).ok(), other == index);
      proof.push_back(leaf);
      refused();
      proof.pop_back();
      if (!proof.empty()) {
        proof.pop_back();
        refused();
      }
    }
  }
}

TEST_F(EveryTree, ProvesEachEarlierTreeAndNothingElse) {
  for (std::uint64_t size = 1; size <= kMany; ++size) {
    TreeHead to = log_.head(size);
    for (std::uint64_t old = 0; old <= size; ++old) {
      TreeHead from = log_.head(old);
      Proof proof = *log_.tree(size).prove_consistency(old);
      const auto verifies = [&] { return verify_consistency(from, to, proof).ok(); };
      const auto refused = [&] { EXPECT_FALSE(verifies()) << old << " to " << size; };
      EXPECT_TRUE(verifies()) << old << " to " << size;
      for (Digest& hash : proof) flip(hash, size, refused);
      flip(from.root, size, refused);
      if (old > 0) flip(to.root, size, refused);
      for (std::uint64_t other = 0; other <= size + 1; ++other)
        EXPECT_EQ(verify_consistency({other, from.root}, to, proof).ok(), other == old)
            << other << " for " << old << " to " << size;
      proof.push_back(to.root);
      refused();
      proof.pop_back();
      if (!proof.empty()) {
        proof.pop_back();
        refused();
      }
    }
  }
}

// A proof of inclusion fits several sizes of one shape, so a head's size counts only with its
// root, signed together. A tree twice or half as high is another shape.
TEST_F(EveryTree, ProofsFitNoTreeOfAnotherHeight) {
  for (std::uint64_t size = 2; size <= kMany; ++size) {
    const Proof proof = *log_.tree(size).prove_inclusion(0);
    const Digest leaf = leaf_hash(log_.entries[0]);
    const TreeHead head = log_.head(size);
    EXPECT_FALSE(verify_inclusion({size * 2, head.root}, 0, leaf, proof).ok());
    EXPECT_FALSE(verify_inclusion({size / 2, head.root}, 0, leaf, proof).ok());
    EXPECT_FALSE(verify_inclusion({std::uint64_t{1} << 63, head.root}, 0, leaf, proof).ok());
  }
}

TEST_F(EveryTree, RefusesProofsThatAreTooLong) {
  const Proof proof(kMaxProof + 1);
  EXPECT_FALSE(verify_inclusion({kMaxTreeSize, {}}, 0, {}, proof).ok());
  EXPECT_FALSE(verify_consistency({1, {}}, {kMaxTreeSize, {}}, proof).ok());
}

TEST_F(EveryTree, BeforeAnEntryIsInItsProofOfInclusion) {
  for (std::uint64_t size = 1; size <= 70; ++size)
    for (std::uint64_t index = 0; index < size; ++index) {
      const auto proof = log_.tree(size).prove_inclusion(index);
      ASSERT_TRUE(proof.ok());
      auto tree = Frontier::before(index, size, *proof);
      ASSERT_TRUE(tree.ok()) << size << ' ' << index;
      EXPECT_EQ(tree->head(), log_.head(index));
      for (std::uint64_t i = index; i < size; ++i) tree->append(leaf_hash(log_.entries[i]));
      EXPECT_EQ(tree->head(), log_.head(size));
      EXPECT_FALSE(Frontier::before(size, size, *proof).ok());
      EXPECT_EQ(Frontier::before(index, size, {}).ok(), index == 0);
    }
}

TEST_F(EveryTree, FrontierOpensFromTilesAndGoesOn) {
  for (std::uint64_t size = 0; size < kMany; ++size) {
    auto edge = *log_.tree(size).edge();
    auto frontier = Frontier::open(log_.head(size), edge);
    ASSERT_TRUE(frontier.ok()) << size;
    static_cast<void>(frontier->append(leaf_hash(log_.entries[size])));
    EXPECT_EQ(frontier->head(), log_.head(size + 1));
    if (edge.empty()) continue;
    edge.back().bytes[0] ^= 1U;
    EXPECT_FALSE(Frontier::open(log_.head(size), edge).ok());
    edge.pop_back();
    EXPECT_FALSE(Frontier::open(log_.head(size), edge).ok());
  }
}

// Three levels of tiles: 65536 entries fill the first of level 1.
TEST(LargeTree, ProofsComeFromTilesOfSeveralLevels) {
  const std::uint64_t size = 66'000;
  const TestLog log(size);
  EXPECT_EQ(log.levels.at(1).size(), size / 256);
  EXPECT_EQ(log.levels.at(2).size(), 1U);
  EXPECT_EQ(log.head(size), log.frontier.head());
  for (const std::uint64_t index : {std::uint64_t{0}, std::uint64_t{255}, std::uint64_t{65'535},
                                    std::uint64_t{65'536}, size - 1}) {
    const auto proof = log.tree(size).prove_inclusion(index);
    EXPECT_TRUE(
        verify_inclusion(log.head(size), index, leaf_hash(log.entries[index]), *proof).ok());
    const auto grown = log.tree(size).prove_consistency(index);
    EXPECT_TRUE(verify_consistency(log.head(index), log.head(size), *grown).ok());
  }
}

TEST(LargeTree, SaysWhenATileIsMissingOrDamaged) {
  const TestLog log(300);
  TileTree missing(400, [&](const Tile& tile) { return log.read(tile); });
  EXPECT_EQ(missing.prove_inclusion(3).error().code, Code::kNotFound);
  TileTree shorter(300, [](const Tile&) -> Result<Bytes> { return Bytes(32); });
  EXPECT_EQ(shorter.root().error().code, Code::kCorrupt);
  TileTree tree = log.tree(300);
  EXPECT_EQ(tree.prove_inclusion(300).error().code, Code::kInvalid);
  EXPECT_EQ(tree.prove_consistency(301).error().code, Code::kInvalid);
}

// What evidence against a log is made of: for every pair of sizes, the root that a proof gives the
// older tree is the real one, and a tree with another past gives another.
TEST(PrefixRoot, IsTheOneOfTheOlderTree) {
  constexpr std::uint64_t kMost = 40;
  const testkit::TestLog log(kMost);
  testkit::TestLog other;
  other.add(testkit::any_entry(1000));
  while (other.entries.size() < kMost) other.add(testkit::any_entry(other.entries.size()));
  for (std::uint64_t to = 2; to <= kMost; ++to)
    for (std::uint64_t from = 1; from < to; ++from) {
      const Proof proof = log.tree(to).prove_prefix(from).value();
      const auto root = prefix_root(log.head(to), from, proof);
      ASSERT_TRUE(root.ok()) << from << " of " << to;
      EXPECT_EQ(*root, testkit::naive_root(log.entries, 0, from));
      const Proof forked = other.tree(to).prove_prefix(from).value();
      EXPECT_FALSE(prefix_root(log.head(to), from, forked).ok());
      EXPECT_NE(prefix_root(other.head(to), from, forked).value(), *root);
    }
}

}  // namespace
}  // namespace holdfast::tlog
