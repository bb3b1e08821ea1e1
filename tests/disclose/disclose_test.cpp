// A demand is carried out: ordered by two operators, released through a real token and the public
// log, gathered by the service, opened apart, sealed to its requester. And what is refused.
#include <nlohmann/json.hpp>

#include "archive/format.h"
#include "circle/custody.h"
#include "crypto/hash.h"
#include "custody/custodian.h"
#include "holdfast-disclose/manifest.h"
#include "holdfast-disclose/opening.h"
#include "journeys/log_scene.h"
#include "support/circle_maker.h"
#include "support/test_token.h"

namespace holdfast {
namespace {

using testkit::make_signer;
using testkit::Signer;
using Manifest = nlohmann::ordered_json;

constexpr TimeMs kForEver = TimeMs{1} << 52;

// First in its line of bases: the scene's constructor uses it.
struct Discloser {
  custody::TestToken token;
  Signer one = make_signer("operator one");
  Signer two = make_signer("operator two");
  std::unique_ptr<custody::Custodian> custodian;

  api::Custodian* make(const tlog::LogRoots& log, std::shared_ptr<const Clock> clock) {
    custodian = must(custody::Custodian::open(
        {token.folder() + "/data", token.place(), log, keys(), 0}, std::move(clock)));
    return custodian.get();
  }
  circle::OperatorKeys keys() const {
    return {one.key->verify_key().bytes, two.key->verify_key().bytes};
  }
};

class Disclose : private Discloser, public PublicLog {
 protected:
  Disclose()
      : PublicLog([this](const tlog::LogRoots& log, std::shared_ptr<const Clock> clock) {
          return make(log, std::move(clock));
        }) {
    add_operator("one", one, one);
    add_operator("two", two, one);
    must(disclose::make_own_key(folder_ / "machine"));
    must(disclose::make_own_key(folder_ / "requester"));
  }

  server::Service& service() { return *logged_->service; }
  server::Trail trail() {
    return must(server::Trail::verify(must(service().operators().entries())));
  }
  void add_operator(const std::string& name, const Signer& who, const Signer& by) {
    must_do(service().operators().append(
        must(trail().sign_add(name, who.key->verify_key(), *by.key, clock_.now()))));
  }
  VaultId vault_of(const std::string& name) const {
    return account_->circle().vault_named(name)->id;
  }
  lawful::DisclosureKey key_at(const std::string& file) {
    return must(disclose::read_own_key(folder_ / file)).shown;
  }
  lawful::DisclosureOrder order_of(const std::string& vault, TimeMs from, TimeMs until) {
    lawful::DisclosureOrder order;
    order.instrument = crypto::sha256(as_bytes("the warrant"));
    order.circle = account_->circle().id();
    for (const auto& key : must(lawful::keys_now(account_->circle(), {vault_of(vault)})))
      order.keys.push_back(key);
    order.discloser = key_at("machine");
    order.requester = key_at("requester");
    order.from_ms = from;
    order.until_ms = until;
    order.made_ms = clock_.now();
    return order;
  }
  Bytes signed_by(const lawful::DisclosureOrder& order,
                  const std::vector<const Signer*>& signers) const {
    lawful::SignedOrder out;
    out.order = wire::encode(order);
    for (const Signer* signer : signers)
      out.signatures.push_back(lawful::sign_order(out.order, *signer->key));
    return wire::encode(out);
  }
  Bytes signed_by_both(const lawful::DisclosureOrder& order) const {
    return signed_by(order, {&one, &two});
  }
  void backup(const std::string& name, const std::string& text, const std::string& vault = "main") {
    write(folder_ / ("data/" + name), text);
    archive::Progress progress;
    vault::Account::BackupOptions options;
    options.vault = vault;
    options.walk.roots = {folder_ / "data"};
    must(account_->backup(options, progress));
    if (vault != "main") fs::remove(folder_ / ("data/" + name));
  }
  // As the operator's programs do, until the case is whole.
  void gather(const Bytes& order) {
    for (int i = 0; i < 6; ++i) {
      pass(6 * 60 * 60);
      step();
      service().step_releases();
      step();
      const auto turn = must(service().disclose("me", order, folder_ / "case"));
      if (turn.whole) return;
      EXPECT_FALSE(turn.waits_for.empty());
    }
    FAIL() << "the case did not become whole";
  }
  Result<disclose::OpenReport> open_in(const std::string& folder) {
    return disclose::open_case(
        {folder, folder_ / "machine", folder_ / "bundle", keys(), clock_.now()});
  }
  Result<disclose::Unsealed> unseal() {
    return disclose::unseal(folder_ / "bundle", must(disclose::read_own_key(folder_ / "requester")),
                            folder_ / "files.tar");
  }
  // What any system does with it.
  void unpack() {
    fs::create_directories(folder_ / "unpacked");
    const std::string command = "cd '" + (folder_ / "unpacked") +
                                "' && tar -xf ../files.tar && sha256sum --quiet -c SHA256SUMS";
    EXPECT_EQ(std::system(command.c_str()), 0);
  }
  std::map<std::string, std::string> unpacked() {
    std::map<std::string, std::string> out;
    for (const auto& file : fs::recursive_directory_iterator(folder_ / "unpacked"))
      if (file.is_regular_file()) out[file.path().filename()] = read(file.path());
    return out;
  }

