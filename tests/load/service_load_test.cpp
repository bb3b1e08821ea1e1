// Everything at once: members who append, store and wait, visitors, sweeps, and a stop in the midst
// of it. For ThreadSanitizer most of all; what was acknowledged must be there afterwards.
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "support/appends.h"
#include "support/service_place.h"

namespace holdfast {
namespace {

constexpr int kAccounts = 3;
constexpr int kStopAfter = 24;  // turns of all members together

// The service and its front, which can come back at another port.
class House {
 public:
  House() : data_(folder_ / "service") {
    fs::create_directories(data_);
    server::ServiceOptions options;
    options.data = data_;
    options.tls_pin = must(net::ServerTls::load_or_make(data_)).pin();
    options.sign_up = server::SignUp::kOpen;
    options.loaded_accounts = 2;  // fewer than there are: circles come and go
    options.on_change = [this](const std::string& account) {
      if (net::HttpServer* const front = front_.load()) front->wake(account);
    };
    service_ = must(server::Service::open(std::move(options), std::make_shared<SystemClock>()));
    open_front();
  }
  // The service calls the front until it is gone.
  ~House() {
    close_front();
    front_ = nullptr;
    service_.reset();
  }
  House(const House&) = delete;
  House& operator=(const House&) = delete;

  void open_front() {
    auto tls = must(net::ServerTls::load_or_make(data_));
    auto routes = std::make_unique<net::Routes>(*service_, tls.pin());
    net::ServerOptions options;
    options.threads = 8;
    options.requests_per_second_per_address = 1'000'000;
    auto server = must(net::HttpServer::start(options, std::move(tls), *routes, metrics_));
    front_ = server.get();
    fronts_.push_back({std::move(routes), std::move(server)});
  }
  void close_front() { fronts_.back().server->stop(); }
  std::unique_ptr<api::Store> store() const {
    const net::HttpServer& server = *fronts_.back().server;
    return net::open_service({"127.0.0.1", server.port()}, server.pin(), "");
  }
  server::Service& service() { return *service_; }
  std::string metrics() const { return metrics_.render(service_->gauges()); }

 private:
  struct Front {
    std::unique_ptr<net::Routes> routes;
    std::unique_ptr<net::HttpServer> server;
  };
  Folder folder_;
  const std::string data_;
  net::Metrics metrics_;
  std::atomic<net::HttpServer*> front_ = nullptr;
  std::unique_ptr<server::Service> service_;
  std::vector<Front> fronts_;
};

// One account, and what the service has acknowledged of it. Of one thread, but for `maker.first`.
struct Household {
  explicit Household(int number)
      : name("account " + std::to_string(number)),
        maker(testkit::make_device("laptop of " + name)) {}

  const std::string name;
  testkit::CircleMaker maker;
  std::size_t statements = 0;
  std::size_t records = 0;
  std::map<PackId, Bytes> packs;

  std::unique_ptr<api::Session> enter(api::Store& store) const {
    return must(store.open_account(name, {maker.first.id, maker.first.key}));
  }
};

// What everyone shares: whether to go on, and how much was done.
struct Day {
  std::atomic<bool> stopping = false;
  std::atomic<bool> over = false;
  std::atomic<int> turns = 0;
  std::atomic<int> wakes = 0;

