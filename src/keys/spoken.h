// Keys that people carry: the recovery key on paper and the code that admits a device.
#pragma once

#include <string>

#include "base/id.h"
#include "keys/hierarchy.h"

namespace holdfast::keys {

// "holdfast1..." (Bech32m, 160 bits). Shown once; the caller wipes what it prints from.
std::string spell_recovery_key(const RecoveryKey& key);
// Forgives case and white space around it; kInvalid says what looks wrong.
Result<RecoveryKey> read_recovery_key(std::string_view text);
// Under which name the store keeps the capsule. Not a secret, and tells nothing of the key.
LocateId locate_id(const RecoveryKey& key);

// "ABCD-EFGH-JKMN-PQRS" (80 bits, Crockford's base32).
std::string spell_code(const CodeKey& code);
Result<CodeKey> read_code(std::string_view text);

// The key of one message of one admission: bound to the request, a label per message.
template <class MessagePurpose>
crypto::Key<MessagePurpose> message_key(const CodeKey& code, const RequestId& request) {
  return crypto::derive<MessagePurpose>(code, request.view());
}

}  // namespace holdfast::keys
