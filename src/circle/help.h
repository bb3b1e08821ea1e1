// Asking the provider for help: what an owner without devices asks with, and what operators who
// grant it sign. docs/formats/circle.md#asking-for-help
//
// A request is a stranger's: it proves that the asker holds the keys that it names, never that the
// asker is the account's owner. Two people find that out, by another way.
#pragma once

#include <set>

#include "circle/format.h"

namespace holdfast::circle {

inline constexpr std::string_view kHelpRequestLabel = "holdfast/v1/help-request/sig";
inline constexpr std::string_view kHelpGrantLabel = "holdfast/v1/help-grant/sig";

constexpr std::size_t kMaxHelpRequest = 2 * 1024;
constexpr std::int64_t kHelpRequestMs = 30LL * 24 * 60 * 60 * 1000;  // it is good for so long
constexpr std::size_t kHelpGrants = 2;                               // operators, different ones

struct HelpRequest {
  wire::Fixed<"holdfast/v1/help-request"> label;
  std::string account;
  DeviceInfo device;         // new keys, which are to read
  std::int64_t time_ms = 0;  // by the asker's clock
  static constexpr auto kFields = wire::fields(&HelpRequest::label, &HelpRequest::account,
                                               &HelpRequest::device, &HelpRequest::time_ms);
};

struct SignedHelpRequest {
  Bytes request;
  crypto::Signature signature{};  // by the device's key
  static constexpr auto kFields =
      wire::fields(&SignedHelpRequest::request, &SignedHelpRequest::signature);
};

struct HelpGrant {
  wire::Fixed<"holdfast/v1/help-grant"> label;
  CircleId circle;
  ReaderId helped;
  Digest request;  // SHA-256 of the encoded SignedHelpRequest
  static constexpr auto kFields =
      wire::fields(&HelpGrant::label, &HelpGrant::circle, &HelpGrant::helped, &HelpGrant::request);
};

struct SignedHelpGrant {
  std::array<std::uint8_t, crypto::VerifyKey::kSize> operator_key{};
  Bytes grant;
  crypto::Signature signature{};
  static constexpr auto kFields = wire::fields(
      &SignedHelpGrant::operator_key, &SignedHelpGrant::grant, &SignedHelpGrant::signature);
};

Bytes sign_help_request(const HelpRequest& request, const crypto::SigningKey& device);
// kInvalid: it is no request, names keys that it is not signed with, or keys that nothing can be
// wrapped to.
Result<HelpRequest> verify_help_request(BytesView signed_request);

// What the asker reads to the operators: twenty digits of the request's SHA-256.
std::string help_code(BytesView signed_request);

Bytes sign_help_grant(const HelpGrant& grant, const crypto::SigningKey& operator_key);
// Whose it is. kDenied: it is not of this account and request, or the signature is wrong.
Result<crypto::VerifyKey> verify_help_grant(const CircleId& circle, BytesView signed_request,
                                            BytesView signed_grant);

using OperatorKeys = std::set<std::array<std::uint8_t, crypto::VerifyKey::kSize>>;
// kDenied unless two of `operators`, and different ones, granted this request for this account.
Result<void> check_help_granted(const CircleId& circle, BytesView signed_request,
                                const std::vector<Bytes>& grants, const OperatorKeys& operators);

}  // namespace holdfast::circle
