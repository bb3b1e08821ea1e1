#include "server/operators.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/file.h"
#include "crypto/hash.h"
#include "server/rows.h"

namespace holdfast::server {
namespace {

constexpr std::string_view kSignLabel = "holdfast/v1/operator/sig";
constexpr std::string_view kHeadLabel = "holdfast/v1/operator/head";
constexpr std::string_view kIdLabel = "holdfast/v1/operator/id";
constexpr std::size_t kSeedBytes = 32;
constexpr std::size_t kMaxName = 64;

using SigningSeed = crypto::Key<crypto::SigningPurpose>;

bool good_name(std::string_view name) {
  constexpr std::string_view kMarks = "-_.@+";
  const auto good = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  };
  return !name.empty() && name.size() <= kMaxName && std::ranges::all_of(name, good);
}

bool good_code(std::string_view code) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  return code.size() == 20 && code.find_first_not_of(kDigits) == std::string_view::npos;
}

Error broken(const std::string& what) {
  return {Code::kUnsafe, "the trail of operators was changed: " + what};
}

Result<std::vector<Bytes>> read_entries(sql::Database& database) {
  std::vector<Bytes> entries;
  sql::Statement rows = TRY(database.prepare("SELECT entry FROM trail ORDER BY n"));
  for (;;) {
    const bool there = TRY(rows.step());
    if (!there) return entries;
    entries.push_back(to_bytes(TRY(rows.column_blob(0))));
  }
}

}  // namespace

Digest operator_id(const crypto::VerifyKey& key) { return crypto::sha256(kIdLabel, key.bytes); }

// ---- the trail ----

const Operator* Trail::named(std::string_view name) const {
  for (const auto& [id, found] : operators_)
    if (found.name == name) return &found;
  return nullptr;
}

Result<void> Trail::judge(const TrailEntry& entry) const {
  const Digest subject = operator_id({entry.key});
  if (acts_.empty()) {
    if (entry.act != OperatorAct::kAdd || subject != entry.signer)
      return Error{Code::kDenied, "the first operator adds itself, with its own key"};
  } else if (!operators_.contains(entry.signer)) {
    return Error{Code::kDenied, "this key is not an operator's, or it was revoked"};
  }
  switch (entry.act) {
    case OperatorAct::kAdd:
      if (!good_name(entry.name))
        return Error{Code::kInvalid,
                     "the name of an operator has 1 to 64 letters, digits or marks (- _ . @ +)"};
      if (!crypto::is_point({entry.key}))
        return Error{Code::kInvalid, "this is no public key; it was copied wrong"};
      if (named(entry.name) != nullptr)
        return Error{Code::kConflict, "there is an operator named \"" + entry.name + "\""};
      if (ever_.contains(subject))
        return Error{Code::kConflict, "this key is or was an operator's; make a new one"};
      return Ok{};
    case OperatorAct::kRevoke: {
      const auto it = operators_.find(subject);
      if (it == operators_.end() || it->second.name != entry.name)
        return Error{Code::kNotFound, "there is no operator named \"" + entry.name + "\""};
      if (operators_.size() == 1)
        return Error{Code::kInvalid, "the last operator cannot be revoked; add another first"};
      return Ok{};
    }
    case OperatorAct::kGrantHelp:
    case OperatorAct::kRefuseHelp:
      if (good_code(entry.name) && std::ranges::all_of(entry.key, [](auto b) { return b == 0; }))
        return Ok{};
      return Error{Code::kInvalid, "a request for help is named by twenty hexadecimal digits"};
  }
  std::abort();
}

Result<void> Trail::apply(BytesView bytes) {
  if (bytes.size() > kMaxTrailEntry) return Error{Code::kInvalid, "the entry is too large"};
  const auto outer = TRY(wire::decode<SignedTrailEntry>(bytes));
  const auto entry = TRY(wire::decode<TrailEntry>(outer.entry));
  if (entry.n != n() + 1 || entry.prev != head())
    return Error{Code::kConflict, "the entry does not follow the newest one"};
  TRY(judge(entry));
  const Digest subject = operator_id({entry.key});
  const crypto::VerifyKey signer =
      acts_.empty() ? crypto::VerifyKey{entry.key} : operators_.at(entry.signer).key;
  if (!crypto::verify(signer, kSignLabel, outer.entry, outer.signature))
    return Error{Code::kDenied, "the signature of the entry is wrong"};

  const std::string by = acts_.empty() ? entry.name : operators_.at(entry.signer).name;
  switch (entry.act) {
    case OperatorAct::kAdd:
      operators_[subject] = {entry.name, {entry.key}, entry.time_ms, by};
      ever_[subject] = entry.name;
      break;
    case OperatorAct::kRevoke: operators_.erase(subject); break;
    case OperatorAct::kGrantHelp:
    case OperatorAct::kRefuseHelp: break;
  }
  acts_.push_back({entry, by, crypto::sha256(kHeadLabel, bytes)});
  return Ok{};
}

Result<Trail> Trail::verify(const std::vector<Bytes>& entries) {
  Trail trail;
  for (const Bytes& entry : entries) {
    auto applied = trail.apply(entry);
    if (applied.ok()) continue;
    Error error = std::move(applied).error();
    if (error.code != Code::kCorrupt) error = broken(error.message);
    return std::move(error).in("entry " + std::to_string(trail.n() + 1));
  }
  return trail;
}

