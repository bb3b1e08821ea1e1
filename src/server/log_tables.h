// The log in the service's database: what was decided, before anyone is shown it.
//
// Two states: `shown`, whose checkpoint a quorum cosigned, and `decided`, which waits for that. A
// decided state is never decided anew: the log's key signs one tree of one size, also when the
// process dies between any two steps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "circle/format.h"
#include "crypto/key.h"
#include "server/writer.h"
#include "tlog/frontier.h"
#include "tlog/map.h"

namespace holdfast::server {

struct LookupPurpose {};
using LookupKey = crypto::Key<LookupPurpose>;

struct LogState {
  tlog::TreeHead head;
  std::vector<Digest> edge;
  Bytes note;          // signed by the log; shown: cosigned too
  Bytes newest_epoch;  // entry of the newest map epoch; empty: none yet
};

// Where an account stands in the map.
struct LogAccount {
  std::uint64_t circle_next = 0;  // statements in the map
  std::uint64_t data_next = 0;    // generations of its vaults' heads in the map
  std::vector<circle::VaultHead> heads;
};

// An account that changed since it was last taken into the map; `stamp` grows with each change.
// Since when, is in the database too: what a promise was given for must be known to whoever shows
// the log next, in this process or another.
struct DirtyAccount {
  std::string account;
  std::uint64_t stamp = 0;
  LogAccount now;
};

// An account whose newest statements came into the map, and whose starts are not kept yet.
struct Unstarted {
  std::string account;
  std::uint64_t from = 0;
  std::uint64_t to = 0;  // not this one
};

// The first half of the proof of an age (tlog::AgeEvidence without its end), of one statement.
struct KeptStart {
  std::uint64_t seq = 0;
  Bytes start;
};

struct LogStep {
  std::vector<Bytes> leaves;
  Bytes delta;  // encoded tlog::MapDelta; empty: no new epoch
  std::uint64_t epoch = 0;
  std::uint64_t taken_s = 0;           // when what changed was read: what came later is not in it
  std::vector<DirtyAccount> accounts;  // with their places after the step
  LogState after;
};

// Within the write that stores a statement or a record, so that no crash loses the account's
// change; of an account with a lookup key only.
Result<void> note_changed(sql::Database& database, std::string_view account, std::uint64_t now_s);

// Within a write that something else depends on: an entry for the next step.
Result<void> queue_leaf(sql::Database& database, BytesView leaf);

// Holds no state of its own: safe from several threads.
class LogTables {
 public:
  static const std::string kSchema;

  explicit LogTables(Writer& writer) : writer_(writer) {}

  // ---- accounts ----

  // kConflict: another account has this key.
  Result<void> put_lookup(const std::string& account, BytesView lookup) const;
  Result<std::optional<Bytes>> lookup(const std::string& account) const;
  Result<std::optional<LogAccount>> place(const std::string& account) const;
  Result<void> touch(const std::string& account, std::uint64_t now_s) const;
  Result<std::vector<DirtyAccount>> dirty(std::size_t limit) const;  // the longest waiting first
  // The first change that what is shown lacks was not before this; nothing: it lacks none.
  Result<std::optional<std::uint64_t>> dirty_since(const std::string& account) const;
  Result<void> erase(const std::string& account) const;

  // ---- ages ----

  // Every set of trust roots that this service ever had, by its hash in a genesis.
  Result<void> put_roots(const Digest& hash, BytesView roots) const;
  Result<std::optional<Bytes>> roots(const Digest& hash) const;
  // What show() noted.
  Result<std::vector<Unstarted>> unstarted(std::size_t limit) const;
  // The first one stays.
  Result<void> put_starts(const std::string& account, const std::vector<KeptStart>& starts) const;
  Result<void> forget_unstarted(const std::string& account) const;
  Result<std::optional<Bytes>> start(const std::string& account, std::uint64_t seq) const;

  // ---- the tree ----

  Result<std::optional<LogState>> shown() const;
  Result<std::optional<LogStep>> decided() const;
  Result<void> decide(const LogStep& step) const;
  // The decided step becomes what is shown, with its cosigned note. Accounts that changed meanwhile
  // stay dirty.
  Result<void> show(const LogStep& step, BytesView note) const;
  Result<void> renew(BytesView note) const;  // newer cosignatures of the tree that is shown
  Result<std::vector<Bytes>> leaves(std::uint64_t from, std::uint64_t to,
                                    std::size_t max_bytes) const;
  // Where this entry stands, looked for from the newest on.
  Result<std::optional<std::uint64_t>> index_of(BytesView entry) const;
  Result<std::uint64_t> epoch_index(std::uint64_t n) const;  // of epoch n's entry; kNotFound
  Result<std::vector<tlog::MapEntry>> map() const;           // of what is shown, sorted

  // Entries besides map epochs, that go into the next step. One that is numbered goes behind the
  // newest of its kind: kConflict if that changed meanwhile.
  Result<void> queue(BytesView leaf) const;
  struct Numbered {
    std::uint64_t n = 0;
    Bytes value;  // what the next one names: a leaf, a signed policy
  };
  Result<Numbered> newest(std::string_view kind) const;
  Result<void> queue(BytesView leaf, std::string_view kind, const Numbered& now) const;
  Result<std::vector<Bytes>> queued(std::size_t limit) const;

  // ---- policies ----

  // With its leaf, in one write; `version` is its number.
  Result<void> queue_policy(BytesView leaf, std::uint64_t version, BytesView signed_policy) const;
  Result<std::vector<Bytes>> policies() const;  // signed, the first one first

  // ---- release batches ----

  // With its leaf, in one write. `positions` are those of the batch's map.
  Result<void> queue_batch(BytesView leaf, std::uint64_t n,
                           const std::vector<tlog::MapEntry>& positions) const;
  Result<std::vector<tlog::MapEntry>> positions(std::uint64_t n) const;  // sorted
  Result<void> put_opening(std::uint64_t n, const tlog::MapLabel& at, BytesView opening) const;
  Result<std::optional<Bytes>> opening(std::uint64_t n, const tlog::MapLabel& at) const;

  Result<std::optional<Bytes>> audit() const;
  Result<void> put_audit(BytesView audit) const;

 private:
  Writer& writer_;
};

}  // namespace holdfast::server
