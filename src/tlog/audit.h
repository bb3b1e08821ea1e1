// Auditing the map: replaying every delta, so that one who does not can rely on it that nothing in
// the map was ever changed or dropped.
//
// An auditor is trusted for that alone. Whoever controls its key can vouch for an epoch in which an
// entry was changed; together with the service they could then show an account an older state of
// itself. They cannot make members or keys.
#pragma once

#include "tlog/checkpoint.h"
#include "tlog/format.h"
#include "tlog/map.h"

namespace holdfast::tlog {

// The map after some epoch, each of whose changes was checked.
class MapReplica {
 public:
  MapReplica() = default;  // before the first epoch
  // From what was stored: the newest epoch's entry in the log and all of the map, sorted. kCorrupt
  // unless they fit. Trusted as far as where they were stored.
  static Result<MapReplica> open(BytesView newest_leaf, Map::Delta entries);

  std::uint64_t n() const { return n_; }
  const std::optional<Digest>& newest() const { return newest_; }  // leaf hash of epoch n
  const Map& map() const { return map_; }

  // The next epoch: its entry in the log and its delta file. kUnsafe, and nothing changed, unless
  // it follows from this one, the delta is the one it names, inserts only, and makes its root.
  Result<void> apply(BytesView leaf, BytesView delta);

 private:
  std::uint64_t n_ = 0;
  std::optional<Digest> newest_;
  Map map_;
};

struct AuditRequest {
  std::uint64_t index = 0;  // of the epoch's entry in the log
  Bytes leaf;
  Proof inclusion;
  Bytes delta;
};

// Signs at most one entry for each epoch, and epochs in their order.
class Auditor {
 public:
  Auditor(MapReplica replica, const crypto::Key<crypto::Ed25519Purpose>& seed)
      : replica_(std::move(replica)), key_(seed) {}

  const MapReplica& replica() const { return replica_; }
  const crypto::Ed25519PublicKey& key() const { return key_.public_key(); }

  // An encoded SignedAudit. Asked again about the newest epoch it signs again, without the delta.
  // The checkpoint is one that the caller, as a witness, found consistent with those before. The
  // new state must be stored before the answer leaves.
  Result<Bytes> audit(const Checkpoint& checkpoint, const AuditRequest& request,
                      std::uint64_t now_s);

 private:
  MapReplica replica_;
  crypto::Ed25519Key key_;
};

// kUnsafe unless an auditor that the roots name signed it, for this log.
Result<Audit> verify_audit(const TrustedLog& log, BytesView signed_audit);

}  // namespace holdfast::tlog
