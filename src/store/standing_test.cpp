// What an owner whom the provider helps may do, and for how long.
#include <gtest/gtest.h>

#include <limits>

#include "circle/help.h"
#include "store/account.h"
#include "support/appends.h"
#include "support/told_ages.h"

namespace holdfast::store {
namespace {

using testkit::CircleMaker;
using testkit::make_fleet;

constexpr std::int64_t kNow = 1'800'000'000'000;
constexpr std::int64_t kHour = 60LL * 60 * 1000;

// What an account grants at kNow, whose custodian says that it gave help at `given_ms`.
std::optional<Account::Standing> helped_at(std::int64_t given_ms) {
  const auto ages = std::make_shared<testkit::ToldAges>();
  CircleMaker maker(ages, circle::Level::kStandard);
  maker.append(maker.set_vault("home"), maker.first);
  const testkit::TestDevice owner = testkit::make_device("borrowed");
  maker.append(maker.sign_by_fleet(circle::Assist{owner.info}, make_fleet()));
  const circle::Complete body = {2,
                                 testkit::ToldAges::of(maker.circle(), 2, circle::kProposalAgeMs),
                                 maker.same_epoch(circle::assist_slots(maker.circle(), owner.id))};
  circle::Draft draft = maker.draft(circle::StatementType::kComplete, wire::encode(body),
                                    maker.circle().custodian()->id);
  draft.time_ms = given_ms;
  maker.append(wire::encode(circle::sign_statement(draft, make_fleet())));

  Account account(std::make_shared<MemoryFiles>(), "mila",
                  [&](const std::string&, BytesView) { return ages; });
  EXPECT_TRUE(account.create(testkit::append_of(maker, 0)).ok());
  for (std::size_t seq = 1; seq < maker.statements().size(); ++seq)
    EXPECT_TRUE(account.append(testkit::append_of(maker, seq)).ok()) << seq;
  return account.standing(owner.id, kNow).value();
}

TEST(Standing, AHelpedOwnerReadsForSevenDays) {
  EXPECT_EQ(helped_at(kNow)->rights, Account::Rights::kRead);
  EXPECT_EQ(helped_at(kNow - circle::kHelpMs)->rights, Account::Rights::kRead);
  EXPECT_EQ(helped_at(kNow - circle::kHelpMs - 1)->rights, Account::Rights::kNone);
}

// The custodian's clock is no authority: one that lies does not make the time longer.
TEST(Standing, ATimeThatCannotBeGivesAHelpedOwnerNothing) {
  EXPECT_EQ(helped_at(kNow + 24 * kHour)->rights, Account::Rights::kRead);
  for (const std::int64_t at :
       {kNow + 24 * kHour + 1, kNow + 1000 * 24 * kHour, std::numeric_limits<std::int64_t>::max(),
        std::int64_t{-1}, std::numeric_limits<std::int64_t>::min()})
    EXPECT_EQ(helped_at(at)->rights, Account::Rights::kNone) << at;
}

}  // namespace
}  // namespace holdfast::store
