#include "crypto/passphrase.h"

#include <botan/argon2.h>
#include <botan/pwdhash.h>

#include <exception>

namespace holdfast::crypto {

PassphraseParameters PassphraseParameters::fresh() {
  PassphraseParameters parameters;
  random_fill(parameters.salt);
  return parameters;
}

Result<Key<PassphrasePurpose>> derive_from_passphrase(BytesView passphrase,
                                                      const PassphraseParameters& parameters) {
  const bool floors = parameters.memory_kib >= 64 * 1024 && parameters.passes >= 3 && parameters.lanes >= 1;
  const bool ceilings = parameters.memory_kib <= 4 * 1024 * 1024 && parameters.passes <= 64 && parameters.lanes <= 16;
  if (!floors || !ceilings)
    return Error{Code::kInvalid, "the passphrase's parameters are weaker or larger than allowed"};
  try {
    const auto hash = Botan::PasswordHashFamily::create_or_throw("Argon2id")->from_params(
        parameters.memory_kib, parameters.passes, parameters.lanes);
    return make_key<PassphrasePurpose>([&](std::span<std::uint8_t> out) {
      hash->derive_key(out.data(), out.size(), reinterpret_cast<const char*>(passphrase.data()),
                       passphrase.size(), parameters.salt.data(), parameters.salt.size());
    });
  } catch (const std::exception&) {
    return Error{Code::kUnavailable, "there is not enough memory to open the passphrase"};
  }
}

}  // namespace holdfast::crypto
