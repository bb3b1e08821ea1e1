#include "server/custody.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "circle/custody.h"
#include "server/service.h"
#include "server/test_data.h"
#include "support/memory_custodian.h"
#include "tlog/map_labels.h"

namespace holdfast::server {
namespace {

using testkit::CircleMaker;
using testkit::MemoryCustodian;

constexpr TimeMs kNow = 1'700'000'000'000;
constexpr TimeMs kDay = 24 * 60 * 60 * 1000;
const std::string kPeer = "192.0.2.1";

Bytes blob_of(const circle::Circle& circle, const BlobId& id) {
  for (const circle::Epoch& epoch : circle.epochs())
    for (const auto& [slot, blob] : epoch.blobs)
      if (blob == id) return testkit::blob_bytes(epoch.number, slot);
  HF_CHECK(false);
}

// An account of a service that has a log, at the standard level.
struct Owner {
  Owner(const std::string& account, const circle::TrustRoots& trust,
        const MemoryCustodian& custodian)
      : name(account), lookup(Bytes(32, static_cast<std::uint8_t>(account.size()))) {
    const auto device = testkit::make_device(account);
    circle::Genesis body = testkit::genesis_body(device);
    body.has_log = true;
    body.level = circle::Level::kStandard;
    body.trust_roots = circle::roots_hash(trust);
    body.lookup = tlog::lookup_hash(LookupKey::from_bytes(lookup));
    body.custodian = custodian.info(circle::circle_id(body.device, body.nonce));
    maker.emplace(device, body);
  }

  api::Append append(std::size_t seq) const {
    api::Append out;
    out.statement = maker->statements().at(seq);
    if (seq == 0) out.lookup = lookup;
    const auto outer = wire::decode<circle::SignedStatement>(out.statement).value();
    const auto inner = wire::decode<circle::Statement>(outer.statement).value();
    const auto info = inner.type == circle::StatementType::kGenesis
                          ? wire::decode<circle::Genesis>(inner.body).value().epoch
                          : circle::epoch_info(inner).value().value();
    for (const BlobId& id : info.blobs) out.blobs.push_back(blob_of(maker->circle(), id));
    return out;
  }
  void go_advanced() {
    maker->enroll("paper of " + name);
    maker->append(maker->raise(), maker->first);
  }

  std::string name;
  Bytes lookup;
  std::optional<CircleMaker> maker;
};

class CustodyTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.data = folder_.file("data");
    options_.tls_pin = Bytes{1};
    options_.sign_up = SignUp::kOpen;
    options_.custodian = &custodian_;
    options_.log.emplace();
    options_.log->folder = folder_.file("log");
    options_.log->key_file = folder_.file("log.key");
    start();
  }
  Result<void> try_start() {
    service_.reset();
    service_ = TRY(Service::open(options_, clock_));
    return Ok{};
  }
  void start() {
    const auto started = try_start();
    ASSERT_TRUE(started.ok()) << started.error().message;
  }
  Bytes log_file(const std::string& path) { return service_->visitor().get_log(path).value(); }
  circle::TrustRoots trust() {
    return {{}, options_.tls_pin, log_file("roots"), {}, log_file("fleet-key")};
  }
  Owner owner(const std::string& name = "mila") { return {name, trust(), custodian_}; }

