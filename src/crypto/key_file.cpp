#include "crypto/key_file.h"

#include "base/file.h"

namespace holdfast::crypto {

Result<Key<Ed25519Purpose>> load_or_make_key(const std::string& path,
                                             const std::optional<Ed25519PublicKey>& expected) {
  using Seed = Key<Ed25519Purpose>;
  auto bytes = read_file(path, Seed::kSize);
  if (!bytes.ok() && bytes.error().code == Code::kNotFound && !expected) {
    Bytes fresh(Seed::kSize);
    random_fill(fresh);
    const WipedBytes wiped(std::move(fresh));
    TRY(create_file(path, wiped.view(), 0600));
    return Seed::from_bytes(wiped.view());
  }
  if (!bytes.ok() && bytes.error().code == Code::kNotFound)
    return Error{Code::kUnsafe,
                 path + " is gone, and what lies beside it is that key's: put it back"};
  const WipedBytes secret(TRY(std::move(bytes)));
  if (secret.view().size() != Seed::kSize)
    return Error{Code::kCorrupt, path + " is no key: put it back from a copy"};
  Seed seed = Seed::from_bytes(secret.view());
  if (expected && Ed25519Key(seed).public_key() != *expected)
    return Error{Code::kUnsafe,
                 path + " is another key than the one that what lies beside it is of"};
  return seed;
}

}  // namespace holdfast::crypto
