// A region withdraws the offer of the advanced level, then names a day to leave it by, and gives
// the offer back; another region is untouched throughout. And policies that not everybody is shown.
#include "crypto/hash.h"
#include "log_scene.h"
#include "sql/sqlite.h"
#include "support/direct_service.h"
#include "support/policies.h"

namespace holdfast {
namespace {

using testkit::leave_by_in;
using testkit::make_policy;
using testkit::offered_everywhere;
using testkit::withdrawn_in;

constexpr std::uint64_t kDay_s = 24 * 60 * 60;

enum class Way { kDirect, kHttps };

class Policies : public PublicLog, public ::testing::WithParamInterface<Way> {
 protected:
  Policies() {
    if (GetParam() == Way::kHttps) return;
    account_.reset();
    store_ = std::make_unique<testkit::DirectStore>(*logged_->service, store_->tls_pin());
    account_.emplace(must(vault::Account::open(home_, *store_, clock_)));
  }

  std::uint64_t now() const { return static_cast<std::uint64_t>(time_->now() / 1000); }

  // The next policy: the first at once, others as early as notice allows. When it takes effect.
  std::uint64_t publish(const circle::RegionRules& rules) {
    const std::uint64_t from =
        published_ == 0 ? now() : now() + tlog::kNotice_s + server::kLead_s + 60;
    newest_ = make_policy(++published_, from, newest_, rules);
    must_do(logged_->service->log()->append_policy(newest_));
    step();
    return from;
  }
  void wait_until(std::uint64_t moment) {
    pass(static_cast<std::int64_t>(moment - now()) + 1);
    step();
  }

  Result<vault::Initialised> begin_account(const std::string& name, const std::string& region) {
    homes_.push_back(std::make_unique<vault::Home>(new_home(folder_ / name)));
    auto begun = vault::init(*homes_.back(), *store_, clock_, {name, name, region});
    if (begun.ok()) step();
    return begun;
  }
  static Result<void> back_up(vault::Account& account, const std::string& path) {
    archive::Progress progress;
    vault::Account::BackupOptions options;
    options.walk.roots = {path};
    const auto report = account.backup(options, progress);
    if (!report.ok()) return report.error();
    return Ok{};
  }
  // A statement of this device that its program would not make.
  void other_acknowledged(const Digest& policy, std::uint64_t version = 1) {
    const circle::Circle& circle = account_->circle();
    const crypto::SigningKey key(crypto::derive<crypto::SigningPurpose>(home_.device_key()));
    const ReaderId self = account_->self().id;
    const auto statement = circle::sign_statement(
        {circle.id(), circle.seq() + 1, circle.head(), time_->now(),
         circle::StatementType::kPolicyAck, self, wire::encode(circle::PolicyAck{version, policy})},
        key);
    auto session = must(store_->open_account(
        "me", {self, std::make_shared<const crypto::SigningKey>(
                         crypto::derive<crypto::SigningPurpose>(home_.device_key()))}));
    must(session->append({wire::encode(statement), {}, std::nullopt}));
  }
  // Both devices look at what stands now.
  void look(vault::Account& other) {
    must_do(account_->sync());
    must_do(other.sync());
    for (const vault::Account* one : {&*account_, &other}) {
      ASSERT_TRUE(one->log_status());
      EXPECT_TRUE(one->log_status()->alarms.empty()) << one->log_status()->alarms.at(0);
    }
  }

  std::vector<std::unique_ptr<vault::Home>> homes_;
  Bytes newest_;
  std::uint64_t published_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Ways, Policies, ::testing::Values(Way::kDirect, Way::kHttps),
                         [](const auto& one) {
                           return one.param == Way::kDirect ? "direct" : "https";
                         });

TEST_P(Policies, ARegionWithdrawsTheOfferAndGivesItBack) {
  must_do(account_->set_region("GB"));
  vault::Account fr = must(begin_account("fr", "FR")).account;
  publish(offered_everywhere());
  look(fr);
  EXPECT_TRUE(account_->policy_here().may_enable());
  EXPECT_FALSE(account_->policy_here().news());

  // Withdrawn: told before, then nobody begins there; who has it keeps it.
  const std::uint64_t withdrawn = publish(withdrawn_in("GB", "No new users in GB."));
  look(fr);
  EXPECT_TRUE(account_->policy_here().may_enable());
  ASSERT_TRUE(account_->policy_here().next);
  EXPECT_EQ(account_->policy_here().next->from_s, withdrawn);
  EXPECT_EQ(account_->policy_here().next->standing.terms.note, "No new users in GB.");
  EXPECT_TRUE(account_->policy_here().news());
  wait_until(withdrawn);
  look(fr);
  EXPECT_FALSE(account_->policy_here().may_enable());
  EXPECT_FALSE(account_->policy_here().leave_by_s());
  const auto refused = begin_account("late", "GB");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kDenied);
  EXPECT_NE(refused.error().message.find("not offered in region GB"), std::string::npos);
  EXPECT_TRUE(begin_account("late-fr", "FR").ok());
  must_do(back_up(*account_, folder_ / "data"));