  std::unique_ptr<api::ServiceSession> session(const Owner& by) {
    api::RequestProof proof;
    proof.account = by.name;
    proof.caller = by.maker->first.id;
    proof.time_ms = service_->now();
    crypto::random_fill(proof.nonce.bytes);
    const api::RequestLine line{options_.tls_pin, "GET", "/"};
    api::sign_request(proof, line, *by.maker->first.key);
    return service_->prove(proof, line, kPeer).value();
  }
  Result<api::Receipt> sign_up(const Owner& one) {
    return service_->sign_up(one.name, one.append(0), "", kPeer);
  }
  // What the owner made and the service has not.
  void push(const Owner& one) {
    for (std::size_t n = session(one)->read_circle(0)->size(); n < one.maker->statements().size();
         ++n) {
      const auto done = session(one)->append(one.append(n));
      ASSERT_TRUE(done.ok()) << done.error().message;
    }
  }
  Owner advanced(const std::string& name = "mila") {
    Owner one = owner(name);
    EXPECT_TRUE(sign_up(one).ok());
    one.go_advanced();
    push(one);
    return one;
  }
  void include() {
    while (service_->step_log().value()) {
      const auto due = service_->log()->due(0);
      ASSERT_TRUE(due && service_->log()->cosign(*due, {}).ok());
    }
  }
  CustodyTurn step() { return *service_->step_custody(); }
  api::CustodyStatus status(const Owner& one) { return session(one)->custody().value(); }
  std::vector<Bytes> leaves(const Owner& seen_by) {
    include();
    return service_->log()->view(seen_by.name, 0).value().leaves;
  }
  std::size_t receipts_in_log(const Owner& seen_by) {
    std::size_t count = 0;
    for (const Bytes& leaf : leaves(seen_by))
      if (std::holds_alternative<tlog::DeletionReceipt>(tlog::decode_leaf(leaf).value())) ++count;
    return count;
  }
  double gauge(const std::string& name) {
    for (const auto& [one, value] : service_->gauges())
      if (one == name) return value;
    return -1;
  }

  TemporaryFolder folder_;
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>(kNow);
  MemoryCustodian custodian_;
  ServiceOptions options_;
  std::unique_ptr<Service> service_;
};

// ---- the fleet key ----

TEST_F(CustodyTest, TheFleetKeyIsATrustRootAndInTheLogOnce) {
  const Bytes fleet = to_bytes(custodian_.fleet.public_key().bytes);
  EXPECT_EQ(log_file("fleet-key"), fleet);
  custodian_.away = true;  // from the second start on it is known
  start();
  start();
  custodian_.away = false;
  const Owner one = owner();
  ASSERT_TRUE(sign_up(one).ok());
  std::size_t count = 0;
  for (const Bytes& leaf : leaves(one)) {
    const auto read = tlog::decode_leaf(leaf).value();
    const auto* const key = std::get_if<tlog::CustodyKey>(&read);
    if (key == nullptr) continue;
    ++count;
    EXPECT_EQ(to_bytes(key->fleet_key), fleet);
    EXPECT_EQ(key->in_effect_from_s, static_cast<std::uint64_t>(kNow / 1000));
  }
  EXPECT_EQ(count, 1U);
}

TEST_F(CustodyTest, AFirstStartAsksForTheCustodian) {
  options_.data = folder_.file("another");
  options_.log->folder = folder_.file("another-log");
  custodian_.away = true;
  EXPECT_EQ(try_start().error().code, Code::kUnavailable);
  custodian_.away = false;
  options_.log.reset();
  EXPECT_EQ(try_start().error().code, Code::kInvalid);
}

// ---- keys ----

TEST_F(CustodyTest, AnAddressIsGivenAFewKeysADay) {
  options_.sign_ups_per_address = 2;
  start();
  const auto ask = [&](std::uint8_t circle, const std::string& peer) {
    return service_->custodian_key(CircleId(Digest{{circle}}.bytes), "", peer).ok();
  };
  // What fails takes its place: the key may have been made.
  custodian_.away = true;
  EXPECT_FALSE(ask(1, kPeer));
  custodian_.away = false;
  EXPECT_TRUE(ask(1, kPeer));
  EXPECT_TRUE(ask(1, kPeer));
  EXPECT_TRUE(ask(2, kPeer));
  EXPECT_FALSE(ask(3, kPeer));
  EXPECT_EQ(custodian_.issued, 3);
  EXPECT_TRUE(ask(3, "192.0.2.2"));
  clock_->advance(kDay);
  EXPECT_TRUE(ask(4, kPeer));
}

