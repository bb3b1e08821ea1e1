#include "custody/custodian.h"

#include <algorithm>

#include "circle/custody.h"
#include "crypto/hash.h"
#include "crypto/key_file.h"
#include "lawful/replay.h"

namespace holdfast::custody {
namespace {

constexpr std::size_t kSweptAtOnce = 64;

// Of the token as a whole: it stays as long as the custodian, and tells "this account's key is
// gone" from "this is another token, or an empty one".
constexpr KeyObject kMarker{};

KeyObject object_of(const KeyRow& row) { return {row.circle, row.number}; }

// Where a sealed seed lives.
Bytes seed_context(const KeyRow& row) {
  return wire::encode_array("holdfast/v1/custody-seed", row.circle, row.number);
}

Error no_such_key() { return {Code::kNotFound, "this custodian has no such key of this account"}; }

Error another_token() {
  return {Code::kUnsafe,
          "this is not the token that keeps this custodian's keys, or it was emptied: put the "
          "right one back"};
}

// The statement by which a custodian ceased to be a reader. kDenied: none did that.
Result<std::uint64_t> left_at(const circle::Circle& circle, const ReaderId& custodian) {
  for (const circle::Custodian& one : circle.custodians()) {
    if (one.id != custodian) continue;
    if (one.left_seq) return *one.left_seq;
    return Error{Code::kDenied,
                 "the account is at the standard level: its key is in use and is not destroyed"};
  }
  return Error{Code::kDenied, "the key was never a reader of this account"};
}

}  // namespace

Bytes envelope_info(const CircleId& circle, std::uint32_t epoch, const VaultId& vault,
                    BytesView wrap_key) {
  return wire::encode_array("holdfast/v1/vault-envelope", circle, std::uint64_t{epoch}, "vault",
                            vault, crypto::sha256(wrap_key));
}

// ---- opening ----

Result<std::unique_ptr<Custodian>> Custodian::open(CustodianOptions options,
                                                   std::shared_ptr<const Clock> clock) {
  TRY(make_dirs(options.data));
  auto lock = TRY(FileLock::try_acquire(options.data + "/lock"));
  if (!lock)
    return Error{Code::kUnavailable, "another custodian uses " + options.data + "; stop it first"};
  const std::string memory = options.data + "/custody.db";
  const std::string key = options.data + "/fleet.key";
  // The memory is made before the key: a key without one has lost it.
  if (exists(key) && !exists(memory))
    return Error{Code::kUnsafe, memory +
                                    " is gone, and with it the keys of every account: put it "
                                    "back from a copy"};
  auto trusted = TRY(tlog::TrustedLog::open(options.log));
  auto tables = TRY(Tables::open(memory));
  const auto holder = TRY(tables.holder());
  std::optional<crypto::Ed25519PublicKey> expected;
  if (holder) expected = holder->fleet;
  const auto fleet = TRY(crypto::load_or_make_key(key, expected));
  auto token = TRY(Token::open(options.token));
  auto pins = TRY(tables.pins());
  auto follower = TRY(Follower::open(std::move(trusted), std::move(pins)));
  auto custodian = std::unique_ptr<Custodian>(
      new Custodian(std::move(options), std::move(clock), *std::move(lock), std::move(tables),
                    fleet, std::move(token), std::move(follower)));
  const Lock one(custodian->mutex_);
  TRY(custodian->check_token());
  // One that cannot be ended now is no reason to leave the others alone: sweep() tells.
  static_cast<void>(custodian->finish_all(TRY(custodian->tables_.ending_keys())));
  return custodian;
}

Custodian::Custodian(CustodianOptions options, std::shared_ptr<const Clock> clock, FileLock lock,
                     Tables tables, const crypto::Key<crypto::Ed25519Purpose>& fleet,
                     std::unique_ptr<Token> token, Follower follower)
    : options_(std::move(options)),
      clock_(std::move(clock)),
      lock_(std::move(lock)),
      fleet_(fleet),
      tables_(std::move(tables)),
      token_(std::move(token)),
      follower_(std::move(follower)) {}

// At the first start the token is marked; what is marked already is another custodian's.
Result<void> Custodian::check_token() {
  auto holder = TRY(tables_.holder());
  const bool marked = TRY(token_->has(kMarker));
  if (holder && holder->marked) {
    if (marked) return Ok{};
    return another_token();
  }
  if (!holder && marked)
    return Error{Code::kUnsafe,
                 "the token keeps another custodian's keys: give this one a token of its own"};
  holder = Tables::Holder{fleet_.public_key(), false};
  TRY(tables_.put_holder(*holder));
  if (!marked) TRY(token_->make(kMarker));
  holder->marked = true;
  return tables_.put_holder(*holder);
}

// ---- keys ----

Result<Bytes> Custodian::fleet_key() { return to_bytes(fleet_.public_key().bytes); }

Result<Bytes> Custodian::issue(const CircleId& circle) {
  if (circle.is_zero()) return Error{Code::kInvalid, "the zero id is no account's"};
  const Lock one(mutex_);
  const auto newest = TRY(tables_.newest_key(circle));
  if (!newest) return make_key(circle, 1);
  switch (newest->state) {
    case KeyState::kLive: return newest->info;
    // Its object may be there. Nobody was given what it sealed; the sweep takes it away.
    case KeyState::kMaking: return make_key(circle, newest->number + 1);
    case KeyState::kEnding: TRY(finish(*newest)); return make_key(circle, newest->number + 1);
    case KeyState::kEnded: return make_key(circle, newest->number + 1);
  }
  std::abort();
}

Result<Bytes> Custodian::make_key(const CircleId& circle, std::uint64_t number) {
  const std::uint64_t unused = TRY(tables_.count_unused());
  if (unused >= kMaxUnused)
    return Error{Code::kUnavailable,
                 "too many keys were asked for that nobody used: try again in an hour"};
  KeyRow row;
  row.circle = circle;
  row.number = number;
  row.issued_ms = clock_->now();
  TRY(tables_.put_key(row));
  auto made = token_->make(object_of(row));
  if (!made.ok() && made.error().code == Code::kConflict) {
    TRY(tables_.erase_key(row));  // that object is not this row's to end
    return Error{Code::kUnsafe,
                 "the token has a key of this account that the custodian's memory does not know: "
                 "it was put back from an older copy"};
  }
  if (!made.ok()) {
    static_cast<void>(finish(row));  // else the sweep does
    return std::move(made).error();
  }
  const auto seed = crypto::Key<crypto::WrapPurpose>::random();
  auto sealed = token_->seal(object_of(row), seed_context(row), seed);
  if (!sealed.ok()) {
    static_cast<void>(finish(row));
    return std::move(sealed).error();
  }
  row.seed = std::move(sealed).value();
  const auto info = circle::sign_custodian(fleet_, circle, crypto::wrap_public_key(seed));
  row.reader = circle::reader_id(info);
  row.info = wire::encode(info);
  row.state = KeyState::kLive;
  TRY(tables_.put_key(row));
  return row.info;
}

Result<void> Custodian::keep(const CircleId& id, const ReaderId& custodian, BytesView genesis) {
  const auto circle = circle::Circle::start(genesis);
  if (!circle.ok() && circle.error().code != Code::kUnsafe)
    return Error{Code::kInvalid, circle.error().message};
  TRY(circle);
  if (circle->id() != id) return Error{Code::kUnsafe, "the genesis is another account's"};
  const Lock one(mutex_);
  const auto row = TRY(tables_.key(id, custodian));
  if (!row || row->state != KeyState::kLive) return no_such_key();
  return tables_.keep(id, custodian);
}

Result<void> Custodian::retire(const CircleId& circle, const ReaderId& custodian) {
  const Lock one(mutex_);
  return tables_.retire(circle, custodian, clock_->now());
}

Result<std::size_t> Custodian::sweep() {
  const Lock one(mutex_);
  const TimeMs now = clock_->now();
  const auto finished = finish_all(TRY(tables_.ending_keys()));
  const auto unused = end_all(TRY(tables_.unused_keys(now - kUnusedMs, kSweptAtOnce)));
  const auto retired = end_all(TRY(tables_.retired_keys(now - kRetiredMs, kSweptAtOnce)));
  TRY(finished);
  return TRY(unused) + TRY(retired);
}

// Rows that end without a receipt: nobody was given it for use, or nobody is left to give one to.
Result<std::size_t> Custodian::end_all(std::vector<KeyRow> rows) {
  const std::size_t count = rows.size();
  for (KeyRow& row : rows) {
    row.state = KeyState::kEnding;
    TRY(tables_.put_key(row));
  }
  TRY(finish_all(std::move(rows)));
  return count;
}

Result<Tables::Counts> Custodian::counts() {
  const Lock one(mutex_);
  return tables_.counts();
}

// ---- what was verified ----

Result<api::CustodianSeen> Custodian::seen(const CircleId& circle) {
  const Lock one(mutex_);
  return api::CustodianSeen{TRY(tables_.count_statements(circle)), follower_.size()};
}

Result<void> Custodian::follow(const api::LogView& view) {
  const Lock one(mutex_);
  TRY(take_log(view));
  return Ok{};
}

// Checked as far as it goes: by the account's own rules. Whether the log has it, is asked at the
// end.
Result<void> Custodian::show(const CircleId& id, const api::CircleEvidence& evidence) {
  if (evidence.statements.size() > api::kMaxNewStatements)
    return Error{Code::kInvalid, "these are too many statements for one request"};
  const auto lookup = std::make_shared<const LookupKey>(TRY(lookup_of(evidence.lookup)));
  const Lock one(mutex_);
  const auto row = TRY(tables_.newest_key(id));
  if (!row) return no_such_key();
  const std::uint64_t from = TRY(tables_.count_statements(id));
  TRY(replay_known(id, evidence, lookup));
  return tables_.show(id, from, evidence.statements);
}

// What was seen of the log is kept whatever comes of the rest.
Result<bool> Custodian::take_log(const api::LogView& view) {
  const bool whole = TRY(follower_.take(view));
  if (whole) TRY(tables_.put_pins(follower_.pins()));
  return whole;
}

// S1 to S5. Statements count once the log has the newest of them: a fork that was shown is
// forgotten with the request.
Result<Custodian::Replayed> Custodian::replay(const CircleId& id,
                                              const api::CircleEvidence& evidence) {
  const auto lookup = std::make_shared<const LookupKey>(TRY(lookup_of(evidence.lookup)));
  const bool whole = TRY(take_log(evidence.view));
  if (!whole) return Error{Code::kUnavailable, "entries of the log are missing"};
  TRY(follower_.check_fresh(evidence.view, clock_->now()));
  const std::uint64_t known = TRY(tables_.count_statements(id));
  auto circle = TRY(replay_known(id, evidence, lookup));
  const auto logged =
      follower_.check_circle(evidence.view, *lookup, circle.seq() + 1, circle.head());
  if (!logged.ok() && logged.error().code != Code::kUnavailable) TRY(tables_.forget_shown(id));
  TRY(logged);
  return Replayed{std::move(circle), known};
}

// A few at a time, so that an account's length costs no memory.
Result<circle::Circle> Custodian::replay_known(const CircleId& id,
                                               const api::CircleEvidence& evidence,
                                               std::shared_ptr<const LookupKey> lookup) {
  CircleReplay replay(id, std::move(lookup), evidence.roots, follower_.trusted());
  for (std::uint64_t from = 0;;) {
    const auto some = TRY(tables_.statements(id, from));
    if (some.empty()) break;
    for (const Bytes& statement : some) TRY(replay.take(statement));
    from += some.size();
  }
  for (const Bytes& statement : evidence.statements) {
    const auto taken = replay.take(statement);
    if (taken.ok()) continue;
    // Either may be the one that is of a fork.
    TRY(tables_.forget_shown(id));
    return taken.error();
  }
  return std::move(replay).circle();
}

Result<circle::Circle> Custodian::verify(const CircleId& id, const api::CircleEvidence& evidence) {
  const Lock one(mutex_);
  return verify_now(id, evidence);
}

Result<circle::Circle> Custodian::verify_now(const CircleId& id,
                                             const api::CircleEvidence& evidence) {
  auto replayed = TRY(replay(id, evidence));
  TRY(tables_.keep_statements(id, replayed.known, evidence.statements));
  if (const circle::Custodian* const now = replayed.circle.custodian())
    TRY(tables_.keep(id, now->id));
  return std::move(replayed.circle);
}

// ---- the end of a key ----

Result<Bytes> Custodian::destroy(const CircleId& id, const ReaderId& custodian,
                                 const api::CircleEvidence& evidence) {
  const Lock one(mutex_);
  auto row = TRY(tables_.key(id, custodian));
  if (!row || row->state == KeyState::kMaking) return no_such_key();
  if (row->state == KeyState::kEnded) return row->receipt;
  if (row->state == KeyState::kEnding) {
    Bytes receipt = TRY(finish(*std::move(row)));
    if (receipt.empty()) return no_such_key();  // nobody kept it
    return receipt;
  }
  const auto replayed = TRY(replay(id, evidence));
  circle::DeletionReceipt receipt;
  receipt.circle = id;
  receipt.custodian = custodian;
  receipt.seq = TRY(left_at(replayed.circle, custodian));
  receipt.head = replayed.circle.head_at(receipt.seq);
  crypto::random_fill(receipt.nonce);
  TRY(check_token());
  // Once it is decided, an object that is not there was destroyed by us. Until then it was not.
  const bool there = TRY(token_->has(object_of(*row)));
  if (!there)
    return Error{Code::kNotFound,
                 "the token has no key object for this account: it was removed by other hands, and "
                 "no receipt can be given for that"};
  row->state = KeyState::kEnding;
  row->receipt = wire::encode(receipt);
  TRY(tables_.end_key(*row, replayed.known, evidence.statements));
  return finish(*std::move(row));
}

// The object first, then the row that says so. The marker shows that it was this token.
Result<Bytes> Custodian::finish(KeyRow row) {
  TRY(check_token());
  TRY(token_->destroy(object_of(row)));
  TRY(check_token());
  if (row.receipt.empty()) {
    TRY(tables_.erase_key(row));
    return Bytes();
  }
  auto receipt = TRY(wire::decode<circle::DeletionReceipt>(row.receipt));
  receipt.time_s = static_cast<std::uint64_t>(std::max<TimeMs>(clock_->now(), 0) / 1000);
  row.state = KeyState::kEnded;
  row.seed = {};
  row.receipt = circle::sign_receipt(fleet_, receipt);
  TRY(tables_.put_key(row));
  return row.receipt;
}

Result<void> Custodian::finish_all(std::vector<KeyRow> rows) {
  std::optional<Error> failed;
  for (KeyRow& row : rows) {
    auto done = finish(std::move(row));
    if (!done.ok()) failed = std::move(done).error();
  }
  if (failed) return *std::move(failed);
  return Ok{};
}

// ---- unwrapping ----

Result<VaultKey> Custodian::open_vault_key(const circle::Circle& verified, std::uint32_t epoch,
                                           const VaultId& vault, BytesView envelope) {
  const Lock one(mutex_);
  return open_key(verified, epoch, vault, envelope);
}

Result<VaultKey> Custodian::open_key(const circle::Circle& verified, std::uint32_t epoch,
                                     const VaultId& vault, BytesView envelope) {
  const circle::Custodian* const reader = verified.custodian();
  if (reader == nullptr)
    return Error{Code::kDenied,
                 "the account is at the advanced level: its custodian reads nothing"};
  const auto blob = TRY(verified.blob(epoch, {circle::BlobKind::kVaultReader, reader->id, vault}));
  if (BlobId(crypto::sha256(envelope).bytes) != blob)
    return Error{Code::kUnsafe, "the circle names another envelope"};
  const auto row = TRY(tables_.key(verified.id(), reader->id));
  if (!row || row->state != KeyState::kLive) return no_such_key();
  const auto seed = TRY(token_->open(object_of(*row), seed_context(*row), row->seed));
  return crypto::unwrap_key<VaultKeyPurpose>(
      seed, envelope_info(verified.id(), epoch, vault, reader->info.wrap_key), envelope);
}

}  // namespace holdfast::custody
