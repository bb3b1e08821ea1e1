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
constexpr std::size_t kMaxNewBytes = 16U * 1024 * 1024;     // of these statements
constexpr std::size_t kMaxDestroyBody = 32U * 1024 * 1024;  // of all of it
constexpr std::size_t kMaxBatchAccounts = 1'000'000;
constexpr std::size_t kMaxOpenings = 1000;  // in one answer
constexpr std::size_t kMaxHelpVaults = 64;
constexpr std::size_t kMaxOrderedKeys = 64;
constexpr std::size_t kMaxSignedOrder = 32 * 1024;

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

// The next entry of releases for the log, and what it has for each account, sorted.
struct NextBatch {
  Bytes leaf;  // an encoded tlog::ReleaseBatch
  std::vector<std::pair<Digest, Digest>> positions;
};

// Lists that are to be given to their accounts by now, of one batch, sorted by account. Batch 0:
// there are none.
struct DueOpenings {
  std::uint64_t batch = 0;
  std::vector<std::pair<CircleId, Bytes>> openings;  // encoded tlog::BatchOpening
};

// That an owner without devices is to be helped (circle/help.h).
struct HelpAsk {
  Bytes request;              // an encoded circle::SignedHelpRequest
  std::vector<Bytes> grants;  // encoded circle::SignedHelpGrant
};

// That help, proposed three days ago, is to be given.
struct HelpDue {
  std::uint64_t proposal = 0;  // number of the statement
  Bytes age;                   // tlog::AgeEvidence of it
  struct Head {
    VaultId vault;
    std::uint64_t n = 0;
    Digest head;
  };
  std::vector<Head> heads;  // of all vaults, sorted, for the statement
};

// For the circle, in one write.
struct HelpGiven {
  Bytes statement;
  std::vector<Bytes> blobs;
};

// What a disclosure order gives out, and what shows that the log had it first.
struct Disclosed {
  std::vector<Bytes> keys;  // of the order's vaults, in its order, sealed to its machine
  Bytes opening;            // the tlog::BatchOpening that lists them
  Bytes position;           // the tlog::PositionProof of it in its batch
};

class Custodian {
 public:
  virtual ~Custodian() = default;

  // The Ed25519 key that signs all of its keys and receipts; it never changes.
  virtual Result<Bytes> fleet_key() = 0;

  // The custodian's key for an account: an encoded circle::CustodianInfo. The same one until it is
  // destroyed, then another. A key that nobody keep()s is destroyed after an hour.
  virtual Result<Bytes> issue(const CircleId& circle) = 0;

  // To be called before a statement is stored that names this key. From then on only destroy() and
  // retire() end it. kNotFound: there is no such key any more. kInvalid, kUnsafe: the genesis is
  // not this circle's.
  virtual Result<void> keep(const CircleId& circle, const ReaderId& custodian,
                            BytesView genesis) = 0;

  virtual Result<CustodianSeen> seen(const CircleId& circle) = 0;

  // Entries of the log from CustodianSeen::entries on, where they are too many for one view; the
  // rest of `view` but its checkpoint does not count. kUnsafe: the log contradicts what the
  // custodian saw of it.
  virtual Result<void> follow(const LogView& view) = 0;

  // How many statements one piece of evidence may have, kMaxNewStatements at most.
  virtual std::size_t page() const { return kMaxNewStatements; }
  // Statements from CustodianSeen::statements on, where there are more of them than that; the view
  // does not count. seen() counts them from then on, until evidence shows that the log has others,
  // or the custodian starts again. kNotFound: it has no key of this account. kUnsafe, kConflict:
  // they do not follow.
  virtual Result<void> show(const CircleId& circle, const CircleEvidence& evidence) = 0;

  // That the service has this account no more: the key is destroyed thirty days later, without a
  // receipt. It is the service's word alone. One that lies ends help for the account, which it
  // could withhold as well, and nothing else; until then keep(), and evidence that has the key as
  // the account's, take it back. No such key is success.
  virtual Result<void> retire(const CircleId& circle, const ReaderId& custodian) = 0;

  // Destroys the key of a custodian that is a reader no more, and gives the receipt: an encoded
  // circle::SignedReceipt, always the same one. The key is gone for good before it returns.
  // kDenied: it is still a reader, or never was one. kUnavailable also where the log has not the
  // newest statement yet, or is older than a day. kUnsafe: the evidence is of a fork, or the log
  // contradicts it. kNotFound: there is no such key.
  virtual Result<Bytes> destroy(const CircleId& circle, const ReaderId& custodian,
                                const CircleEvidence& evidence) = 0;

  // ---- releases: logged before they take effect ----

  // The batch that follows the newest one in the log, as far as the custodian was shown that:
  // the same one until it is there. kUnsafe: the log has a batch that this custodian did not make.
  virtual Result<NextBatch> next_batch() { return no_custodian(); }
  // Nothing of a batch that is not in the log. The same ones until opened() says otherwise.
  virtual Result<DueOpenings> due_openings() { return no_custodian(); }
  // Those of this batch, of accounts up to this one, are with the service, durably.
  virtual Result<void> opened(std::uint64_t, const CircleId&) { return no_custodian(); }

  // ---- help for an owner without devices ----

  // The statement that proposes it, at the account's newest head; it waits three days, and any
  // device cancels it. kDenied: not two operators whom this custodian knows granted it, it was
  // proposed before, or the account is not at the standard level. Else as destroy().
  virtual Result<Bytes> propose_help(const CircleId&, const HelpAsk&, const CircleEvidence&) {
    return no_custodian();
  }
  // Has the releases that it takes listed: the leaf of the batch that they are in, empty while that
  // is to be made.
  // kNotFound: no such proposal waits. kUnsafe: it has not stood for three days. Else as destroy().
  virtual Result<Bytes> list_help(const CircleId&, const HelpDue&, const CircleEvidence&) {
    return no_custodian();
  }
  // The statement that completes it, with the account's vault keys for the helped owner.
  // `envelopes`: the custodian's own, of each vault that it reads, in the order of their ids.
  // `batch`: an encoded tlog::LeafProof of the batch that lists the releases, in the checkpoint of
  // `evidence`. kUnavailable also where they are not listed yet. kUnsafe also where the log does
  // not show that batch. Else as list_help().
  virtual Result<HelpGiven> complete_help(const CircleId&, const HelpDue&,
                                          const std::vector<Bytes>& /*envelopes*/,
                                          BytesView /*batch*/, const CircleEvidence&) {
    return no_custodian();
  }

  // ---- disclosure: what two operators ordered (lawful/order.h) ----

  // Has what an encoded lawful::SignedOrder gives out listed: the leaf of the batch that it is in,
  // empty while that is to be made. kDenied: not two operators whom this custodian knows signed it,
  // it is old, of another account or another delay than the batches have, or no key exists: the
  // account is at the advanced level, or the vault is always end-to-end encrypted. Else as
  // destroy().
  virtual Result<Bytes> list_disclosure(const CircleId&, BytesView /*order*/,
                                        const CircleEvidence&) {
    return no_custodian();
  }
  // The keys of the order's vaults and of no other, sealed to its machine. `envelopes`: the
  // custodian's own, one for each key of the order. `batch`, and the errors, as complete_help().
  virtual Result<Disclosed> disclose(const CircleId&, BytesView /*order*/,
                                     const std::vector<Bytes>& /*envelopes*/, BytesView /*batch*/,
                                     const CircleEvidence&) {
    return no_custodian();
  }
};

}  // namespace holdfast::api
