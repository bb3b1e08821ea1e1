#include "crypto/wrap.h"

#include "crypto/hpke.h"
#include "crypto/xwing.h"

namespace holdfast::crypto {

static_assert(WrapPublicKey::kSize == kXWingPublicSize);
static_assert(kWrapEncSize == kXWingCiphertextSize);

namespace {

XWingSeed seed_of(const Key<WrapPurpose>& key) { return expose(key).first<32>(); }

}  // namespace

WrapPublicKey wrap_public_key(const Key<WrapPurpose>& key) {
  return {xwing_public_key(seed_of(key))};
}

namespace detail {

Result<Bytes> wrap(const WrapPublicKey& to, BytesView info, BytesView plain) {
  Secret<64> eseed;
  random_fill(eseed.span());
  Bytes wrapped(kWrapEncSize + plain.size() + Gcm::kTagSize);
  const std::span<std::uint8_t> out(wrapped);
  Secret<32> shared;
  if (!xwing_encapsulate(to.bytes, eseed.view(), out.first<kWrapEncSize>(), shared.span()))
    return Error{Code::kInvalid, "a reader's wrapping key is not valid"};
  const HpkeKeys keys(kHpkeSuite, shared.view(), info);
  // One message for each schedule, so its nonce is the base nonce (sequence number 0).
  Gcm(keys.key.view(), Gcm::Direction::kSeal)
      .seal(keys.base_nonce.view(), {}, plain, out.subspan(kWrapEncSize));
  return wrapped;
}

Result<Bytes> unwrap(const Key<WrapPurpose>& key, BytesView info, BytesView wrapped) {
  const Error refused{Code::kCorrupt, "an envelope is damaged, or was not made for this reader"};
  if (wrapped.size() < kWrapEncSize + Gcm::kTagSize) return refused;
  Secret<32> shared;
  if (!xwing_decapsulate(seed_of(key), wrapped.first<kWrapEncSize>(), shared.span()))
    return refused;
  const HpkeKeys keys(kHpkeSuite, shared.view(), info);
  const BytesView sealed = wrapped.subspan(kWrapEncSize);
  Bytes plain(sealed.size() - Gcm::kTagSize);
  Gcm gcm(keys.key.view(), Gcm::Direction::kOpen);
  if (!gcm.open(keys.base_nonce.view(), {}, sealed, plain)) {
    wipe(plain);
    return refused;
  }
  return plain;
}

}  // namespace detail

}  // namespace holdfast::crypto
