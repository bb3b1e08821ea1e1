// Releases, the gate, and help for an owner without devices, with a real token.
#include "circle/help.h"

#include "crypto/hash.h"
#include "support/custody_world.h"
#include "tlog/batch.h"

namespace holdfast::custody {
namespace {

constexpr TimeMs kHour = 60LL * 60 * 1000;
constexpr TimeMs kDay = 24 * kHour;
using testkit::make_signer;

Code code_of(const auto& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? Code::kConflict : result.error().code;
}

tlog::ReleaseBatch batch_in(const api::NextBatch& next) {
  return wire::decode<tlog::ReleaseBatch>(next.leaf).value();
}

// Two operators, an account whose custodian reads "home" and not "diary", and an owner who asks.
struct HelpWorld {
  World world;
  testkit::Signer first = make_signer("operator one");
  testkit::Signer second = make_signer("operator two");
  std::optional<ShownAccount> account;
  testkit::TestDevice owner = testkit::make_device("found again");
  VaultKey key = VaultKey::random();
  Bytes envelope;
  Bytes request;
  tlog::AgeEvidence age;

  HelpWorld() {
    world.operators = {first.key->verify_key().bytes, second.key->verify_key().bytes};
    world.start();
    account = world.account();
    EXPECT_TRUE(world.custodian->keep(account->id(), account->reader(), account->genesis()).ok());
    add_home();
    account->maker().append(account->maker().set_vault("diary", true), account->maker().first);
    account->include(world.log);
    request = ask(owner, now());
  }
  TimeMs now() const { return world.clock->now(); }
  Custodian& custodian() { return *world.custodian; }
  const CircleId& id() const { return account->id(); }

  void add_home() {
    testkit::CircleMaker& maker = account->maker();
    const VaultId home = testkit::vault_id("home");
    envelope = crypto::wrap_key({account->info().wrap_key},
                                envelope_info(id(), 1, home, account->info().wrap_key), key)
                   .value();
    circle::SetVault body = maker.set_vault("home");
    const auto slots = circle::vault_slots({home, "home", false, 0, 0}, {account->reader()});
    for (std::size_t i = 0; i < slots.size(); ++i)
      if (slots[i].kind == circle::BlobKind::kVaultReader)
        body.epoch.blobs[i] = BlobId(crypto::sha256(envelope).bytes);
    maker.append(body, maker.first);
  }
  static Bytes ask(const testkit::TestDevice& device, TimeMs at) {
    circle::HelpRequest out;
    out.account = "mila";
    out.device = device.info;
    out.time_ms = at;
    return circle::sign_help_request(out, *device.key);
  }
  Bytes grant(const testkit::Signer& by) const { return grant(by, request, owner.id); }
  Bytes grant(const testkit::Signer& by, const Bytes& of, const ReaderId& helped) const {
    circle::HelpGrant out;
    out.circle = id();
    out.helped = helped;
    out.request = crypto::sha256(of);
    return circle::sign_help_grant(out, *by.key);
  }
  api::CircleEvidence evidence() { return account->evidence(world.log, custodian(), now()); }
  Result<Bytes> propose(const std::vector<Bytes>& grants) {
    return custodian().propose_help(id(), {request, grants}, evidence());
  }

