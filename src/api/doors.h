// The doors: everything a device may ask of a store, in ids and in sealed or signed bytes.
//
// Whoever stands behind a door is NOT trusted. It can withhold, delete, reorder or show an old
// state; it can never read content nor forge what a device accepts. Every answer is checked by its
// caller. Every call may be repeated: doing it twice with the same arguments is doing it once.
// Safe from several threads.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "crypto/sign.h"

namespace holdfast::api {

constexpr std::size_t kMaxJoinMessage = 8 * 1024;  // bytes of each message of an admission
constexpr std::size_t kMaxOpenJoins = 64;          // requests to join that wait at one time
constexpr std::size_t kMaxPackBytes = 64 * 1024 * 1024;
constexpr std::size_t kMaxHavePacks = 1000;  // asked for at one time
constexpr std::size_t kMaxBlobBytes = 4 * 1024;
constexpr std::size_t kMaxLogLeaves = 4096;  // of a log, in one answer
constexpr std::size_t kMaxAgeEvidence = 24 * 1024;
constexpr std::size_t kMaxHelpRequest = 2 * 1024;

// What the store says of an append: a log's promise of inclusion, where there is a log.
struct Receipt {
  std::optional<Bytes> promise;
};

// The last MAC of an admission; it travels with the statement that admits.
struct Admission {
  RequestId request;
  Bytes mac;
};

// A statement and everything that must become visible with it, at once or not at all.
struct Append {
  Bytes statement;           // encoded circle::SignedStatement
  std::vector<Bytes> blobs;  // the envelopes and sealed keys it names, in its order
  std::optional<Admission> admission;
  // Of a genesis that names a log: the account's lookup key, 32 bytes, of which the service makes
  // the account's labels in the log's map. Secret from outsiders only.
  std::optional<Bytes> lookup{};
};

// The messages of one admission (docs/formats/admission.md). Each is written once.
enum class JoinMessage { kRequest, kAnswer, kCounter };

inline Error no_log() { return {Code::kNotFound, "this store has no log"}; }
inline Error no_custodian() { return {Code::kNotFound, "this store has no custodian"}; }

// What anyone may ask who knows an account's name.
class Visitor {
 public:
  virtual ~Visitor() = default;

  // Names of accounts, where the store's owner can see them anyway (a folder); a service answers
  // kDenied: a visitor sees nothing of another account, not even whether it exists.
  virtual Result<std::vector<std::string>> accounts() = 0;

  // Makes an account from its genesis. kConflict if the name is taken.
  virtual Result<Receipt> create_account(const std::string& account, const Append& genesis) = 0;

  // kConflict if that message of that request was written before with other bytes; kUnavailable
  // when too many requests wait.
  virtual Result<void> put_join(const std::string& account, const RequestId& request,
                                JoinMessage which, BytesView message) = 0;
  // kNotFound until it is there.
  virtual Result<Bytes> get_join(const std::string& account, const RequestId& request,
                                 JoinMessage which) = 0;
  // The statement's number and MAC once the request was admitted; kNotFound until then.
  struct Admitted {
    std::uint64_t seq = 0;
    Bytes mac;
  };
  virtual Result<Admitted> get_admission(const std::string& account, const RequestId& request) = 0;

  // The account whose current recovery capsule lies at `locate`, and that capsule. kNotFound.
  struct Capsule {
    std::string account;
    Bytes capsule;
  };
  virtual Result<Capsule> find_capsule(const LocateId& locate) = 0;

  // A file of the service's public log by its path there, of at most kMaxLogFile bytes ("roots",
  // "checkpoint", "tile/0/000", "map/12"). kNotFound: there is no such file,
  // or no log.
  static constexpr std::size_t kMaxLogFile = 16 * 1024 * 1024;
  virtual Result<Bytes> get_log(const std::string&) { return no_log(); }

  // The custodian's key for this account, which need not be there yet: an encoded
  // circle::CustodianInfo. The same one until it is destroyed; one that no statement names within a
  // day is. kNotFound: this store has no custodian. kUnavailable: it is away, or the caller's
  // address asked for too many keys today.
  virtual Result<Bytes> custodian_key(const CircleId&) { return no_custodian(); }