Result<Bytes> Trail::sign(TrailEntry entry, const crypto::SigningKey& acting) const {
  entry.n = n() + 1;
  entry.prev = head();
  entry.signer = operator_id(acting.verify_key());
  TRY(judge(entry));  // before anything is signed
  SignedTrailEntry outer;
  outer.entry = wire::encode(entry);
  outer.signature = acting.sign(kSignLabel, outer.entry);
  return wire::encode(outer);
}

Result<Bytes> Trail::sign_add(const std::string& name, const crypto::VerifyKey& key,
                              const crypto::SigningKey& acting, TimeMs now) const {
  TrailEntry entry;
  entry.time_ms = now;
  entry.act = OperatorAct::kAdd;
  entry.name = name;
  entry.key = key.bytes;
  return sign(std::move(entry), acting);
}

Result<Bytes> Trail::sign_revoke(const std::string& name, const crypto::SigningKey& acting,
                                 TimeMs now) const {
  const Operator* const found = named(name);
  if (found == nullptr)
    return Error{Code::kNotFound, "there is no operator named \"" + name + "\""};
  TrailEntry entry;
  entry.time_ms = now;
  entry.act = OperatorAct::kRevoke;
  entry.name = name;
  entry.key = found->key.bytes;
  return sign(std::move(entry), acting);
}

Result<Bytes> Trail::sign_help(OperatorAct act, const std::string& code,
                               const crypto::SigningKey& acting, TimeMs now) const {
  TrailEntry entry;
  entry.time_ms = now;
  entry.act = act;
  entry.name = code;
  return sign(std::move(entry), acting);
}

// The file is written before the first entry. That an empty trail has one is what is left when
// adding the first operator was cut off, and also when all entries were taken away.
Result<void> check_anchor(const Trail& trail, const std::string& file) {
  const auto text = read_file(file, 1024);
  if (!text.ok() && text.error().code != Code::kNotFound) return text.error();
  if (trail.n() == 0) {
    if (!text.ok()) return Ok{};
    return broken("it is empty, but " + file +
                  " says that it has begun; remove that file only if nobody was ever an operator");
  }
  if (!text.ok() || as_text(*text) != trail.anchor().hex() + "\n")
    return broken("its first entry is not the one in " + file);
  return Ok{};
}

// ---- keys ----

Result<crypto::SigningKey> make_operator_key(const std::string& path) {
  Bytes seed(kSeedBytes);
  crypto::random_fill(seed);
  const crypto::WipedBytes wiped(std::move(seed));
  std::string text = to_hex(wiped.view()) + "\n";
  const auto made = create_file(path, as_bytes(text), 0600);
  crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  TRY(made);
  return crypto::SigningKey(SigningSeed::from_bytes(wiped.view()));
}

Result<crypto::SigningKey> read_operator_key(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0)
    return Error{Code::kDenied, path + " can be read by others: chmod 600 " + path};
  const crypto::WipedBytes text(TRY(read_file(path, 4096)));
  std::string_view digits = as_text(text.view());
  if (digits.ends_with('\n')) digits.remove_suffix(1);
  auto seed = from_hex(digits);
  if (!seed || seed->size() != kSeedBytes)
    return Error{Code::kInvalid, path + " is no operator's key: it holds 64 hexadecimal digits"};
  const crypto::WipedBytes wiped(*std::move(seed));
  return crypto::SigningKey(SigningSeed::from_bytes(wiped.view()));
}

// ---- in the database ----

const std::string Operators::kSchema =
    "CREATE TABLE IF NOT EXISTS trail(n INTEGER PRIMARY KEY, entry BLOB NOT NULL);"
    "CREATE TRIGGER IF NOT EXISTS trail_update BEFORE UPDATE ON trail"
    "  BEGIN SELECT raise(ABORT, 'the trail only grows'); END;"
    "CREATE TRIGGER IF NOT EXISTS trail_delete BEFORE DELETE ON trail"
    "  BEGIN SELECT raise(ABORT, 'the trail only grows'); END;";

Result<std::vector<Bytes>> Operators::entries() {
  std::vector<Bytes> entries;
  const Result<void> done = writer_.read([&](sql::Database& database) -> Result<void> {
    entries = TRY(read_entries(database));
    return Ok{};
  });
  TRY(done);
  return entries;
}

Result<void> Operators::append(BytesView signed_entry) {
  return writer_.write([&](sql::Database& database) -> Result<void> {
    TRY(append_within(database, signed_entry));
    return Ok{};
  });
}

Result<Act> Operators::append_within(sql::Database& database, BytesView signed_entry) {
  const auto before = TRY(read_entries(database));
  Trail trail = TRY(Trail::verify(before));
  TRY(check_anchor(trail, anchor_file_));
  TRY(trail.apply(signed_entry));
  if (trail.n() == 1) TRY(replace_file(anchor_file_, as_bytes(trail.anchor().hex() + "\n")));
  TRY(run(database, "INSERT INTO trail(n, entry) VALUES(?, ?)",
          static_cast<std::int64_t>(trail.n()), signed_entry));
  return trail.acts().back();
}

}  // namespace holdfast::server
