// A log with two histories: devices compare what they saw.
#include "crypto/hash.h"
#include "log_scene.h"
#include "vault/account_state.h"

namespace holdfast {
namespace {

// Another log in place of the service's own.
void show_log(Lies& lies, server::PublicLog& other) {
  lies.log = [&](Lies::Honest&, std::uint64_t from, Result<api::LogView>& view) {
    view = other.view("me", from);
  };
  lies.log_file = [&](const std::string& path, Result<Bytes>& bytes) {
    const auto file = other.open_file(path);
    bytes = file.ok() ? read_fd(file->file.get(), file->size) : Result<Bytes>(file.error());
  };
}

// A log with two histories from one moment on, each with a witness who was fooled: one is shown to
// "desk", who makes a snapshot, the other to the laptop.
class TwoHistories : public PublicLog {
 protected:
  TwoHistories() : desk_home_(new_home(folder_ / "desk")) {
    join(*account_, desk_home_, *store_, clock_, "desk");
    step();
    must_do(account_->sync());
    logged_.reset();
    witness_.reset();
    for (const char* name : {"service", "witness"})
      fs::copy(folder_ / name, folder_ / (std::string(name) + "-2"), fs::copy_options::recursive);
    // Here is what the laptop sees.
    twin_ = std::make_unique<LoggedService>(folder_ / "service-2", roots_, "0", time_);
    twin_witness_ = must(witness::Witness::open(
        {folder_ / "witness-2", "w1", {twin_->service->log()->trusted().log()}}, time_));
    begin("0");
    watch();
    add(*logged_, 1);
    step();
    vault::Account desk = must(vault::Account::open(desk_home_, *store_, clock_));
    backup_id(desk, folder_ / "data");
    step();
    show_log(lies_, *twin_->service->log());
  }
  static void add(LoggedService& service, std::uint8_t number) {
    must_do(service.service->log()->append_leaf(
        tlog::DeletionReceipt{{}, crypto::sha256(Bytes{number})}));
  }
  void grow_twin(std::uint8_t entries) {
    for (std::uint8_t i = 0; i < entries; ++i) {
      add(*twin_, static_cast<std::uint8_t>(100 + i));
      std::swap(logged_, twin_);
      std::swap(witness_, twin_witness_);
      step();
      std::swap(logged_, twin_);
      std::swap(witness_, twin_witness_);
    }
    show_log(lies_, *twin_->service->log());
  }
  void expect_seen(std::string_view proven) {
    auto laptop = must(open(lies_));
    expect_stands(laptop, "than it showed \"desk\"");
    archive::Findings findings;
    EXPECT_EQ(must(laptop.snapshots("main", findings)).size(), 2u);
    const auto judged = judge_evidence();
    if (proven.empty()) return;
    ASSERT_TRUE(judged.ok()) << judged.error().message;
    EXPECT_NE(judged->find(proven), std::string::npos) << *judged;
  }

  vault::Home desk_home_;
  std::unique_ptr<LoggedService> twin_;
  std::unique_ptr<witness::Witness> twin_witness_;
  Lies lies_;
};

TEST_F(TwoHistories, OfOneSizeAreSeenByDevicesThatShareASnapshot) {
  grow_twin(1);
  expect_seen("two trees of");
}

TEST_F(TwoHistories, AreSeenWhereOneIsLonger) {
  grow_twin(3);
  expect_seen("begins with others");
}

TEST_F(TwoHistories, AreSeenWhereOneHasStopped) { expect_seen(""); }

// The hashes that would show it are withheld: nothing is proven, and nothing is sent.
TEST_F(TwoHistories, WithoutTheHashesNothingIsSentAndReadingGoesOn) {
  grow_twin(3);
  lies_.log_file = [](const std::string&, Result<Bytes>& bytes) {
    bytes = Error{Code::kUnavailable, "the service is busy"};
  };
  auto laptop = must(open(lies_));
  EXPECT_FALSE(laptop.contradiction());
  EXPECT_NE(laptop.log_withheld().find("what another device saw"), std::string::npos);
  archive::Findings findings;
  EXPECT_EQ(must(laptop.snapshots("main", findings)).size(), 2u);
  EXPECT_EQ(laptop.rotate().error().code, Code::kUnavailable);
}

TEST_F(TwoHistories, OneHistoryIsNone) {
  lies_ = {};
  EXPECT_FALSE(must(open(lies_)).contradiction());
}

TEST_F(TwoHistories, AreNotComparedAgainOnceThePersonHasJudged) {
  grow_twin(1);
  auto laptop = must(open(lies_));
  must_do(laptop.accept_contradiction("two machines, says the operator"));
  must_do(laptop.sync());
  EXPECT_FALSE(laptop.contradiction());
}

TEST_F(TwoHistories, ASyncReadsNoIndexAndOnceOnly) {
  lies_ = {};
  std::vector<PackId> packs;
  int keys = 0;
  lies_.pack = [&](Lies::Honest&, const PackId& pack, Bytes&) { packs.push_back(pack); };
  lies_.blob = [&](Lies::Honest&, const BlobId&, Bytes&) { ++keys; };
  fs::remove_all(folder_ / "laptop/cache");
  fs::create_directory(folder_ / "laptop/cache");
  auto laptop = must(open(lies_));
  const VaultId vault = laptop.circle().vaults().at(0).id;
  const auto session = must(store_->open_account("me", vault::caller(home_.device_key())));
  const auto outer =
      must(wire::decode<circle::SignedRecord>(must(session->read_records(vault, 2)).at(0)));
  const auto record = must(wire::decode<circle::Record>(outer.record));
  std::vector<PackId> wanted;
  for (const auto& segment : record.key_segments) wanted.push_back(segment.object);
  wanted.push_back(*record.snapshot);
  EXPECT_EQ(packs, wanted);
  packs.clear();
  keys = 0;
  must_do(laptop.sync());
  must(open(lies_));
  EXPECT_TRUE(packs.empty());
  EXPECT_EQ(keys, 0);
}

}  // namespace
}  // namespace holdfast
