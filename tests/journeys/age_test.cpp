// What waits until a log proves that time has passed: a lost recovery key is replaced, by real
// devices, a service and a witness, whose clock the test moves.
#include <atomic>

#include "hostile/lies.h"
#include "net/client.h"
#include "net/http_server.h"
#include "net/routes.h"
#include "server/service.h"
#include "support/journey.h"
#include "vault/account_state.h"
#include "vault/ages.h"
#include "witness/witness.h"

namespace holdfast {
namespace {

constexpr TimeMs kMinute = 60 * 1000;
constexpr TimeMs kHour = 60 * kMinute;

class TestClock final : public Clock {
 public:
  TimeMs now() const override { return now_; }
  void advance(TimeMs by) { now_ += by; }

 private:
  std::atomic<TimeMs> now_ = 1'800'000'000'000;
};

class Ages : public ::testing::Test {
 protected:
  Ages() : home_(new_home(folder_ / "laptop")), desk_home_(new_home(folder_ / "desk")) {
    witness_ = must(witness::Witness::open({folder_ / "witness", "w1", {}}, clock_));
    roots_.witnesses.push_back({"w1", witness_->key().key.bytes});
    roots_.quorum = 1;
    witness_.reset();
    begin();
    step();
    auto made = must(vault::init(home_, *store_, *clock_, {"me", "laptop", "ZZ"}));
    old_.emplace(std::move(made.recovery));
    laptop_.emplace(std::move(made.account));
    step();
  }
  ~Ages() override {
    if (server_) server_->stop();
  }

  // Also again, on the same data: what a service knows only in memory is gone.
  void begin() {
    laptop_.reset();
    desk_.reset();
    if (server_) server_->stop();
    server_.reset();
    routes_.reset();
    service_.reset();
    const std::string data = folder_ / "service";
    fs::create_directories(data);
    auto tls = must(net::ServerTls::load_or_make(data));
    server::ServiceOptions options;
    options.data = data;
    options.tls_pin = tls.pin();
    options.sign_up = server::SignUp::kOpen;
    options.small_reserve = 0;  // a quota is its number
    options.log = server::LogOptions{data + "/log", data + "/log.key", "log.example", roots_};
    const Bytes pin = tls.pin();
    service_ = must(server::Service::open(std::move(options), clock_));
    routes_ = std::make_unique<net::Routes>(*service_, pin);
    server_ = must(net::HttpServer::start({}, std::move(tls), *routes_, metrics_));
    store_ = net::open_service({"127.0.0.1", server_->port()}, server_->pin(), "");
    witness_.reset();
    witness_ = must(witness::Witness::open(
        {folder_ / "witness", "w1", {service_->log()->trusted().log()}}, clock_));
  }
  void reopen() { laptop_.emplace(must(vault::Account::open(home_, *store_, *clock_))); }

  void step() {
    show();
    must(service_->step_log());
    show();
    must(service_->step_log());
  }
  void wait(TimeMs by) {
    clock_->advance(by);
    show();
  }
  void show() {
    server::PublicLog& log = *service_->log();
    const auto due = log.due(0);
    if (!due) return;
    tlog::AddCheckpoint request;
    request.note = must(tlog::Note::parse(due->note));
    for (int attempt = 0; attempt < 2; ++attempt) {
      request.proof = must(log.consistency(request.old_size, due->head.size));
      const auto answer = witness_->add_checkpoint(as_bytes(request.format()));
      if (answer.status == 409) {
        request.old_size = must(tlog::parse_size(as_text(answer.body)));
        continue;
      }
      ASSERT_EQ(answer.status, 200u) << as_text(answer.body);
      must(log.cosign(*due, must(tlog::parse_signatures(as_text(answer.body)))));
      return;
    }
  }

  void join_desk() {
    desk_.emplace(join(*laptop_, desk_home_, *store_, *clock_, "desk"));
    step();
    must_do(laptop_->sync());
  }
  // A member as whoever holds its device and writes its own program has it.
  vault::Account::State thief(vault::Home& home) {
    auto session = must(store_->open_account("me", vault::caller(home.device_key())));
    vault::Account::State state{
        home, *store_, *clock_, vault::signing_key(home.device_key()),
        vault::Replica(
            std::move(session), circle::reader_id(vault::device_info(home.device_key(), "")),
            crypto::derive<crypto::WrapPurpose>(home.device_key()), must(vault::log_ages(home)))};
    must_do(state.sync());
    return state;
  }
  // Completes a proposal with this evidence, whatever it is worth.
  api::Append complete(vault::Account::State& by, std::uint64_t proposal, Bytes evidence) {
    circle::Complete body;
    body.proposal = proposal;
    body.evidence = std::move(evidence);
    auto readers = by.replica.readers();
    readers.full.erase(by.circle().recovery()->id);
    const auto& info = *by.circle().proposals().at(0).recovery();
    readers.full[circle::reader_id(info)].bytes = info.wrap_key;
    auto draft = must(by.replica.next_epoch(readers));
    body.epoch = draft.info;
    return {sign(by, circle::StatementType::kComplete, wire::encode(body)), draft.blobs, {}};
  }
  static Bytes sign(const vault::Account::State& by, circle::StatementType type, Bytes body) {
    return wire::encode(
        circle::sign_statement({by.circle().id(), by.circle().seq() + 1, by.circle().head(),
                                by.clock.now(), type, by.replica.self(), std::move(body)},
                               by.signing));
  }

