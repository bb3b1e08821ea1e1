// Which keys end and when, and accounts that are shown in pages. With a real token.
#include "custody/custodian.h"
#include "support/custody_world.h"

namespace holdfast::custody {
namespace {

Code code_of(const auto& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? Code::kConflict : result.error().code;
}

bool has_object(World& world, const ShownAccount& account, std::uint64_t number) {
  world.custodian.reset();
  const bool there = Token::open(world.token.place()).value()->has({account.id(), number}).value();
  world.start();
  return there;
}

// At the advanced level, with some epochs more.
ShownAccount long_account(World& world) {
  ShownAccount account = world.advanced();
  for (int i = 0; i < 8; ++i)
    account.maker().append(account.maker().rotate(), account.maker().first);
  account.include(world.log);
  return account;
}

api::CircleEvidence only(api::CircleEvidence evidence, std::size_t count) {
  evidence.statements.resize(count);
  return evidence;
}

// Another history of the same account, by its own device.
std::vector<Bytes> fork_of(ShownAccount& account) {
  const auto outer = wire::decode<circle::SignedStatement>(account.genesis()).value();
  const auto inner = wire::decode<circle::Statement>(outer.statement).value();
  testkit::CircleMaker other(account.maker().first,
                             wire::decode<circle::Genesis>(inner.body).value());
  other.enroll("another paper");
  other.append(other.raise(), other.first);
  return other.statements();
}

// ---- accounts in pages ----

TEST(Shown, ALongAccountIsProvenInPages) {
  World world;
  ShownAccount account = long_account(world);
  for (std::uint64_t seen = 0; seen < 9; seen += 3) {
    const auto page = only(account.evidence(world.log, *world.custodian), 3);
    // A page by itself proves nothing.
    EXPECT_EQ(code_of(world.custodian->destroy(account.id(), account.reader(), page)),
              Code::kUnavailable);
    EXPECT_EQ(world.custodian->seen(account.id()).value().statements, seen);
    ASSERT_TRUE(world.custodian->show(account.id(), page).ok());
    EXPECT_EQ(world.custodian->seen(account.id()).value().statements, seen + 3);
  }
  ASSERT_TRUE(world.destroy(account).ok());
  world.start();
  EXPECT_EQ(world.custodian->seen(account.id()).value().statements, 11U);  // proven now
}

TEST(Shown, WhatTheLogHasNotIsForgotten) {
  World world;
  ShownAccount account = long_account(world);
  const std::vector<Bytes> fork = fork_of(account);
  api::CircleEvidence forked = account.evidence(world.log, *world.custodian);
  forked.statements = fork;
  // All of it is another history: the log says so.
  ASSERT_TRUE(world.custodian->show(account.id(), forked).ok());
  forked.view.circle_next = fork.size();
  forked.statements.clear();
  EXPECT_EQ(code_of(world.custodian->destroy(account.id(), account.reader(), forked)),
            Code::kUnsafe);
  EXPECT_EQ(world.custodian->seen(account.id()).value().statements, 0U);
  // Or what comes next does not follow.
  forked.statements = fork;
  ASSERT_TRUE(world.custodian->show(account.id(), forked).ok());
  EXPECT_FALSE(world.destroy(account).ok());
  EXPECT_EQ(world.custodian->seen(account.id()).value().statements, 0U);
  EXPECT_TRUE(world.destroy(account).ok());
}

TEST(Shown, NothingIsTakenThatBreaksTheRulesOrIsOfNobody) {
  World world;
  ShownAccount account = long_account(world);
  api::CircleEvidence page = only(account.evidence(world.log, *world.custodian), 3);
  std::swap(page.statements[1], page.statements[2]);
  EXPECT_FALSE(world.custodian->show(account.id(), page).ok());
  page.statements[1].clear();
  EXPECT_FALSE(world.custodian->show(account.id(), page).ok());
  EXPECT_EQ(code_of(world.custodian->show(CircleId(Digest{{1}}.bytes), page)), Code::kNotFound);
  page.lookup.back() ^= 1;
  EXPECT_FALSE(world.custodian->show(account.id(), page).ok());
  page.statements.resize(api::kMaxNewStatements + 1);
  EXPECT_EQ(code_of(world.custodian->show(account.id(), page)), Code::kInvalid);
  EXPECT_EQ(world.custodian->seen(account.id()).value().statements, 0U);
  // A restart begins anew.
  ASSERT_TRUE(
      world.custodian->show(account.id(), only(account.evidence(world.log, *world.custodian), 3))
          .ok());
  world.start();
  EXPECT_EQ(world.custodian->seen(account.id()).value().statements, 0U);
}

TEST(Follower, AsksForAnAuditorsWordOnTheNewestMap) {
  World world;
  ShownAccount account = world.advanced();
  const auto older = world.log.view(0).audit;
  account.maker().append(account.maker().rotate(), account.maker().first);
  account.include(world.log);
  api::CircleEvidence evidence = account.evidence(world.log, *world.custodian);
  const auto good = evidence.view.audit;
  const auto destroy = [&] {
    return world.custodian->destroy(account.id(), account.reader(), evidence);
  };
  evidence.view.audit = older;
  EXPECT_EQ(code_of(destroy()), Code::kUnavailable);
  evidence.view.audit.reset();
  evidence.view.leaves.clear();  // it has them
  EXPECT_EQ(code_of(destroy()), Code::kUnavailable);
  evidence.view.audit = world.log.audit(2, Digest());
  EXPECT_EQ(code_of(destroy()), Code::kUnsafe);
  evidence.view.audit = good;
  EXPECT_TRUE(destroy().ok());
}

// ---- keys of accounts that are gone ----

TEST(Retired, AKeyEndsThirtyDaysAfterItsAccount) {
  World world;
  ShownAccount account = world.account();
  account.include(world.log);
  ASSERT_TRUE(world.custodian->keep(account.id(), account.reader(), account.genesis()).ok());
  ASSERT_TRUE(
      world.custodian->verify(account.id(), account.evidence(world.log, *world.custodian)).ok());
  ASSERT_TRUE(world.custodian->retire(account.id(), account.reader()).ok());
  world.clock->advance(kRetiredMs);
  ASSERT_TRUE(world.custodian->retire(account.id(), account.reader()).ok());  // the first counts
  EXPECT_EQ(world.custodian->sweep().value(), 0U);
  world.clock->advance(1);
  EXPECT_EQ(world.custodian->sweep().value(), 1U);
  EXPECT_FALSE(has_object(world, account, 1));
  EXPECT_EQ(world.custodian->seen(account.id()).value().statements, 0U);
  EXPECT_EQ(code_of(world.custodian->keep(account.id(), account.reader(), account.genesis())),
            Code::kNotFound);
  EXPECT_TRUE(world.custodian->retire(account.id(), account.reader()).ok());
}

// A service that was broken into for a while.
TEST(Retired, AnAccountThatIsThereAfterAllKeepsItsKey) {
  World world;
  ShownAccount account = world.account();
  account.include(world.log);
  ASSERT_TRUE(world.custodian->retire(account.id(), account.reader()).ok());
  ASSERT_TRUE(world.custodian->keep(account.id(), account.reader(), account.genesis()).ok());
  world.clock->advance(kRetiredMs + 1);
  EXPECT_EQ(world.custodian->sweep().value(), 0U);
  ASSERT_TRUE(world.custodian->retire(account.id(), account.reader()).ok());
  const auto evidence = account.evidence(world.log, *world.custodian, world.clock->now());
  ASSERT_TRUE(world.custodian->verify(account.id(), evidence).ok());
  world.clock->advance(kRetiredMs + 1);
  EXPECT_EQ(world.custodian->sweep().value(), 0U);
  EXPECT_TRUE(has_object(world, account, 1));
}

// ---- keys that nobody keeps ----

TEST(Unused, AlsoOfAnAccountThatHadAnother) {
  World world;
  ShownAccount account = world.advanced();
  ASSERT_TRUE(world.destroy(account).ok());
  ShownAccount::issued(*world.custodian, account.id());
  world.clock->advance(kUnusedMs + 1);
  EXPECT_EQ(world.custodian->sweep().value(), 1U);
  EXPECT_FALSE(has_object(world, account, 2));
}

TEST(Unused, AlsoWhereItsMakingWasCutShort) {
  World world;
  ShownAccount account = world.account();
  world.custodian.reset();
  {
    auto tables = Tables::open(world.data() + "/custody.db").value();
    KeyRow row = tables.newest_key(account.id()).value().value();
    row.state = KeyState::kMaking;
    row.reader = {};
    row.info = row.seed = {};
    ASSERT_TRUE(tables.put_key(row).ok());
  }
  world.start();
  const auto next = ShownAccount::issued(*world.custodian, account.id());
  ASSERT_TRUE(world.custodian->keep(account.id(), circle::reader_id(next), account.genesis()).ok());
  world.clock->advance(kUnusedMs + 1);
  EXPECT_EQ(world.custodian->sweep().value(), 1U);
  EXPECT_FALSE(has_object(world, account, 1));
  EXPECT_TRUE(has_object(world, account, 2));
}

// As where the custodian's memory was put back from an older copy.
TEST(Unused, NotWhatTheMemoryDoesNotKnow) {
  World world;
  const CircleId circle(Digest{{1}}.bytes);
  const auto token = [&] { return Token::open(world.token.place()).value(); };
  world.custodian.reset();
  ASSERT_TRUE(token()->make({circle, 1}).ok());
  world.start();
  EXPECT_EQ(code_of(world.custodian->issue(circle)), Code::kUnsafe);
  world.clock->advance(kUnusedMs + 1);
  EXPECT_EQ(world.custodian->sweep().value(), 0U);
  world.custodian.reset();
  EXPECT_TRUE(token()->has({circle, 1}).value());
}

// ---- keys that are ending ----

TEST(Ending, OneThatCannotEndHoldsUpNeitherTheStartNorTheOthers) {
  World world;
  const ShownAccount stuck = world.account("a");
  const ShownAccount other = world.account("bb");
  world.custodian.reset();
  {
    auto tables = Tables::open(world.data() + "/custody.db").value();
    for (const ShownAccount* one : {&stuck, &other}) {
      KeyRow row = tables.newest_key(one->id()).value().value();
      row.state = KeyState::kEnding;
      row.receipt = one == &stuck ? Bytes{1, 2, 3} : Bytes();
      if (one == &stuck) --row.issued_ms;  // it comes first
      ASSERT_TRUE(tables.put_key(row).ok());
    }
  }
  world.start();
  ASSERT_NE(world.custodian, nullptr);
  EXPECT_EQ(world.custodian->counts().value().ending, 1U);
  EXPECT_FALSE(world.custodian->sweep().ok());  // it is told, each time
  EXPECT_FALSE(has_object(world, other, 1));
  EXPECT_TRUE(world.custodian->issue(other.id()).ok());
}

}  // namespace
}  // namespace holdfast::custody
