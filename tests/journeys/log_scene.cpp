#include "log_scene.h"

#include "crypto/hash.h"
#include "net/client.h"
#include "net/http_server.h"
#include "net/routes.h"
#include "sql/sqlite.h"
#include "support/policies.h"
#include "vault/log_audit.h"

namespace holdfast {
void alter_view(Lies& lies, std::function<void(api::LogView&)> alter) {
  lies.log = [alter = std::move(alter)](Lies::Honest&, std::uint64_t, Result<api::LogView>& view) {
    if (view.ok()) alter(*view);
  };
}
void hide_statement(Lies& lies) {
  lies.circle = [](Lies::Honest&, std::uint64_t, std::vector<Bytes>& page) {
    if (!page.empty()) page.pop_back();
  };
}
void hide_record(Lies& lies) {
  lies.records = [](Lies::Honest&, const VaultId&, std::uint64_t, std::vector<Bytes>& page) {
    if (!page.empty()) page.pop_back();
  };
}

Bytes any_policy(std::uint64_t version, std::uint64_t from_s, const Bytes& before) {
  return testkit::make_policy(version, from_s, before,
                              testkit::offered_everywhere("rules " + std::to_string(version)));
}

// ---- the service ----

struct LoggedService::Front {
  net::Metrics metrics;
  std::unique_ptr<net::Routes> routes;
  std::unique_ptr<net::HttpServer> server;
};

LoggedService::LoggedService(const std::string& data, const tlog::LogRoots& roots,
                             const std::string& port, std::shared_ptr<const Clock> clock,
                             api::Custodian* custodian)
    : front_(std::make_unique<Front>()) {
  fs::create_directories(data);
  auto tls = must(net::ServerTls::load_or_make(data));
  server::ServiceOptions options;
  options.data = data;
  options.tls_pin = tls.pin();
  options.sign_up = server::SignUp::kOpen;
  options.log = server::LogOptions{data + "/log", data + "/log.key", "log.example", roots};
  options.log->policy_key = testkit::policy_public_key();
  options.custodian = custodian;
  const Bytes pin = tls.pin();
  service = must(server::Service::open(std::move(options), std::move(clock)));
  front_->routes = std::make_unique<net::Routes>(*service, pin);
  net::ServerOptions front;
  front.port = port;
  front_->server =
      must(net::HttpServer::start(front, std::move(tls), *front_->routes, front_->metrics));
}

LoggedService::~LoggedService() { front_->server->stop(); }

std::unique_ptr<api::Store> LoggedService::store() {
  return net::open_service({"127.0.0.1", front_->server->port()}, front_->server->pin(), "");
}

// ---- the scene ----

PublicLog::PublicLog(const MakeCustodian& make) : home_(new_home(folder_ / "laptop")) {
  witness_ = must(witness::Witness::open({folder_ / "witness", "w1", {}}, time_));
  roots_.witnesses.push_back({"w1", witness_->key().key.bytes});
  roots_.auditors.push_back({"w1", witness_->auditor_key().bytes});
  roots_.quorum = 1;
  begin("0");
  witness_.reset();
  if (make) {
    const Bytes roots = must(store_->get_log("roots"));
    custodian_ = make(must(wire::decode<tlog::LogRoots>(roots)), time_);
    begin("0");
  }
  watch();
  write(folder_ / "data/a", "alpha");
  step();
  vault::InitOptions options{"me", "laptop", "ZZ"};
  if (make) options.level = circle::Level::kStandard;
  auto begun = must(vault::init(home_, *store_, clock_, options));
  paper_.emplace(std::move(begun.recovery));
  account_.emplace(std::move(begun.account));
  backup_id(*account_, folder_ / "data");
  step();
}

void PublicLog::begin(const std::string& port) {
  logged_.reset();
  logged_ = std::make_unique<LoggedService>(folder_ / "service", roots_, port, time_, custodian_);
  store_ = logged_->store();
}

void PublicLog::watch() {
  witness_.reset();
  witness_ = must(witness::Witness::open(
      {folder_ / "witness", "w1", {logged_->service->log()->trusted().log()}}, time_));
}

void PublicLog::step_unaudited() {
  show();
  must(logged_->service->step_log());
  pass(1);
  show();
}

void PublicLog::forget_changes() {
  auto database = must(sql::Database::open(folder_ / "service/service.db"));
  must_do(must(database.prepare("DELETE FROM log_dirty")).run());
}

void PublicLog::audit() {
  server::PublicLog& log = *logged_->service->log();
  for (std::uint64_t n = 0;;) {
    const auto next = must(log.next_audit(n));
    if (!next) return;
    tlog::AuditBody body;
    body.checkpoint = must(log.shown_note());
    body.index = next->index;
    body.leaf = next->leaf;
    for (const Digest& hash : next->inclusion) body.inclusion.push_back(hash);
    body.delta = next->delta;
    const witness::Answer answer = witness_->audit(wire::encode(body));
    if (answer.status == 200) must_do(log.add_audit(answer.body));
    n = answer.status == 200 ? n + 1 : must(tlog::parse_size(as_text(answer.body)));
  }
}

void PublicLog::show() {
  server::PublicLog& log = *logged_->service->log();
  const auto due = log.due(10 * 60);
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
  FAIL() << "the witness has another log";
}

void PublicLog::expect_contradiction(const Lies& lies, std::string_view words) {
  const auto opened = open(lies);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  expect_stands(*opened, words);
  must_do(vault::judge_contradiction(home_, "as the operator said", clock_.now()));
}

void PublicLog::expect_stands(const vault::Account& account, std::string_view words) {
  ASSERT_TRUE(account.contradiction());
  const std::string_view sentence = as_text(account.contradiction()->sentence);
  EXPECT_NE(sentence.find(words), std::string::npos) << sentence;
  EXPECT_FALSE(account.log_status());
}

Result<std::string> PublicLog::judge_evidence() {
  for (const auto& entry : fs::directory_iterator(folder_ / "laptop/evidence")) {
    const std::string bytes = read(entry.path());
    const auto items = TRY(wire::decode<std::vector<Bytes>>(as_bytes(bytes)));
    const auto evidence = TRY(wire::decode<vault::Evidence>(items.at(0)));
    return vault::verify_evidence(evidence);
  }
  return Error{Code::kNotFound, "the device saved no evidence"};
}

}  // namespace holdfast
