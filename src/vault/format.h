// The messages of an admission and the recovery capsule. docs/formats/admission.md
#pragma once

#include "circle/format.h"

namespace holdfast::vault {

// A message and its MAC under a key of the code, one key per message.
struct Authenticated {
  Bytes body;
  Digest mac;
  static constexpr auto kFields = wire::fields(&Authenticated::body, &Authenticated::mac);
};

struct JoinRequest {
  wire::Fixed<"holdfast/v1/join-request"> label;
  RequestId request;
  circle::DeviceInfo device;
  std::int64_t time_ms = 0;  // by the new device's clock
  static constexpr auto kFields = wire::fields(&JoinRequest::label, &JoinRequest::request,
                                               &JoinRequest::device, &JoinRequest::time_ms);
};

struct JoinAnswer {
  wire::Fixed<"holdfast/v1/join-answer"> label;
  Digest request;  // SHA-256 of the authenticated request
  CircleId circle;
  Bytes lookup;  // wrapped to the new device
  circle::TrustRoots trust_roots;
  static constexpr auto kFields =
      wire::fields(&JoinAnswer::label, &JoinAnswer::request, &JoinAnswer::circle,
                   &JoinAnswer::lookup, &JoinAnswer::trust_roots);
};

struct JoinCounter {
  wire::Fixed<"holdfast/v1/join-counter"> label;
  crypto::Signature signature{};  // circle::admission_bytes
  static constexpr auto kFields = wire::fields(&JoinCounter::label, &JoinCounter::signature);
};

// What the recovery key must know to refuse a fake or an older circle.
struct Capsule {
  wire::Fixed<"holdfast/v1/capsule"> label;
  CircleId circle;
  std::uint64_t seq = 0;  // of the statement before the one that enrols the key
  Digest head;
  Bytes lookup;  // sealed under the recovery key
  circle::TrustRoots trust_roots;
  wire::Bounded<circle::VaultHead, circle::kMaxVaults> vault_heads;
  static constexpr auto kFields =
      wire::fields(&Capsule::label, &Capsule::circle, &Capsule::seq, &Capsule::head,
                   &Capsule::lookup, &Capsule::trust_roots, &Capsule::vault_heads);
};

}  // namespace holdfast::vault