  Folder folder_;
  const std::shared_ptr<TestClock> clock_ = std::make_shared<TestClock>();
  tlog::LogRoots roots_;
  vault::Home home_;
  vault::Home desk_home_;
  std::unique_ptr<witness::Witness> witness_;
  net::Metrics metrics_;
  std::unique_ptr<server::Service> service_;
  std::unique_ptr<net::Routes> routes_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<api::Store> store_;
  std::optional<keys::RecoveryKey> old_;
  std::optional<vault::Account> laptop_;
  std::optional<vault::Account> desk_;
  const keys::RecoveryKey fresh_ = keys::RecoveryKey::random();
};

template <class T>
testing::AssertionResult fails(const Result<T>& result, Code code, std::string_view words) {
  if (result.ok()) return testing::AssertionFailure() << "it was accepted";
  if (result.error().code != code || result.error().message.find(words) == std::string::npos)
    return testing::AssertionFailure() << result.error().message;
  return testing::AssertionSuccess();
}

TEST_F(Ages, ASoleDeviceReplacesALostRecoveryKeyInThreeDays) {
  EXPECT_TRUE(fails(laptop_->set_recovery(fresh_, nullptr), Code::kUnsafe, "takes the old one"));
  const std::uint64_t number = must(laptop_->propose_recovery(fresh_));
  EXPECT_FALSE(must(laptop_->waiting()).at(0).stood);
  EXPECT_TRUE(fails(laptop_->complete_waiting(number), Code::kNotFound, "ten minutes"));
  step();
  // Whatever the service forgets meanwhile, and however the log grows.
  begin();
  reopen();
  const auto waiting = must(laptop_->waiting()).at(0);
  EXPECT_EQ(waiting.due_ms(), clock_->now() + 72 * kHour);
  must_do(laptop_->set_region("DE"));
  step();
  wait(72 * kHour - kMinute);
  EXPECT_TRUE(fails(laptop_->complete_waiting(number), Code::kUnavailable, "three days"));
  vault::Home early = new_home(folder_ / "early");
  EXPECT_TRUE(fails(vault::recover(early, *store_, *clock_, fresh_, {"early", {}}), Code::kNotFound,
                    "no account"));
  wait(kMinute);
  must_do(laptop_->complete_waiting(number));
  EXPECT_TRUE(must(laptop_->waiting()).empty());

  // The device, the service and a newcomer replay it from the beginning.
  step();
  begin();
  reopen();
  vault::Home late = new_home(folder_ / "late");
  EXPECT_TRUE(
      fails(vault::recover(late, *store_, *clock_, *old_, {"late", {}}), Code::kNotFound, ""));
  must(vault::recover(late, *store_, *clock_, fresh_, {"late", {"laptop"}}));
  must_do(laptop_->sync());
}

TEST_F(Ages, ADeviceThatWasAwayCompletesWhatAnotherProposed) {
  join_desk();
  const std::uint64_t number = must(laptop_->propose_recovery(fresh_));
  step();
  wait(73 * kHour);
  must_do(desk_->sync());
  const auto waiting = must(desk_->waiting()).at(0);
  EXPECT_EQ(waiting.proposer, laptop_->self().id);
  must_do(desk_->complete_waiting(number));
  must_do(laptop_->sync());
  EXPECT_TRUE(laptop_->circle().proposals().empty());
}

TEST_F(Ages, AnyDeviceCancelsAndARemovedProposersKeyIsVoid) {
  join_desk();
  const std::uint64_t first = must(desk_->propose_recovery(fresh_));
  must_do(laptop_->sync());
  // Also where a thief has filled the account.
  must_do(service_->accounts().set_quota("me", 0));
  EXPECT_TRUE(fails(laptop_->propose_recovery(fresh_), Code::kUnavailable, "quota"));
  must_do(laptop_->cancel_waiting(first));
  must_do(service_->accounts().set_quota("me", std::nullopt));
  EXPECT_TRUE(fails(laptop_->cancel_waiting(first), Code::kNotFound, "nothing waits"));
  must_do(desk_->sync());
  const std::uint64_t second = must(desk_->propose_recovery(keys::RecoveryKey::random()));
  must_do(laptop_->sync());
  must_do(laptop_->remove_devices({"desk"}));
  step();
  wait(73 * kHour);
  EXPECT_TRUE(must(laptop_->waiting()).empty());
  EXPECT_TRUE(fails(laptop_->complete_waiting(second), Code::kNotFound, "nothing waits"));
}

TEST_F(Ages, MadeUpEvidenceMovesNobody) {
  join_desk();
  const std::uint64_t number = must(desk_->propose_recovery(fresh_));
  step();
  must_do(laptop_->sync());
  wait(60 * kHour);
  auto session = must(store_->open_account("me", vault::caller(home_.device_key())));
  // What would say most: of an older statement; its start under this one's proof.
  const Bytes older =
      must(session->prove_age(laptop_->circle().device(desk_->self().id)->admitted_seq));
  auto mixed = must(wire::decode<tlog::AgeEvidence>(must(session->prove_age(number))));
  mixed.start = must(wire::decode<tlog::AgeEvidence>(older)).start;
  mixed.in_start = must(wire::decode<tlog::AgeEvidence>(older)).in_start;
  wait(20 * kHour);
  for (const Bytes& made_up : {older, wire::encode(mixed), Bytes{}, Bytes(30'000)}) {
    hostile::Lies lies;
    lies.age = [&](std::uint64_t, Result<Bytes>& evidence) { evidence = made_up; };
    hostile::HostileStore store(*store_, lies);
    auto account = must(vault::Account::open(home_, store, *clock_));
    EXPECT_FALSE(must(account.waiting()).at(0).stood);
    EXPECT_TRUE(fails(account.complete_waiting(number), Code::kUnsafe, "not proven"));
  }
  // A member who sends it all the same: the service refuses, and so does a device that is shown it.
  auto member = thief(desk_home_);
  const api::Append forged = complete(member, number, older);
  EXPECT_FALSE(member.replica.session().append(forged).ok());
  hostile::Lies lies;
  lies.circle = [&](api::Session&, std::uint64_t, std::vector<Bytes>& page) {
    page.push_back(forged.statement);
  };
  hostile::HostileStore store(*store_, lies);
  EXPECT_TRUE(fails(vault::Account::open(home_, store, *clock_), Code::kUnsafe, "not proven"));
  must_do(laptop_->complete_waiting(number));
}

// Too early, with evidence that is true.
TEST_F(Ages, AServiceDoesNotTakeWhatIsTooYoung) {
  const std::uint64_t number = must(laptop_->propose_recovery(fresh_));
  step();
  wait(72 * kHour - 1000);
  auto member = thief(home_);
  const auto append = [&] {
    const api::Append early =
        complete(member, number, must(member.replica.session().prove_age(number)));
    return member.replica.session().append(early);
  };
  EXPECT_TRUE(fails(append(), Code::kUnsafe, "71 h 59 min"));
  wait(1000);
  EXPECT_TRUE(append().ok());
}

// The other way that needs an age: a second device vouches, once it is a member for a week.
TEST_F(Ages, ASecondDeviceOfAWeekVouchesAtOnce) {
  join_desk();
  wait(7 * 24 * kHour - 1000);
  auto member = thief(home_);
  const auto replace = [&]() -> Result<api::Receipt> {
    const std::uint64_t seq = member.circle().device(desk_->self().id)->admitted_seq;
    circle::SetRecovery body;
    body.recovery =
        vault::make_recovery_info(fresh_, member.replica, must(home_.lookup()), member.roots);
    body.evidence.push_back(must(member.replica.session().prove_age(seq)));
    auto readers = member.replica.readers();
    readers.full.erase(member.circle().recovery()->id);
    readers.full[circle::reader_id(body.recovery)].bytes = body.recovery.wrap_key;
    auto draft = must(member.replica.next_epoch(readers));
    body.epoch = draft.info;
    auto statement = circle::sign_statement(
        {member.circle().id(), member.circle().seq() + 1, member.circle().head(), clock_->now(),
         circle::StatementType::kSetRecovery, member.replica.self(), wire::encode(body)},
        member.signing);
    circle::cosign(statement, desk_->self().id, vault::signing_key(desk_home_.device_key()));
    return member.replica.session().append({wire::encode(statement), draft.blobs, {}});
  };
  EXPECT_TRUE(fails(replace(), Code::kUnsafe, "167 h 59 min"));
  wait(1000);
  EXPECT_TRUE(replace().ok());
  must_do(desk_->sync());
  EXPECT_EQ(desk_->circle().recovery()->info.locate, keys::locate_id(fresh_));
}

TEST_F(Ages, WhereNobodyWitnessesNothingWaits) {
  roots_ = {};
  begin();  // the same log, with other roots for new accounts
  show();
  must(service_->step_log());
  vault::Home home = new_home(folder_ / "alone");
  auto alone = must(vault::init(home, *store_, *clock_, {"alone", "alone", "ZZ"})).account;
  EXPECT_TRUE(fails(alone.propose_recovery(fresh_), Code::kInvalid, "nobody outside witnesses"));
}

}  // namespace
}  // namespace holdfast
