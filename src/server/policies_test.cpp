// What the service refuses by a policy, and all that it still takes.
#include "server/policies.h"

#include <gtest/gtest.h>

#include "server/service.h"
#include "server/test_data.h"
#include "support/circle_maker.h"
#include "support/memory_custodian.h"
#include "support/policies.h"

namespace holdfast::server {
namespace {

using testkit::CircleMaker;
using testkit::leave_by_in;
using testkit::make_policy;
using testkit::offered_everywhere;
using testkit::withdrawn_in;

constexpr std::uint64_t kDay_s = 24 * 60 * 60;
constexpr std::uint64_t kNotice = tlog::kNotice_s + kLead_s;
const std::string kAccount = "mila@example";
const Bytes kPin = {1, 2, 3};

class PoliciesOfAService : public testing::Test {
 protected:
  PoliciesOfAService() {
    options_.data = folder_.file("data");
    options_.tls_pin = kPin;
    options_.sign_up = SignUp::kOpen;
    options_.log = LogOptions{folder_.file("data/log"), folder_.file("data/log.key"), "", {}};
    options_.log->policy_key = testkit::policy_public_key();
    start();
  }
  void start() {
    service_.reset();
    auto opened = Service::open(options_, clock_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    service_ = std::move(opened).value();
  }
  std::uint64_t now() const { return static_cast<std::uint64_t>(clock_->now() / 1000); }
  void pass(std::uint64_t seconds) { clock_->advance(static_cast<TimeMs>(seconds) * 1000); }

  Result<void> publish(const Bytes& policy) { return service_->log()->append_policy(policy); }
  // The next one, as early as may be, and its time has come.
  void put_into_effect(const circle::RegionRules& rules) {
    const std::uint64_t from = published_ == 0 ? now() : now() + kNotice;
    newest_ = make_policy(++published_, from, newest_, rules);
    const auto done = publish(newest_);
    ASSERT_TRUE(done.ok()) << done.error().message;
    pass(from - now());
  }

  static Bytes genesis_in(const std::string& region) {
    circle::Genesis body = testkit::genesis_body(testkit::make_device("laptop"));
    body.region = region;
    return testkit::sign_genesis(body, testkit::make_device("laptop"));
  }
  Result<api::Receipt> sign_up(const std::string& account, const Bytes& genesis) {
    api::Append append{genesis, {}, std::nullopt};
    append.blobs = blobs_of(genesis);
    return service_->sign_up(account, append, "", "192.0.2.1");
  }
  // Stand-ins with the right hashes.
  std::vector<Bytes> blobs_of(const Bytes& statement) const {
    const auto outer = wire::decode<circle::SignedStatement>(statement).value();
    const auto inner = wire::decode<circle::Statement>(outer.statement).value();
    const auto info = circle::epoch_info(inner).value();
    std::vector<Bytes> out;
    if (!info) return out;
    for (const BlobId& id : info->blobs)
      for (const circle::Epoch& epoch : maker_.circle().epochs())
        for (const auto& [slot, blob] : epoch.blobs)
          if (blob == id) out.push_back(testkit::blob_bytes(epoch.number, slot));
    return out;
  }
  std::unique_ptr<api::ServiceSession> session() {
    api::RequestProof proof;
    proof.account = kAccount;
    proof.caller = maker_.first.id;
    proof.time_ms = service_->now();
    crypto::random_fill(proof.nonce.bytes);
    api::sign_request(proof, line_, *maker_.first.key);
    return service_->prove(proof, line_, "192.0.2.1").value();
  }
  // What the maker made last.
  Result<api::Receipt> send_newest() {
    const Bytes& newest = maker_.statements().back();
    return session()->append({newest, blobs_of(newest), std::nullopt});
  }
  template <class Body>
  std::optional<Code> state(const Body& body) {
    maker_.append(body, maker_.first);
    return code(send_newest());
  }
  Result<api::Receipt> record(const circle::Record& record) {
    CircleMaker next = maker_;
    next.append_record(vault_, record, next.first);
    auto done = session()->append_record(vault_, next.records(vault_).back());
    if (done.ok()) maker_ = next;
    return done;
  }
  Result<void> put(std::size_t size, std::uint8_t filled) {
    const Bytes pack(size, filled);
    return session()->put_pack(PackId(crypto::sha256(pack).bytes), pack);
  }
  // At the advanced level, in GB, with a vault and a snapshot.
  void begin() {
    ASSERT_TRUE(sign_up(kAccount, maker_.statements()[0]).ok());
    ASSERT_EQ(state(circle::SetRegion{"GB"}), std::nullopt);
    ASSERT_EQ(state(maker_.set_vault("home")), std::nullopt);
    ASSERT_EQ(code(record(maker_.record(vault_, maker_.first))), std::nullopt);
    ASSERT_EQ(code(put(kLarge, 1)), std::nullopt);
  }

  static constexpr std::size_t kLarge = 3 * 1024 * 1024;
  TemporaryFolder folder_;
  const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>(1'700'000'000'000);
  const api::RequestLine line_{kPin, "GET", "/v1/circle?from=0"};
  const VaultId vault_ = testkit::vault_id("home");
  ServiceOptions options_;
  CircleMaker maker_;
  std::unique_ptr<Service> service_;
  Bytes newest_;
  std::uint64_t published_ = 0;
};

// ---- what is published ----

TEST_F(PoliciesOfAService, TheFirstCountsAtOnceAndTheNextWithNotice) {
  const Bytes first = make_policy(1, now(), {}, withdrawn_in("GB"));
  ASSERT_TRUE(publish(first).ok());
  EXPECT_EQ(service_->log()->judge("GB").version, 1u);
  EXPECT_FALSE(service_->log()->judge("GB").standing.may_enable);
  EXPECT_TRUE(service_->log()->judge("FR").standing.may_enable);
  const auto early = publish(make_policy(2, now() + kNotice - 1, first, offered_everywhere()));
  ASSERT_EQ(code(early), Code::kInvalid);
  EXPECT_NE(early.error().message.find("now that is " + circle::spell_time(now() + kNotice + 59)),
            std::string::npos)
      << early.error().message;
  ASSERT_TRUE(publish(make_policy(2, now() + kNotice, first, offered_everywhere())).ok());
  pass(kNotice - 1);
  EXPECT_EQ(service_->log()->judge("GB").version, 1u);
  pass(1);
  EXPECT_EQ(service_->log()->judge("GB").version, 2u);
  EXPECT_TRUE(service_->log()->judge("GB").standing.may_enable);
}

TEST_F(PoliciesOfAService, OnlyTheNextOfTheRightKeyWithRulesIsTaken) {
  const Bytes first = make_policy(1, now(), {}, withdrawn_in("GB"));
  EXPECT_EQ(code(publish(make_policy(2, now(), {}, offered_everywhere()))), Code::kInvalid);
  EXPECT_EQ(code(publish(make_policy(1, now(), first, offered_everywhere()))), Code::kInvalid);
  EXPECT_EQ(code(publish(make_policy(1, now(), {}, Bytes{1, 2}))), Code::kCorrupt);
  EXPECT_EQ(
      code(publish(make_policy(
          1, now(), {}, wire::encode(offered_everywhere()),
          crypto::Ed25519Key(crypto::Key<crypto::Ed25519Purpose>::from_bytes(Bytes(32, 1)))))),
      Code::kUnsafe);
  EXPECT_TRUE(service_->log()->policies().empty());
  ASSERT_TRUE(publish(first).ok());
  const std::uint64_t from = now() + kNotice + kDay_s;
  EXPECT_EQ(code(publish(first)), Code::kInvalid);
  EXPECT_EQ(code(publish(make_policy(3, from, first, offered_everywhere()))), Code::kInvalid);
  const Bytes second = make_policy(2, from, first, offered_everywhere());
  ASSERT_TRUE(publish(second).ok());
  const auto overtaking = publish(make_policy(3, from - 60, second, offered_everywhere()));
  EXPECT_EQ(code(overtaking), Code::kInvalid);
  EXPECT_EQ(service_->log()->policies(), (std::vector<Bytes>{first, second}));
  options_.log->policy_key.clear();
  start();
  EXPECT_EQ(code(publish(make_policy(3, from, second, offered_everywhere()))), Code::kInvalid);
}

TEST_F(PoliciesOfAService, OutliveARestartAndTheLossOfTheirFiles) {
  const Bytes first = make_policy(1, now(), {}, withdrawn_in("GB"));
  ASSERT_TRUE(publish(first).ok());
  const Bytes second = make_policy(2, now() + kNotice, first, offered_everywhere());
  ASSERT_TRUE(publish(second).ok());
  std::filesystem::remove_all(options_.log->folder + "/policy");
  start();
  EXPECT_EQ(service_->visitor().get_log("policy/1").value(), first);
  EXPECT_EQ(service_->visitor().get_log("policy/2").value(), second);
  EXPECT_FALSE(service_->log()->judge("GB").standing.may_enable);
  pass(kNotice);
  EXPECT_TRUE(service_->log()->judge("GB").standing.may_enable);
}

// ---- what is judged by them ----

TEST_F(PoliciesOfAService, NobodyBeginsAtALevelThatIsNotOffered) {
  put_into_effect(withdrawn_in("GB"));
  const auto refused = sign_up("gb", genesis_in("GB"));
  ASSERT_EQ(code(refused), Code::kDenied);
  EXPECT_NE(refused.error().message.find("not offered in region GB"), std::string::npos);
  EXPECT_EQ(code(sign_up("fr", genesis_in("FR"))), std::nullopt);
}

// At the standard level, with a recovery key.
TEST_F(PoliciesOfAService, NobodyTurnsOnWhatIsNotOffered) {
  const Bytes lookup(32, std::uint8_t{7});
  using LookupKey = crypto::Key<struct TestLookup>;
  circle::Genesis body = testkit::genesis_body(maker_.first);
  body.region = "GB";
  body.level = circle::Level::kStandard;
  body.has_log = true;
  body.lookup = crypto::mac(LookupKey::from_bytes(lookup), "holdfast/v1/lookup-hash", {});
  testkit::MemoryCustodian custodian;
  options_.custodian = &custodian;
  start();
  body.custodian = custodian.info(circle::circle_id(body.device, body.nonce));
  maker_ = CircleMaker(testkit::sign_genesis(body, maker_.first), nullptr);
  api::Append genesis{maker_.statements()[0], blobs_of(maker_.statements()[0]), std::nullopt};
  genesis.lookup = lookup;
  put_into_effect(withdrawn_in("GB"));
  ASSERT_EQ(code(service_->sign_up(kAccount, genesis, "", "192.0.2.1")), std::nullopt);
  ASSERT_EQ(state(maker_.set_recovery(testkit::make_recovery("paper"))), std::nullopt);

  const CircleMaker before = maker_;
  maker_.append(maker_.raise(), maker_.first);
  const auto refused = send_newest();
  ASSERT_EQ(code(refused), Code::kDenied);
  EXPECT_NE(refused.error().message.find("not offered in region GB"), std::string::npos);
  // It is the region at the append that counts, and the policy of then.
  maker_ = before;
  ASSERT_EQ(state(circle::SetRegion{"FR"}), std::nullopt);
  ASSERT_EQ(state(maker_.raise()), std::nullopt);
  ASSERT_EQ(state(circle::SetRegion{"GB"}), std::nullopt);
  EXPECT_EQ(maker_.circle().level(), circle::Level::kAdvanced);
  EXPECT_EQ(code(put(kLarge, 2)), std::nullopt);
  service_.reset();  // before its custodian
}

TEST_F(PoliciesOfAService, AnOfferGivenBackIsTakenAgain) {
  put_into_effect(withdrawn_in("GB"));
  EXPECT_EQ(code(sign_up("gb", genesis_in("GB"))), Code::kDenied);
  put_into_effect(offered_everywhere());
  EXPECT_EQ(code(sign_up("gb", genesis_in("GB"))), std::nullopt);
}

TEST_F(PoliciesOfAService, AWithdrawnOfferTakesNothingFromWhoHasIt) {
  begin();
  put_into_effect(withdrawn_in("GB"));
  EXPECT_EQ(code(put(kLarge, 2)), std::nullopt);
  EXPECT_EQ(code(record(maker_.record(vault_, maker_.first))), std::nullopt);
}

TEST_F(PoliciesOfAService, FromTheDayToLeaveByNothingNewIsKept) {
  begin();
  put_into_effect(withdrawn_in("GB"));
  const std::uint64_t day = now() + kNotice + 30 * kDay_s;
  put_into_effect(leave_by_in("GB", day));
  pass(day - now() - 1);
  EXPECT_EQ(code(put(kLarge, 2)), std::nullopt);
  EXPECT_EQ(code(record(maker_.record(vault_, maker_.first))), std::nullopt);
  pass(1);
  const auto pack = put(kLarge, 3);
  ASSERT_EQ(code(pack), Code::kDenied);
  EXPECT_NE(pack.error().message.find("had to leave it by " + circle::spell_time(day)),
            std::string::npos)
      << pack.error().message;
  EXPECT_EQ(code(record(maker_.record(vault_, maker_.first))), Code::kDenied);
}

TEST_F(PoliciesOfAService, APausedAccountGoesOnWithAllElse) {
  begin();
  put_into_effect(leave_by_in("GB", now()));
  ASSERT_EQ(code(put(kLarge, 3)), Code::kDenied);
  // Keys are written anew after a removal, as packs.
  EXPECT_EQ(code(put(1024 * 1024, 4)), std::nullopt);
  const PackId old(crypto::sha256(Bytes(kLarge, 1)).bytes);
  EXPECT_EQ(code(session()->get_pack(old)), std::nullopt);
  EXPECT_EQ(code(session()->read_records(vault_, 1)), std::nullopt);
  circle::Record forget = maker_.record(vault_, maker_.first);
  forget.kind = circle::RecordKind::kForget;
  forget.snapshot.reset();
  forget.forgets.push_back(1);
  EXPECT_EQ(code(record(forget)), std::nullopt);
  EXPECT_EQ(code(record(maker_.prune(vault_, maker_.first, {old}))), std::nullopt);
  EXPECT_EQ(code(record(maker_.undo(vault_, maker_.first, {old}))), std::nullopt);
  EXPECT_EQ(state(maker_.set_recovery(testkit::make_recovery("paper"))), std::nullopt);
  const auto desk = testkit::make_device("desk");
  EXPECT_EQ(state(maker_.admit(desk)), std::nullopt);
  EXPECT_EQ(state(maker_.remove({desk.id})), std::nullopt);
  EXPECT_EQ(state(maker_.rotate()), std::nullopt);
  EXPECT_EQ(code(session()->delete_account()), std::nullopt);
  EXPECT_EQ(code(session()->keep_account()), std::nullopt);
  EXPECT_EQ(service_->log()->judge("GB").version, 1u);
}

TEST_F(PoliciesOfAService, APauseIsOfOneRegionAndLiftsItself) {
  begin();
  put_into_effect(leave_by_in("GB", now()));
  ASSERT_EQ(code(put(kLarge, 2)), Code::kDenied);
  ASSERT_EQ(state(circle::SetRegion{"FR"}), std::nullopt);
  EXPECT_EQ(code(put(kLarge, 2)), std::nullopt);
  EXPECT_EQ(code(record(maker_.record(vault_, maker_.first))), std::nullopt);
  ASSERT_EQ(state(circle::SetRegion{"GB"}), std::nullopt);
  ASSERT_EQ(code(put(kLarge, 3)), Code::kDenied);
  put_into_effect(offered_everywhere());
  EXPECT_EQ(code(put(kLarge, 3)), std::nullopt);
  EXPECT_EQ(code(record(maker_.record(vault_, maker_.first))), std::nullopt);
}

}  // namespace
}  // namespace holdfast::server
