#include "server/accounts.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"
#include "server/joins.h"
#include "server/test_data.h"

namespace holdfast::server {
namespace {

constexpr TimeMs kNow = 1'700'000'000'000;
constexpr TimeMs kDay = 24 * 60 * 60 * 1000;

template <class AnyId>
AnyId id(std::uint8_t fill) {
  AnyId out;
  out.bytes.fill(fill);
  return out;
}

class AccountsTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  const std::unique_ptr<Writer> writer_ =
      Writer::open(folder_.file("service.db"), Accounts::kSchema + Joins::kSchema).value();
  Accounts accounts_{*writer_};
  Joins joins_{*writer_, 100};
  ConnectionLog log_{*writer_};

  Result<void> reserve(const std::string& token, const std::string& account, bool made = false,
                       std::uint8_t genesis = 1, TimeMs now = kNow) {
    return accounts_.reserve(
        token, account, id<Digest>(genesis), now,
        [&](const std::string&, const Digest&) -> Result<bool> { return made; });
  }
};

TEST_F(AccountsTest, ARowIsMadeOnceAndCanBeRead) {
  EXPECT_FALSE(accounts_.find("mila").value().has_value());
  ASSERT_TRUE(accounts_.add("mila", kNow, 5000).ok());
  ASSERT_TRUE(accounts_.add("mila", kNow + 1, std::nullopt).ok());
  const auto row = accounts_.find("mila").value();
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->created_ms, kNow);
  EXPECT_EQ(row->quota, 5000u);
  EXPECT_FALSE(row->deletion_ms.has_value());
  EXPECT_FALSE(row->ending);
  EXPECT_EQ(accounts_.count().value(), 1u);
  ASSERT_TRUE(accounts_.set_quota("mila", std::nullopt).ok());
  EXPECT_FALSE(accounts_.find("mila").value()->quota.has_value());
  ASSERT_TRUE(accounts_.set_quota("mila", 0).ok());
  EXPECT_EQ(accounts_.find("mila").value()->quota, 0u);
  EXPECT_EQ(code(accounts_.set_quota("nobody", 1)), Code::kNotFound);
}

TEST_F(AccountsTest, AnEndKeepsItsFirstDateAndCanBeTakenBack) {
  ASSERT_TRUE(accounts_.add("mila", kNow, std::nullopt).ok());
  ASSERT_TRUE(accounts_.ask_deletion("mila", kNow + kDay).ok());
  ASSERT_TRUE(accounts_.ask_deletion("mila", kNow + 2 * kDay).ok());
  EXPECT_EQ(accounts_.find("mila").value()->deletion_ms, kNow + kDay);
  EXPECT_TRUE(accounts_.begin_ends(kNow + kDay - 1).value().empty());
  ASSERT_TRUE(accounts_.keep("mila").ok());
  EXPECT_TRUE(accounts_.begin_ends(kNow + kDay).value().empty());
  ASSERT_TRUE(accounts_.ask_deletion("mila", kNow + kDay).ok());
  EXPECT_EQ(accounts_.begin_ends(kNow + kDay).value(), std::vector<std::string>{"mila"});
  ASSERT_TRUE(accounts_.keep("mila").ok());  // too late
  EXPECT_TRUE(accounts_.find("mila").value()->ending);
  EXPECT_EQ(accounts_.begin_ends(0).value(), std::vector<std::string>{"mila"});
  ASSERT_TRUE(accounts_.erase("mila").ok());
  EXPECT_TRUE(accounts_.begin_ends(kNow + kDay).value().empty());
  EXPECT_FALSE(accounts_.find("mila").value().has_value());
}

TEST_F(AccountsTest, AnInvitationMakesOneAccount) {
  const std::string token = accounts_.invite(kNow, kDay).value();
  EXPECT_EQ(code(reserve("", "mila")), Code::kDenied);
  EXPECT_EQ(code(reserve(std::string(32, '0'), "mila")), Code::kDenied);
  EXPECT_EQ(code(reserve(token, "mila", false, 1, kNow + kDay)), Code::kDenied);
  ASSERT_TRUE(reserve(token, "mila").ok());
  ASSERT_TRUE(reserve(token, "mila").ok());  // the same sign-up again
  // A reservation that led nowhere gives way; one that was made does not.
  EXPECT_EQ(code(reserve(token, "tom", true, 2)), Code::kDenied);
  ASSERT_TRUE(reserve(token, "tom", false, 2).ok());
  ASSERT_TRUE(accounts_.add_invited("tom", kNow, 7, token).ok());
  EXPECT_EQ(accounts_.find("tom").value()->quota, 7u);
  EXPECT_EQ(code(reserve(token, "mila")), Code::kDenied);
  EXPECT_EQ(code(reserve(token, "tom", false, 3)), Code::kDenied);
  // Also after it expired, for who used it may not know that it worked.
  EXPECT_TRUE(reserve(token, "tom", true, 2, kNow + 2 * kDay).ok());
  ASSERT_TRUE(accounts_.erase("tom").ok());
  EXPECT_EQ(code(reserve(token, "mila")), Code::kDenied);
}

