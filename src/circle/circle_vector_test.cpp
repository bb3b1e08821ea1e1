// tests/vectors/circle: golden signed bytes, and what an independent implementation reads in them.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "support/told_ages.h"

namespace holdfast::circle {
namespace {

using testkit::CircleMaker;
using testkit::make_device;
using testkit::make_recovery;

const std::string kFolder = HF_VECTORS_DIR "/circle/";
const std::vector<std::string> kStatements = {
    "00-genesis",      "01-admit",   "02-set_vault",          "03-set_region",
    "04-set_recovery", "05-rotate",  "06-set_recovery-again", "07-set_vault-always_e2e",
    "08-remove",       "09-recover", "10-policy_ack"};
// Of another circle, at the standard level.
const std::vector<std::string> kLevels = {
    "level-0-genesis", "level-1-set_vault", "level-2-set_recovery",   "level-3-set_level",
    "level-4-propose", "level-5-cancel",    "level-6-set_level-back", "level-7-assist"};
const std::vector<std::string> kRecords = {"home-1",       "home-2",      "home-3-forget",
                                           "home-4-prune", "home-5-undo", "home-6-rekey"};

Bytes read_vector(const std::string& name) {
  std::ifstream in(kFolder + name + ".hex");
  std::string hex;
  for (std::string line; std::getline(in, line);) hex += line;
  const auto bytes = from_hex(hex);
  EXPECT_TRUE(bytes && !bytes->empty()) << name;
  return bytes.value_or(Bytes());
}

// expected.txt, which check.py writes: "NAME KEY VALUE" a line.
std::map<std::string, std::string> read_expected() {
  std::ifstream in(kFolder + "expected.txt");
  std::map<std::string, std::string> out;
  for (std::string name, key, value; in >> name >> key >> value;) out[name + " " + key] = value;
  return out;
}

std::string joined(const std::vector<ReaderId>& ids) {
  std::string out;
  for (const ReaderId& id : ids) out += (out.empty() ? "" : ",") + id.hex();
  return out;
}

Circle replay() {
  Circle circle = *Circle::start(read_vector(kStatements[0]));
  for (std::size_t i = 1; i < kStatements.size(); ++i)
    circle = *circle.apply(read_vector(kStatements[i]));
  return circle;
}

TEST(Vectors, StatementsGiveTheHeadsThatAnotherImplementationComputed) {
  const auto expected = read_expected();
  std::optional<Circle> circle;
  for (const std::string& name : kStatements) {
    const Bytes bytes = read_vector(name);
    const auto next = circle ? circle->apply(bytes) : Circle::start(bytes);
    ASSERT_TRUE(next.ok()) << name << ": " << next.error().message;
    circle = *next;
    EXPECT_EQ(circle->id().hex(), expected.at(name + " circle")) << name;
    EXPECT_EQ(circle->head().hex(), expected.at(name + " head")) << name;
    EXPECT_EQ(std::to_string(circle->epoch()), expected.at(name + " epoch")) << name;
    EXPECT_EQ(joined(circle->readers()), expected.at(name + " readers")) << name;
    EXPECT_EQ(wire::encode(*wire::decode<SignedStatement>(bytes)), bytes) << name;
  }
  EXPECT_EQ(circle->region(), "DE");
  EXPECT_TRUE(circle->vault_named("home")->always_e2e);
}

TEST(Vectors, RecordsGiveTheHeadsThatAnotherImplementationComputed) {
  const auto expected = read_expected();
  const Circle circle = replay();
  ChainTip tip;
  VaultState state;
  for (const std::string& name : kRecords) {
    const auto linked = extend(circle, testkit::vault_id("home"), tip, read_vector(name));
    ASSERT_TRUE(linked.ok()) << name << ": " << linked.error().message;
    tip = linked->tip;
    EXPECT_EQ(tip.head.hex(), expected.at(name + " head"));
    EXPECT_EQ(std::to_string(tip.n), expected.at(name + " n"));
    state.add(*linked);
  }
  EXPECT_TRUE(state.forgotten.empty());
  std::string dropped;
  for (const auto& [pack, since] : state.dropped) dropped += pack.hex();
  EXPECT_EQ(dropped, expected.at("home-6-rekey dropped"));
}

TEST(Vectors, LevelsAreReadAsAnotherImplementationReadsThem) {
  const auto expected = read_expected();
  std::optional<Circle> circle;
  for (const std::string& name : kLevels) {
    const Bytes bytes = read_vector(name);
    const auto ages = std::make_shared<testkit::ToldAges>();
    const auto next = circle ? circle->apply(bytes) : Circle::start(bytes, ages);
    ASSERT_TRUE(next.ok()) << name << ": " << next.error().message;
    circle = *next;
    EXPECT_EQ(circle->head().hex(), expected.at(name + " head")) << name;
    const std::string custodian = joined(circle->vault_readers());
    EXPECT_EQ(custodian.empty() ? "-" : custodian, expected.at(name + " custodian")) << name;
    EXPECT_EQ(joined(circle->readers()), expected.at(name + " readers")) << name;
  }
  EXPECT_EQ(circle->level(), Level::kStandard);
  EXPECT_EQ(circle->custodians().size(), 2u);
}

TEST(Vectors, BlobsStandInTheStatedOrder) {
  const auto expected = read_expected();
  const Circle circle = replay();
  std::string order;
  for (const BlobSlot& slot :
       epoch_slots(circle.vaults(), circle.readers(), circle.vault_readers()))
    order += (order.empty() ? "" : ",") + circle.blob(circle.epoch(), slot)->hex();
  EXPECT_EQ(order, expected.at("09-recover blobs"));
}

TEST(Vectors, KeysComeFromTheirSeeds) {
  const Circle circle = replay();
  EXPECT_EQ(wire::encode(circle.devices()[0].info), wire::encode(make_device("laptop").info));
  EXPECT_EQ(wire::encode(circle.devices()[1].info), wire::encode(make_device("desktop").info));
  EXPECT_EQ(wire::encode(circle.recovery()->info), wire::encode(make_recovery("new paper").info));
}

// Of each kind but a snapshot, after two snapshots: one is forgotten, two packs are dropped, then
// the snapshot and one of the packs come back; the tables of keys are written anew.
void make_other_kinds(Record& record) {
  const auto pack = [](std::uint64_t n) {
    return PackId(crypto::sha256("test/pack/", wire::encode_array(n)).bytes);
  };
  record.snapshot.reset();
  record.kind = record.n == 3   ? RecordKind::kForget
                : record.n == 4 ? RecordKind::kPrune
                : record.n == 5 ? RecordKind::kUndo
                                : RecordKind::kRekey;
  if (record.n == 3 || record.n == 5) record.forgets = {1};
  if (record.n == 4) record.dropped = {pack(1), pack(2)};
  if (record.n == 6) record.dropped = {pack(3)};
  std::sort(record.dropped.begin(), record.dropped.end());
  if (record.n == 5) record.kept = {pack(1)};
}

void write_vector(const std::string& name, BytesView bytes) {
  std::ofstream out(kFolder + name + ".hex");
  const std::string hex = to_hex(bytes);
  for (std::size_t i = 0; i < hex.size(); i += 96) out << hex.substr(i, 96) << "\n";
}

void write_levels() {
  CircleMaker maker(std::make_shared<testkit::ToldAges>(), Level::kStandard);
  maker.add_vault("home");
  const auto paper = maker.enroll("paper");
  maker.append(maker.raise(), maker.first);
  const CircleId& id = maker.circle().id();
  maker.append(Propose{{}, testkit::make_custodian(id, "asked for")}, maker.first);
  maker.append(Cancel{maker.circle().seq()}, maker.first);
  SetLevel back = maker.lower(testkit::make_custodian(id, "second custodian"));
  const std::uint64_t enrolled = maker.circle().recovery()->set_seq;
  back.evidence.push_back(testkit::ToldAges::of(maker.circle(), enrolled, kMemberAgeMs));
  maker.append(maker.sign_cosigned(back, maker.first, paper));
  maker.append(maker.sign_by_fleet(Assist{make_device("borrowed").info}, testkit::make_fleet()));
  for (std::size_t i = 0; i < kLevels.size(); ++i) write_vector(kLevels[i], maker.statements()[i]);
}

// Signatures are random, so this writes another history each time. Run it, then check.py, only when
// a format changes: test_circle --gtest_also_run_disabled_tests --gtest_filter='*WritesNewOnes'
TEST(Vectors, DISABLED_WritesNewOnes) {
  CircleMaker maker;
  const VaultId home = testkit::vault_id("home");
  const auto desktop = make_device("desktop");
  const auto paper = make_recovery("paper");
  maker.append(maker.admit(desktop), maker.first);
  maker.append(maker.set_vault("home"), maker.first);
  maker.append(SetRegion{"DE"}, desktop);
  maker.append(maker.set_recovery(paper), maker.first);
  maker.append_record(home, maker.first);
  maker.append(maker.rotate(), desktop);
  maker.append_record(home, desktop);
  maker.append(
      maker.sign_cosigned(maker.set_recovery(make_recovery("new paper")), maker.first, paper));
  maker.append(maker.set_vault("home", true), desktop);
  maker.append(maker.remove({maker.first.id}), desktop);
  maker.append(maker.recover(make_device("found"), {desktop.id}), make_recovery("new paper"));
  maker.append(PolicyAck{3, crypto::sha256(as_bytes("a signed policy"))}, desktop);
  for (int i = 0; i < 4; ++i) {
    Record record = maker.record(home, desktop);
    make_other_kinds(record);
    maker.append_record(home, record, desktop);
  }
  for (std::size_t i = 0; i < kStatements.size(); ++i)
    write_vector(kStatements[i], maker.statements()[i]);
  for (std::size_t i = 0; i < kRecords.size(); ++i)
    write_vector(kRecords[i], maker.records(home)[i]);
  write_levels();
}

}  // namespace
}  // namespace holdfast::circle
