// What the service itself knows of accounts, beside their circles and vaults: quota, deletion,
// invitations, whose capsule lies where, which packs may go, and who connected.
#pragma once

#include <map>
#include <tuple>

#include "api/doors.h"
#include "base/mutex.h"
#include "server/writer.h"

namespace holdfast::server {

enum class SignUp { kOpen, kInvite, kClosed };

struct AccountRow {
  TimeMs created_ms = 0;
  std::optional<std::uint64_t> quota;  // none: no limit but the disk
  std::optional<TimeMs> deletion_ms;
  bool ending = false;  // its ciphertext is being removed: it is gone for everyone
};

// What a record says of packs that may go.
struct RecordDrops {
  std::uint64_t n = 0;
  std::vector<PackId> dropped;
  std::vector<PackId> kept;
};

struct AccountPack {
  std::string account;
  VaultId vault;
  PackId pack;
};

// Holds no state of its own: safe from several threads. A failed write changed nothing; a
// repeated one changes nothing more.
class Accounts {
 public:
  static const std::string kSchema;

  explicit Accounts(Writer& writer) : writer_(writer) {}

  // ---- accounts ----

  Result<std::optional<AccountRow>> find(const std::string& account);
  Result<std::vector<std::string>> names();
  Result<std::uint64_t> count();
  // An account that is there stays as it is.
  Result<void> add(const std::string& account, TimeMs now, std::optional<std::uint64_t> quota);
  // kNotFound.
  Result<void> set_quota(const std::string& account, std::optional<std::uint64_t> quota);
  // Keeps an earlier date that stands.
  Result<void> ask_deletion(const std::string& account, TimeMs deletion_ms);
  Result<void> keep(const std::string& account);

  // Accounts whose end has come by `now`, those that it had come for before included. They are
  // marked as ending.
  Result<std::vector<std::string>> begin_ends(TimeMs now);
  // The last step of an end: all rows of the account.
  Result<void> erase(const std::string& account);

  // ---- invitations: a token makes one account ----

  // The token, for a person to send.
  Result<std::string> invite(TimeMs now, TimeMs life_ms);
  // kDenied unless it may still make an account, or has begun to.
  Result<void> check_invitation(const std::string& token, TimeMs now);
  // Before the account is made. kDenied when the token is void: unknown, expired, or used for
  // another account that `made` says was made. The same account and genesis may come again.
  using Made = std::function<Result<bool>(const std::string& account, const Digest& genesis)>;
  Result<void> reserve(const std::string& token, const std::string& account, const Digest& genesis,
                       TimeMs now, const Made& made);
  // The account was not made after all.
  Result<void> release(const std::string& token, const Digest& genesis);
  // With add(), once the account was made.
  Result<void> add_invited(const std::string& account, TimeMs now,
                           std::optional<std::uint64_t> quota, const std::string& token);

  // ---- recovery capsules ----

  Result<void> put_capsule(const LocateId& locate, const std::string& account);
  // Only this one is left of the account's; none: none is.
  Result<void> leave_capsule(const std::string& account, const std::optional<LocateId>& locate);
  // The oldest first. Candidates: the account's circle has the last word.
  Result<std::vector<std::string>> capsule_accounts(const LocateId& locate);

  // ---- packs that a record dropped ----

  // The newest record of the vault that apply_drops() has seen; 0: none.
  Result<std::uint64_t> drop_cursor(const std::string& account, const VaultId& vault);
  // Of records that were accepted, without a gap: the first is at most drop_cursor() + 1, or
  // kConflict. What a later record keeps is not dropped any more.
  Result<void> apply_drops(const std::string& account, const VaultId& vault,
                           const std::vector<RecordDrops>& records, TimeMs received_ms);
  // Those dropped at or before `until`, at most `limit`.
  Result<std::vector<AccountPack>> dropped(TimeMs until, std::size_t limit);
  Result<bool> is_dropped(const AccountPack& pack);
  Result<void> forget_drop(const AccountPack& pack);
  // In a database that was put back from an older copy, whose records that keep packs may be lost:
  // what is dropped in it waits anew, until devices have sent those again.
  static Result<void> restart_grace(const std::string& path, TimeMs now);

  // ---- undoing in a full account ----

  // What records that undo took beyond the quota while `epoch` was current.
  Result<std::uint64_t> undo_bytes(const std::string& account, std::uint32_t epoch);
  Result<void> add_undo_bytes(const std::string& account, std::uint32_t epoch, std::uint64_t bytes);

 private:
  Writer& writer_;
};

// Who came from where and when, by the hour. Gathered in memory, written together; a crash loses
// what came since the last flush().
class ConnectionLog {
 public:
  explicit ConnectionLog(Writer& writer) : writer_(writer) {}

  // Flushes when the last time is more than a few seconds ago. Never fails a request.
  void note(const std::string& account, const ReaderId& caller, const std::string& address,
            TimeMs now);
  Result<void> flush();
  // Newest first; at most kMaxLines.
  static constexpr std::int64_t kMaxLines = 10'000;
  Result<std::vector<api::Connection>> read(const std::string& account);
  // Forgets hours that began before `before`.
  Result<void> prune(TimeMs before);

 private:
  using Key = std::tuple<std::string, TimeMs, ReaderId, std::string>;
  struct Line {
    TimeMs first_ms = 0;
    TimeMs last_ms = 0;
    std::uint64_t requests = 0;
  };

  Writer& writer_;
  Mutex mutex_;
  TimeMs flushed_ms_ HF_GUARDED_BY(mutex_) = 0;
  std::map<Key, Line> waiting_ HF_GUARDED_BY(mutex_);
};

}  // namespace holdfast::server
