// The client library: everything an app does with an account. It joins the circle (who) and the
// keys (what); the store behind the doors is hostile.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/doors.h"
#include "archive/problem.h"
#include "archive/progress.h"
#include "archive/target.h"
#include "archive/walk.h"
#include "base/clock.h"
#include "circle/circle.h"
#include "circle/vault_chain.h"
#include "keys/spoken.h"
#include "tlog/age.h"
#include "vault/contradiction.h"
#include "vault/home.h"
#include "vault/log_check.h"
#include "vault/policy_here.h"
#include "vault/retention.h"

namespace holdfast::vault {

// An account as one device sees it: replayed, checked against what this device saw before, keys
// opened. Made by the functions below; not shared between threads.
class Account {
 public:
  struct State;  // for this module's own files

  // Reads what is new, verifies it and pins it. kUnsafe (evidence saved in the home, its path in
  // the message) when the store shows an older or another history than this device saw; where only
  // the log does, the account opens with a contradiction(). kDenied
  // when this device was removed, by whom. Begins a new epoch where a release batch was opened that
  // gave out a key of this one.
  static Result<Account> open(Home& home, api::Store& store, const Clock& clock);
  Account(Account&&) noexcept;
  Account& operator=(Account&&) noexcept;
  ~Account();

  Result<void> sync();
  const circle::Circle& circle() const;
  const circle::Device& self() const;
  // What the last sync found in the log; none: the account has none, a contradiction stands, or
  // the log is withheld.
  const std::optional<LogStatus>& log_status() const;
  // Where the log contradicted itself or this account, and the person has not judged that yet.
  // What would add or upload then fails with kUnsafe; reading and removing go on.
  const std::optional<Contradiction>& contradiction() const;
  Result<std::vector<Contradiction>> contradictions() const;  // also those judged; oldest first
  // Why the last sync could not check the log: the service does not show it, or not all of it;
  // empty: it does. What would add or upload then fails with kUnavailable; reading and removing go
  // on. However long that lasts, nothing is taken back: what is promised stays promised.
  const std::string& log_withheld() const;
  // Statements that the store was asked to take: where that grew, an error means neither that the
  // store took it nor that it did not, whatever the store says.
  std::uint64_t sends() const;
  // The person has judged it and goes on, by what this device knows of the log where that can be,
  // else as one that sees the log for the first time. kUnsafe: it contradicts even so. kNotFound.
  Result<void> accept_contradiction(const std::string& reason);

  // ---- who (account_*.cpp) ----
  struct OpenRequest {
    RequestId id;
    std::string device_name;
  };
  // Admits the device whose request carries this code. kDenied: no open request matches (a wrong
  // code; three tries a request are counted durably), kUnavailable: the new device went away.
  Result<circle::Device> approve(std::string_view code, std::int64_t patience_ms);
  Result<void> remove_devices(const std::vector<std::string>& names);
  Result<void> rotate();
  Result<void> create_vault(const std::string& name, bool always_e2e);
  Result<void> set_always_e2e(const std::string& name);
  Result<void> set_region(const std::string& region);
  // What the store says of itself; believed for display only.
  Result<api::Usage> usage();
  Result<api::Usage> delete_account();  // after a delay; until then keep_account() takes it back
  Result<api::Usage> keep_account();
  Result<std::vector<api::Connection>> connections();
  // Enrols a recovery key, which the person should have by then. Over a standing one: `old` cosigns
  // unless this is the only device. After an error either key may be the account's, if sends()
  // grew.
  Result<void> set_recovery(const keys::RecoveryKey& key, const keys::RecoveryKey* old);

