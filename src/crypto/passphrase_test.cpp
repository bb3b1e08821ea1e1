#include "crypto/passphrase.h"

#include <gtest/gtest.h>

#include "crypto/primitives.h"

namespace holdfast::crypto {
namespace {

// RFC 9106 section 5.3.
TEST(Argon2id, MatchesRfc9106) {
  EXPECT_EQ(to_hex(primitives::argon2id(Bytes(32, 1), Bytes(16, 2), Bytes(8, 3), Bytes(12, 4), 32,
                                        3, 4, 32)),
            "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
}

PassphraseParameters cheapest() {
  PassphraseParameters parameters = PassphraseParameters::fresh();
  parameters.memory_kib = 64 * 1024;
  return parameters;
}

TEST(Passphrase, GivesOneKeyForOneSalt) {
  const PassphraseParameters parameters = cheapest();
  const auto a = derive_from_passphrase(as_bytes("correct horse"), parameters);
  const auto b = derive_from_passphrase(as_bytes("correct horse"), parameters);
  EXPECT_EQ(to_hex(expose(a.value())), to_hex(expose(b.value())));
  EXPECT_EQ(to_hex(expose(a.value())),
            to_hex(primitives::argon2id(as_bytes("correct horse"), parameters.salt, {}, {},
                                        64 * 1024, 3, 1, 32)));
}

TEST(Passphrase, DependsOnThePassphraseAndTheSalt) {
  const PassphraseParameters parameters = cheapest();
  const auto key = derive_from_passphrase(as_bytes("a"), parameters);
  const auto other = derive_from_passphrase(as_bytes("b"), parameters);
  const auto salted = derive_from_passphrase(as_bytes("a"), cheapest());
  EXPECT_NE(to_hex(expose(key.value())), to_hex(expose(other.value())));
  EXPECT_NE(to_hex(expose(key.value())), to_hex(expose(salted.value())));
}

TEST(Passphrase, AnEmptyOneIsStillDerived) {
  EXPECT_TRUE(derive_from_passphrase({}, cheapest()).ok());
}

TEST(Passphrase, RefusesParametersOutsideItsLimits) {
  const auto code_with = [](auto change) {
    PassphraseParameters parameters = cheapest();
    change(parameters);
    const auto key = derive_from_passphrase(as_bytes("a"), parameters);
    return key.ok() ? std::nullopt : std::optional(key.error().code);
  };
  using P = PassphraseParameters;
  EXPECT_EQ(code_with([](P& p) { p.memory_kib = 64 * 1024 - 1; }), Code::kInvalid);
  EXPECT_EQ(code_with([](P& p) { p.memory_kib = 4 * 1024 * 1024 + 1; }), Code::kInvalid);
  EXPECT_EQ(code_with([](P& p) { p.memory_kib = UINT32_MAX; }), Code::kInvalid);
  EXPECT_EQ(code_with([](P& p) { p.passes = 2; }), Code::kInvalid);
  EXPECT_EQ(code_with([](P& p) { p.passes = 65; }), Code::kInvalid);
  EXPECT_EQ(code_with([](P& p) { p.lanes = 0; }), Code::kInvalid);
  EXPECT_EQ(code_with([](P& p) { p.lanes = 17; }), Code::kInvalid);
}

TEST(Passphrase, FreshParametersHaveFreshSaltAndTheFullCost) {
  const PassphraseParameters a = PassphraseParameters::fresh();
  EXPECT_NE(a.salt, PassphraseParameters::fresh().salt);
  EXPECT_EQ(a.memory_kib, 256u * 1024);
  EXPECT_EQ(a.passes, 3u);
  EXPECT_EQ(a.lanes, 1u);
}

}  // namespace
}  // namespace holdfast::crypto