  // Asks the provider to help the owner of this account, who has no device left: an encoded
  // circle::SignedHelpRequest. It waits for two operators, thirty days at most. Nothing that is
  // answered tells whether there is such an account. kInvalid: it is no request for it.
  // kUnavailable: too many wait. kNotFound: this store has no custodian.
  virtual Result<void> ask_help(const std::string&, BytesView) { return no_custodian(); }
};

// What the log says of one account, as of one checkpoint.
struct LogView {
  Bytes checkpoint;            // a signed note with its cosignatures
  std::vector<Bytes> leaves;   // from the one asked for on, as many as fit
  std::optional<Bytes> audit;  // the auditor's note on the newest map epoch
  // Each series: how many labels it has, and the proof of the last one and of the next's absence
  // (tlog::SeriesProof).
  std::uint64_t circle_next = 0;
  Bytes circle_proof;
  std::uint64_t data_next = 0;
  std::vector<std::pair<VaultId, std::uint64_t>> data_heads;  // what its last label stands for
  Bytes data_proof;
};

// What one release batch has at the account's position (tlog::PositionProof), and, once it is given
// out, the list behind it (tlog::BatchOpening).
struct BatchView {
  Bytes position;
  std::optional<Bytes> opening;
};

// What became of the keys of the account's former custodians.
struct CustodyStatus {
  // When one ceased to be a reader whose key is not known to be destroyed yet; none: there is none.
  std::optional<TimeMs> pending_since;
  std::vector<Bytes> receipts;  // encoded circle::SignedReceipt, of those whose is
};

// What an account takes and may take.
struct Usage {
  std::optional<std::uint64_t> bytes;  // of packs; none: the store does not count
  std::optional<std::uint64_t> quota;  // none: no limit but the disk
  std::int64_t grace_ms = 0;           // how long packs that a record dropped are kept
  std::optional<TimeMs> deletion_ms;   // when the account's ciphertext will be gone
};

// One line of the connection log: who came, from where, first and last in an hour.
struct Connection {
  ReaderId caller;
  std::string address;
  TimeMs first_ms = 0;
  TimeMs last_ms = 0;
  std::uint64_t requests = 0;
};

// What a member, or the recovery key, may ask of its account.
class Session {
 public:
  virtual ~Session() = default;

  // Statements from number `from` on, in order, at most `kMaxPage` of them.
  static constexpr std::size_t kMaxPage = 256;
  virtual Result<std::vector<Bytes>> read_circle(std::uint64_t from) = 0;
  // Compare-and-swap on the head that the statement names and on the vault heads in it. Durable
  // once it returns. kConflict: the head moved, nothing was changed.
  virtual Result<Receipt> append(const Append& append) = 0;
  // kNotFound; the caller checks that its SHA-256 is `blob`.
  virtual Result<Bytes> get_blob(const BlobId& blob) = 0;

  virtual Result<std::vector<RequestId>> list_joins() = 0;
  // Forgets a request that ended or expired.
  virtual Result<void> drop_join(const RequestId& request) = 0;

  // Records of a vault from number `from` (the first is 1) on, at most kMaxPage.
  virtual Result<std::vector<Bytes>> read_records(const VaultId& vault, std::uint64_t from) = 0;
  // When the store received these records, in their order, at most kMaxPage: its word, by its
  // clock. One that it lost and was given back counts from then.
  virtual Result<std::vector<TimeMs>> received(const VaultId& vault, std::uint64_t from) = 0;
  // Compare-and-swap on the record before and on the circle's epoch. Durable once it returns, and
  // so is every pack put before it. kConflict: one of them moved, nothing was changed.
  virtual Result<Receipt> append_record(const VaultId& vault, BytesView record) = 0;

  // Stores a pack or a key segment under the SHA-256 of its bytes, durably.
  virtual Result<void> put_pack(const PackId& pack, BytesView bytes) = 0;
  virtual Result<Bytes> get_pack(const PackId& pack) = 0;
  // Which of these are there, in their order.
  virtual Result<std::vector<bool>> have_packs(const std::vector<PackId>& packs) = 0;

  virtual Result<Usage> usage() = 0;
  // Asks for the account's end, or takes that back. The answer is usage() afterwards. kInvalid
  // where the store's owner deletes files (a folder).
  virtual Result<Usage> delete_account() = 0;
  virtual Result<Usage> keep_account() = 0;
  // As far back as the store keeps it, newest first; none where it keeps no such log.
  virtual Result<std::vector<Connection>> connections() = 0;
  // Leaves from number `from` of the log on, and the account's place in its map. kNotFound: no log.
  virtual Result<LogView> read_log(std::uint64_t) { return no_log(); }
  // What release batches from number `from` on have for this account, at most kMaxPage of them.
  virtual Result<std::vector<BatchView>> read_batches(std::uint64_t) { return no_log(); }
  // How long statement `seq` has stood in the log, proven by the first checkpoint that had it and
  // the newest (tlog::AgeEvidence). kNotFound: no log, or the statement is not in it yet.
  virtual Result<Bytes> prove_age(std::uint64_t) { return no_log(); }
  // kNotFound: this store has no custodian.
  virtual Result<CustodyStatus> custody() { return no_custodian(); }
  // Returns once something in the account is newer than `seen` (a number that this function gave
  // before, or 0), or after `patience_ms`; gives the number of now.
  virtual Result<std::uint64_t> wait_for_change(std::uint64_t seen, std::int64_t patience_ms) = 0;
};

// Who opens a session. A service asks for a signature of each request; a folder asks for nothing.
struct Caller {
  ReaderId id;
  std::shared_ptr<const crypto::SigningKey> key;
};

// A store reached from here: both doors, for one place.
class Store : public Visitor {
 public:
  // kNotFound when there is no such account; a service says kDenied, then or at the first request.
  virtual Result<std::unique_ptr<Session>> open_account(const std::string& account,
                                                        const Caller& caller) = 0;
  // SHA-256 of the service's public TLS key, a trust root of accounts made there; empty: a folder.
  virtual Bytes tls_pin() const = 0;
};

}  // namespace holdfast::api
