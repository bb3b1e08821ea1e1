#include "circle/circle.h"

#include <gtest/gtest.h>

#include "support/circle_maker.h"

namespace holdfast::circle {
namespace {

using testkit::CircleMaker;
using testkit::make_device;
using testkit::make_recovery;
using testkit::TestDevice;
using testkit::TestRecovery;
using testkit::vault_id;

testing::AssertionResult outcome(const Result<Circle>& result, Code code, std::string_view why) {
  if (result.ok()) return testing::AssertionFailure() << "it was accepted";
  if (result.error().code != code || result.error().message.find(why) == std::string::npos)
    return testing::AssertionFailure()
           << code_name(result.error().code) << ": " << result.error().message;
  return testing::AssertionSuccess();
}

// Refused for breaking a rule, and for this one.
testing::AssertionResult refused(const CircleMaker& maker, BytesView statement,
                                 std::string_view why, Code code = Code::kUnsafe) {
  return outcome(maker.circle().apply(statement), code, why);
}

testing::AssertionResult genesis_refused(const Genesis& body, const testkit::Signer& by,
                                         std::string_view why, Code code = Code::kUnsafe) {
  return outcome(Circle::start(testkit::sign_genesis(body, by)), code, why);
}

bool accepted(const CircleMaker& maker, BytesView statement) {
  return maker.circle().apply(statement).ok();
}

std::vector<ReaderId> sorted(std::vector<ReaderId> ids) {
  std::sort(ids.begin(), ids.end());
  return ids;
}

// A circle with a second device, a vault and a recovery key.
struct Household {
  CircleMaker maker;
  TestDevice laptop = maker.first;
  TestDevice desktop = maker.admit_new("desktop");
  VaultId home = maker.add_vault("home");
  TestRecovery paper = maker.enroll("paper");
};

// ---- genesis ----

TEST(Genesis, MakesItsDeviceTheFirstMember) {
  const TestDevice device = make_device("laptop");
  const Genesis body = testkit::genesis_body(device);
  const Bytes bytes = testkit::sign_genesis(body, device);
  const auto circle = Circle::start(bytes);
  ASSERT_TRUE(circle.ok());
  EXPECT_EQ(circle->id(), circle_id(body.device, body.nonce));
  EXPECT_EQ(circle->seq(), 0u);
  EXPECT_EQ(circle->head(), statement_head(bytes));
  EXPECT_EQ(circle->head_at(0), circle->head());
  EXPECT_EQ(circle->epoch(), 1u);
  EXPECT_EQ(circle->region(), "CH");
  EXPECT_EQ(circle->level(), Level::kAdvanced);
  EXPECT_EQ(circle->lookup(), body.lookup);
  EXPECT_EQ(circle->trust_roots(), body.trust_roots);
  EXPECT_EQ(circle->readers(), std::vector{device.id});
  EXPECT_FALSE(circle->recovery().has_value());
  EXPECT_TRUE(circle->vaults().empty());
  EXPECT_EQ(*circle->blob(1, reader_slots(device.id)[0]), body.epoch.blobs[0]);
}

TEST(Genesis, IsSignedByItsOwnDevice) {
  const TestDevice device = make_device("laptop");
  const TestDevice other = make_device("other");
  const Genesis body = testkit::genesis_body(device);
  EXPECT_TRUE(genesis_refused(body, other, "signer is not a member"));
  testkit::Signer posing = other;
  posing.id = device.id;
  EXPECT_TRUE(genesis_refused(body, posing, "signature is wrong"));
}

TEST(Genesis, IdCommitsToTheFirstDevice) {
  const TestDevice device = make_device("laptop");
  Draft draft;
  draft.circle = circle_id(make_device("other").info, testkit::genesis_body(device).nonce);
  draft.type = StatementType::kGenesis;
  draft.signer = device.id;
  draft.body = wire::encode(testkit::genesis_body(device));
  EXPECT_TRUE(outcome(Circle::start(wire::encode(sign_statement(draft, *device.key))),
                      Code::kUnsafe, "does not commit to its first device"));
}

TEST(Genesis, IdCommitsToNameKeysAndNonce) {
  const DeviceInfo info = make_device("laptop").info;
  const std::array<std::uint8_t, 32> nonce{};
  const CircleId id = circle_id(info, nonce);
  DeviceInfo other = info;
  other.name = "laptoq";
  EXPECT_NE(circle_id(other, nonce), id);
  other = info;
  other.wrap_key[1215] ^= 1;
  EXPECT_NE(circle_id(other, nonce), id);
  other = info;
  other.verify_key[64] ^= 1;
  EXPECT_NE(circle_id(other, nonce), id);
  std::array<std::uint8_t, 32> other_nonce{};
  other_nonce[31] = 1;
  EXPECT_NE(circle_id(info, other_nonce), id);
}

TEST(Genesis, FollowsNothingAndIsFirst) {
  const TestDevice device = make_device("laptop");
  const Genesis body = testkit::genesis_body(device);
  Draft draft;
  draft.circle = circle_id(body.device, body.nonce);
  draft.type = StatementType::kGenesis;
  draft.signer = device.id;
  draft.body = wire::encode(body);
  draft.prev.bytes[0] = 1;
  EXPECT_TRUE(outcome(Circle::start(wire::encode(sign_statement(draft, *device.key))),
                      Code::kUnsafe, "follows nothing"));
  draft.prev = {};
  draft.seq = 1;
  EXPECT_TRUE(outcome(Circle::start(wire::encode(sign_statement(draft, *device.key))),
                      Code::kUnsafe, "begin with its genesis"));
  CircleMaker maker;
  EXPECT_TRUE(outcome(Circle::start(maker.sign(maker.rotate(), maker.first)), Code::kUnsafe,
                      "begin with its genesis"));
}

TEST(Genesis, IsNeverRepeated) {
  CircleMaker maker;
  EXPECT_FALSE(maker.circle().apply(maker.statements()[0]).ok());
  const Draft draft = maker.draft(StatementType::kGenesis,
                                  wire::encode(testkit::genesis_body(maker.first)), maker.first.id);
  EXPECT_TRUE(
      refused(maker, wire::encode(sign_statement(draft, *maker.first.key)), "a second genesis"));
}

TEST(Genesis, BeginsEpochOneWithOneEnvelopeAndNoVault) {
  const TestDevice device = make_device("laptop");
  Genesis body = testkit::genesis_body(device);
  body.epoch.epoch = 2;
  EXPECT_TRUE(genesis_refused(body, device, "the first epoch is 1"));
  body = testkit::genesis_body(device);
  body.epoch.blobs.clear();
  EXPECT_TRUE(genesis_refused(body, device, "another number of keys"));
  body.epoch.blobs.resize(2);
  EXPECT_TRUE(genesis_refused(body, device, "another number of keys"));
  body = testkit::genesis_body(device);
  body.epoch.vault_heads.push_back({vault_id("home"), 0, {}});
  EXPECT_TRUE(genesis_refused(body, device, "head of every vault"));
}

TEST(Genesis, WithACustodianSaysUpdateRequired) {
  const TestDevice device = make_device("laptop");
  Genesis body = testkit::genesis_body(device);
  body.level = Level::kStandard;
  EXPECT_TRUE(genesis_refused(body, device, "has a custodian"));
}

TEST(Genesis, NamesARegion) {
  const TestDevice device = make_device("laptop");
  for (const char* region : {"", "C", "ch", "CHE", "C1", "\xc3\x84"}) {
    Genesis body = testkit::genesis_body(device);
    body.region = region;
    EXPECT_TRUE(genesis_refused(body, device, "two capital letters")) << region;
  }
}

TEST(Genesis, TakesNoCosignature) {
  const TestDevice device = make_device("laptop");
  auto parts =
      *wire::decode<SignedStatement>(testkit::sign_genesis(testkit::genesis_body(device), device));
  cosign(parts, device.id, *device.key);
  EXPECT_TRUE(
      outcome(Circle::start(wire::encode(parts)), Code::kUnsafe, "where none is asked for"));
}

// ---- admit ----

TEST(Admit, AddsAMemberToTheEpoch) {
  CircleMaker maker;
  const TestDevice desktop = make_device("desktop");
  const Admit body = maker.admit(desktop);
  maker.append(body, maker.first);
  const Circle& circle = maker.circle();
  ASSERT_NE(circle.member(desktop.id), nullptr);
  EXPECT_EQ(circle.member(desktop.id)->admitted_seq, 1u);
  EXPECT_EQ(circle.member_named("desktop")->id, desktop.id);
  EXPECT_EQ(circle.readers(), sorted({maker.first.id, desktop.id}));
  EXPECT_EQ(circle.epoch(), 1u);
  EXPECT_EQ(*circle.blob(1, reader_slots(desktop.id)[0]), body.epoch.blobs[0]);
}

TEST(Admit, ByAnyMember) {
  Household h;
  h.maker.append(h.maker.admit(make_device("phone")), h.desktop);
  EXPECT_EQ(h.maker.circle().members().size(), 3u);
}

TEST(Admit, WithoutItsCountersignatureIsRefused) {
  CircleMaker maker;
  Admit body = maker.admit(make_device("desktop"));
  body.countersignature = {};
  EXPECT_TRUE(refused(maker, maker.sign(body, maker.first), "did not sign its admission"));
}

TEST(Admit, CountersignatureIsOverCircleRequestAndDevice) {
  CircleMaker maker;
  const TestDevice desktop = make_device("desktop");
  const Admit good = maker.admit(desktop);
  const auto sign_over = [&](const CircleId& circle, const Digest& request, const ReaderId& id,
                             std::string_view label) {
    Admit body = good;
    body.countersignature = desktop.key->sign(label, admission_bytes(circle, request, id));
    return maker.sign(body, maker.first);
  };
  const CircleId& id = maker.circle().id();
  EXPECT_TRUE(accepted(maker, sign_over(id, good.request, desktop.id, kAdmissionLabel)));
  const std::string_view why = "did not sign its admission";
  EXPECT_TRUE(
      refused(maker, sign_over(CircleId(), good.request, desktop.id, kAdmissionLabel), why));
  EXPECT_TRUE(refused(maker, sign_over(id, Digest(), desktop.id, kAdmissionLabel), why));
  EXPECT_TRUE(refused(maker, sign_over(id, good.request, maker.first.id, kAdmissionLabel), why));
  EXPECT_TRUE(refused(maker, sign_over(id, good.request, desktop.id, kRecoveryLabel), why));
}

TEST(Admit, CountersignatureByAnotherKeyIsRefused) {
  CircleMaker maker;
  Admit body = maker.admit(make_device("desktop"));
  body.countersignature = maker.first.key->sign(
      kAdmissionLabel, admission_bytes(maker.circle().id(), body.request, reader_id(body.device)));
  EXPECT_TRUE(refused(maker, maker.sign(body, maker.first), "did not sign its admission"));
}

TEST(Admit, NewDeviceCannotAdmitItself) {
  CircleMaker maker;
  const TestDevice desktop = make_device("desktop");
  EXPECT_TRUE(refused(maker, maker.sign(maker.admit(desktop), desktop), "not a member"));
}

TEST(Admit, RecoveryKeyCannotAdmit) {
  Household h;
  EXPECT_TRUE(
      refused(h.maker, h.maker.sign(h.maker.admit(make_device("phone")), h.paper), "not a member"));
}

TEST(Admit, RepeatsEpochAndCheck) {
  CircleMaker maker;
  Admit body = maker.admit(make_device("desktop"));
  body.epoch.epoch = 2;
  EXPECT_TRUE(refused(maker, maker.sign(body, maker.first), "another epoch"));
  body = maker.admit(make_device("desktop"));
  body.epoch.check.bytes[31] ^= 1;
  EXPECT_TRUE(refused(maker, maker.sign(body, maker.first), "another epoch"));
}

TEST(Admit, BringsExactlyOneEnvelope) {
  Household h;
  Admit body = h.maker.admit(make_device("phone"));
  body.epoch.blobs.push_back(body.epoch.blobs[0]);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "another number of keys"));
  body.epoch.blobs.clear();
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "another number of keys"));
}

