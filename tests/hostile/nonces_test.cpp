// No (key, nonce) twice, through crashes, retries, two writers and one home that runs twice.
//
// A seal draws 24 random bytes of salt from the kernel and derives the key and the first nonce of
// AES-GCM from (input key, salt, context) with HKDF-SHA512; nonces inside one seal count up. So two
// seals can share a (key, nonce) only if they share a salt. No salt comes twice: then no nonce
// does, whichever keys were used. Nothing is remembered between seals, so nothing can be rolled
// back with a home. Wraps draw a fresh encapsulation each, and from it key and nonce (RFC 9180).
#include "hostile/scene.h"
#include "sql/sqlite.h"
#include "vault/format.h"
#include "vault/home_format.h"

namespace holdfast::hostile {
namespace {

constexpr std::size_t kSalt = 24;
constexpr std::size_t kSealedKey = 104;

// Everything sealed or wrapped that left any device, and what its home keeps. The same bytes may
// come again (a retry sends what was sealed); another ciphertext with the same salt may not.
class Salts {
 public:
  void sealed(BytesView bytes) { add(bytes, kSalt); }
  void wrapped(BytesView bytes) { add(bytes, crypto::kWrapEncSize); }
  void blob(BytesView bytes) {
    if (bytes.size() == crypto::kWrappedKeySize) return wrapped(bytes);
    EXPECT_EQ(bytes.size(), kSealedKey);
    sealed(bytes);
  }
  std::size_t count() const { return by_salt_.size(); }

 private:
  void add(BytesView bytes, std::size_t salt_size) {
    ASSERT_GE(bytes.size(), salt_size);
    const auto [known, fresh] = by_salt_.emplace(to_bytes(bytes.first(salt_size)), to_bytes(bytes));
    EXPECT_TRUE(fresh || known->second == to_bytes(bytes)) << "a salt came twice";
  }
  std::map<Bytes, Bytes> by_salt_;
};

// A store that notes what is sent, and loses answers or calls when it is told to.
class Watched final : public api::Store {
 public:
  Watched(api::Store& inner, Salts& salts) : inner_(inner), salts_(salts) {}
  int fail_after = -1;  // writes; negative: never

  void note(const api::Append& append) {
    for (const Bytes& blob : append.blobs) salts_.blob(blob);
    const auto outer = must(wire::decode<circle::SignedStatement>(append.statement));
    const auto statement = must(wire::decode<circle::Statement>(outer.statement));
    if (statement.type != circle::StatementType::kSetRecovery) return;
    salts_.sealed(must(wire::decode<circle::SetRecovery>(statement.body)).recovery.capsule);
  }
  void note_pack(BytesView bytes) {
    const std::lock_guard lock(mutex_);
    salts_.sealed(bytes);
  }
  bool fails() {
    const std::lock_guard lock(mutex_);
    if (fail_after > 0) --fail_after;
    return fail_after == 0;
  }

  Result<std::vector<std::string>> accounts() override { return inner_.accounts(); }
  Result<api::Receipt> create_account(const std::string& account,
                                      const api::Append& genesis) override {
    note(genesis);
    return inner_.create_account(account, genesis);
  }
  Result<void> put_join(const std::string& account, const RequestId& request,
                        api::JoinMessage which, BytesView message) override {
    if (which == api::JoinMessage::kAnswer) {
      const auto outer = must(wire::decode<vault::Authenticated>(message));
      salts_.wrapped(must(wire::decode<vault::JoinAnswer>(outer.body)).lookup);
    }
    return inner_.put_join(account, request, which, message);
  }
  Result<Bytes> get_join(const std::string& account, const RequestId& request,
                         api::JoinMessage which) override {
    return inner_.get_join(account, request, which);
  }
  Result<Admitted> get_admission(const std::string& account, const RequestId& request) override {
    return inner_.get_admission(account, request);
  }
  Result<Capsule> find_capsule(const LocateId& locate) override {
    return inner_.find_capsule(locate);
  }
  Bytes tls_pin() const override { return inner_.tls_pin(); }
  Result<std::unique_ptr<api::Session>> open_account(const std::string& account,
                                                     const api::Caller& caller) override;

 private:
  api::Store& inner_;
  Salts& salts_;
  std::mutex mutex_;
};

// Loses an answer: the write is done, and the device does not know.
class WatchedSession final : public api::Session {
 public:
  WatchedSession(std::unique_ptr<api::Session> inner, Watched& store)
      : inner_(std::move(inner)), store_(store) {}
  Result<std::vector<Bytes>> read_circle(std::uint64_t from) override {
    return inner_->read_circle(from);
  }
  Result<api::Receipt> append(const api::Append& append) override {
    store_.note(append);
    auto receipt = inner_->append(append);
    if (store_.fails()) return gone();
    return receipt;
  }
  Result<Bytes> get_blob(const BlobId& blob) override { return inner_->get_blob(blob); }
  Result<std::vector<RequestId>> list_joins() override { return inner_->list_joins(); }
  Result<void> drop_join(const RequestId& request) override { return inner_->drop_join(request); }
  Result<std::vector<TimeMs>> received(const VaultId& vault, std::uint64_t from) override {
    return inner_->received(vault, from);
  }
  Result<std::vector<Bytes>> read_records(const VaultId& vault, std::uint64_t from) override {
    return inner_->read_records(vault, from);
  }
  Result<api::Receipt> append_record(const VaultId& vault, BytesView record) override {
    auto receipt = inner_->append_record(vault, record);
    if (store_.fails()) return gone();
    return receipt;
  }
  Result<void> put_pack(const PackId& pack, BytesView bytes) override {
    store_.note_pack(bytes);
    if (store_.fails()) return gone();
    return inner_->put_pack(pack, bytes);
  }
  Result<Bytes> get_pack(const PackId& pack) override { return inner_->get_pack(pack); }
  Result<std::vector<bool>> have_packs(const std::vector<PackId>& packs) override {
    return inner_->have_packs(packs);
  }
  Result<api::Usage> usage() override { return inner_->usage(); }
  Result<api::Usage> delete_account() override { return inner_->delete_account(); }
  Result<api::Usage> keep_account() override { return inner_->keep_account(); }
  Result<std::vector<api::Connection>> connections() override { return inner_->connections(); }
  Result<std::uint64_t> wait_for_change(std::uint64_t seen, std::int64_t patience_ms) override {
    return inner_->wait_for_change(seen, patience_ms);
  }