  // Where a log proves times, what no second voice vouches for waits three days: a new recovery
  // key, the custodian's return; and the provider's help for an owner without devices.
  enum class Waits { kRecovery, kStandard, kHelp };
  struct Waiting {
    Waits what{};
    std::uint64_t number = 0;                   // of its statement
    ReaderId proposer;                          // of help: the custodian
    TimeMs proposed_ms = 0;                     // as its proposer's clock said
    std::string name = {};                      // of who is to be helped
    std::optional<tlog::ProvenAge> stood = {};  // none: the log does not prove it yet
    // When it may be completed, by the witnesses' clocks.
    std::optional<TimeMs> due_ms() const {
      if (!stood) return std::nullopt;
      return static_cast<TimeMs>(stood->since_s) * 1000 + circle::kProposalAgeMs;
    }
  };
  Result<std::vector<Waiting>> waiting();
  // Its number. The key opens nothing until it is completed. kInvalid: nothing here proves times.
  Result<std::uint64_t> propose_recovery(const keys::RecoveryKey& key);
  // By any device; help is completed by the provider alone. kUnavailable: three days are not proven
  // yet; kNotFound: nothing waits under that number.
  Result<void> complete_waiting(std::uint64_t number);
  Result<void> cancel_waiting(std::uint64_t number);

  // ---- the level (levels.cpp) ----
  // What must be so before the level is raised, and what to do where it is not.
  struct Ready {
    std::string what;  // "recovery_key", "devices", "policy"
    bool good = false;
    std::string sentence;
  };
  std::vector<Ready> readiness() const;
  // The custodian is a reader no more, from a new epoch on. kInvalid: no recovery key stands.
  Result<void> raise_level();
  // The provider's custodian becomes a reader of every vault that is not always end-to-end: at once
  // where the recovery key vouches for it, and both it and this device are proven to be a week old
  // (kUnavailable: they are not); else it is proposed, and waits.
  Result<void> lower_level(const keys::RecoveryKey& vouches);
  Result<std::uint64_t> propose_standard();
  // A former custodian, and what is known of its key.
  struct FormerCustodian {
    circle::Custodian custodian;
    // The provider's word that it destroyed the key, verified and kept in the home.
    std::optional<circle::DeletionReceipt> receipt = {};
    Digest receipt_hash = {};
    bool logged = false;  // the log, as this device replayed it, has that hash
  };
  struct Custody {
    std::vector<FormerCustodian> former;  // the oldest first
    std::optional<TimeMs> pending_since;  // by the service: a key is not known to be destroyed yet
  };
  Result<Custody> custody();

  // What the service's policies say for this account's region, or another, now and from when on.
  // Where the log is withheld or contradicts, as if none were published. (account_policy.cpp)
  PolicyHere policy_here() const { return policy_in(circle().region()); }
  PolicyHere policy_in(const std::string& region) const;
  // Says for all devices that a person was shown the newest policy; it agrees to nothing. Its
  // version. kNotFound: there is none that this device can read.
  Result<std::uint64_t> acknowledge_policy();

  // ---- what (vault_*.cpp) ----
  struct SnapshotInfo {
    Digest id;  // head of its record
    std::uint64_t n = 0;
    std::int64_t time_ms = 0;
    std::string device;
    archive::Snapshot root;
  };
  struct BackupOptions {
    std::string vault = "main";
    archive::WalkOptions walk;
    std::vector<std::string> tags = {};  // words of the person's, at most kMaxTags
    bool dry_run = false;
    // Counts the files first, beside the backup, so that a display knows how much is left.
    bool count_ahead = false;
  };
  struct BackupReport {
    std::optional<SnapshotInfo> snapshot;  // none in a dry run
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t new_bytes = 0;      // content that no snapshot had
    std::uint64_t stored_bytes = 0;   // sent to the store
    std::uint64_t resumed_packs = 0;  // found from a backup that was interrupted
    archive::Findings findings;
  };
  // kDenied, with what can still be done: a policy lets this account keep nothing new.
  Result<BackupReport> backup(const BackupOptions& options, archive::Progress& progress);

