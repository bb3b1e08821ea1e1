#include "own_key.h"

#include <sys/stat.h>

#include "base/file.h"

namespace holdfast::disclose {
namespace {

constexpr std::size_t kSeedBytes = 32;

OwnKey key_of(BytesView seeds) {
  auto wrap = crypto::Key<crypto::WrapPurpose>::from_bytes(seeds.first(kSeedBytes));
  crypto::SigningKey sign(
      crypto::Key<crypto::SigningPurpose>::from_bytes(seeds.subspan(kSeedBytes)));
  const lawful::DisclosureKey shown{crypto::wrap_public_key(wrap).bytes, sign.verify_key().bytes};
  return {std::move(wrap), std::move(sign), shown};
}

}  // namespace

Result<OwnKey> make_own_key(const std::string& path) {
  Bytes seeds(2 * kSeedBytes);
  crypto::random_fill(seeds);
  const crypto::WipedBytes wiped(std::move(seeds));
  std::string text = to_hex(wiped.view()) + "\n";
  const auto made = create_file(path, as_bytes(text), 0600);
  crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  TRY(made);
  OwnKey key = key_of(wiped.view());
  TRY(replace_file(path + ".pub", as_bytes(lawful::spell(key.shown) + "\n"), 0644));
  return key;
}

Result<OwnKey> read_own_key(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0)
    return Error{Code::kDenied, path + " can be read by others: chmod 600 " + path};
  const crypto::WipedBytes text(TRY(read_file(path, 4096)));
  std::string_view digits = as_text(text.view());
  if (digits.ends_with('\n')) digits.remove_suffix(1);
  auto seeds = from_hex(digits);
  if (!seeds || seeds->size() != 2 * kSeedBytes)
    return Error{Code::kInvalid,
                 path + " is no key for disclosure: it holds 128 hexadecimal digits"};
  const crypto::WipedBytes wiped(*std::move(seeds));
  return key_of(wiped.view());
}

}  // namespace holdfast::disclose
