#include "crypto/sign.h"

#include "crypto/hash.h"
#include "crypto/hkdf.h"
#include "crypto/p256.h"

namespace holdfast::crypto {

static_assert(VerifyKey::kSize == kP256PointSize);
static_assert(std::tuple_size_v<Signature> == kP256SignatureSize);

namespace {

// The product's message: `label || SHA-256(bytes)`, so that every signature is over one block.
Bytes message(std::string_view label, BytesView bytes) {
  Bytes out = to_bytes(as_bytes(label));
  append(out, sha256(bytes).view());
  return out;
}

P256KeyPair key_pair(const Key<SigningPurpose>& seed) {
  Secret<48> wide;
  expand(seed, "holdfast/v1/device/p256-scalar", wide.span());
  return p256_key_pair(wide.view());
}

}  // namespace

struct SigningKey::State {
  Pkey key;
  VerifyKey verify_key;
};

SigningKey::SigningKey(const Key<SigningPurpose>& seed) {
  P256KeyPair pair = key_pair(seed);
  state_ = std::make_unique<State>(State{std::move(pair.key), {pair.point}});
}
SigningKey::~SigningKey() = default;
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;

const VerifyKey& SigningKey::verify_key() const { return state_->verify_key; }

Signature SigningKey::sign(std::string_view label, BytesView bytes) const {
  return p256_sign(state_->key.get(), message(label, bytes));
}

bool is_point(const VerifyKey& key) { return p256_is_point(key.bytes); }

bool verify(const VerifyKey& key, std::string_view label, BytesView bytes,
            const Signature& signature) {
  return p256_low_s(signature) && p256_verify(key.bytes, message(label, bytes), signature);
}

}  // namespace holdfast::crypto
