#include "server/lawful_store.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "crypto/hash.h"
#include "server/maintenance.h"
#include "server/service.h"
#include "server/test_data.h"
#include "support/circle_maker.h"

namespace holdfast::server {
namespace {

constexpr TimeMs kNow = 1'796'083'200'000;  // 2026-12-01
constexpr TimeMs kDay = 24LL * 60 * 60 * 1000;
const std::string kAccount = "bob";

api::Append genesis_of(const testkit::CircleMaker& maker) {
  api::Append append;
  append.statement = maker.statements().at(0);
  const auto outer = wire::decode<circle::SignedStatement>(append.statement).value();
  const auto inner = wire::decode<circle::Statement>(outer.statement).value();
  const circle::Epoch& epoch = maker.circle().epochs().front();
  const auto genesis = wire::decode<circle::Genesis>(inner.body).value();
  for (const BlobId& id : genesis.epoch.blobs)
    for (const auto& [slot, blob] : epoch.blobs)
      if (blob == id) append.blobs.push_back(testkit::blob_bytes(epoch.number, slot));
  return append;
}

class LawfulStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.data = folder_.file("data");
    options_.sign_up = SignUp::kOpen;
    service_ = Service::open(options_, clock_).value();
    hire("anna");
    hire("ben");
  }
  void hire(const std::string& name) {
    keys_.emplace(name, crypto::SigningKey(crypto::Key<crypto::SigningPurpose>::random()));
    const Trail trail = operators();
    const Bytes entry =
        trail.sign_add(name, keys_.at(name).verify_key(), keys_.at("anna"), kNow).value();
    ASSERT_TRUE(service_->operators().append(entry).ok());
  }
  Trail operators() { return Trail::verify(service_->operators().entries().value()).value(); }
  LawfulStore& store() { return service_->lawful(); }
  Result<lawful::SignedStep> receive(const std::string& who, const std::string& reference) {
    const lawful::Trail trail = TRY(store().trail());
    lawful::ReceivedDocument document;
    document.demand = to_bytes(as_bytes("reference = \"" + reference + "\"\n"));
    return trail.sign(lawful::Step::kReceive, trail.next_matter(), wire::encode(document),
                      keys_.at(who), clock_->now());
  }

  TemporaryFolder folder_;
  const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>(kNow);
  ServiceOptions options_;
  std::unique_ptr<Service> service_;
  std::map<std::string, crypto::SigningKey> keys_;
};

TEST_F(LawfulStoreTest, NothingIsThereUntilTheFirstStep) {
  EXPECT_FALSE(store().begun());
  EXPECT_EQ(store().trail()->n(), 0u);
  EXPECT_FALSE(store().next_head(kNow).value());
  EXPECT_FALSE(exists(options_.data + "/lawful.db"));
}

TEST_F(LawfulStoreTest, KeepsStepsOverARestart) {
  ASSERT_TRUE(store().append(receive("anna", "S-1").value()).ok());
  ASSERT_TRUE(store().append(receive("ben", "S-2").value()).ok());
  service_.reset();
  service_ = Service::open(options_, clock_).value();
  EXPECT_EQ(store().trail()->matters().size(), 2u);
  EXPECT_EQ(code(store().append(receive("ben", "S-3").value())), std::nullopt);
}

TEST_F(LawfulStoreTest, AStepThatAnotherCameBeforeIsRefused) {
  const auto late = receive("ben", "S-1").value();
  ASSERT_TRUE(store().append(receive("anna", "S-2").value()).ok());
  EXPECT_EQ(code(store().append(late)), Code::kConflict);
}

// Signed while Ben was an operator still, sent after he was none.
TEST_F(LawfulStoreTest, AStolenKeyDoesNothingAfterItsRevocation) {
  const auto stolen = receive("ben", "S-1").value();
  ASSERT_TRUE(service_->operators()
                  .append(operators().sign_revoke("ben", keys_.at("anna"), kNow).value())
                  .ok());
  EXPECT_EQ(code(store().append(stolen)), Code::kConflict);
  EXPECT_EQ(code(receive("ben", "S-1")), Code::kDenied);
  EXPECT_EQ(store().trail()->n(), 0u);
}

TEST_F(LawfulStoreTest, ADayHasOneHeadAndItsCommitmentTellsNothing) {
  ASSERT_TRUE(store().append(receive("anna", "S-1").value()).ok());
  const auto first = store().next_head(kNow).value();
  ASSERT_TRUE(first);
  EXPECT_FALSE(store().next_head(kNow + kDay - 1).value());
  const auto second = store().next_head(kNow + kDay).value();
  ASSERT_TRUE(second);
  // Nothing happened in between, and outsiders do not see that.
  EXPECT_NE(head_commitment(*first), head_commitment(*second));
  const auto opened = wire::decode<lawful::HeadOpening>(*second).value();
  EXPECT_EQ(opened.n, 1u);
  EXPECT_EQ(opened.head, store().trail()->head());
  EXPECT_EQ(store().openings()->size(), 2u);
}

