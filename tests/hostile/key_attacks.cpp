// Lies about key material: one sealed key for another.
#include "hostile/attack_parts.h"
#include "keys/envelopes.h"

namespace holdfast::hostile {
namespace {

// `choose` says which key is shown instead of the one at a place; nullopt: the right one.
using Choose = std::function<std::optional<Place>(const Circle& circle, const Place& asked)>;

Lies show_key(Choose choose) {
  Lies lies;
  lies.blob = [choose = std::move(choose)](Honest& honest, const BlobId& blob, Bytes& bytes) {
    const Circle circle = circle_of(honest);
    const auto asked = place_of(circle, blob);
    if (!asked) return;
    const auto shown = choose(circle, *asked);
    if (!shown) return;
    bytes = sure(honest.get_blob(sure(circle.blob(shown->epoch, shown->slot))));
  };
  return lies;
}

Lies envelope_of_another_reader() {
  return show_key([](const Circle& circle, const Place& asked) -> std::optional<Place> {
    if (asked.slot.kind != BlobKind::kRoot) return std::nullopt;
    for (const auto& [slot, id] : circle.epochs()[asked.epoch - 1].blobs)
      if (slot.kind == BlobKind::kRoot && slot.reader != asked.slot.reader)
        return Place{asked.epoch, slot};
    return std::nullopt;
  });
}

Lies key_of_another_epoch(BlobKind kind) {
  return show_key([kind](const Circle& circle, const Place& asked) -> std::optional<Place> {
    if (asked.slot.kind != kind) return std::nullopt;
    for (const circle::Epoch& epoch : circle.epochs())
      if (epoch.number != asked.epoch && epoch.blobs.contains(asked.slot))
        return Place{epoch.number, asked.slot};
    return std::nullopt;
  });
}

Lies key_of_another_vault(BlobKind kind) {
  return show_key([kind](const Circle& circle, const Place& asked) -> std::optional<Place> {
    if (asked.slot.kind != kind) return std::nullopt;
    for (const circle::Vault& vault : circle.vaults())
      if (vault.id != asked.slot.vault) return Place{asked.epoch, {kind, {}, vault.id}};
    return std::nullopt;
  });
}

Lies key_of_another_kind(BlobKind asked_for, BlobKind shown) {
  return show_key([=](const Circle&, const Place& asked) -> std::optional<Place> {
    if (asked.slot.kind != asked_for) return std::nullopt;
    return Place{asked.epoch, {shown, {}, asked.slot.vault}};
  });
}

// A root of the service's own, wrapped to whoever asks, as MEGA's server could hand out keys.
Lies root_of_its_own() {
  Lies lies;
  lies.blob = [](Honest& honest, const BlobId& blob, Bytes& bytes) {
    const Circle circle = circle_of(honest);
    const auto asked = place_of(circle, blob);
    if (!asked || asked->slot.kind != BlobKind::kRoot) return;
    const circle::Device* const device = circle.device(asked->slot.reader);
    const auto& key = device != nullptr ? device->info.wrap_key : circle.recovery()->info.wrap_key;
    bytes = sure(keys::wrap_root(keys::RootKey::random(), {circle.id(), asked->epoch, {}}, {key}));
  };
  return lies;
}

}  // namespace

const AttackTable& key_attacks() {
  static const AttackTable all = {
      {"envelope-of-another-reader", envelope_of_another_reader},
      {"envelope-of-another-epoch", [] { return key_of_another_epoch(BlobKind::kRoot); }},
      {"vault-key-of-another-epoch", [] { return key_of_another_epoch(BlobKind::kVaultKey); }},
      {"vault-key-of-another-vault", [] { return key_of_another_vault(BlobKind::kVaultKey); }},
      {"link-of-another-vault", [] { return key_of_another_vault(BlobKind::kVaultLink); }},
      {"naming-key-of-another-vault", [] { return key_of_another_vault(BlobKind::kNaming); }},
      {"cutting-key-of-another-vault", [] { return key_of_another_vault(BlobKind::kCutting); }},
      {"naming-key-for-vault-key",
       [] { return key_of_another_kind(BlobKind::kVaultKey, BlobKind::kNaming); }},
      {"root-of-its-own", root_of_its_own},
  };
  return all;
}

}  // namespace holdfast::hostile