 private:
  static Error gone() { return {Code::kUnavailable, "the store does not answer"}; }
  const std::unique_ptr<api::Session> inner_;
  Watched& store_;
};

Result<std::unique_ptr<api::Session>> Watched::open_account(const std::string& account,
                                                            const api::Caller& caller) {
  auto session = TRY(inner_.open_account(account, caller));
  return std::unique_ptr<api::Session>(std::make_unique<WatchedSession>(std::move(session), *this));
}

class Nonces : public ::testing::Test {
 protected:
  vault::Home open_home(const std::string& name) {
    vault::Home home = must(vault::Home::open(folder_ / name));
    must_do(home.unlock({}));
    return home;
  }
  // One backup, which may be cut off.
  bool back_up(vault::Home& home, std::uint64_t seed) {
    write(folder_ / "data/a", noise(700 * 1024, seed));
    auto account = vault::Account::open(home, store_, clock_);
    if (!account.ok()) return false;
    archive::Progress progress;
    vault::Account::BackupOptions options;
    options.walk.roots = {folder_ / "data"};
    return account->backup(options, progress).ok();
  }
  // What a home has sealed for itself: its secret, the lookup key, the journal.
  void note_home(const std::string& name) {
    salts_.sealed(
        must(wire::decode<vault::DeviceFile>(as_bytes(read(folder_ / (name + "/device.cbor")))))
            .sealed);
    auto database = must(sql::Database::open(folder_ / (name + "/state.db")));
    for (const char* const query :
         {"SELECT sealed FROM journal", "SELECT value FROM settings WHERE name = 'lookup'"}) {
      auto rows = must(database.prepare(query));
      while (must(rows.step())) salts_.sealed(must(rows.column_blob(0)));
    }
  }

  testkit::TempDir folder_{testkit::Where::kMemory};
  SystemClock clock_;
  std::unique_ptr<api::Store> inner_ = store::open_memory();
  Salts salts_;
  Watched store_{*inner_, salts_};
};

TEST_F(Nonces, NoneComesTwiceThroughCrashesRetriesWritersAndACopiedHome) {
  {
    vault::Home home = new_home(folder_ / "laptop");
    auto begun = must(vault::init(home, store_, clock_, {"me", "laptop", "ZZ"}));
    vault::Home nas = new_home(folder_ / "nas");
    join(begun.account, nas, store_, clock_, "nas");
    must_do(begun.account.rotate());
    must_do(begun.account.create_vault("photos", false));
    must_do(begun.account.set_recovery(keys::RecoveryKey::random(), &begun.recovery));
  }
  // A backup that is cut off at its first write, its second, and so on, and made again.
  bool cut = true;
  for (int writes = 1; cut && writes < 40; ++writes) {
    vault::Home home = open_home("laptop");
    store_.fail_after = writes;
    cut = !back_up(home, 1);
    store_.fail_after = -1;
  }
  EXPECT_FALSE(cut);
  // Two writers with the same content, one after the other at the same state.
  vault::Home laptop = open_home("laptop");
  vault::Home nas = open_home("nas");
  EXPECT_TRUE(back_up(laptop, 2));
  EXPECT_TRUE(back_up(nas, 2));
  // One home, restored from a copy: the same device, the same past, the same content, twice. The
  // second is refused once they meet; what it sealed until then counts.
  laptop = new_home(folder_ / "unused");
  fs::copy(folder_ / "laptop", folder_ / "copy", fs::copy_options::recursive);
  fs::permissions(folder_ / "copy", fs::perms::owner_all);
  for (const std::string name : {"laptop", "copy"}) {
    vault::Home home = open_home(name);
    EXPECT_TRUE(back_up(home, 3));
    store_.fail_after = 2;
    back_up(home, 4);
    store_.fail_after = -1;
  }
  for (const std::string name : {"laptop", "nas", "copy"}) note_home(name);
  EXPECT_GT(salts_.count(), 60U);
}

// The device's secret is sealed anew with each change, under a fresh salt of Argon2id too.
TEST_F(Nonces, NoneComesTwiceWhenTheSecretIsSealedAnew) {
  vault::Home home = new_home(folder_ / "laptop");
  for (int changes = 0; changes < 3; ++changes) {
    must_do(home.change_unlock({crypto::WipedBytes(to_bytes(as_bytes("the same words")))}));
    salts_.sealed(
        must(wire::decode<vault::DeviceFile>(as_bytes(read(folder_ / "laptop/device.cbor"))))
            .sealed);
  }
  EXPECT_EQ(salts_.count(), 3U);
}

}  // namespace
}  // namespace holdfast::hostile
