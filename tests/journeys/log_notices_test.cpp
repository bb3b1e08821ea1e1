// What else stands in the log: release batches, policies, other trust roots.
#include "crypto/hash.h"
#include "log_scene.h"
#include "net/client.h"
#include "support/custodian.h"
#include "tlog/notice.h"

namespace holdfast {
namespace {

// ---- release batches ----

TEST_F(PublicLog, ABatchThatReleasesNothingChangesNothing) {
  testkit::Custodian custodian(*logged_->service->log());
  const std::uint32_t epoch = account_->circle().epoch();
  custodian.release({account_->circle().id()}, {}, 0);
  step();
  custodian.open_all();
  must_do(account_->sync());
  EXPECT_EQ(account_->log_status()->batches, 1u);
  EXPECT_EQ(account_->log_status()->closed, 0u);
  EXPECT_TRUE(account_->log_status()->released.empty());
  EXPECT_EQ(account_->circle().epoch(), epoch);
}

TEST_F(PublicLog, AReleaseIsLoggedThenShownAndTheDeviceRotates) {
  testkit::Custodian custodian(*logged_->service->log());
  const std::uint32_t epoch = account_->circle().epoch();
  tlog::Release release;
  release.vault = account_->circle().vaults().at(0).id;
  release.epoch = epoch;
  custodian.release({account_->circle().id()}, {release}, 2);
  // The gate: nothing is done before the log has it, at quorum.
  EXPECT_FALSE(custodian.may_act(release, time_->now()));
  step();
  EXPECT_TRUE(custodian.may_act(release, time_->now()));
  must_do(account_->sync());
  EXPECT_EQ(account_->log_status()->closed, 1u);
  EXPECT_EQ(account_->circle().epoch(), epoch);
  pass(2 * 24 * 60 * 60);
  custodian.open_all();
  wait_without_a_step(1);
  must_do(account_->sync());
  EXPECT_EQ(account_->circle().epoch(), epoch + 1);
  step();
  must_do(account_->sync());
  ASSERT_EQ(account_->log_status()->released.size(), 1u);
  EXPECT_EQ(account_->log_status()->released[0].what, release);
  EXPECT_EQ(account_->log_status()->closed, 0u);
  EXPECT_EQ(account_->circle().epoch(), epoch + 1);
}

TEST_F(PublicLog, AnOpeningThatDoesNotComeIsRed) {
  testkit::Custodian custodian(*logged_->service->log());
  custodian.release({account_->circle().id()}, {}, 1);
  step();
  must_do(account_->sync());
  wait_without_a_step(2 * 24 * 60 * 60 - 60);
  must_do(account_->sync());
  EXPECT_TRUE(account_->log_status()->alarms.empty());
  wait_without_a_step(60 * 60);
  must_do(account_->sync());
  ASSERT_EQ(account_->log_status()->alarms.size(), 1u);
  EXPECT_NE(account_->log_status()->alarms[0].find("should have been opened"), std::string::npos);
}

TEST_F(PublicLog, AFalsePositionOrOpeningIsRefused) {
  testkit::Custodian custodian(*logged_->service->log());
  custodian.release({account_->circle().id()}, {}, 0);
  step();
  custodian.open_all();
  Lies lies;
  lies.batches = [](std::vector<api::BatchView>& page) {
    auto proof = *wire::decode<tlog::PositionProof>(page[0].position);
    proof.value.reset();
    page[0].position = wire::encode(proof);
  };
  expect_contradiction(lies, "at this account's position");
  lies.batches = [](std::vector<api::BatchView>& page) { page[0].opening->back() ^= 1; };
  expect_contradiction(lies, "");
  lies.batches = [](std::vector<api::BatchView>& page) { page.clear(); };
  const auto withheld = must(open(lies));
  EXPECT_FALSE(withheld.log_withheld().empty());
  EXPECT_FALSE(withheld.log_status());
  lies.batches = {};
  EXPECT_TRUE(must(open(lies)).log_withheld().empty());
}

// ---- policies ----

TEST_F(PublicLog, APolicyIsShownAndGivesSevenDays) {
  server::PublicLog& log = *logged_->service->log();
  const auto now = static_cast<std::uint64_t>(time_->now() / 1000);
  const Bytes first = any_policy(1, now, {});
  const std::uint64_t next = now + tlog::kNotice_s + server::kLead_s + 60;
  must_do(log.append_policy(first));
  EXPECT_EQ(log.append_policy(any_policy(2, now + 60, first)).error().code, Code::kInvalid);
  EXPECT_EQ(log.append_policy(any_policy(3, next, first)).error().code, Code::kInvalid);
  must_do(log.append_policy(any_policy(2, next, first)));
  step();
  must_do(account_->sync());
  const auto* status = &*account_->log_status();
  EXPECT_TRUE(status->alarms.empty()) << status->alarms.at(0);
  ASSERT_EQ(status->policies.size(), 2u);
  EXPECT_TRUE(status->policies[0].in_effect);
  EXPECT_FALSE(status->policies[1].in_effect);
  ASSERT_TRUE(status->policies[1].rules);
  EXPECT_EQ(status->policies[1].rules->others.note, "rules 2");
  wait_without_a_step(8 * 24 * 60 * 60);
  must_do(account_->sync());
  status = &*account_->log_status();
  ASSERT_EQ(status->policies.size(), 1u);
  EXPECT_EQ(status->policies[0].version, 2u);
  EXPECT_TRUE(status->alarms.empty());
  // A device that comes later sees by the first checkpoint that notice was given.
  vault::Home desk_home = new_home(folder_ / "desk");
  vault::Account desk = join(*account_, desk_home, *store_, clock_, "desk");
  EXPECT_EQ(desk.log_status()->policies.size(), 1u);
  EXPECT_TRUE(desk.log_status()->alarms.empty()) << desk.log_status()->alarms.at(0);
}

// ---- trust roots ----

TEST_F(PublicLog, OtherWitnessesCountSevenDaysAfterTheOldOnesSaidSo) {
  auto other = must(witness::Witness::open(
      {folder_ / "witness-2", "w2", {logged_->service->log()->trusted().log()}}, time_));
  tlog::LogRoots next_log = must(wire::decode<tlog::LogRoots>(must(store_->get_log("roots"))));
  circle::TrustRoots standing;
  standing.tls_pin = store_->tls_pin();
  standing.log = wire::encode(next_log);
  standing.policy_key = must(store_->get_log("policy-key"));
  next_log.witnesses = {};
  next_log.witnesses.push_back({"w2", other->key().key.bytes});
  next_log.auditors = {};
  tlog::TrustChange change;
  change.previous = crypto::sha256(wire::encode(standing));
  circle::TrustRoots next = standing;
  next.log = wire::encode(next_log);
  change.roots = wire::encode(next);
  const auto now = static_cast<std::uint64_t>(time_->now() / 1000);
  server::PublicLog& log = *logged_->service->log();
  change.in_effect_from_s = now + tlog::kNotice_s;
  EXPECT_EQ(log.append_leaf(change).error().code, Code::kInvalid);
  change.in_effect_from_s = now + tlog::kNotice_s + server::kLead_s + 60;
  must_do(log.append_leaf(change));
  step();
  must_do(account_->sync());
  EXPECT_EQ(account_->log_status()->trust_change_s, change.in_effect_from_s);

  // The new witnesses alone, before their time: refused; after it: followed.
  roots_ = next_log;
  witness_ = std::move(other);
  logged_.reset();
  begin("0");
  wait_without_a_step(60 * 60);
  Lies lies;
  expect_contradiction(lies, "cosigned by 0 witnesses");
  wait_without_a_step(8 * 24 * 60 * 60);
  account_.emplace(must(open(lies)));
  EXPECT_EQ(account_->log_status()->witnesses, 1u);
  must_do(account_->sync());
  // Whoever joins with the roots of the genesis follows the same way.
  vault::Home desk_home = new_home(folder_ / "desk");
  join(*account_, desk_home, *store_, clock_, "desk");
}

}  // namespace
}  // namespace holdfast
