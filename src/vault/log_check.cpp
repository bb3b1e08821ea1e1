#include "vault/log_check.h"

#include <algorithm>

#include "circle/vault_chain.h"
#include "tlog/follow.h"
#include "tlog/frontier.h"
#include "tlog/leaves.h"
#include "tlog/map_labels.h"
#include "tlog/promise.h"
#include "tlog/tile_tree.h"
#include "vault/log_notices.h"
#include "vault/log_pins.h"

namespace holdfast::vault {
namespace {

constexpr int kMaxPages = 10'000;
constexpr TimeMs kGraceMs = 1000LL * (tlog::kMaxPromise_s + tlog::kClockTolerance_s);

Error withheld(const std::string& what) {
  return {Code::kUnavailable, "the service does not show all of its log: " + what};
}

Error saved(Home& home, const Evidence& evidence, std::string sentence) {
  const auto path = home.save_evidence("log", {wire::encode(evidence)});
  if (path.ok())
    sentence += ". The evidence, which convinces others too, is in " + *path +
                ": holdfast log verify --evidence FILE";
  return {Code::kUnsafe, std::move(sentence)};
}

// Of two trees that cannot both be true. With the log's own tiles of the newer one, which show what
// it has where the older one was, nobody need ask anyone else.
Error contradict(Home& home, api::Visitor& files, const tlog::TrustedLog& trusted,
                 Evidence evidence, std::string sentence) {
  const auto first = tlog::Checkpoint::verify(trusted, evidence.first);
  const auto second = tlog::Checkpoint::verify(trusted, evidence.second);
  if (!first.ok() || !second.ok()) return {Code::kUnsafe, std::move(sentence)};
  const bool turned = first->head().size > second->head().size;
  if (turned) std::swap(evidence.first, evidence.second);
  const tlog::TreeHead& older = turned ? second->head() : first->head();
  const tlog::TreeHead& newer = turned ? first->head() : second->head();
  const tlog::TileReader tiles = [&](const tlog::Tile& tile) {
    return files.get_log(tlog::tile_path(tile));
  };
  const auto proof = tlog::TileTree(newer.size, tiles).prove_prefix(older.size);
  if (proof.ok() && tlog::prefix_root(newer, older.size, *proof).ok())
    for (const Digest& hash : *proof) evidence.inclusion.push_back(hash);
  return saved(home, evidence, std::move(sentence));
}

class Check {
 public:
  Check(Home& home, Replica& replica, api::Visitor& files, const circle::TrustRoots& trust,
        const tlog::LogRoots& roots, tlog::TrustedLog trusted, const keys::LookupKey& lookup,
        TimeMs now, Keep keep, LogPins pins)
      : home_(home),
        replica_(replica),
        files_(files),
        trust_(trust),
        roots_(roots),
        trusted_(std::move(trusted)),
        lookup_(lookup),
        now_(now),
        keep_(keep),
        pins_(std::move(pins)) {}

  Result<LogStatus> run() {
    const std::uint64_t known = pins_.size;
    std::optional<tlog::ProvenTime> before;
    if (const auto old = tlog::Checkpoint::verify(trusted_, pins_.checkpoint); old.ok())
      before = old->time();
    api::LogView view = TRY(read());
    const auto checkpoint = TRY(tlog::Checkpoint::verify(trusted_, view.checkpoint));
    TRY(tell_age(checkpoint));
    TRY(tell_audit(view.audit));
    TRY(check_circle(view, checkpoint));
    TRY(check_data(view, checkpoint));
    LogMoment moment{trusted_, trust_, checkpoint,
                     before,   known,  static_cast<std::uint64_t>(now_ / 1000)};
    if (checkpoint.time()) moment.now_s = checkpoint.time()->current_at;
    TRY(check_batches(pins_, fresh_, replica_.session(), replica_.circle().id(), moment, status_));
    TRY(check_policies(pins_, files_, moment, status_));
    tell_trust_change(pins_, moment, status_);
    TRY(save_pins(home_, pins_));
    return status_;
  }

