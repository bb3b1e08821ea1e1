#include "lawful/case.h"

#include <algorithm>
#include <cstdio>

#include "circle/custody.h"
#include "crypto/hash.h"
#include "lawful/replay.h"
#include "tlog/batch.h"
#include "tlog/follow.h"
#include "tlog/frontier.h"
#include "tlog/leaves.h"
#include "tlog/map_labels.h"
#include "tlog/notice.h"

namespace holdfast::lawful {
namespace {

Error not_shown(const std::string& what) {
  return {Code::kUnsafe, "the case does not show " + what};
}

std::string numbered(std::uint64_t n) {
  char text[24];
  std::snprintf(text, sizeof text, "%08llu", static_cast<unsigned long long>(n));
  return text;
}

Result<tlog::TrustedLog> log_in(BytesView roots) {
  const auto trust = TRY(wire::decode<circle::TrustRoots>(roots));
  const auto parsed = TRY(wire::decode<tlog::LogRoots>(trust.log));
  return tlog::TrustedLog::open(parsed);
}

// The tree is made again from the entry's proof and all that follows it: a left-out generation of
// the map would make another root.
Result<void> check_newest_epoch(const StateProof& proof, const tlog::TreeHead& head) {
  auto tree =
      TRY(tlog::Frontier::before(proof.epoch.index, head.size, tlog::Proof(proof.epoch.inclusion)));
  if (proof.after.size() != head.size - proof.epoch.index - 1)
    return not_shown("all entries of the log after the newest map");
  tree.append(tlog::leaf_hash(proof.epoch.leaf));
  for (const Bytes& entry : proof.after) {
    const auto leaf = TRY(tlog::decode_leaf(entry));
    if (std::holds_alternative<tlog::MapEpoch>(leaf))
      return not_shown("the newest generation of the map");
    tree.append(tlog::leaf_hash(entry));
  }
  if (tree.head() != head) return not_shown("the log's entries as they are");
  return Ok{};
}

}  // namespace

std::string statement_name(std::uint64_t seq) { return "circle/" + numbered(seq); }
std::string record_name(const VaultId& vault, std::uint64_t n) {
  return "vaults/" + vault.hex() + "/" + numbered(n);
}
std::string link_name(const BlobId& blob) { return "links/" + blob.hex(); }
std::string pack_name(const PackId& pack) { return "packs/" + pack.hex(); }

Result<ShownState> verify_state(const CircleId& id, const StateProof& proof,
                                const std::vector<Bytes>& statements) {
  const auto lookup = std::make_shared<const LookupKey>(TRY(lookup_of(proof.lookup)));
  auto log = TRY(log_in(proof.roots));
  auto circle = TRY(replay_circle(id, statements, lookup, proof.roots, log));
  auto checkpoint = TRY(tlog::verify_leaf_proof(log, proof.epoch));
  const auto epoch = TRY(wire::decode<tlog::MapEpoch>(proof.epoch.leaf));
  TRY(check_newest_epoch(proof, checkpoint.head()));
  TRY(tlog::verify_series(epoch.root, proof.circle_proof, circle.seq() + 1, circle.head(),
                          [&](std::uint64_t n) { return tlog::circle_label(*lookup, n); }));
  return ShownState{std::move(circle), std::move(log), std::move(checkpoint)};
}

Result<tlog::ReleaseBatch> verify_released(const ShownState& state, const VerifiedOrder& verified,
                                           const Released& released) {
  const DisclosureOrder& order = verified.order;
  const circle::Circle& circle = state.circle;
  if (order.circle != circle.id())
    return Error{Code::kDenied, "the order is of another account than the case"};
  if (circle.custodian() == nullptr)
    return Error{Code::kDenied, "the account is at the advanced level: no key exists"};
  if (released.keys.size() != order.keys.size()) return not_shown("a key for each that is ordered");
  const auto at = TRY(tlog::verify_leaf_proof(state.log, released.batch));
  if (at.head() != state.checkpoint.head())
    return not_shown("the batch and the account in one state of the log");
  auto decoded = wire::decode<tlog::ReleaseBatch>(released.batch.leaf);
  if (!decoded.ok()) return not_shown("a release batch");
  tlog::ReleaseBatch batch = std::move(decoded).value();
  if (batch.open_days != order.open_days)
    return not_shown("a batch that tells the account when the order says");
  const auto position = TRY(wire::decode<tlog::PositionProof>(released.position));
  TRY(tlog::verify_position(batch.root, order.circle, position));
  if (!position.value) return not_shown("that anything of the account was released");
  const auto entry =
      TRY(tlog::verify_opening(*position.value, order.circle, batch.n, released.opening));
  const Digest recipient = crypto::sha256(order.discloser.wrap_key);
  for (const OrderedKey& key : order.keys) {
    const circle::Vault* const vault = circle.vault(key.vault);
    if (vault == nullptr || vault->always_e2e)
      return Error{Code::kDenied, "the order names a vault that no custodian reads"};
    const tlog::Release wanted{key.vault, key.epoch, recipient, order.instrument};
    if (std::ranges::find(entry.releases, wanted) == entry.releases.end())
      return not_shown("that the log had the release of a key before it was given out");
  }
  return batch;
}

namespace {

// Of one former custodian.
Result<circle::DeletionReceipt> find_receipt(const ShownState& state, const circle::Custodian& gone,
                                             const std::vector<ReceiptProof>& receipts) {
  for (const ReceiptProof& one : receipts) {
    const auto receipt = circle::verify_receipt(state.circle.id(), gone.info, one.receipt);
    if (!receipt.ok()) continue;
    TRY(tlog::verify_leaf_proof(state.log, one.leaf));
    const auto leaf = TRY(wire::decode<tlog::DeletionReceipt>(one.leaf.leaf));
    if (leaf.receipt != crypto::sha256(one.receipt))
      return not_shown("that receipt of a destroyed key in the log");
    return receipt;
  }
  return not_shown("that a former custodian's key was destroyed");
}

bool ever_read(const circle::Circle& circle, const VaultId& vault) {
  for (const circle::Epoch& epoch : circle.epochs())
    for (const auto& [slot, blob] : epoch.blobs)
      if (slot.kind == circle::BlobKind::kVaultReader && slot.vault == vault) return true;
  return false;
}

}  // namespace

Result<NoKey> verify_no_key(const ShownState& state, const std::vector<ReceiptProof>& receipts) {
  const circle::Circle& circle = state.circle;
  NoKey out;
  out.whole = circle.custodian() == nullptr;
  for (const circle::Vault& vault : circle.vaults())
    if (out.whole || (vault.always_e2e && !ever_read(circle, vault.id)))
      out.vaults.push_back(vault);
  if (out.whole) {
    for (const circle::Custodian& gone : circle.custodians())
      out.receipts.push_back(TRY(find_receipt(state, gone, receipts)));
  } else if (out.vaults.empty()) {
    return Error{Code::kDenied,
                 "the account is at the standard level, and its custodian has read every vault"};
  }
  return out;
}

}  // namespace holdfast::lawful
