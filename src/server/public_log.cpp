#include "server/public_log.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "base/file.h"
#include "circle/circle.h"
#include "circle/vault_chain.h"
#include "crypto/key_file.h"
#include "tlog/map_labels.h"
#include "tlog/notice.h"

namespace holdfast::server {
namespace {

constexpr std::size_t kAccountsAStep = 10'000;
constexpr std::size_t kEntriesAStep = 100'000;  // 7 MB: an auditor takes kMaxAuditBody
constexpr std::size_t kQueuedAStep = 100;
constexpr std::size_t kViewBytes = 1024 * 1024;
constexpr std::size_t kKeptBatches = 4;
constexpr std::size_t kMaxDeltaFile = 80 * 1024 * 1024;

std::string name_of(const crypto::Ed25519PublicKey& key) {
  return "holdfast-" + to_hex(crypto::sha256(key.bytes).view().first(8));
}

Bytes note_of(const tlog::LogSigner& signer, const tlog::TreeHead& head) {
  tlog::Note note;
  note.text = tlog::CheckpointText{signer.key().name, head, {}}.format();
  note.signatures.push_back(signer.sign(note.text));
  return to_bytes(as_bytes(note.format()));
}

// Not before the time that devices take from it, whichever witnesses they count.
Result<std::uint64_t> newest_time(const Bytes& note) {
  std::uint64_t out = 0;
  for (const tlog::NoteSignature& one : TRY(tlog::Note::parse(note)).signatures)
    out = std::max(out, tlog::cosignature_time(one).value_or(0));
  return out;
}

Digest newest_hash(const LogState& state) { return tlog::leaf_hash(state.newest_epoch); }

}  // namespace

Result<std::unique_ptr<PublicLog>> PublicLog::open(Writer& writer, LogOptions options,
                                                   std::shared_ptr<const Clock> clock) {
  auto files = TRY(LogFiles::make(options.folder));
  const auto key = TRY(crypto::load_or_make_key(options.key_file));
  const crypto::Ed25519PublicKey public_key = crypto::Ed25519Key(key).public_key();
  options.roots.log.name = options.name.empty() ? name_of(public_key) : options.name;
  options.roots.log.key = public_key.bytes;
  auto trusted = TRY(tlog::TrustedLog::open(options.roots));
  const Bytes roots = wire::encode(options.roots);
  TRY(files.put("roots", roots));
  if (!options.policy_key.empty()) TRY(files.put("policy-key", options.policy_key));
  if (!options.fleet_key.empty()) TRY(files.put("fleet-key", options.fleet_key));
  auto log = std::unique_ptr<PublicLog>(new PublicLog(
      writer, std::move(files), tlog::LogSigner(options.roots.log.name, key), std::move(trusted),
      circle::TrustRoots{{}, options.tls_pin, roots, options.policy_key, options.fleet_key},
      options.promise_s, std::move(clock)));
  TRY(log->tables_.put_roots(circle::roots_hash(log->site_), wire::encode(log->site_)));
  TRY(log->load());
  TRY(log->policies_.load());
  // Where nobody is to be asked, nothing waits.
  if (log->waiting_ && log->trusted_.quorum() == 0)
    TRY(log->cosign({log->waiting_->after.note, log->waiting_->after.head}, {}));
  return log;
}

// A step that was decided before the process ended is written out again, not decided again.
Result<void> PublicLog::load() {
  auto shown = TRY(tables_.shown());
  auto waiting = TRY(tables_.decided());
  if (!shown && !waiting) return begin();
  if (shown) {
    shown_ = *std::move(shown);
    shown_current_ = TRY(newest_time(shown_.note));
  }
  const std::vector<tlog::MapEntry> entries = TRY(tables_.map());
  TRY(map_.apply(entries));
  const Bytes& note = waiting ? waiting->after.note : shown_.note;
  const auto parsed = TRY(tlog::Note::parse(note));
  const auto text = TRY(tlog::CheckpointText::parse(parsed.text));
  if (text.origin != trusted_.origin() || parsed.find(trusted_.log()) == nullptr)
    return Error{Code::kUnsafe,
                 "the log was begun under another name or key than it is given now: a log keeps "
                 "both for good"};
  if (waiting) {
    TRY(write_files(*waiting));
    waiting_ = std::move(waiting);
  }
  return Ok{};
}

// The empty tree is signed, too: devices have something to begin from.
Result<void> PublicLog::begin() {
  LogStep first;
  first.after.note = note_of(signer_, first.after.head);
  TRY(tables_.decide(first));
  waiting_ = std::move(first);
  return Ok{};
}

// ---- accounts ----

Result<void> PublicLog::check_lookup(BytesView lookup, const Digest& committed) {
  if (lookup.size() != LookupKey::kSize)
    return Error{Code::kInvalid, "a lookup key has another length"};
  if (tlog::lookup_hash(LookupKey::from_bytes(lookup)) != committed)
    return Error{Code::kInvalid, "the account's genesis commits to another lookup key"};
  return Ok{};
}

Result<void> PublicLog::add_account(const std::string& account, BytesView lookup,
                                    const Digest& genesis) {
  {
    const std::shared_lock reading(mutex_);
    const auto standing = map_.find(tlog::circle_label(LookupKey::from_bytes(lookup), 0));
    if (standing && *standing != genesis)
      return Error{Code::kConflict, "another account had this lookup key"};
  }
  TRY(tables_.put_lookup(account, lookup));
  return tables_.touch(account, now_s());
}

Result<std::optional<Bytes>> PublicLog::promise(const std::string& account, const CircleId& circle,
                                                std::uint64_t seq, const Digest& head) {
  const auto place = TRY(tables_.place(account));
  if (!place) return std::optional<Bytes>();
  tlog::Promise promise;
  promise.circle = circle;
  promise.seq = seq;
  promise.head = head;
  promise.include_by_s = now_s() + promise_s_;
  return std::optional(tlog::sign_promise(signer_, promise));
}

Result<std::optional<Bytes>> PublicLog::promise(const std::string& account,
                                                const circle::Record& record, const Digest& head) {
  const auto place = TRY(tables_.place(account));
  if (!place) return std::optional<Bytes>();
  tlog::RecordPromise promise;
  promise.circle = record.circle;
  promise.vault = record.vault;
  promise.n = record.n;
  promise.head = head;
  promise.include_by_s = now_s() + promise_s_;
  return std::optional(tlog::sign_promise(signer_, promise));
}

// ---- what is told ----

Result<api::LogView> PublicLog::view(const std::string& account, std::uint64_t from) {
  const std::shared_lock reading(mutex_);
  const auto lookup = TRY(tables_.lookup(account));
  if (!lookup) return api::no_log();
  if (shown_.note.empty())
    return Error{Code::kUnavailable, "the service's log waits for its witnesses; try again soon"};
  TRY(check_promises_kept(account));
  const LookupKey key = LookupKey::from_bytes(*lookup);
  const LogAccount place = TRY(tables_.place(account)).value_or(LogAccount{});

  api::LogView out;
  out.checkpoint = shown_.note;
  if (from > shown_.head.size) from = shown_.head.size;
  const std::uint64_t to = std::min(shown_.head.size, from + api::kMaxLogLeaves);
  out.leaves = TRY(tables_.leaves(from, to, kViewBytes));
  out.audit = TRY(tables_.audit());
  const auto prove = [&](std::uint64_t next, const auto& label) {
    tlog::SeriesProof proof;
    if (next > 0) proof.last = map_.prove(label(key, next - 1));
    proof.next = map_.prove(label(key, next));
    return wire::encode(proof);
  };
  out.circle_next = place.circle_next;
  out.circle_proof = prove(place.circle_next, tlog::circle_label<LookupPurpose>);
  out.data_next = place.data_next;
  for (const circle::VaultHead& head : place.heads) out.data_heads.push_back({head.vault, head.n});
  out.data_proof = prove(place.data_next, tlog::data_label<LookupPurpose>);
  return out;
}

Result<api::LogView> PublicLog::entries(std::uint64_t from) const {
  const std::shared_lock reading(mutex_);
  if (shown_.note.empty())
    return Error{Code::kUnavailable, "the service's log waits for its witnesses; try again soon"};
  api::LogView out;
  out.checkpoint = shown_.note;
  from = std::min(from, shown_.head.size);
  const std::uint64_t to = std::min(shown_.head.size, from + api::kMaxLogLeaves);
  out.leaves = TRY(tables_.leaves(from, to, kViewBytes));
  return out;
}

Result<tlog::LeafProof> PublicLog::prove_leaf(BytesView entry) const {
  const std::shared_lock reading(mutex_);
  return prove_shown(entry);
}

Result<tlog::LeafProof> PublicLog::prove_shown(BytesView entry) const {
  const auto index = TRY(tables_.index_of(entry));
  if (!index || *index >= shown_.head.size)
    return Error{Code::kUnavailable, "the log does not show this entry yet"};
  tlog::LeafProof out;
  out.leaf = to_bytes(entry);
  out.index = *index;
  for (const Digest& hash :
       TRY(tlog::TileTree(shown_.head.size, files_.tiles()).prove_inclusion(*index)))
    out.inclusion.push_back(hash);
  out.checkpoint = shown_.note;
  return out;
}

Result<lawful::StateProof> PublicLog::prove_state(const std::string& account,
                                                  const Digest& roots) const {
  auto proven = TRY(proven_by(account, roots));
  const std::shared_lock reading(mutex_);
  if (shown_.note.empty() || shown_.newest_epoch.empty())
    return Error{Code::kUnavailable, "the service's log waits for its witnesses; try again soon"};
  TRY(check_promises_kept(account));
  const LookupKey key = LookupKey::from_bytes(proven.lookup);
  const std::uint64_t next = TRY(tables_.place(account)).value_or(LogAccount{}).circle_next;
  lawful::StateProof out;
  out.roots = std::move(proven.roots);
  out.lookup = std::move(proven.lookup);
  out.epoch = TRY(prove_shown(shown_.newest_epoch));
  const std::uint64_t from = out.epoch.index + 1;
  out.after = TRY(tables_.leaves(from, shown_.head.size, kViewBytes));
  if (out.after.size() != shown_.head.size - from || out.after.size() > lawful::kMaxLeavesAfter)
    return Error{Code::kUnavailable,
                 "too many entries of the log follow its newest map; try again"};
  tlog::SeriesProof series;
  if (next > 0) series.last = map_.prove(tlog::circle_label(key, next - 1));
  series.next = map_.prove(tlog::circle_label(key, next));
  out.circle_proof = wire::encode(series);
  return out;
}

Result<std::uint64_t> PublicLog::logged_statements(const std::string& account) const {
  const auto place = TRY(tables_.place(account));
  return place ? place->circle_next : 0;
}

Result<PublicLog::Proven> PublicLog::proven_by(const std::string& account,
                                               const Digest& hash) const {
  auto lookup = TRY(tables_.lookup(account));
  auto roots = TRY(tables_.roots(hash));
  if (!lookup || !roots)
    return Error{Code::kNotFound,
                 "this service never had the log that the account's genesis names"};
  return Proven{*std::move(lookup), *std::move(roots)};
}

// By what is durable alone, so that no restart and no second outage of the witnesses forgets it.
Result<void> PublicLog::check_promises_kept(const std::string& account) const {
  const auto since = TRY(tables_.dirty_since(account));
  if (!since || shown_current_ <= *since + promise_s_) return Ok{};
  return Error{Code::kUnavailable,
               "the service's log is catching up after its witnesses were away; try again in a "
               "minute"};
}

// ---- ages ----

// With what is shown now. A start proven late makes a statement look younger, nothing else.
Result<Bytes> PublicLog::make_start(const LookupKey& key, std::uint64_t seq) const {
  tlog::AgeEvidence out;
  out.start = shown_.note;
  out.epoch = shown_.newest_epoch;
  const auto epoch = TRY(wire::decode<tlog::MapEpoch>(out.epoch));
  out.index = TRY(tables_.epoch_index(epoch.n));
  out.in_start = TRY(tlog::TileTree(shown_.head.size, files_.tiles()).prove_inclusion(out.index));
  out.proof = map_.prove(tlog::circle_label(key, seq));
  return wire::encode(out);
}

// Kept when a statement came in: nobody can prove later, from a newer map, when that was.
Result<void> PublicLog::keep_starts(const ReadLists& read) {
  for (const Unstarted& one : TRY(tables_.unstarted(kAccountsAStep))) {
    const auto lookup = TRY(tables_.lookup(one.account));
    if (!lookup) continue;
    const LookupKey key = LookupKey::from_bytes(*lookup);
    const AccountLists lists = TRY(read(one.account, one.from));
    std::vector<KeptStart> starts;
    {
      const std::shared_lock reading(mutex_);
      for (const std::uint64_t seq : lists.begins)
        if (seq < one.to) starts.push_back({seq, TRY(make_start(key, seq))});
    }
    TRY(tables_.put_starts(one.account, starts));
    TRY(tables_.forget_unstarted(one.account));
  }
  return Ok{};
}

Result<Bytes> PublicLog::prove_age(const std::string& account, std::uint64_t seq) {
  const std::shared_lock reading(mutex_);
  const auto lookup = TRY(tables_.lookup(account));
  if (!lookup) return api::no_log();
  const LookupKey key = LookupKey::from_bytes(*lookup);
  const LogAccount place = TRY(tables_.place(account)).value_or(LogAccount{});
  if (seq >= place.circle_next || shown_.note.empty())
    return Error{Code::kNotFound,
                 "the log's map has not this statement yet; it is promised within ten minutes"};
  auto start = TRY(tables_.start(account, seq));
  if (!start) {
    start = TRY(make_start(key, seq));
    TRY(tables_.put_starts(account, {{seq, *start}}));
  }
  auto evidence = TRY(wire::decode<tlog::AgeEvidence>(*start));
  evidence.end = shown_.note;
  evidence.in_end =
      TRY(tlog::TileTree(shown_.head.size, files_.tiles()).prove_inclusion(evidence.index));
  return wire::encode(evidence);
}

// ---- the sequence ----

// What the account adds to the map. An account that is gone and was made again finds its labels
// there and goes on behind them. False: they are another's.
bool PublicLog::take_account(DirtyAccount& one, const AccountLists& lists, BytesView lookup,
                             std::vector<tlog::MapEntry>& entries) const {
  const LookupKey key = LookupKey::from_bytes(lookup);
  for (const Digest& head : lists.heads) {
    const tlog::MapLabel label = tlog::circle_label(key, one.now.circle_next++);
    const auto standing = map_.find(label);
    if (standing && *standing != head) return false;
    if (!standing) entries.push_back({label, head});
  }
  if (lists.vaults == one.now.heads) return true;
  const Digest value = circle::heads_hash(lists.vaults);
  one.now.heads = lists.vaults;
  std::optional<Digest> last;
  while (const auto standing = map_.find(tlog::data_label(key, one.now.data_next))) {
    last = standing;
    ++one.now.data_next;
  }
  if (last != value) entries.push_back({tlog::data_label(key, one.now.data_next++), value});
  return true;
}

Result<LogStep> PublicLog::take(const ReadLists& read) const {
  LogStep step;
  step.taken_s = now_s();
  step.leaves = TRY(tables_.queued(kQueuedAStep));
  tlog::MapDelta delta;
  std::set<tlog::MapLabel> taken;
  for (DirtyAccount& one : TRY(tables_.dirty(kAccountsAStep))) {
    if (delta.entries.size() > kEntriesAStep) break;
    const auto lookup = TRY(tables_.lookup(one.account));
    if (!lookup) continue;
    const AccountLists lists = TRY(read(one.account, one.now.circle_next));
    // One whose labels another has is left where it is: it must not hold up all the others.
    const LogAccount before = one.now;
    std::vector<tlog::MapEntry> entries;
    const bool fits = take_account(one, lists, *lookup, entries) &&
                      std::ranges::none_of(
                          entries, [&](const auto& entry) { return taken.contains(entry.label); });
    if (!fits) {
      one.now = before;
      entries.clear();
    }
    for (const tlog::MapEntry& entry : entries) {
      taken.insert(entry.label);
      delta.entries.push_back(entry);
    }
    step.accounts.push_back(std::move(one));
  }
  std::ranges::sort(delta.entries);
  if (!delta.entries.empty()) step.delta = wire::encode(delta);
  return step;
}

Result<void> PublicLog::add_epoch(LogStep& step) const {
  tlog::MapDelta delta = TRY(wire::decode<tlog::MapDelta>(step.delta));
  tlog::MapEpoch epoch;
  epoch.n = 1;
  if (!shown_.newest_epoch.empty()) {
    const auto before = TRY(wire::decode<tlog::MapEpoch>(shown_.newest_epoch));
    epoch.n = before.n + 1;
    epoch.previous = newest_hash(shown_);
  }
  delta.n = epoch.n;
  step.delta = wire::encode(delta);
  step.epoch = epoch.n;
  epoch.root = TRY(map_.root_after(delta.entries));
  epoch.entries = map_.size() + delta.entries.size();
  epoch.delta = crypto::sha256(step.delta);
  // By an auditor of now: the policy may have changed since.
  if (const auto bytes = TRY(tables_.audit())) {
    const auto audit = tlog::verify_audit(trusted_, *bytes);
    if (audit.ok()) epoch.audited = audit->n;
  }
  step.after.newest_epoch = wire::encode(epoch);
  step.leaves.push_back(step.after.newest_epoch);
  return Ok{};
}

Result<bool> PublicLog::step(const ReadLists& read) {
  TRY(keep_starts(read));
  if (waiting_) return false;
  LogStep step = TRY(take(read));
  step.after.newest_epoch = shown_.newest_epoch;
  if (!step.delta.empty()) TRY(add_epoch(step));
  if (step.leaves.empty()) return false;
  auto frontier = TRY(tlog::Frontier::open(shown_.head, shown_.edge));
  for (const Bytes& leaf : step.leaves) frontier.append(tlog::leaf_hash(leaf));
  step.after.head = frontier.head();
  step.after.edge = frontier.edge();
  step.after.note = note_of(signer_, step.after.head);
  TRY(tables_.decide(step));
  TRY(write_files(step));
  const std::unique_lock writing(mutex_);
  waiting_ = std::move(step);
  return true;
}

Result<void> PublicLog::write_files(const LogStep& step) {
  auto frontier = TRY(tlog::Frontier::open(shown_.head, shown_.edge));
  std::vector<tlog::TileHash> hashes;
  for (const Bytes& leaf : step.leaves)
    for (tlog::TileHash& hash : frontier.append(tlog::leaf_hash(leaf)))
      hashes.push_back(std::move(hash));
  TRY(files_.add(shown_.head.size, step.leaves, hashes));
  if (!step.delta.empty()) TRY(files_.put("map/" + std::to_string(step.epoch), step.delta));
  if (step.after.head.size == 0) return Ok{};
  const Digest root = TRY(tlog::TileTree(step.after.head.size, files_.tiles()).root());
  if (root != step.after.head.root)
    return Error{Code::kCorrupt,
                 "the files of the public log are of another log than the database: put both back "
                 "from one copy"};
  return Ok{};
}

// ---- what others put into the log ----

Result<void> PublicLog::check_trust_change(const tlog::TrustChange& change) const {
  const auto roots = wire::decode<circle::TrustRoots>(change.roots);
  if (!roots.ok()) return Error{Code::kInvalid, "the new trust roots are none"};
  if (roots->tls_pin != site_.tls_pin)
    return Error{Code::kInvalid,
                 "the new trust roots name another key of the service: devices "
                 "cannot follow that"};
  const auto log = wire::decode<tlog::LogRoots>(roots->log);
  if (!log.ok()) return Error{Code::kInvalid, "the new trust roots name no log"};
  TRY(tlog::TrustedLog::open(*log));
  if (log->log.name != trusted_.origin() || log->log.key != trusted_.log().key.bytes)
    return Error{Code::kInvalid, "the new trust roots name another log: a log keeps name and key"};
  if (change.previous != crypto::sha256(wire::encode(site_)))
    return Error{Code::kInvalid, "the new trust roots do not replace those that stand"};
  return Ok{};
}

Result<void> PublicLog::check_lead(std::uint64_t from_s) const {
  if (from_s >= now_s() + tlog::kNotice_s + kLead_s) return Ok{};
  return Error{Code::kInvalid,
               "it must take effect in seven days and an hour at the earliest: devices count from "
               "when witnesses signed it"};
}

Result<void> PublicLog::append_fleet_key(const tlog::CustodyKey& key) {
  const auto before = TRY(tables_.newest("custody-key"));
  if (before.n > 0) {
    const auto newest = TRY(wire::decode<tlog::CustodyKey>(before.value));
    if (newest.fleet_key == key.fleet_key) return Ok{};
    TRY(check_lead(key.in_effect_from_s));
  }
  const Bytes leaf = wire::encode(key);
  return tables_.queue(leaf, "custody-key", {before.n + 1, leaf});
}

Result<void> PublicLog::append_leaf(const tlog::Leaf& leaf) {
  if (const auto* const key = std::get_if<tlog::CustodyKey>(&leaf)) return append_fleet_key(*key);
  if (const auto* const change = std::get_if<tlog::TrustChange>(&leaf)) {
    TRY(check_lead(change->in_effect_from_s));
    TRY(check_trust_change(*change));
  } else if (!std::holds_alternative<tlog::DeletionReceipt>(leaf) &&
             !std::holds_alternative<tlog::SoftwareRelease>(leaf) &&
             !std::holds_alternative<tlog::LawfulHead>(leaf) &&
             !std::holds_alternative<tlog::LawfulReport>(leaf)) {
    return Error{Code::kInvalid, "such an entry is not put into the log by itself"};
  }
  return tables_.queue(std::visit([](const auto& one) { return wire::encode(one); }, leaf));
}

Result<void> PublicLog::append_batch(BytesView bytes,
                                     const std::vector<tlog::MapEntry>& positions) {
  const auto batch = TRY(wire::decode<tlog::ReleaseBatch>(bytes));
  const auto before = TRY(tables_.newest("batch"));
  if (before.n > 0 && std::ranges::equal(before.value, bytes)) return Ok{};
  std::optional<Digest> newest;
  if (before.n > 0) newest = tlog::leaf_hash(before.value);
  if (!tlog::check_batch_follows(batch, before.n, newest).ok())
    return Error{Code::kInvalid,
                 "this is not the release batch after number " + std::to_string(before.n)};
  if (batch.accounts != positions.size() || TRY(tlog::Map().root_after(positions)) != batch.root)
    return Error{Code::kInvalid, "a release batch has other positions than its entry says"};
  return tables_.queue_batch(bytes, batch.n, positions);
}

Result<void> PublicLog::open_batch(std::uint64_t n, const CircleId& circle, BytesView opening) {
  const auto map = TRY(batch_map(n));
  const auto value = map->find(tlog::batch_position(circle));
  if (!value || !tlog::verify_opening(*value, circle, n, opening).ok())
    return Error{Code::kInvalid, "a release batch has something else at this account's position"};
  return tables_.put_opening(n, tlog::batch_position(circle), opening);
}

std::shared_ptr<const tlog::Map> PublicLog::kept_batch_map(std::uint64_t n) {
  const std::scoped_lock one(batches_mutex_);
  const auto kept = batch_maps_.find(n);
  return kept == batch_maps_.end() ? nullptr : kept->second;
}

// One is made at a time, which may take seconds; nobody waits for that who needs one that is kept.
Result<std::shared_ptr<const tlog::Map>> PublicLog::batch_map(std::uint64_t n) {
  if (auto kept = kept_batch_map(n)) return kept;
  const std::scoped_lock making(batch_making_);
  if (auto kept = kept_batch_map(n)) return kept;
  auto map = std::make_shared<tlog::Map>();
  const auto positions = TRY(tables_.positions(n));
  TRY(map->apply(positions));
  const std::scoped_lock one(batches_mutex_);
  std::shared_ptr<const tlog::Map> found = std::move(map);
  batch_maps_[n] = found;
  while (batch_maps_.size() > kKeptBatches)
    batch_maps_.erase(batch_maps_.begin()->first == n ? std::prev(batch_maps_.end())
                                                      : batch_maps_.begin());
  return found;
}

Result<std::vector<api::BatchView>> PublicLog::batches(const CircleId& circle, std::uint64_t from) {
  std::vector<api::BatchView> out;
  const auto newest = TRY(tables_.newest("batch"));
  std::size_t bytes = 0;
  std::size_t made = 0;  // a page is short rather than slow
  for (std::uint64_t n = std::max<std::uint64_t>(from, 1);
       n <= newest.n && out.size() < api::Session::kMaxPage && bytes < kViewBytes; ++n) {
    if (!kept_batch_map(n) && ++made > kKeptBatches) break;
    const auto map = TRY(batch_map(n));
    api::BatchView one;
    one.position = wire::encode(tlog::prove_position(*map, circle));
    one.opening = TRY(tables_.opening(n, tlog::batch_position(circle)));
    bytes += one.position.size() + (one.opening ? one.opening->size() : 0);
    out.push_back(std::move(one));
  }
  return out;
}

// Whoever comes later sees by them that notice was given: no checkpoint of now can show that.
Result<void> PublicLog::write_notices(const LogStep& step, const Bytes& note) {
  const std::uint64_t first = step.after.head.size - step.leaves.size();
  for (std::size_t i = 0; i < step.leaves.size(); ++i) {
    const tlog::Leaf leaf = TRY(tlog::decode_leaf(step.leaves[i]));
    const auto* const change = std::get_if<tlog::TrustChange>(&leaf);
    const auto* const receipt = std::get_if<tlog::DeletionReceipt>(&leaf);
    if (change == nullptr && receipt == nullptr &&
        !std::holds_alternative<tlog::PolicyLeaf>(leaf) &&
        !std::holds_alternative<tlog::CustodyKey>(leaf))
      continue;
    tlog::LeafProof proof;
    proof.leaf = step.leaves[i];
    proof.index = first + i;
    for (const Digest& hash :
         TRY(tlog::TileTree(step.after.head.size, files_.tiles()).prove_inclusion(proof.index)))
      proof.inclusion.push_back(hash);
    proof.checkpoint = note;
    const Bytes bytes = wire::encode(proof);
    if (receipt != nullptr) {
      TRY(files_.put("receipt/" + receipt->receipt.hex(), bytes));
      continue;
    }
    TRY(files_.put("notice/" + std::to_string(proof.index), bytes));
    if (change != nullptr) TRY(files_.put("trust/" + change->previous.hex(), bytes));
  }
  return Ok{};
}

std::optional<PublicLog::Due> PublicLog::due(std::uint64_t renew_s) const {
  const std::shared_lock reading(mutex_);
  if (waiting_) return Due{waiting_->after.note, waiting_->after.head};
  if (trusted_.witnesses().empty() || now_s() < cosigned_s_ + renew_s) return std::nullopt;
  return Due{note_of(signer_, shown_.head), shown_.head};
}

Result<tlog::Proof> PublicLog::consistency(std::uint64_t from, std::uint64_t to) const {
  return tlog::TileTree(to, files_.tiles()).prove_consistency(from);
}

// Others' signatures in the answer count for nothing: a witness speaks for itself. A time that is
// off would make devices take the log for stale, or their own clocks for wrong.
Result<tlog::NoteSignature> PublicLog::pick(
    const Due& due, const tlog::NoteKey& witness,
    const std::vector<tlog::NoteSignature>& signatures) const {
  const tlog::Note note = TRY(tlog::Note::parse(due.note));
  Error why{Code::kDenied, "it did not sign with the key that the policy names"};
  for (const tlog::NoteSignature& one : signatures) {
    if (one.name != witness.name || one.id != witness.id()) continue;
    if (!tlog::verify(witness, note.text, one)) {
      why = {Code::kDenied, "its signature is not over this checkpoint"};
      continue;
    }
    const std::uint64_t time_s = tlog::cosignature_time(one).value_or(0);
    const std::uint64_t now = now_s();
    const std::uint64_t apart = std::max(time_s, now) - std::min(time_s, now);
    if (apart <= tlog::kClockTolerance_s) return one;
    why = {Code::kDenied, "its clock and this machine's are " + std::to_string(apart) +
                              " seconds apart: set the one that is wrong"};
  }
  return why;
}

Result<tlog::Proof> PublicLog::inclusion(std::uint64_t index) const {
  const std::shared_lock reading(mutex_);
  return tlog::TileTree(shown_.head.size, files_.tiles()).prove_inclusion(index);
}

Result<bool> PublicLog::cosign(const Due& due, const std::vector<tlog::NoteSignature>& signatures) {
  tlog::Note note = TRY(tlog::Note::parse(due.note));
  // One bad or double signature would spoil the note for everyone: whoever sends it is as good as
  // away.
  for (const tlog::NoteKey& witness : trusted_.witnesses())
    if (auto one = pick(due, witness, signatures); one.ok())
      note.signatures.push_back(*std::move(one));
  const Bytes bytes = to_bytes(as_bytes(note.format()));
  const auto checked = tlog::Checkpoint::verify(trusted_, bytes);
  if (!checked.ok()) return std::move(checked).error();
  TRY(show(bytes));
  return true;
}

Result<void> PublicLog::show(const Bytes& note) {
  const std::uint64_t current = TRY(newest_time(note));
  if (!waiting_) {
    TRY(tables_.renew(note));
    TRY(files_.put("checkpoint", note));
    const std::unique_lock writing(mutex_);
    shown_.note = note;
    shown_current_ = current;
    cosigned_s_ = now_s();
    return Ok{};
  }
  // The world first: whoever is told of a checkpoint finds the files that it speaks of.
  TRY(write_notices(*waiting_, note));
  TRY(files_.put("checkpoint", note));
  tlog::MapDelta delta;
  if (!waiting_->delta.empty()) delta = TRY(wire::decode<tlog::MapDelta>(waiting_->delta));
  const std::unique_lock writing(mutex_);
  TRY(tables_.show(*waiting_, note));
  if (!delta.entries.empty()) TRY(map_.apply(delta.entries));
  shown_ = std::move(waiting_->after);
  shown_.note = note;
  waiting_.reset();
  shown_current_ = current;
  cosigned_s_ = now_s();
  return Ok{};
}

// ---- audits ----

Result<std::optional<tlog::AuditRequest>> PublicLog::next_audit(std::uint64_t n) const {
  const std::shared_lock reading(mutex_);
  if (shown_.newest_epoch.empty()) return std::optional<tlog::AuditRequest>();
  const auto newest = TRY(wire::decode<tlog::MapEpoch>(shown_.newest_epoch));
  if (n >= newest.n) return std::optional<tlog::AuditRequest>();
  tlog::AuditRequest request;
  request.index = TRY(tables_.epoch_index(n + 1));
  const auto leaf = TRY(tables_.leaves(request.index, request.index + 1, SIZE_MAX));
  if (leaf.size() != 1) return Error{Code::kCorrupt, "the service's log lacks an entry"};
  request.leaf = leaf[0];
  request.inclusion =
      TRY(tlog::TileTree(shown_.head.size, files_.tiles()).prove_inclusion(request.index));
  auto stored = TRY(files_.open("map/" + std::to_string(n + 1)));
  if (stored.size > kMaxDeltaFile) return Error{Code::kCorrupt, "a delta is too large"};
  request.delta = TRY(read_fd(stored.file.get(), stored.size));
  return std::optional(std::move(request));
}

Result<Bytes> PublicLog::shown_note() const {
  const std::shared_lock reading(mutex_);
  return shown_.note;
}

Result<void> PublicLog::add_audit(BytesView audit) {
  TRY(tlog::verify_audit(trusted_, audit));
  TRY(tables_.put_audit(audit));
  return files_.put("audit", audit);
}

std::vector<std::pair<std::string, double>> PublicLog::gauges() const {
  const std::shared_lock reading(mutex_);
  return {{"holdfast_log_leaves", static_cast<double>(shown_.head.size)},
          {"holdfast_log_map_entries", static_cast<double>(map_.size())},
          {"holdfast_log_waiting", waiting_ ? 1.0 : 0.0},
          {"holdfast_log_cosigned_age_seconds",
           cosigned_s_ == 0 ? -1.0 : static_cast<double>(now_s() - cosigned_s_)}};
}

}  // namespace holdfast::server
