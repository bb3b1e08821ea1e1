#include "vault/policy_here.h"

#include <gtest/gtest.h>

#include "support/policies.h"

namespace holdfast::vault {
namespace {

using testkit::leave_by_in;
using testkit::offered_everywhere;
using testkit::withdrawn_in;

constexpr std::uint64_t kNow = 1'800'000'000;

// What a device knows of policies at a moment; `rules`: of versions 1, 2 and so on.
LogStatus status_of(std::vector<std::pair<std::uint64_t, circle::RegionRules>> rules) {
  LogStatus status;
  status.now_s = kNow;
  for (auto& [from, one] : rules) {
    PolicyStatus policy;
    policy.version = status.policies.size() + 1;
    policy.in_effect_from_s = from;
    policy.in_effect = from <= kNow;
    policy.rules = std::move(one);
    status.policies.push_back(std::move(policy));
  }
  return status;
}

TEST(PolicyHere, OffersAllWhereNothingIsKnown) {
  const PolicyHere here = policy_in("GB", LogStatus(), 0);
  EXPECT_TRUE(here.may_enable());
  EXPECT_FALSE(here.paused());
  EXPECT_FALSE(here.news());
  EXPECT_FALSE(here.leave_by_s());
}

TEST(PolicyHere, TellsTheNextThatChangesSomethingHere) {
  const auto status = status_of({{kNow - 1, withdrawn_in("GB")},
                                 {kNow + 1, withdrawn_in("GB")},
                                 {kNow + 2, leave_by_in("GB", kNow + 9)},
                                 {kNow + 3, offered_everywhere()}});
  const PolicyHere gb = policy_in("GB", status, 0);
  ASSERT_TRUE(gb.now && gb.next);
  EXPECT_EQ(gb.now->version, 1u);
  EXPECT_EQ(gb.next->version, 3u);
  EXPECT_EQ(gb.newest, 4u);
  EXPECT_FALSE(gb.may_enable());
  EXPECT_EQ(gb.leave_by_s(), kNow + 9);
  const PolicyHere fr = policy_in("FR", status, 0);
  EXPECT_TRUE(fr.may_enable());
  EXPECT_FALSE(fr.next);
  EXPECT_FALSE(fr.news());
}

TEST(PolicyHere, IsPausedByWhatIsInEffectAlone) {
  EXPECT_FALSE(policy_in("GB", status_of({{kNow + 1, leave_by_in("GB", kNow)}}), 0).paused());
  EXPECT_FALSE(policy_in("GB", status_of({{kNow, leave_by_in("GB", kNow + 1)}}), 0).paused());
  EXPECT_TRUE(policy_in("GB", status_of({{kNow, leave_by_in("GB", kNow)}}), 0).paused());
}

TEST(PolicyHere, WhatCannotBeReadStopsNothing) {
  auto status = status_of({{kNow, leave_by_in("GB", kNow)}});
  status.policies[0].rules.reset();
  const PolicyHere here = policy_in("GB", status, 0);
  EXPECT_TRUE(here.may_enable());
  EXPECT_FALSE(here.paused());
  EXPECT_EQ(here.newest, 0u);
}

TEST(PolicyHere, IsNewsUntilItIsAcknowledgedAndAgainWhenItChanges) {
  const auto withdrawn = status_of({{kNow, withdrawn_in("GB")}});
  EXPECT_TRUE(policy_in("GB", withdrawn, 0).news());
  EXPECT_FALSE(policy_in("GB", withdrawn, 1).news());
  const auto more =
      status_of({{kNow, withdrawn_in("GB")}, {kNow + 1, leave_by_in("GB", kNow + 9)}});
  EXPECT_TRUE(policy_in("GB", more, 1).news());
  // Whoever was told of the one is told that it is over, with or without a note.
  auto restored = status_of({{kNow - 1, withdrawn_in("GB")}, {kNow, offered_everywhere()}});
  restored.policies.erase(restored.policies.begin());
  EXPECT_TRUE(policy_in("GB", restored, 1).news());
  EXPECT_FALSE(policy_in("GB", restored, 0).news());
}

}  // namespace
}  // namespace holdfast::vault