  // A case whose copy is changed.
  std::string changed(const std::function<void(const std::string& folder, lawful::Case&)>& change) {
    const std::string folder = folder_ / ("changed" + std::to_string(++copies_));
    fs::copy(folder_ / "case", folder, fs::copy_options::recursive);
    auto parts = must(wire::decode<lawful::Case>(as_bytes(read(folder + "/case"))));
    change(folder, parts);
    write(folder + "/case", std::string(as_text(wire::encode(parts))));
    return folder;
  }
  void expect_refused(const std::string& folder, Code code, const std::string& words) {
    const auto done = open_in(folder);
    ASSERT_FALSE(done.ok()) << words;
    EXPECT_EQ(done.error().code, code) << done.error().message;
    EXPECT_NE(done.error().message.find(words), std::string::npos) << done.error().message;
    EXPECT_FALSE(fs::exists(folder_ / "bundle"));
  }

  int copies_ = 0;
  using Discloser::custodian;
  using Discloser::keys;
  using Discloser::one;
  using Discloser::two;
};

TEST_F(Disclose, OpensWhatIsOrderedAndNothingElse) {
  must_do(account_->create_vault("photos", false));
  must_do(account_->create_vault("diary", true));
  vault::Home other = new_home(folder_ / "other");
  auto begun =
      must(vault::init(other, *store_, clock_, {"other", "other", "ZZ", circle::Level::kStandard}));
  write(folder_ / "others/x", "words of another account");
  backup_id(begun.account, folder_ / "others");
  backup("gone", "words before the time");
  fs::remove(folder_ / "data/gone");
  pass(60);
  const TimeMs from = clock_.now();
  backup("wanted", "words that are ordered");
  backup("p", "words of another vault", "photos");
  backup("d", "words of a vault without a key", "diary");
  pass(60);
  const TimeMs until = clock_.now();
  backup("late", "words after the time");

  gather(signed_by_both(order_of("main", from, until)));
  const auto report = must(open_in(folder_ / "case"));
  EXPECT_EQ(report.snapshots, 1u);
  EXPECT_EQ(report.withheld, 3u);
  const auto got = must(unseal());
  ASSERT_EQ(got.signed_by.size(), 2u);
  unpack();
  auto files = unpacked();
  files.erase("SHA256SUMS");
  EXPECT_EQ(files, (std::map<std::string, std::string>{{"a", "alpha"},
                                                       {"wanted", "words that are ordered"}}));
  const std::string tar = read(folder_ / "files.tar");
  EXPECT_NE(tar.find("words that are ordered"), std::string::npos);
  for (const char* const words : {"words before", "words after", "words of"})
    EXPECT_EQ(tar.find(words), std::string::npos) << words;

  const auto manifest = Manifest::parse(std::string(as_text(got.end.manifest)));
  EXPECT_EQ(manifest["vaults"].size(), 1u);
  EXPECT_EQ(manifest["vaults"][0]["name"], "main");
  EXPECT_EQ(manifest["vaults"][0]["withheld"].size(), 3u);
  EXPECT_EQ(manifest["vaults_withheld"].size(), 2u);
  EXPECT_EQ(manifest["files"].size(), 2u);
  EXPECT_EQ(manifest["tar"]["sha256"], crypto::sha256(as_bytes(tar)).hex());
  EXPECT_GE(manifest["packs_opened"].size(), 3u);
  EXPECT_EQ(manifest["chain_of_custody"].size(), 4u);
  // The person is told, by the opening of the batch, and begins a new epoch.
  const std::uint32_t before = account_->circle().epoch();
  for (int i = 0; i < 3; ++i) {
    pass(30);
    step();
    service().step_releases();
    step();
    must_do(account_->sync());
  }
  ASSERT_EQ(account_->log_status()->released.size(), 1u);
  EXPECT_EQ(account_->log_status()->released[0].what.instrument,
            crypto::sha256(as_bytes("the warrant")));
  EXPECT_GT(account_->circle().epoch(), before);
}

TEST_F(Disclose, RefusesACaseThatIsNotWhatItClaims) {
  backup("wanted", "words that are ordered");
  gather(signed_by_both(order_of("main", 0, kForEver)));

  expect_refused(changed([&](auto&, lawful::Case& parts) {
                   auto outer = must(wire::decode<lawful::SignedOrder>(parts.order));
                   auto order = must(lawful::read_order(outer.order));
                   order.until_ms -= 1;
                   outer.order = wire::encode(order);
                   parts.order = wire::encode(outer);
                 }),
                 Code::kDenied, "not of this order");
  expect_refused(changed([&](auto&, lawful::Case& parts) {
                   parts.order = signed_by(order_of("main", 0, kForEver), {&one});
                 }),
                 Code::kDenied, "two operators");
  const Signer stranger = make_signer("stranger");
  expect_refused(changed([&](auto&, lawful::Case& parts) {
                   parts.order = signed_by(order_of("main", 0, kForEver), {&one, &stranger});
                 }),
                 Code::kDenied, "two operators");
  // A good order whose key was sealed for another: the time in it is later.
  expect_refused(changed([&](auto&, lawful::Case& parts) {
                   parts.order = signed_by_both(order_of("main", 1, kForEver));
                 }),
                 Code::kDenied, "sealed for another order");
  expect_refused(
      changed([](auto&, lawful::Case& parts) { parts.released->batch.inclusion[0].bytes[0] ^= 1; }),
      Code::kUnsafe, "");
  expect_refused(
      changed([](auto&, lawful::Case& parts) { parts.released->batch = parts.state.epoch; }),
      Code::kUnsafe, "a release batch");
  expect_refused(changed([](auto&, lawful::Case& parts) {
                   auto opening = must(wire::decode<tlog::BatchOpening>(parts.released->opening));
                   opening.nonce[0] ^= 1;
                   parts.released->opening = wire::encode(opening);
                 }),
                 Code::kUnsafe, "another list");
  expect_refused(changed([](auto&, lawful::Case& parts) { parts.state.after.push_back(Bytes{1}); }),
                 Code::kUnsafe, "entries of the log");
  const auto last = account_->circle().seq();
  expect_refused(changed([&](const std::string& folder, lawful::Case&) {
                   fs::remove(folder + "/" + lawful::statement_name(last));
                 }),
                 Code::kUnsafe, "");
  expect_refused(changed([&](const std::string& folder, lawful::Case&) {
                   fs::remove(folder + "/" + lawful::record_name(vault_of("main"), 1));
                   fs::rename(folder + "/" + lawful::record_name(vault_of("main"), 2),
                              folder + "/" + lawful::record_name(vault_of("main"), 1));
                 }),
                 Code::kUnsafe, "not of this vault's chain");
  must(disclose::make_own_key(folder_ / "another"));
  const auto elsewhere = disclose::open_case(
      {folder_ / "case", folder_ / "another", folder_ / "bundle", keys(), clock_.now()});
  EXPECT_EQ(elsewhere.error().code, Code::kDenied);
  EXPECT_TRUE(open_in(folder_ / "case").ok());
}

TEST_F(Disclose, NamesEveryPackThatIsMissingOrAnother) {
  backup("wanted", "words that are ordered");
  gather(signed_by_both(order_of("main", 0, kForEver)));
  const auto good = must(open_in(folder_ / "case"));
  const auto manifest = Manifest::parse(good.manifest);
  fs::remove(folder_ / "bundle");
  std::string any;
  for (const auto& name : manifest["packs_opened"]) {
    const std::string pack = name;
    const std::string path = folder_ / ("case/packs/" + pack);
    const std::string bytes = read(path);
    fs::remove(path);
    const auto missing = open_in(folder_ / "case");
    ASSERT_FALSE(missing.ok());
    EXPECT_NE(missing.error().message.find(pack.substr(0, 12)), std::string::npos)
        << missing.error().message;
    // Another account's pack under this one's name.
    write(path, any.empty() ? "other bytes" : any);
    const auto other = open_in(folder_ / "case");
    ASSERT_FALSE(other.ok());
    EXPECT_FALSE(fs::exists(folder_ / "bundle"));
    write(path, bytes);
    any = bytes;
  }
  EXPECT_TRUE(open_in(folder_ / "case").ok());
}

// Two files in packs of their own: the second one's is damaged, so the first is written and kept.
TEST_F(Disclose, GoesOnWhereItWasCutShort) {
  const auto noise = [](const std::string& seed) {
    std::string out;
    for (int i = 0; out.size() < 4'500'000; ++i)
      out += std::string(as_text(crypto::sha256(as_bytes(seed + std::to_string(i))).view()));
    return out;
  };
  backup("large1", noise("1"));
  backup("large2", noise("2"));
  gather(signed_by_both(order_of("main", 0, kForEver)));
  const auto whole = must(open_in(folder_ / "case"));
  EXPECT_EQ(whole.kept, 0u);
  must(unseal());
  const std::string tar = read(folder_ / "files.tar");
  fs::remove(folder_ / "files.tar");
  fs::remove(folder_ / "bundle");

  const std::string partial = folder_ / "bundle.partial";
  std::string pack;
  std::string bytes;
  const auto manifest = Manifest::parse(whole.manifest);
  for (const auto& name : manifest["packs_opened"]) {
    pack = folder_ / ("case/packs/" + name.get<std::string>());
    bytes = read(pack);
    if (bytes.size() < 1'000'000) continue;
    write(pack, "damaged");
    EXPECT_FALSE(open_in(folder_ / "case").ok());
    EXPECT_FALSE(fs::exists(folder_ / "bundle"));
    if (fs::exists(partial) && fs::file_size(partial) > 4'000'000) break;
    write(pack, bytes);
    fs::remove(partial);
  }
  ASSERT_TRUE(fs::exists(partial));
  write(pack, bytes);
  write(partial, read(partial) + "of a part that was being written");
  const auto rest = must(open_in(folder_ / "case"));
  EXPECT_GE(rest.kept, 4'000'000u);
  EXPECT_FALSE(fs::exists(folder_ / "bundle.resume"));
  EXPECT_EQ(Manifest::parse(rest.manifest)["packs_opened"], manifest["packs_opened"]);
  must(unseal());
  EXPECT_EQ(read(folder_ / "files.tar"), tar);
}

TEST_F(Disclose, ABundleIsForItsRequesterAndWhole) {
  backup("wanted", "words that are ordered");
  gather(signed_by_both(order_of("main", 0, kForEver)));
  must(open_in(folder_ / "case"));
  const auto stranger = disclose::unseal(
      folder_ / "bundle", must(disclose::read_own_key(folder_ / "machine")), folder_ / "files.tar");
  EXPECT_EQ(stranger.error().code, Code::kDenied);
  const std::string good = read(folder_ / "bundle");
  EXPECT_EQ(good.find("words that are ordered"), std::string::npos);
  for (const std::size_t at :
       {std::size_t{6}, std::size_t{200}, good.size() / 2, good.size() - 100, good.size() - 1}) {
    std::string bent = good;
    bent[at] = static_cast<char>(bent[at] ^ 1);
    write(folder_ / "bundle", bent);
    EXPECT_FALSE(unseal().ok()) << at;
    EXPECT_FALSE(fs::exists(folder_ / "files.tar"));
  }
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{3}, good.size() / 2, good.size() - 1}) {
    write(folder_ / "bundle", good.substr(0, size));
    EXPECT_FALSE(unseal().ok()) << size;
  }
  write(folder_ / "bundle", good);
  EXPECT_TRUE(unseal().ok());
}

