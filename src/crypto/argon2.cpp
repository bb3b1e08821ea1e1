#include "crypto/argon2.h"

#include <new>

#include <botan/exceptn.h>
#include <botan/pwdhash.h>

namespace holdfast::crypto {

Result<void> argon2id(BytesView password, BytesView salt, BytesView secret, BytesView data,
                      const Argon2Cost& cost, std::span<std::uint8_t> out) {
  try {
    const auto family = Botan::PasswordHashFamily::create_or_throw("Argon2id");
    const auto hash = family->from_params(cost.memory_kib, cost.passes, cost.lanes);
    hash->derive_key(out.data(), out.size(), reinterpret_cast<const char*>(password.data()),
                     password.size(), salt.data(), salt.size(), data.data(), data.size(),
                     secret.data(), secret.size());
    return Ok{};
  } catch (const std::bad_alloc&) {
    return Error{Code::kUnavailable, "not enough memory to derive a key from the passphrase: " +
                                         std::to_string(cost.memory_kib / 1024) +
                                         " MiB are needed"};
  } catch (const Botan::Invalid_Argument&) {
    return Error{Code::kInvalid, "the passphrase parameters are not allowed"};
  } catch (const std::exception& e) {
    check_failed(e.what(), __FILE__, __LINE__);
  }
}

}  // namespace holdfast::crypto
