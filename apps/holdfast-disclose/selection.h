// Which snapshots of a vault an order reaches, and why not the others.
#pragma once

#include "archive/access.h"
#include "archive/catalog.h"
#include "case_folder.h"
#include "own_key.h"

namespace holdfast::disclose {

struct Chosen {
  std::uint64_t n = 0;  // of the record
  std::int64_t received_ms = 0;
  std::string device;  // of its signer
  PackId root;
};

struct Withheld {
  std::uint64_t n = 0;
  std::int64_t received_ms = 0;
  std::string why;
};

// An ordered vault with its keys open.
struct VaultToOpen {
  circle::Vault vault;
  std::uint32_t epoch = 0;  // the newest that was released
  archive::VaultAccess access;
  std::vector<archive::SegmentRef> key_segments;
  std::vector<PackId> index_segments;
  std::vector<Chosen> chosen;  // oldest first
  std::vector<Withheld> withheld;
};

// kDenied: a key was sealed for another order or machine. kUnsafe: a link is not the circle's.
Result<VaultToOpen> choose(const OrderedCase& from, const OrderedVault& vault, const OwnKey& own,
                           CaseSession& session);

}  // namespace holdfast::disclose