 private:
  // S2, and the chain of epochs: every entry is hashed here, so none is left out.
  Result<api::LogView> read() {
    auto frontier = TRY(tlog::Frontier::open(
        {pins_.size, pins_.root}, std::vector<Digest>(pins_.edge.begin(), pins_.edge.end())));
    for (int page = 0; page < kMaxPages; ++page) {
      api::LogView view = TRY(ask(frontier.size()));
      const auto newest = TRY(tlog::Checkpoint::verify(trusted_, view.checkpoint));
      TRY(compare(newest));
      for (const Bytes& leaf : view.leaves) {
        if (frontier.size() == newest.head().size) break;
        TRY(learn(leaf, frontier.size()));
        frontier.append(tlog::leaf_hash(leaf));
        status_.bytes += leaf.size();
      }
      if (frontier.size() == newest.head().size) return settle(frontier, newest, std::move(view));
      if (view.leaves.empty()) return withheld("entries are missing");
    }
    return withheld("it has too many entries");
  }

  Result<api::LogView> ask(std::uint64_t from) const {
    auto view = replica_.session().read_log(from);
    if (view.ok() || view.error().code != Code::kNotFound) return view;
    return Error{Code::kUnsafe,
                 "this account was opened with a log, and the service says that it has none: it "
                 "takes away what would show other lies"};
  }

  // Against the checkpoint that this device saw last, where sizes alone decide.
  Result<void> compare(const tlog::Checkpoint& newest) const {
    if (newest.head().size > pins_.size || pins_.checkpoint.empty()) return Ok{};
    if (newest.head() == tlog::TreeHead{pins_.size, pins_.root}) return Ok{};
    if (newest.head().size < pins_.size)
      return contradiction(EvidenceKind::kInconsistent, newest.note(),
                           "the service shows an older state of its log than this device saw");
    return contradiction(EvidenceKind::kFork, newest.note(),
                         "the service's log has two histories: it signed two trees of one size");
  }

  Result<api::LogView> settle(const tlog::Frontier& frontier, const tlog::Checkpoint& newest,
                              api::LogView view) {
    if (frontier.head() != newest.head()) {
      if (pins_.checkpoint.empty()) return withheld("its entries do not make the tree it signed");
      return contradiction(EvidenceKind::kInconsistent, newest.note(),
                           "the service's log does not follow from what this device saw of it");
    }
    pins_.size = frontier.size();
    pins_.root = frontier.head().root;
    pins_.edge = {};
    for (const Digest& hash : frontier.edge()) pins_.edge.push_back(hash);
    pins_.checkpoint = newest.note();
    status_.name = newest.origin();
    status_.size = pins_.size;
    status_.epoch = pins_.epoch;
    status_.bytes += view.checkpoint.size() + view.circle_proof.size() + view.data_proof.size() +
                     (view.audit ? view.audit->size() : 0);
    return view;
  }

  Result<void> learn(const Bytes& entry, std::uint64_t index) {
    const tlog::Leaf leaf = TRY(tlog::decode_leaf(entry));
    if (const auto* const batch = std::get_if<tlog::ReleaseBatch>(&leaf)) {
      TRY(learn_batch(pins_, *batch, entry));
      fresh_.push_back(*batch);
    } else if (const auto* const policy = std::get_if<tlog::PolicyLeaf>(&leaf)) {
      learn_policy(pins_, *policy, entry, index, status_);
    } else if (std::holds_alternative<tlog::TrustChange>(leaf)) {
      if (pins_.changes.size() == 16) pins_.changes.erase(pins_.changes.begin());
      pins_.changes.push_back(entry);
    }
    const auto* const epoch = std::get_if<tlog::MapEpoch>(&leaf);
    if (epoch == nullptr) return Ok{};
    TRY(tlog::check_epoch_follows(*epoch, pins_.epoch, pins_.epoch_leaf));
    pins_.epoch = epoch->n;
    pins_.epoch_leaf = tlog::leaf_hash(entry);
    pins_.epoch_entry = entry;
    pins_.epoch_index = index;
    pins_.map_root = epoch->root;
    return Ok{};
  }

  // S1.
  Result<void> tell_age(const tlog::Checkpoint& checkpoint) {
    status_.witnesses = checkpoint.witnessed().size();
    status_.quorum = trusted_.quorum();
    if (!checkpoint.time()) return Ok{};
    status_.age_s = TRY(tlog::age_s(*checkpoint.time(), static_cast<std::uint64_t>(now_ / 1000)));
    return Ok{};
  }

  // S3. An audit that lags is shown, not refused: an auditor may be away.
  Result<void> tell_audit(const std::optional<Bytes>& signed_audit) {
    if (!signed_audit || trusted_.auditors().empty()) return Ok{};
    status_.audited =
        TRY(tlog::check_audited(trusted_, *signed_audit, pins_.epoch, pins_.epoch_leaf));
    return Ok{};
  }

