#include "crypto/sign.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

#include "crypto/hash.h"
#include "crypto/openssl.h"
#include "crypto/secret.h"

namespace holdfast::crypto {
namespace {

using EcdsaSig = std::unique_ptr<ECDSA_SIG, OpenSslFree<ECDSA_SIG_free>>;
using ParamBuild = std::unique_ptr<OSSL_PARAM_BLD, OpenSslFree<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, OpenSslFree<OSSL_PARAM_free>>;

constexpr std::string_view kScalarInfo = "holdfast/v1/device/p256-scalar";

const EC_GROUP* group() {
  static EC_GROUP* const p256 = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  HF_CHECK(p256 != nullptr);
  return p256;
}
const BIGNUM* order() { return EC_GROUP_get0_order(group()); }

BigNumber number(BytesView bytes) {
  return checked(BigNumber(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)));
}

// The message is hashed first, so that a signer sees 32 bytes whatever is signed.
Bytes message_of(std::string_view label, BytesView bytes) {
  Bytes message = to_bytes(as_bytes(label));
  append(message, sha256(bytes).view());
  return message;
}

// FIPS 186-5 A.2.1: 48 bytes reduced to [1, n-1]; the bias is below 2^-128.
BigNumber scalar_from(const Key<SigningPurpose>& seed) {
  Secret<48> wide;
  hkdf(expose(seed), as_bytes(kScalarInfo), wide.span());
  const BigContext context = checked(BigContext(BN_CTX_secure_new()));
  BigNumber scalar = number(wide.view());
  const BigNumber range = checked(BigNumber(BN_dup(order())));
  HF_CHECK(BN_sub_word(range.get(), 1) == 1);
  BN_set_flags(scalar.get(), BN_FLG_CONSTTIME);
  HF_CHECK(BN_mod(scalar.get(), scalar.get(), range.get(), context.get()) == 1);
  HF_CHECK(BN_add_word(scalar.get(), 1) == 1);
  return scalar;
}

Pkey make_pkey(const VerifyKey& point, const BIGNUM* scalar) {
  const ParamBuild build = checked(ParamBuild(OSSL_PARAM_BLD_new()));
  HF_CHECK(OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1);
  HF_CHECK(OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY,
                                            point.bytes.data(), point.bytes.size()) == 1);
  if (scalar != nullptr)
    HF_CHECK(OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1);
  const Params params = checked(Params(OSSL_PARAM_BLD_to_param(build.get())));
  const PkeyContext context = checked(PkeyContext(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr)));
  HF_CHECK(EVP_PKEY_fromdata_init(context.get()) == 1);
  EVP_PKEY* key = nullptr;
  const int selection = scalar != nullptr ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
  if (EVP_PKEY_fromdata(context.get(), &key, selection, params.get()) != 1) return nullptr;
  return Pkey(key);
}

// A second spelling of every signature exists with n - s: only the lower is accepted.
bool is_low(const BIGNUM* s) {
  const BigNumber half = checked(BigNumber(BN_dup(order())));
  HF_CHECK(BN_rshift1(half.get(), half.get()) == 1);
  return BN_cmp(s, half.get()) <= 0;
}

bool in_range(const BIGNUM* v) { return !BN_is_zero(v) && BN_cmp(v, order()) < 0; }

}  // namespace

struct SigningKey::State {
  Pkey key;
  VerifyKey verify_key;
};

SigningKey::SigningKey(const Key<SigningPurpose>& seed) : state_(std::make_unique<State>()) {
  const BigNumber scalar = scalar_from(seed);
  const EcPoint point = checked(EcPoint(EC_POINT_new(group())));
  HF_CHECK(EC_POINT_mul(group(), point.get(), scalar.get(), nullptr, nullptr, nullptr) == 1);
  HF_CHECK(EC_POINT_point2oct(group(), point.get(), POINT_CONVERSION_UNCOMPRESSED,
                              state_->verify_key.bytes.data(), VerifyKey::kSize,
                              nullptr) == VerifyKey::kSize);
  state_->key = checked(make_pkey(state_->verify_key, scalar.get()));
}

SigningKey::~SigningKey() = default;
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
const VerifyKey& SigningKey::verify_key() const { return state_->verify_key; }

Signature SigningKey::sign(std::string_view label, BytesView bytes) const {
  const Bytes message = message_of(label, bytes);
  const DigestContext context = checked(DigestContext(EVP_MD_CTX_new()));
  HF_CHECK(EVP_DigestSignInit(context.get(), nullptr, sha256_algorithm(), nullptr,
                              state_->key.get()) == 1);
  std::array<std::uint8_t, 80> der;
  std::size_t size = der.size();
  HF_CHECK(EVP_DigestSign(context.get(), der.data(), &size, message.data(), message.size()) == 1);
  const std::uint8_t* at = der.data();
  const EcdsaSig parsed = checked(EcdsaSig(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size))));
  const BigNumber s = checked(BigNumber(BN_dup(ECDSA_SIG_get0_s(parsed.get()))));
  if (!is_low(s.get())) HF_CHECK(BN_sub(s.get(), order(), s.get()) == 1);
  Signature out;
  HF_CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(parsed.get()), out.data(), 32) == 32);
  HF_CHECK(BN_bn2binpad(s.get(), out.data() + 32, 32) == 32);
  return out;
}

bool verify(const VerifyKey& key, std::string_view label, BytesView bytes,
            const Signature& signature) {
  if (key.bytes[0] != 4) return false;
  BigNumber r = number(BytesView(signature).first(32));
  BigNumber s = number(BytesView(signature).last(32));
  if (!in_range(r.get()) || !in_range(s.get()) || !is_low(s.get())) return false;
  const Pkey pkey = make_pkey(key, nullptr);  // refuses a point off the curve
  if (!pkey) return false;
  const EcdsaSig parsed = checked(EcdsaSig(ECDSA_SIG_new()));
  HF_CHECK(ECDSA_SIG_set0(parsed.get(), r.release(), s.release()) == 1);
  std::uint8_t* der = nullptr;
  const int size = i2d_ECDSA_SIG(parsed.get(), &der);
  HF_CHECK(size > 0);
  const Bytes encoded(der, der + size);
  OPENSSL_free(der);
  const Bytes message = message_of(label, bytes);
  const DigestContext context = checked(DigestContext(EVP_MD_CTX_new()));
  HF_CHECK(EVP_DigestVerifyInit(context.get(), nullptr, sha256_algorithm(), nullptr, pkey.get()) == 1);
  return EVP_DigestVerify(context.get(), encoded.data(), encoded.size(), message.data(),
                          message.size()) == 1;
}

}  // namespace holdfast::crypto
