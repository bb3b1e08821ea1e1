// What two operators ordered to be disclosed, with a real token.
#include "lawful/order.h"

#include "crypto/hash.h"
#include "support/custody_world.h"
#include "tlog/batch.h"

namespace holdfast::custody {
namespace {

constexpr TimeMs kOrderDay = 24LL * 60 * 60 * 1000;
using testkit::make_signer;

Code refusal_of(const auto& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? Code::kConflict : result.error().code;
}

lawful::DisclosureKey machine_key(const testkit::TestDevice& device) {
  return {device.info.wrap_key, device.info.verify_key};
}

// Two operators, and an account whose custodian reads "home" and "work", and not "diary".
struct OrderWorld {
  World world;
  testkit::Signer first = make_signer("operator one");
  testkit::Signer second = make_signer("operator two");
  std::optional<ShownAccount> account;
  testkit::TestDevice machine = testkit::make_device("disclosure machine");
  testkit::TestDevice requester = testkit::make_device("requester");
  std::map<std::string, VaultKey> keys;
  std::map<std::string, Bytes> envelopes;
  lawful::DisclosureOrder order;

  OrderWorld() {
    world.operators = {first.key->verify_key().bytes, second.key->verify_key().bytes};
    world.start();
    account = world.account();
    EXPECT_TRUE(world.custodian->keep(account->id(), account->reader(), account->genesis()).ok());
    add("home");
    add("work");
    account->maker().append(account->maker().set_vault("diary", true), account->maker().first);
    account->include(world.log);
    order.instrument = crypto::sha256(as_bytes("the warrant"));
    order.circle = id();
    order.keys = {{testkit::vault_id("home"), 1}};
    order.discloser = machine_key(machine);
    order.requester = machine_key(requester);
    order.until_ms = now();
    order.made_ms = now();
  }
  TimeMs now() const { return world.clock->now(); }
  Custodian& custodian() { return *world.custodian; }
  const CircleId& id() const { return account->id(); }

