#include "server/operators.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file.h"
#include "server/test_data.h"

namespace holdfast::server {
namespace {

constexpr TimeMs kNow = 1'700'000'000'000;

class OperatorsTest : public testing::Test {
 protected:
  std::vector<Bytes> entries() { return operators_.entries().value(); }
  Result<Trail> trail() {
    const auto all = TRY(operators_.entries());
    Trail found = TRY(Trail::verify(all));
    TRY(check_anchor(found, anchor_));
    return found;
  }
  // As the operator's program does it.
  Result<void> add(const std::string& name, const crypto::VerifyKey& key,
                   const crypto::SigningKey& acting, TimeMs now) {
    const Trail before = TRY(trail());
    const Bytes entry = TRY(before.sign_add(name, key, acting, now));
    return operators_.append(entry);
  }
  Result<void> revoke(const std::string& name, const crypto::SigningKey& acting, TimeMs now) {
    const Trail before = TRY(trail());
    const Bytes entry = TRY(before.sign_revoke(name, acting, now));
    return operators_.append(entry);
  }
  // Anna, who added Ben, whom she revoked, and Carl.
  void make_trail() {
    ASSERT_TRUE(add("anna", anna_.verify_key(), anna_, kNow).ok());
    ASSERT_TRUE(add("ben", ben_.verify_key(), anna_, kNow + 1).ok());
    ASSERT_TRUE(add("carl", carl_.verify_key(), ben_, kNow + 2).ok());
    ASSERT_TRUE(revoke("ben", anna_, kNow + 3).ok());
  }
  static crypto::SigningKey any_key() {
    return crypto::SigningKey(crypto::Key<crypto::SigningPurpose>::random());
  }

  TemporaryFolder folder_;
  const std::unique_ptr<Writer> writer_ =
      Writer::open(folder_.file("service.db"), Operators::kSchema).value();
  const std::string anchor_ = folder_.file("anchor");
  Operators operators_{*writer_, anchor_};
  const crypto::SigningKey anna_ = any_key();
  const crypto::SigningKey ben_ = any_key();
  const crypto::SigningKey carl_ = any_key();
};

TEST_F(OperatorsTest, TheTrailSaysWhoOperates) {
  EXPECT_EQ(trail().value().n(), 0u);
  make_trail();
  const Trail found = trail().value();
  EXPECT_EQ(found.n(), 4u);
  EXPECT_EQ(found.operators().size(), 2u);
  ASSERT_NE(found.named("anna"), nullptr);
  EXPECT_EQ(found.named("anna")->key, anna_.verify_key());
  EXPECT_EQ(found.named("anna")->by, "anna");
  EXPECT_EQ(found.named("carl")->added_ms, kNow + 2);
  EXPECT_EQ(found.named("carl")->by, "ben");
  EXPECT_EQ(found.named("ben"), nullptr);
  ASSERT_EQ(found.acts().size(), 4u);
  EXPECT_EQ(found.acts()[3].entry.act, OperatorAct::kRevoke);
  EXPECT_EQ(found.acts()[3].entry.name, "ben");
  EXPECT_EQ(found.acts()[3].by, "anna");
  EXPECT_EQ(found.acts()[3].head, found.head());
  EXPECT_EQ(found.acts()[0].head, found.anchor());
}

TEST_F(OperatorsTest, OnlyOperatorsAct) {
  EXPECT_EQ(code(add("anna", anna_.verify_key(), ben_, kNow)), Code::kDenied);
  make_trail();
  const auto fresh = any_key();
  EXPECT_EQ(code(add("eve", fresh.verify_key(), fresh, kNow)), Code::kDenied);
  EXPECT_EQ(code(add("eve", fresh.verify_key(), ben_, kNow)), Code::kDenied);
  EXPECT_EQ(code(revoke("carl", ben_, kNow)), Code::kDenied);
  EXPECT_EQ(code(add("anna", fresh.verify_key(), anna_, kNow)), Code::kConflict);
  EXPECT_EQ(code(add("ben", ben_.verify_key(), anna_, kNow)), Code::kConflict);
  EXPECT_EQ(code(add("a\nb", fresh.verify_key(), anna_, kNow)), Code::kInvalid);
  EXPECT_EQ(code(add("", fresh.verify_key(), anna_, kNow)), Code::kInvalid);
  EXPECT_EQ(code(revoke("ben", anna_, kNow)), Code::kNotFound);
  ASSERT_TRUE(revoke("carl", anna_, kNow).ok());
  EXPECT_EQ(code(revoke("anna", anna_, kNow)), Code::kInvalid);
  EXPECT_EQ(trail().value().n(), 5u);
}

TEST_F(OperatorsTest, AKeyThatWasCopiedWrongIsNotAdded) {
  crypto::VerifyKey wrong = ben_.verify_key();
  wrong.bytes[40] ^= 1;
  make_trail();
  EXPECT_EQ(code(add("eve", wrong, anna_, kNow)), Code::kInvalid);
}

TEST_F(OperatorsTest, AnEntryThatWasSignedForAnotherHeadIsNotAppended) {
  make_trail();
  const Trail before = trail().value();
  const auto one = any_key();
  const auto two = any_key();
  const Bytes first = before.sign_add("one", one.verify_key(), anna_, kNow).value();
  const Bytes second = before.sign_add("two", two.verify_key(), anna_, kNow).value();
  ASSERT_TRUE(operators_.append(first).ok());
  EXPECT_EQ(code(operators_.append(second)), Code::kConflict);
  EXPECT_EQ(code(operators_.append(first)), Code::kConflict);
  EXPECT_EQ(trail().value().n(), 5u);
}

TEST_F(OperatorsTest, AnEntryIsVerifiedBeforeItIsAppended) {
  make_trail();
  const auto fresh = any_key();
  const Bytes good = trail().value().sign_add("dora", fresh.verify_key(), anna_, kNow).value();
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes changed = good;
    changed[at] ^= 1;
    EXPECT_FALSE(operators_.append(changed).ok()) << at;
  }
  EXPECT_FALSE(operators_.append(Bytes{}).ok());
  EXPECT_EQ(trail().value().n(), 4u);
  // With a key that is no operator's, though all else is right.
  auto outer = wire::decode<SignedTrailEntry>(good).value();
  outer.signature = fresh.sign("holdfast/v1/operator/sig", outer.entry);
  EXPECT_EQ(code(operators_.append(wire::encode(outer))), Code::kDenied);
  EXPECT_TRUE(operators_.append(good).ok());
}

TEST_F(OperatorsTest, ATrailThatWasTakenAwayIsMissed) {
  make_trail();
  TemporaryFolder elsewhere;
  const auto empty = Writer::open(elsewhere.file("service.db"), Operators::kSchema).value();
  Operators robbed(*empty, anchor_);
  const Trail nothing = Trail::verify(robbed.entries().value()).value();
  EXPECT_EQ(code(check_anchor(nothing, anchor_)), Code::kUnsafe);
  const Bytes entry = nothing.sign_add("eve", carl_.verify_key(), carl_, kNow).value();
  EXPECT_EQ(code(robbed.append(entry)), Code::kUnsafe);
  EXPECT_TRUE(check_anchor(nothing, elsewhere.file("none")).ok());
}

TEST_F(OperatorsTest, EveryChangedByteIsFound) {
  make_trail();
  const std::vector<Bytes> good = entries();
  ASSERT_EQ(good.size(), 4u);
  ASSERT_TRUE(Trail::verify(good).ok());
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (std::size_t at = 0; at < good[i].size(); ++at) {
      for (const int bit : {0x01, 0x80}) {
        auto changed = good;
        changed[i][at] ^= static_cast<std::uint8_t>(bit);
        EXPECT_FALSE(Trail::verify(changed).ok()) << "entry " << i << ", byte " << at;
      }
    }
  }
}