  // What a record takes from a vault, as long as an undo can bring it back.
  struct Loss {
    std::string vault;
    std::uint64_t n = 0;       // of the record
    std::int64_t time_ms = 0;  // by its writer's clock
    ReaderId signer;
    std::string device;
    std::uint64_t snapshots = 0;  // that it hides
    std::uint64_t packs = 0;      // that the store may delete because of it
    std::uint64_t unlisted = 0;   // whose keys or places the vault does not list any more
    std::uint64_t unread = 0;     // lists of keys or places left out that cannot be read any more
    bool recent = false;          // no longer ago, since this device saw it, than the store waits
    // The store deletes nothing before; it may have begun where that is past. None: it never does.
    std::optional<TimeMs> kept_until_ms;
  };
  // Of all vaults, those of which something may be left; by vault, oldest first.
  Result<std::vector<Loss>> losses();
  struct UndoReport {
    std::uint64_t records = 0;    // written
    std::uint64_t snapshots = 0;  // shown again
    std::uint64_t packs = 0;      // that stay
    std::uint64_t segments = 0;   // of keys and indexes, listed again
    // Segments of a removed device, or of the one that is undone, that the store has not, or for
    // which there was no place.
    std::uint64_t left_out = 0;
    std::uint64_t given_back = 0;  // that the store had deleted, and this device had
    std::uint64_t gone = 0;        // that nobody has any more
  };
  // Brings back what record `n` of the vault and all later ones took away. kNotFound: nothing.
  Result<UndoReport> undo(const std::string& vault, std::uint64_t n);

  struct ForgetOptions {
    std::string vault = "main";
    KeepRules keep;                       // either rules,
    std::vector<std::string> which = {};  // or beginnings of ids
    std::vector<std::string> tags = {};   // rules: only of snapshots that have all of these
    bool dry_run = false;
  };
  struct ForgetReport {
    std::vector<SnapshotInfo> kept;  // oldest first, as the next
    std::vector<SnapshotInfo> forgotten;
    archive::Findings findings;  // snapshots that cannot be read stay
  };
  // Snapshots that no rule keeps are shown no more. Nothing is deleted, and undo() shows them
  // again.
  Result<ForgetReport> forget(const ForgetOptions& options);

  struct PruneOptions {
    std::string vault = "main";
    bool dry_run = false;
    // What is needed of a pack moves into a new one, where more than this percentage of its bytes
    // is garbage.
    unsigned max_waste = 50;
  };
  struct PruneReport {
    std::uint64_t records = 0;  // written
    std::uint64_t packs = 0;    // dropped: nothing that is shown needs them any more
    std::uint64_t bytes = 0;
    std::uint64_t moved_packs = 0;   // of them: what was needed of these is in new packs
    std::uint64_t moved_bytes = 0;   // before compression
    std::uint64_t lists = 0;         // of keys, dropped because newer ones took their place
    std::uint64_t stored_bytes = 0;  // sent: new packs and lists
    std::uint64_t skipped = 0;       // packs that nothing seems to need and that could not be read
    std::uint64_t kept_packs = 0;
    std::uint64_t kept_bytes = 0;
    archive::Findings findings;
  };
  // Drops what no snapshot that is shown refers to, and moves what is needed out of packs that are
  // mostly garbage. The store may delete what was dropped after its grace time;
  // until then undo() keeps it. kInvalid: a record is to be undone first. kCorrupt: the vault is
  // damaged, and what it needs cannot be told.
  Result<PruneReport> prune(const PruneOptions& options, archive::Progress& progress);