  void add(const std::string& name) {
    testkit::CircleMaker& maker = account->maker();
    const VaultId vault = testkit::vault_id(name);
    const VaultKey& key = keys.emplace(name, VaultKey::random()).first->second;
    envelopes[name] = crypto::wrap_key({account->info().wrap_key},
                                       envelope_info(id(), 1, vault, account->info().wrap_key), key)
                          .value();
    circle::SetVault body = maker.set_vault(name);
    const auto slots = circle::vault_slots({vault, name, false, 0, 0}, {account->reader()});
    for (std::size_t i = 0; i < slots.size(); ++i)
      if (slots[i].kind == circle::BlobKind::kVaultReader)
        body.epoch.blobs[i] = BlobId(crypto::sha256(envelopes[name]).bytes);
    maker.append(body, maker.first);
  }
  api::CircleEvidence evidence() { return account->evidence(world.log, custodian(), now()); }
  Bytes signed_by(const std::vector<const testkit::Signer*>& signers) const {
    lawful::SignedOrder out;
    out.order = wire::encode(order);
    for (const testkit::Signer* one : signers)
      out.signatures.push_back(lawful::sign_order(out.order, *one->key));
    return wire::encode(out);
  }
  Bytes good() const { return signed_by({&first, &second}); }
  Result<Bytes> list(const Bytes& of) { return custodian().list_disclosure(id(), of, evidence()); }
  Result<api::Disclosed> disclose(const Bytes& of, const Bytes& batch) {
    return disclose(of, batch, {envelopes.at("home")});
  }
  Result<api::Disclosed> disclose(const Bytes& of, const Bytes& batch,
                                  const std::vector<Bytes>& with) {
    return custodian().disclose(id(), of, with, wire::encode(world.log.prove(batch, now())),
                                evidence());
  }
  // Listed, in the log.
  Bytes logged(const Bytes& of) {
    EXPECT_TRUE(list(of).value().empty());
    const Bytes batch = custodian().next_batch().value().leaf;
    world.log.add(batch);
    return batch;
  }
};

TEST(Disclosure, TakesTwoOperatorsThatTheCustodianKnows) {
  OrderWorld w;
  const testkit::Signer foreign = make_signer("invented by the service");
  EXPECT_EQ(refusal_of(w.list(w.signed_by({}))), Code::kDenied);
  EXPECT_EQ(refusal_of(w.list(w.signed_by({&w.first}))), Code::kDenied);
  EXPECT_EQ(refusal_of(w.list(w.signed_by({&w.first, &w.first}))), Code::kDenied);
  EXPECT_EQ(refusal_of(w.list(w.signed_by({&w.first, &foreign}))), Code::kDenied);
  EXPECT_TRUE(w.list(w.signed_by({&foreign, &w.first, &w.second})).ok());
  // A key that was taken away from the custodian's list.
  w.world.operators.erase(w.second.key->verify_key().bytes);
  w.world.start();
  EXPECT_EQ(refusal_of(w.list(w.good())), Code::kDenied);
}

TEST(Disclosure, AnOrderThatWasChangedIsRefused) {
  OrderWorld w;
  auto outer = wire::decode<lawful::SignedOrder>(w.good()).value();
  w.order.keys.push_back({testkit::vault_id("work"), 1});
  std::ranges::sort(w.order.keys);
  outer.order = wire::encode(w.order);
  EXPECT_EQ(refusal_of(w.list(wire::encode(outer))), Code::kDenied);
}

TEST(Disclosure, GivesExactlyTheOrderedKeysOnceTheLogShowsIt) {
  OrderWorld w;
  const Bytes order = w.good();
  const Bytes batch = w.logged(order);
  EXPECT_EQ(w.list(order).value(), batch);
  const api::Disclosed given = w.disclose(order, batch).value();
  ASSERT_EQ(given.keys.size(), 1U);
  const Digest hash = lawful::order_hash(wire::encode(w.order));
  const auto info = lawful::sealed_key_info(hash, w.id(), w.order.keys[0], machine_key(w.machine));
  const auto key = crypto::unwrap_key<VaultKeyPurpose>(*w.machine.wrap, info, given.keys[0]);
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(crypto::mac(*key, "test", {}), crypto::mac(w.keys.at("home"), "test", {}));
  // Bound to this order.
  const auto other =
      lawful::sealed_key_info(Digest(), w.id(), w.order.keys[0], machine_key(w.machine));
  EXPECT_FALSE(crypto::unwrap_key<VaultKeyPurpose>(*w.machine.wrap, other, given.keys[0]).ok());
  // What shows that it stood in the batch, and what the account is told.
  const auto leaf = wire::decode<tlog::ReleaseBatch>(batch).value();
  const auto position = wire::decode<tlog::PositionProof>(given.position).value();
  ASSERT_TRUE(tlog::verify_position(leaf.root, w.id(), position).ok());
  const auto entry = tlog::verify_opening(*position.value, w.id(), leaf.n, given.opening).value();
  ASSERT_EQ(entry.releases.size(), 1U);
  EXPECT_EQ(entry.releases[0].vault, testkit::vault_id("home"));
  EXPECT_EQ(entry.releases[0].instrument, w.order.instrument);
  ASSERT_TRUE(w.custodian().follow(w.evidence().view).ok());
  EXPECT_EQ(w.custodian().due_openings().value().openings[0].second, given.opening);
}

TEST(Disclosure, RepeatsAfterAKillAtAnyPoint) {
  OrderWorld w;
  const Bytes order = w.good();
  EXPECT_TRUE(w.list(order).value().empty());
  w.world.start();
  EXPECT_TRUE(w.list(order).value().empty());
  const Bytes batch = w.custodian().next_batch().value().leaf;
  w.world.start();
  EXPECT_EQ(w.list(order).value(), batch);
  w.world.log.add(batch);
  EXPECT_TRUE(w.disclose(order, batch).ok());
  w.world.start();
  EXPECT_EQ(w.disclose(order, batch).value().keys.size(), 1U);
}

TEST(Disclosure, ReachesNoVaultThatIsAlwaysEndToEnd) {
  OrderWorld w;
  w.order.keys = {{testkit::vault_id("diary"), 1}};
  const auto refused = w.list(w.good());
  EXPECT_EQ(refusal_of(refused), Code::kDenied);
  EXPECT_NE(refused.error().message.find("no key exists"), std::string::npos);
  w.order.keys = {{testkit::vault_id("nothing"), 1}};
  EXPECT_EQ(refusal_of(w.list(w.good())), Code::kDenied);
  w.order.keys = {{testkit::vault_id("home"), 2}};
  EXPECT_EQ(refusal_of(w.list(w.good())), Code::kDenied);
}

TEST(Disclosure, IsForTheStandardLevelOnly) {
  OrderWorld w;
  const Bytes order = w.good();
  const Bytes batch = w.logged(order);
  w.account->go_advanced();
  w.account->include(w.world.log);
  const auto refused = w.disclose(order, batch);
  EXPECT_EQ(refusal_of(refused), Code::kDenied);
  EXPECT_NE(refused.error().message.find("no key exists"), std::string::npos);
  EXPECT_EQ(refusal_of(w.list(order)), Code::kDenied);
}

TEST(Disclosure, AnOrderIsOfOneAccountOneDelayAndThirtyDays) {
  OrderWorld w;
  w.order.open_days = 7;
  EXPECT_EQ(refusal_of(w.list(w.good())), Code::kDenied);
  w.order.open_days = 0;
  w.order.circle = CircleId(Digest{{1}}.bytes);
  EXPECT_EQ(refusal_of(w.list(w.good())), Code::kDenied);
  w.order.circle = w.id();
  const Bytes order = w.good();
  EXPECT_TRUE(w.list(order).ok());
  w.world.clock->advance(30 * kOrderDay + 1);
  EXPECT_EQ(refusal_of(w.list(order)), Code::kDenied);
  w.world.clock->advance(-32 * kOrderDay - 1);
  EXPECT_EQ(refusal_of(w.list(order)), Code::kDenied);
}

TEST(Disclosure, UnwrapsNothingThatIsNotListedInTheLog) {
  OrderWorld w;
  const Bytes order = w.good();
  const Bytes empty = w.custodian().next_batch().value().leaf;  // made before it was asked for
  w.world.log.add(empty);
  EXPECT_EQ(refusal_of(w.disclose(order, empty)), Code::kUnavailable);
  const Bytes batch = w.logged(order);
  EXPECT_EQ(refusal_of(w.disclose(order, empty)), Code::kUnsafe);
  // Another vault's envelope, and another number of them.
  EXPECT_EQ(refusal_of(w.disclose(order, batch, {w.envelopes.at("work")})), Code::kUnsafe);
  EXPECT_EQ(refusal_of(w.disclose(order, batch, {})), Code::kInvalid);
  EXPECT_TRUE(w.disclose(order, batch).ok());
  // Another machine's key is another release.
  w.order.discloser = machine_key(w.requester);
  EXPECT_EQ(refusal_of(w.disclose(w.good(), batch)), Code::kUnavailable);
}

}  // namespace
}  // namespace holdfast::custody
