// A service in the middle of an admission: it shows the new device another account, or the trusted
// one another request; it plays old codes again and forgets how often one was wrong.
// (Backendal, Haller, Paterson, S&P 2023, and Albrecht and others, Euro S&P 2024, have servers that
// give a new client keys of their own; here a code in a person's hands stands between.)
#include "hostile/scene.h"

namespace holdfast::hostile {
namespace {

class Admission : public ::testing::Test {
 protected:
  Admission() : laptop_home_(new_home(folder_ / "laptop")), nas_home_(new_home(folder_ / "nas")) {
    laptop_.emplace(
        std::move(must(vault::init(laptop_home_, store_, clock_, {"me", "laptop", "ZZ"})).account));
  }
  void tell(const std::string& name) { lies_ = *attack(name, 1); }

  struct Ends {
    Result<vault::Account> joined;
    Result<circle::Device> approved;
  };
  // nas asks, and its code is typed into the laptop. What either says.
  Ends admit() {
    auto asking = must(vault::Join::start(nas_home_, store_, clock_, "me", "nas"));
    code_ = asking.code();
    std::optional<Result<vault::Account>> joined;
    std::jthread waiting([&] { joined.emplace(asking.wait()); });
    auto approved = laptop_->approve(code_, 60000);
    waiting.join();
    return {std::move(*joined), std::move(approved)};
  }
  void expect_not_joined(std::string_view words) {
    const Ends ends = admit();
    ASSERT_FALSE(ends.joined.ok());
    EXPECT_EQ(ends.joined.error().code, Code::kUnsafe);
    EXPECT_NE(ends.joined.error().message.find(words), std::string::npos)
        << ends.joined.error().message;
    EXPECT_FALSE(nas_home_.is_member());
  }
  void expect_refused(Code code, std::string_view words) {
    const auto refused = laptop_->approve(code_, 100);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, code);
    EXPECT_NE(refused.error().message.find(words), std::string::npos) << refused.error().message;
  }

  testkit::TempDir folder_{testkit::Where::kMemory};
  SystemClock clock_;
  std::unique_ptr<api::Store> honest_ = store::open_memory();
  Lies lies_;
  HostileStore store_{*honest_, lies_};
  vault::Home laptop_home_;
  vault::Home nas_home_;
  std::optional<vault::Account> laptop_;
  std::string code_;
};

constexpr std::string_view kAnotherAccount = "another account than the one your trusted device";

TEST_F(Admission, IsHonestWhenTheServiceIs) {
  const Ends ends = admit();
  EXPECT_TRUE(ends.joined.ok() && ends.approved.ok());
}

// The answer never arrives at the new device; the trusted one gives up, and nobody is admitted.
TEST_F(Admission, AnAnswerOfTheServicesOwnIsRefused) {
  tell("answer-of-its-own");
  auto asking = must(vault::Join::start(nas_home_, store_, clock_, "me", "nas"));
  std::optional<Result<vault::Account>> joined;
  std::jthread waiting([&] { joined.emplace(asking.wait()); });
  const auto approved = laptop_->approve(asking.code(), 100);
  waiting.join();
  EXPECT_FALSE(approved.ok());
  ASSERT_FALSE(joined->ok());
  EXPECT_EQ(joined->error().code, Code::kUnsafe);
  EXPECT_NE(joined->error().message.find(kAnotherAccount), std::string::npos);
  EXPECT_EQ(laptop_->circle().members().size(), 1U);
}

TEST_F(Admission, AnAccountOfTheServicesOwnIsRefusedAfterAnHonestAnswer) {
  tell("account-of-its-own-to-newcomers");
  expect_not_joined(kAnotherAccount);
}

TEST_F(Admission, AnotherLastMacIsRefused) {
  tell("other-admission");
  expect_not_joined(kAnotherAccount);
}

TEST_F(Admission, TheCircleBeforeTheAdmissionIsRefused) {
  tell("without-newest-statement");
  expect_not_joined(kAnotherAccount);
}

// The service gives the new device a root that it knows itself.
TEST_F(Admission, ARootOfTheServicesOwnIsRefused) {
  Ends ends = admit();
  ASSERT_TRUE(ends.joined.ok());
  tell("root-of-its-own");
  archive::Findings findings;
  const auto snapshots = ends.joined->snapshots("main", findings);
  ASSERT_FALSE(snapshots.ok());
  EXPECT_EQ(snapshots.error().code, Code::kCorrupt);
  EXPECT_NE(snapshots.error().message.find("not what the circle says"), std::string::npos);
}

// The person's code, the service's keys.
TEST_F(Admission, ARequestWithOtherKeysIsNotTheOneOfTheCode) {
  tell("request-with-its-keys");
  const auto asking = must(vault::Join::start(nas_home_, store_, clock_, "me", "nas"));
  code_ = asking.code();
  expect_refused(Code::kDenied, "the code is wrong");
  EXPECT_EQ(laptop_->circle().members().size(), 1U);
}

TEST_F(Admission, ACodeAdmitsOnceAlsoWhenTheServicePlaysItAgain) {
  tell("replayed-admission");
  {
    const Ends ends = admit();
    ASSERT_TRUE(ends.joined.ok() && ends.approved.ok());
  }
  expect_refused(Code::kInvalid, "is already a member");
  must_do(laptop_->remove_devices({"nas"}));
  expect_refused(Code::kUnsafe, "its keys were used before");
  EXPECT_EQ(laptop_->circle().members().size(), 1U);
}

// Tries are counted on the device: what the service forgets, or claims, does not matter.
TEST_F(Admission, AWrongCodeCostsATryWhateverTheServiceSays) {
  tell("replayed-admission");
  const auto asking = must(vault::Join::start(nas_home_, store_, clock_, "me", "nas"));
  for (int tried = 1; tried <= 3; ++tried) {
    code_ = keys::spell_code(keys::CodeKey::random());
    expect_refused(Code::kDenied, tried < 3 ? "the code is wrong" : "the third wrong code");
    if (tried < 3) continue;
    // Another process, later: the count is in the home.
    laptop_.reset();
    laptop_.emplace(must(vault::Account::open(laptop_home_, store_, clock_)));
  }
  code_ = asking.code();
  expect_refused(Code::kDenied, "three wrong codes were typed");
}

// Under another name the request is another request, and its code fits no more: no try is won.
TEST_F(Admission, ARequestUnderAnotherNameWinsNoTry) {
  tell("renamed-requests");
  const auto asking = must(vault::Join::start(nas_home_, store_, clock_, "me", "nas"));
  for (int tried = 0; tried < 5; ++tried) {
    code_ = asking.code();
    expect_refused(Code::kDenied, "the code is wrong");
  }
  EXPECT_EQ(laptop_->circle().members().size(), 1U);
}

}  // namespace
}  // namespace holdfast::hostile
