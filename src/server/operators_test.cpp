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
  std::vector<Bytes> entries() {
    std::vector<Bytes> all;
    const auto done = writer_->read([&](sql::Database& database) -> Result<void> {
      auto rows = database.prepare("SELECT entry FROM trail ORDER BY n").value();
      while (rows.step().value()) all.push_back(to_bytes(rows.column_blob(0).value()));
      return Ok{};
    });
    EXPECT_TRUE(done.ok());
    return all;
  }
  // Anna, who added Ben, whom she revoked, and Carl.
  void make_trail() {
    ASSERT_TRUE(operators_.add("anna", anna_.verify_key(), anna_, kNow).ok());
    ASSERT_TRUE(operators_.add("ben", ben_.verify_key(), anna_, kNow + 1).ok());
    ASSERT_TRUE(operators_.add("carl", carl_.verify_key(), ben_, kNow + 2).ok());
    ASSERT_TRUE(operators_.revoke("ben", anna_, kNow + 3).ok());
  }
  static crypto::SigningKey any_key() {
    return crypto::SigningKey(crypto::Key<crypto::SigningPurpose>::random());
  }

  TemporaryFolder folder_;
  const std::unique_ptr<Writer> writer_ =
      Writer::open(folder_.file("service.db"), Operators::kSchema).value();
  Operators operators_{*writer_, folder_.file("anchor")};
  const crypto::SigningKey anna_ = any_key();
  const crypto::SigningKey ben_ = any_key();
  const crypto::SigningKey carl_ = any_key();
};

TEST_F(OperatorsTest, TheTrailSaysWhoOperates) {
  EXPECT_EQ(operators_.trail().value().n(), 0u);
  make_trail();
  const Trail trail = operators_.trail().value();
  EXPECT_EQ(trail.n(), 4u);
  EXPECT_EQ(trail.operators().size(), 2u);
  ASSERT_NE(trail.named("anna"), nullptr);
  EXPECT_EQ(trail.named("anna")->key, anna_.verify_key());
  EXPECT_EQ(trail.named("carl")->added_ms, kNow + 2);
  EXPECT_EQ(trail.named("ben"), nullptr);
}

TEST_F(OperatorsTest, OnlyOperatorsAct) {
  EXPECT_EQ(code(operators_.add("anna", anna_.verify_key(), ben_, kNow)), Code::kDenied);
  make_trail();
  const auto fresh = any_key();
  EXPECT_EQ(code(operators_.add("eve", fresh.verify_key(), fresh, kNow)), Code::kDenied);
  EXPECT_EQ(code(operators_.add("eve", fresh.verify_key(), ben_, kNow)), Code::kDenied);
  EXPECT_EQ(code(operators_.revoke("carl", ben_, kNow)), Code::kDenied);
  EXPECT_EQ(code(operators_.add("anna", fresh.verify_key(), anna_, kNow)), Code::kConflict);
  EXPECT_EQ(code(operators_.add("ben", ben_.verify_key(), anna_, kNow)), Code::kConflict);
  EXPECT_EQ(code(operators_.add("a\nb", fresh.verify_key(), anna_, kNow)), Code::kInvalid);
  EXPECT_EQ(code(operators_.add("", fresh.verify_key(), anna_, kNow)), Code::kInvalid);
  EXPECT_EQ(code(operators_.revoke("ben", anna_, kNow)), Code::kNotFound);
  ASSERT_TRUE(operators_.revoke("carl", anna_, kNow).ok());
  EXPECT_EQ(code(operators_.revoke("anna", anna_, kNow)), Code::kInvalid);
  EXPECT_EQ(operators_.trail().value().n(), 5u);
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
  ASSERT_TRUE(another.add("eve", carl_.verify_key(), carl_, kNow).ok());
  Operators replaced(*other, folder_.file("anchor"));
  EXPECT_EQ(code(replaced.trail()), Code::kUnsafe);
  EXPECT_EQ(code(replaced.add("anna", anna_.verify_key(), carl_, kNow)), Code::kUnsafe);
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
