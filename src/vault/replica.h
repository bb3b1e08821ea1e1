// One reader's verified copy of an account: the circle, the vaults' chains and the keys that its
// own key opens. Used by a device (Account) and, once, by the recovery key.
#pragma once

#include <map>
#include <set>

#include "api/doors.h"
#include "archive/access.h"
#include "circle/vault_chain.h"
#include "keys/envelopes.h"
#include "vault/home.h"

namespace holdfast::vault {

struct Chain {
  circle::ChainTip tip;
  std::vector<circle::LinkedRecord> records;  // records[i].tip.n == i + 1
  circle::VaultState state;                   // after all of them
};

// An epoch statement's keys, made and ready to append.
struct EpochDraft {
  circle::EpochInfo info;
  std::vector<Bytes> blobs;
};

// Who reads after a statement that begins an epoch, and the vaults as they are then.
struct NextReaders {
  std::map<ReaderId, crypto::WrapPublicKey> full;
  std::map<ReaderId, crypto::WrapPublicKey> of_vaults;  // of those that are not always end-to-end
  std::vector<circle::Vault> vaults;
};

class Replica {
 public:
  Replica(std::unique_ptr<api::Session> session, ReaderId self,
          crypto::Key<crypto::WrapPurpose> wrapping, std::shared_ptr<const circle::Ages> ages)
      : session_(std::move(session)),
        self_(self),
        wrapping_(std::move(wrapping)),
        ages_(std::move(ages)) {}

  // Replays the pins of `home`, then what the store has beyond them, and pins that. Without a home
  // (a recovery) nothing is known before. kUnsafe: the store shows another or an older history.
  Result<void> sync(Home* home);

  // What this device appended and the store took: kUnsafe when a sync after that does not show it.
  Result<void> expect_statement(std::uint64_t seq, const Bytes& statement, Home& home) const;
  Result<void> expect_record(const circle::LinkedRecord& linked, const Bytes& record,
                             Home& home) const;

  api::Session& session() { return *session_; }
  const ReaderId& self() const { return self_; }
  const circle::Circle& circle() const { return *circle_; }
  const Chain& chain(const VaultId& vault) { return chains_[vault]; }
  // Packs that the store may delete by now. All vaults count: a pack is the account's, whichever
  // vault's record drops it.
  std::set<PackId> dropped() const;
  std::vector<circle::VaultHead> heads() const;
  // All statements verified so far, for a home that begins here.
  const std::vector<Bytes>& statements() const { return statements_; }

  Result<Bytes> blob(std::uint32_t epoch, const circle::BlobSlot& slot);
  // kUnavailable while they are held.
  Result<const keys::RootKey*> root(std::uint32_t epoch);
  // Whether this reader may open keys yet (the log must show first that it is one).
  enum class Keys { kFree, kHeld };
  void hold(Keys keys) { keys_ = keys; }
  Result<archive::VaultAccess> access(const circle::Vault& vault);

  // The keys of the epoch after this one for exactly these readers.
  Result<EpochDraft> next_epoch(const NextReaders& readers);
  // The current epoch, for a statement that adds `blobs` to it.
  Result<EpochDraft> same_epoch(std::vector<Bytes> blobs);
  NextReaders readers() const;  // all as they are now
  // A vault's key for each of its readers, as they stand in a statement that brings it.
  Result<std::vector<Bytes>> wrap_vault_key(const circle::Vault& vault, std::uint32_t epoch,
                                            const keys::VaultKey& key) const;

 private:
  Result<void> replay(const std::vector<Bytes>& statements, Home* home);
  // What next_epoch() makes, blob by blob.
  struct Making {
    const NextReaders& readers;
    std::uint32_t epoch;
    const keys::RootKey& fresh;
    const keys::RootKey& old;
    std::map<VaultId, keys::VaultKey> vault_key{};
  };
  Result<Bytes> make(Making& making, const circle::BlobSlot& slot);
  Result<void> sync_circle(Home* home);
  Result<void> keep_blobs(const std::vector<Bytes>& statements, Home& home);
  Result<void> sync_chain(const VaultId& vault, Home* home);
  Result<void> check_marks(const VaultId& vault, const Chain& chain, Home* home);
  Result<void> extend(const VaultId& vault, Chain& chain, BytesView record, Home* home);
  // Whether this reader holds keys of vaults and no R_e: an owner whom the provider helped.
  bool only_vaults() const;
  Result<keys::VaultKey> newest_vault_key(const circle::Vault& vault);
  Result<std::map<std::uint32_t, keys::VaultKey>> vault_keys(const circle::Vault& vault);

  std::unique_ptr<api::Session> session_;
  ReaderId self_;
  crypto::Key<crypto::WrapPurpose> wrapping_;
  std::shared_ptr<const circle::Ages> ages_;
  std::optional<circle::Circle> circle_;
  std::vector<Bytes> statements_;
  std::map<VaultId, Chain> chains_;
  std::map<std::uint32_t, keys::RootKey> roots_;
  Keys keys_ = Keys::kFree;
};

}  // namespace holdfast::vault
