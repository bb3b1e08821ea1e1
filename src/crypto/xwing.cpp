#include "crypto/xwing.h"

#include <algorithm>

#include "crypto/mlkem.h"
#include "crypto/openssl.h"
#include "crypto/x25519.h"

namespace holdfast::crypto {

namespace {

// The seed expanded by SHAKE256 to d || z for ML-KEM and the X25519 private key (section 5.2).
class Expanded {
 public:
  explicit Expanded(XWingSeed seed) {
    static EVP_MD* const shake = EVP_MD_fetch(nullptr, "SHAKE256", nullptr);
    HF_CHECK(shake != nullptr);
    const DigestContext context = checked(DigestContext(EVP_MD_CTX_new()));
    HF_CHECK(EVP_DigestInit_ex2(context.get(), shake, nullptr) == 1);
    HF_CHECK(EVP_DigestUpdate(context.get(), seed.data(), seed.size()) == 1);
    HF_CHECK(EVP_DigestFinalXOF(context.get(), bytes_.span().data(), bytes_.span().size()) == 1);
  }
  auto mlkem() const { return bytes_.view().first<kMlKemSeedSize>(); }
  auto x25519() const { return bytes_.view().last<32>(); }

 private:
  Secret<kMlKemSeedSize + 32> bytes_;
};

void combine(BytesView shared_m, BytesView shared_x, BytesView ciphertext_x, BytesView public_x,
             XWingShared out) {
  static constexpr std::string_view kLabel = "\\.//^\\";
  static_assert(kLabel.size() == 6);
  sha3_256({shared_m, shared_x, ciphertext_x, public_x, as_bytes(kLabel)}, out);
}

}  // namespace

std::array<std::uint8_t, kXWingPublicSize> xwing_public_key(XWingSeed seed) {
  const Expanded expanded(seed);
  std::array<std::uint8_t, kXWingPublicSize> out;
  const auto rest = std::ranges::copy(mlkem_public_key(expanded.mlkem()), out.begin()).out;
  std::ranges::copy(x25519_public_key(expanded.x25519()), rest);
  return out;
}

bool xwing_encapsulate(std::span<const std::uint8_t, kXWingPublicSize> public_key,
                       std::span<const std::uint8_t, 64> eseed,
                       std::span<std::uint8_t, kXWingCiphertextSize> ciphertext,
                       XWingShared shared) {
  const auto public_x = public_key.last<32>();
  const auto ephemeral = eseed.last<32>();
  const auto ciphertext_x = x25519_public_key(ephemeral);
  Secret<32> shared_m;
  Secret<32> shared_x;
  if (!x25519_agree(ephemeral, public_x, shared_x.span())) return false;
  if (!mlkem_encapsulate(public_key.first<kMlKemPublicSize>(), eseed.first<32>(),
                         ciphertext.first<kMlKemCiphertextSize>(), shared_m.span()))
    return false;
  std::ranges::copy(ciphertext_x, ciphertext.last<32>().begin());
  combine(shared_m.view(), shared_x.view(), ciphertext_x, public_x, shared);
  return true;
}

bool xwing_decapsulate(XWingSeed seed,
                       std::span<const std::uint8_t, kXWingCiphertextSize> ciphertext,
                       XWingShared shared) {
  const Expanded expanded(seed);
  const auto ciphertext_x = ciphertext.last<32>();
  Secret<32> shared_m;
  Secret<32> shared_x;
  if (!x25519_agree(expanded.x25519(), ciphertext_x, shared_x.span())) return false;
  mlkem_decapsulate(expanded.mlkem(), ciphertext.first<kMlKemCiphertextSize>(), shared_m.span());
  combine(shared_m.view(), shared_x.view(), ciphertext_x, x25519_public_key(expanded.x25519()),
          shared);
  return true;
}

}  // namespace holdfast::crypto
