// The custodian's door: what a service asks of the provider's key holder.
//
// Two that need not trust each other. The custodian takes nothing on the service's word: what an
// account chose it reads from the account's own signed statements, and whether they are the newest
// from the public log. Whoever controls the service can have keys made and can withhold; it cannot
// have a key destroyed that an account still relies on, and nothing here gives a key out.
// The custodian is trusted by accounts at the standard level: it can read what they store. Whoever
// controls it can read that too, and can lie about what it destroyed.
//
// Every call may be repeated: doing it twice is doing it once. What it answers is durable. Safe
// from several threads. Every call: kUnavailable where it, its token or the line to it fails.
#pragma once

#include "api/doors.h"

namespace holdfast::api {

constexpr std::size_t kMaxNewStatements = 4096;             // in one piece of evidence
constexpr std::size_t kMaxDestroyBody = 32U * 1024 * 1024;  // of all of it

// How far the custodian has come by itself: send what follows.
struct CustodianSeen {
  std::uint64_t statements = 0;  // of this circle
  std::uint64_t entries = 0;     // of the log
};

// What an account's state is proven with.
struct CircleEvidence {
  std::vector<Bytes> statements;  // from CustodianSeen::statements on, up to the newest
  Bytes lookup;                   // the account's lookup key
  Bytes roots;                    // the encoded trust roots that its genesis has the hash of
  LogView view;                   // with the entries from CustodianSeen::entries on
};

class Custodian {
 public:
  virtual ~Custodian() = default;

  // The Ed25519 key that signs all of its keys and receipts; it never changes.
  virtual Result<Bytes> fleet_key() = 0;

  // The custodian's key for an account: an encoded circle::CustodianInfo. The same one until it is
  // destroyed, then another. A key that nobody keep()s is destroyed after a day.
  virtual Result<Bytes> issue(const CircleId& circle) = 0;

  // To be called before a statement is stored that names this key. From then on only destroy()
  // ends it. kNotFound: there is no such key any more. kInvalid, kUnsafe: the genesis is not this
  // circle's.
  virtual Result<void> keep(const CircleId& circle, const ReaderId& custodian,
                            BytesView genesis) = 0;

  virtual Result<CustodianSeen> seen(const CircleId& circle) = 0;

  // Entries of the log from CustodianSeen::entries on, where they are too many for one view; the
  // rest of `view` but its checkpoint does not count. kUnsafe: the log contradicts what the
  // custodian saw of it.
  virtual Result<void> follow(const LogView& view) = 0;

  // Destroys the key of a custodian that is a reader no more, and gives the receipt: an encoded
  // circle::SignedReceipt, always the same one. The key is gone for good before it returns.
  // kDenied: it is still a reader, or never was one. kUnavailable also where the log has not the
  // newest statement yet, or is older than a day. kUnsafe: the evidence is of a fork, or the log
  // contradicts it. kNotFound: there is no such key.
  virtual Result<Bytes> destroy(const CircleId& circle, const ReaderId& custodian,
                                const CircleEvidence& evidence) = 0;
};

}  // namespace holdfast::api