TEST(Admit, NamesAreUniqueAmongTheMembersOnly) {
  Household h;
  TestDevice twin = make_device("twin");
  twin.info.name = "desktop";
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.admit(twin), h.laptop), "is already a member"));
  h.maker.append(h.maker.remove({h.desktop.id}), h.laptop);
  EXPECT_TRUE(accepted(h.maker, h.maker.sign(h.maker.admit(twin), h.laptop)));
}

TEST(Admit, NamesWithControlCharactersAreRefused) {
  CircleMaker maker;
  TestDevice device = make_device("desktop");
  for (const std::string& name :
       {std::string(), std::string(65, 'x'), std::string("a\nb"), std::string("\x1b[2J"),
        std::string("a\0b", 3), std::string("\x7f"), std::string("\xc2\x80"),
        std::string("\xc2\x9b[2J"), std::string("a\xc2\x9f")}) {
    device.info.name = name;
    EXPECT_TRUE(refused(maker, maker.sign(maker.admit(device), maker.first), "printable"))
        << to_hex(as_bytes(name));
  }
  for (const std::string& name :
       {std::string(64, 'x'),
        std::string("K\xc3\xbc"
                    "che"),
        std::string("\xc2\xa0"), std::string("\xe3\x82\xb5\xe3\x83\x9b")}) {
    device.info.name = name;
    EXPECT_TRUE(accepted(maker, maker.sign(maker.admit(device), maker.first)))
        << to_hex(as_bytes(name));
  }
}

TEST(Admit, KeysOfAMemberAreRefused) {
  Household h;
  TestDevice device = make_device("phone");
  for (const TestDevice& old : {h.laptop, h.desktop}) {
    TestDevice mixed = device;
    mixed.info.wrap_key = old.info.wrap_key;
    mixed.id = reader_id(mixed.info);
    EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.admit(mixed), h.laptop), "used before"));
    mixed = old;
    mixed.info.name = "phone";
    mixed.info.wrap_key = device.info.wrap_key;
    mixed.id = reader_id(mixed.info);
    EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.admit(mixed), h.laptop), "used before"));
  }
}

