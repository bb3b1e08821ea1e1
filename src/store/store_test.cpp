#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <thread>

#include "base/file.h"
#include "crypto/hash.h"
#include "store/layout.h"
#include "store/local_store.h"
#include "store/test_writer.h"

namespace holdfast::store {
namespace {

using api::JoinMessage;

const std::string kAccount = "mila@example";
const Bytes kCapsule = {1, 2, 3};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string path = testing::TempDir() + "holdfast-store-XXXXXX";
    HF_CHECK(::mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

enum class Kind { kMemory, kFolder };

// A place that can be opened again and again, as by several processes.
class Place {
 public:
  explicit Place(Kind kind) : kind_(kind) {}

  std::shared_ptr<Files> files() {
    if (kind_ == Kind::kMemory) return memory_;
    return FolderFiles::open(folder_.file("store"), Create::kYes).value();
  }
  std::unique_ptr<api::Store> store() { return open_files(files()); }

 private:
  const Kind kind_;
  const std::shared_ptr<Files> memory_ = std::make_shared<MemoryFiles>();
  const TemporaryFolder folder_;
};

class StoreTest : public testing::TestWithParam<Kind> {
 protected:
  // An account with one vault.
  void SetUp() override {
    store_ = place_.store();
    genesis_ = writer_.genesis();
    ASSERT_TRUE(store_->create_account(kAccount, genesis_).ok());
    writer_.accept(genesis_);
    session_ = store_->open_account(kAccount, {}).value();
    append(writer_.set_vault(vault_, "documents"));
  }
  void append(const api::Append& next) {
    const auto done = session_->append(next);
    ASSERT_TRUE(done.ok()) << done.error().message;
    writer_.accept(next);
  }
  void append_record() {
    const Bytes next = writer_.record(vault_);
    const auto done = session_->append_record(vault_, next);
    ASSERT_TRUE(done.ok()) << done.error().message;
    writer_.accept(vault_, next);
  }
  std::string account_file(const std::string& name) {
    return account_folder(kAccount) + "/" + name;
  }

  Place place_{GetParam()};
  TestWriter writer_;
  const VaultId vault_ = random_id<VaultId>();
  api::Append genesis_;
  std::unique_ptr<api::Store> store_;
  std::unique_ptr<api::Session> session_;
};

INSTANTIATE_TEST_SUITE_P(Places, StoreTest, testing::Values(Kind::kMemory, Kind::kFolder),
                         [](const auto& kind) {
                           return kind.param == Kind::kMemory ? "Memory" : "Folder";
                         });

template <class T>
Code code(const Result<T>& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? Code::kNotFound : result.error().code;
}

PackId name_of(BytesView bytes) { return PackId(crypto::sha256(bytes).bytes); }

TEST_P(StoreTest, ListsAccounts) {
  EXPECT_EQ(store_->accounts().value(), std::vector<std::string>{kAccount});
  EXPECT_EQ(code(store_->open_account("nobody", {})), Code::kNotFound);
  EXPECT_EQ(code(store_->open_account("a\nb", {})), Code::kInvalid);
  EXPECT_EQ(code(store_->open_account("", {})), Code::kInvalid);
  EXPECT_EQ(code(store_->open_account(std::string(65, 'a'), {})), Code::kInvalid);
  EXPECT_EQ(code(store_->open_account("\xff", {})), Code::kInvalid);
}

TEST_P(StoreTest, AnAccountIsMadeOnce) {
  EXPECT_TRUE(store_->create_account(kAccount, genesis_).ok());
  TestWriter other;
  EXPECT_EQ(code(store_->create_account(kAccount, other.genesis())), Code::kConflict);
  EXPECT_EQ(session_->read_circle(0).value().at(0), genesis_.statement);
}

TEST_P(StoreTest, AGenesisIsVerified) {
  TestWriter other;
  api::Append forged = other.genesis();
  forged.statement.back() ^= 1;
  EXPECT_FALSE(store_->create_account("other", forged).ok());
  EXPECT_EQ(code(store_->open_account("other", {})), Code::kNotFound);
}

TEST_P(StoreTest, AnotherProcessReadsWhatWasAppended) {
  const api::Append next = writer_.set_region("DE");
  append(next);
  const auto other = place_.store();
  const auto session = other->open_account(kAccount, {}).value();
  const auto statements = session->read_circle(1).value();
  ASSERT_EQ(statements.size(), 2u);
  EXPECT_EQ(statements[1], next.statement);
  EXPECT_TRUE(session->read_circle(3).value().empty());
}

TEST_P(StoreTest, PagesHoldAtMostTheirNumber) {
  while (writer_.circle().seq() < api::Session::kMaxPage + 3) append(writer_.set_region("DE"));
  EXPECT_EQ(session_->read_circle(0).value().size(), api::Session::kMaxPage);
  EXPECT_EQ(session_->read_circle(api::Session::kMaxPage).value().size(), 4u);
}

TEST_P(StoreTest, AnAppendThatDoesNotFollowTheHeadConflicts) {
  const api::Append mine = writer_.set_region("DE");
  append(writer_.set_region("FR"));
  EXPECT_EQ(code(session_->append(mine)), Code::kConflict);
  EXPECT_EQ(session_->read_circle(0).value().size(), 3u);
}

TEST_P(StoreTest, AnAppendMayBeRepeatedAlsoLater) {
  const api::Append first = writer_.rotate();
  append(first);
  append(writer_.set_region("FR"));
  EXPECT_TRUE(session_->append(first).ok());
  EXPECT_TRUE(place_.store()->open_account(kAccount, {}).value()->append(first).ok());
  EXPECT_EQ(session_->read_circle(0).value().size(), 4u);
}

TEST_P(StoreTest, AnAppendSeesWhatAnotherProcessAppended) {
  const auto other = place_.store()->open_account(kAccount, {}).value();
  const api::Append first = writer_.rotate();
  ASSERT_TRUE(other->append(first).ok());
  writer_.accept(first);
  append(writer_.rotate());
  const api::Append third = writer_.rotate();
  EXPECT_TRUE(other->append(third).ok());
}

TEST_P(StoreTest, AForgedStatementIsRefusedAndLeavesNothing) {
  api::Append forged = writer_.rotate();
  forged.statement.back() ^= 1;
  EXPECT_FALSE(session_->append(forged).ok());
  EXPECT_EQ(session_->read_circle(0).value().size(), 2u);
  append(writer_.rotate());
}

TEST_P(StoreTest, BlobsAreExactlyThoseTheStatementNames) {
  const api::Append good = writer_.rotate();
  api::Append fewer = good;
  fewer.blobs.pop_back();
  EXPECT_EQ(code(session_->append(fewer)), Code::kInvalid);
  api::Append more = good;
  more.blobs.push_back({1});
  EXPECT_EQ(code(session_->append(more)), Code::kInvalid);
  api::Append swapped = good;
  std::swap(swapped.blobs[0], swapped.blobs[1]);
  EXPECT_EQ(code(session_->append(swapped)), Code::kInvalid);
  api::Append uninvited = writer_.set_region("DE");
  uninvited.blobs.push_back({1});
  EXPECT_EQ(code(session_->append(uninvited)), Code::kInvalid);

  append(good);
  for (const Bytes& blob : good.blobs)
    EXPECT_EQ(session_->get_blob(BlobId(crypto::sha256(blob).bytes)).value(), blob);
  EXPECT_EQ(code(session_->get_blob(random_id<BlobId>())), Code::kNotFound);
}

TEST_P(StoreTest, AnAppendNamesTheVaultHeadsThatAre) {
  append_record();
  const api::Append before = writer_.rotate();
  append_record();
  EXPECT_EQ(code(session_->append(before)), Code::kConflict);
  append(writer_.rotate());
}

TEST_P(StoreTest, RecordsFollowOneAnother) {
  const Bytes mine = writer_.record(vault_);
  append_record();
  EXPECT_EQ(code(session_->append_record(vault_, mine)), Code::kConflict);
  append_record();
  const auto records = session_->read_records(vault_, 1).value();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_TRUE(session_->append_record(vault_, records[0]).ok()) << "repeated";
  EXPECT_EQ(session_->read_records(vault_, 2).value().size(), 1u);
  EXPECT_TRUE(session_->read_records(vault_, 3).value().empty());
  EXPECT_EQ(code(session_->read_records(vault_, 0)), Code::kInvalid);
}

TEST_P(StoreTest, SaysWhenItReceivedEachRecord) {
  const TimeMs before = SystemClock().now();
  append_record();
  append_record();
  const auto times = session_->received(vault_, 1).value();
  ASSERT_EQ(times.size(), 2u);
  EXPECT_GE(times[0], before - 10'000) << "the place's clock may be a coarse one";
  EXPECT_LE(times[0], times[1]);
  EXPECT_EQ(session_->received(vault_, 2).value(), std::vector<TimeMs>{times[1]});
  EXPECT_TRUE(session_->received(vault_, 3).value().empty());
  EXPECT_EQ(code(session_->received(vault_, 0)), Code::kInvalid);
}

TEST_P(StoreTest, ARecordIsOfTheEpochThatIs) {
  const Bytes old = writer_.record(vault_);
  append(writer_.rotate());
  EXPECT_EQ(code(session_->append_record(vault_, old)), Code::kConflict);
  append_record();
}

TEST_P(StoreTest, ARecordOfAnUnknownVaultIsRefused) {
  EXPECT_EQ(code(session_->append_record(random_id<VaultId>(), writer_.record(vault_))),
            Code::kNotFound);
}

TEST_P(StoreTest, AnAdmissionIsSeenWithItsStatement) {
  const RequestId request = random_id<RequestId>();
  EXPECT_EQ(code(store_->get_admission(kAccount, request)), Code::kNotFound);
  const TestDevice phone("phone");
  const api::Append admit = writer_.admit(phone, request);
  append(admit);
  for (const auto& store : {place_.store(), place_.store()}) {
    const auto admitted = store->get_admission(kAccount, request).value();
    EXPECT_EQ(admitted.seq, 2u);
    EXPECT_EQ(admitted.mac, admit.admission->mac);
  }
  api::Append other_mac = admit;
  other_mac.admission->mac[0] ^= 1;
  EXPECT_EQ(code(session_->append(other_mac)), Code::kConflict);
}

TEST_P(StoreTest, AnAdmissionTravelsOnlyWithAnAdmit) {
  api::Append rotate = writer_.rotate();
  rotate.admission = api::Admission{random_id<RequestId>(), Bytes(32)};
  EXPECT_EQ(code(session_->append(rotate)), Code::kInvalid);
}

TEST_P(StoreTest, FindsTheCapsuleThatStandsAndNoOther) {
  const LocateId first = random_id<LocateId>();
  const LocateId second = random_id<LocateId>();
  EXPECT_EQ(code(store_->find_capsule(first)), Code::kNotFound);
  append(writer_.set_recovery(first, kCapsule));
  EXPECT_EQ(store_->find_capsule(first).value().account, kAccount);
  EXPECT_EQ(store_->find_capsule(first).value().capsule, kCapsule);
  append(writer_.set_recovery(second, {4}));
  EXPECT_EQ(code(store_->find_capsule(first)), Code::kNotFound);
  EXPECT_EQ(store_->find_capsule(second).value().capsule, Bytes{4});
}

TEST_P(StoreTest, ADamagedAccountDoesNotHideTheCapsuleOfAnother) {
  const LocateId locate = random_id<LocateId>();
  append(writer_.set_recovery(locate, kCapsule));
  ASSERT_TRUE(
      place_.files()->create(account_folder("aaa") + "/circle/00000000", as_bytes("x")).ok());
  EXPECT_TRUE(store_->find_capsule(locate).ok());
  EXPECT_EQ(code(store_->find_capsule(random_id<LocateId>())), Code::kCorrupt);
}

TEST_P(StoreTest, EachJoinMessageIsWrittenOnce) {
  const RequestId request = random_id<RequestId>();
  const auto put = [&](JoinMessage which, std::string_view text) {
    return store_->put_join(kAccount, request, which, as_bytes(text));
  };
  EXPECT_EQ(code(store_->get_join(kAccount, request, JoinMessage::kRequest)), Code::kNotFound);
  EXPECT_EQ(code(put(JoinMessage::kAnswer, "early")), Code::kNotFound);
  EXPECT_TRUE(put(JoinMessage::kRequest, "hello").ok());
  EXPECT_TRUE(put(JoinMessage::kRequest, "hello").ok());
  EXPECT_EQ(code(put(JoinMessage::kRequest, "other")), Code::kConflict);
  EXPECT_TRUE(put(JoinMessage::kAnswer, "answer").ok());
  EXPECT_TRUE(put(JoinMessage::kCounter, "counter").ok());
  EXPECT_EQ(as_text(store_->get_join(kAccount, request, JoinMessage::kAnswer).value()), "answer");
  EXPECT_EQ(session_->list_joins().value(), std::vector<RequestId>{request});

  EXPECT_TRUE(session_->drop_join(request).ok());
  EXPECT_TRUE(session_->drop_join(request).ok());
  EXPECT_TRUE(session_->list_joins().value().empty());
  EXPECT_EQ(code(store_->get_join(kAccount, request, JoinMessage::kAnswer)), Code::kNotFound);
}

TEST_P(StoreTest, JoinMessagesAndTheirNumberAreBounded) {
  const Bytes large(api::kMaxJoinMessage + 1);
  const auto request = [] { return random_id<RequestId>(); };
  EXPECT_EQ(code(store_->put_join(kAccount, request(), JoinMessage::kRequest, large)),
            Code::kInvalid);
  EXPECT_EQ(code(store_->put_join("nobody", request(), JoinMessage::kRequest, Bytes{1})),
            Code::kNotFound);
  for (std::size_t i = 0; i < api::kMaxOpenJoins; ++i)
    ASSERT_TRUE(store_->put_join(kAccount, request(), JoinMessage::kRequest, Bytes{1}).ok());
  EXPECT_EQ(code(store_->put_join(kAccount, request(), JoinMessage::kRequest, Bytes{1})),
            Code::kUnavailable);

  const auto tomorrow = std::make_shared<ManualClock>(SystemClock().now() + 25 * 3600 * 1000);
  LocalStore later(place_.files(), tomorrow);
  EXPECT_TRUE(later.put_join(kAccount, request(), JoinMessage::kRequest, Bytes{1}).ok());
  EXPECT_EQ(session_->list_joins().value().size(), 1u);
}

TEST_P(StoreTest, PacksAreNamedByTheirHash) {
  const Bytes pack = {1, 2, 3};
  const PackId id = name_of(pack);
  const PackId other = random_id<PackId>();
  EXPECT_EQ(code(session_->get_pack(id)), Code::kNotFound);
  EXPECT_EQ(code(session_->put_pack(other, pack)), Code::kInvalid);
  EXPECT_EQ(code(session_->put_pack(name_of({}), {})), Code::kInvalid);
  EXPECT_TRUE(session_->put_pack(id, pack).ok());
  EXPECT_TRUE(session_->put_pack(id, pack).ok());
  EXPECT_EQ(session_->get_pack(id).value(), pack);
  EXPECT_EQ(session_->have_packs({other, id}).value(), (std::vector<bool>{false, true}));
  append_record();
}

TEST_P(StoreTest, ADamagedPackIsHealedByPuttingItAgain) {
  const Bytes pack = {1, 2, 3};
  const PackId id = name_of(pack);
  for (const Bytes& damage : {Bytes{1, 2}, Bytes{1, 2, 4}, Bytes(100), Bytes{}}) {
    ASSERT_TRUE(session_->put_pack(id, pack).ok());
    ASSERT_TRUE(
        place_.files()
            ->replace(account_file("packs/" + id.hex().substr(0, 2) + "/" + id.hex()), damage)
            .ok());
    ASSERT_TRUE(session_->put_pack(id, pack).ok());
    EXPECT_EQ(session_->get_pack(id).value(), pack);
  }
}

TEST_P(StoreTest, WhatIsTooLargeIsRefusedBothWays) {
  EXPECT_EQ(code(session_->put_pack({}, Bytes(api::kMaxPackBytes + 1))), Code::kInvalid);
  EXPECT_EQ(code(session_->append_record(vault_, Bytes(circle::kMaxRecord + 1))), Code::kInvalid);
  EXPECT_EQ(code(session_->append({Bytes(circle::kMaxStatement + 1), {}, {}})), Code::kInvalid);
  const auto files = place_.files();
  ASSERT_TRUE(files->create(account_file("circle/00000002"), Bytes(1 << 20)).ok());
  EXPECT_EQ(code(session_->read_circle(0)), Code::kCorrupt);
  EXPECT_EQ(code(session_->append(writer_.rotate())), Code::kCorrupt);
}

TEST_P(StoreTest, ForeignFilesAreLeftAlone) {
  const auto files = place_.files();
  const std::string upper = "AB";
  for (const std::string& path :
       {std::string("accounts/README"), "accounts/" + upper + "/circle/00000000",
        std::string("accounts/6d/note"), account_file("joins/note.request"),
        account_file("joins/0102.request"), account_file("circle/00000000.bak"),
        account_file("circle/7"), account_file("vaults/x/00000001")})
    ASSERT_TRUE(files->create(path, as_bytes("x")).ok());
  const auto store = place_.store();
  EXPECT_EQ(store->accounts().value(), std::vector<std::string>{kAccount});
  EXPECT_TRUE(session_->list_joins().value().empty());
  EXPECT_EQ(session_->read_circle(0).value().size(), 2u);
  append(writer_.rotate());
}

TEST_P(StoreTest, AnOlderCopyPutInItsPlaceIsReadAnew) {
  append(writer_.set_region("DE"));
  append_record();
  const auto files = place_.files();
  ASSERT_TRUE(files->remove(account_file("circle/00000002")).ok());
  ASSERT_TRUE(files->remove(account_file("vaults/" + vault_.hex() + "/00000001")).ok());
  EXPECT_EQ(code(session_->append(writer_.rotate())), Code::kConflict);
}

TEST_P(StoreTest, OfSeveralWritersAtOnceExactlyOneWins) {
  constexpr std::size_t kWriters = 4;
  for (int round = 0; round < 8; ++round) {
    std::vector<api::Append> rivals;
    for (std::size_t i = 0; i < kWriters; ++i) rivals.push_back(writer_.rotate());
    std::atomic<int> won = 0;
    std::atomic<int> conflicts = 0;
    {
      std::vector<std::jthread> threads;
      for (const api::Append& rival : rivals)
        threads.emplace_back([&] {
          const auto done = place_.store()->open_account(kAccount, {}).value()->append(rival);
          if (done.ok()) ++won;
          if (!done.ok() && done.error().code == Code::kConflict) ++conflicts;
        });
    }
    EXPECT_EQ(won, 1);
    EXPECT_EQ(conflicts, static_cast<int>(kWriters) - 1);
    const Bytes winner = session_->read_circle(writer_.circle().seq() + 1).value().at(0);
    for (const api::Append& rival : rivals)
      if (rival.statement == winner) writer_.accept(rival);
  }
}

TEST_P(StoreTest, ARotationAndARecordAtOnceCannotBothWin) {
  for (int round = 0; round < 8; ++round) {
    const Bytes record = writer_.record(vault_);
    const api::Append rotate = writer_.rotate();
    bool recorded = false;
    bool rotated = false;
    {
      const std::jthread a([&] { recorded = session_->append_record(vault_, record).ok(); });
      const std::jthread b([&] {
        rotated = place_.store()->open_account(kAccount, {}).value()->append(rotate).ok();
      });
    }
    ASSERT_NE(recorded, rotated);
    if (recorded) writer_.accept(vault_, record);
    if (rotated) writer_.accept(rotate);
  }
}

// ---- crashes ----

enum class Lost { kCall, kAnswer };

// A process that dies at its k-th write, before or after the write took effect.
class DyingFiles final : public Files {
 public:
  DyingFiles(std::shared_ptr<Files> files, int writes, Lost lost)
      : files_(std::move(files)), left_(writes), lost_(lost) {}

  Result<Bytes> get(const std::string& path, std::uint64_t limit) override {
    if (dead()) return death();
    return files_->get(path, limit);
  }
  Result<void> create(const std::string& path, BytesView bytes) override {
    return write([&] { return files_->create(path, bytes); });
  }
  Result<void> replace(const std::string& path, BytesView bytes) override {
    return write([&] { return files_->replace(path, bytes); });
  }
  Result<void> remove(const std::string& path) override {
    return write([&] { return files_->remove(path); });
  }
  Result<void> persist(const std::string& path) override {
    return write([&] { return files_->persist(path); });
  }
  Result<FileInfo> info(const std::string& path) override {
    if (dead()) return death();
    return files_->info(path);
  }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    if (dead()) return death();
    return files_->list(folder);
  }
  Result<std::unique_ptr<Files::Lock>> lock() override {
    if (dead()) return death();
    return files_->lock();
  }
  std::string place() const override { return files_->place(); }
  bool dead() const { return left_ <= 0; }

 private:
  static Error death() { return {Code::kUnavailable, "the process is dead"}; }
  template <class Write>
  Result<void> write(Write&& apply) {
    if (dead()) return death();
    if (--left_ > 0) return apply();
    if (lost_ == Lost::kAnswer) static_cast<void>(apply().ok());
    return death();
  }

  const std::shared_ptr<Files> files_;
  int left_;
  const Lost lost_;
};

// What a family does in a store, as steps that may each be repeated.
class Story {
 public:
  Story() {
    const api::Append genesis = add(writer_.genesis());
    steps_.push_back([genesis](api::Store& store) {
      const auto done = store.create_account(kAccount, genesis);
      return done.ok() ? Result<void>() : done.error();
    });
    append(writer_.set_vault(vault_, "documents"));
    steps_.push_back([this](api::Store& store) -> Result<void> {
      const auto session = TRY(store.open_account(kAccount, {}));
      return session->put_pack(name_of(pack_), pack_);
    });
    record();
    steps_.push_back([this](api::Store& store) {
      return store.put_join(kAccount, request_, JoinMessage::kRequest, Bytes{1});
    });
    append(writer_.admit(phone_, request_));
    append(writer_.set_recovery(locate_, kCapsule));
    append(writer_.rotate());
    record();
    steps_.push_back([this](api::Store& store) -> Result<void> {
      const auto session = TRY(store.open_account(kAccount, {}));
      return session->drop_join(request_);
    });
  }

  const auto& steps() const { return steps_; }

  // Whatever happened: only whole prefixes, and nothing is named that is not there.
  void check(api::Store& store) const {
    const auto accounts = store.accounts();
    ASSERT_TRUE(accounts.ok()) << accounts.error().message;
    if (accounts->empty()) return;
    const auto session = store.open_account(kAccount, {}).value();
    const auto statements = session->read_circle(0).value();
    ASSERT_LE(statements.size(), appends_.size());
    std::optional<circle::Circle> circle;
    for (std::size_t i = 0; i < statements.size(); ++i) {
      EXPECT_EQ(statements[i], appends_[i].statement);
      for (const Bytes& blob : appends_[i].blobs)
        EXPECT_EQ(session->get_blob(BlobId(crypto::sha256(blob).bytes)).value(), blob);
      circle = circle ? circle->apply(statements[i]).value()
                      : circle::Circle::start(statements[i]).value();
      if (!appends_[i].admission) continue;
      EXPECT_EQ(store.get_admission(kAccount, request_).value().mac, appends_[i].admission->mac);
    }
    if (circle->recovery()) {
      EXPECT_TRUE(store.find_capsule(locate_).ok());
    }
    const auto records = session->read_records(vault_, 1).value();
    ASSERT_LE(records.size(), records_.size());
    for (std::size_t i = 0; i < records.size(); ++i) EXPECT_EQ(records[i], records_[i]);
    if (!records.empty()) {
      EXPECT_EQ(session->get_pack(name_of(pack_)).value(), pack_);
    }
  }

  void check_complete(api::Store& store) const {
    check(store);
    const auto session = store.open_account(kAccount, {}).value();
    EXPECT_EQ(session->read_circle(0).value().size(), appends_.size());
    EXPECT_EQ(session->read_records(vault_, 1).value().size(), records_.size());
    EXPECT_TRUE(session->list_joins().value().empty());
  }

 private:
  api::Append add(const api::Append& append) {
    writer_.accept(append);
    appends_.push_back(append);
    return append;
  }
  void append(const api::Append& next) {
    steps_.push_back([append = add(next)](api::Store& store) -> Result<void> {
      const auto session = TRY(store.open_account(kAccount, {}));
      TRY(session->append(append));
      return Ok{};
    });
  }
  void record() {
    const Bytes next = writer_.record(vault_);
    writer_.accept(vault_, next);
    records_.push_back(next);
    steps_.push_back([this, next](api::Store& store) -> Result<void> {
      const auto session = TRY(store.open_account(kAccount, {}));
      TRY(session->have_packs({name_of(pack_)}));
      TRY(session->append_record(vault_, next));
      return Ok{};
    });
  }

  TestWriter writer_;
  const TestDevice phone_{"phone"};
  const VaultId vault_ = random_id<VaultId>();
  const RequestId request_ = random_id<RequestId>();
  const LocateId locate_ = random_id<LocateId>();
  const Bytes pack_ = {5, 6, 7};
  std::vector<api::Append> appends_;
  std::vector<Bytes> records_;
  std::vector<std::function<Result<void>(api::Store&)>> steps_;
};

class CrashTest : public testing::TestWithParam<std::tuple<Kind, Lost>> {};

INSTANTIATE_TEST_SUITE_P(Places, CrashTest,
                         testing::Combine(testing::Values(Kind::kMemory, Kind::kFolder),
                                          testing::Values(Lost::kCall, Lost::kAnswer)));

TEST_P(CrashTest, ACrashLeavesGarbageNeverDamage) {
  const auto [kind, lost] = GetParam();
  const Story story;
  for (int writes = 1;; ++writes) {
    SCOPED_TRACE(writes);
    Place place(kind);
    const auto dying = std::make_shared<DyingFiles>(place.files(), writes, lost);
    const auto doomed = open_files(dying);
    std::size_t next = 0;
    while (next < story.steps().size() && story.steps()[next](*doomed).ok()) ++next;

    ASSERT_TRUE(dying->dead() || next == story.steps().size());

    const auto store = place.store();
    story.check(*store);
    // The step that failed may have taken effect: it is repeated, as are all after it.
    for (; next < story.steps().size(); ++next) {
      const auto done = story.steps()[next](*store);
      ASSERT_TRUE(done.ok()) << "step " << next << ": " << done.error().message;
    }
    story.check_complete(*store);
    if (testing::Test::HasFailure() || !dying->dead()) break;
  }
}

// ---- folders ----

TEST(FolderStore, IsMadeOnlyWhenAsked) {
  const TemporaryFolder folder;
  const std::string path = folder.file("store");
  const auto missing = open_folder(path, Create::kNo);
  EXPECT_EQ(code(missing), Code::kNotFound);
  EXPECT_NE(missing.error().message.find(path), std::string::npos);
  EXPECT_NE(missing.error().message.find("mounted"), std::string::npos);
  EXPECT_FALSE(exists(path));
  EXPECT_TRUE(open_folder(path + "/", Create::kYes).ok());
  EXPECT_TRUE(open_folder(path, Create::kNo).ok());
  EXPECT_TRUE(open_folder(path, Create::kYes).ok());
  EXPECT_EQ(as_text(read_file(path + "/holdfast-store", 100).value()), "holdfast store 1\n");
}

TEST(FolderStore, IsNotMadeWhereItsDiskMayBeMissing) {
  const TemporaryFolder folder;
  EXPECT_EQ(code(open_folder(folder.file("disk/store"), Create::kYes)), Code::kNotFound);
  EXPECT_FALSE(exists(folder.file("disk")));
}

TEST(FolderStore, IsNotMadeAmongOtherFiles) {
  const TemporaryFolder folder;
  ASSERT_TRUE(make_dirs(folder.file("lost+found")).ok());
  ASSERT_TRUE(create_file(folder.file("letter.txt"), as_bytes("x")).ok());
  EXPECT_EQ(code(open_folder(folder.path(), Create::kYes)), Code::kInvalid);
  ASSERT_EQ(::unlink(folder.file("letter.txt").c_str()), 0);
  EXPECT_TRUE(open_folder(folder.path(), Create::kYes).ok());
}

TEST(FolderStore, OfAnotherVersionAsksForAnUpdate) {
  const TemporaryFolder folder;
  ASSERT_TRUE(create_file(folder.file("holdfast-store"), as_bytes("holdfast store 2\n")).ok());
  EXPECT_EQ(code(open_folder(folder.path(), Create::kNo)), Code::kOutdated);
  EXPECT_EQ(code(open_folder(folder.path(), Create::kYes)), Code::kOutdated);
}

TEST(FolderStore, ThatVanishesSaysSoAndIsNotMadeAgain) {
  const TemporaryFolder folder;
  const std::string path = folder.file("store");
  const auto store = open_folder(path, Create::kYes).value();
  TestWriter writer;
  const api::Append genesis = writer.genesis();
  ASSERT_TRUE(store->create_account(kAccount, genesis).ok());
  writer.accept(genesis);
  const auto session = store->open_account(kAccount, {}).value();

  // What an unmounted disk leaves: the empty folder it was mounted on.
  ASSERT_EQ(::rename(path.c_str(), folder.file("elsewhere").c_str()), 0);
  ASSERT_TRUE(make_dirs(path).ok());
  const Bytes pack = {1};
  const auto put = session->put_pack(name_of(pack), pack);
  EXPECT_EQ(code(put), Code::kUnavailable);
  EXPECT_NE(put.error().message.find(path), std::string::npos);
  EXPECT_NE(put.error().message.find("mounted"), std::string::npos);
  EXPECT_EQ(code(session->append(writer.rotate())), Code::kUnavailable);
  EXPECT_EQ(code(session->read_circle(0)), Code::kUnavailable);
  EXPECT_EQ(code(session->have_packs({name_of(pack)})), Code::kUnavailable);
  EXPECT_EQ(code(store->accounts()), Code::kUnavailable);
  EXPECT_TRUE(list_dir(path).value().empty());

  ASSERT_EQ(::rmdir(path.c_str()), 0);
  ASSERT_EQ(::rename(folder.file("elsewhere").c_str(), path.c_str()), 0);
  EXPECT_TRUE(session->append(writer.rotate()).ok());
}

TEST(FolderStore, IgnoresTornTemporaryFiles) {
  const TemporaryFolder folder;
  const auto store = open_folder(folder.path(), Create::kYes).value();
  TestWriter writer;
  const api::Append genesis = writer.genesis();
  const std::string account = folder.file(account_folder(kAccount));
  ASSERT_TRUE(make_dirs(account + "/circle").ok());
  ASSERT_TRUE(create_file(account + "/circle/.tmp-1-0-00000000", as_bytes("to")).ok());
  EXPECT_TRUE(store->accounts().value().empty());
  ASSERT_TRUE(store->create_account(kAccount, genesis).ok());
  EXPECT_EQ(store->open_account(kAccount, {}).value()->read_circle(0).value().size(), 1u);
}

TEST(FolderStore, IsNotBlockedByAFileThatIsNone) {
  const TemporaryFolder folder;
  const auto files = FolderFiles::open(folder.path(), Create::kYes).value();
  ASSERT_EQ(::mkfifo(folder.file("fifo").c_str(), 0600), 0);
  EXPECT_EQ(code(files->get("fifo", 10)), Code::kCorrupt);
  EXPECT_EQ(code(files->info("fifo")), Code::kCorrupt);
}

// ---- a file system that does not keep its promises ----

// Says that it wrote.
class ForgetfulFiles final : public Files {
 public:
  Result<Bytes> get(const std::string& path, std::uint64_t limit) override {
    return files_.get(path, limit);
  }
  Result<void> create(const std::string& path, BytesView bytes) override {
    return files_.create(path, bytes.first(bytes.size() - 1));
  }
  Result<void> replace(const std::string& path, BytesView bytes) override {
    return files_.replace(path, bytes);
  }
  Result<void> remove(const std::string& path) override { return files_.remove(path); }
  Result<void> persist(const std::string& path) override { return files_.persist(path); }
  Result<FileInfo> info(const std::string& path) override { return files_.info(path); }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    return files_.list(folder);
  }
  Result<std::unique_ptr<Files::Lock>> lock() override { return files_.lock(); }
  std::string place() const override { return "a bad disk"; }

 private:
  MemoryFiles files_;
};

TEST(LocalStore, RefusesAFileSystemThatDoesNotGiveBackWhatWasWritten) {
  const auto store = open_files(std::make_shared<ForgetfulFiles>());
  TestWriter writer;
  const auto made = store->create_account(kAccount, writer.genesis());
  EXPECT_EQ(code(made), Code::kUnavailable);
  EXPECT_NE(made.error().message.find("a bad disk"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::store