  // S4: the last label holds what this device knows, and the next is absent.
  template <class Label>
  Result<void> check_series(const Bytes& encoded, std::uint64_t next, const Digest& last,
                            const Label& label) const {
    const Digest root = pins_.epoch == 0 ? tlog::empty_map_root() : pins_.map_root;
    return tlog::verify_series(root, encoded, next, last,
                               [&](std::uint64_t n) { return label(lookup_, n); });
  }

  Result<void> check_circle(const api::LogView& view, const tlog::Checkpoint& checkpoint) {
    const circle::Circle& circle = replica_.circle();
    const std::uint64_t known = circle.seq() + 1;
    if (view.circle_next > known)
      return differs(view, view.circle_proof,
                     "the log has statement " + std::to_string(view.circle_next - 1) +
                         " of this account's circle, and the service does not show it: something "
                         "was done in this account that is kept from this device");
    const Digest last = view.circle_next > 0 ? circle.head_at(view.circle_next - 1) : Digest();
    auto held = check_series(view.circle_proof, view.circle_next, last,
                             tlog::circle_label<keys::LookupPurpose>);
    if (!held.ok() && held.error().code == Code::kUnsafe)
      return differs(view, view.circle_proof,
                     "the log shows another history of this account's circle than the service "
                     "shows this device (" +
                         held.error().message + ")");
    TRY(held);
    status_.circle_included = view.circle_next == known;
    pins_.included = status_.included = view.circle_next;
    return check_promises(view, checkpoint);
  }

  // What the map has not yet must be due later, or this device waited long enough to say so.
  Result<void> check_promises(const api::LogView& view, const tlog::Checkpoint& checkpoint) {
    wire::Bounded<Bytes, 64> left;
    for (const Bytes& bytes : pins_.promises) {
      const tlog::Promise promise = TRY(tlog::verify_promise(trusted_, bytes));
      if (promise.seq < view.circle_next) continue;
      if (promise.seq == view.circle_next && is_due(promise.include_by_s, checkpoint))
        return missed_statement(bytes, promise, view, checkpoint);
      left.push_back(bytes);
    }
    pins_.promises = left;
    return wait_for(status_.circle_included, view.circle_next, pins_.circle_behind,
                    pins_.circle_behind_ms,
                    "statement " + std::to_string(view.circle_next) + " of this account's circle");
  }

  // `heads`: of the vaults, as the map has them by now.
  Result<void> check_record_promises(const api::LogView& view, const tlog::Checkpoint& checkpoint,
                                     const std::vector<circle::VaultHead>& heads) {
    wire::Bounded<Bytes, 64> left;
    for (const Bytes& bytes : pins_.record_promises) {
      const tlog::RecordPromise promise = TRY(tlog::verify_record_promise(trusted_, bytes));
      const auto stands = std::ranges::find(heads, promise.vault, &circle::VaultHead::vault);
      if (stands != heads.end() && stands->n >= promise.n) continue;
      if (is_due(promise.include_by_s, checkpoint))
        return missed_record(bytes, promise, view, checkpoint, heads);
      left.push_back(bytes);
    }
    pins_.record_promises = left;
    return Ok{};
  }

  static bool is_due(std::uint64_t include_by_s, const tlog::Checkpoint& checkpoint) {
    return checkpoint.time() && tlog::is_due(include_by_s, *checkpoint.time());
  }

  Result<void> check_data(const api::LogView& view, const tlog::Checkpoint& checkpoint) {
    std::vector<circle::VaultHead> heads;
    bool all = true;
    for (const circle::Vault& vault : replica_.circle().vaults()) {
      const Chain& chain = replica_.chain(vault.id);
      const auto named = std::ranges::find_if(
          view.data_heads, [&](const auto& one) { return one.first == vault.id; });
      const std::uint64_t n = named == view.data_heads.end() ? 0 : named->second;
      if (n > chain.records.size())
        return differs(view, view.data_proof,
                       "the log has newer snapshots of the vault \"" + vault.name +
                           "\" than the service shows this device: they are kept from it");
      if (n < chain.records.size()) all = false;
      if (n > 0) heads.push_back({vault.id, n, chain.records[n - 1].tip.head});
    }
    const Digest last = circle::heads_hash(heads);
    auto held =
        check_series(view.data_proof, view.data_next, last, tlog::data_label<keys::LookupPurpose>);
    if (!held.ok() && held.error().code == Code::kUnsafe)
      return differs(view, view.data_proof,
                     "the log shows other snapshots of this account than the service shows this "
                     "device (" +
                         held.error().message + ")");
    TRY(held);
    TRY(check_record_promises(view, checkpoint, heads));
    status_.data_included = all;
    return wait_for(all, view.data_next, pins_.data_behind, pins_.data_behind_ms,
                    "the newest snapshots");
  }