  // A day to leave by: everything until then, and from then on nothing new.
  const std::uint64_t day = now() + 40 * kDay_s;
  wait_until(publish(leave_by_in("GB", day)));
  look(fr);
  EXPECT_EQ(account_->policy_here().leave_by_s(), day);
  EXPECT_FALSE(account_->policy_here().paused());
  write(folder_ / "data/b", "beta");
  must_do(back_up(*account_, folder_ / "data"));
  wait_until(day);
  look(fr);
  EXPECT_TRUE(account_->policy_here().paused());
  write(folder_ / "data/c", "gamma");
  const auto paused = back_up(*account_, folder_ / "data");
  ASSERT_FALSE(paused.ok());
  EXPECT_EQ(paused.error().code, Code::kDenied);
  EXPECT_NE(paused.error().message.find("had to leave it by"), std::string::npos);
  restore_to(*account_, "", folder_ / "back");
  EXPECT_EQ(read(folder_ / "back" + (folder_ / "data/b")), "beta");
  must_do(account_->create_vault("notes", false));
  must_do(account_->rotate());
  EXPECT_EQ(account_->circle().level(), circle::Level::kAdvanced);
  must_do(back_up(fr, folder_ / "data"));
  EXPECT_TRUE(fr.policy_here().may_enable());
  EXPECT_FALSE(fr.policy_here().news());