  // What a key that was copied while a former reader could read still opens, for whoever also has
  // or gets the packs.
  struct Exposure {
    std::uint64_t packs = 0;  // whose keys such a reader could have read
    std::uint64_t bytes = 0;
    std::uint64_t total_packs = 0;
    std::uint64_t total_bytes = 0;
    std::uint64_t old_tables = 0;     // of pack keys, not sealed for the newest epoch
    std::uint64_t unread_tables = 0;  // of which nothing is known
    // When the last reader went, by the clock of who took it out; none: none ever did.
    std::optional<TimeMs> since_ms;
  };
  Result<Exposure> exposure(const std::string& vault);
  struct RekeyReport {
    bool written = false;  // no: all tables are of the newest epoch
    std::uint64_t entries = 0;
    std::uint64_t stored_bytes = 0;
  };
  // Writes the tables of pack keys anew where they are sealed for an older epoch; the store may
  // delete the old ones after its grace time. No pack is touched.
  Result<RekeyReport> rekey(const std::string& vault);
  struct ResealOptions {
    std::string vault = "main";
    std::uint64_t bytes_per_second = 0;  // sent, on average; 0: as fast as it goes
    std::uint64_t until_bytes = 0;       // stops after about so much; 0: when all is done
    // Put into the tables at one time. What was sent and is not in them yet is not lost with this
    // process, only with this device.
    std::size_t commit_packs = 1024;
  };
  struct ResealReport {
    std::uint64_t packs = 0;
    std::uint64_t bytes = 0;          // of them
    std::uint64_t stored_bytes = 0;   // sent
    std::uint64_t resumed_packs = 0;  // that were sent before it was interrupted
    std::uint64_t skipped = 0;        // that could not be read, as in findings
    std::uint64_t records = 0;
    Exposure left;
    archive::Findings findings;
  };
  // Seals what is exposed again, under fresh keys, and rekeys. The store may delete the old objects
  // after its grace time; until then it holds both. Begun again, it goes on where it was. kInvalid:
  // a record is to be undone first.
  Result<ResealReport> reseal(const ResealOptions& options, archive::Progress& progress);

  // When the newest snapshot of any vault was made, shown or not, by its writer's clock; none
  // before the first.
  std::optional<std::int64_t> newest_snapshot_ms() const;
  // Oldest first, without those that a record forgot. Damaged ones are in findings.
  Result<std::vector<SnapshotInfo>> snapshots(const std::string& vault,
                                              archive::Findings& findings);
  // An id's prefix, `latest`, or a time ("2026-11-24", "2026-11-24 10:30"): the last one before it.
  Result<SnapshotInfo> find_snapshot(const std::string& vault, const std::string& which);

  // A cursor over a snapshot's entries with their absolute paths, in manifest order.
  struct PathEntry {
    std::string path;
    archive::Entry entry;
  };
  class Listing {
   public:
    virtual ~Listing() = default;
    virtual Result<std::optional<PathEntry>> next() = 0;
    // The next one that the glob itself matches; the others cost little.
    virtual Result<std::optional<PathEntry>> next_match(const archive::Glob& glob) = 0;
  };
  // What is at and below `top`, so many levels of it; 0: all.
  Result<std::unique_ptr<Listing>> list(const std::string& vault, const SnapshotInfo& snapshot,
                                        const std::string& top = "/", unsigned depth = 0);
  // Writes a file's content to a descriptor.
  Result<void> cat(const std::string& vault, const SnapshotInfo& snapshot, const std::string& path,
                   int fd);

  struct RestoreOptions {
    std::string vault = "main";
    std::string path;                    // "" or "/": everything, below its absolute paths
    std::vector<archive::Glob> include;  // none: everything
    archive::TargetOptions target;
  };
  struct RestoreReport {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t skipped = 0;
    archive::Findings findings;
  };
  Result<RestoreReport> restore(const SnapshotInfo& snapshot, const RestoreOptions& options,
                                archive::Progress& progress);

  struct CheckReport {
    std::uint64_t snapshots = 0;
    std::uint64_t packs = 0;
    std::uint64_t packs_read = 0;
    std::uint64_t bytes_read = 0;
    archive::Findings findings;  // each damaged object, then each snapshot and file it touches
    // Of the latter again, which snapshot; without a path: its own list of files.
    struct Damage {
      Digest snapshot;
      std::string path = {};
    };
    std::vector<Damage> damaged;
  };
  // `read_percent`: 0 checks names, keys and indexes only; 100 reads every pack.
  Result<CheckReport> check(const std::string& vault, unsigned read_percent,
                            archive::Progress& progress);

