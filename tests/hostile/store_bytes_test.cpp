// A store that damages, cuts, swaps, repeats or loses any one of its objects. Whoever comes, a
// device that was here before or the recovery key on a bare machine: a file is restored with the
// content that was saved, or not at all, and then an error says why.
// (Kamara, "Cryptographic Cloud Storage"; the faults are those of docs/threat-model.md.)
#include "support/journey.h"

namespace holdfast {
namespace {

struct Original {
  Folder folder;
  SystemClock clock;
  std::optional<keys::RecoveryKey> recovery;
  std::vector<std::string> objects;  // paths below the store

  Original() {
    write(folder / "data/a", "alpha");
    write(folder / "data/b", std::string(600 * 1024, 'b'));
    fs::create_directories(folder / "store");
    auto store = must(store::open_folder(folder / "store", store::Create::kYes));
    vault::Home home = new_home(folder / "home");
    auto begun = must(vault::init(home, *store, clock, {"me", "laptop", "ZZ"}));
    backup_id(begun.account, folder / "data");
    must_do(begun.account.rotate());
    write(folder / "data/a", "alpha, edited");
    backup_id(begun.account, folder / "data");
    recovery = std::move(begun.recovery);
    for (const auto& file : fs::recursive_directory_iterator(folder / "store"))
      if (file.is_regular_file() && file.file_size() > 0)
        objects.push_back(fs::relative(file.path(), folder / "store").string());
    std::sort(objects.begin(), objects.end());
    fs::remove_all(folder / "home/cache");
  }
};

// Restores with what `account` gives; true if it all came back. Wrong content fails the test.
bool restored_right(vault::Account& account, const Original& original, const std::string& target) {
  const auto snapshot = account.find_snapshot("main", "latest");
  if (!snapshot.ok()) return false;
  archive::Progress progress;
  vault::Account::RestoreOptions options;
  options.path = original.folder / "data";
  options.target.directory = target;
  const auto report = account.restore(*snapshot, options, progress);
  bool all = report.ok() && report->findings.problems.empty();
  for (const std::string name : {"a", "b"}) {
    if (!fs::exists(target + "/" + name)) {
      EXPECT_FALSE(all) << name << " is missing and nothing said so";
      all = false;
      continue;
    }
    // Where the newest record is hidden from someone who never saw it, the one before it is newest.
    const bool older = name == "a" && snapshot->n == 1;
    EXPECT_EQ(read(target + "/" + name),
              older ? "alpha" : read(original.folder / ("data/" + name)));
    all = all && !older;
  }
  return all;
}

// What both kinds of visitor make of the store after `spoil`; how many of the two got everything.
int visit(const Original& original, const std::function<void(const std::string& store)>& spoil) {
  const Folder folder;
  int right = 0;
  for (const bool recovering : {false, true}) {
    const std::string name = recovering ? "bare" : "known";
    const std::string place = folder / (name + "-store");
    fs::copy(original.folder / "store", place, fs::copy_options::recursive);
    spoil(place);
    auto store = store::open_folder(place, store::Create::kNo);
    if (!store.ok()) continue;
    const std::string home_folder = folder / (name + "-home");
    if (!recovering) {
      fs::copy(original.folder / "home", home_folder, fs::copy_options::recursive);
      fs::permissions(home_folder, fs::perms::owner_all);
    }
    vault::Home home = recovering ? new_home(home_folder) : must(vault::Home::open(home_folder));
    if (!recovering) must_do(home.unlock({}));
    auto account =
        recovering ? vault::recover(home, **store, original.clock, *original.recovery, {"bare", {}})
                   : vault::Account::open(home, **store, original.clock);
    if (account.ok() && !recovering) {
      const auto snapshot = account->find_snapshot("main", "latest");
      EXPECT_TRUE(!snapshot.ok() || snapshot->n == 2) << "a device forgot what it saw";
    }
    if (account.ok() && restored_right(*account, original, folder / (name + "-out"))) ++right;
  }
  return right;
}

class StoreBytes : public ::testing::Test {
 protected:
  static const Original& original() {
    static const Original made;
    return made;
  }
};

TEST_F(StoreBytes, AnHonestOneGivesEverythingToBoth) {
  EXPECT_EQ(visit(original(), [](const std::string&) {}), 2);
}

TEST_F(StoreBytes, FlippedBytesNeverBecomeContent) {
  for (const std::string& object : original().objects) {
    const std::string bytes = read(original().folder / ("store/" + object));
    for (const std::size_t at : {std::size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
      SCOPED_TRACE(object + " at " + std::to_string(at));
      visit(original(), [&](const std::string& store) {
        std::string spoiled = bytes;
        spoiled[at] = static_cast<char>(spoiled[at] ^ 1);
        write(store + "/" + object, spoiled);
      });
    }
  }
}

TEST_F(StoreBytes, CutEmptiedAndLostObjectsNeverBecomeContent) {
  int right = 0;
  for (const std::string& object : original().objects) {
    const std::string bytes = read(original().folder / ("store/" + object));
    SCOPED_TRACE(object);
    for (const std::size_t keep : {bytes.size() - 1, bytes.size() / 2, std::size_t{0}})
      right += visit(original(), [&](const std::string& store) {
        write(store + "/" + object, bytes.substr(0, keep));
      });
    visit(original(), [&](const std::string& store) { fs::remove(store + "/" + object); });
  }
  EXPECT_LT(right, static_cast<int>(original().objects.size()) * 6) << "nothing was ever noticed";
}

// Each object under the name of its neighbour, and both swapped: records, statements, packs, blobs.
TEST_F(StoreBytes, SwappedAndRepeatedObjectsNeverBecomeContent) {
  const auto& objects = original().objects;
  for (std::size_t i = 0; i + 1 < objects.size(); ++i) {
    if (fs::path(objects[i]).parent_path().parent_path() !=
        fs::path(objects[i + 1]).parent_path().parent_path())
      continue;
    SCOPED_TRACE(objects[i] + " and " + objects[i + 1]);
    const std::string one = read(original().folder / ("store/" + objects[i]));
    const std::string two = read(original().folder / ("store/" + objects[i + 1]));
    visit(original(), [&](const std::string& store) { write(store + "/" + objects[i + 1], one); });
    visit(original(), [&](const std::string& store) {
      write(store + "/" + objects[i], two);
      write(store + "/" + objects[i + 1], one);
    });
  }
}

// An older copy of the whole store: the device that saw more refuses it and keeps the evidence.
TEST_F(StoreBytes, AnOlderCopyIsRefusedByWhoSawMore) {
  Folder folder;
  fs::copy(original().folder / "store", folder / "store", fs::copy_options::recursive);
  fs::copy(original().folder / "home", folder / "home", fs::copy_options::recursive);
  fs::permissions(folder / "home", fs::perms::owner_all);
  fs::copy(folder / "store", folder / "older", fs::copy_options::recursive);
  vault::Home home = must(vault::Home::open(folder / "home"));
  must_do(home.unlock({}));
  {
    auto store = must(store::open_folder(folder / "store", store::Create::kNo));
    auto account = must(vault::Account::open(home, *store, original().clock));
    backup_id(account, original().folder / "data");
  }
  auto older = must(store::open_folder(folder / "older", store::Create::kNo));
  const auto refused = vault::Account::open(home, *older, original().clock);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnsafe);
  EXPECT_NE(refused.error().message.find("evidence"), std::string::npos);
}

}  // namespace
}  // namespace holdfast
