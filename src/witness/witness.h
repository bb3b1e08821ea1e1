// A witness of logs, and auditor of their maps: its rules are tlog's, its memory is here.
//
// C2SP tlog-witness. It vouches for one thing, that a log only grew since it last looked, and, as
// auditor, that its map only grew. Whoever controls it can vouch for a fork; devices ask for a
// quorum of witnesses for that reason. It runs on a machine of its own, or it proves nothing.
#pragma once

#include <map>
#include <memory>

#include "base/clock.h"
#include "base/file.h"
#include "base/mutex.h"
#include "sql/sqlite.h"
#include "tlog/add_checkpoint.h"
#include "tlog/audit.h"

namespace holdfast::witness {

struct Options {
  std::string data;                 // witness.db, the two keys, and refused/
  std::string name;                 // of its key, as the logs' policies have it
  std::vector<tlog::NoteKey> logs;  // those that it watches
};

struct Answer {
  unsigned status = 0;
  std::string content_type = "text/plain; charset=utf-8";
  Bytes body;
  // For its operator: the log signed what does not follow from what this witness has seen.
  std::string alarm;
};

// Safe from several threads: it answers one after the other.
class Witness {
 public:
  // Makes the keys on the first start. kInvalid: the options. kUnavailable: another program uses
  // the directory. kUnsafe: its memory is gone, or is another key's.
  static Result<std::unique_ptr<Witness>> open(Options options, std::shared_ptr<const Clock> clock);

  const tlog::NoteKey& key() const { return cosigner_.key(); }
  const crypto::Ed25519PublicKey& auditor_key() const { return auditor_public_; }

  // What it decides is durable before it returns.
  Answer add_checkpoint(BytesView body);
  // 200: an encoded SignedAudit. 409: the epoch, in decimal, that it has come to.
  Answer audit(BytesView body);

 private:
  Witness(Options options, std::shared_ptr<const Clock> clock, FileLock lock,
          sql::Database database, tlog::Cosigner cosigner,
          crypto::Key<crypto::Ed25519Purpose> auditor);

  Result<Answer> judge(BytesView body);
  Result<Answer> replay(BytesView body);
  // The newest that it cosigned, and the note.
  struct Seen {
    tlog::WitnessedLog log;
    Bytes note;
  };
  Result<Seen> known(const tlog::NoteKey& log) HF_REQUIRES(mutex_);
  Result<void> store(const tlog::AddCheckpoint& request) HF_REQUIRES(mutex_);
  std::string keep_refused(const Seen& seen, const tlog::AddCheckpoint& request) const;
  Result<tlog::Auditor*> auditor(const std::string& origin) HF_REQUIRES(mutex_);
  Result<void> store_audit(const std::string& origin, BytesView leaf, const tlog::MapDelta& delta)
      HF_REQUIRES(mutex_);
  const tlog::NoteKey* watched(const std::string& origin) const;
  Result<std::uint64_t> now_s() const;

  const Options options_;
  const std::shared_ptr<const Clock> clock_;
  const FileLock lock_;
  Mutex mutex_;
  sql::Database database_ HF_GUARDED_BY(mutex_);
  const tlog::Cosigner cosigner_;
  const crypto::Key<crypto::Ed25519Purpose> auditor_seed_;
  const crypto::Ed25519PublicKey auditor_public_;
  std::map<std::string, tlog::Auditor> auditors_ HF_GUARDED_BY(mutex_);  // by origin
};

}  // namespace holdfast::witness