TEST(Admit, KeysOfTheRecoveryKeyAreRefused) {
  Household h;
  TestDevice device = make_device("phone");
  device.info.wrap_key = h.paper.info.wrap_key;
  device.id = reader_id(device.info);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.admit(device), h.laptop), "used before"));
  device = make_device("phone");
  device.key = h.paper.key;
  device.info.verify_key = h.paper.info.verify_key;
  device.id = reader_id(device.info);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.admit(device), h.laptop), "used before"));
}

TEST(Admit, SixtyFourDevicesAtMost) {
  CircleMaker maker;
  for (std::size_t i = 1; i < kMaxDevices; ++i) maker.admit_new("device " + std::to_string(i));
  EXPECT_EQ(maker.circle().members().size(), kMaxDevices);
  EXPECT_TRUE(
      refused(maker, maker.sign(maker.admit(make_device("one more")), maker.first), "64 devices"));
  const TestDevice second = make_device("device 1");
  maker.append(maker.remove({second.id}), maker.first);
  EXPECT_TRUE(accepted(maker, maker.sign(maker.admit(make_device("one more")), maker.first)));
}

TEST(Admit, OtherSpellingsOfAPointAreRefused) {
  CircleMaker maker;
  TestDevice device = make_device("desktop");
  device.info.verify_key[0] = static_cast<std::uint8_t>(6 + (device.info.verify_key[64] & 1));
  device.id = reader_id(device.info);
  EXPECT_TRUE(refused(maker, maker.sign(maker.admit(device), maker.first), "did not sign"));
}

// Keys that nothing can be wrapped to: a coefficient of the ML-KEM half that is not reduced, and an
// X25519 half of low order.
std::vector<std::array<std::uint8_t, crypto::WrapPublicKey::kSize>> unusable_wrap_keys() {
  const auto good = make_device("phone").info.wrap_key;
  auto unreduced = good;
  unreduced[0] = unreduced[1] = 0xff;
  auto low_order = good;
  std::fill(low_order.begin() + 1184, low_order.end(), std::uint8_t{0});
  return {unreduced, low_order};
}

TEST(Admit, WrapKeyThatTakesNoEnvelopeIsRefused) {
  Household h;
  for (const auto& wrap_key : unusable_wrap_keys()) {
    TestDevice device = make_device("phone");
    device.info.wrap_key = wrap_key;
    device.id = reader_id(device.info);
    const std::string_view why = "nothing can be wrapped to";
    EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.admit(device), h.laptop), why));
    EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.recover(device), h.paper), why));
    EXPECT_TRUE(genesis_refused(testkit::genesis_body(device), device, why));
  }
}

// ---- remove ----

TEST(Remove, BeginsAnEpochWithoutTheRemoved) {
  Household h;
  h.maker.append(h.maker.remove({h.desktop.id}), h.laptop);
  const Circle& circle = h.maker.circle();
  EXPECT_EQ(circle.epoch(), 2u);
  EXPECT_EQ(circle.readers(), sorted({h.laptop.id, h.paper.id}));
  EXPECT_EQ(circle.member(h.desktop.id), nullptr);
  ASSERT_NE(circle.device(h.desktop.id), nullptr);
  EXPECT_EQ(circle.device(h.desktop.id)->removed_seq, circle.seq());
  EXPECT_EQ(circle.device(h.desktop.id)->removed_by, h.laptop.id);
  EXPECT_FALSE(circle.blob(2, reader_slots(h.desktop.id)[0]).ok());
  EXPECT_TRUE(circle.blob(1, reader_slots(h.desktop.id)[0]).ok());
}

TEST(Remove, SignerCannotRemoveItself) {
  Household h;
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.remove({h.laptop.id}), h.laptop),
                      "cannot remove itself"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.remove({h.laptop.id, h.desktop.id}), h.laptop),
                      "cannot remove itself"));
}

TEST(Remove, LastMemberCannotLeave) {
  CircleMaker maker;
  EXPECT_TRUE(refused(maker, maker.sign(maker.remove({maker.first.id}), maker.first),
                      "cannot remove itself"));
}

TEST(Remove, CannotTouchTheRecoveryKey) {
  Household h;
  EXPECT_TRUE(
      refused(h.maker, h.maker.sign(h.maker.remove({h.paper.id}), h.laptop), "not a member"));
  // Nor by leaving its envelope out.
  Remove body = h.maker.remove({h.desktop.id});
  body.epoch = h.maker.next_epoch({h.laptop.id});
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "another number of keys"));
}

TEST(Remove, NamesMembersSortedAndOnce) {
  Household h;
  h.maker.admit_new("phone");
  const ReaderId phone = make_device("phone").id;
  Remove body = h.maker.remove({h.desktop.id, phone});
  EXPECT_TRUE(accepted(h.maker, h.maker.sign(body, h.laptop)));
  std::swap(body.devices[0], body.devices[1]);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "not a sorted list"));
  body = h.maker.remove({phone});
  body.devices = {phone, phone};
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "not a sorted list"));
  body.devices.clear();
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "not a sorted list"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.remove({make_device("x").id}), h.laptop),
                      "not a member"));
}

TEST(Remove, RemovedDeviceIdNeverReturns) {
  Household h;
  h.maker.append(h.maker.remove({h.desktop.id}), h.laptop);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.admit(h.desktop), h.laptop), "used before"));
  TestDevice renamed = h.desktop;
  renamed.info.name = "another";
  EXPECT_EQ(reader_id(renamed.info), h.desktop.id);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.admit(renamed), h.laptop), "used before"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.recover(h.desktop), h.paper), "used before"));
}

TEST(Remove, OldSigningKeyWithNewWrapKeyIsRefused) {
  Household h;
  h.maker.append(h.maker.remove({h.desktop.id}), h.laptop);
  TestDevice mixed = h.desktop;
  mixed.info.wrap_key = make_device("phone").info.wrap_key;
  mixed.id = reader_id(mixed.info);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.admit(mixed), h.laptop), "used before"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.recover(mixed), h.paper), "used before"));
}

TEST(Remove, OldWrapKeyWithNewSigningKeyIsRefused) {
  Household h;
  h.maker.append(h.maker.remove({h.desktop.id}), h.laptop);
  TestDevice mixed = make_device("phone");
  mixed.info.wrap_key = h.desktop.info.wrap_key;
  mixed.id = reader_id(mixed.info);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.admit(mixed), h.laptop), "used before"));
}

TEST(Remove, RemovedDeviceKeysAreNoRecoveryKey) {
  Household h;
  h.maker.append(h.maker.remove({h.desktop.id}), h.laptop);
  TestRecovery mixed = make_recovery("new paper");
  mixed.info.verify_key = h.desktop.info.verify_key;
  mixed.id = reader_id(mixed.info);
  EXPECT_TRUE(refused(h.maker,
                      h.maker.sign_cosigned(h.maker.set_recovery(mixed), h.laptop, h.paper),
                      "used before"));
}

TEST(Remove, RemovedDeviceSignsNothing) {
  Household h;
  h.maker.append(h.maker.remove({h.desktop.id}), h.laptop);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.rotate(), h.desktop), "not a member"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.admit(make_device("friend")), h.desktop),
                      "not a member"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(SetRegion{"DE"}, h.desktop), "not a member"));
}

