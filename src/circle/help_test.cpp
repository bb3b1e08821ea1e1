#include "circle/help.h"

#include <gtest/gtest.h>

#include "circle/circle.h"
#include "crypto/hash.h"
#include "support/circle_maker.h"

namespace holdfast::circle {
namespace {

using testkit::make_device;
using testkit::make_signer;
using testkit::TestDevice;

HelpRequest any_request(const TestDevice& device) {
  HelpRequest out;
  out.account = "mila";
  out.device = device.info;
  out.time_ms = 1'800'000'000'000;
  return out;
}

Code refused(BytesView request) {
  const auto result = verify_help_request(request);
  EXPECT_FALSE(result.ok());
  return result.ok() ? Code::kConflict : result.error().code;
}

TEST(HelpRequest, IsSignedWithTheKeysThatItNames) {
  const TestDevice device = make_device("found");
  const Bytes good = sign_help_request(any_request(device), *device.key);
  const auto request = verify_help_request(good);
  ASSERT_TRUE(request.ok()) << request.error().message;
  EXPECT_EQ(reader_id(request->device), device.id);
  EXPECT_EQ(help_code(good), crypto::sha256(good).hex().substr(0, 20));
  EXPECT_EQ(refused(sign_help_request(any_request(device), *make_device("other").key)),
            Code::kInvalid);
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bent = good;
    bent[i] ^= 1;
    EXPECT_EQ(refused(bent), Code::kInvalid) << i;
    EXPECT_EQ(refused(BytesView(good).first(i)), Code::kInvalid) << i;
  }
  EXPECT_EQ(refused(Bytes(kMaxHelpRequest + 1)), Code::kInvalid);
}

TEST(HelpRequest, NamesWhatTheCircleWouldTake) {
  const TestDevice device = make_device("found");
  HelpRequest request = any_request(device);
  request.device.name = "two\nlines";
  EXPECT_EQ(refused(sign_help_request(request, *device.key)), Code::kInvalid);
  request = any_request(device);
  request.device.wrap_key.fill(0xff);
  EXPECT_EQ(refused(sign_help_request(request, *device.key)), Code::kInvalid);
}

// docs/formats/circle.md#asking-for-help
TEST(HelpGrant, IsEncodedAsItsPageSays) {
  HelpGrant grant;
  grant.circle.bytes.fill(1);
  grant.helped.bytes.fill(2);
  grant.request.bytes.fill(3);
  EXPECT_EQ(to_hex(wire::encode(grant)),
            "8476686f6c64666173742f76312f68656c702d6772616e745820010101010101010101010101"
            "0101010101010101010101010101010101010101582002020202020202020202020202020202"
            "0202020202020202020202020202020258200303030303030303030303030303030303030303"
            "030303030303030303030303");
}

TEST(HelpGrant, CountsOnceForEachOperatorWhoIsKnown) {
  const TestDevice device = make_device("found");
  const Bytes request = sign_help_request(any_request(device), *device.key);
  const auto one = make_signer("one");
  const auto two = make_signer("two");
  const auto stranger = make_signer("stranger");
  HelpGrant grant;
  grant.circle.bytes.fill(1);
  grant.helped = device.id;
  grant.request = crypto::sha256(request);
  const auto by = [&](const auto& who) { return sign_help_grant(grant, *who.key); };
  const OperatorKeys known = {one.key->verify_key().bytes, two.key->verify_key().bytes};
  const auto granted = [&](const std::vector<Bytes>& grants) {
    return check_help_granted(grant.circle, request, grants, known).ok();
  };
  EXPECT_TRUE(granted({by(one), by(two)}));
  EXPECT_TRUE(granted({by(one), by(one), by(two)}));
  EXPECT_FALSE(granted({}));
  EXPECT_FALSE(granted({by(one)}));
  EXPECT_FALSE(granted({by(one), by(one)}));
  EXPECT_FALSE(granted({by(one), by(stranger)}));
  EXPECT_TRUE(granted({by(stranger), by(one), by(two)}));  // no stranger stands in the way
  EXPECT_FALSE(check_help_granted(CircleId(), request, {by(one), by(two)}, known).ok());
  Bytes bent = by(two);
  for (std::size_t i = 0; i < bent.size(); ++i) {
    bent[i] ^= 1;
    EXPECT_FALSE(granted({by(one), bent})) << i;
    bent[i] ^= 1;
  }
}

}  // namespace
}  // namespace holdfast::circle