TEST_F(OperatorsTest, ALostMovedOrRepeatedEntryIsFound) {
  make_trail();
  const std::vector<Bytes> good = entries();
  const Trail whole = Trail::verify(good).value();
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto lost = good;
    lost.erase(lost.begin() + static_cast<std::ptrdiff_t>(i));
    const auto verified = Trail::verify(lost);
    // The newest is missed by whoever noted the head.
    if (verified.ok()) {
      EXPECT_EQ(i, good.size() - 1);
      EXPECT_NE(verified->head(), whole.head());
    }
    auto repeated = good;
    repeated.push_back(good[i]);
    EXPECT_FALSE(Trail::verify(repeated).ok());
    auto moved = good;
    std::swap(moved[i], moved[(i + 1) % good.size()]);
    EXPECT_FALSE(Trail::verify(moved).ok());
  }
}

TEST_F(OperatorsTest, TheDatabaseKeepsTheTrailAndTheAnchorKeepsItsBegin) {
  make_trail();
  for (const char* const sql : {"DELETE FROM trail", "UPDATE trail SET entry = x'00'"}) {
    EXPECT_FALSE(writer_->write([&](sql::Database& db) { return db.execute(sql); }).ok());
  }
  TemporaryFolder elsewhere;
  const auto other = Writer::open(elsewhere.file("service.db"), Operators::kSchema).value();
  Operators another(*other, elsewhere.file("anchor"));
  const Trail none = Trail::verify({}).value();
  ASSERT_TRUE(another.append(none.sign_add("eve", carl_.verify_key(), carl_, kNow).value()).ok());
  Operators replaced(*other, anchor_);
  const Trail theirs = Trail::verify(replaced.entries().value()).value();
  EXPECT_EQ(code(check_anchor(theirs, anchor_)), Code::kUnsafe);
  const Bytes next = theirs.sign_add("anna", anna_.verify_key(), carl_, kNow).value();
  EXPECT_EQ(code(replaced.append(next)), Code::kUnsafe);
}

TEST_F(OperatorsTest, AKeyFileIsPrivateAndRead) {
  const std::string path = folder_.file("key");
  const auto made = make_operator_key(path);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(read_file(path, 100).value().size(), 65u);
  EXPECT_EQ(read_operator_key(path).value().verify_key(), made->verify_key());
  EXPECT_EQ(code(make_operator_key(path)), Code::kConflict);
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  EXPECT_EQ(code(read_operator_key(path)), Code::kDenied);
  ASSERT_TRUE(replace_file(path, as_bytes("abc\n")).ok());
  EXPECT_EQ(code(read_operator_key(path)), Code::kInvalid);
}

}  // namespace
}  // namespace holdfast::server
