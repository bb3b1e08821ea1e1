#include "server/service.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "crypto/hash.h"
#include "server/joins.h"
#include "server/maintenance.h"
#include "server/replay.h"
#include "server/storage.h"
#include "server/test_data.h"
#include "store/account.h"
#include "support/circle_maker.h"

namespace holdfast::server {
namespace {

using api::JoinMessage;
using testkit::CircleMaker;
using testkit::Signer;

constexpr TimeMs kNow = 1'700'000'000'000;
constexpr TimeMs kDay = 24 * 60 * 60 * 1000;
const std::string kAccount = "mila@example";
const Bytes kPin = {1, 2, 3};

// Every statement with stand-ins for the blobs that it names.
std::vector<Bytes> all_blobs(const circle::Circle& circle) {
  std::vector<Bytes> blobs;
  for (const circle::Epoch& epoch : circle.epochs())
    for (const auto& [slot, id] : epoch.blobs)
      blobs.push_back(testkit::blob_bytes(epoch.number, slot));
  return blobs;
}

circle::EpochInfo info_of(const circle::Statement& statement) {
  switch (statement.type) {
    case circle::StatementType::kGenesis:
      return wire::decode<circle::Genesis>(statement.body)->epoch;
    case circle::StatementType::kAdmit: return wire::decode<circle::Admit>(statement.body)->epoch;
    case circle::StatementType::kRemove: return wire::decode<circle::Remove>(statement.body)->epoch;
    case circle::StatementType::kSetVault:
      return wire::decode<circle::SetVault>(statement.body)->epoch;
    case circle::StatementType::kSetRecovery:
      return wire::decode<circle::SetRecovery>(statement.body)->epoch;
    default: HF_CHECK(false);
  }
}

api::Append append_of(const CircleMaker& maker, std::size_t seq) {
  api::Append append;
  append.statement = maker.statements().at(seq);
  const auto outer = wire::decode<circle::SignedStatement>(append.statement).value();
  const auto inner = wire::decode<circle::Statement>(outer.statement).value();
  const std::vector<Bytes> blobs = all_blobs(maker.circle());
  for (const BlobId& id : info_of(inner).blobs)
    for (const Bytes& blob : blobs)
      if (crypto::sha256(blob).bytes == id.bytes) {
        append.blobs.push_back(blob);
        break;
      }
  return append;
}

constexpr std::uint64_t kWrapping = 29;  // of the entry that a statement is stored in

// What a new account takes.
std::uint64_t counted(const api::Append& append) {
  std::uint64_t bytes = append.statement.size() + kObjectCost;
  for (const Bytes& blob : append.blobs) bytes += blob.size() + kObjectCost;
  return bytes + kWrapping;
}

class ServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.data = folder_.file("data");
    options_.tls_pin = kPin;
    options_.sign_up = SignUp::kOpen;
    options_.on_change = [this](const std::string& account) { changed_.push_back(account); };
    start();
  }
  void start() {
    service_.reset();
    auto opened = Service::open(options_, clock_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    service_ = std::move(opened).value();
  }

  api::RequestProof proof_of(const Signer& by, const std::string& account = kAccount) {
    api::RequestProof proof;
    proof.account = account;
    proof.caller = by.id;
    proof.time_ms = service_->now();
    crypto::random_fill(proof.nonce.bytes);
    api::sign_request(proof, line_, *by.key);
    return proof;
  }
  Result<std::unique_ptr<api::ServiceSession>> prove(const api::RequestProof& proof) {
    return service_->prove(proof, line_, "192.0.2.1");
  }
  Result<std::unique_ptr<api::ServiceSession>> enter(const Signer& by,
                                                     const std::string& account = kAccount) {
    return prove(proof_of(by, account));
  }
  std::unique_ptr<api::ServiceSession> session() { return enter(maker_.first).value(); }

  Result<api::Receipt> try_sign_up(const std::string& account, const api::Append& genesis,
                                   const std::string& invitation) {
    return service_->sign_up(account, genesis, invitation, "192.0.2.1");
  }
  void sign_up() { ASSERT_TRUE(try_sign_up(kAccount, append_of(maker_, 0), "").ok()); }
  // What the maker has made and the service not yet.
  void push() {
    for (std::size_t n = session()->read_circle(0)->size(); n < maker_.statements().size(); ++n) {
      const auto done = session()->append(append_of(maker_, n));
      ASSERT_TRUE(done.ok()) << done.error().message;
    }
  }
  static PackId name_of(BytesView bytes) { return PackId(crypto::sha256(bytes).bytes); }
  std::uint64_t used() { return *session()->usage()->bytes; }
  // May store so many more bytes.
  void limit_to(std::uint64_t more) {
    ASSERT_TRUE(service_->accounts().set_quota(kAccount, used() + more).ok());
  }
  Result<void> put(const Bytes& bytes) { return session()->put_pack(name_of(bytes), bytes); }
  std::vector<bool> have(const std::vector<Bytes>& packs) {
    std::vector<PackId> names;
    for (const Bytes& pack : packs) names.push_back(name_of(pack));
    return session()->have_packs(names).value();
  }
  void sweep_after(TimeMs ms) {
    clock_->advance(ms);
    ASSERT_TRUE(service_->sweep().ok());
  }
  // The next record of a vault, if the service takes it.
  Result<api::Receipt> append_record(const VaultId& vault, const circle::Record& record) {
    CircleMaker next = maker_;
    next.append_record(vault, record, next.first);
    auto done = session()->append_record(vault, next.records(vault).back());
    if (done.ok()) maker_ = next;
    return done;
  }
  void drop(const VaultId& vault, const std::vector<Bytes>& packs) {
    ASSERT_TRUE(append_record(vault, maker_.prune(vault, maker_.first, names_of(packs))).ok());
  }
  void keep(const VaultId& vault, const std::vector<Bytes>& packs) {
    ASSERT_TRUE(append_record(vault, maker_.undo(vault, maker_.first, names_of(packs))).ok());
  }
  static std::vector<PackId> names_of(const std::vector<Bytes>& packs) {
    std::vector<PackId> names;
    for (const Bytes& pack : packs) names.push_back(name_of(pack));
    return names;
  }

  TemporaryFolder folder_;
  const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>(kNow);
  const api::RequestLine line_{kPin, "GET", "/v1/circle?from=0"};
  std::vector<std::string> changed_;
  ServiceOptions options_;
  CircleMaker maker_;
  std::unique_ptr<Service> service_;
};

// ---- opening ----

TEST_F(ServiceTest, OneProgramUsesADirectory) {
  const auto second = Service::open(options_, clock_);
  ASSERT_EQ(code(second), Code::kUnavailable);
  EXPECT_NE(second.error().message.find("another program"), std::string::npos);
  // An operator's command is gone in a moment: whoever starts waits for that.
  std::thread leaving([this] { service_.reset(); });
  options_.lock_patience_ms = 60'000;
  auto patient = Service::open(options_, clock_);
  leaving.join();
  EXPECT_EQ(code(patient), std::nullopt);
  patient = Error{Code::kDenied, ""};
  start();
  EXPECT_TRUE(service_->ready().ok());
}

TEST_F(ServiceTest, IsNotReadyWhenTheDiskIsFull) {
  options_.free_bytes_floor = UINT64_MAX;
  start();
  EXPECT_EQ(code(service_->ready()), Code::kUnavailable);
}

TEST_F(ServiceTest, AFullDiskTakesNoPackAndGivesAll) {
  sign_up();
  const Bytes pack = {1, 2, 3};
  ASSERT_TRUE(put(pack).ok());
  options_.free_bytes_floor = UINT64_MAX;
  start();
  const auto refused = put({4, 5});
  ASSERT_EQ(code(refused), Code::kUnavailable);
  EXPECT_NE(refused.error().message.find("disk is full"), std::string::npos);
  RequestId request;
  EXPECT_EQ(code(service_->visitor().put_join(kAccount, request, JoinMessage::kRequest, pack)),
            Code::kUnavailable);
  EXPECT_EQ(code(try_sign_up("other", append_of(maker_, 0), "")), Code::kUnavailable);
  EXPECT_EQ(code(session()->append_record({}, pack)), Code::kUnavailable);
  EXPECT_EQ(session()->get_pack(name_of(pack)).value(), pack);
  EXPECT_EQ(session()->read_circle(0).value().size(), 1u);
  // Whoever was removed must be out, whatever the disk says.
  maker_.admit_new("phone");
  push();
}

TEST_F(ServiceTest, ShowsItsNumbers) {
  sign_up();
  ASSERT_TRUE(put({1, 2, 3}).ok());
  std::map<std::string, double> gauges;
  for (const auto& [name, value] : service_->gauges()) gauges[name] = value;
  EXPECT_EQ(gauges.at("holdfast_accounts"), 1);
  EXPECT_EQ(gauges.at("holdfast_packs"), 1);
  EXPECT_EQ(gauges.at("holdfast_packs_bytes"), 3);
  EXPECT_GT(gauges.at("holdfast_disk_free_bytes"), 0);
  EXPECT_GT(gauges.at("holdfast_database_bytes"), 0);
}

// ---- proofs ----

TEST_F(ServiceTest, MembersEnterAndNobodyElseLearnsWhy) {
  sign_up();
  EXPECT_EQ(session()->read_circle(0).value().size(), 1u);
  const testkit::TestDevice stranger = testkit::make_device("stranger");
  std::vector<std::string> sentences;
  const auto refused = [&](const api::RequestProof& proof) {
    const auto entered = prove(proof);
    EXPECT_EQ(code(entered), Code::kDenied);
    sentences.push_back(entered.ok() ? "" : entered.error().message);
  };
  refused(proof_of(stranger));
  refused(proof_of(maker_.first, "nobody"));
  refused(proof_of(maker_.first, "a\nb"));
  refused(proof_of(maker_.first, ""));
  Signer posing = stranger;
  posing.id = maker_.first.id;
  refused(proof_of(posing));
  api::RequestProof other = proof_of(maker_.first);
  other.body.bytes[0] ^= 1;
  refused(other);
  other = proof_of(maker_.first);
  EXPECT_EQ(code(service_->prove(other, {{9}, "GET", line_.target}, "")), Code::kDenied);
  EXPECT_EQ(code(service_->prove(other, {kPin, "PUT", line_.target}, "")), Code::kDenied);
  EXPECT_EQ(code(service_->prove(other, {kPin, "GET", "/v1/circle?from=1"}, "")), Code::kDenied);
  for (const std::string& sentence : sentences) EXPECT_EQ(sentence, sentences[0]);
  // None of these used the nonce up.
  EXPECT_TRUE(prove(other).ok());
}

TEST_F(ServiceTest, AProofCountsOnceAlsoOverRestarts) {
  sign_up();
  const auto proof = proof_of(maker_.first);
  EXPECT_TRUE(prove(proof).ok());
  EXPECT_EQ(code(prove(proof)), Code::kDenied);
  start();
  const auto refused = prove(proof);
  ASSERT_EQ(code(refused), Code::kDenied);
  EXPECT_EQ(refused.error().message, kWrongTime);
  EXPECT_TRUE(enter(maker_.first).ok());
}

TEST_F(ServiceTest, ARemovedDeviceReadsTheCircleAndNothingElse) {
  sign_up();
  const auto phone = maker_.admit_new("phone");
  push();
  EXPECT_TRUE(enter(phone).value()->usage().ok());
  maker_.append(maker_.remove({phone.id}), maker_.first);
  push();
  const auto out = enter(phone).value();
  EXPECT_EQ(out->read_circle(0).value().size(), 3u);
  EXPECT_EQ(code(out->usage()), Code::kDenied);
  EXPECT_EQ(code(out->append(append_of(maker_, 0))), Code::kDenied);
  EXPECT_EQ(code(out->get_blob({})), Code::kDenied);
  EXPECT_EQ(code(out->list_joins()), Code::kDenied);
  EXPECT_EQ(code(out->drop_join({})), Code::kDenied);
  EXPECT_EQ(code(out->read_records({}, 1)), Code::kDenied);
  EXPECT_EQ(code(out->received({}, 1)), Code::kDenied);
  EXPECT_EQ(code(out->append_record({}, {})), Code::kDenied);
  EXPECT_EQ(code(out->put_pack({}, Bytes{1})), Code::kDenied);
  EXPECT_EQ(code(out->begin_pack({}, 1)), Code::kDenied);
  EXPECT_EQ(code(out->get_pack({})), Code::kDenied);
  EXPECT_EQ(code(out->open_pack({})), Code::kDenied);
  EXPECT_EQ(code(out->have_packs({})), Code::kDenied);
  EXPECT_EQ(code(out->delete_account()), Code::kDenied);
  EXPECT_EQ(code(out->keep_account()), Code::kDenied);
  EXPECT_EQ(code(out->connections()), Code::kDenied);
  EXPECT_EQ(code(out->wait_for_change(0, 0)), Code::kDenied);
}

TEST_F(ServiceTest, TheStandingRecoveryKeyEntersAndAReplacedOneDoesNot) {
  sign_up();
  const auto old = maker_.enroll("old paper");
  push();
  EXPECT_TRUE(enter(old).value()->usage().ok());
  const auto paper = testkit::make_recovery("new paper");
  maker_.append(maker_.sign_cosigned(maker_.set_recovery(paper), maker_.first, old));
  push();
  EXPECT_TRUE(enter(paper).value()->keep_account().ok());
  EXPECT_EQ(code(enter(old)), Code::kDenied);
}

// ---- visitors ----

TEST_F(ServiceTest, AVisitorLearnsNothingOfAccounts) {
  sign_up();
  api::Visitor& visitor = service_->visitor();
  EXPECT_EQ(code(visitor.accounts()), Code::kDenied);
  RequestId request;
  request.bytes.fill(7);
  const Bytes hello = {1}, answer = {2};
  std::map<std::string, std::vector<std::string>> seen;
  for (const std::string& account : {kAccount, std::string("nobody")}) {
    const auto note = [&](const auto& result) {
      seen[account].push_back(result.ok() ? "" : result.error().message);
    };
    note(visitor.get_admission(account, request));
    note(visitor.put_join(account, request, JoinMessage::kAnswer, answer));
    note(visitor.get_join(account, request, JoinMessage::kRequest));
    note(visitor.put_join(account, request, JoinMessage::kRequest, hello));
    note(visitor.put_join(account, request, JoinMessage::kRequest, answer));
    note(visitor.put_join(account, request, JoinMessage::kAnswer, answer));
    EXPECT_EQ(visitor.get_join(account, request, JoinMessage::kAnswer).value(), answer);
    EXPECT_EQ(code(visitor.get_admission(account, request)), Code::kNotFound);
  }
  EXPECT_EQ(seen[kAccount], seen["nobody"]);
  EXPECT_EQ(session()->list_joins().value(), std::vector<RequestId>{request});
  ASSERT_TRUE(session()->drop_join(request).ok());
  EXPECT_TRUE(session()->list_joins().value().empty());
  EXPECT_EQ(code(visitor.get_join("a\nb", request, JoinMessage::kRequest)), Code::kInvalid);
}

TEST_F(ServiceTest, OneAddressDoesNotTakeAllPlacesForJoins) {
  sign_up();
  const auto ask = [&](std::uint8_t number, const std::string& peer,
                       const std::string& account = kAccount) {
    RequestId request;
    request.bytes.fill(number);
    return service_->put_join(account, request, JoinMessage::kRequest, Bytes{1}, peer);
  };
  for (std::uint8_t n = 1; n <= 24; ++n) ASSERT_TRUE(ask(n, "192.0.2.1").ok());
  EXPECT_TRUE(ask(1, "192.0.2.1").ok());
  EXPECT_EQ(code(ask(200, "192.0.2.1")), Code::kUnavailable);
  EXPECT_EQ(code(ask(1, "192.0.2.1", "other")), Code::kUnavailable);
  EXPECT_TRUE(ask(201, "192.0.2.2").ok());
  RequestId first;
  first.bytes.fill(1);
  ASSERT_TRUE(session()->drop_join(first).ok());
  EXPECT_TRUE(ask(200, "192.0.2.1").ok());
  EXPECT_EQ(code(ask(202, "192.0.2.1")), Code::kUnavailable);
  clock_->advance(kJoinLifeMs);
  EXPECT_TRUE(ask(202, "192.0.2.1").ok());
}

TEST_F(ServiceTest, AnAdmissionIsFoundByItsRequest) {
  sign_up();
  maker_.admit_new("phone");
  api::Append admit = append_of(maker_, 1);
  RequestId request;
  request.bytes.fill(7);
  admit.admission = api::Admission{request, {4, 5}};
  ASSERT_TRUE(session()->append(admit).ok());
  const auto admitted = service_->visitor().get_admission(kAccount, request).value();
  EXPECT_EQ(admitted.seq, 1u);
  EXPECT_EQ(admitted.mac, (Bytes{4, 5}));
}

TEST_F(ServiceTest, ACapsuleIsFoundWhileItStands) {
  sign_up();
  api::Visitor& visitor = service_->visitor();
  const auto old = maker_.enroll("old paper");
  EXPECT_EQ(code(visitor.find_capsule(old.info.locate)), Code::kNotFound);
  push();
  const auto found = visitor.find_capsule(old.info.locate).value();
  EXPECT_EQ(found.account, kAccount);
  EXPECT_EQ(found.capsule, old.info.capsule);
  start();
  EXPECT_TRUE(service_->visitor().find_capsule(old.info.locate).ok());
  const auto paper = testkit::make_recovery("new paper");
  maker_.append(maker_.sign_cosigned(maker_.set_recovery(paper), maker_.first, old));
  push();
  EXPECT_EQ(code(service_->visitor().find_capsule(old.info.locate)), Code::kNotFound);
  EXPECT_TRUE(service_->visitor().find_capsule(paper.info.locate).ok());
  // A row too many does no harm.
  ASSERT_TRUE(service_->accounts().put_capsule(old.info.locate, kAccount).ok());
  ASSERT_TRUE(service_->accounts().put_capsule(old.info.locate, "nobody").ok());
  EXPECT_EQ(code(service_->visitor().find_capsule(old.info.locate)), Code::kNotFound);
}

TEST_F(ServiceTest, ARefusedRecoveryKeyLeavesNoCapsule) {
  sign_up();
  const auto paper = maker_.enroll("paper");
  api::Append forged = append_of(maker_, 1);
  forged.statement.back() ^= 1;
  forged.blobs.clear();
  EXPECT_FALSE(session()->append(forged).ok());
  EXPECT_TRUE(service_->accounts().capsule_accounts(paper.info.locate).value().empty());
}

// ---- signing up ----

TEST_F(ServiceTest, ANameIsTakenOnce) {
  sign_up();
  sign_up();  // the same again
  CircleMaker other(testkit::make_device("other"));
  const auto taken = service_->visitor().create_account(kAccount, append_of(other, 0));
  ASSERT_EQ(code(taken), Code::kConflict);
  EXPECT_EQ(taken.error().message.find(folder_.path()), std::string::npos);
  EXPECT_EQ(code(try_sign_up("a\nb", append_of(other, 0), "")), Code::kInvalid);
}

TEST_F(ServiceTest, AClosedServiceTakesNoAccounts) {
  options_.sign_up = SignUp::kClosed;
  start();
  EXPECT_EQ(code(try_sign_up(kAccount, append_of(maker_, 0), "")), Code::kDenied);
}

TEST_F(ServiceTest, AnInvitationMakesOneAccount) {
  options_.sign_up = SignUp::kInvite;
  options_.default_quota = 1000;
  start();
  CircleMaker other(testkit::make_device("other"));
  CircleMaker third(testkit::make_device("third"));
  const std::string token = service_->accounts().invite(kNow, kDay).value();
  const std::string second = service_->accounts().invite(kNow, kDay).value();
  EXPECT_EQ(code(try_sign_up(kAccount, append_of(maker_, 0), "")), Code::kDenied);
  EXPECT_EQ(code(try_sign_up(kAccount, append_of(maker_, 0), "ABC")), Code::kDenied);
  // Refused, an invitation is not used up.
  api::Append forged = append_of(maker_, 0);
  forged.statement.back() ^= 1;
  EXPECT_FALSE(try_sign_up(kAccount, forged, token).ok());
  ASSERT_TRUE(try_sign_up(kAccount, append_of(maker_, 0), token).ok());
  ASSERT_TRUE(try_sign_up(kAccount, append_of(maker_, 0), token).ok());
  EXPECT_EQ(session()->usage()->quota, 1000u);
  EXPECT_EQ(code(try_sign_up("other", append_of(other, 0), token)), Code::kDenied);
  // A name that is taken does not use the invitation up either.
  EXPECT_EQ(code(try_sign_up(kAccount, append_of(other, 0), second)), Code::kConflict);
  EXPECT_TRUE(try_sign_up("other", append_of(other, 0), second).ok());
  const std::string old = service_->accounts().invite(kNow, kDay).value();
  clock_->advance(kDay);
  EXPECT_EQ(code(try_sign_up("third", append_of(third, 0), old)), Code::kDenied);
}

TEST_F(ServiceTest, ARefusedAccountLeavesNothingInTheLog) {
  options_.log.emplace();
  options_.log->folder = folder_.file("log");
  options_.log->key_file = folder_.file("log.key");
  start();
  struct Lookup {};
  const auto key = crypto::Key<Lookup>::random();
  circle::Genesis body = testkit::genesis_body(maker_.first);
  body.has_log = true;
  body.lookup = crypto::mac(key, "holdfast/v1/lookup-hash", {});
  api::Append good = append_of(maker_, 0);
  good.statement = testkit::sign_genesis(body, maker_.first);
  good.lookup = to_bytes(crypto::expose(key));
  api::Append forged = good;
  forged.statement = testkit::sign_genesis(body, testkit::make_device("mallory"));
  EXPECT_EQ(code(try_sign_up("forged", forged, "")), Code::kUnsafe);
  EXPECT_EQ(code(service_->log()->view("forged", 0)), Code::kNotFound);
  ASSERT_TRUE(try_sign_up("good", good, "").ok());
  EXPECT_TRUE(service_->log()->view("good", 0).ok());
}

TEST_F(ServiceTest, AnAddressOpensAFewAccountsADay) {
  options_.sign_ups_per_address = 2;
  start();
  const auto open = [&](const std::string& name, const std::string& peer) {
    const CircleMaker maker(testkit::make_device(name));
    return code(service_->sign_up(name, append_of(maker, 0), "", peer));
  };
  EXPECT_EQ(open("anna", "192.0.2.1"), std::nullopt);
  EXPECT_EQ(open("ben", "192.0.2.1"), std::nullopt);
  EXPECT_EQ(open("carol", "192.0.2.1"), Code::kUnavailable);
  // What is refused neither takes a place nor makes one.
  EXPECT_EQ(open("anna", "192.0.2.1"), Code::kConflict);
  EXPECT_EQ(open("carol", "192.0.2.1"), Code::kUnavailable);
  EXPECT_EQ(open("anna", "192.0.2.2"), Code::kConflict);
  EXPECT_EQ(open("carol", "192.0.2.2"), std::nullopt);
  EXPECT_EQ(open("dora", "192.0.2.2"), std::nullopt);
  clock_->advance(kDay);
  EXPECT_EQ(open("emil", "192.0.2.1"), std::nullopt);
}

TEST_F(ServiceTest, WhoeverMayNotSignUpLearnsNoNames) {
  sign_up();
  CircleMaker carol(testkit::make_device("carol"));
  ASSERT_TRUE(try_sign_up("carol", append_of(carol, 0), "").ok());
  ASSERT_TRUE(enter(carol.first, "carol").value()->delete_account().ok());
  ASSERT_EQ(service_->accounts().begin_ends(kNow + 14 * kDay)->size(), 1u);
  for (const SignUp way : {SignUp::kInvite, SignUp::kClosed}) {
    options_.sign_up = way;
    start();
    std::vector<std::string> answers;
    for (const std::string& name : {kAccount, std::string("carol"), std::string("nobody")}) {
      const auto refused = try_sign_up(name, append_of(maker_, 0), "");
      EXPECT_EQ(code(refused), Code::kDenied) << name;
      if (!refused.ok()) answers.push_back(refused.error().message);
    }
    for (const std::string& answer : answers) EXPECT_EQ(answer, answers[0]);
  }
}

TEST_F(ServiceTest, WhatIsNoStatementIsItsSendersMistake) {
  EXPECT_EQ(code(try_sign_up(kAccount, {Bytes{1}, {}, {}}, "")), Code::kInvalid);
  sign_up();
  const VaultId vault = maker_.add_vault("home");
  push();
  EXPECT_EQ(code(session()->append({Bytes{1}, {}, {}})), Code::kInvalid);
  EXPECT_EQ(code(session()->append_record(vault, Bytes{1})), Code::kInvalid);
}

// ---- records and packs ----

TEST_F(ServiceTest, RecordsAndPacksComeBack) {
  sign_up();
  const VaultId vault = maker_.add_vault("home");
  push();
  maker_.append_record(vault, maker_.first);
  const Bytes record = maker_.records(vault)[0];
  ASSERT_TRUE(session()->append_record(vault, record).ok());
  ASSERT_TRUE(session()->append_record(vault, record).ok());
  const std::uint64_t before = used();
  const Bytes pack = {1, 2, 3};
  ASSERT_TRUE(put(pack).ok());
  ASSERT_TRUE(put(pack).ok());
  start();
  EXPECT_EQ(session()->read_records(vault, 1).value(), std::vector<Bytes>{record});
  EXPECT_EQ(session()->received(vault, 1).value(), std::vector<TimeMs>{kNow});
  EXPECT_EQ(session()->get_pack(name_of(pack)).value(), pack);
  EXPECT_EQ(session()->have_packs({name_of(pack), {}}).value(), (std::vector<bool>{true, false}));
  const auto opened = session()->open_pack(name_of(pack)).value();
  Bytes read(3);
  EXPECT_EQ(opened.size, 3u);
  EXPECT_EQ(::read(opened.file.get(), read.data(), read.size()), 3);
  EXPECT_EQ(read, pack);
  EXPECT_EQ(code(session()->open_pack({})), Code::kNotFound);
  EXPECT_EQ(used() - before, kPackCost + 3);
}

TEST_F(ServiceTest, APackIsWholeOrNotThere) {
  sign_up();
  const std::uint64_t before = used();
  const Bytes pack = {1, 2, 3};
  {
    const auto in = session();
    const auto sink = in->begin_pack(name_of(pack), 3).value();
    ASSERT_TRUE(sink->write(Bytes{1, 2}).ok());
  }
  {
    const auto sink = session()->begin_pack(name_of(pack), 3).value();
    ASSERT_TRUE(sink->write(Bytes{1, 2}).ok());
    EXPECT_EQ(code(sink->commit()), Code::kInvalid);
  }
  EXPECT_EQ(code(session()->put_pack(name_of(pack), Bytes{1, 2, 4})), Code::kInvalid);
  EXPECT_EQ(code(session()->put_pack(name_of({}), {})), Code::kInvalid);
  EXPECT_EQ(code(session()->begin_pack({}, api::kMaxPackBytes + 1)), Code::kInvalid);
  EXPECT_EQ(session()->have_packs({name_of(pack)}).value(), std::vector<bool>{false});
  EXPECT_EQ(used(), before);
}

TEST_F(ServiceTest, AQuotaHolds) {
  sign_up();
  const Bytes eight(8, 1), three(3, 2), two(2, 3);
  limit_to(2 * kPackCost + 10);
  ASSERT_TRUE(put(eight).ok());
  EXPECT_EQ(code(put(three)), Code::kUnavailable);
  EXPECT_TRUE(put(eight).ok());  // again takes no more
  {
    // What is on its way counts.
    const auto sink = session()->begin_pack(name_of(two), 2).value();
    EXPECT_EQ(code(put(Bytes{9})), Code::kUnavailable);
  }
  EXPECT_TRUE(put(two).ok());
  EXPECT_EQ(code(put(Bytes{9})), Code::kUnavailable);
}

TEST_F(ServiceTest, ManyPacksAtOnceDoNotExceedTheQuota) {
  sign_up();
  const std::uint64_t before = used();
  limit_to(10 * (kPackCost + 10) + 5);
  std::atomic<std::uint64_t> stored = 0;
  {
    std::vector<std::jthread> threads;
    for (std::uint8_t t = 0; t < 32; ++t)
      threads.emplace_back([&, t] {
        for (int again = 0; again < 3; ++again)
          if (put(Bytes(10, t)).ok()) {
            ++stored;
            break;
          }
      });
  }
  EXPECT_LE(stored, 10u);
  EXPECT_EQ(used() - before, stored * (kPackCost + 10));
}

// Or a member, or a thief, fills the disk with what is small.
TEST_F(ServiceTest, StatementsAndRecordsCountAgainstTheQuota) {
  options_.small_reserve = 20'000;
  start();
  sign_up();
  const testkit::TestDevice phone = maker_.admit_new("phone");
  const VaultId vault = maker_.add_vault("home");
  push();
  limit_to(0);
  EXPECT_EQ(code(put({1})), Code::kUnavailable);
  const std::uint64_t before = used();
  const auto append_one = [&] {
    CircleMaker next = maker_;
    next.append_record(vault, next.first);
    auto done = session()->append_record(vault, next.records(vault).back());
    if (done.ok()) maker_ = next;
    return done;
  };
  std::uint64_t records = 0;
  auto done = append_one();
  for (; done.ok() && records < 100; ++records) done = append_one();
  ASSERT_EQ(code(done), Code::kUnavailable);
  EXPECT_NE(done.error().message.find("quota"), std::string::npos);
  EXPECT_GT(records, 1u);
  EXPECT_EQ(used() - before, records * (maker_.records(vault)[0].size() + kObjectCost));

  // Of statements, those that take somebody out always pass.
  const CircleMaker full = maker_;
  maker_.admit_new("tablet");
  EXPECT_EQ(code(session()->append(append_of(maker_, maker_.statements().size() - 1))),
            Code::kUnavailable);
  maker_ = full;
  maker_.append(maker_.remove({phone.id}), maker_.first);
  push();
}

TEST_F(ServiceTest, WhatIsRemovedCountsNoMore) {
  sign_up();
  const std::uint64_t before = used();
  ASSERT_TRUE(put(Bytes(10, 1)).ok());
  EXPECT_EQ(used() - before, kPackCost + 10);
  const VaultId vault = maker_.add_vault("home");
  push();
  const std::uint64_t with_pack = used();
  drop(vault, {Bytes(10, 1)});
  const std::uint64_t record = used() - with_pack;
  sweep_after(14 * kDay);
  EXPECT_EQ(with_pack + record - used(), kPackCost + 10);
  start();
  EXPECT_EQ(with_pack + record - used(), kPackCost + 10);
}

// ---- ends ----

TEST_F(ServiceTest, AnAccountEndsWhenItsTimeHasCome) {
  sign_up();
  const auto paper = maker_.enroll("paper");
  maker_.add_vault("home");
  push();
  const Bytes pack = {1, 2, 3};
  ASSERT_TRUE(put(pack).ok());
  const auto usage = session()->delete_account().value();
  EXPECT_EQ(usage.deletion_ms, kNow + 14 * kDay);
  ASSERT_TRUE(enter(paper).value()->keep_account().ok());
  EXPECT_FALSE(session()->usage()->deletion_ms.has_value());
  ASSERT_TRUE(session()->delete_account().ok());
  clock_->advance(14 * kDay - 1);
  ASSERT_TRUE(service_->sweep().ok());
  const auto in_flight = session();
  clock_->advance(1);
  ASSERT_TRUE(service_->sweep().ok());
  EXPECT_EQ(code(enter(maker_.first)), Code::kDenied);
  EXPECT_EQ(code(in_flight->put_pack(name_of(pack), pack)), Code::kDenied);
  EXPECT_EQ(code(service_->visitor().find_capsule(paper.info.locate)), Code::kNotFound);
  ASSERT_TRUE(service_->sweep().ok());
  start();
  EXPECT_EQ(service_->accounts().count().value(), 0u);
  // Nothing of it is left for whoever takes the name.
  CircleMaker other(testkit::make_device("other"));
  ASSERT_TRUE(try_sign_up(kAccount, append_of(other, 0), "").ok());
  const auto theirs = enter(other.first).value();
  EXPECT_EQ(theirs->usage()->bytes, counted(append_of(other, 0)));
  EXPECT_EQ(code(theirs->get_pack(name_of(pack))), Code::kNotFound);
  EXPECT_EQ(theirs->read_circle(0).value().size(), 1u);
}

TEST_F(ServiceTest, AnEndThatWasCutShortIsFinished) {
  sign_up();
  ASSERT_TRUE(put({1, 2, 3}).ok());
  ASSERT_TRUE(session()->delete_account().ok());
  // As if the service had been killed right after it began.
  EXPECT_EQ(service_->accounts().begin_ends(kNow + 14 * kDay)->size(), 1u);
  start();
  EXPECT_EQ(code(enter(maker_.first)), Code::kDenied);
  EXPECT_EQ(code(try_sign_up(kAccount, append_of(maker_, 0), "")), Code::kConflict);
  ASSERT_TRUE(service_->sweep().ok());
  EXPECT_EQ(service_->accounts().count().value(), 0u);
  sign_up();
  EXPECT_EQ(used(), counted(append_of(maker_, 0)));
}

TEST_F(ServiceTest, ADroppedPackIsKeptForTheGraceTime) {
  sign_up();
  const VaultId vault = maker_.add_vault("home");
  push();
  const Bytes gone = {1}, kept = {2};
  ASSERT_TRUE(put(gone).ok());
  ASSERT_TRUE(put(kept).ok());
  drop(vault, {gone, kept});
  const std::uint64_t before = used();
  sweep_after(14 * kDay - 1);
  EXPECT_EQ(used(), before);
  keep(vault, {kept});
  sweep_after(1);
  EXPECT_EQ(have({gone, kept}), (std::vector<bool>{false, true}));
  sweep_after(30 * kDay);
  EXPECT_EQ(have({gone, kept}), (std::vector<bool>{false, true}));
}

// Neither ends earlier because somebody drops it again; kept and dropped anew, it begins anew.
TEST_F(ServiceTest, TheGraceOfAPackDroppedAgain) {
  sign_up();
  const VaultId vault = maker_.add_vault("home");
  push();
  const Bytes twice = {1}, anew = {2};
  ASSERT_TRUE(put(twice).ok());
  ASSERT_TRUE(put(anew).ok());
  drop(vault, {twice, anew});
  clock_->advance(10 * kDay);
  keep(vault, {anew});
  drop(vault, {twice, anew});
  sweep_after(4 * kDay - 1);
  EXPECT_EQ(have({twice, anew}), (std::vector<bool>{true, true}));
  sweep_after(1);
  EXPECT_EQ(have({twice, anew}), (std::vector<bool>{false, true}));
  sweep_after(10 * kDay - 1);
  EXPECT_EQ(have({anew}), (std::vector<bool>{true}));
  sweep_after(1);
  EXPECT_EQ(have({anew}), (std::vector<bool>{false}));
}

// Killed right after the record was stored and before its packs were marked, or unmarked.
TEST_F(ServiceTest, WhatARecordDropsAndKeepsSurvivesAKill) {
  sign_up();
  const VaultId vault = maker_.add_vault("home");
  push();
  const Bytes gone = {1}, kept = {2};
  ASSERT_TRUE(put(gone).ok());
  ASSERT_TRUE(put(kept).ok());
  drop(vault, {kept});
  service_.reset();
  {
    auto writer = Writer::open(options_.data + "/service.db", Storage::schema()).value();
    const auto note = [](sql::Database& db, std::string_view account, std::string_view) {
      return note_changed(db, account, 0);
    };
    auto storage = Storage::open(options_.data, *writer, clock_, note).value();
    store::Account account(storage->files(), kAccount);
    maker_.append_record(vault, maker_.undo(vault, maker_.first, {name_of(kept)}), maker_.first);
    ASSERT_TRUE(account.append_record(vault, maker_.records(vault).back()).ok());
    maker_.append_record(vault, maker_.prune(vault, maker_.first, {name_of(gone)}), maker_.first);
    ASSERT_TRUE(account.append_record(vault, maker_.records(vault).back()).ok());
  }
  start();
  // The undo is seen before anything is deleted, and the drop counts from when it was seen.
  sweep_after(14 * kDay);
  EXPECT_EQ(have({gone, kept}), (std::vector<bool>{true, true}));
  sweep_after(14 * kDay);
  EXPECT_EQ(have({gone, kept}), (std::vector<bool>{false, true}));
}

// The record that keeps it may be lost with the days since the copy: its device sends it again.
TEST_F(ServiceTest, AfterARestoreTheGraceBeginsAnew) {
  sign_up();
  const VaultId vault = maker_.add_vault("home");
  push();
  const Bytes pack = {1};
  ASSERT_TRUE(put(pack).ok());
  drop(vault, {pack});
  service_.reset();
  ASSERT_TRUE(backup_store(options_.data, folder_.file("copy")).ok());
  ASSERT_TRUE(restore_store(folder_.file("copy"), folder_.file("restored")).ok());
  options_.data = folder_.file("restored");
  clock_->advance(SystemClock().now() - kNow);
  start();
  sweep_after(13 * kDay);
  EXPECT_EQ(have({pack}), (std::vector<bool>{true}));
  sweep_after(kDay);
  EXPECT_EQ(have({pack}), (std::vector<bool>{false}));
}

TEST_F(ServiceTest, VaultsOfAnAccountDropAndKeepForThemselves) {
  sign_up();
  const VaultId home = maker_.add_vault("home");
  const VaultId photos = maker_.add_vault("photos");
  push();
  const Bytes both = {1}, one = {2};
  ASSERT_TRUE(put(both).ok());
  ASSERT_TRUE(put(one).ok());
  drop(home, {both, one});
  drop(photos, {both});
  keep(home, {both, one});
  sweep_after(14 * kDay);
  EXPECT_EQ(have({both, one}), (std::vector<bool>{false, true}));
}

// A thief filled the account, and dropped everything.
TEST_F(ServiceTest, AFullAccountCanUndo) {
  options_.small_reserve = 20'000;
  start();
  sign_up();
  const testkit::TestDevice phone = maker_.admit_new("phone");
  const VaultId vault = maker_.add_vault("home");
  push();
  const Bytes pack = {1};
  ASSERT_TRUE(put(pack).ok());
  limit_to(0);
  drop(vault, {pack});
  const auto prune = [&] { return maker_.prune(vault, maker_.first, {name_of(pack)}); };
  const auto undo = [&] { return maker_.undo(vault, maker_.first, {name_of(pack)}); };
  for (int i = 0; i < 100; ++i)
    if (!append_record(vault, prune()).ok()) break;
  ASSERT_EQ(code(append_record(vault, prune())), Code::kUnavailable);
  ASSERT_TRUE(append_record(vault, undo()).ok());
  // Not without end: whoever is a member could fill the disk with it.
  int undone = 0;
  while (undone < 100 && append_record(vault, undo()).ok()) ++undone;
  EXPECT_GT(undone, 0);
  EXPECT_LT(undone, 100);
  // With the thief gone there is room again.
  maker_.append(maker_.remove({phone.id}), maker_.first);
  push();
  EXPECT_EQ(code(append_record(vault, prune())), Code::kUnavailable);
  EXPECT_TRUE(append_record(vault, undo()).ok());
  sweep_after(15 * kDay);
  EXPECT_EQ(have({pack}), (std::vector<bool>{true}));
}

// ---- changes and connections ----

TEST_F(ServiceTest, AChangeIsToldAndItsNumberGrows) {
  sign_up();
  std::uint64_t last = session()->wait_for_change(0, 60'000).value();
  EXPECT_GE(last, static_cast<std::uint64_t>(kNow));
  EXPECT_EQ(session()->wait_for_change(last, 60'000).value(), last);
  const auto grew = [&] {
    const auto now = session()->wait_for_change(last, 60'000).value();
    const bool more = now > last;
    last = now;
    const bool told = !changed_.empty() && changed_.back() == kAccount;
    changed_.clear();
    return more && told;
  };
  const VaultId vault = maker_.add_vault("home");
  push();
  EXPECT_TRUE(grew());
  maker_.append_record(vault, maker_.first);
  ASSERT_TRUE(session()->append_record(vault, maker_.records(vault)[0]).ok());
  EXPECT_TRUE(grew());
  ASSERT_TRUE(service_->visitor().put_join(kAccount, {}, JoinMessage::kRequest, Bytes{1}).ok());
  EXPECT_TRUE(grew());
  ASSERT_TRUE(session()->drop_join({}).ok());
  EXPECT_TRUE(grew());
  EXPECT_FALSE(grew());
  clock_->advance(1000);
  start();
  EXPECT_GT(session()->wait_for_change(last, 0).value(), last);
}

TEST_F(ServiceTest, ConnectionsAreListedAndForgotten) {
  sign_up();
  ASSERT_TRUE(session()->usage().ok());
  const auto lines = session()->connections().value();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].caller, maker_.first.id);
  EXPECT_EQ(lines[0].address, "192.0.2.1");
  EXPECT_EQ(lines[0].requests, 2u);
  start();
  EXPECT_EQ(session()->connections().value()[0].requests, 3u);
  clock_->advance(31 * kDay);
  ASSERT_TRUE(service_->sweep().ok());
  EXPECT_EQ(session()->connections().value().size(), 1u);
  EXPECT_EQ(session()->connections().value()[0].first_ms, kNow + 31 * kDay);
}

TEST_F(ServiceTest, FewCirclesInMemoryServeManyAccounts) {
  options_.loaded_accounts = 2;
  start();
  std::vector<CircleMaker> makers;
  for (int i = 0; i < 5; ++i) {
    makers.emplace_back(testkit::make_device("device" + std::to_string(i)));
    ASSERT_TRUE(try_sign_up("a" + std::to_string(i), append_of(makers.back(), 0), "").ok());
  }
  for (int round = 0; round < 3; ++round)
    for (std::size_t i = 0; i < 5; ++i)
      EXPECT_TRUE(enter(makers[i].first, "a" + std::to_string(i)).ok());
}

TEST_F(ServiceTest, ManyThreadsAreServedAtOnce) {
  options_.on_change = nullptr;
  start();
  sign_up();
  const std::uint64_t before = used();
  std::vector<std::thread> threads;
  std::atomic<int> stored = 0;
  for (std::uint8_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::uint8_t i = 0; i < 20; ++i) {
        const auto in = enter(maker_.first);
        const Bytes pack = {t, i};
        if (in.ok() && (*in)->put_pack(name_of(pack), pack).ok()) ++stored;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(stored, 80);
  EXPECT_EQ(used() - before, 80 * (kPackCost + 2));
}

}  // namespace
}  // namespace holdfast::server