TEST(Remove, ApprovalSignedBeforeIsNoLongerGood) {
  Household h;
  const Bytes approval = h.maker.sign(h.maker.admit(make_device("friend")), h.desktop);
  EXPECT_TRUE(accepted(h.maker, approval));
  h.maker.append(h.maker.remove({h.desktop.id}), h.laptop);
  EXPECT_TRUE(refused(h.maker, approval, "has changed", Code::kConflict));
}

// ---- rotate, and the epoch of every statement that rotates ----

TEST(Rotate, KeepsTheReaders) {
  Household h;
  const auto before = h.maker.circle().readers();
  h.maker.append(h.maker.rotate(), h.desktop);
  EXPECT_EQ(h.maker.circle().readers(), before);
  EXPECT_EQ(h.maker.circle().epoch(), 2u);
  EXPECT_EQ(h.maker.circle().epoch_at(h.maker.circle().seq()), 2u);
  EXPECT_EQ(h.maker.circle().epoch_at(h.maker.circle().seq() - 1), 1u);
}

TEST(Rotate, EpochsFollowOneAnother) {
  Household h;
  for (const std::uint32_t epoch : {0u, 1u, 3u, 0xffffffffu}) {
    Rotate body = h.maker.rotate();
    body.epoch.epoch = epoch;
    EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "does not follow")) << epoch;
  }
}

TEST(Rotate, EnvelopesCoverExactlyThoseWhoRemain) {
  Household h;
  const auto slots = epoch_slots(h.maker.circle().vaults(), h.maker.circle().readers(), {});
  // Backlink, three roots, and four keys of one vault.
  ASSERT_EQ(slots.size(), 8u);
  Rotate body = h.maker.rotate();
  body.epoch.blobs.pop_back();
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "another number of keys"));
  body = h.maker.rotate();
  body.epoch.blobs.push_back(body.epoch.blobs[0]);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "another number of keys"));
  body.epoch.blobs.clear();
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "another number of keys"));

  h.maker.append(h.maker.rotate(), h.laptop);
  EXPECT_EQ(h.maker.circle().epochs()[1].blobs.size(), slots.size());
  for (const BlobSlot& slot : slots)
    EXPECT_EQ(*h.maker.circle().blob(2, slot), testkit::blob_id(2, slot));
}

TEST(Rotate, AfterRemovalTheRemovedHasNoPlaceInTheOrder) {
  Household h;
  Remove body = h.maker.remove({h.desktop.id});
  body.epoch = h.maker.next_epoch({h.laptop.id, h.desktop.id, h.paper.id});
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "another number of keys"));
}

TEST(EpochSlots, StandInOneOrder) {
  Household h;
  h.maker.add_vault("photos");
  const Circle& circle = h.maker.circle();
  const auto slots = epoch_slots(circle.vaults(), circle.readers(), {});
  std::vector<BlobSlot> expected = {{BlobKind::kBacklink, {}, {}}};
  for (const ReaderId& id : sorted({h.laptop.id, h.desktop.id, h.paper.id}))
    expected.push_back({BlobKind::kRoot, id, {}});
  std::vector<VaultId> vaults = {h.home, vault_id("photos")};
  std::sort(vaults.begin(), vaults.end());
  for (const VaultId& v : vaults)
    for (const BlobKind kind :
         {BlobKind::kVaultKey, BlobKind::kVaultLink, BlobKind::kNaming, BlobKind::kCutting})
      expected.push_back({kind, {}, v});
  EXPECT_EQ(slots, expected);
}

TEST(Blob, ThatNoStatementBringsIsNotFound) {
  Household h;
  const Circle& circle = h.maker.circle();
  EXPECT_FALSE(circle.blob(0, reader_slots(h.laptop.id)[0]).ok());
  EXPECT_FALSE(circle.blob(2, reader_slots(h.laptop.id)[0]).ok());
  EXPECT_FALSE(circle.blob(1, reader_slots(make_device("x").id)[0]).ok());
  EXPECT_FALSE(circle.blob(1, {BlobKind::kBacklink, {}, {}}).ok());
  // A vault's first epoch has nothing to link to.
  EXPECT_FALSE(circle.blob(1, {BlobKind::kVaultLink, {}, h.home}).ok());
}

// ---- vault heads ----

TEST(VaultHeads, MustNameEveryVault) {
  Household h;
  h.maker.add_vault("photos");
  for (const bool adding : {false, true}) {
    const auto statement = [&](const auto& change) {
      Rotate rotate = h.maker.rotate();
      Admit admit = h.maker.admit(make_device("phone"));
      change(adding ? admit.epoch.vault_heads : rotate.epoch.vault_heads);
      return adding ? h.maker.sign(admit, h.laptop) : h.maker.sign(rotate, h.laptop);
    };
    using Heads = wire::Bounded<VaultHead, kMaxVaults>;
    EXPECT_TRUE(accepted(h.maker, statement([](Heads&) {})));
    EXPECT_TRUE(refused(h.maker, statement([](Heads& v) { v.pop_back(); }), "head of every vault"));
    EXPECT_TRUE(
        refused(h.maker, statement([](Heads& v) { v.push_back(v[0]); }), "head of every vault"));
    EXPECT_TRUE(
        refused(h.maker, statement([](Heads& v) { std::swap(v[0], v[1]); }), "not in order"));
    EXPECT_TRUE(refused(h.maker, statement([](Heads& v) { v[1] = v[0]; }), "not in order"));
  }
}

TEST(VaultHeads, NumberAndHeadAreZeroTogether) {
  Household h;
  Rotate body = h.maker.rotate();
  body.epoch.vault_heads[0].n = 1;
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "without its number"));
  body = h.maker.rotate();
  body.epoch.vault_heads[0].head.bytes[5] = 1;
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "without its number"));
}

TEST(VaultHeads, NeverTurnBack) {
  Household h;
  h.maker.append_record(h.home, h.laptop);
  h.maker.append_record(h.home, h.laptop);
  h.maker.append(h.maker.rotate(), h.laptop);
  const auto with_head = [&](std::uint64_t n, std::uint8_t flip) {
    Rotate body = h.maker.rotate();
    body.epoch.vault_heads[0].n = n;
    body.epoch.vault_heads[0].head.bytes[0] ^= flip;
    if (n == 0) body.epoch.vault_heads[0].head = {};
    return h.maker.sign(body, h.laptop);
  };
  EXPECT_TRUE(accepted(h.maker, with_head(2, 0)));
  EXPECT_TRUE(accepted(h.maker, with_head(3, 1)));
  EXPECT_TRUE(refused(h.maker, with_head(1, 0), "turns a vault back"));
  EXPECT_TRUE(refused(h.maker, with_head(0, 0), "turns a vault back"));
  EXPECT_TRUE(refused(h.maker, with_head(2, 1), "turns a vault back"));
}

TEST(VaultHeads, OfAStatementThatAddsAreKeptToo) {
  Household h;
  h.maker.append_record(h.home, h.laptop);
  h.maker.admit_new("phone");
  Rotate body = h.maker.rotate();
  body.epoch.vault_heads[0] = {h.home, 0, {}};
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "turns a vault back"));
}

