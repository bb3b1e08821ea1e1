#include "vault/home.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "wire/fields.h"

namespace holdfast::vault {
namespace {

namespace fs = std::filesystem;

Unlock passphrase(std::string_view text) { return {crypto::WipedBytes(to_bytes(as_bytes(text)))}; }

const Unlock kUnattended;

VaultId vault_id(std::uint8_t n) {
  VaultId id;
  id.bytes.fill(n);
  return id;
}

PackId pack_id(std::uint8_t n) {
  PackId id;
  id.bytes.fill(n);
  return id;
}

Bytes bytes_of(std::string_view text) { return to_bytes(as_bytes(text)); }

unsigned mode_of(const std::string& path) {
  struct stat st{};
  return ::stat(path.c_str(), &st) == 0 ? st.st_mode & 0777u : 0u;
}

class HomeFolder : public testing::Test {
 protected:
  HomeFolder() {
    base_ = testing::TempDir() + "home-XXXXXX";
    HF_CHECK(::mkdtemp(base_.data()) != nullptr);
  }
  ~HomeFolder() override { fs::remove_all(base_); }

  std::string folder() const { return base_ + "/home"; }
  std::string key_file() const { return folder() + "/unattended.key"; }
  std::string device_file() const { return folder() + "/device.cbor"; }
  Home open() const { return std::move(Home::open(folder())).value(); }
  Home unlocked() const {
    Home home = open();
    HF_CHECK(home.unlock(kUnattended).ok());
    return home;
  }
  // An unattended device.
  Home created() const {
    Home home = open();
    HF_CHECK(home.create_device(kUnattended).ok());
    return home;
  }

 private:
  std::string base_;
};

// The same device secret: what one sealed, the other opens.
void mark(Home& home) { ASSERT_TRUE(home.add_journal(vault_id(9), pack_id(9), Bytes{1}).ok()); }
bool marked(const Home& home) { return home.journal(vault_id(9)).value().size() == 1; }

TEST_F(HomeFolder, IsPrivateAndBelongsToOneProgramAtATime) {
  {
    const Home home = open();
    EXPECT_FALSE(home.has_device());
    EXPECT_FALSE(home.is_member());
    EXPECT_FALSE(home.unattended());
    EXPECT_EQ(mode_of(folder()), 0700u);
    EXPECT_EQ(mode_of(folder() + "/state.db"), 0600u);
    EXPECT_TRUE(fs::is_directory(home.cache_folder()));
    const auto second = Home::open(folder());
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::kUnavailable);
    EXPECT_NE(second.error().message.find("another holdfast is using"), std::string::npos);
  }
  EXPECT_TRUE(Home::open(folder()).ok());
}

TEST_F(HomeFolder, RefusesAFolderThatOthersMayEnter) {
  fs::create_directory(folder());
  fs::permissions(folder(), fs::perms(0755));
  const auto home = Home::open(folder());
  ASSERT_FALSE(home.ok());
  EXPECT_EQ(home.error().code, Code::kDenied);
  EXPECT_NE(home.error().message.find("chmod 700"), std::string::npos);
}

TEST_F(HomeFolder, OpensByItsPassphraseOnly) {
  {
    Home home = open();
    EXPECT_EQ(home.unlock(passphrase("x")).error().code, Code::kNotFound);
    EXPECT_EQ(home.create_device(passphrase("")).error().code, Code::kInvalid);
    ASSERT_TRUE(home.create_device(passphrase("correct horse")).ok());
    mark(home);
    EXPECT_FALSE(exists(key_file()));
    EXPECT_EQ(mode_of(device_file()), 0600u);
  }
  Home home = open();
  EXPECT_TRUE(home.has_device());
  EXPECT_FALSE(home.unattended());
  const auto wrong = home.unlock(passphrase("correct horsf"));
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code, Code::kDenied);
  EXPECT_EQ(wrong.error().message, "the passphrase is wrong");
  EXPECT_EQ(home.unlock(kUnattended).error().code, Code::kDenied);
  ASSERT_TRUE(home.unlock(passphrase("correct horse")).ok());
  EXPECT_TRUE(marked(home));
}

TEST_F(HomeFolder, OpensByItsKeyFileOnly) {
  {
    Home home = created();
    mark(home);
    EXPECT_TRUE(home.unattended());
    EXPECT_EQ(mode_of(key_file()), 0600u);
    EXPECT_EQ(fs::file_size(key_file()), 32u);
  }
  Home home = open();
  EXPECT_EQ(home.unlock(passphrase("x")).error().code, Code::kInvalid);
  ASSERT_TRUE(home.unlock(kUnattended).ok());
  EXPECT_TRUE(marked(home));
}

TEST_F(HomeFolder, RefusesAKeyFileThatOthersMayRead) {
  {
    created();
  }
  for (const unsigned mode : {0640u, 0604u, 0660u}) {
    fs::permissions(key_file(), fs::perms(mode));
    const auto refused = open().unlock(kUnattended);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::kDenied);
    EXPECT_NE(refused.error().message.find("chmod 600"), std::string::npos);
  }
  fs::permissions(key_file(), fs::perms(0600));
  EXPECT_TRUE(open().unlock(kUnattended).ok());
}

