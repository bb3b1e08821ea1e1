#include "circle/help.h"

#include "circle/applier.h"
#include "crypto/hash.h"

namespace holdfast::circle {
namespace {

Error no_request(const std::string& why) { return {Code::kInvalid, "a request for help " + why}; }

Error not_granted(const std::string& why) {
  return {Code::kDenied, "help is given where two operators grant it: " + why};
}

}  // namespace

Bytes sign_help_request(const HelpRequest& request, const crypto::SigningKey& device) {
  SignedHelpRequest out;
  out.request = wire::encode(request);
  out.signature = device.sign(kHelpRequestLabel, out.request);
  return wire::encode(out);
}

Result<HelpRequest> verify_help_request(BytesView bytes) {
  if (bytes.size() > kMaxHelpRequest) return no_request("is too large");
  const auto outer = wire::decode<SignedHelpRequest>(bytes);
  if (!outer.ok()) return no_request("cannot be read");
  auto request = wire::decode<HelpRequest>(outer->request);
  if (!request.ok()) return no_request("cannot be read");
  const DeviceInfo& device = request->device;
  // What the circle would refuse three days later is refused before anybody is asked.
  if (!printable(device.name))
    return no_request("has a name that is empty, too long or not printable");
  if (!crypto::is_point({device.verify_key}) || !takes_envelopes(device.wrap_key))
    return no_request("names keys that are none");
  if (!crypto::verify({device.verify_key}, kHelpRequestLabel, outer->request, outer->signature))
    return no_request("is not signed with the key that it names");
  return request;
}

std::string help_code(BytesView signed_request) {
  return crypto::sha256(signed_request).hex().substr(0, 20);
}

Bytes sign_help_grant(const HelpGrant& grant, const crypto::SigningKey& key) {
  SignedHelpGrant out;
  out.operator_key = key.verify_key().bytes;
  out.grant = wire::encode(grant);
  out.signature = key.sign(kHelpGrantLabel, out.grant);
  return wire::encode(out);
}

Result<crypto::VerifyKey> verify_help_grant(const CircleId& circle, BytesView signed_request,
                                            BytesView signed_grant) {
  const auto request = TRY(verify_help_request(signed_request));
  const auto outer = wire::decode<SignedHelpGrant>(signed_grant);
  if (!outer.ok()) return not_granted("a grant cannot be read");
  const auto grant = wire::decode<HelpGrant>(outer->grant);
  if (!grant.ok()) return not_granted("a grant cannot be read");
  if (grant->circle != circle || grant->helped != reader_id(request.device) ||
      grant->request != crypto::sha256(signed_request))
    return not_granted("a grant is of another account or another request");
  const crypto::VerifyKey key{outer->operator_key};
  if (!crypto::is_point(key) ||
      !crypto::verify(key, kHelpGrantLabel, outer->grant, outer->signature))
    return not_granted("the signature of a grant is wrong");
  return key;
}

Result<void> check_help_granted(const CircleId& circle, BytesView signed_request,
                                const std::vector<Bytes>& grants, const OperatorKeys& operators) {
  OperatorKeys granted;
  for (const Bytes& grant : grants) {
    const auto key = TRY(verify_help_grant(circle, signed_request, grant));
    // What a stranger says does not count, and spoils nothing.
    if (operators.contains(key.bytes)) granted.insert(key.bytes);
  }
  if (granted.size() < kHelpGrants) return not_granted("another one's word is missing");
  return Ok{};
}

}  // namespace holdfast::circle
