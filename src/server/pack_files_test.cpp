#include "server/pack_files.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "crypto/hash.h"
#include "server/test_data.h"

namespace holdfast::server {
namespace {

const std::string kAccount = "mila@example";

PackId name_of(BytesView bytes) { return PackId(crypto::sha256(bytes).bytes); }

class PackFilesTest : public testing::Test {
 protected:
  void SetUp() override { start(); }
  void start() {
    packs_.reset();
    writer_.reset();
    writer_ = Writer::open(folder_.file("service.db"), PackFiles::kSchema).value();
    packs_ = PackFiles::start(folder_.path(), *writer_).value();
  }
  Result<void> put(const Bytes& bytes) {
    const auto sink = TRY(packs_->begin(kAccount, name_of(bytes), bytes.size()));
    const BytesView all(bytes);
    TRY(sink->write(all.first(bytes.size() / 2)));
    TRY(sink->write(all.subspan(bytes.size() / 2)));
    return sink->commit();
  }
  std::string file(BytesView bytes) const {
    return folder_.file(pack_path(kAccount, name_of(bytes)));
  }
  std::size_t incoming() const { return list_dir(folder_.file("incoming")).value().size(); }
  std::uint64_t used() { return packs_->of(kAccount)->bytes; }

  TemporaryFolder folder_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<PackFiles> packs_;
};

TEST_F(PackFilesTest, GivesBackWhatWasPut) {
  const Bytes pack = {1, 2, 3};
  EXPECT_EQ(code(packs_->get(kAccount, name_of(pack))), Code::kNotFound);
  ASSERT_TRUE(put(pack).ok());
  start();
  EXPECT_EQ(packs_->get(kAccount, name_of(pack)).value(), pack);
  EXPECT_EQ(packs_->open(kAccount, name_of(pack)).value().size, 3u);
  EXPECT_EQ(code(packs_->get("other", name_of(pack))), Code::kNotFound);
  EXPECT_EQ(packs_->have(kAccount, {PackId(), name_of(pack)}).value(),
            (std::vector<bool>{false, true}));
  EXPECT_EQ(packs_->list(kAccount).value(), std::vector<PackId>{name_of(pack)});
  EXPECT_EQ(packs_->totals().value().packs, 1u);
  EXPECT_EQ(used(), 3u);
}

TEST_F(PackFilesTest, WhatIsNotThePackLeavesNothing) {
  const Bytes pack = {1, 2, 3};
  const Bytes other = {1, 2, 4};
  const PackId id = name_of(pack);
  EXPECT_EQ(code(packs_->begin(kAccount, id, 0)), Code::kInvalid);
  EXPECT_EQ(code(packs_->begin(kAccount, id, api::kMaxPackBytes + 1)), Code::kInvalid);
  {
    const auto wrong = packs_->begin(kAccount, id, 3).value();
    ASSERT_TRUE(wrong->write(other).ok());
    EXPECT_EQ(code(wrong->commit()), Code::kInvalid);
    EXPECT_EQ(code(wrong->commit()), Code::kInvalid);
    const auto cut = packs_->begin(kAccount, id, 3).value();
    ASSERT_TRUE(cut->write(BytesView(pack).first(2)).ok());
    EXPECT_EQ(code(cut->commit()), Code::kInvalid);
    const auto longer = packs_->begin(kAccount, id, 3).value();
    ASSERT_TRUE(longer->write(pack).ok());
    EXPECT_EQ(code(longer->write(Bytes{4})), Code::kInvalid);
    EXPECT_EQ(code(longer->commit()), Code::kInvalid);
    const auto left = packs_->begin(kAccount, id, 3).value();
    ASSERT_TRUE(left->write(pack).ok());
  }
  EXPECT_EQ(incoming(), 0u);
  EXPECT_EQ(code(packs_->get(kAccount, id)), Code::kNotFound);
  EXPECT_EQ(used(), 0u);
  EXPECT_TRUE(put(pack).ok());
}

TEST_F(PackFilesTest, APackMayComeAgainAndCountsOnce) {
  const Bytes pack = {1, 2, 3};
  ASSERT_TRUE(put(pack).ok());
  struct stat before{};
  ASSERT_EQ(::stat(file(pack).c_str(), &before), 0);
  ASSERT_TRUE(put(pack).ok());
  struct stat after{};
  ASSERT_EQ(::stat(file(pack).c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino) << "not written again";
  EXPECT_EQ(used(), 3u);
  const auto wrong = packs_->begin(kAccount, name_of(pack), 3).value();
  ASSERT_TRUE(wrong->write(Bytes{9, 9, 9}).ok());
  EXPECT_EQ(code(wrong->commit()), Code::kInvalid) << "compared all the same";
}

TEST_F(PackFilesTest, ALostOrShortFileIsHealed) {
  const Bytes pack = {1, 2, 3};
  const PackId id = name_of(pack);
  ASSERT_TRUE(put(pack).ok());
  ASSERT_TRUE(replace_file(file(pack), Bytes{1}).ok());
  EXPECT_EQ(code(packs_->open(kAccount, id)), Code::kCorrupt);
  EXPECT_EQ(packs_->have(kAccount, {id}).value(), std::vector<bool>{false});
  ASSERT_TRUE(put(pack).ok());
  EXPECT_EQ(packs_->get(kAccount, id).value(), pack);

  ASSERT_EQ(::unlink(file(pack).c_str()), 0);
  EXPECT_EQ(code(packs_->open(kAccount, id)), Code::kNotFound);
  EXPECT_EQ(packs_->have(kAccount, {id}).value(), std::vector<bool>{false});
  ASSERT_TRUE(put(pack).ok());
  EXPECT_EQ(packs_->get(kAccount, id).value(), pack);

  ASSERT_TRUE(replace_file(file(pack), Bytes{1, 2, 4}).ok());
  ASSERT_TRUE(packs_->rewrite(kAccount, id, pack).ok());
  EXPECT_EQ(packs_->get(kAccount, id).value(), pack);
  EXPECT_EQ(code(packs_->rewrite(kAccount, id, Bytes{1})), Code::kInvalid);
  EXPECT_EQ(used(), 3u);
}

TEST_F(PackFilesTest, TheSamePackAtOnceIsOnePack) {
  const Bytes pack(100'000, 5);
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 16; ++t)
      threads.emplace_back([&] {
        if (put(pack).ok()) ++good;
      });
  }
  EXPECT_EQ(good, 16);
  EXPECT_EQ(used(), pack.size());
  EXPECT_EQ(packs_->totals().value().packs, 1u);
  EXPECT_EQ(incoming(), 0u);
}

TEST_F(PackFilesTest, PuttingAndRemovingAtOnceLeavesAllOrNothing) {
  const Bytes pack(1000, 6);
  {
    const std::jthread a([&] {
      for (int i = 0; i < 40; ++i) static_cast<void>(put(pack));
    });
    const std::jthread b([&] {
      for (int i = 0; i < 40; ++i) EXPECT_TRUE(packs_->remove(kAccount, name_of(pack)).ok());
    });
  }
  const bool there = packs_->have(kAccount, {name_of(pack)}).value()[0];
  EXPECT_EQ(exists(file(pack)), there);
  EXPECT_EQ(used(), there ? pack.size() : 0u);
}

TEST_F(PackFilesTest, RemovesWhatWasLeftHalfWay) {
  ASSERT_TRUE(create_file(folder_.file("incoming/7"), Bytes{1}).ok());
  start();
  EXPECT_EQ(incoming(), 0u);
}

TEST_F(PackFilesTest, RemovesAnAccount) {
  for (std::uint8_t i = 0; i < 30; ++i) ASSERT_TRUE(put(Bytes(10, i)).ok());
  ASSERT_TRUE(packs_->remove_account(kAccount).ok());
  ASSERT_TRUE(packs_->remove_account(kAccount).ok());
  EXPECT_EQ(used(), 0u);
  EXPECT_TRUE(packs_->list(kAccount).value().empty());
  EXPECT_TRUE(list_dir(folder_.file("packs")).value().empty());
  EXPECT_TRUE(put(Bytes{1}).ok());
}

TEST_F(PackFilesTest, AFullDiskRefusesThePackAndIsOverWhenThereIsSpace) {
  const Bytes large(4'000'000, 1);
  const auto before = ::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  rlimit small = old;
  small.rlim_cur = 1'000'000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto refused = put(large);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  ::signal(SIGXFSZ, before);
  EXPECT_EQ(code(refused), Code::kUnavailable);
  EXPECT_EQ(incoming(), 0u);
  EXPECT_TRUE(put(large).ok());
}

}  // namespace
}  // namespace holdfast::server
