// The service's log: decides what goes into it, promises it, and tells devices and the world.
//
// Trusted by nobody: whoever controls the service can stop it or try to show two histories; the
// second is what witnesses, auditors and devices find out (docs/decisions/0007-log.md).
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "base/clock.h"
#include "lawful/case.h"
#include "server/log_files.h"
#include "server/log_tables.h"
#include "server/policies.h"
#include "tlog/add_checkpoint.h"
#include "tlog/audit.h"
#include "tlog/batch.h"
#include "tlog/leaves.h"
#include "tlog/promise.h"

namespace holdfast::server {

// More than the seven days of notice: what is queued must first be cosigned.
constexpr std::uint64_t kLead_s = 60 * 60;

struct LogOptions {
  std::string folder;    // of the public files
  std::string key_file;  // 32 bytes, mode 0600; made on the first start
  std::string name;      // the origin; "": made from the key. Never changes.
  // Of new accounts. The log's own name and key are filled in.
  tlog::LogRoots roots;
  // The other trust roots of new accounts; empty: none.
  Bytes tls_pin{};
  Bytes policy_key{};
  Bytes fleet_key{};
  std::uint64_t promise_s = tlog::kMaxPromise_s;
};

// What an account's lists hold by now: the heads of the statements from `from` on, and of its
// vaults.
struct AccountLists {
  std::vector<Digest> heads;
  std::vector<circle::VaultHead> vaults;
  std::vector<std::uint64_t> begins;  // those of the statements that a rule may ask the age of
};
using ReadLists =
    std::function<Result<AccountLists>(const std::string& account, std::uint64_t from)>;

// Safe from several threads; step() and what follows it only from one.
class PublicLog {
 public:
  // kInvalid: the roots make no sense, or the name changed. kUnsafe: the files or tables are of
  // another key.
  static Result<std::unique_ptr<PublicLog>> open(Writer& writer, LogOptions options,
                                                 std::shared_ptr<const Clock> clock);

  const tlog::TrustedLog& trusted() const { return trusted_; }

  // ---- accounts ----

  // kInvalid unless the genesis commits to this key.
  static Result<void> check_lookup(BytesView lookup, const Digest& committed);
  // `genesis`: its head. kConflict: another account has this lookup key, or had it: labels in the
  // map are for ever.
  Result<void> add_account(const std::string& account, BytesView lookup, const Digest& genesis);
  Result<void> forget_account(const std::string& account) { return tables_.erase(account); }
  // For a statement that was stored. nullopt: the account is not in the log.
  Result<std::optional<Bytes>> promise(const std::string& account, const CircleId& circle,
                                       std::uint64_t seq, const Digest& head);
  // For a record that was stored; likewise.
  Result<std::optional<Bytes>> promise(const std::string& account, const circle::Record& record,
                                       const Digest& head);

  // ---- what is told ----

  // How many of the account's statements the log shows.
  Result<std::uint64_t> logged_statements(const std::string& account) const;
  // What proves its place in the map to others: its lookup key, and the trust roots with this hash,
  // which its genesis has. kNotFound.
  struct Proven {
    Bytes lookup;
    Bytes roots;
  };
  Result<Proven> proven_by(const std::string& account, const Digest& roots) const;

  // As Session::prove_age().
  Result<Bytes> prove_age(const std::string& account, std::uint64_t seq);
  // kUnavailable: what stands was cosigned after a promise to this account was due that it does not
  // keep yet. A device would have evidence; an honest log is only late, and has it in the next
  // step.
  Result<api::LogView> view(const std::string& account, std::uint64_t from);
  // A view of no account: the checkpoint, and entries from `from` on.
  Result<api::LogView> entries(std::uint64_t from) const;
  // That the log has this entry, in the tree that is shown. kUnavailable: it is not in it.
  Result<tlog::LeafProof> prove_leaf(BytesView entry) const;
  // Which of the account's statements is the newest, for those who follow no log. `roots`: the hash
  // that its genesis has. kUnavailable: the map is not yet as it will be promised, or too much of
  // the log follows it.
  Result<lawful::StateProof> prove_state(const std::string& account, const Digest& roots) const;
  Result<api::StoredFile> open_file(const std::string& path) const { return files_.open(path); }

  // ---- the sequence: step(), then cosign() until it shows ----

  // Takes in everything that changed, unless a step waits. False: there was nothing.
  Result<bool> step(const ReadLists& read);

  // ---- what others put into the log; in the next step. Safe from several threads ----

