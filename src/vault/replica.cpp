#include "vault/replica.h"

#include <algorithm>

#include "crypto/hash.h"
#include "vault/resend.h"

namespace holdfast::vault {
namespace {

using circle::BlobKind;
using circle::BlobSlot;

// Keeps what proves it, and says where.
Error unsafe(Home* home, std::string_view what, const std::vector<Bytes>& evidence,
             std::string sentence) {
  if (home != nullptr) {
    auto path = home->save_evidence(what, evidence);
    if (path.ok()) sentence += ". The evidence is in " + *path;
  }
  return {Code::kUnsafe, sentence};
}

std::string disordered(const std::string& what) {
  return "the store shows " + what +
         " that do not follow one another: it repeats, leaves out or reorders what was signed";
}

}  // namespace

Result<void> Replica::replay(const std::vector<Bytes>& statements, Home* home) {
  for (const Bytes& statement : statements) {
    auto next = circle_ ? circle_->apply(statement) : circle::Circle::start(statement, ages_);
    if (!next.ok()) {
      // Nobody else writes here: what does not follow was never in a list that is in order.
      if (next.error().code == Code::kConflict)
        return unsafe(home, "circle", {statement}, disordered("statements of the account"));
      if (next.error().code != Code::kUnsafe) return std::move(next).error().in("the circle");
      return unsafe(home, "circle", {statement}, next.error().message);
    }
    circle_ = std::move(next).value();
    statements_.push_back(statement);
  }
  return Ok{};
}

Result<void> Replica::sync_circle(Home* home) {
  for (;;) {
    const std::uint64_t from = circle_ ? circle_->seq() : 0;
    std::vector<Bytes> page = TRY(session_->read_circle(from));
    if (circle_) {
      if (page.empty())
        return unsafe(home, "rollback", {statements_.back()},
                      TRY(tell_older(*session_, statements_)));
      if (circle::statement_head(page.front()) != circle_->head())
        return unsafe(
            home, "fork", {statements_.back(), page.front()},
            "the store shows another history of this account than this device saw, from "
            "statement " +
                std::to_string(from) +
                " on. If you copied the store and used both copies, choose one. If its "
                "operator put it back from a backup and another device went on from "
                "there, this device can only join anew, in another home. Otherwise do not "
                "trust this store");
      page.erase(page.begin());
    } else if (page.empty()) {
      return Error{Code::kNotFound, "the store has no such account"};
    }
    if (page.empty()) return Ok{};
    const std::uint64_t first = circle_ ? from + 1 : 0;
    TRY(replay(page, home));
    if (home == nullptr) continue;
    if (first > 0) TRY(keep_blobs(page, *home));
    TRY(home->add_statements(first, page));
  }
}

// Whoever replays is a member already: those who come later have them from then on. What the store
// has lost is no reason to stop.
Result<void> Replica::keep_blobs(const std::vector<Bytes>& statements, Home& home) {
  for (const Bytes& bytes : statements) {
    const auto outer = TRY(wire::decode<circle::SignedStatement>(bytes));
    const auto statement = TRY(wire::decode<circle::Statement>(outer.statement));
    const auto info = TRY(circle::epoch_info(statement));
    if (!info) continue;
    std::vector<Bytes> blobs;
    for (const BlobId& id : info->blobs) {
      const bool known = TRY(home.has_blob(id));
      if (known) continue;
      auto blob = session_->get_blob(id);
      if (!blob.ok() && blob.error().code == Code::kUnavailable) return blob.error();
      if (blob.ok() && BlobId(crypto::sha256(*blob).bytes) == id)
        blobs.push_back(std::move(blob).value());
    }
    TRY(home.add_blobs(blobs));
  }
  return Ok{};
}

Result<void> Replica::extend(const VaultId& vault, Chain& chain, BytesView record, Home* home) {
  auto linked = circle::extend(*circle_, vault, chain.tip, record);
  if (!linked.ok() && linked.error().code == Code::kConflict) {
    // It may look at a statement that came after the circle was read: that is no foul play.
    TRY(sync_circle(home));
    linked = circle::extend(*circle_, vault, chain.tip, record);
  }
  if (!linked.ok()) {
    const Code code = linked.error().code;
    // Now the circle holds every statement that came before the record: one that looks further
    // still, or does not follow, was never accepted by an honest store.
    if (code != Code::kUnsafe && code != Code::kConflict) return std::move(linked).error();
    return unsafe(
        home, "vault", {to_bytes(record)},
        code == Code::kConflict ? disordered("records of a vault") : linked.error().message);
  }
  chain.tip = linked->tip;
  chain.state.add(*linked);
  chain.records.push_back(std::move(linked).value());
  return Ok{};
}

Result<void> Replica::sync_chain(const VaultId& vault, Home* home) {
  Chain& chain = chains_[vault];
  if (home != nullptr && chain.records.empty()) {
    const std::vector<Bytes> pinned = TRY(home->records(vault));
    for (const Bytes& record : pinned) TRY(extend(vault, chain, record, home));
  }
  for (;;) {
    const std::uint64_t from = chain.tip.n + 1;
    std::vector<Bytes> page =
        TRY(session_->read_records(vault, std::max<std::uint64_t>(from - 1, 1)));
    if (from > 1) {
      circle::ChainTip before;
      if (chain.records.size() >= 2) before = chain.records[chain.records.size() - 2].tip;
      if (page.empty())
        return unsafe(home, "rollback", {}, TRY(tell_older(*session_, vault, chain.records)));
      const auto same = circle::extend(*circle_, vault, before, page.front());
      if (!same.ok() || same->tip.head != chain.tip.head)
        return unsafe(home, "fork", {page.front()},
                      "the store shows another history of a vault than this device saw");
      page.erase(page.begin());
    }
    if (page.empty()) break;
    for (const Bytes& record : page) TRY(extend(vault, chain, record, home));
    if (home != nullptr) TRY(home->add_records(vault, from, page));
  }
  return check_marks(vault, chain, home);
}

// Also of records that were linked before a statement came which names their heads.
Result<void> Replica::check_marks(const VaultId& vault, const Chain& chain, Home* home) {
  for (const circle::HeadMark& mark : circle_->head_marks())
    for (const circle::VaultHead& head : mark.heads) {
      if (head.vault != vault || head.n == 0) continue;
      if (head.n > chain.tip.n)
        return unsafe(home, "rollback", {},
                      "the store is older than its own circle says: the "
                      "newest snapshots of a vault are gone");
      if (chain.records[head.n - 1].tip.head != head.head)
        return unsafe(home, "fork", {statements_[mark.seq]},
                      "the store shows another history of a vault to this device than it showed to "
                      "the one that signed statement " +
                          std::to_string(mark.seq));
    }
  return Ok{};
}

Result<void> Replica::sync(Home* home) {
  if (!circle_ && home != nullptr) {
    const std::vector<Bytes> pinned = TRY(home->statements());
    TRY(replay(pinned, home));
  }
  TRY(sync_circle(home));
  // Again where a chain led to statements that came meanwhile: they may have made a vault.
  for (std::optional<std::uint64_t> seen; seen != circle_->seq();) {
    seen = circle_->seq();
    // A removed device may read who removed it, and nothing else.
    const circle::Device* const own = circle_->device(self_);
    if (own != nullptr && own->removed_seq) return Ok{};
    const std::vector<circle::Vault> vaults = circle_->vaults();
    for (const circle::Vault& vault : vaults) TRY(sync_chain(vault.id, home));
  }
  return Ok{};
}

Result<void> Replica::expect_statement(std::uint64_t seq, const Bytes& statement,
                                       Home& home) const {
  if (circle_->seq() >= seq && circle_->head_at(seq) == circle::statement_head(statement))
    return Ok{};
  return unsafe(&home, "taken", {statement},
                "the store took a statement of this device and does not show it: do not trust it");
}

Result<void> Replica::expect_record(const circle::LinkedRecord& linked, const Bytes& record,
                                    Home& home) const {
  const auto chain = chains_.find(linked.vault);
  if (chain != chains_.end() && chain->second.tip.n >= linked.tip.n &&
      chain->second.records[linked.tip.n - 1].tip.head == linked.tip.head)
    return Ok{};
  return unsafe(&home, "taken", {record},
                "the store took a record of this device and does not show it: do not trust it");
}

std::set<PackId> Replica::dropped() const {
  std::set<PackId> all;
  for (const auto& [vault, chain] : chains_)
    for (const auto& [pack, since] : chain.state.dropped) all.insert(pack);
  return all;
}

std::vector<circle::VaultHead> Replica::heads() const {
  std::vector<circle::VaultHead> heads;
  for (const circle::Vault& vault : circle_->vaults()) {
    const auto chain = chains_.find(vault.id);
    if (chain == chains_.end()) {
      heads.push_back({vault.id, 0, {}});
    } else {
      heads.push_back({vault.id, chain->second.tip.n, chain->second.tip.head});
    }
  }
  return heads;
}

Result<Bytes> Replica::blob(std::uint32_t epoch, const BlobSlot& slot) {
  const BlobId id = TRY(circle_->blob(epoch, slot));
  Bytes bytes = TRY(session_->get_blob(id));
  if (BlobId(crypto::sha256(bytes).bytes) != id)
    return Error{Code::kCorrupt,
                 "key " + id.hex().substr(0, 16) +
                     " in the store is damaged: its bytes are not what the circle says"};
  return bytes;
}

Result<const keys::RootKey*> Replica::root(std::uint32_t epoch) {
  if (keys_ == Keys::kHeld)
    return Error{Code::kUnavailable,
                 "this device was admitted, and the service's log does not show it yet: until it "
                 "does, nothing of the account is opened here. That takes ten minutes at most; try "
                 "again then"};
  if (const auto it = roots_.find(epoch); it != roots_.end()) return &it->second;
  const keys::Place place{circle_->id(), epoch, {}};
  if (epoch == circle_->epoch()) {
    const Bytes wrapped = TRY(blob(epoch, {BlobKind::kRoot, self_, {}}));
    auto key =
        TRY(keys::unwrap_root(wrapping_, place, wrapped, circle_->epochs()[epoch - 1].check));
    return &roots_.insert_or_assign(epoch, std::move(key)).first->second;
  }
  const keys::RootKey* const newer = TRY(root(epoch + 1));
  const Bytes sealed = TRY(blob(epoch + 1, {BlobKind::kBacklink, {}, {}}));
  auto key = TRY(keys::open_backlink(*newer, {circle_->id(), epoch + 1, {}}, sealed,
                                     circle_->epochs()[epoch - 1].check));
  return &roots_.insert_or_assign(epoch, std::move(key)).first->second;
}

Result<keys::VaultKey> Replica::newest_vault_key(const circle::Vault& vault) {
  const std::uint32_t epoch = circle_->epoch();
  const keys::Place place{circle_->id(), epoch, vault.id};
  if (only_vaults()) {
    const auto wrapped = blob(epoch, {BlobKind::kVaultReader, self_, vault.id});
    if (!wrapped.ok() && wrapped.error().code == Code::kNotFound)
      return Error{Code::kDenied, "vault \"" + vault.name +
                                      "\" is not among what the provider could read, so it could "
                                      "not be given to you"};
    return keys::unwrap_vault_key(wrapping_, place, TRY(wrapped));
  }
  const keys::RootKey* const newest = TRY(root(epoch));
  return keys::open_vault_key(*newest, place,
                              TRY(blob(epoch, {BlobKind::kVaultKey, {}, vault.id})));
}

bool Replica::only_vaults() const {
  return std::ranges::any_of(circle_->helped(),
                             [&](const circle::Helped& one) { return one.id == self_; });
}

Result<std::map<std::uint32_t, keys::VaultKey>> Replica::vault_keys(const circle::Vault& vault) {
  std::map<std::uint32_t, keys::VaultKey> keys;
  std::uint32_t epoch = circle_->epoch();
  keys.emplace(epoch, TRY(newest_vault_key(vault)));
  for (; epoch > vault.first_epoch; --epoch) {
    const Bytes link = TRY(blob(epoch, {BlobKind::kVaultLink, {}, vault.id}));
    keys.emplace(epoch - 1, TRY(keys::open_vault_link(keys.at(epoch),
                                                      {circle_->id(), epoch, vault.id}, link)));
  }
  return keys;
}

Result<archive::VaultAccess> Replica::access(const circle::Vault& vault) {
  const std::uint32_t epoch = circle_->epoch();
  const auto vault_key_by_epoch = TRY(vault_keys(vault));
  archive::VaultAccess access{circle_->id(), vault.id, epoch, {}, {}, {}};
  for (const auto& [e, key] : vault_key_by_epoch)
    access.segment_keys.emplace(e, crypto::derive<keys::SegmentPurpose>(key));
  if (only_vaults()) return access;
  const keys::Place place{circle_->id(), epoch, vault.id};
  const keys::RootKey* const newest = TRY(root(epoch));
  const Bytes naming = TRY(blob(epoch, {BlobKind::kNaming, {}, vault.id}));
  const Bytes cutting = TRY(blob(epoch, {BlobKind::kCutting, {}, vault.id}));
  access.naming = TRY(keys::open_naming(*newest, place, naming));
  access.cutting = TRY(keys::open_cutting(*newest, place, cutting));
  return access;
}

NextReaders Replica::readers() const {
  NextReaders now;
  for (const circle::Device* d : circle_->members()) now.full[d->id].bytes = d->info.wrap_key;
  if (circle_->recovery())
    now.full[circle_->recovery()->id].bytes = circle_->recovery()->info.wrap_key;
  if (const circle::Custodian* const custodian = circle_->custodian())
    now.of_vaults[custodian->id].bytes = custodian->info.wrap_key;
  now.vaults = circle_->vaults();
  return now;
}

Result<std::vector<Bytes>> Replica::wrap_vault_key(const circle::Vault& vault, std::uint32_t epoch,
                                                   const keys::VaultKey& key) const {
  std::vector<Bytes> wrapped;
  if (vault.always_e2e) return wrapped;
  for (const auto& [id, to] : readers().of_vaults)
    wrapped.push_back(TRY(keys::wrap_vault_key(key, {circle_->id(), epoch, vault.id}, to)));
  return wrapped;
}

Result<EpochDraft> Replica::same_epoch(std::vector<Bytes> blobs) {
  EpochDraft draft;
  draft.info.epoch = circle_->epoch();
  draft.info.check = circle_->epochs().back().check;
  draft.info.vault_heads = heads();
  for (const Bytes& b : blobs) draft.info.blobs.push_back(BlobId(crypto::sha256(b).bytes));
  draft.blobs = std::move(blobs);
  return draft;
}

namespace {

template <class Map>
std::vector<ReaderId> ids(const Map& readers) {
  std::vector<ReaderId> out;
  for (const auto& [id, key] : readers) out.push_back(id);
  return out;
}

}  // namespace

Result<EpochDraft> Replica::next_epoch(const NextReaders& readers) {
  const std::uint32_t epoch = circle_->epoch() + 1;
  const auto fresh = keys::RootKey::random();
  const keys::RootKey* const old = TRY(root(epoch - 1));
  EpochDraft draft;
  draft.info.epoch = epoch;
  draft.info.check = keys::epoch_check(fresh, circle_->id(), epoch);
  draft.info.vault_heads = heads();
  Making making{readers, epoch, fresh, *old};
  for (const BlobSlot& slot :
       circle::epoch_slots(readers.vaults, ids(readers.full), ids(readers.of_vaults))) {
    Bytes made = TRY(make(making, slot));
    draft.info.blobs.push_back(BlobId(crypto::sha256(made).bytes));
    draft.blobs.push_back(std::move(made));
  }
  return draft;
}

Result<Bytes> Replica::make(Making& making, const BlobSlot& slot) {
  const keys::Place place{circle_->id(), making.epoch, slot.vault};
  const keys::Place before{circle_->id(), making.epoch - 1, slot.vault};
  switch (slot.kind) {
    case BlobKind::kBacklink: return keys::seal_backlink(making.fresh, place, making.old);
    case BlobKind::kRoot:
      return keys::wrap_root(making.fresh, place, making.readers.full.at(slot.reader));
    case BlobKind::kVaultKey: {
      const auto& key = making.vault_key.emplace(slot.vault, keys::VaultKey::random());
      return keys::seal_vault_key(making.fresh, place, key.first->second);
    }
    case BlobKind::kVaultReader:
      return keys::wrap_vault_key(making.vault_key.at(slot.vault), place,
                                  making.readers.of_vaults.at(slot.reader));
    case BlobKind::kVaultLink: {
      const Bytes sealed = TRY(blob(making.epoch - 1, {BlobKind::kVaultKey, {}, slot.vault}));
      const auto previous = TRY(keys::open_vault_key(making.old, before, sealed));
      return keys::seal_vault_link(making.vault_key.at(slot.vault), place, previous);
    }
    case BlobKind::kNaming: {
      const Bytes sealed = TRY(blob(making.epoch - 1, {BlobKind::kNaming, {}, slot.vault}));
      return keys::seal_naming(making.fresh, place,
                               TRY(keys::open_naming(making.old, before, sealed)));
    }
    case BlobKind::kCutting: {
      const Bytes sealed = TRY(blob(making.epoch - 1, {BlobKind::kCutting, {}, slot.vault}));
      return keys::seal_cutting(making.fresh, place,
                                TRY(keys::open_cutting(making.old, before, sealed)));
    }
  }
  return Error{Code::kInvalid, "no such key is made"};
}

}  // namespace holdfast::vault