  struct RepairReport {
    std::uint64_t given_back = 0;   // objects that the store had lost and this device had
    std::uint64_t damaged = 0;      // packs that no snapshot will rest on any more
    std::uint64_t lost_tables = 0;  // of keys; what they alone held cannot be opened any more
    struct Salvaged {
      SnapshotInfo from;
      SnapshotInfo to;             // has what is whole
      std::uint64_t left_out = 0;  // files
    };
    std::vector<Salvaged> salvaged;
    std::vector<SnapshotInfo> lost;  // not even their lists of files can be read
    archive::Findings findings;      // as a check that reads all of it
  };
  // Reads the whole vault. What is damaged is sent again by the next backup, as far as files still
  // have it; what is whole of each damaged snapshot becomes a snapshot of its own, and the damaged
  // one is shown no more. Undone, all is as it was.
  Result<RepairReport> repair(const std::string& vault, archive::Progress& progress);

 private:
  explicit Account(std::unique_ptr<State> state);
  static Result<Account> open_helped(Home& home, api::Store& store, const Clock& clock);
  Result<void> answer_releases();
  std::uint64_t policy_in_effect() const;  // its version; 0: none
  std::unique_ptr<State> state_;
};

// ---- how a device comes to an account ----

struct InitOptions {
  std::string account;
  std::string device_name;
  std::string region = "ZZ";  // not stated
  // At the standard level the provider's custodian is a reader too. kNotFound: there is none here.
  circle::Level level = circle::Level::kAdvanced;
};
struct Initialised {
  Account account;
  keys::RecoveryKey recovery;  // to be shown once
  // Of this device's clock, or of the service's promises; empty: none. All the same it is all made.
  std::string doubt{};
};
// Makes the account, its recovery key and the vault `main`. The home must be empty and unlocked.
Result<Initialised> init(Home& home, api::Store& store, const Clock& clock,
                         const InitOptions& options);

// Asking to be admitted, step by step: start() gives the code to show, wait() does the rest.
class Join {
 public:
  static Result<Join> start(Home& home, api::Store& store, const Clock& clock,
                            const std::string& account, const std::string& device_name);
  Join(Join&&) noexcept;
  ~Join();
  std::string code() const;
  // Until admitted, refused, or ten minutes are over (kUnavailable: a new code is needed).
  Result<Account> wait();

 private:
  struct State;
  explicit Join(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct RecoverOptions {
  std::string device_name;
  std::vector<std::string> keep;  // devices that stay members; all others are removed
};
// Back from nothing but the recovery key and the store. find() verifies all that the store and its
// log show and changes nothing; finish() acts on that.
class Recovery {
 public:
  // kUnsafe, with evidence in the home: another or an older account than the key was made for, or
  // than the log shows. kUnavailable: the log is too old to admit anybody by.
  static Result<Recovery> find(Home& home, api::Store& store, const Clock& clock,
                               const keys::RecoveryKey& key);
  Recovery(Recovery&&) noexcept;
  ~Recovery();

  struct Shown {
    std::int64_t statement_ms = 0;            // the newest, by its signer's clock
    std::optional<std::int64_t> record_ms{};  // of the newest snapshot; none: there is none
    std::optional<LogStatus> log{};           // none: the account has no log
    // Not empty: a thief's device made somebody a reader, who is one until the level is raised.
    std::string foreign_custodian{};
    // By when others vouch for it; else only the person can tell whether it is the newest state.
    bool witnessed() const { return log && log->age_s; }
  };
  Shown shown() const;
  // The device becomes a member; all that are not kept are removed.
  Result<Account> finish(const RecoverOptions& options);

 private:
  struct State;
  explicit Recovery(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};
// Both at once.
Result<Account> recover(Home& home, api::Store& store, const Clock& clock,
                        const keys::RecoveryKey& key, const RecoverOptions& options);

// ---- when a store was put back from an older copy ----

struct ResendReport {
  std::uint64_t statements = 0;
  std::uint64_t records = 0;
  std::uint64_t drops = 0;  // of the records, those that drop packs: their grace begins anew
};
// Gives the store what it has no longer of what this device saw: statements with their keys, and
// records; the whole account if it is gone. Packs come with the next backup. Sends nothing that the
// store did not have before, and believes nothing of it. kUnsafe: it shows another history.
// kConflict: another device saw more; kNotFound: this device joined too late to have the keys.
Result<ResendReport> resend(Home& home, api::Store& store);

}  // namespace holdfast::vault
