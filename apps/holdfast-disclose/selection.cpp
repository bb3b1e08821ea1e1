#include "selection.h"

#include <algorithm>

#include "circle/circle.h"
#include "keys/envelopes.h"

namespace holdfast::disclose {
namespace {

using VaultKeys = std::map<std::uint32_t, keys::VaultKey>;

// Those that were released, and, by the links in the account, those of the epochs before.
Result<VaultKeys> open_keys(const OrderedCase& from, const OrderedVault& vault, const OwnKey& own,
                            CaseSession& session) {
  const circle::Circle& circle = from.read.state.circle;
  VaultKeys keys;
  for (const auto& [epoch, sealed] : vault.sealed_keys) {
    auto key = crypto::unwrap_key<keys::VaultPurpose>(
        own.wrap,
        lawful::sealed_key_info(from.order.hash, circle.id(), {vault.vault.id, epoch}, own.shown),
        sealed);
    if (!key.ok())
      return Error{Code::kDenied, "the key of vault \"" + vault.vault.name +
                                      "\" was sealed for another order or machine, or changed"};
    keys.emplace(epoch, std::move(key).value());
  }
  for (std::uint32_t epoch = keys.rbegin()->first; epoch > vault.vault.first_epoch; --epoch) {
    if (keys.contains(epoch - 1)) continue;
    const BlobId id = TRY(circle.blob(epoch, {circle::BlobKind::kVaultLink, {}, vault.vault.id}));
    const Bytes link = TRY(session.get_blob(id));
    keys.emplace(epoch - 1, TRY(keys::open_vault_link(keys.at(epoch),
                                                      {circle.id(), epoch, vault.vault.id}, link)));
  }
  return keys;
}

std::string device_name(const circle::Circle& circle, const ReaderId& signer) {
  const circle::Device* const device = circle.device(signer);
  return device != nullptr ? device->info.name : "?";
}

// The empty text: it is opened.
std::string why_withheld(const lawful::DisclosureOrder& order, const Received& one,
                         std::uint32_t epoch, const circle::VaultState& state) {
  if (one.received_ms < order.from_ms) return "received before the ordered time";
  if (one.received_ms >= order.until_ms) return "received after the ordered time";
  if (one.record.tip.epoch > epoch)
    return "written after the account changed its keys, under one that was not ordered";
  if (state.forgotten.contains(one.record.tip.n))
    return "forgotten by the account before the case was made; nothing of it was opened";
  return "";
}

}  // namespace

Result<VaultToOpen> choose(const OrderedCase& from, const OrderedVault& vault, const OwnKey& own,
                           CaseSession& session) {
  const circle::Circle& circle = from.read.state.circle;
  const std::uint32_t epoch = vault.sealed_keys.rbegin()->first;
  VaultToOpen out{vault.vault, epoch, {circle.id(), vault.vault.id, epoch, {}, {}, {}}, {}, {},
                  {},          {}};
  const auto keys = TRY(open_keys(from, vault, own, session));
  for (const auto& [e, key] : keys)
    out.access.segment_keys.emplace(e, crypto::derive<keys::SegmentPurpose>(key));
  circle::VaultState state;
  for (const Received& one : vault.records) state.add(one.record);
  // The tables of the newest record that the released key opens have all that is in use.
  const auto tables = std::find_if(vault.records.rbegin(), vault.records.rend(),
                                   [&](const auto& one) { return one.record.tip.epoch <= epoch; });
  if (tables != vault.records.rend()) {
    for (const circle::KeySegmentRef& ref : tables->record.key_segments)
      out.key_segments.push_back({ref.object, ref.epoch});
    out.index_segments = tables->record.index_segments;
  }
  for (const Received& one : vault.records) {
    const auto* const taken = std::get_if<circle::Taken>(&one.record.act);
    if (taken == nullptr) continue;
    std::string why = why_withheld(from.order.order, one, epoch, state);
    if (why.empty()) {
      out.chosen.push_back(
          {one.record.tip.n, one.received_ms, device_name(circle, one.record.signer), taken->root});
    } else {
      out.withheld.push_back({one.record.tip.n, one.received_ms, std::move(why)});
    }
  }
  return out;
}

}  // namespace holdfast::disclose
