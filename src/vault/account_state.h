// What Account's parts share. Not for others.
#pragma once

#include <functional>

#include "vault/format.h"
#include "vault/replica.h"
#include "vault/vault.h"

namespace holdfast::vault {

struct Account::State {
  Home& home;
  api::Store& store;
  const Clock& clock;
  crypto::SigningKey signing;
  Replica replica;

  const circle::Circle& circle() const { return replica.circle(); }
  Result<void> sync();

  // Makes a statement at the head and appends it; on conflict reads what is new, checks it, and
  // makes it again from the state that then stands.
  struct Made {
    circle::StatementType type;
    Bytes body;
    std::vector<Bytes> blobs;
    std::function<void(circle::SignedStatement&)> cosign = {};  // where a rule asks for it
    std::function<api::Admission(BytesView statement)> admission =
        {};  // where a device is admitted
  };
  Result<void> append(const std::function<Result<Made>()>& make);
};

// Names that a person typed, before they are put into a statement. kInvalid: not UTF-8.
Result<void> check_typed(std::string_view name);

// A device's own keys, as the circle shows them.
circle::DeviceInfo device_info(const keys::DeviceKey& key, const std::string& name);
crypto::SigningKey signing_key(const keys::DeviceKey& key);
api::Caller caller(const keys::DeviceKey& key);
// Whom a device of an account in this store trusts.
circle::TrustRoots trust_roots(const api::Store& store);
Digest lookup_hash(const keys::LookupKey& key);
Digest roots_hash(const circle::TrustRoots& roots);
// Writes into a home what an accepted circle means for it.
Result<void> become_member(Home& home, const std::string& account, const std::string& device_name,
                           const keys::LookupKey& lookup, const std::vector<Bytes>& statements);

// An enrolment of `key` as it stands in set_recovery.
circle::RecoveryInfo make_recovery_info(const keys::RecoveryKey& key, const Replica& replica,
                                        const keys::LookupKey& lookup,
                                        const circle::TrustRoots& roots);

}  // namespace holdfast::vault