  // Into the circle and the log, whose age it has from now on.
  std::uint64_t proposed() {
    account->maker().append(propose({grant(first), grant(second)}).value());
    account->include(world.log);
    const std::uint64_t seq = account->maker().circle().seq();
    age = world.log.begin_age(tlog::circle_label(account->key(), seq), now());
    return seq;
  }
  api::HelpDue due(std::uint64_t proposal) {
    api::HelpDue out{proposal, world.log.end_age(age, now()), {}};
    for (const circle::Vault& vault : account->maker().circle().vaults())
      out.heads.push_back({vault.id, 0, {}});
    return out;
  }
  Result<Bytes> list(std::uint64_t proposal) {
    return custodian().list_help(id(), due(proposal), evidence());
  }
  Result<api::HelpGiven> complete(std::uint64_t proposal, const Bytes& batch) {
    return complete(proposal, world.log.prove(batch, now()));
  }
  Result<api::HelpGiven> complete(std::uint64_t proposal, const tlog::LeafProof& proof) {
    return custodian().complete_help(id(), due(proposal), {envelope}, wire::encode(proof),
                                     evidence());
  }
  Bytes next() { return custodian().next_batch().value().leaf; }
  // Three days on: listed, in the log.
  Bytes logged(std::uint64_t proposal) {
    world.clock->advance(3 * kDay);
    EXPECT_TRUE(list(proposal).value().empty());
    const Bytes batch = next();
    world.log.add(batch);
    return batch;
  }
};

// ---- release batches ----

TEST(Releases, ABatchIsTheSameUntilTheLogHasItAndTheNextFollows) {
  HelpWorld h;
  Bytes before;
  for (std::uint64_t n = 1; n <= 3; ++n) {
    const api::NextBatch made = h.custodian().next_batch().value();
    EXPECT_EQ(batch_in(made).n, n);
    EXPECT_EQ(batch_in(made).accounts, 1U);
    if (n > 1) {
      EXPECT_EQ(batch_in(made).previous, tlog::leaf_hash(before));
    }
    std::vector<tlog::MapEntry> positions;
    for (const auto& [label, value] : made.positions)
      positions.push_back({tlog::MapLabel(label.bytes), value});
    EXPECT_EQ(tlog::Map().root_after(positions).value(), batch_in(made).root);
    h.world.start();  // as after a kill
    EXPECT_EQ(h.next(), made.leaf);
    h.world.log.add(made.leaf);
    EXPECT_EQ(h.next(), made.leaf);  // it was not shown yet
    EXPECT_TRUE(h.custodian().follow(h.evidence().view).ok());
    h.world.start();
    before = made.leaf;
  }
  EXPECT_EQ(batch_in({h.next(), {}}).n, 4U);
}

TEST(Releases, RefusesALogThatHasABatchThatItDidNotMake) {
  HelpWorld h;
  const Bytes mine = h.next();
  h.world.log.add(tlog::Batch::make({}, {}, 0).value().leaf());
  ASSERT_TRUE(h.custodian().follow(h.evidence().view).ok());
  EXPECT_EQ(code_of(h.custodian().next_batch()), Code::kUnsafe);
  // Nor one that leaves out a number.
  h.world.log.add(
      tlog::Batch::make(tlog::Batch::make(mine, {}, 0).value().leaf(), {}, 0).value().leaf());
  EXPECT_EQ(code_of(h.custodian().follow(h.evidence().view)), Code::kUnsafe);
}

TEST(Releases, AccountsThatLeftHaveNoPositionAnyMore) {
  HelpWorld h;
  h.account->go_advanced();
  h.account->include(h.world.log);
  ASSERT_TRUE(h.custodian().destroy(h.id(), h.account->reader(), h.evidence()).ok());
  EXPECT_EQ(batch_in(h.custodian().next_batch().value()).accounts, 0U);
}

TEST(Releases, AListIsOpenedOnceItIsInTheLogAndDue) {
  HelpWorld h;
  h.world.open_days = 1;
  h.world.start();
  const api::NextBatch made = h.custodian().next_batch().value();
  h.world.clock->advance(2 * kDay);
  EXPECT_EQ(h.custodian().due_openings().value().batch, 0U);  // the log has it not
  EXPECT_EQ(code_of(h.custodian().opened(1, h.id())), Code::kInvalid);
  h.world.log.add(made.leaf);
  ASSERT_TRUE(h.custodian().follow(h.evidence().view).ok());
  h.world.clock->advance(kNow + kDay - 1 - h.now());
  EXPECT_EQ(h.custodian().due_openings().value().batch, 0U);  // not for a day
  EXPECT_EQ(code_of(h.custodian().opened(1, h.id())), Code::kInvalid);
  h.world.clock->advance(kNow + kDay - h.now());
  const api::DueOpenings due = h.custodian().due_openings().value();
  ASSERT_EQ(due.batch, 1U);
  ASSERT_EQ(due.openings.size(), 1U);
  EXPECT_EQ(due.openings[0].first, h.id());
  EXPECT_TRUE(tlog::verify_opening(made.positions[0].second, h.id(), 1, due.openings[0].second)
                  .value()
                  .releases.empty());
  EXPECT_EQ(h.custodian().due_openings().value().openings, due.openings);
  ASSERT_TRUE(h.custodian().opened(1, h.id()).ok());
  EXPECT_EQ(h.custodian().due_openings().value().batch, 0U);
}

// ---- who grants ----

TEST(Help, TakesTwoOperatorsThatTheCustodianKnows) {
  HelpWorld h;
  const testkit::Signer foreign = make_signer("invented by the service");
  EXPECT_EQ(code_of(h.propose({})), Code::kDenied);
  EXPECT_EQ(code_of(h.propose({h.grant(h.first)})), Code::kDenied);
  EXPECT_EQ(code_of(h.propose({h.grant(h.first), h.grant(h.first)})), Code::kDenied);
  EXPECT_EQ(code_of(h.propose({h.grant(h.first), h.grant(foreign)})), Code::kDenied);
  EXPECT_EQ(code_of(h.propose({h.grant(foreign), h.grant(make_signer("another"))})), Code::kDenied);
  const Bytes statement =
      h.propose({h.grant(foreign), h.grant(h.first), h.grant(h.second)}).value();
  EXPECT_TRUE(h.account->maker().circle().apply(statement).ok());
}

TEST(Help, AGrantIsForOneRequestOfOneAccount) {
  HelpWorld h;
  const testkit::TestDevice thief = testkit::make_device("thief");
  const Bytes other = HelpWorld::ask(thief, h.now());
  const Bytes good = h.grant(h.second);
  EXPECT_EQ(code_of(h.propose({h.grant(h.first, other, h.owner.id), good})), Code::kDenied);
  EXPECT_EQ(code_of(h.propose({h.grant(h.first, h.request, thief.id), good})), Code::kDenied);
  circle::HelpGrant elsewhere;
  elsewhere.circle = CircleId(Digest{{1}}.bytes);
  elsewhere.helped = h.owner.id;
  elsewhere.request = crypto::sha256(h.request);
  EXPECT_EQ(code_of(h.propose({circle::sign_help_grant(elsewhere, *h.first.key), good})),
            Code::kDenied);
  // Another's keys under this request's grants.
  EXPECT_EQ(
      code_of(h.custodian().propose_help(h.id(), {other, {h.grant(h.first), good}}, h.evidence())),
      Code::kDenied);
  Bytes bent = h.grant(h.first);
  bent.back() ^= 1;
  EXPECT_EQ(code_of(h.propose({bent, good})), Code::kDenied);
}

TEST(Help, ARequestIsGoodForThirtyDays) {
  HelpWorld h;
  h.world.clock->advance(circle::kHelpRequestMs + 1);
  EXPECT_EQ(code_of(h.propose({h.grant(h.first), h.grant(h.second)})), Code::kDenied);
  h.world.clock->advance(kNow - 2 * kDay - h.now());
  EXPECT_EQ(code_of(h.propose({h.grant(h.first), h.grant(h.second)})), Code::kDenied);
}

// Who cancelled it once is not asked again by a service that kept the grants.
TEST(Help, TheSameGrantsDoNotServeTwice) {
  HelpWorld h;
  const std::uint64_t proposal = h.proposed();
  EXPECT_EQ(code_of(h.propose({h.grant(h.first), h.grant(h.second)})), Code::kDenied);
  h.account->maker().append(circle::Cancel{proposal}, h.account->maker().first);
  h.account->include(h.world.log);
  EXPECT_EQ(code_of(h.propose({h.grant(h.first), h.grant(h.second)})), Code::kDenied);
}

TEST(Help, IsForTheStandardLevelOnly) {
  HelpWorld h;
  h.account->go_advanced();
  h.account->include(h.world.log);
  EXPECT_EQ(code_of(h.propose({h.grant(h.first), h.grant(h.second)})), Code::kDenied);
}

// ---- the three days and the gate ----

TEST(Help, GivesTheKeysOfStandardVaultsOnceTheLogShowsThatItDoes) {
  HelpWorld h;
  const std::uint64_t proposal = h.proposed();
  const Bytes batch = h.logged(proposal);
  EXPECT_EQ(h.list(proposal).value(), batch);
  const api::HelpGiven given = h.complete(proposal, batch).value();

  // Everyone who replays the circle takes it; it reads "home", and never "diary".
  std::vector<Bytes> statements = h.account->maker().statements();
  statements.push_back(given.statement);
  const auto after =
      replay_circle(h.id(), statements, std::make_shared<const LookupKey>(h.account->key()),
                    h.evidence().roots, h.world.log.site.trusted());
  ASSERT_TRUE(after.ok()) << after.error().message;
  const VaultId home = testkit::vault_id("home");
  const auto blob = after->blob(1, {circle::BlobKind::kVaultReader, h.owner.id, home});
  ASSERT_EQ(given.blobs.size(), 1U);
  EXPECT_EQ(blob.value(), BlobId(crypto::sha256(given.blobs[0]).bytes));
  EXPECT_FALSE(
      after->blob(1, {circle::BlobKind::kVaultReader, h.owner.id, testkit::vault_id("diary")})
          .ok());
  EXPECT_EQ(after->member(h.owner.id), nullptr);
  const auto opened = crypto::unwrap_key<VaultKeyPurpose>(
      *h.owner.wrap, envelope_info(h.id(), 1, home, h.owner.info.wrap_key), given.blobs[0]);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(crypto::mac(*opened, "test", {}), crypto::mac(h.key, "test", {}));

  // The account is told what was given to whom.
  ASSERT_TRUE(h.custodian().follow(h.evidence().view).ok());
  const api::DueOpenings due = h.custodian().due_openings().value();
  ASSERT_EQ(due.openings.size(), 1U);
  const auto opening = wire::decode<tlog::BatchOpening>(due.openings[0].second).value();
  const auto entry = wire::decode<tlog::BatchEntry>(opening.entry).value();
  ASSERT_EQ(entry.releases.size(), 1U);
  EXPECT_EQ(entry.releases[0].vault, home);
  EXPECT_EQ(entry.releases[0].recipient, crypto::sha256(h.owner.info.wrap_key));
  EXPECT_EQ(entry.releases[0].instrument,
            crypto::sha256(h.account->maker().statements().at(proposal)));
}

TEST(Help, WaitsForThreeProvenDays) {
  HelpWorld h;
  const std::uint64_t proposal = h.proposed();
  h.world.clock->advance(71 * kHour);
  EXPECT_EQ(code_of(h.list(proposal)), Code::kUnsafe);
  const Bytes batch = h.next();
  h.world.log.add(batch);
  EXPECT_EQ(code_of(h.complete(proposal, batch)), Code::kUnsafe);
  h.world.clock->advance(kHour);
  EXPECT_TRUE(h.list(proposal).ok());
}

TEST(Help, EndsWhereADeviceCancelsIt) {
  HelpWorld h;
  const std::uint64_t proposal = h.proposed();
  const Bytes batch = h.logged(proposal);
  h.account->maker().append(circle::Cancel{proposal}, h.account->maker().first);
  h.account->include(h.world.log);
  EXPECT_EQ(code_of(h.complete(proposal, batch)), Code::kNotFound);
  EXPECT_EQ(code_of(h.list(proposal)), Code::kNotFound);
}

TEST(Help, EndsWhereTheAccountLeavesTheLevelMeanwhile) {
  HelpWorld h;
  const std::uint64_t proposal = h.proposed();
  const Bytes batch = h.logged(proposal);
  h.account->go_advanced();
  h.account->include(h.world.log);
  EXPECT_EQ(code_of(h.complete(proposal, batch)), Code::kDenied);
}

// A service that keeps the newest statement back: the log has it.
TEST(Help, IsNotGivenByAnOlderStateOfTheAccount) {
  HelpWorld h;
  const std::uint64_t proposal = h.proposed();
  const Bytes batch = h.logged(proposal);
  h.account->maker().append(circle::Cancel{proposal}, h.account->maker().first);
  h.account->include(h.world.log);
  api::CircleEvidence evidence = h.evidence();
  evidence.statements.clear();
  EXPECT_EQ(code_of(h.custodian().complete_help(h.id(), h.due(proposal), {h.envelope},
                                                wire::encode(h.world.log.prove(batch, h.now())),
                                                evidence)),
            Code::kUnavailable);
}

TEST(Gate, UnwrapsNothingThatIsNotListedInTheLog) {
  HelpWorld h;
  const std::uint64_t proposal = h.proposed();
  const Bytes empty = h.next();  // made before anything was asked for
  h.world.clock->advance(3 * kDay);
  h.world.log.add(empty);
  // Not listed: the batch that the log has is another.
  EXPECT_EQ(code_of(h.complete(proposal, empty)), Code::kUnavailable);
  EXPECT_TRUE(h.list(proposal).value().empty());
  const Bytes batch = h.next();
  // Listed, and not in the log.
  EXPECT_EQ(code_of(h.complete(proposal, empty)), Code::kUnavailable);
  h.world.log.add(batch);
  // In the log, and another one is shown.
  EXPECT_EQ(code_of(h.complete(proposal, empty)), Code::kUnsafe);
  tlog::LeafProof proof = h.world.log.prove(batch, h.now());
  proof.index = 0;
  EXPECT_EQ(code_of(h.complete(proposal, proof)), Code::kUnsafe);
  EXPECT_TRUE(h.complete(proposal, batch).ok());
}

TEST(Gate, AsksForAFreshCheckpointAtQuorum) {
  HelpWorld h;
  const std::uint64_t proposal = h.proposed();
  const Bytes batch = h.logged(proposal);
  const api::HelpDue due = h.due(proposal);
  const auto at = [&](const api::CircleEvidence& evidence, const tlog::LeafProof& proof) {
    return code_of(
        h.custodian().complete_help(h.id(), due, {h.envelope}, wire::encode(proof), evidence));
  };
  const TimeMs stale = h.now() - kDay - 1000;
  EXPECT_EQ(
      at(h.account->evidence(h.world.log, h.custodian(), stale), h.world.log.prove(batch, stale)),
      Code::kUnavailable);
  api::CircleEvidence evidence = h.evidence();
  tlog::LeafProof proof = h.world.log.prove(batch, h.now());
  auto note = tlog::Note::parse(proof.checkpoint).value();
  note.signatures.resize(2);  // the log's and one witness's; the quorum is two
  proof.checkpoint = evidence.view.checkpoint = to_bytes(as_bytes(note.format()));
  EXPECT_EQ(at(evidence, proof), Code::kUnsafe);
  // Of another state than the account is proven by.
  proof = h.world.log.prove(batch, h.now() - 1000);
  EXPECT_EQ(at(h.evidence(), proof), Code::kUnavailable);
}

TEST(Gate, ANewEpochOrVaultIsListedAnew) {
  HelpWorld h;
  const std::uint64_t proposal = h.proposed();
  const Bytes batch = h.logged(proposal);
  h.account->maker().append(h.account->maker().rotate(), h.account->maker().first);
  h.account->include(h.world.log);
  EXPECT_EQ(code_of(h.complete(proposal, batch)), Code::kUnavailable);
  EXPECT_TRUE(h.list(proposal).value().empty());
  const Bytes next = h.next();
  EXPECT_NE(next, batch);
  h.world.log.add(next);
  EXPECT_EQ(h.list(proposal).value(), next);
}

TEST(Gate, TakesNoOtherEnvelopeThanTheCirclesOwn) {
  HelpWorld h;
  const std::uint64_t proposal = h.proposed();
  const Bytes batch = h.logged(proposal);
  const Bytes good = h.envelope;
  h.envelope.back() ^= 1;
  EXPECT_EQ(code_of(h.complete(proposal, batch)), Code::kUnsafe);
  h.envelope = good;
  EXPECT_TRUE(h.complete(proposal, batch).ok());
}

}  // namespace
}  // namespace holdfast::custody
