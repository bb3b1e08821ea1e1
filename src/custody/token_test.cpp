#include <dlfcn.h>

#include "support/test_token.h"
// Last: it defines short names as macros.
#include <p11-kit/pkcs11.h>

namespace holdfast::custody {
namespace {

using Seed = crypto::Key<crypto::WrapPurpose>;

KeyObject object(std::uint8_t circle, std::uint64_t number = 1) {
  KeyObject name;
  name.circle.bytes.fill(circle);
  name.number = number;
  return name;
}

Bytes context(std::string_view text) { return to_bytes(as_bytes(text)); }

std::unique_ptr<Token> opened(const TokenPlace& place) {
  auto token = Token::open(place);
  if (!token.ok()) ADD_FAILURE() << token.error().message;
  return token.ok() ? std::move(token).value() : nullptr;
}

Code code_of(const auto& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? Code::kConflict : result.error().code;
}

TEST(Token, OpensWhatItSealedAndNothingElse) {
  const TestToken place;
  const auto token = opened(place.place());
  ASSERT_TRUE(token->make(object(1)).ok());
  ASSERT_TRUE(token->make(object(2)).ok());
  const Seed seed = Seed::random();
  const Bytes sealed = token->seal(object(1), context("here"), seed).value();
  EXPECT_EQ(sealed.size(), kSealedSeed);

  const Seed back = token->open(object(1), context("here"), sealed).value();
  EXPECT_EQ(crypto::wrap_public_key(back), crypto::wrap_public_key(seed));
  EXPECT_EQ(code_of(token->open(object(1), context("there"), sealed)), Code::kCorrupt);
  EXPECT_EQ(code_of(token->open(object(2), context("here"), sealed)), Code::kCorrupt);
  for (const std::size_t at : {0UL, 12UL, 43UL, 59UL}) {
    Bytes bad = sealed;
    bad[at] ^= 1;
    EXPECT_EQ(code_of(token->open(object(1), context("here"), bad)), Code::kCorrupt) << at;
  }
  const BytesView cut = BytesView(sealed).first(59);
  EXPECT_EQ(code_of(token->open(object(1), context("here"), cut)), Code::kCorrupt);
}

TEST(Token, KeepsKeysFromOneProcessToTheNext) {
  const TestToken place;
  const Seed seed = Seed::random();
  Bytes sealed;
  {
    const auto token = opened(place.place());
    ASSERT_TRUE(token->make(object(1)).ok());
    sealed = token->seal(object(1), context("here"), seed).value();
  }
  const auto token = opened(place.place());
  EXPECT_TRUE(token->open(object(1), context("here"), sealed).ok());
}

TEST(Token, WhatADestroyedKeySealedIsGone) {
  const TestToken place;
  const auto token = opened(place.place());
  ASSERT_TRUE(token->make(object(1)).ok());
  const Bytes sealed = token->seal(object(1), context("here"), Seed::random()).value();
  EXPECT_EQ(code_of(token->make(object(1))), Code::kConflict);

  ASSERT_TRUE(token->destroy(object(1)).ok());
  EXPECT_FALSE(token->has(object(1)).value());
  EXPECT_EQ(code_of(token->open(object(1), context("here"), sealed)), Code::kNotFound);
  EXPECT_EQ(code_of(token->seal(object(1), context("here"), Seed::random())), Code::kNotFound);
  EXPECT_TRUE(token->destroy(object(1)).ok());
  // Another of the same name is another key.
  ASSERT_TRUE(token->make(object(1)).ok());
  EXPECT_EQ(code_of(token->open(object(1), context("here"), sealed)), Code::kCorrupt);
}

TEST(Token, SaysWhatIsWrongWithItsPlace) {
  const TestToken good;
  TokenPlace place = good.place();
  place.module = "/nowhere/module.so";
  EXPECT_EQ(code_of(Token::open(place)), Code::kInvalid);
  place.module = "/lib/x86_64-linux-gnu/libc.so.6";
  EXPECT_EQ(code_of(Token::open(place)), Code::kInvalid);

  place = good.place();
  place.label = "another";
  EXPECT_EQ(code_of(Token::open(place)), Code::kNotFound);
  good.add_token("twice");
  good.add_token("twice");
  place.label = "twice";
  EXPECT_EQ(code_of(Token::open(place)), Code::kInvalid);

  place = good.place();
  place.pin_file = good.folder() + "/none";
  EXPECT_EQ(code_of(Token::open(place)), Code::kNotFound);
  good.write("pin", "\n");
  EXPECT_EQ(code_of(Token::open(good.place())), Code::kNotFound);
  good.write("pin", "1111\n");
  const auto refused = Token::open(good.place());
  EXPECT_EQ(code_of(refused), Code::kDenied);
  EXPECT_NE(refused.error().message.find("PIN"), std::string::npos);
  EXPECT_EQ(refused.error().message.find("1111"), std::string::npos);
}

// Whatever else uses the module in this process: an administrator's reset, a pulled plug.
void close_all_sessions() {
  void* const module = ::dlopen(TestToken::module().c_str(), RTLD_NOW);
  ASSERT_NE(module, nullptr);
  CK_FUNCTION_LIST* calls = nullptr;
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(module, "C_GetFunctionList"));
  ASSERT_EQ(get(&calls), CKR_OK);
  std::array<CK_SLOT_ID, 16> slots{};
  CK_ULONG count = slots.size();
  ASSERT_EQ(calls->C_GetSlotList(CK_TRUE, slots.data(), &count), CKR_OK);
  for (CK_ULONG i = 0; i < count; ++i) calls->C_CloseAllSessions(slots[i]);
  ::dlclose(module);
}

TEST(Token, ALostSessionIsOpenedAnew) {
  const TestToken place;
  const auto token = opened(place.place());
  ASSERT_TRUE(token->make(object(1)).ok());
  const Bytes sealed = token->seal(object(1), context("here"), Seed::random()).value();
  for (int i = 0; i < 3; ++i) {
    close_all_sessions();
    EXPECT_TRUE(token->open(object(1), context("here"), sealed).ok()) << i;
  }
  close_all_sessions();
  EXPECT_TRUE(token->destroy(object(1)).ok());
}

// Wrong PINs lock a token: one is tried once.
TEST(Token, AWrongPinIsNotTriedTwice) {
  const TestToken place;
  const auto token = opened(place.place());
  ASSERT_TRUE(token->make(object(1)).ok());
  place.write("pin", "1111\n");
  close_all_sessions();
  EXPECT_EQ(code_of(token->has(object(1))), Code::kDenied);
  place.write("pin", "2468-for-tests\n");
  EXPECT_EQ(code_of(token->has(object(1))), Code::kDenied);
}

}  // namespace
}  // namespace holdfast::custody
