#include "tlog/audit.h"

#include <algorithm>

#include "crypto/labelled.h"

namespace holdfast::tlog {
namespace {

constexpr std::string_view kSignLabel = "holdfast/v1/map-audit/sig";

Error bad_epoch(const std::string& what) { return {Code::kUnsafe, "an epoch of the map " + what}; }

Error as_unsafe(Error error) {
  return {Code::kUnsafe, "an epoch of the map: " + std::move(error.message)};
}

}  // namespace

Result<MapReplica> MapReplica::open(BytesView newest_leaf, Map::Delta entries) {
  const auto epoch = TRY(wire::decode<MapEpoch>(newest_leaf));
  MapReplica replica;
  const Digest root = TRY(replica.map_.apply(entries));
  if (root != epoch.root || entries.size() != epoch.entries)
    return Error{Code::kCorrupt, "the stored map is not the one of its newest epoch"};
  replica.n_ = epoch.n;
  replica.newest_ = leaf_hash(newest_leaf);
  return replica;
}

Result<void> MapReplica::apply(BytesView leaf, BytesView delta_bytes) {
  const auto epoch = TRY(wire::decode<MapEpoch>(leaf));
  if (epoch.n != n_ + 1 || epoch.previous != newest_)
    return bad_epoch("does not follow the one before");
  if (epoch.audited > n_) return bad_epoch("names an audit of itself or of a later one");
  if (crypto::sha256(delta_bytes) != epoch.delta) return bad_epoch("names another delta");
  const auto delta = TRY(wire::decode<MapDelta>(delta_bytes));
  if (delta.n != epoch.n) return bad_epoch("has the delta of another");
  const auto root = map_.root_after(delta.entries);
  if (!root.ok()) return as_unsafe(root.error());
  if (*root != epoch.root) return bad_epoch("has a root that its delta does not make");
  if (map_.size() + delta.entries.size() != epoch.entries)
    return bad_epoch("miscounts its entries");
  TRY(map_.apply(delta.entries));
  n_ = epoch.n;
  newest_ = leaf_hash(leaf);
  return Ok{};
}

Result<Bytes> Auditor::audit(const Checkpoint& checkpoint, const AuditRequest& request,
                             std::uint64_t now_s) {
  const Digest leaf = leaf_hash(request.leaf);
  TRY(verify_inclusion(checkpoint.head(), request.index, leaf, request.inclusion));
  if (replica_.newest() != leaf) TRY(replica_.apply(request.leaf, request.delta));
  Audit audit;
  audit.origin = checkpoint.origin();
  audit.n = replica_.n();
  audit.leaf = leaf;
  audit.tree_size = checkpoint.head().size;
  audit.tree_root = checkpoint.head().root;
  audit.time_s = now_s;
  SignedAudit out;
  out.auditor = key().bytes;
  out.audit = wire::encode(audit);
  out.signature = key_.sign(crypto::labelled_message(kSignLabel, out.audit));
  return wire::encode(out);
}

Result<Audit> verify_audit(const TrustedLog& log, BytesView signed_audit) {
  const auto outer = TRY(wire::decode<SignedAudit>(signed_audit));
  const bool known = std::ranges::any_of(
      log.auditors(), [&](const KeyHolder& auditor) { return auditor.key == outer.auditor; });
  if (!known ||
      !crypto::ed25519_verify({outer.auditor}, crypto::labelled_message(kSignLabel, outer.audit),
                              outer.signature))
    return Error{Code::kUnsafe,
                 "an audit of the map is not signed by an auditor of this account's"};
  auto audit = TRY(wire::decode<Audit>(outer.audit));
  if (audit.origin != log.origin())
    return Error{Code::kUnsafe, "an audit of the map is of another log"};
  return audit;
}

}  // namespace holdfast::tlog
