#include "tlog/map.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "crypto/hash.h"
#include "tlog/map_labels.h"

namespace holdfast::tlog {
namespace {

// ---- by the book: recursive over a sorted list, nothing shared with map.cpp but SHA-256 ----

Digest hash_of(const std::string& label, const std::vector<BytesView>& parts) {
  Bytes bytes = to_bytes(as_bytes(label));
  for (const BytesView part : parts) append(bytes, part);
  return crypto::sha256(bytes);
}

Digest naive_root(const std::vector<MapEntry>& entries, unsigned depth = 0) {
  if (entries.empty()) return hash_of("holdfast/v1/map/empty", {});
  if (entries.size() == 1)
    return hash_of("holdfast/v1/map/leaf", {entries[0].label.view(), entries[0].value.view()});
  std::vector<MapEntry> left, right;
  for (const MapEntry& entry : entries) {
    const unsigned byte = entry.label.bytes[depth / 8];
    ((byte & (128U >> (depth % 8))) != 0 ? right : left).push_back(entry);
  }
  return hash_of("holdfast/v1/map/inner",
                 {naive_root(left, depth + 1).view(), naive_root(right, depth + 1).view()});
}

MapLabel label_of(std::uint64_t number) {
  return MapLabel(crypto::sha256(as_bytes(std::to_string(number))).bytes);
}
Digest value_of(std::uint64_t number) {
  return crypto::sha256(as_bytes("v" + std::to_string(number)));
}

std::vector<MapEntry> entries_of(std::size_t count, std::uint64_t first = 0) {
  std::vector<MapEntry> out;
  for (std::uint64_t i = first; i < first + count; ++i) out.push_back({label_of(i), value_of(i)});
  std::ranges::sort(out);
  return out;
}

Map map_of(const std::vector<MapEntry>& entries) {
  Map map;
  HF_CHECK(map.apply(entries).ok());
  return map;
}

// Labels that share long beginnings: random ones hardly do. A label is a random choice of few
// bytes, so that many are alike up to a random bit.
rc::Gen<std::vector<MapEntry>> alike_entries() {
  const auto label = rc::gen::map(
      rc::gen::container<std::vector<std::uint8_t>>(3, rc::gen::element<std::uint8_t>(0, 1, 255)),
      [](const std::vector<std::uint8_t>& bytes) {
        MapLabel out;
        out.bytes[0] = bytes[0];
        out.bytes[1] = bytes[1];
        out.bytes[31] = bytes[2];
        return out;
      });
  return rc::gen::map(rc::gen::container<std::vector<MapLabel>>(label),
                      [](std::vector<MapLabel> labels) {
                        std::ranges::sort(labels);
                        labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
                        std::vector<MapEntry> out;
                        for (std::uint64_t i = 0; i < labels.size(); ++i)
                          out.push_back({labels[i], value_of(i)});
                        return out;
                      });
}

// Expected: Python's hashlib and hmac.
TEST(MapLabels, AreWhatAnIndependentImplementationComputes) {
  struct AnyPurpose {};
  const auto lookup = crypto::Key<AnyPurpose>::from_bytes(Bytes(32, 7));
  EXPECT_EQ(circle_label(lookup, 5).hex(),
            "91880cf96910f86965fe1065d481b5a7bf8d5f2999ddd243a7d67aaa534ac087");
  EXPECT_EQ(data_label(lookup, 5).hex(),
            "8c11b1f95c833a26bee1d853847dbfe6d4ecff637bea1119e6a8c831cd368dc8");
  EXPECT_EQ(batch_position(CircleId()).hex(),
            "e097875359486f535318c56f67e9951470a3ab9c55f3fdb6e2ddddaefec6088b");
}

TEST(Map, HasTheRootsThatAnIndependentImplementationComputes) {
  EXPECT_EQ(empty_map_root().hex(),
            "3c49f47f30aab832fb5a7857b41b4ea07d881076a60446d2a6571d54a15678fc");
  EXPECT_EQ(Map().root(), empty_map_root());
  EXPECT_EQ(map_of(entries_of(1)).root().hex(),
            "352e1b612be126c553feae47fe63aca7383bf3e05ced619ae2e06835b34394b2");
  EXPECT_EQ(map_of(entries_of(100)).root().hex(),
            "277abaefae505ef1a742e1fcce596b0591357dfecb38479362d8260aa7a1b5a2");
}

RC_GTEST_PROP(Map, HasTheRootOfTheDefinition, ()) {
  const auto entries = *alike_entries();
  RC_ASSERT(map_of(entries).root() == naive_root(entries));
}

RC_GTEST_PROP(Map, HasOneRootInWhateverOrderAndBatches, ()) {
  const auto entries = *alike_entries();
  const auto batch_of =
      *rc::gen::container<std::vector<unsigned>>(entries.size(), rc::gen::inRange(0U, 5U));
  Map map;
  std::vector<MapEntry> so_far;
  for (unsigned batch = 0; batch < 5; ++batch) {
    std::vector<MapEntry> delta;
    for (std::size_t i = 0; i < entries.size(); ++i)
      if (batch_of[i] == batch) delta.push_back(entries[i]);
    so_far.insert(so_far.end(), delta.begin(), delta.end());
    std::ranges::sort(so_far);
    const Digest before = map.root_after(delta).value();
    RC_ASSERT(map.apply(delta).value() == before);
    RC_ASSERT(map.root() == naive_root(so_far));
  }
  RC_ASSERT(map.root() == map_of(entries).root());
  RC_ASSERT(map.size() == entries.size());
}

RC_GTEST_PROP(Map, ProvesPresenceOrAbsenceNeverBoth, ()) {
  const auto entries = *alike_entries();
  const auto others = *alike_entries();
  const Map map = map_of(entries);
  std::vector<MapEntry> asked = entries;
  asked.insert(asked.end(), others.begin(), others.end());
  for (const MapEntry& entry : asked) {
    const auto found = map.find(entry.label);
    const MapProof proof = map.prove(entry.label);
    RC_ASSERT(wire::decode<MapProof>(wire::encode(proof)).value() == proof);
    const MapEntry there{entry.label, found.value_or(entry.value)};
    RC_ASSERT(verify_present(map.root(), there, proof).ok() == found.has_value());
    RC_ASSERT(verify_absent(map.root(), entry.label, proof).ok() == !found.has_value());
    const MapEntry changed{entry.label, value_of(1'000'000)};
    RC_ASSERT(!verify_present(map.root(), changed, proof).ok());
  }
}

// Any proof made from the parts of good ones, for any label: none shows a label with an end that
// it does not have.
RC_GTEST_PROP(Map, ForgedProofsShowNothingFalse, ()) {
  const auto entries = *alike_entries();
  RC_PRE(!entries.empty());
  const Map map = map_of(entries);
  const auto pick = [&] { return entries[*rc::gen::inRange<std::size_t>(0, entries.size())]; };
  MapProof proof = map.prove(pick().label);
  const auto keep = *rc::gen::inRange<std::size_t>(0, proof.siblings.size() + 1);
  proof.siblings.resize(keep);
  if (*rc::gen::arbitrary<bool>()) proof.siblings.push_back(empty_map_root());
  if (*rc::gen::arbitrary<bool>()) proof.other = pick();
  const MapEntry target = pick();
  RC_ASSERT(!verify_absent(map.root(), target.label, proof).ok());
  const MapEntry false_value{target.label, value_of(1'000'000)};
  RC_ASSERT(!verify_present(map.root(), false_value, proof).ok());
}

TEST(Map, RefusesEveryFlippedBitOfAProof) {
  const auto entries = entries_of(40);
  const Map map = map_of(entries);
  const auto flip_all = [](MapProof proof, const std::function<bool(const MapProof&)>& verifies) {
    EXPECT_TRUE(verifies(proof));
    for (std::size_t i = 0; i < proof.siblings.size(); ++i) {
      for (std::size_t bit = 0; bit < 256; ++bit) {
        MapProof bad = proof;
        bad.siblings[i].bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        EXPECT_FALSE(verifies(bad));
      }
    }
    for (std::size_t bit = 0; proof.other && bit < 256; ++bit) {
      MapProof bad = proof;
      bad.other->value.bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      EXPECT_FALSE(verifies(bad));
      bad = proof;
      bad.other->label.bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      EXPECT_FALSE(verifies(bad));
    }
  };
  for (std::uint64_t i = 0; i < 10; ++i) {
    flip_all(map.prove(entries[i].label), [&](const MapProof& proof) {
      return verify_present(map.root(), entries[i], proof).ok();
    });
    const MapLabel absent = label_of(1000 + i);
    flip_all(map.prove(absent),
             [&](const MapProof& proof) { return verify_absent(map.root(), absent, proof).ok(); });
  }
}

// Two labels that differ in their last bit alone: the longest proof there is.
TEST(Map, HasAtMost256SiblingsInAProof) {
  MapLabel one, two;
  two.bytes[31] = 1;
  const std::vector<MapEntry> entries = {{one, value_of(1)}, {two, value_of(2)}};
  const Map map = map_of(entries);
  EXPECT_EQ(map.root(), naive_root(entries));
  MapProof proof = map.prove(two);
  EXPECT_EQ(proof.siblings.size(), 256U);
  EXPECT_TRUE(verify_present(map.root(), entries[1], proof).ok());
  proof.siblings.push_back(empty_map_root());
  EXPECT_FALSE(verify_present(map.root(), entries[1], proof).ok());
  EXPECT_FALSE(verify_absent(map.root(), two, proof).ok());
}

TEST(Map, RefusesToChangeOrRepeatOrDisorder) {
  Map map = map_of(entries_of(10));
  const Digest before = map.root();
  const auto refused = [&](const std::vector<MapEntry>& delta, Code code) {
    EXPECT_EQ(map.root_after(delta).error().code, code);
    EXPECT_EQ(map.apply(delta).error().code, code);
    EXPECT_EQ(map.root(), before);
    EXPECT_EQ(map.size(), 10U);
  };
  refused({{label_of(3), value_of(3)}}, Code::kConflict);
  refused({{label_of(3), value_of(4)}}, Code::kConflict);
  auto delta = entries_of(5, 100);
  std::swap(delta[0], delta[1]);
  refused(delta, Code::kInvalid);
  delta[0] = delta[1];
  refused(delta, Code::kInvalid);
  EXPECT_EQ(*map.apply({}), before);
}

// What a service and an auditor hold. The numbers are printed; only a gross loss fails.
TEST(Map, TakesManyEntries) {
  const auto start = std::chrono::steady_clock::now();
  const auto entries = entries_of(100'000);
  const auto made = std::chrono::steady_clock::now();
  Map map = map_of(entries);
  const auto built = std::chrono::steady_clock::now();
  const auto delta = entries_of(1000, 2'000'000);
  EXPECT_TRUE(map.apply(delta).ok());
  const auto applied = std::chrono::steady_clock::now();
  const auto ms = [](auto from, auto to) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count();
  };
  std::printf("made %lld ms, built %lld ms, delta of 1000 %lld ms, proof of %zu hashes\n",
              static_cast<long long>(ms(start, made)), static_cast<long long>(ms(made, built)),
              static_cast<long long>(ms(built, applied)),
              map.prove(delta[0].label).siblings.size());
  EXPECT_TRUE(verify_present(map.root(), delta[7], map.prove(delta[7].label)).ok());
}

}  // namespace
}  // namespace holdfast::tlog