TEST_F(Disclose, IsOrderedByTwoWhoAreOperatorsNow) {
  const auto order = order_of("main", 0, kForEver);
  const auto ask = [&](const Bytes& of) { return service().disclose("me", of, folder_ / "case"); };
  EXPECT_EQ(ask(signed_by(order, {&one})).error().code, Code::kDenied);
  EXPECT_TRUE(ask(signed_by_both(order)).ok());
  // A key that was stolen, and revoked since.
  must_do(service().operators().append(must(trail().sign_revoke("two", *one.key, clock_.now()))));
  EXPECT_EQ(ask(signed_by_both(order)).error().code, Code::kDenied);
  EXPECT_FALSE(fs::exists(folder_ / "case"));
}

TEST_F(Disclose, OfAnAdvancedAccountShowsThatNoKeyExists) {
  backup("wanted", "words that are ordered");
  const auto order = order_of("main", 0, kForEver);
  must_do(account_->raise_level());
  step();
  const auto denied = service().disclose("me", signed_by_both(order), folder_ / "case");
  ASSERT_FALSE(denied.ok());
  EXPECT_EQ(denied.error().code, Code::kDenied);
  EXPECT_NE(denied.error().message.find("no key exists"), std::string::npos);
  // The receipt comes, and stands in the log.
  EXPECT_FALSE(service().state_no_key("me", folder_ / "statement").ok());
  for (int i = 0; i < 3; ++i) {
    step();
    service().step_custody();
    step();
  }
  must_do(service().state_no_key("me", folder_ / "statement"));
  const auto read_it = must(disclose::read_case(folder_ / "statement"));
  const auto receipts = [](const disclose::ReadCase& read) {
    return std::vector<lawful::ReceiptProof>(read.parts.receipts.begin(),
                                             read.parts.receipts.end());
  };
  const auto what = must(lawful::verify_no_key(read_it.state, receipts(read_it)));
  EXPECT_TRUE(what.whole);
  EXPECT_EQ(what.receipts.size(), 1u);
  const auto shown = Manifest::parse(disclose::statement_of(read_it, what));
  EXPECT_EQ(shown["no_key_exists"], true);
  EXPECT_EQ(shown["level"], "advanced");
  // Without the receipt, or with another's, or an older state of the account: nothing is shown.
  EXPECT_EQ(lawful::verify_no_key(read_it.state, {}).error().code, Code::kUnsafe);
  auto bent = receipts(read_it);
  bent[0].receipt.back() ^= 1;
  EXPECT_EQ(lawful::verify_no_key(read_it.state, bent).error().code, Code::kUnsafe);
  bent = receipts(read_it);
  bent[0].leaf.inclusion[0].bytes[0] ^= 1;
  EXPECT_EQ(lawful::verify_no_key(read_it.state, bent).error().code, Code::kUnsafe);
  fs::remove(folder_ / ("statement/" + lawful::statement_name(account_->circle().seq())));
  EXPECT_EQ(disclose::read_case(folder_ / "statement").error().code, Code::kUnsafe);
}

TEST_F(Disclose, OfAVaultWithoutAKeyIsStatedAtTheStandardLevel) {
  EXPECT_EQ(service().state_no_key("me", folder_ / "statement").error().code, Code::kDenied);
  must_do(account_->create_vault("diary", true));
  step();
  EXPECT_EQ(lawful::keys_now(account_->circle(), {vault_of("diary")}).error().code, Code::kDenied);
  must_do(service().state_no_key("me", folder_ / "statement"));
  const auto read_it = must(disclose::read_case(folder_ / "statement"));
  const auto what = must(lawful::verify_no_key(read_it.state, {}));
  EXPECT_FALSE(what.whole);
  ASSERT_EQ(what.vaults.size(), 1u);
  EXPECT_EQ(what.vaults[0].name, "diary");
  // It gives nothing to open.
  EXPECT_EQ(open_in(folder_ / "statement").error().code, Code::kDenied);
}

}  // namespace
}  // namespace holdfast
