// The key of a machine that opens a case, or of a requester: two seeds in a file of its own, made
// for one order and destroyed after it. Whoever has it reads what was released to it.
#pragma once

#include <string>

#include "crypto/sign.h"
#include "crypto/wrap.h"
#include "lawful/order.h"

namespace holdfast::disclose {

struct OwnKey {
  crypto::Key<crypto::WrapPurpose> wrap;
  crypto::SigningKey sign;
  lawful::DisclosureKey shown;  // its public half
};

// At `path` (mode 0600), and its public half in one line at `path`.pub. kConflict: it is there.
Result<OwnKey> make_own_key(const std::string& path);
// kDenied: others can read the file. kInvalid: it is no such key.
Result<OwnKey> read_own_key(const std::string& path);

}  // namespace holdfast::disclose
