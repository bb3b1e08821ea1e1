// A store that was put back from an older copy, and a device that saw more.
#include "hostile/hostile_member.h"
#include "support/journey.h"

namespace holdfast {
namespace {

class Resend : public ::testing::Test {
 protected:
  Resend() : laptop_home_(new_home(folder_ / "laptop")) {
    write(folder_ / "data/a.txt", "alpha");
    fs::create_directories(store_path());
    store_ = must(store::open_folder(store_path(), store::Create::kYes));
    vault::InitOptions options;
    options.account = "me";
    options.device_name = "laptop";
    laptop_.emplace(must(vault::init(laptop_home_, *store_, clock_, options)).account);
    backup_id(*laptop_, folder_ / "data");
  }

  std::string store_path() const { return folder_ / "store"; }
  void save() { fs::copy(store_path(), folder_ / "older", fs::copy_options::recursive); }
  // The store as it was at save().
  void put_back() {
    fs::remove_all(store_path());
    fs::copy(folder_ / "older", store_path(), fs::copy_options::recursive);
    store_ = must(store::open_folder(store_path(), store::Create::kNo));
  }
  vault::Account join(vault::Home& home, const std::string& name) {
    vault::Join joining = must(vault::Join::start(home, *store_, clock_, "me", name));
    const std::string code = joining.code();
    std::thread other([&] { must(laptop_->approve(code, 60'000)); });
    vault::Account joined = must(joining.wait());
    other.join();
    return joined;
  }
  Result<vault::Account> open(vault::Home& home) {
    return vault::Account::open(home, *store_, clock_);
  }
  void expect_older(vault::Home& home) {
    const auto opened = open(home);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, Code::kUnsafe);
    EXPECT_NE(opened.error().message.find("holdfast account resend"), std::string::npos)
        << opened.error().message;
  }

  Folder folder_;
  SystemClock clock_;
  vault::Home laptop_home_;
  std::unique_ptr<api::Store> store_;
  std::optional<vault::Account> laptop_;
};

TEST_F(Resend, NothingIsSentWhereNothingIsMissing) {
  const auto sent = must(vault::resend(laptop_home_, *store_));
  EXPECT_EQ(sent.statements, 0u);
  EXPECT_EQ(sent.records, 0u);
}

TEST_F(Resend, LostSnapshotsComeBack) {
  save();
  write(folder_ / "data/b.txt", "beta");
  const std::string second = backup_id(*laptop_, folder_ / "data");
  write(folder_ / "data/c.txt", "gamma");
  const std::string third = backup_id(*laptop_, folder_ / "data");
  put_back();
  expect_older(laptop_home_);
  const auto sent = must(vault::resend(laptop_home_, *store_));
  EXPECT_EQ(sent.statements, 0u);
  EXPECT_EQ(sent.records, 2u);
  laptop_.emplace(must(open(laptop_home_)));
  backup_id(*laptop_, folder_ / "data");  // sends the packs again
  archive::Findings findings;
  const auto snapshots = must(laptop_->snapshots("main", findings));
  ASSERT_EQ(snapshots.size(), 4u);
  EXPECT_EQ(snapshots[1].id.hex(), second);
  EXPECT_EQ(snapshots[2].id.hex(), third);
  restore_to(*laptop_, folder_ / "data", folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/c.txt"), "gamma");
}

// Also of a thief, and what undid it.
TEST_F(Resend, RecordsThatForgetDropAndUndoComeBack) {
  vault::Home nas_home = new_home(folder_ / "nas");
  join(nas_home, "nas");
  save();
  {
    hostile::HostileMember thief(nas_home, *store_, clock_);
    thief.forget_everything();
    thief.drop_everything();
  }
  must_do(laptop_->sync());
  must(laptop_->undo("main", 2));
  put_back();
  expect_older(laptop_home_);
  const auto sent = must(vault::resend(laptop_home_, *store_));
  EXPECT_EQ(sent.records, 3u);
  EXPECT_EQ(sent.drops, 1u);
  laptop_.emplace(must(open(laptop_home_)));
  EXPECT_TRUE(must(laptop_->losses()).empty());
  restore_to(*laptop_, folder_ / "data", folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/a.txt"), "alpha");
}

// Epochs, devices and snapshots of two vaults in turn: each must come in its place.
TEST_F(Resend, LostStatementsComeBackWithTheirKeys) {
  vault::Home desk_home = new_home(folder_ / "desk");
  vault::Account desk = join(desk_home, "desk");
  save();
  backup_id(desk, folder_ / "data");
  must_do(laptop_->sync());
  must_do(laptop_->rotate());
  write(folder_ / "data/b.txt", "beta");
  backup_id(*laptop_, folder_ / "data");
  must_do(laptop_->create_vault("photos", false));
  vault::Home nas_home = new_home(folder_ / "nas");
  vault::Account nas = join(nas_home, "nas");
  backup_id(nas, folder_ / "data");
  must_do(desk.sync());
  must_do(laptop_->sync());
  archive::Findings findings;
  must(laptop_->snapshots("main", findings));                 // reads the keys of the others
  restore_to(*laptop_, folder_ / "data", folder_ / "first");  // and what they listed
  must_do(laptop_->remove_devices({"nas"}));
  const Digest head = laptop_->circle().head();
  put_back();

  expect_older(laptop_home_);
  const auto sent = must(vault::resend(laptop_home_, *store_));
  EXPECT_GE(sent.statements, 4u);
  EXPECT_EQ(sent.records, 3u);
  laptop_.emplace(must(open(laptop_home_)));
  EXPECT_EQ(laptop_->circle().head(), head);
  backup_id(*laptop_, folder_ / "data");
  vault::Account again = must(open(desk_home));
  EXPECT_EQ(again.circle().head(), head);
  restore_to(again, folder_ / "data", folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/b.txt"), "beta");
  const auto all = must(again.snapshots("main", findings));
  EXPECT_EQ(all.size(), 5u);
  EXPECT_TRUE(findings.problems.empty());
  EXPECT_EQ(open(nas_home).error().code, Code::kDenied);
}

TEST_F(Resend, ALostAccountIsMadeAgain) {
  const CircleId id = laptop_->circle().id();
  fs::remove_all(store_path() + "/accounts");
  store_ = must(store::open_folder(store_path(), store::Create::kNo));
  const auto sent = must(vault::resend(laptop_home_, *store_));
  EXPECT_EQ(sent.statements, laptop_->circle().seq() + 1);
  laptop_.emplace(must(open(laptop_home_)));
  EXPECT_EQ(laptop_->circle().id(), id);
  backup_id(*laptop_, folder_ / "data");
  restore_to(*laptop_, folder_ / "data", folder_ / "out");
  EXPECT_EQ(read(folder_ / "out/a.txt"), "alpha");
}

// Two histories cannot be joined: the device that saw more sends nothing into the other.
TEST_F(Resend, AForkGetsNothing) {
  vault::Home desk_home = new_home(folder_ / "desk");
  vault::Account desk = join(desk_home, "desk");
  save();
  must_do(laptop_->set_region("DE"));
  put_back();
  desk = must(open(desk_home));
  must_do(desk.set_region("FR"));
  EXPECT_EQ(open(laptop_home_).error().code, Code::kUnsafe);
  EXPECT_EQ(vault::resend(laptop_home_, *store_).error().code, Code::kUnsafe);
  must_do(desk.sync());
  EXPECT_EQ(desk.circle().region(), "FR");
}

// The keys of a statement from before a device was admitted are with those who were there.
TEST_F(Resend, ADeviceThatCameLaterLeavesItToTheOthers) {
  save();
  must_do(laptop_->rotate());
  vault::Home desk_home = new_home(folder_ / "desk");
  join(desk_home, "desk");
  must_do(laptop_->sync());
  put_back();
  EXPECT_EQ(vault::resend(desk_home, *store_).error().code, Code::kNotFound);
  must(vault::resend(laptop_home_, *store_));
  EXPECT_TRUE(open(desk_home).ok());
}

}  // namespace
}  // namespace holdfast
