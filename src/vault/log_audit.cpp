#include "vault/log_audit.h"

#include "tlog/audit.h"
#include "tlog/frontier.h"
#include "tlog/leaves.h"
#include "tlog/map.h"
#include "tlog/promise.h"
#include "tlog/tile_tree.h"

namespace holdfast::vault {
namespace {

class Auditor {
 public:
  explicit Auditor(const ReadLogFile& read) : read_(read) {}

  Result<LogAudit> run(const tlog::LogRoots& roots) {
    const auto trusted = TRY(tlog::TrustedLog::open(roots));
    const Bytes note = TRY(read_("checkpoint"));
    const auto checkpoint = TRY(tlog::Checkpoint::verify(trusted, note));
    const std::uint64_t size = checkpoint.head().size;
    for (std::uint64_t from = 0; from < size; from += tlog::kTileWidth) TRY(bundle(from, size));
    if (frontier_.head() != checkpoint.head())
      return Error{Code::kUnsafe, "the entries do not make the tree that the log signed"};
    const tlog::TileReader tiles = [this](const tlog::Tile& tile) {
      return read_(tlog::tile_path(tile));
    };
    if (size > 0 && TRY(tlog::TileTree(size, tiles).root()) != checkpoint.head().root)
      return Error{Code::kUnsafe, "the tiles do not make the tree that the log signed"};
    audit_.name = checkpoint.origin();
    audit_.entries = size;
    audit_.epochs = replica_.n();
    audit_.map_entries = replica_.map().size();
    audit_.witnesses = checkpoint.witnessed().size();
    audit_.quorum = trusted.quorum();
    audit_.time = checkpoint.time();
    return audit_;
  }

 private:
  Result<void> bundle(std::uint64_t from, std::uint64_t size) {
    tlog::Tile tile{tlog::TileKind::kEntries, 0, from / tlog::kTileWidth, 0};
    tile.width = tlog::tile_width(size, 0, tile.index);
    const Bytes bytes = TRY(read_(tlog::tile_path(tile)));
    for (const Bytes& entry : TRY(tlog::decode_bundle(bytes, tile.width))) {
      auto learnt = learn(entry);
      if (!learnt.ok())
        return std::move(learnt).error().in("entry " + std::to_string(frontier_.size()));
      frontier_.append(tlog::leaf_hash(entry));
    }
    return Ok{};
  }

  Result<void> learn(const Bytes& entry) {
    const tlog::Leaf leaf = TRY(tlog::decode_leaf(entry));
    if (const auto* const epoch = std::get_if<tlog::MapEpoch>(&leaf)) {
      const Bytes delta = TRY(read_("map/" + std::to_string(epoch->n)));
      return replica_.apply(entry, delta);
    }
    if (const auto* const batch = std::get_if<tlog::ReleaseBatch>(&leaf)) {
      if (batch->n != audit_.releases + 1 || batch->previous != newest_batch_)
        return Error{Code::kUnsafe, "a release batch is left out"};
      newest_batch_ = tlog::leaf_hash(entry);
      ++audit_.releases;
    } else if (const auto* const policy = std::get_if<tlog::PolicyLeaf>(&leaf)) {
      if (policy->version != audit_.policies + 1)
        return Error{Code::kUnsafe, "a version of the policy is left out"};
      ++audit_.policies;
    } else {
      ++audit_.others;
    }
    return Ok{};
  }

  const ReadLogFile& read_;
  tlog::Frontier frontier_;
  tlog::MapReplica replica_;
  std::optional<Digest> newest_batch_;
  LogAudit audit_;
};

Error proves_nothing(const std::string& why) {
  return {Code::kInvalid, "this evidence proves nothing: " + why};
}

Result<std::string> two_trees(const tlog::TrustedLog& log, const Evidence& evidence) {
  const auto first = TRY(tlog::Checkpoint::verify(log, evidence.first));
  const auto second = TRY(tlog::Checkpoint::verify(log, evidence.second));
  if (first.head().size == second.head().size) {
    if (first.head().root == second.head().root)
      return proves_nothing("both checkpoints are of one tree");
    return "The log " + log.log().format() + " signed two trees of " +
           std::to_string(first.head().size) + " entries: it has two histories.";
  }
  return proves_nothing("checkpoints of " + std::to_string(first.head().size) + " and " +
                        std::to_string(second.head().size) +
                        " entries can both be true. They contradict each other if no mirror of the "
                        "log has a consistency proof between them; keep both");
}

Result<std::string> missed(const tlog::TrustedLog& log, const Evidence& evidence) {
  const tlog::Promise promise = TRY(tlog::verify_promise(log, evidence.first));
  const auto checkpoint = TRY(tlog::Checkpoint::verify(log, evidence.second));
  if (!checkpoint.time() || !tlog::is_due(promise, *checkpoint.time()))
    return proves_nothing("the promise was not due at that checkpoint");
  // Of an empty map every label is absent: that is no evidence while the tree has entries.
  if (evidence.epoch.empty()) return proves_nothing("it names no generation of the log's map");
  TRY(tlog::verify_inclusion(checkpoint.head(), evidence.index, tlog::leaf_hash(evidence.epoch),
                             tlog::Proof(evidence.inclusion.begin(), evidence.inclusion.end())));
  const auto epoch = TRY(wire::decode<tlog::MapEpoch>(evidence.epoch));
  TRY(tlog::verify_absent(epoch.root, evidence.map_label, evidence.absence));
  return "The log " + log.log().format() + " promised to have statement " +
         std::to_string(promise.seq) + " of circle " + promise.circle.hex().substr(0, 16) +
         "... in its map, and generation " + std::to_string(epoch.n) +
         " of that map has not the label that the device says is the statement's. Two things are "
         "not in this file: that it is the label (whoever holds the account's lookup key can "
         "tell), and that the tree of " +
         std::to_string(checkpoint.head().size) +
         " entries has no later generation (whoever reads the log can).";
}

}  // namespace

Result<LogAudit> verify_log(const ReadLogFile& read, const tlog::LogRoots& roots) {
  return Auditor(read).run(roots);
}

Result<std::string> verify_evidence(const Evidence& evidence) {
  const auto log = TRY(tlog::TrustedLog::open(evidence.roots));
  switch (evidence.kind) {
    case EvidenceKind::kFork:
    case EvidenceKind::kInconsistent: return two_trees(log, evidence);
    case EvidenceKind::kMissedPromise: return missed(log, evidence);
  }
  return proves_nothing("it is of an unknown kind");
}

}  // namespace holdfast::vault
