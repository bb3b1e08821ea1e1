// A case: what a machine apart is given to carry out a disclosure order, or an outsider to see that
// no key exists. docs/formats/disclosure.md#the-case
//
//   CASE/case                      the structure below
//   CASE/circle/<number>           the account's statements from 00000000 on
//   CASE/vaults/<vault>/<number>   records of the ordered vaults from 00000001 on, as received
//   CASE/links/<sha-256>           the links between a vault's keys
//   CASE/packs/<sha-256>           packs of the account
//
// It comes from the service, which is not trusted: nothing in it counts before it is verified here.
// Pure.
#pragma once

#include "circle/circle.h"
#include "lawful/order.h"
#include "tlog/checkpoint.h"

namespace holdfast::lawful {

constexpr std::size_t kMaxCaseFile = 32 * 1024 * 1024;
constexpr std::size_t kMaxCaseStatements = 100'000;
constexpr std::size_t kMaxCaseRecords = 1'000'000;
constexpr std::size_t kMaxLeavesAfter = 4096;

// Which statement of an account is the newest, by the log: the newest generation of the map in one
// checkpoint, all entries after it (none of which is a newer generation), and in that map the
// account's last statement and the absence of the next.
struct StateProof {
  Bytes roots;   // encoded circle::TrustRoots, as the genesis has their hash
  Bytes lookup;  // the account's lookup key: with it its labels in the map are told
  tlog::LeafProof epoch;
  wire::Bounded<Bytes, kMaxLeavesAfter> after;
  Bytes circle_proof;  // tlog::SeriesProof
  static constexpr auto kFields =
      wire::fields(&StateProof::roots, &StateProof::lookup, &StateProof::epoch, &StateProof::after,
                   &StateProof::circle_proof);
};

// What the custodian gave out, and that the log had it.
struct Released {
  tlog::LeafProof batch;
  Bytes opening;                               // tlog::BatchOpening
  Bytes position;                              // tlog::PositionProof
  wire::Bounded<Bytes, kMaxOrderedKeys> keys;  // sealed, in the order's order
  static constexpr auto kFields =
      wire::fields(&Released::batch, &Released::opening, &Released::position, &Released::keys);
};

// That a former custodian's key was destroyed, as its provider says, and that the log has that.
struct ReceiptProof {
  Bytes receipt;  // circle::SignedReceipt
  tlog::LeafProof leaf;
  static constexpr auto kFields = wire::fields(&ReceiptProof::receipt, &ReceiptProof::leaf);
};

struct Case {
  wire::Fixed<"holdfast/v1/disclosure-case"> label;
  CircleId circle;
  Bytes order;  // encoded SignedOrder; empty: it shows that no key exists, and gives nothing
  StateProof state;
  std::optional<Released> released;  // where there is an order
  wire::Bounded<ReceiptProof, 64> receipts;
  static constexpr auto kFields = wire::fields(&Case::label, &Case::circle, &Case::order,
                                               &Case::state, &Case::released, &Case::receipts);
};

// A record, with when the service says that it received it.
struct ReceivedRecord {
  wire::Fixed<"holdfast/v1/received-record"> label;
  std::int64_t received_ms = 0;
  Bytes record;  // circle::SignedRecord
  static constexpr auto kFields =
      wire::fields(&ReceivedRecord::label, &ReceivedRecord::received_ms, &ReceivedRecord::record);
};

// ---- names within a case ----

inline constexpr const char* kCaseName = "case";
std::string statement_name(std::uint64_t seq);
std::string record_name(const VaultId& vault, std::uint64_t n);
std::string link_name(const BlobId& blob);
std::string pack_name(const PackId& pack);

// ---- checking one ----

// The account, as one checkpoint of its log has it newest.
struct ShownState {
  circle::Circle circle;
  tlog::TrustedLog log;  // as the genesis names it
  tlog::Checkpoint checkpoint;
};
// kUnsafe unless the statements are all that the log has of this account. As strong as the quorum
// of witnesses that its genesis names; where that names none, as honest as the log's own key.
Result<ShownState> verify_state(const CircleId& circle, const StateProof& proof,
                                const std::vector<Bytes>& statements);

// kUnsafe unless a batch in that same checkpoint lists each key of the order, for its machine and
// its demand, with the order's delay. kDenied: the account is not one that this order reaches.
Result<tlog::ReleaseBatch> verify_released(const ShownState& state, const VerifiedOrder& order,
                                           const Released& released);

// Of what no key exists outside the owner's own devices, by the account's statements and the
// provider's receipts.
struct NoKey {
  bool whole = false;                 // of nothing in the account: it is at the advanced level
  std::vector<circle::Vault> vaults;  // of these
  std::vector<circle::DeletionReceipt> receipts;
};
// kDenied: a custodian reads all of it. kUnsafe: the receipt of a former custodian is missing or is
// not in the log.
Result<NoKey> verify_no_key(const ShownState& state, const std::vector<ReceiptProof>& receipts);

}  // namespace holdfast::lawful
