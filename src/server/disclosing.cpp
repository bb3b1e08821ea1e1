#include "server/disclosing.h"

#include <algorithm>

#include "base/file.h"
#include "crypto/hash.h"
#include "server/evidence.h"

namespace holdfast::server {
namespace {

constexpr int kTries = 5;

CaseTurn waiting(std::string why) { return {false, std::move(why), 0, 0}; }

Error changed_meanwhile() {
  return {Code::kUnavailable, "the account or the log changed just now: ask again"};
}

// ---- what is written ----

// The same bytes again are success: a case that was cut short goes on.
Result<void> write(const std::string& folder, const std::string& name, BytesView bytes) {
  const std::string path = folder + "/" + name;
  TRY(make_dirs(path.substr(0, path.rfind('/'))));
  return replace_file(path, bytes);
}

Result<std::vector<Bytes>> statements_of(store::Account& in, std::uint64_t count) {
  std::vector<Bytes> out;
  while (out.size() < count) {
    auto page = TRY(in.read_circle(out.size()));
    if (page.empty()) return Error{Code::kCorrupt, "the log has statements that the service lacks"};
    for (Bytes& one : page)
      if (out.size() < count) out.push_back(std::move(one));
  }
  return out;
}

Result<void> write_records(const CaseFrom& from, const VaultId& vault, const std::string& folder) {
  for (std::uint64_t n = 1;;) {
    auto page = TRY(from.in.read_records(vault, n));
    if (page.empty()) return Ok{};
    const auto times = TRY(from.in.received(vault, n));
    for (std::size_t i = 0; i < page.size() && i < times.size(); ++i, ++n) {
      lawful::ReceivedRecord out;
      out.received_ms = times[i];
      out.record = std::move(page[i]);
      TRY(write(folder, lawful::record_name(vault, n), wire::encode(out)));
    }
    if (times.empty()) return changed_meanwhile();
  }
}

// From the ordered epoch down to the vault's first.
Result<void> write_links(const CaseFrom& from, const circle::Circle& circle,
                         const lawful::OrderedKey& key, const std::string& folder) {
  const circle::Vault* const vault = circle.vault(key.vault);
  if (vault == nullptr) return Error{Code::kNotFound, "the account has no such vault"};
  for (std::uint32_t epoch = key.epoch; epoch > vault->first_epoch; --epoch) {
    const BlobId id = TRY(circle.blob(epoch, {circle::BlobKind::kVaultLink, {}, key.vault}));
    const Bytes link = TRY(from.in.get_blob(id));
    TRY(write(folder, lawful::link_name(id), link));
  }
  return Ok{};
}

// All of the account's: which vault one is of, no service can tell.
Result<void> write_packs(const CaseFrom& from, const std::string& folder, CaseTurn& turn) {
  TRY(make_dirs(folder + "/packs"));
  for (const PackId& pack : TRY(from.storage.list(from.account))) {
    const std::string path = folder + "/" + lawful::pack_name(pack);
    auto bytes = from.storage.get(from.account, pack);
    if (!bytes.ok() && bytes.error().code == Code::kNotFound) continue;  // it went just now
    TRY(bytes);
    turn.packs += 1;
    turn.bytes += bytes->size();
    if (!exists(path)) TRY(replace_file(path, *bytes));
  }
  return Ok{};
}

Result<void> write_circle(const std::vector<Bytes>& statements, const std::string& folder) {
  for (std::size_t i = 0; i < statements.size(); ++i)
    TRY(write(folder, lawful::statement_name(i), statements[i]));
  return Ok{};
}

// ---- the order ----

// The custodian's own envelopes of what is ordered.
Result<std::vector<Bytes>> envelopes(const CaseFrom& from, const circle::Circle& circle,
                                     const lawful::DisclosureOrder& order) {
  std::vector<Bytes> out;
  const circle::Custodian* const custodian = circle.custodian();
  if (custodian == nullptr)
    return Error{Code::kDenied, "the account is at the advanced level: no key exists"};
  for (const lawful::OrderedKey& key : order.keys) {
    const BlobId blob =
        TRY(circle.blob(key.epoch, {circle::BlobKind::kVaultReader, custodian->id, key.vault}));
    out.push_back(TRY(from.in.get_blob(blob)));
  }
  return out;
}

// One state of the log for the account and for what `prove` proves.
template <class Prove>
Result<lawful::StateProof> prove_together(const CaseFrom& from, const Digest& roots,
                                          const Prove& prove) {
  for (int i = 0; i < kTries; ++i) {
    auto state = TRY(from.log.prove_state(from.account, roots));
    const bool same = TRY(prove(state.epoch.checkpoint));
    if (same) return state;
  }
  return changed_meanwhile();
}

// nullopt: the release is not in the log yet; `turn` says what for.
Result<std::optional<lawful::Released>> release(const CaseFrom& from, BytesView signed_order,
                                                const lawful::DisclosureOrder& order,
                                                const circle::Circle& circle, CaseTurn& turn) {
  auto evidence = TRY(gather_evidence(*from.custodian, from.log, from.account, from.in, circle));
  const Bytes leaf = TRY(from.custodian->list_disclosure(circle.id(), signed_order, evidence));
  if (leaf.empty()) {
    turn = waiting("the release to be listed in the next batch, which is made every few hours");
    return std::optional<lawful::Released>();
  }
  auto batch = from.log.prove_leaf(leaf);
  if (!batch.ok() && batch.error().code == Code::kUnavailable) {
    turn = waiting("the batch that lists the release to stand in the public log");
    return std::optional<lawful::Released>();
  }
  TRY(batch);
  evidence = TRY(gather_evidence(*from.custodian, from.log, from.account, from.in, circle));
  const auto own = TRY(envelopes(from, circle, order));
  auto given =
      TRY(from.custodian->disclose(circle.id(), signed_order, own, wire::encode(*batch), evidence));
  return std::optional(lawful::Released{*std::move(batch), std::move(given.opening),
                                        std::move(given.position), std::move(given.keys)});
}

}  // namespace

Result<CaseTurn> gather_case(const CaseFrom& from, BytesView signed_order,
                             const std::string& folder) {
  if (from.custodian == nullptr) return api::no_custodian();
  const auto verified = TRY(lawful::verify_order(signed_order, from.operators));
  const circle::Circle circle = TRY(from.in.circle());
  if (verified.order.circle != circle.id())
    return Error{Code::kDenied, "the order is of another account"};
  const std::uint64_t logged = TRY(from.log.logged_statements(from.account));
  if (logged <= circle.seq()) return waiting("the log to show the account's newest statement");
  CaseTurn turn;
  auto released = TRY(release(from, signed_order, verified.order, circle, turn));
  if (!released) return turn;
  lawful::Case out;
  out.circle = circle.id();
  out.order = to_bytes(signed_order);
  const auto batch = [&](const Bytes& at) -> Result<bool> {
    if (released->batch.checkpoint != at)
      released->batch = TRY(from.log.prove_leaf(released->batch.leaf));
    return released->batch.checkpoint == at;
  };
  out.state = TRY(prove_together(from, circle.trust_roots(), batch));
  const auto statements = TRY(statements_of(from.in, circle.seq() + 1));
  // What the machine will ask: a case that it would refuse is none.
  const auto state = lawful::verify_state(circle.id(), out.state, statements);
  if (!state.ok()) return changed_meanwhile();
  TRY(lawful::verify_released(*state, verified, *released));
  out.released = std::move(released);
  TRY(make_dirs(folder));
  TRY(write_circle(statements, folder));
  for (const lawful::OrderedKey& key : verified.order.keys) {
    TRY(write_records(from, key.vault, folder));
    TRY(write_links(from, circle, key, folder));
  }
  TRY(write_packs(from, folder, turn));
  TRY(write(folder, lawful::kCaseName, wire::encode(out)));
  turn.whole = true;
  return turn;
}

Result<void> state_no_key(const CaseFrom& from, const std::string& folder) {
  const circle::Circle circle = TRY(from.in.circle());
  const std::uint64_t logged = TRY(from.log.logged_statements(from.account));
  if (logged <= circle.seq())
    return Error{
        Code::kUnavailable,
        "the log does not show the account's newest statement yet: try again in ten minutes"};
  lawful::Case out;
  out.circle = circle.id();
  const auto receipts = [&](const Bytes& at) -> Result<bool> {
    out.receipts.clear();
    for (const Bytes& receipt : from.receipts) {
      tlog::DeletionReceipt leaf;
      leaf.receipt = crypto::sha256(receipt);
      out.receipts.push_back({receipt, TRY(from.log.prove_leaf(wire::encode(leaf)))});
    }
    return std::ranges::all_of(out.receipts,
                               [&](const auto& one) { return one.leaf.checkpoint == at; });
  };
  out.state = TRY(prove_together(from, circle.trust_roots(), receipts));
  const auto statements = TRY(statements_of(from.in, circle.seq() + 1));
  const auto state = lawful::verify_state(circle.id(), out.state, statements);
  if (!state.ok()) return changed_meanwhile();
  TRY(lawful::verify_no_key(*state, out.receipts));
  TRY(make_dirs(folder));
  TRY(write_circle(statements, folder));
  return write(folder, lawful::kCaseName, wire::encode(out));
}

}  // namespace holdfast::server
