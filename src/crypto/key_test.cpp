#include "crypto/key.h"

#include <set>
#include <thread>
#include <type_traits>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "crypto/hash.h"

namespace holdfast::crypto {

namespace {

struct Parent {};
struct Child {};
struct ShortChild {
  static constexpr std::size_t kSize = 16;
};

static_assert(!std::is_copy_constructible_v<Key<Parent>>);
static_assert(!std::is_copy_assignable_v<Key<Parent>>);
static_assert(std::is_nothrow_move_constructible_v<Key<Parent>>);
static_assert(!std::is_convertible_v<Key<Parent>, Key<Child>>);
static_assert(!std::is_default_constructible_v<Key<Parent>>);
static_assert(!std::equality_comparable<Key<Parent>>);

Bytes counting(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i);
  return out;
}

}  // namespace

template <>
struct Derivation<Parent, Child> {
  static constexpr std::string_view kLabel = "holdfast/v1/test/derived";
};
template <>
struct Derivation<Parent, ShortChild> {
  static constexpr std::string_view kLabel = "holdfast/v1/test/derived16";
};

namespace {

// Expected values: Python's hmac and hashlib, HKDF written out as in RFC 5869 section 2.
TEST(Key, DerivesWhatAnIndependentHkdfDerives) {
  const auto parent = Key<Parent>::from_bytes(counting(32));
  const Bytes context = {1, 2};
  EXPECT_EQ(to_hex(expose(derive<Child>(parent, context))),
            "dc8ddff5d292425c314a5845aea8e5e738a08473e511b2a47f89e37f18bfa515");
  EXPECT_EQ(to_hex(expose(derive<ShortChild>(parent))), "6294ddde4c4e6b56c31a79e0b09c1cf7");
}

TEST(Key, ExpandsToTheSameBytesAsAnIndependentHkdf) {
  Bytes table(100);
  expand(Key<Parent>::from_bytes(counting(32)), "holdfast/v1/test/table", table);
  EXPECT_EQ(
      to_hex(table),
      "c326127810b83d2480cd1a7fb232e6ff605dd2e79afbb58e0c8802664570c1ea36606e9d3a1c31b28ce0658f"
      "4f7fcfed79208b248c64571b58aeb736d3a50d8b13a302de8ac1b098a32d1eb3258c64b4444ac5f4913269e5"
      "d91eca08b840969267589792");
}

TEST(Key, DerivesOtherKeysForOtherContexts) {
  const auto parent = Key<Parent>::random();
  const Bytes a = {1};
  const Bytes b = {2};
  EXPECT_FALSE(equal(expose(derive<Child>(parent, a)), expose(derive<Child>(parent, b))));
}

TEST(Key, RandomKeysDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(to_hex(expose(Key<Parent>::random())));
  EXPECT_EQ(seen.size(), 100u);
}

TEST(Key, MovesItsBytesWithoutCopyingThem) {
  auto first = Key<Parent>::random();
  const std::uint8_t* const at = expose(first).data();
  const auto second = std::move(first);
  EXPECT_EQ(expose(second).data(), at);
}

TEST(Key, AssignmentKeepsTheNewValue) {
  auto a = Key<Parent>::from_bytes(counting(32));
  a = Key<Parent>::from_bytes(Bytes(32, 7));
  EXPECT_EQ(to_bytes(expose(a)), Bytes(32, 7));
}

// The arena's memory stays mapped, so a slot can be looked at after its key has gone. The next
// key takes the same slot; it is compared before that.
TEST(Key, IsZeroInMemoryOnceItGoes) {
  const std::uint8_t* at = nullptr;
  {
    const auto key = Key<Parent>::random();
    at = expose(key).data();
  }
  EXPECT_EQ(Bytes(at, at + 32), Bytes(32, 0));
}

TEST(Key, AssignmentWipesTheOldValue) {
  auto key = Key<Parent>::random();
  const std::uint8_t* const at = expose(key).data();
  key = Key<Parent>::random();
  EXPECT_EQ(Bytes(at, at + 32), Bytes(32, 0));
}

TEST(Key, TheArenaGrowsAndNeverHandsOutASlotTwice) {
  std::vector<Key<Parent>> keys;
  std::set<const std::uint8_t*> places;
  for (int i = 0; i < 5000; ++i) {
    keys.push_back(Key<Parent>::random());
    places.insert(expose(keys.back()).data());
  }
  EXPECT_EQ(places.size(), keys.size());
}

TEST(Key, ThreadsShareTheArena) {
  const auto work = [](std::uint8_t fill) {
    for (int i = 0; i < 2000; ++i) {
      const auto key = Key<Parent>::from_bytes(Bytes(32, fill));
      ASSERT_EQ(to_bytes(expose(key)), Bytes(32, fill));
    }
  };
  std::thread a(work, std::uint8_t{1});
  std::thread b(work, std::uint8_t{2});
  a.join();
  b.join();
}

TEST(Arena, SaysWhetherItIsLocked) {
  const auto key = Key<Parent>::random();
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
  EXPECT_TRUE(arena_protected() || limit.rlim_cur != RLIM_INFINITY);
}

TEST(WipedBytes, MovedFromHoldsNothing) {
  WipedBytes a(Bytes{1, 2, 3});
  const WipedBytes b = std::move(a);
  EXPECT_EQ(to_bytes(b.view()), (Bytes{1, 2, 3}));
  EXPECT_TRUE(a.view().empty());
}

TEST(Wipe, TakesNothing) { wipe({}); }

TEST(RandomFill, FillsMoreThanOneCallOfTheKernelGives) {
  Bytes big(1 << 20);
  random_fill(big);
  EXPECT_NE(Bytes(big.end() - 64, big.end()), Bytes(64, 0));
}

}  // namespace
}  // namespace holdfast::crypto
