// A token that fails in the middle: what the service is told, and that nothing is half-done.
#include <dlfcn.h>

#include "support/custody_world.h"
#include "support/failing_module.h"
// Last: it defines short names as macros.
#include <p11-kit/pkcs11.h>

namespace holdfast::custody {
namespace {

// A custodian whose token fails on demand.
struct Troubled {
  World world;
  testkit::TokenTrouble* trouble = nullptr;

  Troubled() {
    ::setenv("HF_REAL_MODULE", TestToken::module().c_str(), 1);
    void* const module = ::dlopen(HF_FAILING_MODULE, RTLD_NOW | RTLD_NODELETE);
    HF_CHECK(module != nullptr);
    trouble =
        reinterpret_cast<testkit::TokenTroubleOf>(::dlsym(module, testkit::kTokenTroubleName))();
    *trouble = {};
    start();
  }
  void start() {
    world.custodian.reset();
    TokenPlace place = world.token.place();
    place.module = HF_FAILING_MODULE;
    auto opened = Custodian::open({world.data(), place, world.log.site.roots, {}, 0}, world.clock);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    world.custodian = std::move(opened).value();
  }
  void fail(const char* call, unsigned long code, bool after = false, int times = 100) {
    *trouble = {call, code, after, times};
  }
  void mend() { *trouble = {}; }
  Error issue(std::uint8_t account) {
    const auto key = world.custodian->issue(CircleId(Digest{{account}}.bytes));
    EXPECT_FALSE(key.ok());
    return key.ok() ? Error{Code::kConflict, ""} : key.error();
  }
  // Objects in the token beside the marker.
  std::size_t objects() {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(world.token.keys()))
      if (entry.path().extension() == ".object" && entry.path().filename() != "token.object")
        ++count;
    return count - 1;
  }
};

TEST(Trouble, ATokenThatIsFullMakesNoKeyAndLeavesNothing) {
  Troubled t;
  t.fail("C_GenerateKey", CKR_DEVICE_MEMORY);
  const Error full = t.issue(1);
  EXPECT_EQ(full.code, Code::kUnavailable);
  EXPECT_NE(full.message.find("full"), std::string::npos) << full.message;
  // However often it is asked: no row stays that would count as a key.
  for (std::uint8_t n = 2; n < 5; ++n) EXPECT_EQ(t.issue(n).code, Code::kUnavailable);
  t.mend();
  EXPECT_EQ(t.objects(), 0U);
  t.world.custodian.reset();
  auto tables = Tables::open(t.world.data() + "/custody.db").value();
  EXPECT_EQ(tables.count_unused().value(), 0U);
}

// The call did its work, and its answer was lost: it is run once more.
TEST(Trouble, AKeyThatIsMadeTwiceIsThereOnce) {
  Troubled t;
  t.fail("C_GenerateKey", CKR_DEVICE_ERROR, true, 1);
  EXPECT_TRUE(t.world.custodian->issue(CircleId(Digest{{1}}.bytes)).ok());
  EXPECT_EQ(t.objects(), 1U);
}

TEST(Trouble, AKeyThatCannotSealIsNotGivenOut) {
  Troubled t;
  t.fail("C_Encrypt", CKR_FUNCTION_FAILED, true);
  EXPECT_EQ(t.issue(1).code, Code::kUnavailable);
  EXPECT_EQ(t.world.custodian->counts().value().live, 0U);
  EXPECT_EQ(t.objects(), 0U);
  t.mend();
  EXPECT_TRUE(t.world.custodian->issue(CircleId(Digest{{1}}.bytes)).ok());
  EXPECT_EQ(t.objects(), 1U);
}

TEST(Trouble, ATokenThatStoppedDestroysNothingAndGoesOnWhenItIsBack) {
  Troubled t;
  ShownAccount account = t.world.advanced();
  t.fail("C_FindObjectsInit", CKR_DEVICE_REMOVED);
  const auto refused = t.world.destroy(account);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_EQ(t.world.custodian->counts().value().live, 1U);  // nothing was decided
  t.mend();
  // Decided, and then it fails.
  t.fail("C_DestroyObject", CKR_FUNCTION_FAILED);
  EXPECT_FALSE(t.world.destroy(account).ok());
  EXPECT_EQ(t.world.custodian->counts().value().ending, 1U);
  EXPECT_FALSE(t.world.custodian->sweep().ok());  // told
  t.start();                                      // and no reason not to start
  EXPECT_EQ(t.objects(), 1U);
  t.mend();
  EXPECT_TRUE(t.world.custodian->sweep().ok());
  EXPECT_EQ(t.objects(), 0U);
  const auto receipt = t.world.destroy(account);
  ASSERT_TRUE(receipt.ok());
  EXPECT_TRUE(circle::verify_receipt(account.id(), account.info(), *receipt).ok());
}

TEST(Trouble, AWrongPinIsToldAndNotTriedAgain) {
  Troubled t;
  ShownAccount account = t.world.advanced();
  t.fail("C_FindObjectsInit", CKR_USER_NOT_LOGGED_IN, false, 1);
  t.world.token.write("pin", "1111\n");
  for (int i = 0; i < 3; ++i) {
    const auto refused = t.world.destroy(account);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::kDenied);
    EXPECT_NE(refused.error().message.find("PIN"), std::string::npos);
  }
  t.world.token.write("pin", "2468-for-tests\n");
  t.start();
  EXPECT_TRUE(t.world.destroy(account).ok());
}

}  // namespace
}  // namespace holdfast::custody
