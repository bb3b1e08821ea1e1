#include "vault/log_audit.h"

#include <algorithm>
#include <set>

#include "circle/vault_chain.h"
#include "crypto/hash.h"
#include "tlog/audit.h"
#include "tlog/batch.h"
#include "tlog/frontier.h"
#include "tlog/leaves.h"
#include "tlog/map.h"
#include "tlog/notice.h"
#include "tlog/promise.h"
#include "tlog/tile_tree.h"

namespace holdfast::vault {
namespace {

class Auditor {
 public:
  explicit Auditor(const ReadLogFile& read) : read_(read) {}

  Result<LogAudit> run(const tlog::LogRoots& roots) {
    const auto trusted = TRY(tlog::TrustedLog::open(roots));
    trusted_ = trusted;
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
      TRY(tlog::check_batch_follows(*batch, audit_.releases, newest_batch_));
      newest_batch_ = tlog::leaf_hash(entry);
      ++audit_.releases;
      return Ok{};
    }
    if (const auto* const policy = std::get_if<tlog::PolicyLeaf>(&leaf))
      return learn_policy(*policy, entry);
    if (const auto* const receipt = std::get_if<tlog::DeletionReceipt>(&leaf)) {
      ++audit_.receipts;
      if (!receipts_.insert(receipt->receipt).second)
        return Error{Code::kUnsafe, "a receipt of a deletion stands there twice"};
      return Ok{};
    }
    if (const auto* const custody = std::get_if<tlog::CustodyKey>(&leaf)) {
      if (++audit_.custody_keys == 1) return Ok{};  // no account relies on one before it
      return check_notice(entry, custody->in_effect_from_s);
    }
    if (const auto* const change = std::get_if<tlog::TrustChange>(&leaf)) {
      ++audit_.trust_changes;
      TRY(check_roots(*change));
      return check_notice(entry, change->in_effect_from_s);
    }
    if (const auto* const head = std::get_if<tlog::LawfulHead>(&leaf)) {
      ++audit_.lawful_heads;
      if (head->day <= lawful_day_)
        return Error{Code::kUnsafe, "two entries bind the trail of lawful demands on one day"};
      lawful_day_ = head->day;
      return Ok{};
    }
    if (std::holds_alternative<tlog::LawfulReport>(leaf)) {
      ++audit_.lawful_reports;
      return Ok{};
    }
    audit_.software.push_back(std::get<tlog::SoftwareRelease>(leaf));
    return Ok{};
  }

  Result<void> learn_policy(const tlog::PolicyLeaf& leaf, const Bytes& entry) {
    if (leaf.version != audit_.policies + 1)
      return Error{Code::kUnsafe, "a version of the policy is left out"};
    ++audit_.policies;
    const Bytes bytes = TRY(read_("policy/" + std::to_string(leaf.version)));
    const auto policy = TRY(wire::decode<tlog::SignedPolicy>(bytes));
    const auto said = TRY(wire::decode<tlog::Policy>(policy.policy));
    if (crypto::sha256(bytes) != leaf.policy || said.version != leaf.version ||
        said.previous != newest_policy_ || said.in_effect_from_s != leaf.in_effect_from_s)
      return Error{Code::kUnsafe, "a policy is not the one that its entry names"};
    newest_policy_ = leaf.policy;
    if (leaf.version == 1) return Ok{};  // counts at once
    return check_notice(entry, leaf.in_effect_from_s);
  }

  static Result<void> check_roots(const tlog::TrustChange& change) {
    const auto roots = TRY(wire::decode<circle::TrustRoots>(change.roots));
    const auto log = TRY(wire::decode<tlog::LogRoots>(roots.log));
    TRY(tlog::TrustedLog::open(log));
    return Ok{};
  }

