// A service with a public log, a witness who audits, and an account with one device; and what such
// a service may lie. For the journeys beside it. Test-only.
#pragma once

#include "hostile/lies.h"
#include "server/service.h"
#include "support/journey.h"

#include "witness/witness.h"

namespace holdfast {

using hostile::HostileStore;
using hostile::Lies;

// What the service says of its log, altered on the way.
void alter_view(Lies& lies, std::function<void(api::LogView&)> alter);
void hide_statement(Lies& lies);
void hide_record(Lies& lies);

Bytes any_policy(std::uint64_t version, std::uint64_t from_s, const Bytes& before);

// A service with a log, on loopback; can be stopped, and begun again on another folder.
class LoggedService {
 public:
  LoggedService(const std::string& data, const tlog::LogRoots& roots, const std::string& port,
                std::shared_ptr<const Clock> clock, api::Custodian* custodian = nullptr);
  ~LoggedService();
  std::unique_ptr<api::Store> store();

  std::unique_ptr<server::Service> service;

 private:
  struct Front;  // the network's side
  std::unique_ptr<Front> front_;
};

class PublicLog : public ::testing::Test {
 protected:
  // Makes a custodian that follows this log; it outlives the scene.
  using MakeCustodian =
      std::function<api::Custodian*(const tlog::LogRoots& log, std::shared_ptr<const Clock> clock)>;
  // With one, the account is at the standard level.
  explicit PublicLog(const MakeCustodian& make = {});

  void begin(const std::string& port);
  void watch();

  // What the operator's program does, without the network between.
  void step() {
    step_unaudited();
    audit();
  }
  void step_unaudited();
  void audit();
  void pass(std::int64_t seconds) { time_->advance(seconds * 1000); }
  // Time goes by and witnesses sign; nothing new gets into the log, and the service shows it as if
  // nothing had been promised.
  void wait_without_a_step(std::int64_t seconds) {
    pass(seconds);
    forget_changes();
    show();
  }
  void forget_changes();
  void show();

  Result<vault::Account> open(const Lies& lies) {
    lying_.emplace(*store_, lies);
    return vault::Account::open(home_, *lying_, clock_);
  }
  // The account opens, and what contradicts is said and stays; then the person judges it.
  void expect_contradiction(const Lies& lies, std::string_view words);
  static void expect_stands(const vault::Account& account, std::string_view words);
  template <class T>
  static void expect_stopped(const Result<T>& done) {
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Code::kUnsafe) << done.error().message;
    EXPECT_NE(done.error().message.find("contradicted itself"), std::string::npos)
        << done.error().message;
  }

  // Of the one file that the device saved, by what stands in it alone.
  Result<std::string> judge_evidence();

  Folder folder_;
  const std::shared_ptr<ManualClock> time_ = std::make_shared<ManualClock>(SystemClock().now());
  const ManualClock& clock_ = *time_;
  vault::Home home_;
  tlog::LogRoots roots_;
  api::Custodian* custodian_ = nullptr;
  std::unique_ptr<witness::Witness> witness_;
  std::unique_ptr<LoggedService> logged_;
  std::unique_ptr<api::Store> store_;
  std::optional<HostileStore> lying_;
  std::optional<keys::RecoveryKey> paper_;
  std::optional<vault::Account> account_;
};

}  // namespace holdfast