TEST(VaultHeads, OfAStatementWithoutHeadsBetweenAreStillKept) {
  Household h;
  h.maker.append_record(h.home, h.laptop);
  h.maker.append(h.maker.rotate(), h.laptop);
  h.maker.append(SetRegion{"FR"}, h.laptop);
  h.maker.add_vault("photos");
  Rotate body = h.maker.rotate();
  for (VaultHead& head : body.epoch.vault_heads) head = {head.vault, 0, {}};
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "turns a vault back"));
}

// ---- set_vault ----

TEST(SetVault, AddsAVault) {
  CircleMaker maker;
  maker.add_vault("home");
  const Vault* vault = maker.circle().vault(vault_id("home"));
  ASSERT_NE(vault, nullptr);
  EXPECT_EQ(vault, maker.circle().vault_named("home"));
  EXPECT_FALSE(vault->always_e2e);
  EXPECT_EQ(vault->since_seq, 1u);
  EXPECT_EQ(vault->first_epoch, 1u);
  EXPECT_EQ(maker.circle().epoch(), 1u);
  for (const BlobSlot& slot : vault_slots(*vault, {}))
    EXPECT_EQ(*maker.circle().blob(1, slot), testkit::blob_id(1, slot));
}

TEST(SetVault, SettingAlwaysE2eLaterRotates) {
  Household h;
  h.maker.append(h.maker.set_vault("home", true), h.laptop);
  EXPECT_TRUE(h.maker.circle().vault(h.home)->always_e2e);
  EXPECT_EQ(h.maker.circle().epoch(), 2u);
  EXPECT_EQ(h.maker.circle().vaults().size(), 1u);
}

TEST(SetVault, SettingAlwaysE2eLaterWithoutRotatingIsRefused) {
  Household h;
  SetVault body = h.maker.set_vault("home", true);
  body.epoch = h.maker.same_epoch(vault_slots(*h.maker.circle().vault(h.home), {}));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "does not follow"));
}

TEST(SetVault, NothingClearsAlwaysE2e) {
  CircleMaker maker;
  maker.append(maker.set_vault("home", true), maker.first);
  EXPECT_TRUE(maker.circle().vault_named("home")->always_e2e);
  EXPECT_TRUE(
      refused(maker, maker.sign(maker.set_vault("home", false), maker.first), "can only be set"));
  EXPECT_TRUE(
      refused(maker, maker.sign(maker.set_vault("home", true), maker.first), "can only be set"));
}

TEST(SetVault, NameStays) {
  Household h;
  SetVault body = h.maker.set_vault("home", true);
  body.name = "renamed";
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "its name stays"));
}

TEST(SetVault, NamesAndIdsAreUnique) {
  Household h;
  SetVault body = h.maker.set_vault("other");
  body.name = "home";
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "of that name exists"));
  body = h.maker.set_vault("other");
  body.vault = {};
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "id is zero"));
  body = h.maker.set_vault("other");
  body.name = "a\x1b";
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "not printable"));
}

TEST(SetVault, BringsItsThreeKeys) {
  Household h;
  SetVault body = h.maker.set_vault("photos");
  body.epoch.blobs.pop_back();
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "another number of keys"));
}

TEST(SetVault, SixtyFourAtMost) {
  CircleMaker maker;
  for (std::size_t i = 0; i < kMaxVaults; ++i) maker.add_vault("vault " + std::to_string(i));
  EXPECT_TRUE(refused(maker, maker.sign(maker.set_vault("one more"), maker.first), "64 vaults"));
  // The largest statement there can be still fits.
  for (std::size_t i = 1; i < kMaxDevices; ++i) maker.admit_new("device " + std::to_string(i));
  maker.enroll("paper");
  EXPECT_TRUE(accepted(maker, maker.sign(maker.rotate(), maker.first)));
}

// ---- set_region ----

TEST(SetRegion, ByAMemberOnly) {
  Household h;
  EXPECT_TRUE(refused(h.maker, h.maker.sign(SetRegion{"DE"}, h.paper), "not a member"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(SetRegion{"DE"}, make_device("x")), "not a member"));
  h.maker.append(SetRegion{"DE"}, h.desktop);
  EXPECT_EQ(h.maker.circle().region(), "DE");
}

TEST(SetRegion, IsTwoCapitalLetters) {
  CircleMaker maker;
  for (const char* region : {"", "d", "de", "DEU", "D ", "D1"})
    EXPECT_TRUE(refused(maker, maker.sign(SetRegion{region}, maker.first), "two capital letters"))
        << region;
}

// ---- set_recovery ----

TEST(SetRecovery, FirstAddsAReaderToTheEpoch) {
  CircleMaker maker;
  const TestRecovery paper = maker.enroll("paper");
  const Circle& circle = maker.circle();
  ASSERT_TRUE(circle.recovery().has_value());
  EXPECT_EQ(circle.recovery()->id, paper.id);
  EXPECT_EQ(circle.recovery()->set_seq, 1u);
  EXPECT_EQ(circle.epoch(), 1u);
  EXPECT_EQ(circle.readers(), sorted({maker.first.id, paper.id}));
  EXPECT_EQ(circle.members().size(), 1u);
  const Digest capsule = crypto::sha256(paper.info.capsule);
  EXPECT_TRUE(circle.ever_committed_capsule(capsule));
  EXPECT_FALSE(circle.ever_committed_capsule(Digest()));
}

TEST(SetRecovery, FirstTakesNoCosignature) {
  CircleMaker maker;
  const TestDevice desktop = maker.admit_new("desktop");
  EXPECT_TRUE(refused(
      maker, maker.sign_cosigned(maker.set_recovery(make_recovery("paper")), maker.first, desktop),
      "where none is asked for"));
}

TEST(SetRecovery, ReplacingNeedsOldKeyOrSecondMember) {
  Household h;
  const SetRecovery body = h.maker.set_recovery(make_recovery("new paper"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "old one or a second device"));
  EXPECT_TRUE(
      refused(h.maker, h.maker.sign_cosigned(body, h.laptop, h.laptop), "signer cannot cosign"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign_cosigned(body, h.laptop, make_device("stranger")),
                      "cosigner is not a member"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign_cosigned(body, h.laptop, make_recovery("new paper")),
                      "cosigner is not a member"));
  EXPECT_TRUE(accepted(h.maker, h.maker.sign_cosigned(body, h.laptop, h.desktop)));
  EXPECT_TRUE(accepted(h.maker, h.maker.sign_cosigned(body, h.laptop, h.paper)));
}

TEST(SetRecovery, ReplacingTakesOneCosignatureOnly) {
  Household h;
  SignedStatement parts =
      h.maker.sign_parts(h.maker.set_recovery(make_recovery("new paper")), h.laptop);
  cosign(parts, h.desktop.id, *h.desktop.key);
  cosign(parts, h.paper.id, *h.paper.key);
  EXPECT_TRUE(refused(h.maker, wire::encode(parts), "old one or a second device"));
}