TEST_F(CustodyTest, AKeyIsKeptBeforeAStatementThatNamesItIsStored) {
  const Owner one = owner();
  custodian_.away = true;
  EXPECT_EQ(sign_up(one).error().code, Code::kUnavailable);
  custodian_.away = false;
  ASSERT_TRUE(sign_up(one).ok());
  EXPECT_TRUE(custodian_.kept.contains(one.maker->circle().id()));

  // Nor is a key taken that this service's custodian does not have.
  MemoryCustodian other;
  other.fleet = testkit::make_fleet("other");
  const Owner stranger("stranger", trust(), other);
  EXPECT_EQ(sign_up(stranger).error().code, Code::kInvalid);
}

TEST_F(CustodyTest, AKeyIsForWhoIsInvitedOrIsThere) {
  options_.sign_up = SignUp::kInvite;
  start();
  const auto ask = [&](const CircleId& circle, const std::string& invitation) {
    const auto key = service_->custodian_key(circle, invitation, kPeer);
    return key.ok() ? std::optional<Code>() : key.error().code;
  };
  const Owner one = owner();
  const CircleId circle = one.maker->circle().id();
  EXPECT_EQ(ask(circle, ""), Code::kDenied);
  EXPECT_EQ(ask(circle, "0000-0000-0000-0000"), Code::kDenied);
  EXPECT_EQ(custodian_.issued, 0);
  const std::string invitation = service_->accounts().invite(kNow, kDay).value();
  EXPECT_EQ(ask(circle, invitation), std::nullopt);
  ASSERT_TRUE(service_->sign_up(one.name, one.append(0), invitation, kPeer).ok());
  // It serves once; the account that is there asks without one.
  CircleId other;
  other.bytes.fill(7);
  EXPECT_EQ(ask(other, invitation), Code::kDenied);
  EXPECT_EQ(ask(circle, ""), std::nullopt);
  options_.sign_up = SignUp::kClosed;
  start();
  EXPECT_EQ(ask(circle, ""), std::nullopt);
  EXPECT_EQ(ask(other, invitation), Code::kDenied);
}

TEST_F(CustodyTest, NoKeyIsKeptForANameThatIsTaken) {
  const Owner one = owner();
  ASSERT_TRUE(sign_up(one).ok());
  Owner other = owner("another");
  other.name = one.name;
  EXPECT_EQ(sign_up(other).error().code, Code::kConflict);
  EXPECT_FALSE(custodian_.kept.contains(other.maker->circle().id()));
  EXPECT_TRUE(sign_up(one).ok());  // once more, as after a lost answer
}

// One that does not answer holds a few of those who ask, and nobody else.
TEST_F(CustodyTest, ABusyCustodianKeepsNobodyWaitingButAFew) {
  std::mutex mutex;
  std::condition_variable changed;
  int inside = 0;
  bool open = false;
  custodian_.during_issue = [&] {
    std::unique_lock lock(mutex);
    ++inside;
    changed.notify_all();
    changed.wait(lock, [&] { return open; });
  };
  const auto ask = [&](std::uint8_t n) {
    return service_->custodian_key(CircleId(Digest{{n}}.bytes), "", kPeer);
  };
  std::vector<std::thread> waiting;
  std::atomic<int> served{0};
  for (int n = 1; n <= kCustodianTurns; ++n)
    waiting.emplace_back([&, n] {
      if (ask(static_cast<std::uint8_t>(n)).ok()) ++served;
    });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return inside == kCustodianTurns; });
  }
  EXPECT_EQ(ask(100).error().code, Code::kUnavailable);
  EXPECT_EQ(sign_up(owner()).error().code, Code::kUnavailable);
  {
    const std::lock_guard lock(mutex);
    open = true;
  }
  changed.notify_all();
  for (std::thread& one : waiting) one.join();
  EXPECT_EQ(served, kCustodianTurns);
  EXPECT_TRUE(ask(100).ok());
}

TEST_F(CustodyTest, AServiceWithoutACustodianTakesNoStandardAccount) {
  const Owner one = owner();
  options_.custodian = nullptr;
  start();
  EXPECT_EQ(sign_up(one).error().code, Code::kInvalid);
  EXPECT_EQ(service_->custodian_key(CircleId(), "", kPeer).error().code, Code::kNotFound);
}

