#include "crypto/passphrase.h"

#include "crypto/argon2.h"
#include "crypto/secret.h"

namespace holdfast::crypto {

namespace {

bool allowed(const PassphraseParameters& p) {
  return p.memory_kib >= 64 * 1024 && p.memory_kib <= 4 * 1024 * 1024 && p.passes >= 3 &&
         p.passes <= 64 && p.lanes >= 1 && p.lanes <= 16;
}

}  // namespace

PassphraseParameters PassphraseParameters::fresh() {
  PassphraseParameters parameters;
  random_fill(parameters.salt);
  return parameters;
}

Result<Key<PassphrasePurpose>> derive_from_passphrase(BytesView passphrase,
                                                      const PassphraseParameters& parameters) {
  if (!allowed(parameters))
    return Error{Code::kInvalid, "the passphrase parameters are outside what this version allows"};
  Secret<Key<PassphrasePurpose>::kSize> out;
  TRY(argon2id(passphrase, parameters.salt, {}, {},
               {parameters.memory_kib, parameters.passes, parameters.lanes}, out.span()));
  return Key<PassphrasePurpose>::from_bytes(out.view());
}

}  // namespace holdfast::crypto
