// The trail of the service's operators: docs/formats/server.md.
#pragma once

#include "circle/format.h"
#include "crypto/sign.h"
#include "wire/fields.h"

namespace holdfast::server {

constexpr std::size_t kMaxTrailEntry = 1024;

enum class OperatorAct : std::uint8_t {
  kAdd = 1,
  kRevoke,
  kGrantHelp,   // to an owner without devices
  kRefuseHelp,  // the request is gone
  kLast = kRefuseHelp
};

struct TrailEntry {
  wire::Fixed<"holdfast/v1/operator-entry"> label;
  std::uint64_t n = 0;  // the first is 1
  Digest prev;          // head before; zero for the first
  std::int64_t time_ms = 0;
  OperatorAct act{};
  std::string name;  // of an operator; of help the code of the request
  std::array<std::uint8_t, crypto::VerifyKey::kSize> key{};  // of that operator; of help all zero
  Digest signer;  // id of the acting operator's key; the first adds itself
  static constexpr auto kFields =
      wire::fields(&TrailEntry::label, &TrailEntry::n, &TrailEntry::prev, &TrailEntry::time_ms,
                   &TrailEntry::act, &TrailEntry::name, &TrailEntry::key, &TrailEntry::signer);
};

// Heads of an account's vaults, as they stand in the log's map.
struct LogHeads {
  wire::Bounded<circle::VaultHead, circle::kMaxVaults> heads;
  static constexpr auto kFields = wire::fields(&LogHeads::heads);
};

struct SignedTrailEntry {
  Bytes entry;
  crypto::Signature signature{};
  static constexpr auto kFields =
      wire::fields(&SignedTrailEntry::entry, &SignedTrailEntry::signature);
};

}  // namespace holdfast::server