// ---- the outbox ----

TEST_F(CustodyTest, HasTheKeyDestroyedOfWhoLeftTheStandardLevel) {
  Owner one = owner();
  ASSERT_TRUE(sign_up(one).ok());
  include();
  EXPECT_EQ(step().destroyed.size(), 0U);
  EXPECT_FALSE(status(one).pending_since);

  one.go_advanced();
  clock_->advance(1000);
  push(one);
  EXPECT_EQ(status(one).pending_since, kNow + 1000);
  EXPECT_EQ(step().destroyed.size(), 0U);  // the log has it not yet
  EXPECT_EQ(custodian_.destroyed, 0);
  include();
  clock_->advance(3000);
  EXPECT_EQ(gauge("holdfast_custody_waiting"), 1);
  EXPECT_EQ(gauge("holdfast_custody_oldest_seconds"), 3);
  EXPECT_EQ(step().destroyed, std::vector<CircleId>{one.maker->circle().id()});

  EXPECT_EQ(custodian_.shown.statements, one.maker->statements());
  EXPECT_EQ(custodian_.shown.lookup, one.lookup);
  EXPECT_EQ(custodian_.shown.roots, wire::encode(trust()));
  EXPECT_EQ(custodian_.shown.view.circle_next, 3U);
  const api::CustodyStatus after = status(one);
  EXPECT_FALSE(after.pending_since);
  ASSERT_EQ(after.receipts.size(), 1U);
  const auto info = custodian_.info(one.maker->circle().id());
  EXPECT_TRUE(circle::verify_receipt(one.maker->circle().id(), info, after.receipts[0]).ok());
  EXPECT_EQ(gauge("holdfast_custody_waiting"), 0);
  EXPECT_EQ(step().destroyed.size(), 0U);
  EXPECT_EQ(custodian_.destroyed, 1);
  EXPECT_EQ(receipts_in_log(one), 1U);
}