  // The first checkpoint that has the entry, as others cosigned it. Those who watched the log then
  // may be others than `roots` names now: then nothing can be said.
  Result<void> check_notice(const Bytes& entry, std::uint64_t from_s) {
    const auto bytes = read_("notice/" + std::to_string(frontier_.size()));
    if (!bytes.ok()) return bytes.error().code == Code::kNotFound ? unshown() : bytes.error();
    const auto proof = TRY(wire::decode<tlog::LeafProof>(*bytes));
    if (proof.leaf != entry || proof.index != frontier_.size()) return unshown();
    const auto first = tlog::verify_leaf_proof(*trusted_, proof);
    if (!first.ok() || !first->time()) return Ok{};
    return tlog::check_notice(from_s, *first->time());
  }
  static Error unshown() {
    return {Code::kUnsafe, "nothing shows when it was logged, and it owes seven days of notice"};
  }

  const ReadLogFile& read_;
  std::optional<tlog::TrustedLog> trusted_;
  tlog::Frontier frontier_;
  tlog::MapReplica replica_;
  std::optional<Digest> newest_batch_;
  std::optional<Digest> newest_policy_;
  std::uint64_t lawful_day_ = 0;
  std::set<Digest> receipts_;
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
  if (!evidence.inclusion.empty() && first.head().size < second.head().size) {
    const Digest root =
        TRY(tlog::prefix_root(second.head(), first.head().size,
                              tlog::Proof(evidence.inclusion.begin(), evidence.inclusion.end())));
    if (root == first.head().root)
      return proves_nothing("the newer checkpoint follows from the older one");
    return "The log " + log.origin() + " signed a tree of " + std::to_string(first.head().size) +
           " entries, and one of " + std::to_string(second.head().size) +
           " that begins with others: it has two histories.";
  }
  return proves_nothing("checkpoints of " + std::to_string(first.head().size) + " and " +
                        std::to_string(second.head().size) +
                        " entries can both be true. They contradict each other if no mirror of the "
                        "log has a consistency proof between them; keep both");
}

// Whether `later` are all the entries after the generation, so that it is the newest.
bool is_newest(const tlog::TreeHead& head, const Evidence& evidence) {
  auto tree = tlog::Frontier::before(
      evidence.index, head.size, tlog::Proof(evidence.inclusion.begin(), evidence.inclusion.end()));
  if (!tree.ok()) return false;
  tree->append(tlog::leaf_hash(evidence.epoch));
  for (const Bytes& entry : evidence.later) {
    const auto leaf = tlog::decode_leaf(entry);
    if (!leaf.ok() || std::holds_alternative<tlog::MapEpoch>(*leaf)) return false;
    tree->append(tlog::leaf_hash(entry));
  }
  return tree->head() == head;
}

// The generation of the map that the newer checkpoint's tree has, from which the label is absent.
Result<tlog::MapEpoch> without_label(const tlog::Checkpoint& checkpoint, const Evidence& evidence) {
  // Of an empty map every label is absent: that is no evidence while the tree has entries.
  if (evidence.epoch.empty()) return proves_nothing("it names no generation of the log's map");
  TRY(tlog::verify_inclusion(checkpoint.head(), evidence.index, tlog::leaf_hash(evidence.epoch),
                             tlog::Proof(evidence.inclusion.begin(), evidence.inclusion.end())));
  const auto epoch = TRY(wire::decode<tlog::MapEpoch>(evidence.epoch));
  TRY(tlog::verify_absent(epoch.root, evidence.map_label, evidence.absence));
  return epoch;
}

// What everyone who judges must know of it.
std::string as_far_as_it_goes(const tlog::Checkpoint& checkpoint, const tlog::MapEpoch& epoch,
                              const Evidence& evidence, const std::string& labels) {
  const std::string size = std::to_string(checkpoint.head().size);
  const std::string key = "whoever holds the account's lookup key can tell";
  if (is_newest(checkpoint.head(), evidence))
    return "That generation, " + std::to_string(epoch.n) + ", is the newest in the tree of " +
           size + " entries. Not in this file: " + labels + " (" + key + ").";
  return "Not in this file: " + labels + " (" + key + "); and that the tree of " + size +
         " entries has no later generation than " + std::to_string(epoch.n) +
         " (whoever reads the log can).";
}

Result<std::string> missed(const tlog::TrustedLog& log, const Evidence& evidence) {
  const tlog::Promise promise = TRY(tlog::verify_promise(log, evidence.first));
  const auto checkpoint = TRY(tlog::Checkpoint::verify(log, evidence.second));
  if (!checkpoint.time() || !tlog::is_due(promise.include_by_s, *checkpoint.time()))
    return proves_nothing("the promise was not due at that checkpoint");
  const auto epoch = TRY(without_label(checkpoint, evidence));
  return "The log " + log.log().format() + " promised to have statement " +
         std::to_string(promise.seq) + " of circle " + promise.circle.hex().substr(0, 16) +
         "... in its map, and generation " + std::to_string(epoch.n) +
         " of that map has not the label that the device says is the statement's. " +
         as_far_as_it_goes(checkpoint, epoch, evidence, "that it is the label");
}

// The heads that the map has are the hash that stands there: nobody can make up others.
Result<void> check_heads(const tlog::MapEpoch& epoch, const Evidence& evidence,
                         const tlog::RecordPromise& promise) {
  if (!evidence.shown) return Ok{};
  const std::vector<circle::VaultHead> heads(evidence.shown->heads.begin(),
                                             evidence.shown->heads.end());
  TRY(tlog::verify_present(epoch.root, {evidence.shown->map_label, circle::heads_hash(heads)},
                           evidence.shown->presence));
  for (const circle::VaultHead& head : heads)
    if (head.vault == promise.vault && head.n >= promise.n)
      return proves_nothing("the map has the record, or one that follows it");
  return Ok{};
}

Result<std::string> missed_record(const tlog::TrustedLog& log, const Evidence& evidence) {
  const tlog::RecordPromise promise = TRY(tlog::verify_record_promise(log, evidence.first));
  const auto checkpoint = TRY(tlog::Checkpoint::verify(log, evidence.second));
  if (!checkpoint.time() || !tlog::is_due(promise.include_by_s, *checkpoint.time()))
    return proves_nothing("the promise was not due at that checkpoint");
  const auto epoch = TRY(without_label(checkpoint, evidence));
  TRY(check_heads(epoch, evidence, promise));
  return "The log " + log.log().format() + " promised to have record " + std::to_string(promise.n) +
         " of vault " + promise.vault.hex().substr(0, 16) + "..., circle " +
         promise.circle.hex().substr(0, 16) + "..., in its map. In generation " +
         std::to_string(epoch.n) +
         " of that map the heads that the device says are the account's " +
         (evidence.shown ? "newest are from before that record. " : "first are not there yet. ") +
         as_far_as_it_goes(checkpoint, epoch, evidence,
                           "that these are the labels of the account, one after the other");
}

}  // namespace

Result<LogAudit> verify_log(const ReadLogFile& read, const tlog::LogRoots& roots) {
  return Auditor(read).run(roots);
}

const tlog::SoftwareRelease* find_release(const LogAudit& audit, const Digest& file) {
  for (const tlog::SoftwareRelease& release : audit.software)
    if (std::ranges::any_of(release.files, [&](const auto& one) { return one.sha256 == file; }))
      return &release;
  return nullptr;
}

Result<std::string> verify_evidence(const Evidence& evidence) {
  const auto log = TRY(tlog::TrustedLog::open(evidence.roots));
  switch (evidence.kind) {
    case EvidenceKind::kFork:
    case EvidenceKind::kInconsistent: return two_trees(log, evidence);
    case EvidenceKind::kMissedPromise: return missed(log, evidence);
    case EvidenceKind::kMissedRecord: return missed_record(log, evidence);
  }
  return proves_nothing("it is of an unknown kind");
}

}  // namespace holdfast::vault