TEST(SetRecovery, CosignatureIsOfThisStatementByThisKey) {
  Household h;
  SignedStatement parts =
      h.maker.sign_parts(h.maker.set_recovery(make_recovery("new paper")), h.laptop);
  const SignedStatement bare = parts;
  cosign(parts, h.desktop.id, *h.laptop.key);
  EXPECT_TRUE(refused(h.maker, wire::encode(parts), "cosignature is wrong"));
  // A signature of the same bytes, but as a signer: another label.
  parts = bare;
  const auto as_signer =
      sign_statement({.circle = {}, .prev = {}, .signer = {}, .body = {}}, *h.desktop.key);
  parts.cosignatures.push_back({h.desktop.id, as_signer.signature});
  EXPECT_TRUE(refused(h.maker, wire::encode(parts), "cosignature is wrong"));
  SignedStatement other =
      h.maker.sign_parts(h.maker.set_recovery(make_recovery("third paper")), h.laptop);
  cosign(other, h.desktop.id, *h.desktop.key);
  parts = bare;
  parts.cosignatures = other.cosignatures;
  EXPECT_TRUE(refused(h.maker, wire::encode(parts), "cosignature is wrong"));
}

TEST(SetRecovery, RemovedMemberCannotCosign) {
  Household h;
  h.maker.admit_new("phone");
  h.maker.append(h.maker.remove({h.desktop.id}), h.laptop);
  EXPECT_TRUE(refused(
      h.maker,
      h.maker.sign_cosigned(h.maker.set_recovery(make_recovery("new paper")), h.laptop, h.desktop),
      "cosigner is not a member"));
}

TEST(SetRecovery, SoleMemberMayReplace) {
  CircleMaker maker;
  maker.enroll("paper");
  const TestRecovery paper = make_recovery("new paper");
  maker.append(maker.set_recovery(paper), maker.first);
  EXPECT_EQ(maker.circle().recovery()->id, paper.id);
}

TEST(SetRecovery, ReplacingRotates) {
  Household h;
  const TestRecovery paper = make_recovery("new paper");
  SetRecovery body = h.maker.set_recovery(paper);
  body.epoch = h.maker.same_epoch(reader_slots(paper.id));
  EXPECT_TRUE(
      refused(h.maker, h.maker.sign_cosigned(body, h.laptop, h.desktop), "does not follow"));
  h.maker.append(h.maker.sign_cosigned(h.maker.set_recovery(paper), h.laptop, h.desktop));
  EXPECT_EQ(h.maker.circle().epoch(), 2u);
  EXPECT_EQ(h.maker.circle().readers(), sorted({h.laptop.id, h.desktop.id, paper.id}));
  EXPECT_FALSE(h.maker.circle().blob(2, reader_slots(h.paper.id)[0]).ok());
  // The old capsule stays one that the chain has committed to.
  EXPECT_TRUE(h.maker.circle().ever_committed_capsule(crypto::sha256(h.paper.info.capsule)));
}

TEST(SetRecovery, ReplacedKeyDoesNotReturn) {
  Household h;
  h.maker.append(
      h.maker.sign_cosigned(h.maker.set_recovery(make_recovery("new paper")), h.laptop, h.desktop));
  EXPECT_FALSE(
      accepted(h.maker, h.maker.sign_cosigned(h.maker.set_recovery(h.paper), h.laptop, h.desktop)));
}

TEST(SetRecovery, KeysOfAReplacedOneNeverReturnUnderAnotherId) {
  Household h;
  h.maker.append(
      h.maker.sign_cosigned(h.maker.set_recovery(make_recovery("new paper")), h.laptop, h.desktop));
  // As a recovery key, its signing key with a new wrapping key.
  TestRecovery mixed = make_recovery("third paper");
  mixed.info.verify_key = h.paper.info.verify_key;
  EXPECT_TRUE(refused(h.maker,
                      h.maker.sign_cosigned(h.maker.set_recovery(mixed), h.laptop, h.desktop),
                      "used before"));
  mixed = make_recovery("third paper");
  mixed.info.wrap_key = h.paper.info.wrap_key;
  EXPECT_TRUE(refused(h.maker,
                      h.maker.sign_cosigned(h.maker.set_recovery(mixed), h.laptop, h.desktop),
                      "used before"));
  // As a device, whole and half.
  TestDevice device = make_device("phone");
  device.key = h.paper.key;
  device.info.verify_key = h.paper.info.verify_key;
  device.id = reader_id(device.info);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.admit(device), h.laptop), "used before"));
  device.info.wrap_key = h.paper.info.wrap_key;
  device.id = reader_id(device.info);
  EXPECT_FALSE(accepted(h.maker, h.maker.sign(h.maker.admit(device), h.laptop)));
}

TEST(SetRecovery, KeysOfAMemberAreRefused) {
  Household h;
  TestRecovery mixed = make_recovery("new paper");
  mixed.info.wrap_key = h.laptop.info.wrap_key;
  EXPECT_TRUE(refused(h.maker,
                      h.maker.sign_cosigned(h.maker.set_recovery(mixed), h.laptop, h.desktop),
                      "used before"));
}

// Else one bad member could enrol it, and no later epoch, not even one without that member, could
// be made.
TEST(SetRecovery, WrapKeyThatTakesNoEnvelopeIsRefused) {
  CircleMaker maker;
  for (const auto& wrap_key : unusable_wrap_keys()) {
    TestRecovery paper = make_recovery("paper");
    paper.info.wrap_key = wrap_key;
    EXPECT_TRUE(refused(maker, maker.sign(maker.set_recovery(paper), maker.first),
                        "nothing can be wrapped to"));
  }
}

TEST(SetRecovery, StandingKeyIsNotSetAgain) {
  Household h;
  EXPECT_TRUE(refused(h.maker,
                      h.maker.sign_cosigned(h.maker.set_recovery(h.paper), h.laptop, h.desktop),
                      "used before"));
}

TEST(SetRecovery, CapsuleIsThereAndNotTooLarge) {
  CircleMaker maker;
  TestRecovery paper = make_recovery("paper");
  paper.info.capsule.clear();
  EXPECT_TRUE(refused(maker, maker.sign(maker.set_recovery(paper), maker.first), "capsule"));
  paper.info.capsule.assign(kMaxCapsule + 1, 1);
  EXPECT_TRUE(refused(maker, maker.sign(maker.set_recovery(paper), maker.first), "capsule"));
  paper.info.capsule.pop_back();
  EXPECT_TRUE(accepted(maker, maker.sign(maker.set_recovery(paper), maker.first)));
}

TEST(SetRecovery, EvidenceIsRefusedWhereNoLogProvesAges) {
  CircleMaker maker;
  SetRecovery body = maker.set_recovery(make_recovery("paper"));
  body.evidence.push_back({1});
  EXPECT_TRUE(refused(maker, maker.sign(body, maker.first), "nobody asks"));
}

TEST(SetRecovery, RecoveryKeyCannotReplaceItself) {
  Household h;
  EXPECT_TRUE(refused(
      h.maker,
      h.maker.sign_cosigned(h.maker.set_recovery(make_recovery("new paper")), h.paper, h.laptop),
      "not a member"));
}

// ---- recover ----

