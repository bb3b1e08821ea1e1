#include "crypto/wrap.h"

#include <botan/hash.h>
#include <botan/ml_kem.h>
#include <botan/pubkey.h>
#include <botan/rng.h>
#include <botan/xof.h>

#include <algorithm>
#include <exception>

#include "crypto/gcm.h"
#include "crypto/hkdf.h"
#include "crypto/openssl.h"
#include "crypto/secret.h"

namespace holdfast::crypto {
namespace {

constexpr std::size_t kMlKemPublic = 1184;
constexpr std::size_t kMlKemCiphertext = 1088;

// The kernel's generator, for Botan.
class KernelRng final : public Botan::RandomNumberGenerator {
 public:
  bool is_seeded() const override { return true; }
  bool accepts_input() const override { return false; }
  void clear() override {}
  std::string name() const override { return "getrandom"; }

 private:
  void fill_bytes_with_input(std::span<std::uint8_t> out, std::span<const std::uint8_t>) override {
    random_fill(out);
  }
};

Pkey x25519_private(BytesView bytes) {
  return checked(Pkey(EVP_PKEY_new_raw_private_key_ex(nullptr, "X25519", nullptr, bytes.data(), bytes.size())));
}

std::array<std::uint8_t, 32> x25519_public(const Pkey& key) {
  std::array<std::uint8_t, 32> out;
  std::size_t size = out.size();
  HF_CHECK(EVP_PKEY_get_raw_public_key(key.get(), out.data(), &size) == 1);
  return out;
}

// False for a point of small order: the shared secret would be known to all.
bool agree(const Pkey& own, BytesView peer, std::span<std::uint8_t, 32> out) {
  const Pkey other = checked(Pkey(EVP_PKEY_new_raw_public_key_ex(nullptr, "X25519", nullptr, peer.data(), peer.size())));
  const PkeyContext context = checked(PkeyContext(EVP_PKEY_CTX_new_from_pkey(nullptr, own.get(), nullptr)));
  HF_CHECK(EVP_PKEY_derive_init(context.get()) == 1);
  if (EVP_PKEY_derive_set_peer(context.get(), other.get()) != 1) return false;
  std::size_t size = out.size();
  return EVP_PKEY_derive(context.get(), out.data(), &size) == 1 && size == out.size();
}

struct Expanded {
  Secret<64> ml_kem_seed;
  Secret<32> x25519;
};

// draft-connolly-cfrg-xwing-kem, expandDecapsulationKey: SHAKE256(seed, 96).
void expand_seed(BytesView seed, Expanded& out) {
  const auto shake = Botan::XOF::create_or_throw("SHAKE-256");
  shake->update(seed);
  shake->output(out.ml_kem_seed.span());
  shake->output(out.x25519.span());
}

Botan::ML_KEM_PrivateKey ml_kem_private(const Expanded& keys) {
  return Botan::ML_KEM_PrivateKey(keys.ml_kem_seed.view(), Botan::ML_KEM_Mode::ML_KEM_768);
}

// The same draft, Combiner: SHA3-256(ssM || ssX || ctX || pkX || label).
void combine(BytesView ss_m, BytesView ss_x, BytesView ct_x, BytesView pk_x, std::span<std::uint8_t, 32> out) {
  static constexpr std::array<std::uint8_t, 6> kLabel = {0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c};
  const auto hash = Botan::HashFunction::create_or_throw("SHA-3(256)");
  for (const BytesView part : {ss_m, ss_x, ct_x, pk_x, BytesView(kLabel)}) hash->update(part);
  hash->final(out);
}

// RFC 9180, section 5.1, mode base, for this suite; `shared` comes straight from the KEM.
struct Schedule {
  Secret<32> key;
  std::array<std::uint8_t, 12> nonce{};
};

constexpr std::array<std::uint8_t, 10> kSuite = {'H', 'P', 'K', 'E', 0x64, 0x7a, 0x00, 0x01, 0x00, 0x02};
constexpr std::string_view kVersion = "HPKE-v1";

void labeled_extract(BytesView salt, std::string_view label, BytesView ikm, std::span<std::uint8_t, 32> out) {
  hkdf_extract_sha256(salt, {as_bytes(kVersion), kSuite, as_bytes(label), ikm}, out);
}

void labeled_expand(BytesView prk, std::string_view label, BytesView info, std::span<std::uint8_t> out) {
  const std::array<std::uint8_t, 2> size = {0, static_cast<std::uint8_t>(out.size())};
  hkdf_expand(HkdfHash::kSha256, prk, {size, as_bytes(kVersion), kSuite, as_bytes(label), info}, out);
}

void schedule(BytesView shared, BytesView info, Schedule& out) {
  std::array<std::uint8_t, 65> context{};  // mode 0, psk_id_hash, info_hash
  labeled_extract({}, "psk_id_hash", {}, std::span(context).subspan<1, 32>());
  labeled_extract({}, "info_hash", info, std::span(context).subspan<33, 32>());
  Secret<32> secret;
  labeled_extract(shared, "secret", {}, secret.span());
  labeled_expand(secret.view(), "key", context, out.key.span());
  labeled_expand(secret.view(), "base_nonce", context, out.nonce);
}

}  // namespace

WrapPublicKey wrap_public_key(const Key<WrapPurpose>& key) {
  Expanded keys;
  expand_seed(expose(key), keys);
  const auto ml_kem = ml_kem_private(keys).public_key_bits();
  HF_CHECK(ml_kem.size() == kMlKemPublic);
  WrapPublicKey out;
  std::copy(ml_kem.begin(), ml_kem.end(), out.bytes.begin());
  const auto x = x25519_public(x25519_private(keys.x25519.view()));
  std::copy(x.begin(), x.end(), out.bytes.begin() + kMlKemPublic);
  return out;
}

namespace detail {

Result<Bytes> wrap(const WrapPublicKey& to, BytesView info, BytesView plain) {
  const BytesView pk_m = BytesView(to.bytes).first(kMlKemPublic);
  const BytesView pk_x = BytesView(to.bytes).last(32);
  const Error bad{Code::kInvalid, "a reader's wrapping key is not valid"};
  Secret<32> ss_m;
  Secret<32> ss_x;
  Secret<32> ephemeral;
  Bytes out(kWrapEncSize + plain.size() + Gcm::kTagSize);
  try {
    KernelRng rng;
    const Botan::ML_KEM_PublicKey key(pk_m, Botan::ML_KEM_Mode::ML_KEM_768);
    if (!key.check_key(rng, true)) return bad;
    Botan::PK_KEM_Encryptor encryptor(key, "Raw");
    encryptor.encrypt(std::span(out).first(kMlKemCiphertext), ss_m.span(), rng);
  } catch (const std::exception&) {
    return bad;
  }
  random_fill(ephemeral.span());
  const Pkey own = x25519_private(ephemeral.view());
  if (!agree(own, pk_x, ss_x.span())) return bad;
  const auto ct_x = x25519_public(own);
  std::copy(ct_x.begin(), ct_x.end(), out.begin() + kMlKemCiphertext);
  Secret<32> shared;
  combine(ss_m.view(), ss_x.view(), ct_x, pk_x, shared.span());
  Schedule keys;
  schedule(shared.view(), info, keys);
  Gcm(keys.key.view(), Gcm::Direction::kSeal)
      .seal(keys.nonce, {}, plain, std::span(out).subspan(kWrapEncSize));
  return out;
}

Result<Bytes> unwrap(const Key<WrapPurpose>& key, BytesView info, BytesView wrapped) {
  const Error damaged{Code::kCorrupt, "an envelope is damaged, or was not made for this reader"};
  if (wrapped.size() < kWrapEncSize + Gcm::kTagSize) return damaged;
  const BytesView ct_m = wrapped.first(kMlKemCiphertext);
  const BytesView ct_x = wrapped.subspan(kMlKemCiphertext, 32);
  Expanded seeds;
  expand_seed(expose(key), seeds);
  Secret<32> ss_m;
  Secret<32> ss_x;
  try {
    KernelRng rng;
    const auto own = ml_kem_private(seeds);
    Botan::PK_KEM_Decryptor decryptor(own, rng, "Raw");
    decryptor.decrypt(ss_m.span(), ct_m, 32);
  } catch (const std::exception&) {
    return damaged;
  }
  const Pkey own = x25519_private(seeds.x25519.view());
  if (!agree(own, ct_x, ss_x.span())) return damaged;
  Secret<32> shared;
  combine(ss_m.view(), ss_x.view(), ct_x, x25519_public(own), shared.span());
  Schedule keys;
  schedule(shared.view(), info, keys);
  Bytes plain(wrapped.size() - kWrapEncSize - Gcm::kTagSize);
  if (!Gcm(keys.key.view(), Gcm::Direction::kOpen)
           .open(keys.nonce, {}, wrapped.subspan(kWrapEncSize), plain)) {
    wipe(plain);
    return damaged;
  }
  return plain;
}

}  // namespace detail
}  // namespace holdfast::crypto