TEST_F(HomeFolder, SaysWhatALostKeyFileMeans) {
  {
    created();
  }
  fs::remove(key_file());
  const auto lost = open().unlock(kUnattended);
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().code, Code::kNotFound);
  EXPECT_NE(lost.error().message.find("as a new device"), std::string::npos);
}

TEST_F(HomeFolder, RefusesAnotherOrDamagedKeyFile) {
  {
    created();
  }
  ASSERT_TRUE(replace_file(key_file(), Bytes(32, 7)).ok());
  EXPECT_EQ(open().unlock(kUnattended).error().code, Code::kCorrupt);
  ASSERT_TRUE(replace_file(key_file(), Bytes(31, 7)).ok());
  EXPECT_EQ(open().unlock(kUnattended).error().code, Code::kCorrupt);
}

TEST_F(HomeFolder, RefusesADamagedOrNewerDeviceFile) {
  {
    created();
  }
  const Bytes good = read_file(device_file(), 4096).value();
  ASSERT_TRUE(replace_file(device_file(), BytesView(good).first(good.size() - 1)).ok());
  EXPECT_EQ(Home::open(folder()).error().code, Code::kCorrupt);
  ASSERT_TRUE(
      replace_file(device_file(), wire::encode_array("holdfast/v2/device", Bytes{}, Bytes{})).ok());
  EXPECT_EQ(Home::open(folder()).error().code, Code::kOutdated);
}

TEST_F(HomeFolder, ChangesHowItIsOpenedAndKeepsItsSecret) {
  {
    Home home = created();
    mark(home);
    ASSERT_TRUE(home.change_unlock(passphrase("one")).ok());
    EXPECT_FALSE(exists(key_file()));
    EXPECT_FALSE(home.unattended());
  }
  {
    Home home = open();
    ASSERT_TRUE(home.unlock(passphrase("one")).ok());
    EXPECT_TRUE(marked(home));
    ASSERT_TRUE(home.change_unlock(kUnattended).ok());
    ASSERT_TRUE(home.change_unlock(kUnattended).ok());
  }
  EXPECT_TRUE(marked(unlocked()));
}

TEST_F(HomeFolder, SurvivesAChangeThatWasCutOff) {
  {
    Home home = open();
    ASSERT_TRUE(home.create_device(passphrase("one")).ok());
    mark(home);
  }
  // To the key file: it was written, device.cbor was not. From it: device.cbor was, it remained.
  ASSERT_TRUE(create_file(key_file(), Bytes(32, 7)).ok());
  Home home = open();
  ASSERT_TRUE(home.unlock(passphrase("one")).ok());
  EXPECT_TRUE(marked(home));
  EXPECT_FALSE(exists(key_file()));
  ASSERT_TRUE(create_file(key_file(), Bytes(32, 7)).ok());
  EXPECT_TRUE(home.change_unlock(kUnattended).ok());
}

TEST_F(HomeFolder, StartsOverUntilItIsAMember) {
  Home home = created();
  mark(home);
  ASSERT_TRUE(home.set_setting("account", "ann").ok());
  ASSERT_TRUE(home.add_statements(0, {bytes_of("a")}).ok());
  ASSERT_TRUE(home.create_device(kUnattended).ok());
  EXPECT_EQ(home.setting("account"), "");
  EXPECT_TRUE(home.statements().value().empty());
  EXPECT_FALSE(marked(home));
  ASSERT_TRUE(home.set_setting("member", "yes").ok());
  EXPECT_TRUE(home.is_member());
  EXPECT_EQ(home.create_device(kUnattended).error().code, Code::kConflict);
}

TEST_F(HomeFolder, KeepsSettings) {
  {
    Home home = open();
    EXPECT_EQ(home.setting("server"), "");
    ASSERT_TRUE(home.set_setting("server", "dir:/a").ok());
    ASSERT_TRUE(home.set_setting("server", "dir:/it's").ok());
    EXPECT_EQ(home.setting("server"), "dir:/it's");
  }
  EXPECT_EQ(open().setting("server"), "dir:/it's");
}

TEST_F(HomeFolder, KeepsTheLookupKeySealed) {
  const Bytes secret(32, 0x5a);
  {
    Home home = created();
    EXPECT_EQ(home.lookup().error().code, Code::kNotFound);
    ASSERT_TRUE(home.save_lookup(keys::LookupKey::from_bytes(secret)).ok());
  }
  Home home = unlocked();
  const keys::LookupKey lookup = std::move(home.lookup()).value();
  EXPECT_EQ(to_bytes(crypto::expose(lookup)), secret);
  const Bytes database = read_file(folder() + "/state.db", 1 << 24).value();
  EXPECT_EQ(as_text(database).find(as_text(secret)), std::string_view::npos);
}