TEST(Recover, AdmitsTheNewDeviceAndRemovesEveryOtherNotKept) {
  Household h;
  h.maker.admit_new("phone");
  const TestDevice fresh = make_device("fresh");
  h.maker.append(h.maker.recover(fresh, {h.desktop.id}), h.paper);
  const Circle& circle = h.maker.circle();
  EXPECT_EQ(circle.readers(), sorted({h.desktop.id, fresh.id, h.paper.id}));
  EXPECT_EQ(circle.epoch(), 2u);
  EXPECT_EQ(circle.device(h.laptop.id)->removed_seq, circle.seq());
  EXPECT_EQ(circle.device(h.laptop.id)->removed_by, h.paper.id);
  EXPECT_EQ(circle.recovery()->id, h.paper.id);
  EXPECT_TRUE(circle.blob(2, reader_slots(h.paper.id)[0]).ok());
  EXPECT_FALSE(circle.blob(2, reader_slots(h.laptop.id)[0]).ok());
}

TEST(Recover, KeepingNobodyLeavesTheNewDeviceAlone) {
  Household h;
  const TestDevice fresh = make_device("fresh");
  h.maker.append(h.maker.recover(fresh), h.paper);
  EXPECT_EQ(h.maker.circle().members().size(), 1u);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.rotate(), h.laptop), "not a member"));
  EXPECT_TRUE(accepted(h.maker, h.maker.sign(h.maker.rotate(), fresh)));
}

TEST(Recover, VoidsWhatTheRemovedHadPrepared) {
  Household h;
  const Bytes prepared = h.maker.sign(h.maker.admit(make_device("friend")), h.laptop);
  h.maker.append(h.maker.recover(make_device("fresh")), h.paper);
  EXPECT_TRUE(refused(h.maker, prepared, "has changed", Code::kConflict));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.admit(make_device("friend")), h.laptop),
                      "not a member"));
}

TEST(Recover, NewDeviceMayTakeTheNameOfARemovedOne) {
  Household h;
  TestDevice fresh = make_device("fresh");
  fresh.info.name = "laptop";
  EXPECT_TRUE(accepted(h.maker, h.maker.sign(h.maker.recover(fresh), h.paper)));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.recover(fresh, {h.laptop.id}), h.paper),
                      "is already a member"));
}

TEST(Recover, NeedsTheKeyThatStands) {
  CircleMaker none;
  EXPECT_TRUE(
      refused(none, none.sign(none.recover(make_device("fresh")), none.first), "no recovery key"));
  Household h;
  const Recover body = h.maker.recover(make_device("fresh"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.laptop), "recovery key that stands"));
  EXPECT_TRUE(
      refused(h.maker, h.maker.sign(body, make_recovery("other")), "recovery key that stands"));
  testkit::Signer posing = h.laptop;
  posing.id = h.paper.id;
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, posing), "signature is wrong"));
}

TEST(Recover, ReplacedKeyIsRefused) {
  Household h;
  h.maker.append(
      h.maker.sign_cosigned(h.maker.set_recovery(make_recovery("new paper")), h.laptop, h.desktop));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.recover(make_device("fresh")), h.paper),
                      "recovery key that stands"));
}

TEST(Recover, NewDeviceCountersignsForThisPlaceInTheChain) {
  Household h;
  const TestDevice fresh = make_device("fresh");
  Recover body = h.maker.recover(fresh);
  body.countersignature = {};
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.paper), "did not sign its admission"));
  body.countersignature = fresh.key->sign(
      kRecoveryLabel, recovery_bytes(h.maker.circle().id(), h.maker.circle().head_at(0), fresh.id));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.paper), "did not sign its admission"));
  body.countersignature = fresh.key->sign(
      kAdmissionLabel, recovery_bytes(h.maker.circle().id(), h.maker.circle().head(), fresh.id));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.paper), "did not sign its admission"));
}

TEST(Recover, KeepsMembersSortedAndOnce) {
  Household h;
  const TestDevice fresh = make_device("fresh");
  Recover body = h.maker.recover(fresh, {h.laptop.id, h.desktop.id});
  EXPECT_TRUE(accepted(h.maker, h.maker.sign(body, h.paper)));
  std::swap(body.kept[0], body.kept[1]);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.paper), "not a sorted list"));
  body.kept = {h.laptop.id, h.laptop.id};
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.paper), "not a sorted list"));
  h.maker.append(h.maker.remove({h.desktop.id}), h.laptop);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.recover(fresh, {h.desktop.id}), h.paper),
                      "kept is not a member"));
  EXPECT_TRUE(refused(h.maker, h.maker.sign(h.maker.recover(fresh, {h.paper.id}), h.paper),
                      "kept is not a member"));
}

TEST(Recover, EpochCoversTheRecoveryKey) {
  Household h;
  const TestDevice fresh = make_device("fresh");
  Recover body = h.maker.recover(fresh);
  body.epoch = h.maker.next_epoch({fresh.id});
  EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.paper), "another number of keys"));
}

TEST(Recover, TakesNoCosignature) {
  Household h;
  const Bytes bytes =
      h.maker.sign_cosigned(h.maker.recover(make_device("fresh")), h.paper, h.laptop);
  EXPECT_TRUE(refused(h.maker, bytes, "where none is asked for"));
}

TEST(Recover, WorksAgainWithTheSameKey) {
  Household h;
  h.maker.append(h.maker.recover(make_device("fresh")), h.paper);
  h.maker.append(h.maker.recover(make_device("fresher")), h.paper);
  EXPECT_EQ(h.maker.circle().members().size(), 1u);
}

TEST(Recover, MayFillAFullCircle) {
  CircleMaker maker;
  maker.enroll("paper");
  std::vector<ReaderId> all = {maker.first.id};
  for (std::size_t i = 1; i < kMaxDevices; ++i)
    all.push_back(maker.admit_new("device " + std::to_string(i)).id);
  const TestRecovery paper = make_recovery("paper");
  const TestDevice fresh = make_device("fresh");
  EXPECT_TRUE(refused(maker, maker.sign(maker.recover(fresh, all), paper), "64 devices"));
  all.pop_back();
  EXPECT_TRUE(accepted(maker, maker.sign(maker.recover(fresh, all), paper)));
}

// ---- the chain ----

TEST(Statement, FollowsTheHeadOrIsAConflict) {
  Household h;
  const Bytes good = h.maker.sign(SetRegion{"DE"}, h.laptop);
  Draft draft =
      h.maker.draft(StatementType::kSetRegion, wire::encode(SetRegion{"DE"}), h.laptop.id);
  const auto signed_draft = [&] { return wire::encode(sign_statement(draft, *h.laptop.key)); };
  EXPECT_TRUE(accepted(h.maker, signed_draft()));
  ++draft.seq;
  EXPECT_TRUE(refused(h.maker, signed_draft(), "has changed", Code::kConflict));
  draft.seq -= 2;
  EXPECT_TRUE(refused(h.maker, signed_draft(), "has changed", Code::kConflict));
  ++draft.seq;
  draft.prev = h.maker.circle().head_at(h.maker.circle().seq() - 1);
  EXPECT_TRUE(refused(h.maker, signed_draft(), "has changed", Code::kConflict));
  h.maker.append(good);
  EXPECT_TRUE(refused(h.maker, good, "has changed", Code::kConflict));
}

TEST(Statement, OfAnotherCircleIsRefused) {
  Household h;
  CircleMaker other(make_device("elsewhere"));
  EXPECT_TRUE(refused(h.maker, other.sign(other.rotate(), other.first), "another circle"));
}

