// Every kind of object that a service stores, mutated in every way: what comes back is what was
// saved, or nothing and a sentence. (Truong, Hofmann, "End-to-End Encrypted Cloud Storage in the
// Wild", CCS 2024: chunks of files reordered, removed and altered unnoticed in several products.)
// store_bytes_test.cpp does the same to the files of a folder.
#include "hostile/scene.h"

namespace holdfast::hostile {
namespace {

constexpr std::uint64_t kSeeds = 3;

class Object : public ::testing::TestWithParam<std::string_view> {
 protected:
  static bool is_list(std::string_view what) { return what == "statement" || what == "record"; }
  // A list that ends early is an older one: rollback_test.cpp.
  static bool is_rollback(std::string_view how, std::string_view what) {
    return is_list(what) && (how == "cut" || how == "empty");
  }

  // The sentence and the code that belong to a kind of object.
  static void expect_answer(std::string_view what, Visitor visitor, const Outcome& outcome) {
    const std::string code = outcome.code();
    const std::string words = outcome.words();
    const auto says = [&](std::string_view part) {
      EXPECT_NE(words.find(part), std::string::npos) << words;
    };
    if (what == "statement" || what == "record") {
      // Damage is not told from a lie, and a flipped label looks like a newer version.
      const bool bare = visitor == Visitor::kBare;
      EXPECT_TRUE(code == "unsafe" || (bare && (code == "corrupt" || code == "outdated")))
          << code << ": " << words;
    } else if (what == "envelope" || what == "sealed-key") {
      EXPECT_EQ(code, "corrupt");
      says("its bytes are not what the circle says");
    } else if (what == "key-segment") {
      EXPECT_EQ(code, "corrupt");
      says("a key segment in the store is damaged");
    } else if (what == "snapshot") {
      EXPECT_EQ(code, "corrupt");
      says("its bytes are not what its name says");
    } else if (what == "index") {
      EXPECT_EQ(code, "ok");
      says("it is rebuilt from the packs");
    } else {
      EXPECT_EQ(code, "problems");
      says("damaged");
    }
    EXPECT_EQ(outcome.all_right, what == "index");
  }
};

TEST_P(Object, MutatedIsMissed) {
  for (const std::string_view how : kMutations) {
    if (is_rollback(how, GetParam())) continue;
    for (std::uint64_t seed = 1; seed <= (how == "empty" ? 1 : kSeeds); ++seed) {
      const std::string name = std::string(how) + ":" + std::string(GetParam());
      for (const Visitor visitor : kVisitors) {
        SCOPED_TRACE(name + ", seed " + std::to_string(seed) + ", " + visitor_name(visitor));
        const Outcome outcome = scene().visit(visitor, *attack(name, seed));
        EXPECT_TRUE(outcome.noticed());
        expect_answer(GetParam(), visitor, outcome);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Object, ::testing::ValuesIn(kObjects), [](const auto& what) {
  std::string name(what.param);
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace holdfast::hostile
