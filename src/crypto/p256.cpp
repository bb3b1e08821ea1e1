#include "crypto/p256.h"

#include <algorithm>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/params.h>

namespace holdfast::crypto {

namespace {

using Number = std::span<const std::uint8_t, 32>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, OpenSslFree<ECDSA_SIG_free>>;

// n and n / 2 rounded down, big-endian (SP 800-186 section 3.2.1.3).
constexpr std::array<std::uint8_t, 32> kOrder = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
constexpr std::array<std::uint8_t, 32> kHalfOrder = {
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8};

BigNumber number(BytesView bytes) {
  return checked(BigNumber(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)));
}

BigNumber private_scalar(std::span<const std::uint8_t, 48> wide) {
  const BigContext context = checked(BigContext(BN_CTX_secure_new()));
  BigNumber scalar = number(wide);
  BN_set_flags(scalar.get(), BN_FLG_CONSTTIME);
  const BigNumber modulus = number(kOrder);
  HF_CHECK(BN_sub_word(modulus.get(), 1) == 1);
  HF_CHECK(BN_mod(scalar.get(), scalar.get(), modulus.get(), context.get()) == 1);
  HF_CHECK(BN_add_word(scalar.get(), 1) == 1);
  return scalar;
}

P256Point public_point(const BIGNUM* scalar) {
  const BigContext context = checked(BigContext(BN_CTX_secure_new()));
  const EcGroup group = checked(EcGroup(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1)));
  const EcPoint point = checked(EcPoint(EC_POINT_new(group.get())));
  HF_CHECK(EC_POINT_mul(group.get(), point.get(), scalar, nullptr, nullptr, context.get()) == 1);
  P256Point out{};
  HF_CHECK(EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, out.data(),
                              out.size(), context.get()) == out.size());
  return out;
}

// nullptr when OpenSSL refuses the point: not on the curve. `native_scalar` is empty for a public
// key, else little-endian on the little-endian machines we run on, as OSSL_PARAM wants it.
Pkey key_handle(BytesView point, std::span<std::uint8_t> native_scalar) {
  static char group[] = "prime256v1";
  OSSL_PARAM parameters[4] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
      // Read only; the type has no const.
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                        const_cast<std::uint8_t*>(point.data()), point.size()),
      OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end()};
  if (!native_scalar.empty())
    parameters[2] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native_scalar.data(),
                                            native_scalar.size());
  const PkeyContext context =
      checked(PkeyContext(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr)));
  HF_CHECK(EVP_PKEY_fromdata_init(context.get()) == 1);
  EVP_PKEY* key = nullptr;
  const int selection = native_scalar.empty() ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR;
  if (EVP_PKEY_fromdata(context.get(), &key, selection, parameters) != 1) ERR_clear_error();
  return Pkey(key);
}

// nullptr for a malformed or wrong point. The group's cofactor is 1, so a point of the curve other
// than infinity, which has no 65-byte spelling, is a good key (SP 800-56A 5.6.2.3.4).
Pkey public_key(BytesView point) {
  if (point.size() != kP256PointSize || point[0] != 4) return nullptr;
  Pkey key = key_handle(point, {});
  if (key == nullptr) return nullptr;
  const PkeyContext context =
      checked(PkeyContext(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr)));
  if (EVP_PKEY_public_check_quick(context.get()) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  return key;
}

bool less(BytesView a, BytesView b) { return std::ranges::lexicographical_compare(a, b); }

bool in_range(Number value) {
  const bool zero = std::ranges::all_of(value, [](std::uint8_t b) { return b == 0; });
  return !zero && less(value, kOrder);
}

Bytes to_der(Number r, Number s) {
  const EcdsaSignature signature = checked(EcdsaSignature(ECDSA_SIG_new()));
  HF_CHECK(ECDSA_SIG_set0(signature.get(), number(r).release(), number(s).release()) == 1);
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  HF_CHECK(size > 0);
  Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

void from_der(BytesView der, std::span<std::uint8_t, kP256SignatureSize> out) {
  const unsigned char* at = der.data();
  const EcdsaSignature signature =
      checked(EcdsaSignature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()))));
  HF_CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out.data(), 32) == 32);
  HF_CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out.data() + 32, 32) == 32);
}

}  // namespace

P256KeyPair p256_key_pair(std::span<const std::uint8_t, 48> wide) {
  const BigNumber scalar = private_scalar(wide);
  const P256Point point = public_point(scalar.get());
  Secret<32> native;
  HF_CHECK(BN_bn2nativepad(scalar.get(), native.span().data(), 32) == 32);
  return {checked(key_handle(point, native.span())), point};
}

bool p256_is_point(BytesView point) { return public_key(point) != nullptr; }

P256Signature p256_sign(EVP_PKEY* key, BytesView message) {
  const DigestContext context = checked(DigestContext(EVP_MD_CTX_new()));
  HF_CHECK(
      EVP_DigestSignInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr, key, nullptr) == 1);
  std::array<std::uint8_t, 80> der{};  // at most 72
  std::size_t size = der.size();
  HF_CHECK(EVP_DigestSign(context.get(), der.data(), &size, message.data(), message.size()) == 1);
  P256Signature out{};
  from_der(BytesView(der).first(size), out);
  if (!p256_low_s(out)) {
    const BigNumber s = number(std::span(out).last<32>());
    HF_CHECK(BN_sub(s.get(), number(kOrder).get(), s.get()) == 1);
    HF_CHECK(BN_bn2binpad(s.get(), out.data() + 32, 32) == 32);
  }
  return out;
}

bool p256_low_s(std::span<const std::uint8_t, kP256SignatureSize> signature) {
  return !less(kHalfOrder, signature.last<32>());
}

bool p256_verify(BytesView point, BytesView message,
                 std::span<const std::uint8_t, kP256SignatureSize> signature) {
  const auto r = signature.first<32>();
  const auto s = signature.last<32>();
  if (!in_range(r) || !in_range(s)) return false;
  const Pkey key = public_key(point);
  if (key == nullptr) return false;
  const DigestContext context = checked(DigestContext(EVP_MD_CTX_new()));
  HF_CHECK(EVP_DigestVerifyInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr, key.get(),
                                   nullptr) == 1);
  const Bytes der = to_der(r, s);
  const bool good =
      EVP_DigestVerify(context.get(), der.data(), der.size(), message.data(), message.size()) == 1;
  if (!good) ERR_clear_error();
  return good;
}

}  // namespace holdfast::crypto