TEST_F(LawfulStoreTest, ABackupTakesItAlong) {
  ASSERT_TRUE(store().append(receive("anna", "S-1").value()).ok());
  ASSERT_TRUE(backup_store(options_.data, folder_.file("backup")).ok());
  service_.reset();
  std::filesystem::remove_all(options_.data);
  ASSERT_TRUE(restore_store(folder_.file("backup"), options_.data).ok());
  service_ = Service::open(options_, clock_).value();
  EXPECT_EQ(store().trail()->matters().size(), 1u);
}

// ---- preservation ----

class PreservingTest : public LawfulStoreTest {
 protected:
  void SetUp() override {
    LawfulStoreTest::SetUp();
    ASSERT_TRUE(service_->sign_up(kAccount, genesis_of(maker_), "", "192.0.2.1").ok());
    const auto in = session();
    for (std::uint8_t n = 1; n <= 2; ++n) {
      const Bytes pack(1000, n);
      ASSERT_TRUE(in->put_pack(PackId(crypto::sha256(pack).bytes), pack).ok());
    }
  }
  std::unique_ptr<api::ServiceSession> session() {
    api::RequestProof proof;
    proof.account = kAccount;
    proof.caller = maker_.first.id;
    proof.time_ms = service_->now();
    crypto::random_fill(proof.nonce.bytes);
    const api::RequestLine line{options_.tls_pin, "GET", "/v1/usage"};
    api::sign_request(proof, line, *maker_.first.key);
    return service_->prove(proof, line, "192.0.2.1").value();
  }
  std::size_t packs_of(std::uint64_t matter) {
    const auto all = list_dir(options_.data + "/lawful/" + std::to_string(matter) + "/packs");
    return all.ok() ? all->size() : 0;
  }

  const testkit::CircleMaker maker_;
};

TEST_F(PreservingTest, KeepsPacksAndMetadataBeyondTheAccountsEnd) {
  const auto before = session()->usage()->bytes;
  const auto copy = service_->preserve(kAccount, 1, kNow + 90 * kDay).value();
  EXPECT_EQ(copy.packs, 2u);
  EXPECT_EQ(copy.bytes, 2000u);
  EXPECT_EQ(session()->usage()->bytes, before);
  EXPECT_TRUE(exists(options_.data + "/lawful/1/objects/circle/00000000"));
  ASSERT_TRUE(session()->delete_account().ok());
  clock_->advance(30 * kDay);
  ASSERT_TRUE(service_->sweep().ok());
  EXPECT_FALSE(service_->holdings_of(kAccount).value());
  EXPECT_EQ(packs_of(1), 2u);
  clock_->advance(60 * kDay);
  ASSERT_TRUE(service_->sweep().ok());
  EXPECT_EQ(packs_of(1), 0u);
  EXPECT_FALSE(preserved_copy(options_.data, 1).value());
}

TEST_F(PreservingTest, IsOfItsMomentAndRepeatsNothing) {
  ASSERT_TRUE(service_->preserve(kAccount, 1, kNow + 90 * kDay).ok());
  const Bytes later(1000, 9);
  ASSERT_TRUE(session()->put_pack(PackId(crypto::sha256(later).bytes), later).ok());
  const auto again = service_->preserve(kAccount, 1, kNow + 300 * kDay).value();
  EXPECT_EQ(again.until_ms, kNow + 90 * kDay);
  EXPECT_EQ(packs_of(1), 2u);
  EXPECT_EQ(service_->preserve(kAccount, 2, kNow + 90 * kDay)->packs, 3u);
}

TEST_F(PreservingTest, ACopyThatWasCutOffIsMadeAnew) {
  ASSERT_TRUE(make_dirs(options_.data + "/lawful/1.part/packs").ok());
  ASSERT_TRUE(create_file(options_.data + "/lawful/1.part/packs/half", Bytes(3)).ok());
  ASSERT_TRUE(service_->sweep().ok());
  ASSERT_TRUE(service_->preserve(kAccount, 1, kNow + 90 * kDay).ok());
  EXPECT_EQ(packs_of(1), 2u);
}

TEST_F(PreservingTest, HoldingsSayWhatIsThere) {
  const auto holdings = service_->holdings_of(kAccount).value();
  ASSERT_TRUE(holdings);
  EXPECT_EQ(holdings->packs.size(), 2u);
  EXPECT_FALSE(holdings->connections.empty());
  EXPECT_FALSE(service_->holdings_of("nobody").value());
  EXPECT_FALSE(service_->holdings_of(std::string(100, 'x')).value());
  EXPECT_EQ(service_->alike("BOB").value(), std::vector<std::string>{kAccount});
  EXPECT_TRUE(service_->alike(kAccount)->empty());
}

}  // namespace
}  // namespace holdfast::server