TEST(Statement, SignatureByAnotherMemberIsRefused) {
  Household h;
  testkit::Signer posing = h.desktop;
  posing.id = h.laptop.id;
  EXPECT_TRUE(refused(h.maker, h.maker.sign(SetRegion{"DE"}, posing), "signature is wrong"));
}

TEST(Statement, EveryKindButRecoverNeedsAMembersSignature) {
  Household h;
  const TestDevice stranger = make_device("stranger");
  testkit::Signer posing = stranger;
  posing.id = h.laptop.id;
  const auto check = [&](const auto& body) {
    EXPECT_TRUE(refused(h.maker, h.maker.sign(body, stranger), "not a member"));
    EXPECT_TRUE(refused(h.maker, h.maker.sign(body, h.paper), "not a member"));
    EXPECT_TRUE(refused(h.maker, h.maker.sign(body, posing), "signature is wrong"));
  };
  check(h.maker.admit(make_device("phone")));
  check(h.maker.remove({h.desktop.id}));
  check(h.maker.rotate());
  check(h.maker.set_vault("photos"));
  check(h.maker.set_vault("home", true));
  check(SetRegion{"DE"});
  check(h.maker.set_recovery(make_recovery("new paper")));
}

TEST(Statement, UnaskedCosignatureIsRefused) {
  Household h;
  const std::string_view why = "where none is asked for";
  const auto cosigned = [&](const auto& body) {
    return h.maker.sign_cosigned(body, h.laptop, h.desktop);
  };
  EXPECT_TRUE(refused(h.maker, cosigned(h.maker.admit(make_device("phone"))), why));
  EXPECT_TRUE(refused(h.maker, cosigned(h.maker.remove({h.desktop.id})), why));
  EXPECT_TRUE(refused(h.maker, cosigned(h.maker.rotate()), why));
  EXPECT_TRUE(refused(h.maker, cosigned(h.maker.set_vault("photos")), why));
  EXPECT_TRUE(refused(h.maker, cosigned(SetRegion{"DE"}), why));
}

TEST(Statement, ReservedTypesSayUpdateRequired) {
  Household h;
  for (const StatementType type : {StatementType::kGrantWeb, StatementType::kRevokeWeb,
                                   StatementType{0}, StatementType{17}, StatementType{255}}) {
    const Draft draft = h.maker.draft(type, {}, h.laptop.id);
    EXPECT_TRUE(refused(h.maker, wire::encode(sign_statement(draft, *h.laptop.key)),
                        "update required", Code::kOutdated))
        << static_cast<int>(type);
  }
}

TEST(Statement, OtherSuiteAndVersionSayUpdateRequired) {
  Household h;
  const SignedStatement good = h.maker.sign_parts(SetRegion{"DE"}, h.laptop);
  Statement statement = *wire::decode<Statement>(good.statement);
  for (const std::uint8_t suite : std::initializer_list<std::uint8_t>{0, 2, 255}) {
    statement.suite = suite;
    SignedStatement other = good;
    other.statement = wire::encode(statement);
    EXPECT_TRUE(refused(h.maker, wire::encode(other), "update required", Code::kOutdated));
  }
  SignedStatement other = good;
  const std::string_view label = "holdfast/v1/statement";
  const auto at =
      std::search(other.statement.begin(), other.statement.end(), label.begin(), label.end());
  ASSERT_NE(at, other.statement.end());
  at[10] = '2';
  EXPECT_TRUE(refused(h.maker, wire::encode(other), "update required", Code::kOutdated));
}

TEST(Statement, SizesAreLimited) {
  Household h;
  Draft draft = h.maker.draft(StatementType::kSetRegion, Bytes(kMaxBody + 1), h.laptop.id);
  EXPECT_TRUE(refused(h.maker, wire::encode(sign_statement(draft, *h.laptop.key)),
                      "body of a statement is too large", Code::kCorrupt));
  EXPECT_TRUE(refused(h.maker, Bytes(kMaxStatement + 1), "too large", Code::kCorrupt));
  draft.body.pop_back();
  EXPECT_TRUE(refused(h.maker, wire::encode(sign_statement(draft, *h.laptop.key)),
                      "the body of a statement: ", Code::kCorrupt));
}

TEST(Statement, BodyOfAnotherTypeIsRefused) {
  Household h;
  const Draft draft =
      h.maker.draft(StatementType::kRotate, wire::encode(SetRegion{"DE"}), h.laptop.id);
  EXPECT_FALSE(accepted(h.maker, wire::encode(sign_statement(draft, *h.laptop.key))));
  Draft longer =
      h.maker.draft(StatementType::kSetRegion, wire::encode(SetRegion{"DE"}), h.laptop.id);
  longer.body.push_back(0);
  EXPECT_TRUE(refused(h.maker, wire::encode(sign_statement(longer, *h.laptop.key)),
                      "bytes follow the end", Code::kCorrupt));
}

// s' = n - s verifies in most libraries: a second spelling, with another head.
TEST(Statement, HighSSignatureIsRefused) {
  Household h;
  const Bytes order = *from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
  const auto flip = [&](crypto::Signature& signature) {
    int borrow = 0;
    for (std::size_t i = 32; i-- > 0;) {
      const int diff = order[i] - signature[32 + i] - borrow;
      borrow = diff < 0 ? 1 : 0;
      signature[32 + i] = static_cast<std::uint8_t>(diff + 256 * borrow);
    }
  };
  SignedStatement parts = h.maker.sign_parts(SetRegion{"DE"}, h.laptop);
  flip(parts.signature);
  EXPECT_TRUE(refused(h.maker, wire::encode(parts), "signature is wrong"));
  flip(parts.signature);
  EXPECT_TRUE(accepted(h.maker, wire::encode(parts)));

  Admit admit = h.maker.admit(make_device("phone"));
  flip(admit.countersignature);
  EXPECT_TRUE(refused(h.maker, h.maker.sign(admit, h.laptop), "did not sign"));

  parts = h.maker.sign_parts(h.maker.set_recovery(make_recovery("new paper")), h.laptop);
  cosign(parts, h.desktop.id, *h.desktop.key);
  flip(parts.cosignatures[0].signature);
  EXPECT_TRUE(refused(h.maker, wire::encode(parts), "cosignature is wrong"));
}

TEST(Statement, TimeIsNeverReliedOn) {
  Household h;
  for (const std::int64_t time : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, INT64_MAX}) {
    Draft draft =
        h.maker.draft(StatementType::kSetRegion, wire::encode(SetRegion{"DE"}), h.laptop.id);
    draft.time_ms = time;
    EXPECT_TRUE(accepted(h.maker, wire::encode(sign_statement(draft, *h.laptop.key)))) << time;
  }
}

TEST(Statement, HeadCoversSignatureAndCosignatures) {
  Household h;
  SignedStatement parts =
      h.maker.sign_parts(h.maker.set_recovery(make_recovery("new paper")), h.laptop);
  SignedStatement by_paper = parts;
  cosign(parts, h.desktop.id, *h.desktop.key);
  cosign(by_paper, h.paper.id, *h.paper.key);
  const auto one = h.maker.circle().apply(wire::encode(parts));
  const auto two = h.maker.circle().apply(wire::encode(by_paper));
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE(one->head(), two->head());
}

}  // namespace
}  // namespace holdfast::circle
