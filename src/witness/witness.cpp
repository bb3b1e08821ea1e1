#include "witness/witness.h"

#include <algorithm>
#include <set>

#include "base/file.h"
#include "crypto/hash.h"
#include "crypto/key_file.h"

namespace holdfast::witness {
namespace {

using Seed = crypto::Key<crypto::Ed25519Purpose>;

constexpr std::size_t kMaxRefused = 100;
constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS holder("
    "  id INTEGER PRIMARY KEY CHECK(id = 1), witness BLOB NOT NULL, auditor BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS log("
    "  origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL,"
    "  note BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS epoch("
    "  origin TEXT PRIMARY KEY, leaf BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS entry("
    "  origin TEXT NOT NULL, label BLOB NOT NULL, value BLOB NOT NULL,"
    "  PRIMARY KEY(origin, label)) WITHOUT ROWID;";

// Whose memory the database is. nullopt: nobody's yet.
struct Holder {
  crypto::Ed25519PublicKey witness;
  crypto::Ed25519PublicKey auditor;
};
Result<std::optional<Holder>> holder_of(sql::Database& database) {
  auto row = TRY(database.prepare_cached("SELECT witness, auditor FROM holder"));
  const bool there = TRY(row.step());
  if (!there) return std::optional<Holder>();
  const auto witness = Digest::from(TRY(row.column_blob(0)));
  const auto auditor = Digest::from(TRY(row.column_blob(1)));
  if (!witness || !auditor) return Error{Code::kCorrupt, "the witness's memory names no keys"};
  return std::optional(Holder{{witness->bytes}, {auditor->bytes}});
}

Result<void> remember_holder(sql::Database& database, const crypto::Ed25519PublicKey& witness,
                             const crypto::Ed25519PublicKey& auditor) {
  auto row = TRY(database.prepare_cached(
      "INSERT OR IGNORE INTO holder(id, witness, auditor) VALUES(1, ?, ?)"));
  TRY(row.bind(1, BytesView(witness.bytes)));
  TRY(row.bind(2, BytesView(auditor.bytes)));
  return row.run();
}

Result<void> check_options(const Options& options) {
  if (!tlog::is_key_name(options.name))
    return Error{Code::kInvalid,
                 "\"" + options.name + "\" is no name of a witness's key: no spaces, no plus sign"};
  std::set<std::string> origins;
  for (const tlog::NoteKey& log : options.logs) {
    if (log.type != tlog::SignatureType::kEd25519)
      return Error{Code::kInvalid, "the key of " + log.name + " is not one of a log"};
    if (!origins.insert(log.name).second)
      return Error{Code::kInvalid, "the log " + log.name + " is named twice"};
  }
  return Ok{};
}

// A signed tree that is not shown to follow. Another old size alone is no contradiction.
bool contradicts(int status, const tlog::TreeHead& latest, const tlog::TreeHead& asked) {
  return status == 422 || (status == 409 && asked.size == latest.size && asked.root != latest.root);
}

Answer refusal(unsigned status, const std::string& words) {
  Answer answer;
  answer.status = status;
  answer.body = to_bytes(as_bytes(words + "\n"));
  return answer;
}

// What its memory cannot do is not the fault of whoever asks.
template <class T>
Result<T> of_memory(Result<T> result) {
  if (result.ok()) return result;
  return Error{Code::kUnavailable, "the witness's memory: " + result.error().message};
}

// For what the rules refuse.
unsigned status_of(Code code) {
  switch (code) {
    case Code::kUnsafe: return 422;
    case Code::kNotFound: return 404;
    case Code::kDenied: return 403;
    case Code::kInvalid:
    case Code::kOutdated:
    case Code::kCorrupt: return 400;
    case Code::kConflict: return 409;
    case Code::kUnavailable: return 503;
  }
  return 500;
}

}  // namespace

Result<std::unique_ptr<Witness>> Witness::open(Options options,
                                               std::shared_ptr<const Clock> clock) {
  TRY(check_options(options));
  TRY(make_dirs(options.data));
  auto lock = TRY(FileLock::try_acquire(options.data + "/lock"));
  if (!lock)
    return Error{Code::kUnavailable, "another witness uses " + options.data + "; stop it first"};
  const std::string memory = options.data + "/witness.db";
  const std::string key = options.data + "/witness.key";
  // The memory is made before the key: a key without one has lost it.
  if (exists(key) && !exists(memory))
    return Error{Code::kUnsafe,
                 memory +
                     " is gone, and with it what this key has vouched for. A witness that "
                     "forgets can be shown a fork: begin in an empty directory, with a new key, "
                     "and give that to the operators of the logs"};
  auto database = TRY(sql::Database::open(memory));
  TRY(database.execute(kSchema));
  const auto holder = TRY(holder_of(database));
  using Expected = std::optional<crypto::Ed25519PublicKey>;
  const auto seed =
      TRY(crypto::load_or_make_key(key, holder ? Expected(holder->witness) : Expected()));
  auto auditor = TRY(crypto::load_or_make_key(options.data + "/auditor.key",
                                              holder ? Expected(holder->auditor) : Expected()));
  TRY(remember_holder(database, crypto::Ed25519Key(seed).public_key(),
                      crypto::Ed25519Key(auditor).public_key()));
  tlog::Cosigner cosigner(options.name, seed);
  return std::unique_ptr<Witness>(new Witness(std::move(options), std::move(clock),
                                              *std::move(lock), std::move(database),
                                              std::move(cosigner), std::move(auditor)));
}

Witness::Witness(Options options, std::shared_ptr<const Clock> clock, FileLock lock,
                 sql::Database database, tlog::Cosigner cosigner, Seed auditor)
    : options_(std::move(options)),
      clock_(std::move(clock)),
      lock_(std::move(lock)),
      database_(std::move(database)),
      cosigner_(std::move(cosigner)),
      auditor_seed_(std::move(auditor)),
      auditor_public_(crypto::Ed25519Key(auditor_seed_).public_key()) {}

const tlog::NoteKey* Witness::watched(const std::string& origin) const {
  const auto it =
      std::ranges::find_if(options_.logs, [&](const auto& log) { return log.name == origin; });
  return it == options_.logs.end() ? nullptr : &*it;
}

Result<std::uint64_t> Witness::now_s() const {
  const TimeMs now = clock_->now();
  if (now < 0) return Error{Code::kUnavailable, "this witness's clock is wrong"};
  return static_cast<std::uint64_t>(now / 1000);
}

// ---- checkpoints ----

Answer Witness::add_checkpoint(BytesView body) {
  auto answer = judge(body);
  if (answer.ok()) return std::move(answer).value();
  return refusal(status_of(answer.error().code), answer.error().message);
}

Result<Answer> Witness::judge(BytesView body) {
  const auto request = tlog::AddCheckpoint::parse(body);
  const std::uint64_t now_s = TRY(this->now_s());
  tlog::WitnessAnswer answer;
  std::string alarm;
  if (!request.ok()) {
    answer = tlog::refuse_add_checkpoint(request.error());
  } else {
    const Lock one(mutex_);
    const tlog::NoteKey* const key = watched(request->checkpoint.origin);
    std::optional<Seen> seen;
    if (key != nullptr) seen = TRY(of_memory(known(*key)));
    answer = tlog::answer_add_checkpoint(*request, seen ? &seen->log : nullptr, cosigner_, now_s);
    if (answer.latest) TRY(of_memory(store(*request)));
    if (seen && contradicts(answer.status, seen->log.latest, request->checkpoint.head))
      alarm = keep_refused(*seen, *request);
  }
  return Answer{static_cast<unsigned>(answer.status), answer.content_type,
                to_bytes(as_bytes(answer.body)), std::move(alarm)};
}

Result<Witness::Seen> Witness::known(const tlog::NoteKey& log) {
  Seen out{{{log}, {}}, {}};
  auto row = TRY(database_.prepare_cached("SELECT size, root, note FROM log WHERE origin = ?"));
  TRY(row.bind(1, std::string_view(log.name)));
  const bool there = TRY(row.step());
  if (!there) return out;
  const std::int64_t size = TRY(row.column_int(0));
  const BytesView stored = TRY(row.column_blob(1));
  const auto root = Digest::from(stored);
  if (size < 0 || !root) return Error{Code::kCorrupt, "a tree in it is damaged"};
  out.log.latest = {static_cast<std::uint64_t>(size), *root};
  out.note = to_bytes(TRY(row.column_blob(2)));
  return out;
}

Result<void> Witness::store(const tlog::AddCheckpoint& request) {
  const tlog::TreeHead& latest = request.checkpoint.head;
  const std::string note = request.note.format();
  auto row = TRY(database_.prepare_cached(
      "INSERT OR REPLACE INTO log(origin, size, root, note) VALUES(?, ?, ?, ?)"));
  TRY(row.bind(1, std::string_view(request.checkpoint.origin)));
  TRY(row.bind(2, static_cast<std::int64_t>(latest.size)));
  TRY(row.bind(3, latest.root.view()));
  TRY(row.bind(4, as_bytes(note)));
  return row.run();
}

// Both notes, as the log signed them: with two trees of one size, proof for anyone. Only the log's
// key fills this folder, and not the disk.
std::string Witness::keep_refused(const Seen& seen, const tlog::AddCheckpoint& request) const {
  const std::string folder = options_.data + "/refused";
  std::string words = "the log " + request.checkpoint.origin + " signed a tree of " +
                      std::to_string(request.checkpoint.head.size) +
                      " entries that was not shown to follow from the one of " +
                      std::to_string(seen.log.latest.size) + " that this witness cosigned";
  const std::string both = std::string(as_text(seen.note)) + "\nrefused:\n\n" + request.format();
  const std::string path = folder + "/" + to_hex(crypto::sha256(as_bytes(both)).view().first(8));
  if (exists(path)) return words + "; both are in " + path;
  auto kept = make_dirs(folder);
  if (kept.ok()) {
    const auto names = list_dir(folder);
    if (!names.ok() || names->size() >= kMaxRefused) return words;
    kept = create_file(path, as_bytes(both), 0600);
  }
  if (kept.ok()) words += "; both are in " + path;
  return words;
}

// ---- the map ----

Answer Witness::audit(BytesView body) {
  auto answer = replay(body);
  if (answer.ok()) return std::move(answer).value();
  return refusal(status_of(answer.error().code), answer.error().message);
}

// The checkpoint must be the newest that this witness cosigned: that one it found consistent.
Result<Answer> Witness::replay(BytesView bytes) {
  const std::uint64_t now_s = TRY(this->now_s());
  const tlog::AuditBody body = TRY(wire::decode<tlog::AuditBody>(bytes));
  const auto note = TRY(tlog::Note::parse(body.checkpoint));
  const auto text = TRY(tlog::CheckpointText::parse(note.text));
  const Lock one(mutex_);
  const tlog::NoteKey* const key = watched(text.origin);
  if (key == nullptr) return Error{Code::kNotFound, "this witness does not know the log"};
  tlog::LogRoots roots;
  roots.log = {key->name, key->key.bytes};
  const auto trusted = TRY(tlog::TrustedLog::open(roots));
  const auto checkpoint = TRY(tlog::Checkpoint::verify(trusted, body.checkpoint));
  const auto seen = TRY(of_memory(known(*key)));
  if (checkpoint.head() != seen.log.latest)
    return Error{Code::kInvalid, "the checkpoint is not the newest that this witness cosigned"};

  tlog::Auditor* const own = TRY(of_memory(auditor(text.origin)));
  const auto epoch = TRY(wire::decode<tlog::MapEpoch>(body.leaf));
  const std::uint64_t n = own->replica().n();
  if (epoch.n != n && epoch.n != n + 1) return refusal(409, std::to_string(n));
  const tlog::AuditRequest request{
      body.index, body.leaf, tlog::Proof(body.inclusion.begin(), body.inclusion.end()), body.delta};
  Answer answer;
  answer.status = 200;
  answer.content_type = "application/octet-stream";
  answer.body = TRY(own->audit(checkpoint, request, now_s));
  if (epoch.n == n) return answer;
  const auto delta = TRY(wire::decode<tlog::MapDelta>(body.delta));
  const auto stored = of_memory(store_audit(text.origin, body.leaf, delta));
  // What is not durable was not seen.
  if (!stored.ok()) auditors_.erase(text.origin);
  TRY(stored);
  return answer;
}

Result<tlog::Auditor*> Witness::auditor(const std::string& origin) {
  if (const auto it = auditors_.find(origin); it != auditors_.end()) return &it->second;
  tlog::MapReplica replica;
  auto newest = TRY(database_.prepare_cached("SELECT leaf FROM epoch WHERE origin = ?"));
  TRY(newest.bind(1, std::string_view(origin)));
  const bool begun = TRY(newest.step());
  if (begun) {
    std::vector<tlog::MapEntry> entries;
    auto rows = TRY(
        database_.prepare_cached("SELECT label, value FROM entry WHERE origin = ? ORDER BY label"));
    TRY(rows.bind(1, std::string_view(origin)));
    for (;;) {
      const bool there = TRY(rows.step());
      if (!there) break;
      const BytesView spelled = TRY(rows.column_blob(0));
      const BytesView stored = TRY(rows.column_blob(1));
      const auto label = tlog::MapLabel::from(spelled);
      const auto value = Digest::from(stored);
      if (!label || !value) return Error{Code::kUnavailable, "the auditor's memory is damaged"};
      entries.push_back({*label, *value});
    }
    const BytesView leaf = TRY(newest.column_blob(0));
    replica = TRY(tlog::MapReplica::open(leaf, entries));
  }
  return &auditors_.emplace(origin, tlog::Auditor(std::move(replica), auditor_seed_)).first->second;
}

Result<void> Witness::store_audit(const std::string& origin, BytesView leaf,
                                  const tlog::MapDelta& delta) {
  auto transaction = TRY(sql::Transaction::begin(database_));
  for (const tlog::MapEntry& entry : delta.entries) {
    auto row =
        TRY(database_.prepare_cached("INSERT INTO entry(origin, label, value) VALUES(?, ?, ?)"));
    TRY(row.bind(1, std::string_view(origin)));
    TRY(row.bind(2, entry.label.view()));
    TRY(row.bind(3, entry.value.view()));
    TRY(row.run());
  }
  auto row =
      TRY(database_.prepare_cached("INSERT OR REPLACE INTO epoch(origin, leaf) VALUES(?, ?)"));
  TRY(row.bind(1, std::string_view(origin)));
  TRY(row.bind(2, leaf));
  TRY(row.run());
  return transaction.commit();
}

}  // namespace holdfast::witness