TEST_F(AccountsTest, ARefusedSignUpGivesTheInvitationBack) {
  const std::string token = accounts_.invite(kNow, kDay).value();
  ASSERT_TRUE(reserve(token, "mila").ok());
  ASSERT_TRUE(accounts_.release(token, id<Digest>(1)).ok());
  EXPECT_TRUE(reserve(token, "tom", true, 2).ok());
}

TEST_F(AccountsTest, CapsulesAreFoundOldestFirst) {
  const auto here = id<LocateId>(1);
  ASSERT_TRUE(accounts_.put_capsule(here, "mila").ok());
  ASSERT_TRUE(accounts_.put_capsule(here, "mila").ok());
  ASSERT_TRUE(accounts_.put_capsule(here, "adam").ok());
  EXPECT_EQ(accounts_.capsule_accounts(here).value(), (std::vector<std::string>{"mila", "adam"}));
  ASSERT_TRUE(accounts_.leave_capsule("mila", id<LocateId>(2)).ok());
  EXPECT_EQ(accounts_.capsule_accounts(here).value(), std::vector<std::string>{"adam"});
  EXPECT_EQ(accounts_.capsule_accounts(id<LocateId>(2)).value(), std::vector<std::string>{"mila"});
  ASSERT_TRUE(accounts_.leave_capsule("adam", std::nullopt).ok());
  EXPECT_TRUE(accounts_.capsule_accounts(here).value().empty());
}

TEST_F(AccountsTest, ADroppedPackMayGoUnlessALaterRecordKeptIt) {
  const auto vault = id<VaultId>(1);
  const PackId a = id<PackId>(1), b = id<PackId>(2);
  ASSERT_TRUE(accounts_.apply_drops("mila", vault, {{1, {}, {}}, {2, {a, b}, {}}}, kNow).ok());
  EXPECT_EQ(accounts_.drop_cursor("mila", vault).value(), 2u);
  EXPECT_TRUE(accounts_.dropped(kNow - 1, 10).value().empty());
  EXPECT_EQ(accounts_.dropped(kNow, 10).value().size(), 2u);
  EXPECT_EQ(accounts_.dropped(kNow, 1).value().size(), 1u);
  // Again, later: nothing changes.
  ASSERT_TRUE(accounts_.apply_drops("mila", vault, {{2, {a, b}, {}}}, kNow + 5).ok());
  EXPECT_EQ(accounts_.dropped(kNow, 10).value().size(), 2u);
  ASSERT_TRUE(accounts_.apply_drops("mila", vault, {{3, {}, {a}}}, kNow + 5).ok());
  const auto left = accounts_.dropped(kNow + 9, 10).value();
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].pack, b);
  EXPECT_EQ(left[0].account, "mila");
  EXPECT_TRUE(accounts_.is_dropped(left[0]).value());
  EXPECT_FALSE(accounts_.is_dropped({"mila", vault, a}).value());
  EXPECT_FALSE(accounts_.is_dropped({"tom", vault, b}).value());
  // A record that dropped it may not come twice into effect.
  ASSERT_TRUE(accounts_.apply_drops("mila", vault, {{2, {a, b}, {}}}, kNow + 6).ok());
  EXPECT_FALSE(accounts_.is_dropped({"mila", vault, a}).value());
  EXPECT_EQ(code(accounts_.apply_drops("mila", vault, {{5, {a}, {}}}, kNow)), Code::kConflict);
  ASSERT_TRUE(accounts_.forget_drop(left[0]).ok());
  EXPECT_TRUE(accounts_.dropped(kNow + 9, 10).value().empty());
}

