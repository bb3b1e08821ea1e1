// The service's log, killed between any two of its steps: it never signs two trees of one size, and
// loses no account's change.
#include "server/public_log.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "circle/vault_chain.h"
#include "crypto/hash.h"
#include "tlog/age.h"
#include "tlog/map_labels.h"

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
    auto opened = PublicLog::open(*writer_, options(), time_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    log_ = std::move(opened).value();
  }

  Result<bool> step() {
    return log_->step([this](const std::string&, std::uint64_t from) -> Result<AccountLists> {
      AccountLists lists;
      for (std::uint64_t n = from; n < statements_; ++n) {
        lists.heads.push_back(head_of(n));
        lists.begins.push_back(n);
      }
      lists.vaults = vaults_;
      return lists;
    });
  }
  std::uint64_t now() const { return static_cast<std::uint64_t>(time_->now() / 1000); }
  static Digest head_of(std::uint64_t n) { return crypto::sha256(wire::encode_array(n)); }
  // The account has one more statement.
  void grow() {
    ++statements_;
    ASSERT_TRUE(LogTables(*writer_).touch("me", now()).ok());
  }

  std::string folder_;
  const std::shared_ptr<ManualClock> time_ = std::make_shared<ManualClock>(SystemClock().now());
  tlog::LogRoots roots_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<PublicLog> log_;
  std::uint64_t statements_ = 0;
  std::vector<circle::VaultHead> vaults_;
};

