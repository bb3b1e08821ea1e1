#include "crypto/hpke.h"

#include "crypto/hkdf.h"

namespace holdfast::crypto {

namespace {

constexpr std::string_view kVersion = "HPKE-v1";

using SuiteId = std::array<std::uint8_t, 10>;

SuiteId suite_id(const HpkeSuite& suite) {
  SuiteId id{'H', 'P', 'K', 'E'};
  std::size_t at = 4;
  for (const std::uint16_t part : {suite.kem, suite.kdf, suite.aead}) {
    id[at++] = static_cast<std::uint8_t>(part >> 8);
    id[at++] = static_cast<std::uint8_t>(part);
  }
  return id;
}

void labeled_extract(const SuiteId& suite, BytesView salt, std::string_view label, BytesView ikm,
                     std::span<std::uint8_t, 32> out) {
  hkdf_extract_sha256(salt, {as_bytes(kVersion), suite, as_bytes(label), ikm}, out);
}

void labeled_expand(const SuiteId& suite, BytesView prk, std::string_view label, BytesView info,
                    std::span<std::uint8_t> out) {
  const std::uint8_t size[] = {static_cast<std::uint8_t>(out.size() >> 8),
                               static_cast<std::uint8_t>(out.size())};
  hkdf_expand(HkdfHash::kSha256, prk, {size, as_bytes(kVersion), suite, as_bytes(label), info},
              out);
}

}  // namespace

HpkeKeys::HpkeKeys(const HpkeSuite& suite, std::span<const std::uint8_t, 32> shared,
                   BytesView info) {
  const SuiteId id = suite_id(suite);
  std::array<std::uint8_t, 1 + 32 + 32> context{};  // mode_base, psk_id_hash, info_hash
  labeled_extract(id, {}, "psk_id_hash", {}, std::span(context).subspan<1, 32>());
  labeled_extract(id, {}, "info_hash", info, std::span(context).last<32>());
  Secret<32> secret;
  labeled_extract(id, shared, "secret", {}, secret.span());
  labeled_expand(id, secret.view(), "key", context, key.span());
  labeled_expand(id, secret.view(), "base_nonce", context, base_nonce.span());
}

}  // namespace holdfast::crypto