TEST_F(AccountsTest, ConnectionsAreCountedByTheHour) {
  const auto laptop = id<ReaderId>(1), phone = id<ReaderId>(2);
  const TimeMs hour = 3'600'000;
  const TimeMs start = kNow - kNow % hour;
  log_.note("mila", laptop, "192.0.2.1", start + 10);
  log_.note("mila", laptop, "192.0.2.1", start + 20);
  log_.note("mila", phone, "2001:db8::1", start + 30);
  log_.note("mila", laptop, "192.0.2.1", start + 60'000);
  log_.note("mila", laptop, "192.0.2.1", start + hour);
  log_.note("tom", id<ReaderId>(3), "192.0.2.9", start);
  const auto lines = log_.read("mila").value();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].caller, laptop);
  EXPECT_EQ(lines[0].requests, 1u);
  EXPECT_EQ(lines[1].caller, laptop);
  EXPECT_EQ(lines[1].first_ms, start + 10);
  EXPECT_EQ(lines[1].last_ms, start + 60'000);
  EXPECT_EQ(lines[1].requests, 3u);
  EXPECT_EQ(lines[2].address, "2001:db8::1");
  ASSERT_TRUE(log_.prune(start + hour).ok());
  EXPECT_EQ(log_.read("mila").value().size(), 1u);
  ConnectionLog other(*writer_);
  EXPECT_EQ(other.read("mila").value().size(), 1u);
}

TEST_F(AccountsTest, JoinMessagesAreWrittenOnceAndExpire) {
  using api::JoinMessage;
  const auto request = id<RequestId>(1);
  const Bytes hello = {1}, answer = {2};
  EXPECT_EQ(code(joins_.put("mila", request, JoinMessage::kAnswer, answer, kNow)), Code::kNotFound);
  EXPECT_EQ(code(joins_.put("mila", request, JoinMessage::kRequest, {}, kNow)), Code::kInvalid);
  ASSERT_TRUE(joins_.put("mila", request, JoinMessage::kRequest, hello, kNow).ok());
  ASSERT_TRUE(joins_.put("mila", request, JoinMessage::kRequest, hello, kNow + 1).ok());
  EXPECT_EQ(code(joins_.put("mila", request, JoinMessage::kRequest, answer, kNow)),
            Code::kConflict);
  EXPECT_EQ(code(joins_.get("mila", request, JoinMessage::kAnswer, kNow)), Code::kNotFound);
  const TimeMs late = kNow + kJoinLifeMs - 1;
  ASSERT_TRUE(joins_.put("mila", request, JoinMessage::kAnswer, answer, late).ok());
  EXPECT_EQ(joins_.get("mila", request, JoinMessage::kAnswer, late).value(), answer);
  EXPECT_EQ(joins_.list("mila", late).value(), std::vector<RequestId>{request});
  EXPECT_TRUE(joins_.list("tom", late).value().empty());
  // All of it ends with the request.
  EXPECT_EQ(code(joins_.get("mila", request, JoinMessage::kAnswer, late + 1)), Code::kNotFound);
  EXPECT_TRUE(joins_.list("mila", late + 1).value().empty());
  ASSERT_TRUE(joins_.drop_expired(late + 1).ok());
  EXPECT_EQ(code(joins_.get("mila", request, JoinMessage::kRequest, kNow)), Code::kNotFound);
  ASSERT_TRUE(joins_.put("mila", request, JoinMessage::kRequest, hello, late + 2).ok());
  ASSERT_TRUE(joins_.drop("mila", request).ok());
  EXPECT_TRUE(joins_.list("mila", late + 2).value().empty());
}

TEST_F(AccountsTest, WaitingRequestsAreBounded) {
  const Bytes hello = {1};
  std::uint8_t n = 0;
  const auto put = [&](const std::string& account, TimeMs now) {
    return joins_.put(account, id<RequestId>(++n), api::JoinMessage::kRequest, hello, now);
  };
  for (std::size_t i = 0; i < api::kMaxOpenJoins; ++i) ASSERT_TRUE(put("mila", kNow).ok());
  EXPECT_EQ(code(put("mila", kNow)), Code::kUnavailable);
  for (std::size_t i = api::kMaxOpenJoins; i < 100; ++i) ASSERT_TRUE(put("tom", kNow + 1).ok());
  EXPECT_EQ(code(put("eve", kNow)), Code::kUnavailable);
  EXPECT_TRUE(put("eve", kNow + kJoinLifeMs).ok());
}

// A record of an epoch that ended, sent once more, must not make room anew in this one.
TEST_F(AccountsTest, AnOldEpochGivesNoRoomToUndo) {
  ASSERT_TRUE(accounts_.add_undo_bytes("mila", 5, 100).ok());
  ASSERT_TRUE(accounts_.add_undo_bytes("mila", 1, 7).ok());
  EXPECT_EQ(accounts_.undo_bytes("mila", 5).value(), 100u);
  ASSERT_TRUE(accounts_.add_undo_bytes("mila", 6, 3).ok());
  EXPECT_EQ(accounts_.undo_bytes("mila", 6).value(), 3u);
}

}  // namespace
}  // namespace holdfast::server