TEST_F(HomeFolder, AppendsPinsAndNeverRewritesThem) {
  {
    Home home = open();
    ASSERT_TRUE(home.add_statements(0, {bytes_of("a"), bytes_of("b")}).ok());
    ASSERT_TRUE(home.add_statements(1, {bytes_of("b"), bytes_of("c")}).ok());
    EXPECT_EQ(home.add_statements(1, {bytes_of("x")}).error().code, Code::kUnsafe);
    // All or nothing.
    EXPECT_EQ(home.add_statements(2, {bytes_of("x"), bytes_of("d")}).error().code, Code::kUnsafe);
    EXPECT_EQ(home.add_statements(4, {bytes_of("e")}).error().code, Code::kInvalid);
    EXPECT_EQ(home.add_statements(UINT64_MAX, {bytes_of("e")}).error().code, Code::kInvalid);
    ASSERT_TRUE(home.add_records(vault_id(1), 1, {bytes_of("r1"), bytes_of("r2")}).ok());
    ASSERT_TRUE(home.add_records(vault_id(2), 1, {bytes_of("s1")}).ok());
    EXPECT_EQ(home.add_records(vault_id(1), 2, {bytes_of("x")}).error().code, Code::kUnsafe);
    EXPECT_EQ(home.add_records(vault_id(1), 0, {bytes_of("x")}).error().code, Code::kInvalid);
  }
  const Home home = open();
  EXPECT_EQ(home.statements().value(),
            (std::vector<Bytes>{bytes_of("a"), bytes_of("b"), bytes_of("c")}));
  EXPECT_EQ(home.records(vault_id(1)).value(),
            (std::vector<Bytes>{bytes_of("r1"), bytes_of("r2")}));
  EXPECT_EQ(home.records(vault_id(2)).value(), (std::vector<Bytes>{bytes_of("s1")}));
  EXPECT_TRUE(home.records(vault_id(3)).value().empty());
}

TEST_F(HomeFolder, RemembersTriesOfARequest) {
  RequestId other;
  other.bytes.fill(1);
  {
    Home home = open();
    EXPECT_EQ(home.count_try(RequestId{}).value(), 1u);
    EXPECT_EQ(home.count_try(RequestId{}).value(), 2u);
    EXPECT_EQ(home.count_try(other).value(), 1u);
  }
  EXPECT_EQ(open().count_try(RequestId{}).value(), 3u);
}

TEST_F(HomeFolder, KeepsTheJournalSealedUntilItIsCleared) {
  const std::string plain = "the name of a file that nobody may read";
  {
    Home home = created();
    ASSERT_TRUE(home.add_journal(vault_id(1), pack_id(1), as_bytes("old")).ok());
    ASSERT_TRUE(home.add_journal(vault_id(1), pack_id(1), as_bytes(plain)).ok());
    ASSERT_TRUE(home.add_journal(vault_id(1), pack_id(2), as_bytes("two")).ok());
    ASSERT_TRUE(home.add_journal(vault_id(2), pack_id(1), as_bytes("three")).ok());
  }
  const Bytes database = read_file(folder() + "/state.db", 1 << 24).value();
  EXPECT_EQ(as_text(database).find(plain), std::string_view::npos);
  Home home = unlocked();
  const auto entries = home.journal(vault_id(1)).value();
  std::vector<PackId> ids;
  for (const auto& entry : entries) ids.push_back(entry.pack);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].pack, pack_id(1));
  EXPECT_EQ(as_text(entries[0].plain.view()), plain);
  ASSERT_TRUE(home.clear_journal(vault_id(1), ids).ok());
  EXPECT_TRUE(home.journal(vault_id(1)).value().empty());
  EXPECT_EQ(home.journal(vault_id(2)).value().size(), 1u);
}

TEST_F(HomeFolder, DropsJournalEntriesOfAnotherDevice) {
  {
    Home home = created();
    mark(home);
  }
  fs::copy_file(folder() + "/state.db", folder() + "/../kept.db");
  {
    Home home = created();
  }
  fs::copy_file(folder() + "/../kept.db", folder() + "/state.db",
                fs::copy_options::overwrite_existing);
  EXPECT_TRUE(unlocked().journal(vault_id(9)).value().empty());
}

TEST_F(HomeFolder, SaysThatItsStateIsDamaged) {
  {
    open();
  }
  ASSERT_TRUE(replace_file(folder() + "/state.db", as_bytes(std::string(5000, 'x'))).ok());
  const auto home = Home::open(folder());
  ASSERT_FALSE(home.ok());
  EXPECT_EQ(home.error().code, Code::kCorrupt);
}

TEST_F(HomeFolder, SavesEvidenceUnderNamesOfItsOwn) {
  Home home = open();
  const std::vector<Bytes> items = {bytes_of("a"), bytes_of("b")};
  const std::string first = home.save_evidence("fork", items).value();
  const std::string second = home.save_evidence("fork", {}).value();
  const std::string third = home.save_evidence("../up", {}).value();
  EXPECT_NE(first, second);
  EXPECT_EQ(fs::path(third).parent_path(), fs::path(folder() + "/evidence"));
  EXPECT_EQ(mode_of(first), 0600u);
  EXPECT_EQ(wire::decode<std::vector<Bytes>>(read_file(first, 4096).value()).value(), items);
}

}  // namespace
}  // namespace holdfast::vault
