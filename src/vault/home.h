// A device's own state: one folder, trusted, 0700. The device's secret is sealed by a passphrase
// (Argon2id) or by a key file (0600) beside it; the rest is what this device has seen (pins), the
// journal of a backup under way, and a cache of ciphertext.
//
//   home/lock  home/device.cbor (sealed secret)  home/unattended.key  home/state.db  home/cache/
//   home/evidence/
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/id.h"
#include "crypto/key.h"
#include "keys/hierarchy.h"

namespace holdfast::vault {

// How the device's secret is opened. Exactly one of the two.
struct Unlock {
  std::optional<crypto::WipedBytes> passphrase;  // none: unattended, by the key file
};

class Home {
 public:
  // Locks the folder; kUnavailable: another program uses it. Makes it if absent.
  static Result<Home> open(const std::string& folder);
  Home(Home&&) noexcept;
  Home& operator=(Home&&) noexcept;
  ~Home();

  bool has_device() const;
  const std::string& folder() const;

  // A new device secret, sealed by `unlock`, not yet of any account.
  Result<void> create_device(const Unlock& unlock);
  // kDenied: the passphrase is wrong. kNotFound: the key file is gone (says what that means).
  Result<void> unlock(const Unlock& unlock);
  Result<void> change_unlock(const Unlock& unlock);
  bool unattended() const;
  const keys::DeviceKey& device_key() const;  // once unlocked

  // Settings: server, account, device_name; "" when absent.
  std::string setting(const std::string& name) const;
  Result<void> set_setting(const std::string& name, const std::string& value);
  // A device that has joined; until then init/join/recover may start over.
  bool is_member() const;

  // The lookup key and the trust roots, sealed under the device's secret.
  Result<void> save_lookup(const keys::LookupKey& key);
  Result<keys::LookupKey> lookup() const;

  // Pins: appended, never rewritten.
  Result<std::vector<Bytes>> statements() const;
  Result<void> add_statements(std::uint64_t from, const std::vector<Bytes>& statements);
  Result<std::vector<Bytes>> records(const VaultId& vault) const;
  Result<void> add_records(const VaultId& vault, std::uint64_t from,
                           const std::vector<Bytes>& records);

  // Wrapped and sealed keys of statements that came while this device was a member, as the store
  // keeps them: with them it can give back to a store what that lost.
  Result<void> add_blobs(const std::vector<Bytes>& blobs);
  Result<bool> has_blob(const BlobId& blob) const;
  Result<Bytes> blob(const BlobId& blob) const;  // kNotFound

  // Three tries a request to join.
  Result<unsigned> count_try(const RequestId& request);

  // The journal of a backup or a reseal: sealed entries by the object that is sent.
  Result<void> add_journal(const VaultId& vault, const PackId& pack, BytesView plain);
  struct JournalEntry {
    PackId pack;
    crypto::WipedBytes plain;
  };
  Result<std::vector<JournalEntry>> journal(const VaultId& vault) const;
  Result<void> clear_journal(const VaultId& vault, const std::vector<PackId>& packs);

  std::string cache_folder() const;
  // Saves a self-contained evidence file and returns its path.
  Result<std::string> save_evidence(std::string_view what, const std::vector<Bytes>& items);

 private:
  struct State;
  explicit Home(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::vault
