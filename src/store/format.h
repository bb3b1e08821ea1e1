// What a store keeps for itself; docs/formats/store.md has the folder's layout.
#pragma once

#include "circle/format.h"
#include "wire/fields.h"

namespace holdfast::store {

constexpr std::size_t kMaxAdmissionMac = 64;
// A statement, a MAC and the little around them.
constexpr std::size_t kMaxEntry = circle::kMaxStatement + 512;

struct AdmissionEntry {
  RequestId request;
  Bytes mac;
  static constexpr auto kFields = wire::fields(&AdmissionEntry::request, &AdmissionEntry::mac);
};

// One file: creating it is the commit of the statement and of the admission that goes with it.
struct Entry {
  wire::Fixed<"holdfast/v1/store/entry"> label;
  Bytes statement;  // encoded circle::SignedStatement
  std::optional<AdmissionEntry> admission;
  static constexpr auto kFields = wire::fields(&Entry::label, &Entry::statement, &Entry::admission);
};

}  // namespace holdfast::store
