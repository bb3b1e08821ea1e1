#include "custody/custodian.h"

#include "support/custody_world.h"

namespace holdfast::custody {
namespace {

Code code_of(const auto& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? Code::kConflict : result.error().code;
}

// The key is there: the object opens what it sealed.
bool has_object(World& world, const ShownAccount& account, std::uint64_t number = 1) {
  world.custodian.reset();
  const bool there = Token::open(world.token.place()).value()->has({account.id(), number}).value();
  world.start();
  return there;
}
void remove_object(World& world, const ShownAccount& account) {
  world.custodian.reset();
  ASSERT_TRUE(Token::open(world.token.place()).value()->destroy({account.id(), 1}).ok());
  world.start();
}

// ---- keys ----

TEST(Custodian, GivesAnAccountOneKeyThatItsFleetSigned) {
  World world;
  ShownAccount account = world.account();
  const Bytes first = world.custodian->issue(account.id()).value();
  const Bytes fleet = world.custodian->fleet_key().value();
  world.start();
  EXPECT_EQ(world.custodian->issue(account.id()).value(), first);
  EXPECT_EQ(world.custodian->fleet_key().value(), fleet);

  EXPECT_TRUE(circle::verify_custodian(account.id(), account.info()).ok());
  EXPECT_EQ(to_bytes(account.info().fleet_key), fleet);
  const ShownAccount other = world.account("phone");
  EXPECT_NE(other.info().wrap_key, account.info().wrap_key);
  EXPECT_FALSE(circle::verify_custodian(other.id(), account.info()).ok());
  EXPECT_EQ(code_of(world.custodian->issue(CircleId())), Code::kInvalid);
}

TEST(Custodian, AKeyThatNobodyKeepsIsDestroyedAfterAnHour) {
  World world;
  const ShownAccount unused = world.account("unused");
  const ShownAccount kept = world.account("kept device");
  ASSERT_TRUE(world.custodian->keep(kept.id(), kept.reader(), kept.genesis()).ok());
  world.clock->advance(kUnusedMs);
  EXPECT_EQ(world.custodian->sweep().value(), 0U);
  world.clock->advance(1);
  EXPECT_EQ(world.custodian->sweep().value(), 1U);
  EXPECT_FALSE(has_object(world, unused));
  EXPECT_TRUE(has_object(world, kept));
  EXPECT_EQ(code_of(world.custodian->keep(unused.id(), unused.reader(), unused.genesis())),
            Code::kNotFound);
  EXPECT_NE(circle::reader_id(ShownAccount::issued(*world.custodian, unused.id())),
            unused.reader());
}

TEST(Custodian, KeepsAKeyForItsOwnAccountOnly) {
  World world;
  const ShownAccount a = world.account("a");
  const ShownAccount b = world.account("bb");
  EXPECT_EQ(code_of(world.custodian->keep(a.id(), a.reader(), b.genesis())), Code::kUnsafe);
  EXPECT_EQ(code_of(world.custodian->keep(a.id(), b.reader(), a.genesis())), Code::kNotFound);
  EXPECT_EQ(code_of(world.custodian->keep(a.id(), a.reader(), Bytes(100, 1))), Code::kInvalid);
}

// ---- the end of a key ----

TEST(Custodian, DestroysTheKeyOfWhoLeftTheStandardLevel) {
  World world;
  ShownAccount account = world.advanced();
  const Bytes signed_receipt = world.destroy(account).value();
  const auto receipt = circle::verify_receipt(account.id(), account.info(), signed_receipt).value();
  EXPECT_EQ(receipt.seq, 2U);
  EXPECT_EQ(receipt.head, account.maker().circle().head_at(2));
  EXPECT_EQ(receipt.time_s, static_cast<std::uint64_t>(kNow / 1000));
  EXPECT_FALSE(has_object(world, account));

  // Whoever asks again, and however, gets the same one.
  world.clock->advance(1'000'000);
  EXPECT_EQ(world.destroy(account).value(), signed_receipt);
  EXPECT_EQ(world.custodian->destroy(account.id(), account.reader(), {}).value(), signed_receipt);

  const auto next = ShownAccount::issued(*world.custodian, account.id());
  EXPECT_NE(next.wrap_key, account.info().wrap_key);
  EXPECT_TRUE(has_object(world, account, 2));
  EXPECT_EQ(world.destroy(account).value(), signed_receipt);
}

TEST(Custodian, RefusesToDestroyTheKeyOfAStandardAccount) {
  World world;
  ShownAccount account = world.account();
  account.include(world.log);
  EXPECT_EQ(code_of(world.destroy(account)), Code::kDenied);
  EXPECT_TRUE(has_object(world, account));
  account.go_advanced();
  account.include(world.log);
  EXPECT_TRUE(world.destroy(account).ok());
}

TEST(Custodian, RefusesToDestroyAKeyThatWasNeverAReader) {
  World world;
  ShownAccount account = world.advanced();
  ASSERT_TRUE(world.destroy(account).ok());
  const ReaderId next = circle::reader_id(ShownAccount::issued(*world.custodian, account.id()));
  EXPECT_EQ(code_of(world.custodian->destroy(account.id(), next,
                                             account.evidence(world.log, *world.custodian))),
            Code::kDenied);
}

TEST(Custodian, WaitsUntilTheLogHasTheNewestStatement) {
  World world;
  ShownAccount account = world.account();
  account.include(world.log);
  account.go_advanced();
  EXPECT_EQ(code_of(world.destroy(account)), Code::kUnavailable);
  EXPECT_TRUE(has_object(world, account));
  account.include(world.log);
  EXPECT_TRUE(world.destroy(account).ok());
}

// As a service that keeps back what came after: the person took the provider in again.
TEST(Custodian, IsNotShownAnOlderStateOfTheAccount) {
  World world;
  ShownAccount account = world.advanced();
  account.maker().append(account.maker().rotate(), account.maker().first);
  account.include(world.log);
  api::CircleEvidence evidence = account.evidence(world.log, *world.custodian);
  evidence.statements.pop_back();
  EXPECT_EQ(code_of(world.custodian->destroy(account.id(), account.reader(), evidence)),
            Code::kUnavailable);
  // Nor by a lie about how many statements the log has.
  evidence.view.circle_next -= 1;
  tlog::SeriesProof proof;
  proof.last = world.log.map().prove(tlog::circle_label(account.key(), 2));
  proof.next = world.log.map().prove(tlog::circle_label(account.key(), 3));
  evidence.view.circle_proof = wire::encode(proof);
  EXPECT_EQ(code_of(world.custodian->destroy(account.id(), account.reader(), evidence)),
            Code::kUnsafe);
  EXPECT_TRUE(has_object(world, account));
}

TEST(Custodian, RefusesAForkOfTheCircleAndForgetsIt) {
  World world;
  ShownAccount account = world.advanced();
  api::CircleEvidence forked = account.evidence(world.log, *world.custodian);
  testkit::CircleMaker other(
      account.maker().first,
      wire::decode<circle::Genesis>(
          wire::decode<circle::Statement>(
              wire::decode<circle::SignedStatement>(account.genesis()).value().statement)
              .value()
              .body)
          .value());
  other.enroll("another paper");
  other.append(other.raise(), other.first);
  forked.statements = other.statements();
  EXPECT_EQ(code_of(world.custodian->destroy(account.id(), account.reader(), forked)),
            Code::kUnsafe);
  EXPECT_EQ(world.custodian->seen(account.id()).value().statements, 0U);
  EXPECT_TRUE(world.destroy(account).ok());
}

TEST(Custodian, RefusesALogThatContradictsWhatItSaw) {
  World world;
  ShownAccount account = world.advanced();
  const api::LogView older = world.log.view(0);
  world.log.fill(3);
  ASSERT_TRUE(world.custodian->follow(world.log.view(0)).ok());
  world.start();
  // An older state, another tree of the same size, one that does not follow.
  api::CircleEvidence evidence = account.evidence(world.log, *world.custodian);
  evidence.view.checkpoint = older.checkpoint;
  const auto destroy = [&] {
    return code_of(world.custodian->destroy(account.id(), account.reader(), evidence));
  };
  EXPECT_EQ(destroy(), Code::kUnsafe);
  for (const int more : {3, 5}) {
    ShownLog fork;
    fork.fill(1);
    fork.fill(more);
    evidence.view = fork.view(world.custodian->seen(account.id()).value().entries);
    EXPECT_EQ(destroy(), Code::kUnsafe) << more;
  }
  EXPECT_TRUE(has_object(world, account));
  EXPECT_TRUE(world.destroy(account).ok());
}

TEST(Custodian, RefusesALogThatLeavesOutAGenerationOfItsMap) {
  World world;
  const ShownAccount account = world.advanced();
  tlog::MapEpoch epoch;
  epoch.n = 3;
  epoch.previous = Digest();
  world.log.add(wire::encode(epoch));
  EXPECT_EQ(code_of(world.destroy(account)), Code::kUnsafe);
}

TEST(Custodian, AsksForAFreshCheckpointAtQuorum) {
  World world;
  const ShownAccount account = world.advanced();
  const auto at = [&](TimeMs now) {
    return world.custodian->destroy(account.id(), account.reader(),
                                    account.evidence(world.log, *world.custodian, now));
  };
  constexpr TimeMs kDay = 24LL * 60 * 60 * 1000;
  EXPECT_EQ(code_of(at(kNow - kDay - 1000)), Code::kUnavailable);
  api::CircleEvidence unwatched = account.evidence(world.log, *world.custodian);
  auto note = tlog::Note::parse(unwatched.view.checkpoint).value();
  note.signatures.resize(2);  // the log's and one witness's; the quorum is two
  unwatched.view.checkpoint = to_bytes(as_bytes(note.format()));
  EXPECT_EQ(code_of(world.custodian->destroy(account.id(), account.reader(), unwatched)),
            Code::kUnsafe);
  EXPECT_TRUE(at(kNow - kDay + 1000).ok());
}

TEST(Custodian, TakesALongLogInPieces) {
  World world;
  world.log.fill(40);
  const ShownAccount account = world.advanced();
  world.log.fill(40);
  api::CircleEvidence evidence = account.evidence(world.log, *world.custodian);
  const std::vector<Bytes> all = evidence.view.leaves;
  evidence.view.leaves.resize(10);
  EXPECT_EQ(code_of(world.custodian->destroy(account.id(), account.reader(), evidence)),
            Code::kUnavailable);
  EXPECT_EQ(world.custodian->seen(account.id()).value().entries, 10U);
  api::LogView piece = evidence.view;
  piece.leaves = {all.begin() + 10, all.begin() + 60};
  EXPECT_TRUE(world.custodian->follow(piece).ok());
  // What no checkpoint covers yet is asked for again by the next process.
  world.start();
  EXPECT_EQ(world.custodian->seen(account.id()).value().entries, 0U);
  EXPECT_TRUE(world.destroy(account).ok());
  EXPECT_EQ(world.custodian->seen(account.id()).value().entries, all.size());
}

TEST(Custodian, RefusesWhatIsOfAnotherAccount) {
  World world;
  ShownAccount a = world.advanced("a");
  ShownAccount b = world.account("bb");
  b.include(world.log);
  const auto destroy = [&](const CircleId& id, const ReaderId& reader,
                           const api::CircleEvidence& evidence) {
    return code_of(world.custodian->destroy(id, reader, evidence));
  };
  const api::CircleEvidence of_a = a.evidence(world.log, *world.custodian);
  EXPECT_EQ(destroy(b.id(), b.reader(), of_a), Code::kUnsafe);
  EXPECT_EQ(destroy(a.id(), b.reader(), of_a), Code::kNotFound);
  EXPECT_EQ(destroy(b.id(), a.reader(), of_a), Code::kNotFound);
  api::CircleEvidence evidence = a.evidence(world.log, *world.custodian);
  evidence.lookup = b.evidence(world.log, *world.custodian).lookup;
  EXPECT_EQ(destroy(a.id(), a.reader(), evidence), Code::kUnsafe);
  evidence.lookup.pop_back();
  EXPECT_EQ(destroy(a.id(), a.reader(), evidence), Code::kInvalid);
  evidence = a.evidence(world.log, *world.custodian);
  evidence.roots = wire::encode(circle::TrustRoots());
  EXPECT_EQ(destroy(a.id(), a.reader(), evidence), Code::kUnsafe);
  evidence = a.evidence(world.log, *world.custodian);
  evidence.statements.clear();
  EXPECT_EQ(destroy(a.id(), a.reader(), evidence), Code::kInvalid);
  EXPECT_TRUE(has_object(world, a));
  EXPECT_TRUE(has_object(world, b));
}

// ---- tokens ----

TEST(Custodian, GivesNoReceiptForAnObjectThatOthersRemoved) {
  World world;
  const ShownAccount account = world.advanced();
  remove_object(world, account);
  EXPECT_EQ(code_of(world.destroy(account)), Code::kNotFound);
  EXPECT_EQ(world.custodian->counts().value().live, 1U);
}

TEST(Custodian, TakesNoOtherTokenForItsOwn) {
  World world;
  const ShownAccount account = world.advanced();
  world.custodian.reset();
  const auto keys = std::filesystem::path(world.token.keys());
  std::filesystem::rename(keys, keys.string() + ".away");
  EXPECT_EQ(code_of(world.open()), Code::kUnavailable);  // SoftHSM asks for its folder
  std::filesystem::create_directory(keys);
  EXPECT_EQ(code_of(world.open()), Code::kNotFound);
  world.token.add_token("custody");
  EXPECT_EQ(code_of(world.open()), Code::kUnsafe);
  std::filesystem::remove_all(keys);
  std::filesystem::rename(keys.string() + ".away", keys);
  world.start();
  EXPECT_TRUE(world.destroy(account).ok());
}

// Pulled out while the custodian runs.
TEST(Custodian, ATokenThatGoesAwayDestroysNothing) {
  World world;
  const ShownAccount account = world.advanced();
  const auto keys = std::filesystem::path(world.token.keys());
  std::filesystem::rename(keys, keys.string() + ".away");
  std::filesystem::create_directory(keys);
  EXPECT_FALSE(world.destroy(account).ok());
  EXPECT_FALSE(world.custodian->issue(CircleId(Digest{{1}}.bytes)).ok());
  EXPECT_EQ(world.custodian->counts().value().live, 1U);
  EXPECT_EQ(world.custodian->counts().value().ending, 0U);
  std::filesystem::remove_all(keys);
  std::filesystem::rename(keys.string() + ".away", keys);
  EXPECT_TRUE(has_object(world, account));
  EXPECT_TRUE(world.destroy(account).ok());
}

TEST(Custodian, SharesNoTokenWithAnother) {
  World world;
  world.custodian.reset();
  EXPECT_EQ(code_of(Custodian::open(
                {world.token.folder() + "/another", world.token.place(), world.log.site.roots},
                world.clock)),
            Code::kUnsafe);
  world.start();
}

TEST(Custodian, GoesOnWithItsOwnMemoryAndKeyOnly) {
  World world;
  EXPECT_EQ(code_of(Custodian::open({world.data(), world.token.place(), world.log.site.roots},
                                    world.clock)),
            Code::kUnavailable);
  world.custodian.reset();
  const std::filesystem::path data = world.data();
  std::filesystem::rename(data / "fleet.key", data / "away");
  EXPECT_EQ(code_of(world.open()), Code::kUnsafe);
  std::filesystem::rename(data / "away", data / "fleet.key");
  for (const char* const file : {"custody.db", "custody.db-wal", "custody.db-shm"})
    std::filesystem::remove(data / file);
  EXPECT_EQ(code_of(world.open()), Code::kUnsafe);
}

// ---- kills ----

// Every state that a process leaves behind that is killed between two steps of issue() and
// destroy(), made by hand.
struct Left {
  KeyState state;
  bool object;
};
class LeftBehind : public testing::TestWithParam<Left> {};

TEST_P(LeftBehind, IsGoneOnWith) {
  World world;
  ShownAccount account = world.advanced();
  const auto evidence = account.evidence(world.log, *world.custodian);
  world.custodian.reset();
  {
    auto tables = Tables::open(world.data() + "/custody.db").value();
    KeyRow row = tables.newest_key(account.id()).value().value();
    circle::DeletionReceipt receipt;
    receipt.circle = account.id();
    receipt.custodian = account.reader();
    receipt.seq = 2;
    receipt.head = account.maker().circle().head_at(2);
    row.state = GetParam().state;
    if (row.state == KeyState::kEnding) row.receipt = wire::encode(receipt);
    if (row.state == KeyState::kMaking) {
      row.reader = {};
      row.info = row.seed = {};
    }
    ASSERT_TRUE(tables.put_key(row).ok());
    auto token = Token::open(world.token.place()).value();
    if (!GetParam().object) {
      ASSERT_TRUE(token->destroy({account.id(), 1}).ok());
    }
  }
  world.start();
  const auto receipt = world.custodian->destroy(account.id(), account.reader(), evidence);
  if (GetParam().state == KeyState::kMaking) {
    // Nobody was given that key; the account gets another.
    EXPECT_EQ(code_of(receipt), Code::kNotFound);
    const auto next = ShownAccount::issued(*world.custodian, account.id());
    EXPECT_NE(next.wrap_key, account.info().wrap_key);
    EXPECT_TRUE(has_object(world, account, 2));
    return;
  }
  EXPECT_TRUE(circle::verify_receipt(account.id(), account.info(), receipt.value()).ok());
  EXPECT_FALSE(has_object(world, account));
  EXPECT_EQ(world.custodian->counts().value().ending, 0U);
}

INSTANTIATE_TEST_SUITE_P(Custodian, LeftBehind,
                         testing::Values(Left{KeyState::kMaking, false},
                                         Left{KeyState::kMaking, true}, Left{KeyState::kLive, true},
                                         Left{KeyState::kEnding, true},
                                         Left{KeyState::kEnding, false}));

// ---- unwrapping ----

TEST(Custodian, OpensAVaultKeyThatTheCircleNames) {
  World world;
  ShownAccount account = world.account();
  testkit::CircleMaker& maker = account.maker();
  const VaultId vault = testkit::vault_id("photos");
  const auto key = VaultKey::random();
  const auto info = wire::encode_array("holdfast/v1/vault-envelope", account.id(), 1U, "vault",
                                       vault, crypto::sha256(account.info().wrap_key));
  const Bytes envelope =
      crypto::wrap_key(crypto::WrapPublicKey{account.info().wrap_key}, info, key).value();
  circle::SetVault body = maker.set_vault("photos");
  const auto slots =
      circle::vault_slots({vault, "photos", false, 0, 0}, maker.circle().vault_readers());
  for (std::size_t i = 0; i < slots.size(); ++i)
    if (slots[i].kind == circle::BlobKind::kVaultReader)
      body.epoch.blobs[i] = BlobId(crypto::sha256(envelope).bytes);
  maker.append(body, maker.first);
  account.include(world.log);

  const auto circle =
      world.custodian->verify(account.id(), account.evidence(world.log, *world.custodian)).value();
  EXPECT_EQ(world.custodian->seen(account.id()).value().statements, 2U);
  const auto opened = world.custodian->open_vault_key(circle, 1, vault, envelope).value();
  EXPECT_EQ(crypto::mac(opened, "test", {}), crypto::mac(key, "test", {}));
  Bytes bad = envelope;
  bad[1] ^= 1;
  EXPECT_EQ(code_of(world.custodian->open_vault_key(circle, 1, vault, bad)), Code::kUnsafe);
  EXPECT_EQ(code_of(world.custodian->open_vault_key(circle, 2, vault, envelope)), Code::kNotFound);

  account.go_advanced();
  account.include(world.log);
  const auto after =
      world.custodian->verify(account.id(), account.evidence(world.log, *world.custodian)).value();
  EXPECT_EQ(code_of(world.custodian->open_vault_key(after, 1, vault, envelope)), Code::kDenied);
  ASSERT_TRUE(world.destroy(account).ok());
  // Also from what it was shown before.
  EXPECT_EQ(code_of(world.custodian->open_vault_key(circle, 1, vault, envelope)), Code::kNotFound);
}

}  // namespace
}  // namespace holdfast::custody
