// The service's log, killed between any two of its steps: it never signs two trees of one size, and
// loses no account's change.
#include "server/public_log.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "crypto/hash.h"

namespace holdfast::server {
namespace {

namespace fs = std::filesystem;

class LogOfAService : public testing::Test {
 protected:
  LogOfAService() {
    folder_ = testing::TempDir() + "log-XXXXXX";
    HF_CHECK(::mkdtemp(folder_.data()) != nullptr);
    start();
  }
  ~LogOfAService() override {
    log_.reset();
    writer_.reset();
    fs::remove_all(folder_);
  }

  LogOptions options() const {
    LogOptions out;
    out.folder = folder_ + "/log";
    out.key_file = folder_ + "/log.key";
    out.roots = roots_;
    return out;
  }
  // Anew, as after a kill: what was not durable is gone.
  void start() {
    log_.reset();
    writer_.reset();
    writer_ = std::move(Writer::open(folder_ + "/db", LogTables::kSchema)).value();
    auto opened = PublicLog::open(*writer_, options(), std::make_shared<SystemClock>());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    log_ = std::move(opened).value();
  }

  Result<bool> step() {
    return log_->step([this](const std::string&, std::uint64_t from) -> Result<AccountLists> {
      AccountLists lists;
      for (std::uint64_t n = from; n < statements_; ++n)
        lists.heads.push_back(crypto::sha256(wire::encode_array(n)));
      return lists;
    });
  }
  // The account has one more statement.
  void grow() {
    ++statements_;
    ASSERT_TRUE(LogTables(*writer_).touch("me").ok());
  }

  std::string folder_;
  tlog::LogRoots roots_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<PublicLog> log_;
  std::uint64_t statements_ = 0;
};

// Past a whole tile, with a restart between deciding and showing each time.
TEST_F(LogOfAService, KilledBeforeAStepIsShownItShowsThatOne) {
  ASSERT_TRUE(log_->add_account("me", Bytes(32, 7)).ok());
  for (int i = 0; i < 270; ++i) {
    grow();
    ASSERT_TRUE(step().value());
    const auto due = log_->due(3600);
    ASSERT_TRUE(due.has_value());
    start();
    // Where nobody witnesses, opening shows what waited.
    EXPECT_FALSE(log_->due(3600).has_value());
    const auto shown = tlog::Note::parse(log_->shown_note().value());
    const auto decided = tlog::Note::parse(due->note);
    ASSERT_TRUE(shown.ok() && decided.ok());
    ASSERT_EQ(shown->text, decided->text);
  }
  const auto view = log_->view("me", 0);
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->circle_next, statements_);
  EXPECT_EQ(view->leaves.size(), 270u);
}

TEST_F(LogOfAService, WhatChangesWhileAStepWaitsIsInTheNext) {
  ASSERT_TRUE(log_->add_account("me", Bytes(32, 7)).ok());
  grow();
  ASSERT_TRUE(step().value());
  grow();
  ASSERT_TRUE(log_->cosign(*log_->due(3600), {}).ok());
  ASSERT_TRUE(step().value());
  ASSERT_TRUE(log_->cosign(*log_->due(3600), {}).ok());
  EXPECT_EQ(log_->view("me", 0)->circle_next, 2u);
  EXPECT_FALSE(step().value());
}

TEST_F(LogOfAService, AWitnessThatSignsFalselySpoilsNothing) {
  using Seed = crypto::Key<crypto::Ed25519Purpose>;
  const tlog::Cosigner good("w1", Seed::from_bytes(Bytes(32, 1)));
  const tlog::Cosigner other("w2", Seed::from_bytes(Bytes(32, 2)));
  roots_.witnesses.push_back({"w1", good.key().key.bytes});
  roots_.witnesses.push_back({"w2", other.key().key.bytes});
  roots_.quorum = 1;
  log_.reset();
  writer_.reset();
  fs::remove_all(folder_);
  fs::create_directories(folder_);
  start();
  const auto due = log_->due(3600);
  ASSERT_TRUE(due.has_value());
  EXPECT_FALSE(log_->cosign(*due, {}).ok());
  const std::string text = tlog::Note::parse(due->note)->text;
  tlog::NoteSignature bad = other.cosign(text, 1'700'000'000);
  bad.signature.back() ^= 1;
  EXPECT_FALSE(log_->cosign(*due, {bad}).ok());
  EXPECT_TRUE(log_->cosign(*due, {bad, good.cosign(text, 1'700'000'000)}).ok());
}

TEST_F(LogOfAService, KeepsItsKey) {
  fs::remove(folder_ + "/log.key");
  log_.reset();
  const auto other = PublicLog::open(*writer_, options(), std::make_shared<SystemClock>());
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, Code::kUnsafe);
}

TEST_F(LogOfAService, GivesFilesByTheirPathsAndNoOthers) {
  for (const char* path : {"../db", "log.key", "checkpoint/", "map/01", "map/../checkpoint", "",
                           "tile/0/000.p/999", "/etc/passwd"})
    EXPECT_EQ(log_->open_file(path).error().code, Code::kNotFound) << path;
  EXPECT_TRUE(log_->open_file("checkpoint").ok());
  EXPECT_TRUE(log_->open_file("roots").ok());
}

}  // namespace
}  // namespace holdfast::server