TEST_F(CustodyTest, WaitsForACustodianThatIsAwayAlsoOverRestarts) {
  const Owner one = advanced();
  const Owner two = advanced("another");
  include();
  custodian_.away = true;
  for (int i = 0; i < 3; ++i) {
    start();
    const CustodyTurn turn = step();
    ASSERT_TRUE(turn.failed);
    EXPECT_EQ(turn.failed->code, Code::kUnavailable);
    EXPECT_EQ(turn.waiting, 1U);  // the second is not even tried
    clock_->advance(300'000);
  }
  EXPECT_EQ(status(one).pending_since, kNow);
  custodian_.away = false;
  start();
  EXPECT_EQ(step().destroyed.size(), 2U);
  EXPECT_FALSE(status(one).pending_since);
  EXPECT_FALSE(status(two).pending_since);
  EXPECT_EQ(receipts_in_log(one), 2U);
}

// Whatever was lost on the way: the answer, or the service between the answer and its memory.
TEST_F(CustodyTest, AsksAgainWhereTheReceiptWasLost) {
  const Owner one = advanced();
  include();
  custodian_.lost_answer = true;
  EXPECT_TRUE(step().failed);
  EXPECT_EQ(custodian_.destroyed, 1);
  EXPECT_TRUE(status(one).pending_since);
  custodian_.lost_answer = false;
  start();
  clock_->advance(300'000);
  EXPECT_EQ(step().destroyed.size(), 1U);
  EXPECT_EQ(receipts_in_log(one), 1U);
}

TEST_F(CustodyTest, TriesLessOftenWhatFailsAndGoesOnWithTheOthers) {
  const Owner one = advanced();
  include();
  custodian_.refuses = Error{Code::kUnsafe, "another history"};
  int failures = 0;
  for (int second = 0; second < 600; ++second) {
    if (step().failed) ++failures;
    clock_->advance(1000);
  }
  EXPECT_GT(failures, 5);
  EXPECT_LT(failures, 12);
  custodian_.refuses.reset();
  // Another account does not wait for it.
  const Owner two = advanced("another");
  include();
  EXPECT_EQ(step().destroyed, std::vector<CircleId>{two.maker->circle().id()});
  clock_->advance(300'000);
  EXPECT_EQ(step().destroyed, std::vector<CircleId>{one.maker->circle().id()});
}

TEST_F(CustodyTest, CountsNoReceiptThatAnotherFleetSigned) {
  const Owner one = advanced();
  include();
  custodian_.forges = true;
  EXPECT_EQ(step().failed->code, Code::kUnsafe);
  EXPECT_TRUE(status(one).pending_since);
  EXPECT_TRUE(status(one).receipts.empty());
  EXPECT_EQ(receipts_in_log(one), 0U);
}

TEST_F(CustodyTest, TellsALongLogInPieces) {
  const Owner one = advanced();
  tlog::SoftwareRelease large;
  for (int i = 0; i < 64; ++i) large.files.push_back({std::string(100, 'x'), Digest()});
  for (int i = 0; i < 200; ++i) {
    large.version = std::to_string(i);
    ASSERT_TRUE(service_->log()->append_leaf(large).ok());
  }
  include();
  const CustodyTurn turn = step();
  EXPECT_EQ(turn.destroyed.size(), 1U) << (turn.failed ? turn.failed->message : "");
  EXPECT_EQ(custodian_.entries + custodian_.shown.view.leaves.size(),
            static_cast<std::size_t>(gauge("holdfast_log_leaves")));
  EXPECT_GT(custodian_.entries, 0U);
}

TEST_F(CustodyTest, ShowsALongAccountInPages) {
  Owner one = owner();
  ASSERT_TRUE(sign_up(one).ok());
  one.go_advanced();
  for (int i = 0; i < 6; ++i) one.maker->append(one.maker->rotate(), one.maker->first);
  push(one);
  include();
  custodian_.page_size = 4;
  const CustodyTurn turn = step();
  EXPECT_EQ(turn.destroyed.size(), 1U) << (turn.failed ? turn.failed->message : "");
  std::vector<Bytes> all = custodian_.pages[one.maker->circle().id()];
  EXPECT_EQ(all.size(), 8U);
  for (const Bytes& statement : custodian_.shown.statements) all.push_back(statement);
  EXPECT_EQ(all, one.maker->statements());
}

// Also where the clock was ahead for a while, and far.
TEST_F(CustodyTest, AClockThatIsSetBackStopsNothingForLong) {
  const Owner one = advanced();
  include();
  clock_->advance(300 * kDay);
  custodian_.away = true;
  EXPECT_TRUE(step().failed);
  custodian_.away = false;
  clock_->advance(-300 * kDay);
  EXPECT_EQ(step().destroyed.size(), 1U);
}

// Its keys outlive it nowhere: neither that of an account at the standard level, nor one that was
// to be destroyed while the custodian was away.
TEST_F(CustodyTest, TheCustodianIsToldOfAccountsThatEnded) {
  const Owner left = advanced();
  const Owner standard = owner("another");
  ASSERT_TRUE(sign_up(standard).ok());
  custodian_.away = true;
  for (const Owner* one : {&left, &standard}) ASSERT_TRUE(session(*one)->delete_account().ok());
  clock_->advance(30 * kDay);
  ASSERT_TRUE(service_->sweep().ok());
  EXPECT_EQ(gauge("holdfast_custody_waiting"), 2);
  EXPECT_TRUE(step().failed);
  custodian_.away = false;
  start();
  clock_->advance(300'000);
  EXPECT_FALSE(step().failed);
  EXPECT_EQ(gauge("holdfast_custody_waiting"), 0);
  std::vector<std::pair<CircleId, ReaderId>> expected;
  for (const Owner* one : {&left, &standard}) {
    const CircleId id = one->maker->circle().id();
    expected.emplace_back(id, circle::reader_id(custodian_.info(id)));
  }
  EXPECT_TRUE(std::ranges::is_permutation(custodian_.retired, expected));
}

}  // namespace
}  // namespace holdfast::server
