#include "store/account.h"

#include "crypto/hash.h"
#include "store/commit.h"
#include "store/layout.h"

namespace holdfast::store {
namespace {

constexpr std::size_t kMaxPageBytes = 16 * 1024 * 1024;  // of records, and one more

using circle::Statement;
using circle::StatementType;

// What a caller sent and is no statement or record is his mistake, no damage of the store.
template <class T>
Result<T> sent(Result<T> judged) {
  if (judged.ok() || judged.error().code != Code::kCorrupt) return judged;
  Error error = std::move(judged).error();
  error.code = Code::kInvalid;
  return error;
}

Result<Statement> open_statement(BytesView bytes) {
  if (bytes.size() > circle::kMaxStatement)
    return Error{Code::kInvalid, "a statement is too large"};
  const auto outer = TRY(wire::decode<circle::SignedStatement>(bytes));
  return wire::decode<Statement>(outer.statement);
}

// Exactly the blobs that the statement commits to.
Result<void> check_blobs(const std::optional<circle::EpochInfo>& info,
                         const std::vector<Bytes>& blobs) {
  if (blobs.size() != (info ? info->blobs.size() : 0))
    return Error{Code::kInvalid, "a statement came with another number of keys than it names"};
  for (std::size_t i = 0; i < blobs.size(); ++i) {
    if (blobs[i].size() > api::kMaxBlobBytes)
      return Error{Code::kInvalid, "a wrapped or sealed key is too large"};
    if (crypto::sha256(blobs[i]).bytes != info->blobs[i].bytes)
      return Error{Code::kInvalid, "a statement came with another key than it names"};
  }
  return Ok{};
}

Result<Bytes> encode_entry(const api::Append& append, StatementType type) {
  Entry entry;
  entry.statement = append.statement;
  if (append.admission) {
    if (type != StatementType::kAdmit || append.admission->mac.size() > kMaxAdmissionMac)
      return Error{Code::kInvalid, "an admission with a statement that admits nobody"};
    entry.admission = AdmissionEntry{append.admission->request, append.admission->mac};
  }
  return wire::encode(entry);
}

// What lies in the store and does not follow is damage, not a race.
Error damaged(Error error, const std::string& where) {
  if (error.code == Code::kConflict || error.code == Code::kNotFound) error.code = Code::kCorrupt;
  return std::move(error).in(where);
}

}  // namespace

Account::Account(std::shared_ptr<Files> files, const std::string& name, MakeAges make_ages)
    : files_(std::move(files)),
      name_(name),
      folder_(account_folder(name)),
      make_ages_(std::move(make_ages)) {}

Error Account::absent() const {
  return {Code::kNotFound,
          "there is no account \"" + name_ + "\" in the store at " + files_->place()};
}

std::string Account::statement_path(std::uint64_t seq) const {
  return folder_ + "/circle/" + numbered(seq);
}

std::string Account::record_path(const VaultId& vault, std::uint64_t n) const {
  return folder_ + "/vaults/" + vault.hex() + "/" + numbered(n);
}

Result<bool> Account::exists() {
  const auto info = files_->info(statement_path(0));
  if (info.ok()) return true;
  if (info.error().code == Code::kNotFound) return false;
  return info.error();
}

Result<api::Receipt> Account::create(const api::Append& genesis) {
  TRY(sent(circle::Circle::start(genesis.statement)));
  const Statement statement = TRY(sent(open_statement(genesis.statement)));
  const auto info = TRY(circle::epoch_info(statement));
  TRY(check_blobs(info, genesis.blobs));
  const Bytes entry = TRY(encode_entry(genesis, statement.type));

  const auto held = TRY(files_->lock());
  // A name that is taken stays free of another's blobs.
  const bool taken = TRY(exists());
  const auto done = taken ? commit(*files_, statement_path(0), entry)
                          : commit_entry(statement_path(0), entry, genesis.blobs);
  if (!done.ok() && done.error().code == Code::kConflict)
    return Error{Code::kConflict,
                 "an account named \"" + name_ + "\" exists in the store at " + files_->place()};
  TRY(done);
  return api::Receipt{};
}

Result<std::vector<Bytes>> Account::read_circle(std::uint64_t from) {
  std::vector<Bytes> page;
  while (page.size() < api::Session::kMaxPage) {
    const std::uint64_t seq = from + page.size();
    const auto file = files_->get(statement_path(seq), kMaxEntry);
    if (!file.ok() && file.error().code == Code::kNotFound) break;
    TRY(file);
    auto entry = wire::decode<Entry>(*file);
    if (!entry.ok())
      return std::move(entry).error().in("statement " + std::to_string(seq) + " in the store");
    page.push_back(std::move(entry->statement));
  }
  return page;
}

// Memory ends where the files do: another disk at the same place, or an older copy, is read anew.
Result<void> Account::check_known() {
  if (!known_) return Ok{};
  const auto file = files_->get(statement_path(known_->circle.seq()), kMaxEntry);
  if (!file.ok() && file.error().code != Code::kNotFound) return file.error();
  if (!file.ok() || crypto::sha256(*file) != known_->newest) known_.reset();
  return Ok{};
}

Result<void> Account::learn(std::uint64_t seq, BytesView file) {
  Entry entry = TRY(wire::decode<Entry>(file));
  if (known_) {
    known_->circle = TRY(known_->circle.apply(entry.statement));
  } else {
    auto ages = make_ages_ ? make_ages_(name_, entry.statement) : nullptr;
    known_ = Known{TRY(circle::Circle::start(entry.statement, std::move(ages))), {}, {}, {}};
  }
  known_->newest = crypto::sha256(file);
  if (entry.admission)
    known_->admissions[entry.admission->request] = {seq, std::move(entry.admission->mac)};
  return Ok{};
}

Result<void> Account::refresh() {
  TRY(check_known());
  for (std::uint64_t seq = known_ ? known_->circle.seq() + 1 : 0;; ++seq) {
    const auto file = files_->get(statement_path(seq), kMaxEntry);
    if (!file.ok() && file.error().code == Code::kNotFound) break;
    TRY(file);
    if (auto learnt = learn(seq, *file); !learnt.ok())
      return damaged(std::move(learnt).error(),
                     "statement " + std::to_string(seq) + " of the account \"" + name_ + "\"");
  }
  if (!known_) return absent();
  return Ok{};
}

Result<api::Receipt> Account::append(const api::Append& append) {
  const Statement statement = TRY(sent(open_statement(append.statement)));
  const Bytes entry = TRY(encode_entry(append, statement.type));
  const std::string path = statement_path(statement.seq);

  const Lock guard(mutex_);
  const auto held = TRY(files_->lock());
  TRY(refresh());
  if (statement.circle == known_->circle.id() && statement.seq <= known_->circle.seq()) {
    TRY(commit(*files_, path, entry));  // this very append, repeated; kConflict for any other
    return api::Receipt{};
  }
  // What it follows may have been written by a process that was killed before it was durable.
  TRY(files_->persist(statement_path(known_->circle.seq())));
  TRY(sent(known_->circle.apply(append.statement)));
  const auto info = TRY(circle::epoch_info(statement));
  TRY(check_blobs(info, append.blobs));
  if (info) TRY(check_heads(*info));

  TRY(commit_entry(path, entry, append.blobs));
  TRY(learn(statement.seq, entry));
  return api::Receipt{};
}

Result<void> Account::check_heads(const circle::EpochInfo& info) {
  for (const circle::VaultHead& named : info.vault_heads) {
    const Tip now = TRY(tip(named.vault));
    if (named.n != now.chain.n || named.head != now.chain.head)
      return Error{Code::kConflict, "a vault has changed since this statement was made"};
  }
  return Ok{};
}

Result<void> Account::commit_entry(const std::string& path, BytesView entry,
                                   const std::vector<Bytes>& blobs) {
  std::vector<Blob> named;
  for (const Bytes& blob : blobs)
    named.push_back({folder_ + "/blobs/" + crypto::sha256(blob).hex(), blob});
  return commit_with_blobs(*files_, named, path, entry);
}

Result<Bytes> Account::get_blob(const BlobId& blob) {
  return files_->get(folder_ + "/blobs/" + blob.hex(), api::kMaxBlobBytes);
}

Result<api::Visitor::Admitted> Account::get_admission(const RequestId& request) {
  const Lock guard(mutex_);
  TRY(refresh());
  const auto it = known_->admissions.find(request);
  if (it == known_->admissions.end())
    return Error{Code::kNotFound, "this request was not admitted yet"};
  return it->second;
}

Result<std::optional<circle::RecoveryInfo>> Account::recovery() {
  const Lock guard(mutex_);
  TRY(refresh());
  const auto& recovery = known_->circle.recovery();
  if (!recovery) return std::optional<circle::RecoveryInfo>();
  return std::optional(recovery->info);
}

Result<std::optional<circle::RecoveryInfo>> Account::proposed(std::uint64_t proposal) {
  const Lock guard(mutex_);
  TRY(refresh());
  for (const circle::Proposal& one : known_->circle.proposals())
    if (one.seq == proposal && one.recovery() != nullptr) return std::optional(*one.recovery());
  return std::optional<circle::RecoveryInfo>();
}

Result<std::optional<Account::Standing>> Account::standing(const ReaderId& reader,
                                                           std::int64_t now_ms) {
  const Lock guard(mutex_);
  TRY(refresh());
  const circle::Circle& circle = known_->circle;
  if (circle.recovery() && circle.recovery()->id == reader)
    return std::optional(Standing{{circle.recovery()->info.verify_key}, Rights::kAll});
  for (const circle::Helped& one : circle.helped()) {
    if (one.id != reader) continue;
    // Its time is the custodian's word.
    constexpr std::int64_t kAheadMs = 24LL * 60 * 60 * 1000;
    const bool sane = one.since_ms >= 0 && one.since_ms <= now_ms + kAheadMs;
    const bool over = one.left_seq || !sane || now_ms - one.since_ms > circle::kHelpMs;
    return std::optional(Standing{{one.info.verify_key}, over ? Rights::kNone : Rights::kRead});
  }
  const circle::Device* const device = circle.device(reader);
  if (device == nullptr) return std::optional<Standing>();
  return std::optional(Standing{{device->info.verify_key},
                                circle.member(reader) != nullptr ? Rights::kAll : Rights::kNone});
}

Result<std::vector<Digest>> Account::heads(std::uint64_t from) {
  const Lock guard(mutex_);
  TRY(refresh());
  std::vector<Digest> out;
  for (std::uint64_t seq = from; seq <= known_->circle.seq(); ++seq)
    out.push_back(known_->circle.head_at(seq));
  return out;
}

Result<std::vector<circle::VaultHead>> Account::vault_heads() {
  const Lock guard(mutex_);
  TRY(refresh());
  std::vector<circle::VaultHead> out;
  for (const circle::Vault& vault : known_->circle.vaults()) {
    const Tip now = TRY(tip(vault.id));
    out.push_back({vault.id, now.chain.n, now.chain.head});
  }
  return out;
}

Result<Account::Chosen> Account::chosen() {
  const Lock guard(mutex_);
  TRY(refresh());
  return Chosen{known_->circle.level(), known_->circle.region()};
}

Result<CircleId> Account::circle_id() {
  const Lock guard(mutex_);
  TRY(refresh());
  return known_->circle.id();
}

Result<circle::Circle> Account::circle() {
  const Lock guard(mutex_);
  TRY(refresh());
  return known_->circle;
}

Result<std::vector<Bytes>> Account::read_records(const VaultId& vault, std::uint64_t from) {
  if (from == 0) return Error{Code::kInvalid, "the first record of a vault is number 1"};
  std::vector<Bytes> page;
  std::size_t bytes = 0;
  while (page.size() < api::Session::kMaxPage && bytes < kMaxPageBytes) {
    auto file = files_->get(record_path(vault, from + page.size()), circle::kMaxRecord);
    if (!file.ok() && file.error().code == Code::kNotFound) break;
    page.push_back(TRY(std::move(file)));
    bytes += page.back().size();
  }
  return page;
}

Result<std::vector<TimeMs>> Account::received(const VaultId& vault, std::uint64_t from) {
  if (from == 0) return Error{Code::kInvalid, "the first record of a vault is number 1"};
  std::vector<TimeMs> times;
  while (times.size() < api::Session::kMaxPage) {
    const auto file = files_->info(record_path(vault, from + times.size()));
    if (!file.ok() && file.error().code == Code::kNotFound) break;
    times.push_back(TRY(file).modified_ms);
  }
  return times;
}

Result<Account::Tip> Account::tip(const VaultId& vault) {
  Tip tip = known_->tips[vault];
  if (tip.chain.n > 0) {
    const auto file = files_->get(record_path(vault, tip.chain.n), circle::kMaxRecord);
    if (!file.ok() && file.error().code != Code::kNotFound) return file.error();
    if (!file.ok() || crypto::sha256(*file) != tip.file) tip = Tip{};
  }
  for (;;) {
    const std::uint64_t n = tip.chain.n + 1;
    const auto file = files_->get(record_path(vault, n), circle::kMaxRecord);
    if (!file.ok() && file.error().code == Code::kNotFound) break;
    TRY(file);
    auto next = circle::extend(known_->circle, vault, tip.chain, *file);
    if (!next.ok())
      return damaged(std::move(next).error(), "record " + std::to_string(n) + " in the store");
    tip = {next->tip, crypto::sha256(*file)};
  }
  known_->tips[vault] = tip;
  return tip;
}

Result<api::Receipt> Account::append_record(const VaultId& vault, BytesView record) {
  if (record.size() > circle::kMaxRecord)
    return Error{Code::kInvalid, "a record of a vault is too large"};
  const auto outer = TRY(sent(wire::decode<circle::SignedRecord>(record)));
  const auto inner = TRY(sent(wire::decode<circle::Record>(outer.record)));

  const Lock guard(mutex_);
  const auto held = TRY(files_->lock());
  TRY(refresh());
  if (known_->circle.vault(vault) == nullptr)
    return Error{Code::kNotFound, "the circle has no such vault"};
  const Tip now = TRY(tip(vault));
  if (inner.n >= 1 && inner.n <= now.chain.n) {
    TRY(commit(*files_, record_path(vault, inner.n), record));  // repeated, or kConflict
    return api::Receipt{};
  }
  TRY(files_->persist(statement_path(known_->circle.seq())));
  // Asked first: to extend() a record that an epoch overtook is foul play, here it is a race.
  if (inner.epoch != known_->circle.epoch())
    return Error{Code::kConflict, "the circle's keys have changed since this record was made"};
  const auto linked = TRY(sent(circle::extend(known_->circle, vault, now.chain, record)));

  TRY(commit(*files_, record_path(vault, inner.n), record));
  known_->tips[vault] = {linked.tip, crypto::sha256(record)};
  return api::Receipt{};
}

}  // namespace holdfast::store