  // Given back: the pause lifts by itself.
  wait_until(publish(offered_everywhere("It is offered again.")));
  look(fr);
  EXPECT_TRUE(account_->policy_here().may_enable());
  EXPECT_TRUE(account_->policy_here().news());
  must_do(back_up(*account_, folder_ / "data"));
  restore_to(*account_, "", folder_ / "again");
  EXPECT_EQ(read(folder_ / "again" + (folder_ / "data/c")), "gamma");
  EXPECT_TRUE(begin_account("again-gb", "GB").ok());
}

TEST_P(Policies, WhatOneDeviceAcknowledgedNoneTellsAgain) {
  EXPECT_EQ(account_->acknowledge_policy().error().code, Code::kNotFound);
  vault::Home desk_home = new_home(folder_ / "desk");
  vault::Account desk = join(*account_, desk_home, *store_, clock_, "desk");
  publish(withdrawn_in("ZZ", "Read this."));
  look(desk);
  EXPECT_TRUE(account_->policy_here().news());
  EXPECT_EQ(must(account_->acknowledge_policy()), 1u);
  EXPECT_FALSE(account_->policy_here().news());
  step();
  look(desk);
  EXPECT_FALSE(desk.policy_here().news());
  const std::uint64_t before = desk.circle().seq();
  EXPECT_EQ(must(desk.acknowledge_policy()), 1u);
  EXPECT_EQ(desk.circle().seq(), before);
  publish(offered_everywhere());
  look(desk);
  EXPECT_TRUE(desk.policy_here().news());
}

// As if the witnesses lied with the service: each device sees a log of its own, and the circle
// tells.
TEST_P(Policies, TwoPoliciesOfOneVersionShowInWhatIsAcknowledged) {
  publish(withdrawn_in("ZZ"));
  must_do(account_->sync());
  must(account_->acknowledge_policy());
  step();
  must_do(account_->sync());
  EXPECT_TRUE(account_->log_status()->alarms.empty());
  other_acknowledged(crypto::sha256(Bytes{1}));
  step();
  must_do(account_->sync());
  ASSERT_EQ(account_->log_status()->alarms.size(), 1u);
  EXPECT_NE(account_->log_status()->alarms[0].find("different policies"), std::string::npos);
}

TEST_P(Policies, AnAccountIsBoundByTheRegionThatItSaysAtEachAct) {
  publish(leave_by_in("GB", now()));
  must_do(account_->sync());
  must_do(back_up(*account_, folder_ / "data"));
  EXPECT_FALSE(account_->policy_here().paused());
  EXPECT_TRUE(account_->policy_in("GB").paused());
  must_do(account_->set_region("GB"));
  EXPECT_EQ(back_up(*account_, folder_ / "data").error().code, Code::kDenied);
  must_do(account_->set_region("FR"));
  must_do(back_up(*account_, folder_ / "data"));
}

// Nor does a thief who acknowledges versions to come silence those that come, nor their end.
TEST_P(Policies, AnAcknowledgementOfWhatNobodyWasShownSilencesNothing) {
  must_do(account_->set_region("GB"));
  publish(offered_everywhere());
  other_acknowledged(Digest{}, 99);
  const std::uint64_t withdrawn = publish(withdrawn_in("GB", "No new users in GB."));
  must_do(account_->sync());
  EXPECT_TRUE(account_->policy_here().news());
  wait_until(withdrawn);
  must_do(account_->sync());
  EXPECT_TRUE(account_->policy_here().news());
  EXPECT_EQ(must(account_->acknowledge_policy()), 2u);
  must_do(account_->sync());
  EXPECT_FALSE(account_->policy_here().news());
  // The end of what was acknowledged is news again, though the device has the old one no more.
  wait_until(publish(offered_everywhere()));
  must_do(account_->sync());
  EXPECT_TRUE(account_->policy_here().news());
  other_acknowledged(Digest{}, 99);
  must_do(account_->sync());
  EXPECT_TRUE(account_->policy_here().news());
  EXPECT_EQ(must(account_->acknowledge_policy()), 3u);
  must_do(account_->sync());
  EXPECT_FALSE(account_->policy_here().news());
}

// The policy key signs for whoever holds it: what no two people can be shown is two of one version.
TEST_P(Policies, AFileOfAPolicyForOnePersonIsNotWhatTheLogHas) {
  publish(offered_everywhere());
  const Bytes other = make_policy(1, now() - 1, {}, leave_by_in("ZZ", 1));
  Lies lies;
  lies.log_file = [&](const std::string& path, Result<Bytes>& file) {
    if (path == "policy/1") file = other;
  };
  auto shown = must(open(lies));
  ASSERT_TRUE(shown.log_status());
  ASSERT_EQ(shown.log_status()->alarms.size(), 1u);
  EXPECT_NE(shown.log_status()->alarms[0].find("not the one that the log has"), std::string::npos);
  EXPECT_FALSE(shown.policy_here().paused());
  must_do(back_up(shown, folder_ / "data"));
}

TEST_P(Policies, AnEntryOfAPolicyForOnePersonIsAnotherLog) {
  publish(offered_everywhere());
  Lies lies;
  alter_view(lies, [&](api::LogView& view) {
    for (Bytes& leaf : view.leaves) {
      auto policy = wire::decode<tlog::PolicyLeaf>(leaf);
      if (!policy.ok()) continue;
      policy->policy = crypto::sha256(make_policy(1, now(), {}, leave_by_in("ZZ", 1)));
      leaf = wire::encode(*policy);
    }
  });
  expect_contradiction(lies, "does not follow from what this device saw");
}

TEST_P(Policies, RulesThatNobodyCanReadAreRedAndStopNothing) {
  const Bytes bytes = make_policy(1, now(), {}, Bytes{1, 2});
  const tlog::PolicyLeaf leaf{{}, 1, crypto::sha256(bytes), now()};
  {
    auto database = must(sql::Database::open(folder_ / "service/service.db"));
    auto row = must(database.prepare("INSERT INTO log_queue(leaf) VALUES(?)"));
    const Bytes entry = wire::encode(leaf);
    must_do(row.bind(1, BytesView(entry)));
    must_do(row.run());
  }
  step();
  Lies lies;
  lies.log_file = [&](const std::string& path, Result<Bytes>& file) {
    if (path == "policy/1") file = bytes;
  };
  auto shown = must(open(lies));
  ASSERT_TRUE(shown.log_status());
  ASSERT_EQ(shown.log_status()->alarms.size(), 1u);
  EXPECT_NE(shown.log_status()->alarms[0].find("cannot be read"), std::string::npos);
  EXPECT_TRUE(shown.policy_here().may_enable());
  EXPECT_FALSE(shown.policy_here().news());
  must_do(back_up(shown, folder_ / "data"));
}

}  // namespace
}  // namespace holdfast