// Past a whole tile, with restarts between deciding and showing: at first, and around the tile.
TEST_F(LogOfAService, KilledBeforeAStepIsShownItShowsThatOne) {
  ASSERT_TRUE(log_->add_account("me", Bytes(32, 7), head_of(0)).ok());
  for (int i = 0; i < 270; ++i) {
    grow();
    ASSERT_TRUE(step().value());
    const auto due = log_->due(3600);
    ASSERT_TRUE(due.has_value());
    if (i >= 10 && i < 250) {
      ASSERT_TRUE(log_->cosign(*due, {}).ok());
      continue;
    }
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
  ASSERT_TRUE(log_->add_account("me", Bytes(32, 7), head_of(0)).ok());
  grow();
  ASSERT_TRUE(step().value());
  grow();
  ASSERT_TRUE(log_->cosign(*log_->due(3600), {}).ok());
  ASSERT_TRUE(step().value());
  ASSERT_TRUE(log_->cosign(*log_->due(3600), {}).ok());
  EXPECT_EQ(log_->view("me", 0)->circle_next, 2u);
  EXPECT_FALSE(step().value());
}

// What is promised by then is in: statements and records alike, before anything is signed again.
TEST_F(LogOfAService, EachStepTakesInEverythingThatWasPromised) {
  ASSERT_TRUE(log_->add_account("me", Bytes(32, 7), head_of(0)).ok());
  for (std::uint64_t n = 1; n <= 3; ++n) {
    grow();
    vaults_ = {{VaultId(), n, head_of(n)}};
    ASSERT_TRUE(step().value());
    ASSERT_TRUE(log_->cosign(*log_->due(3600), {}).ok());
    const auto view = log_->view("me", 0);
    EXPECT_EQ(view->circle_next, n);
    EXPECT_EQ(view->data_next, n);
    ASSERT_EQ(view->data_heads.size(), 1u);
    EXPECT_EQ(view->data_heads[0].second, n);
    const auto proof = *wire::decode<tlog::SeriesProof>(view->data_proof);
    const auto epoch = *wire::decode<tlog::MapEpoch>(view->leaves.back());
    const tlog::MapEntry entry{tlog::data_label(LookupKey::from_bytes(Bytes(32, 7)), n - 1),
                               circle::heads_hash({{VaultId(), n, head_of(n)}})};
    EXPECT_TRUE(tlog::verify_present(epoch.root, entry, *proof.last).ok());
    EXPECT_FALSE(step().value());
  }
}

TEST_F(LogOfAService, PromisesARecordOfAnAccountThatItHasAndOfNoOther) {
  ASSERT_TRUE(log_->add_account("me", Bytes(32, 7), head_of(0)).ok());
  circle::Record record;
  record.n = 4;
  const auto promise = log_->promise("me", record, head_of(4));
  ASSERT_TRUE(promise.ok() && *promise);
  const auto said = tlog::verify_record_promise(log_->trusted(), **promise);
  ASSERT_TRUE(said.ok());
  EXPECT_EQ(said->n, 4u);
  EXPECT_EQ(said->head, head_of(4));
  EXPECT_FALSE(*log_->promise("you", record, head_of(4)));
}

// Two witnesses, one of whom is enough.
class WitnessedLogOfAService : public LogOfAService {
 protected:
  using Seed = crypto::Key<crypto::Ed25519Purpose>;
  WitnessedLogOfAService() {
    for (const tlog::Cosigner* one : {&good_, &bad_})
      roots_.witnesses.push_back({one->key().name, one->key().key.bytes});
    roots_.quorum = 1;
    log_.reset();
    writer_.reset();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    start();
    due_ = *log_->due(3600);
    text_ = tlog::Note::parse(due_.note)->text;
  }
  std::string reason(const std::vector<tlog::NoteSignature>& answer) {
    EXPECT_FALSE(log_->cosign(due_, answer).ok());
    const auto picked = log_->pick(due_, bad_.key(), answer);
    return picked.ok() ? "" : picked.error().message;
  }

  const tlog::Cosigner good_{"w1", Seed::from_bytes(Bytes(32, 1))};
  const tlog::Cosigner bad_{"w2", Seed::from_bytes(Bytes(32, 2))};
  PublicLog::Due due_;
  std::string text_;
};

TEST_F(WitnessedLogOfAService, SaysWhatIsWrongWithAWitnessesAnswer) {
  EXPECT_NE(reason({}).find("the key that the policy names"), std::string::npos);
  const tlog::Cosigner namesake("w2", Seed::from_bytes(Bytes(32, 3)));
  EXPECT_NE(reason({namesake.cosign(text_, now())}).find("the key that the policy names"),
            std::string::npos);
  tlog::NoteSignature flipped = bad_.cosign(text_, now());
  flipped.signature.back() ^= 1;
  EXPECT_NE(reason({flipped}).find("not over this checkpoint"), std::string::npos);
  EXPECT_NE(reason({bad_.cosign("an older text\n", now())}).find("not over this checkpoint"),
            std::string::npos);
  for (const std::uint64_t wrong : {now() + 3600, now() - 3600, std::uint64_t{0}})
    EXPECT_NE(reason({bad_.cosign(text_, wrong)}).find("seconds apart"), std::string::npos);
}

// An age is proven from the first checkpoint that had the statement, also one that was cosigned by
// another process than decided it, and however often the log was cosigned since.
TEST_F(WitnessedLogOfAService, KeepsTheStartOfAWait) {
  const auto show = [&](std::uint64_t time_s) {
    const auto due = *log_->due(0);
    const auto text = tlog::Note::parse(due.note)->text;
    ASSERT_TRUE(log_->cosign(due, {good_.cosign(text, time_s)}).ok());
  };
  const std::uint64_t begin = now();
  show(begin);
  ASSERT_TRUE(log_->add_account("me", Bytes(32, 7), head_of(0)).ok());
  grow();
  ASSERT_TRUE(step().value());
  EXPECT_EQ(log_->prove_age("me", 0).error().code, Code::kNotFound);
  start();
  show(begin + 1);
  ASSERT_FALSE(step().value());
  for (std::uint64_t i = 2; i < 300; ++i) {
    if (i % 3 == 0) grow();
    static_cast<void>(step().value());
    show(begin + i);
    if (i == 100) start();
  }
  const LookupKey key = LookupKey::from_bytes(Bytes(32, 7));
  const tlog::MapEntry entry{tlog::circle_label(key, 0),
                             crypto::sha256(wire::encode_array(std::uint64_t{0}))};
  const auto evidence = log_->prove_age("me", 0);
  ASSERT_TRUE(evidence.ok()) << evidence.error().message;
  const auto age = tlog::verify_age(log_->trusted(), entry, *evidence);
  ASSERT_TRUE(age.ok()) << age.error().message;
  EXPECT_EQ(age->since_s, begin + 1);
  EXPECT_EQ(age->until_s, begin + 299);
  EXPECT_EQ(log_->prove_age("me", statements_).error().code, Code::kNotFound);
  EXPECT_EQ(log_->prove_age("you", 0).error().code, Code::kNotFound);
}

TEST_F(WitnessedLogOfAService, AWitnessThatLiesSpoilsNothingForTheOthers) {
  tlog::NoteSignature flipped = bad_.cosign(text_, now());
  flipped.signature.back() ^= 1;
  // In the other's name, too: false, old, and the true one twice.
  tlog::NoteSignature forged = good_.cosign(text_, now());
  forged.signature.back() ^= 1;
  const auto relayed = good_.cosign(text_, now());
  EXPECT_TRUE(log_->cosign(due_, {flipped, forged, good_.cosign(text_, now() - 3600), relayed,
                                  good_.cosign(text_, now())})
                  .ok());
  const auto shown = tlog::Note::parse(log_->shown_note().value());
  ASSERT_TRUE(shown.ok());
  EXPECT_EQ(shown->signatures.size(), 2u);  // the log's and one witness's
}

// An honest service whose witnesses were away: promises made meanwhile came due, and nobody may be
// shown a note cosigned since that lacks them. That outlives the process, and the next outage.
class CatchingUp : public WitnessedLogOfAService {
 protected:
  CatchingUp() {
    cosign();
    EXPECT_TRUE(log_->add_account("me", Bytes(32, 7), head_of(0)).ok());
    grow();
    EXPECT_TRUE(step().value());
  }
  void cosign() {
    const auto due = *log_->due(0);
    const auto text = tlog::Note::parse(due.note)->text;
    ASSERT_TRUE(log_->cosign(due, {good_.cosign(text, now())}).ok());
  }
  void pass(std::int64_t seconds) { time_->advance(seconds * 1000); }
  void expect_kept_back(bool kept_back) {
    const auto view = log_->view("me", 0);
    EXPECT_EQ(view.ok(), !kept_back);
    EXPECT_TRUE(view.ok() || view.error().code == Code::kUnavailable) << view.error().message;
  }
};

TEST_F(CatchingUp, WhatIsNotDueIsShown) {
  pass(60);
  grow();
  cosign();
  expect_kept_back(false);
}

TEST_F(CatchingUp, AnotherProcessKeepsItBackToo) {
  pass(60);
  grow();
  pass(30 * 60);
  cosign();
  expect_kept_back(true);
  start();
  expect_kept_back(true);
  EXPECT_TRUE(step().value());
  expect_kept_back(true);
  cosign();
  expect_kept_back(false);
  EXPECT_EQ(log_->view("me", 0)->circle_next, 2u);
}

TEST_F(CatchingUp, ASecondOutageShowsNothingThatIsDue) {
  pass(60);
  grow();
  pass(30 * 60);
  cosign();
  EXPECT_TRUE(step().value());
  for (int hours = 0; hours < 3; ++hours) {
    pass(60 * 60);
    expect_kept_back(true);
    if (hours == 1) start();
  }
  cosign();
  expect_kept_back(false);
}

// Whoever changes all the time is shown each step all the same.
TEST_F(CatchingUp, AnAccountThatNeverRestsIsShownEachStep) {
  for (int minute = 0; minute < 20; ++minute) {
    grow();
    pass(60);
    cosign();
    expect_kept_back(false);
    EXPECT_TRUE(step().value());
  }
}

// Its labels would be another's, and a map takes each once: nobody may stop the log with that, nor
// be promised what it cannot keep.
TEST_F(LogOfAService, ALookupKeyIsOfOneAccountForEver) {
  ASSERT_TRUE(log_->add_account("me", Bytes(32, 7), head_of(0)).ok());
  ASSERT_TRUE(log_->add_account("me", Bytes(32, 7), head_of(0)).ok());
  EXPECT_EQ(log_->add_account("twin", Bytes(32, 7), head_of(0)).error().code, Code::kConflict);
  grow();
  ASSERT_TRUE(step().value());
  ASSERT_TRUE(log_->cosign(*log_->due(3600), {}).ok());
  ASSERT_TRUE(log_->forget_account("me").ok());
  EXPECT_EQ(log_->add_account("other", Bytes(32, 7), head_of(1)).error().code, Code::kConflict);
}

TEST_F(LogOfAService, AnAccountThatWasGoneGoesOnBehindItsLabels) {
  ASSERT_TRUE(log_->add_account("me", Bytes(32, 7), head_of(0)).ok());
  grow();
  ASSERT_TRUE(step().value());
  ASSERT_TRUE(log_->cosign(*log_->due(3600), {}).ok());
  ASSERT_TRUE(log_->forget_account("me").ok());
  ASSERT_TRUE(log_->add_account("me", Bytes(32, 7), head_of(0)).ok());
  grow();
  ASSERT_TRUE(step().value());
  ASSERT_TRUE(log_->cosign(*log_->due(3600), {}).ok());
  EXPECT_EQ(log_->view("me", 0)->circle_next, 2u);
}

// The key came into two accounts' hands while the log was not looking: the others go on.
TEST_F(LogOfAService, LabelsThatAreAnothersHoldNobodyUp) {
  ASSERT_TRUE(log_->add_account("me", Bytes(32, 7), head_of(0)).ok());
  grow();
  ASSERT_TRUE(step().value());
  ASSERT_TRUE(log_->forget_account("me").ok());
  ASSERT_TRUE(log_->add_account("again", Bytes(32, 7), crypto::sha256({})).ok());
  ASSERT_TRUE(log_->add_account("fine", Bytes(32, 8), head_of(0)).ok());
  ASSERT_TRUE(log_->cosign(*log_->due(3600), {}).ok());
  const auto taken =
      log_->step([](const std::string& name, std::uint64_t from) -> Result<AccountLists> {
        if (from > 0) return AccountLists{};
        return AccountLists{{name == "again" ? crypto::sha256({}) : head_of(0)}, {}, {0}};
      });
  ASSERT_TRUE(taken.ok()) << taken.error().message;
  ASSERT_TRUE(log_->cosign(*log_->due(3600), {}).ok());
  EXPECT_EQ(log_->view("fine", 0)->circle_next, 1u);
  EXPECT_EQ(log_->view("again", 0)->circle_next, 0u);
}

TEST_F(LogOfAService, KeepsItsKey) {
  fs::remove(folder_ + "/log.key");
  log_.reset();
  const auto other = PublicLog::open(*writer_, options(), time_);
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
