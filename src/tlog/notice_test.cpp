#include "tlog/notice.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"
#include "tlog/test_site.h"
#include "tlog/test_tree.h"

namespace holdfast::tlog {
namespace {

using testkit::TestSite;

constexpr std::uint64_t kLogged = 1'700'000'000;

TEST(Notice, IsSevenDaysFromWhenAWitnessHadSeenIt) {
  const ProvenTime logged{900, 1000};
  EXPECT_TRUE(check_notice(1000 + kNotice_s, logged).ok());
  EXPECT_EQ(check_notice(999 + kNotice_s, logged).error().code, Code::kUnsafe);
  EXPECT_FALSE(check_notice(0, logged).ok());
  EXPECT_FALSE(check_notice(kNotice_s - 1, {0, 0}).ok());
}

Bytes bytes_of(std::string_view text) { return to_bytes(as_bytes(text)); }

// A change of roots as the third entry of a log, cosigned by `signers` at kLogged.
LeafProof logged_change(const TestSite& signers, const TrustChange& change) {
  testkit::TestLog log(2);
  LeafProof proof;
  proof.leaf = wire::encode(change);
  proof.index = 2;
  log.add(proof.leaf);
  const auto path = log.tree(3).prove_inclusion(2);
  for (const Digest& hash : *path) proof.inclusion.push_back(hash);
  proof.checkpoint = bytes_of(signers.checkpoint(log.head(3), {kLogged, kLogged}).format());
  return proof;
}

TrustChange any_change() {
  TrustChange change;
  change.previous = crypto::sha256(bytes_of("old"));
  change.roots = bytes_of("new");
  change.in_effect_from_s = kLogged + kNotice_s;
  return change;
}

TEST(TrustChange, CountsWhenTheOldQuorumSignedItSevenDaysBefore) {
  const TestSite site;
  const auto change = verify_trust_change(site.trusted(), bytes_of("old"),
                                          wire::encode(logged_change(site, any_change())));
  ASSERT_TRUE(change.ok()) << change.error().message;
  EXPECT_EQ(change->roots, bytes_of("new"));
}

TEST(TrustChange, IsRefusedForOthersOrAtShortNotice) {
  const TestSite site;
  const auto code = [&](BytesView roots, const LeafProof& proof) {
    const auto change = verify_trust_change(site.trusted(), roots, wire::encode(proof));
    return change.ok() ? Code::kInvalid : change.error().code;
  };
  EXPECT_EQ(code(bytes_of("other"), logged_change(site, any_change())), Code::kUnsafe);
  TrustChange soon = any_change();
  --soon.in_effect_from_s;
  EXPECT_EQ(code(bytes_of("old"), logged_change(site, soon)), Code::kUnsafe);
}

TEST(TrustChange, IsRefusedFromAnyButTheOldQuorum) {
  const TestSite old;
  TestSite fresh;
  fresh.witnesses.clear();
  for (std::uint8_t i = 0; i < 3; ++i)
    fresh.witnesses.emplace_back("witness.example/w" + std::to_string(i), testkit::seed(60 + i));
  EXPECT_FALSE(verify_trust_change(old.trusted(), bytes_of("old"),
                                   wire::encode(logged_change(fresh, any_change())))
                   .ok());
  LeafProof elsewhere = logged_change(old, any_change());
  elsewhere.index = 1;
  EXPECT_FALSE(verify_trust_change(old.trusted(), bytes_of("old"), wire::encode(elsewhere)).ok());
}

TEST(Policy, IsTheOneThatTheLogHasSignedByThePolicyKey) {
  const crypto::Ed25519Key key(testkit::seed(50));
  Policy policy;
  policy.version = 1;
  policy.in_effect_from_s = 1'700'604'801;
  policy.rules = bytes_of("rules");
  const Bytes good = sign_policy(key, policy);
  PolicyLeaf leaf;
  leaf.version = 1;
  leaf.policy = crypto::sha256(good);
  leaf.in_effect_from_s = policy.in_effect_from_s;
  ASSERT_TRUE(verify_policy(key.public_key(), leaf, good).ok());
  // The example of docs/formats/tlog.md, signed in Python with the cryptography library.
  EXPECT_EQ(to_hex(good),
            "8258218572686f6c64666173742f76312f706f6c69637901f61a655d2b814572756c6573584068648e8669"
            "a08136929f37309c1eace750abe265b7de0828e441443b40fa7966e82425d5bdc50455081bc72be73f79ce"
            "f8165c6519c1900191263169d2634105");
  const crypto::Ed25519Key other(testkit::seed(51));
  EXPECT_FALSE(verify_policy(other.public_key(), leaf, good).ok());
  const auto differs = [&](auto change) {
    PolicyLeaf altered = leaf;
    change(altered);
    return !verify_policy(key.public_key(), altered, good).ok();
  };
  EXPECT_TRUE(differs([](PolicyLeaf& l) { l.version = 2; }));
  EXPECT_TRUE(differs([](PolicyLeaf& l) { ++l.in_effect_from_s; }));
  EXPECT_TRUE(differs([](PolicyLeaf& l) { l.policy = Digest(); }));
}

}  // namespace
}  // namespace holdfast::tlog
