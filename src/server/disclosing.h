// A case: everything that a machine apart needs to carry out a disclosure order, or to show that
// there is nothing to carry out. docs/formats/disclosure.md#the-case
//
// The service gathers; it judges nothing and can open nothing. Whether the order stands, the
// custodian judges before it seals a key to the order's machine, and that machine once more.
#pragma once

#include <string>

#include "api/custodian.h"
#include "server/loaded.h"
#include "server/public_log.h"
#include "server/storage.h"

namespace holdfast::server {

// How far a case has come.
struct CaseTurn {
  bool whole = false;
  std::string waits_for;    // in plain words; empty once it is whole
  std::uint64_t packs = 0;  // written by now
  std::uint64_t bytes = 0;
};

// Whose case it is, and what it is made from.
struct CaseFrom {
  std::string account;
  store::Account& in;
  PublicLog& log;
  api::Custodian* custodian;  // null: there is none
  Storage& storage;
  circle::OperatorKeys operators;  // those of now
  std::vector<Bytes> receipts;     // of the account's former custodians
};

// Brings a signed order (lawful/order.h) as far as it goes, and the case in `folder`, which is
// made. To be called until it is whole: the releases must first stand in a batch that the log
// shows, which takes up to the time between two batches. A kill at any point repeats. kDenied: the
// custodian gives nothing out for this order, and why; kUnavailable: it is away.
Result<CaseTurn> gather_case(const CaseFrom& from, BytesView signed_order,
                             const std::string& folder);

// What shows an outsider that no key exists: statements, the log's proof that they are the newest,
// and the receipt of each former custodian with its place in the log. kDenied: the account is at
// the standard level, and has a vault that is not always end-to-end encrypted. kUnavailable: a
// receipt is not in the log yet.
Result<void> state_no_key(const CaseFrom& from, const std::string& folder);

}  // namespace holdfast::server