  // A statement that another device made came without a promise: its time is counted from when this
  // one first saw that the map lacks it. Said, not refused, where nobody witnesses: then no
  // checkpoint's time is proven, and the log may only be slow.
  Result<void> wait_for(bool included, std::uint64_t next, std::uint64_t& at, std::int64_t& since,
                        const std::string& what) const {
    if (included) {
      since = 0;
      return Ok{};
    }
    if (since == 0 || next != at) since = now_;
    at = next;
    if (!status_.age_s) return Ok{};
    const TimeMs current_at = now_ - 1000 * static_cast<TimeMs>(*status_.age_s);
    if (current_at <= since + kGraceMs) return Ok{};
    return Error{Code::kUnsafe, "the log still lacks " + what +
                                    ", long after it promised to have " +
                                    "it: somebody may be shown another state of this account"};
  }

  // ---- evidence ----

  // What the log has of this account, beside what the service shows of it. The service signs only
  // the first, so it convinces this person, and whoever else has the account's lookup key.
  Error differs(const api::LogView& view, const Bytes& proof, std::string sentence) const {
    if (keep_ == Keep::kNothing) return {Code::kUnsafe, std::move(sentence)};
    std::vector<Bytes> items = {view.checkpoint, pins_.epoch_entry, proof,
                                replica_.statements().back()};
    const auto path = home_.save_evidence("log-account", items);
    if (path.ok()) sentence += ". What both show is kept in " + *path;
    return {Code::kUnsafe, std::move(sentence)};
  }

  Error contradiction(EvidenceKind kind, const Bytes& newer, std::string sentence) const {
    if (keep_ == Keep::kNothing) return {Code::kUnsafe, std::move(sentence)};
    return contradict(home_, files_, trusted_, {{}, kind, roots_, pins_.checkpoint, newer},
                      std::move(sentence));
  }

  Result<void> missed_statement(const Bytes& signed_promise, const tlog::Promise& promise,
                                const api::LogView& view,
                                const tlog::Checkpoint& checkpoint) const {
    const std::string sentence = "the log promised to have statement " +
                                 std::to_string(promise.seq) +
                                 " of this account's circle, and has not";
    if (keep_ == Keep::kNothing) return Error{Code::kUnsafe, sentence};
    Evidence evidence =
        TRY(missed(EvidenceKind::kMissedPromise, signed_promise, view.circle_proof, checkpoint));
    evidence.map_label = tlog::circle_label(lookup_, promise.seq);
    return saved(home_, evidence, sentence);
  }

  Result<void> missed_record(const Bytes& signed_promise, const tlog::RecordPromise& promise,
                             const api::LogView& view, const tlog::Checkpoint& checkpoint,
                             const std::vector<circle::VaultHead>& heads) const {
    const std::string sentence = "the log promised to have record " + std::to_string(promise.n) +
                                 " of a vault of this account, and has not";
    if (keep_ == Keep::kNothing) return Error{Code::kUnsafe, sentence};
    Evidence evidence =
        TRY(missed(EvidenceKind::kMissedRecord, signed_promise, view.data_proof, checkpoint));
    evidence.map_label = tlog::data_label(lookup_, view.data_next);
    if (view.data_next > 0) {
      const auto proof = TRY(wire::decode<tlog::SeriesProof>(view.data_proof));
      ShownHeads shown{tlog::data_label(lookup_, view.data_next - 1), *proof.last, {}};
      for (const circle::VaultHead& head : heads) shown.heads.push_back(head);
      evidence.shown = std::move(shown);
    }
    return saved(home_, evidence, sentence);
  }