  // A custody key, a receipt, a release of software, a change of trust roots, what binds the trail
  // of lawful demands, or their report. kInvalid: it gives less notice than seven days and
  // `kLead_s`, does not fit what stands, or is of another kind.
  Result<void> append_leaf(const tlog::Leaf& leaf);
  // The key that signs the custodian's keys, unless the newest entry of one has it. The first one
  // counts at once, like the first policy; kInvalid: another one, with less notice.
  Result<void> append_fleet_key(const tlog::CustodyKey& key);
  // The next policy, signed. kInvalid, kUnsafe, kCorrupt: it is not the next, has no rules, gives
  // too little notice, or is not by the policy key.
  Result<void> append_policy(BytesView signed_policy) {
    return policies_.append(signed_policy, now_s());
  }
  std::vector<Bytes> policies() const { return policies_.all(); }
  // By the policy in effect now, as this machine's clock says.
  Judged judge(std::string_view region) const { return policies_.judge(region, now_s()); }
  // The next batch and what it has at each position, sorted; the newest again changes nothing.
  // kInvalid: they do not fit.
  Result<void> append_batch(BytesView leaf, const std::vector<tlog::MapEntry>& positions);
  // Gives an account what is behind its position. kInvalid: the batch has another value there.
  Result<void> open_batch(std::uint64_t n, const CircleId& circle, BytesView opening);
  Result<std::vector<api::BatchView>> batches(const CircleId& circle, std::uint64_t from);

  // What a witness should be sent: the step that waits, or, once its cosignatures are older than
  // `renew_s`, what is shown.
  struct Due {
    Bytes note;
    tlog::TreeHead head;
  };
  std::optional<Due> due(std::uint64_t renew_s) const;
  Result<tlog::Proof> consistency(std::uint64_t from, std::uint64_t to) const;
  // Of a witness's answer, its own signature on Due::note. kDenied, with the reason: there is none
  // that counts.
  Result<tlog::NoteSignature> pick(const Due& due, const tlog::NoteKey& witness,
                                   const std::vector<tlog::NoteSignature>& signatures) const;
  Result<tlog::Proof> inclusion(std::uint64_t index) const;  // in the tree that is shown
  // Signatures on Due::note. Shows the step once a quorum signed; true if it did.
  Result<bool> cosign(const Due& due, const std::vector<tlog::NoteSignature>& signatures);

  // What an auditor that has come to epoch `n` should be sent next; nullopt: nothing. `index` of
  // the entry is in the tree that is shown.
  Result<std::optional<tlog::AuditRequest>> next_audit(std::uint64_t n) const;
  Result<Bytes> shown_note() const;
  Result<void> add_audit(BytesView audit);

  // Leaves, map entries, seconds since the cosignatures of what is shown.
  std::vector<std::pair<std::string, double>> gauges() const;

 private:
  PublicLog(Writer& writer, LogFiles files, tlog::LogSigner signer, tlog::TrustedLog trusted,
            circle::TrustRoots site, std::uint64_t promise_s, std::shared_ptr<const Clock> clock)
      : tables_(writer),
        files_(std::move(files)),
        signer_(std::move(signer)),
        trusted_(std::move(trusted)),
        site_(std::move(site)),
        promise_s_(promise_s),
        clock_(std::move(clock)),
        policies_(tables_, files_, site_.policy_key) {}

  Result<void> load();
  Result<void> begin();
  Result<LogStep> take(const ReadLists& read) const;
  bool take_account(DirtyAccount& one, const AccountLists& lists, BytesView lookup,
                    std::vector<tlog::MapEntry>& entries) const;
  Result<void> add_epoch(LogStep& step) const;
  Result<void> write_files(const LogStep& step);
  Result<void> show(const Bytes& note);
  Result<tlog::LeafProof> prove_shown(BytesView entry) const;
  Result<void> check_promises_kept(const std::string& account) const;
  Result<void> write_notices(const LogStep& step, const Bytes& note);
  Result<void> check_lead(std::uint64_t from_s) const;
  Result<void> check_trust_change(const tlog::TrustChange& change) const;
  Result<std::shared_ptr<const tlog::Map>> batch_map(std::uint64_t n);
  std::shared_ptr<const tlog::Map> kept_batch_map(std::uint64_t n);  // null: it is not
  Result<void> keep_starts(const ReadLists& read);
  Result<Bytes> make_start(const LookupKey& key, std::uint64_t seq) const;
  std::uint64_t now_s() const { return static_cast<std::uint64_t>(clock_->now() / 1000); }

  LogTables tables_;
  LogFiles files_;
  const tlog::LogSigner signer_;
  const tlog::TrustedLog trusted_;
  const circle::TrustRoots site_;  // of new accounts
  const std::uint64_t promise_s_;
  const std::shared_ptr<const Clock> clock_;
  Policies policies_;

  // Written by the one thread of step(), with it held alone; read by others with it held shared.
  mutable std::shared_mutex mutex_;
  LogState shown_;
  std::uint64_t cosigned_s_ = 0;     // by this machine's clock; 0: before this process began
  std::uint64_t shown_current_ = 0;  // of its cosignatures, the newest time; 0: it has none
  tlog::Map map_;
  std::optional<LogStep> waiting_;

  // Of the batches that were asked for last; a proof needs the whole map of one.
  std::mutex batch_making_;  // before the next
  std::mutex batches_mutex_;
  std::map<std::uint64_t, std::shared_ptr<const tlog::Map>> batch_maps_;
};

}  // namespace holdfast::server