  // False: the service went away, as it was about to.
  bool went_well(const char* what, const Result<void>& result) {
    if (result.ok()) return true;
    EXPECT_TRUE(stopping && result.error().code == Code::kUnavailable)
        << what << ": " << result.error().message;
    return false;
  }
  template <class T>
  bool went_well(const char* what, const Result<T>& result) {
    return went_well(what, result.ok() ? Result<void>(Ok{}) : Result<void>(result.error()));
  }
  void end_turn() {
    ++turns;
    turns.notify_all();
  }
  void wait_for_turns(int many) const {
    for (int now = turns.load(); now < many; now = turns.load()) turns.wait(now);
  }
};

bool append_one(Household& home, api::Session& session, Day& day) {
  const auto sent =
      day.went_well("append", session.append(testkit::append_of(home.maker, home.statements)));
  if (sent) ++home.statements;
  return sent;
}

bool put_one(Household& home, api::Session& session, Day& day, std::mt19937& random) {
  Bytes pack(1 + random() % 100'000);
  for (std::uint8_t& byte : pack) byte = static_cast<std::uint8_t>(random());
  const PackId id(crypto::sha256(pack).bytes);
  if (!day.went_well("put_pack", session.put_pack(id, pack))) return false;
  home.packs[id] = pack;
  const auto back = session.get_pack(id);
  if (!day.went_well("get_pack", back)) return false;
  EXPECT_EQ(*back, pack);
  return true;
}

bool record_one(Household& home, api::Session& session, Day& day) {
  const VaultId vault = testkit::vault_id("home");
  if (home.maker.records(vault).size() == home.records)
    home.maker.append_record(vault, home.maker.first);
  const Bytes& record = home.maker.records(vault).back();
  // Another session sends the same: a call may be repeated.
  if (!day.went_well("append_record", session.append_record(vault, record))) return false;
  ++home.records;
  return day.went_well("append_record again", session.append_record(vault, record));
}

void live(Household& home, api::Store& store, Day& day, unsigned seed) {
  std::mt19937 random(seed);
  if (!day.went_well("sign-up", store.create_account(home.name, testkit::append_of(home.maker, 0))))
    return;
  home.statements = 1;
  const auto session = home.enter(store);
  home.maker.add_vault("home");
  bool good = append_one(home, *session, day);
  for (int turn = 0; good; ++turn) {
    good = put_one(home, *session, day, random) && record_one(home, *session, day);
    if (good && turn % 4 == 0) {
      home.maker.append(home.maker.rotate(), home.maker.first);
      good = append_one(home, *session, day);
    }
    good = good && day.went_well("usage", session->usage()) &&
           day.went_well("connections", session->connections()) &&
           day.went_well("joins", session->list_joins());
    day.end_turn();
  }
}

// From before there is an account until the end.
void wait_for_changes(const Household& home, api::Store& store, Day& day) {
  const auto session = home.enter(store);
  std::uint64_t seen = 0;
  while (!day.over) {
    const auto now = session->wait_for_change(seen, 25'000);
    if (!now.ok() && now.error().code == Code::kUnavailable) return;
    if (!now.ok()) {  // the account is not there yet
      EXPECT_EQ(now.error().code, Code::kDenied);
      std::this_thread::yield();
      continue;
    }
    if (*now > seen) ++day.wakes;
    seen = *now;
  }
}

void visit(const std::string& account, api::Store& store, Day& day, unsigned seed) {
  std::mt19937 random(seed);
  for (bool good = true; good;) {
    RequestId request;
    // Few: one address has only so many.
    request.bytes.fill(static_cast<std::uint8_t>(random() % 5));
    const Bytes hello(1000, request.bytes[0]);
    good = day.went_well("put_join",
                         store.put_join(account, request, api::JoinMessage::kRequest, hello));
    if (!good) return;
    const auto back = store.get_join(account, request, api::JoinMessage::kRequest);
    good = day.went_well("get_join", back);
    if (!good) return;
    EXPECT_EQ(*back, hello);
    const auto admitted = store.get_admission(account, request);
    EXPECT_FALSE(admitted.ok());
  }
}

void sweep(House& house, Day& day) {
  while (!day.over) {
    EXPECT_TRUE(house.service().sweep().ok());
    EXPECT_TRUE(house.service().ready().ok());
    EXPECT_FALSE(house.metrics().empty());
  }
}

void check(Household& home, api::Store& store) {
  const auto session = home.enter(store);
  const auto statements = must(session->read_circle(0));
  ASSERT_GE(statements.size(), home.statements);
  for (std::size_t i = 0; i < statements.size(); ++i)
    EXPECT_EQ(statements[i], home.maker.statements().at(i));
  const VaultId vault = testkit::vault_id("home");
  const auto records = must(session->read_records(vault, 1));
  ASSERT_GE(records.size(), home.records);
  for (std::size_t i = 0; i < records.size(); ++i)
    EXPECT_EQ(records[i], home.maker.records(vault).at(i));
  for (const auto& [id, pack] : home.packs) EXPECT_EQ(must(session->get_pack(id)), pack);
}

TEST(ServiceUnderLoad, KeepsWhatItAcknowledgedThroughAStop) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  House house;
  const auto store = house.store();
  std::vector<std::unique_ptr<Household>> homes;
  for (int i = 0; i < kAccounts; ++i) homes.push_back(std::make_unique<Household>(i));
  Day day;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kAccounts; ++i) {
      Household& home = *homes[static_cast<std::size_t>(i)];
      const unsigned own = seed + static_cast<unsigned>(i);
      threads.emplace_back([&, own] { live(home, *store, day, own); });
      threads.emplace_back([&] { wait_for_changes(home, *store, day); });
      threads.emplace_back([&, own] { visit(home.name, *store, day, own); });
    }
    threads.emplace_back([&] { sweep(house, day); });
    day.wait_for_turns(kStopAfter);
    day.stopping = true;
    house.close_front();
    day.over = true;
  }
  EXPECT_GT(day.wakes, 0);
  house.open_front();
  const auto again = house.store();
  for (const auto& home : homes) check(*home, *again);
}

}  // namespace
}  // namespace holdfast