  // But the label. `series`: whose `next` is absent.
  Result<Evidence> missed(EvidenceKind kind, const Bytes& signed_promise, const Bytes& series,
                          const tlog::Checkpoint& checkpoint) const {
    Evidence evidence{{}, kind, roots_, signed_promise, checkpoint.note()};
    const auto proof = TRY(wire::decode<tlog::SeriesProof>(series));
    evidence.absence = proof.next;
    evidence.epoch = pins_.epoch_entry;
    evidence.index = pins_.epoch_index;
    const tlog::TileReader tiles = [this](const tlog::Tile& tile) {
      return files_.get_log(tlog::tile_path(tile));
    };
    if (pins_.epoch == 0) return evidence;
    const auto inclusion =
        tlog::TileTree(checkpoint.head().size, tiles).prove_inclusion(pins_.epoch_index);
    if (inclusion.ok())
      for (const Digest& hash : *inclusion) evidence.inclusion.push_back(hash);
    add_later(evidence, checkpoint.head().size);
    return evidence;
  }

  // That no later entry is another generation of the map. Without them the rest still counts.
  void add_later(Evidence& evidence, std::uint64_t size) const {
    const std::uint64_t count = size - pins_.epoch_index - 1;
    if (count == 0 || count > kMaxLater) return;
    const auto view = replica_.session().read_log(pins_.epoch_index + 1);
    if (!view.ok() || view->leaves.size() < count) return;
    for (std::uint64_t i = 0; i < count; ++i) evidence.later.push_back(view->leaves[i]);
  }

  Home& home_;
  Replica& replica_;
  api::Visitor& files_;
  const circle::TrustRoots& trust_;
  const tlog::LogRoots& roots_;
  const tlog::TrustedLog trusted_;
  const keys::LookupKey& lookup_;
  const TimeMs now_;
  const Keep keep_;
  LogPins pins_;
  LogStatus status_;
  std::vector<tlog::ReleaseBatch> fresh_;  // batches that this device sees for the first time
};

}  // namespace

Result<LogStatus> check_log(Home& home, Replica& replica, api::Visitor& files,
                            const circle::TrustRoots& trust, const keys::LookupKey& lookup,
                            TimeMs now, Keep keep) {
  const auto roots = TRY(wire::decode<tlog::LogRoots>(trust.log));
  auto trusted = TRY(tlog::TrustedLog::open(roots));
  auto pins = TRY(load_pins(home));
  return Check(home, replica, files, trust, roots, std::move(trusted), lookup, now, keep,
               std::move(pins))
      .run();
}

Result<std::optional<TimeMs>> newest_proven(const Home& home, const circle::TrustRoots& trust) {
  const auto roots = TRY(wire::decode<tlog::LogRoots>(trust.log));
  const auto trusted = TRY(tlog::TrustedLog::open(roots));
  const LogPins pins = TRY(load_pins(home));
  const auto seen = tlog::Checkpoint::verify(trusted, pins.checkpoint);
  if (!seen.ok() || !seen->time()) return std::optional<TimeMs>();
  return std::optional(static_cast<TimeMs>(seen->time()->current_at) * 1000);
}

Result<void> compare_seen(Home& home, api::Visitor& files, const circle::TrustRoots& trust,
                          BytesView theirs, const std::string& device) {
  const auto roots = TRY(wire::decode<tlog::LogRoots>(trust.log));
  const auto trusted = TRY(tlog::TrustedLog::open(roots));
  const LogPins pins = TRY(load_pins(home));
  const auto seen = tlog::Checkpoint::verify(trusted, theirs);
  // Signed by those who watched the log before a change of the trust roots: nothing to compare.
  if (!seen.ok() || pins.checkpoint.empty()) return Ok{};
  const tlog::TreeHead mine{pins.size, pins.root};
  if (seen->head() == mine) return Ok{};
  const auto differs = [&](EvidenceKind kind, const std::string& how) {
    return contradict(
        home, files, trusted, {{}, kind, roots, to_bytes(theirs), pins.checkpoint},
        "the service shows this device another log than it showed \"" + device + "\": " + how);
  };
  if (seen->head().size == mine.size)
    return differs(EvidenceKind::kFork, "it signed two trees of one size");
  if (seen->head().size > mine.size)
    return differs(EvidenceKind::kInconsistent, "that one saw more of it, earlier");
  const tlog::TileReader tiles = [&](const tlog::Tile& tile) {
    return files.get_log(tlog::tile_path(tile));
  };
  const auto proof = tlog::TileTree(mine.size, tiles).prove_consistency(seen->head().size);
  if (!proof.ok()) return withheld("the hashes that tie it to what another device saw");
  if (!tlog::verify_consistency(seen->head(), mine, *proof).ok())
    return differs(EvidenceKind::kInconsistent, "what that one saw is not in it");
  return Ok{};
}

}  // namespace holdfast::vault
