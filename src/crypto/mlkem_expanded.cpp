#include "crypto/mlkem_expanded.h"

#include <algorithm>

#include "crypto/hash.h"
#include "crypto/openssl.h"

namespace holdfast::crypto {

namespace {

// Names and algorithm numbers are those of FIPS 203.
constexpr int kQ = 3329;
constexpr int kN = 256;
constexpr int kK = 3;
constexpr std::size_t kVectorSize = 384 * kK;  // ByteEncode_12 of k polynomials
constexpr int kDu = 10;
constexpr int kDv = 4;

using Polynomial = std::array<int, kN>;  // coefficients in [0, q)

void digest(const char* name, std::initializer_list<BytesView> parts, std::span<std::uint8_t> out) {
  const DigestContext context = checked(DigestContext(EVP_MD_CTX_new()));
  const std::unique_ptr<EVP_MD, OpenSslFree<EVP_MD_free>> md(EVP_MD_fetch(nullptr, name, nullptr));
  HF_CHECK(EVP_DigestInit_ex2(context.get(), checked(md.get()), nullptr) == 1);
  for (const BytesView part : parts)
    HF_CHECK(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  const bool extendable = (EVP_MD_get_flags(md.get()) & EVP_MD_FLAG_XOF) != 0;
  HF_CHECK((extendable ? EVP_DigestFinalXOF(context.get(), out.data(), out.size())
                       : EVP_DigestFinal_ex(context.get(), out.data(), nullptr)) == 1);
}

int power(int base, int exponent) {
  int result = 1;
  for (int i = 0; i < exponent; ++i) result = result * base % kQ;
  return result;
}

int reversed_bits(int i) {  // BitRev_7
  int result = 0;
  for (int bit = 0; bit < 7; ++bit) result |= ((i >> bit) & 1) << (6 - bit);
  return result;
}

// zeta^BitRev_7(i), zeta = 17.
const std::array<int, 128>& zetas() {
  static const std::array<int, 128> table = [] {
    std::array<int, 128> t{};
    for (int i = 0; i < 128; ++i) t[static_cast<std::size_t>(i)] = power(17, reversed_bits(i));
    return t;
  }();
  return table;
}

void ntt(Polynomial& f) {  // Algorithm 9
  std::size_t i = 1;
  for (std::size_t length = 128; length >= 2; length /= 2) {
    for (std::size_t start = 0; start < kN; start += 2 * length) {
      const int zeta = zetas()[i++];
      for (std::size_t j = start; j < start + length; ++j) {
        const int t = zeta * f[j + length] % kQ;
        f[j + length] = (f[j] - t + kQ) % kQ;
        f[j] = (f[j] + t) % kQ;
      }
    }
  }
}

void inverse_ntt(Polynomial& f) {  // Algorithm 10
  std::size_t i = 127;
  for (std::size_t length = 2; length <= 128; length *= 2) {
    for (std::size_t start = 0; start < kN; start += 2 * length) {
      const int zeta = zetas()[i--];
      for (std::size_t j = start; j < start + length; ++j) {
        const int t = f[j];
        f[j] = (t + f[j + length]) % kQ;
        f[j + length] = zeta * (f[j + length] - t + kQ) % kQ;
      }
    }
  }
  for (int& c : f) c = c * 3303 % kQ;
}

// Adds the product of two polynomials in the NTT's domain: Algorithms 11 and 12.
void add_product(const Polynomial& f, const Polynomial& g, Polynomial& sum) {
  for (std::size_t i = 0; i < 128; ++i) {
    const int gamma = power(17, 2 * reversed_bits(static_cast<int>(i)) + 1);
    const int a0 = f[2 * i], a1 = f[2 * i + 1], b0 = g[2 * i], b1 = g[2 * i + 1];
    sum[2 * i] = (sum[2 * i] + a0 * b0 + a1 * b1 % kQ * gamma) % kQ;
    sum[2 * i + 1] = (sum[2 * i + 1] + a0 * b1 + a1 * b0) % kQ;
  }
}

Polynomial decode(BytesView bytes, int bits) {  // ByteDecode_bits, Algorithm 6
  Polynomial f{};
  std::size_t at = 0;
  for (int& c : f) {
    for (int bit = 0; bit < bits; ++bit, ++at) c |= ((bytes[at / 8] >> (at % 8)) & 1) << bit;
    c %= kQ;
  }
  return f;
}

void encode(const Polynomial& f, int bits, std::span<std::uint8_t> out) {  // Algorithm 5
  std::ranges::fill(out, std::uint8_t{0});
  std::size_t at = 0;
  for (const int c : f)
    for (int bit = 0; bit < bits; ++bit, ++at)
      out[at / 8] = static_cast<std::uint8_t>(out[at / 8] | (((c >> bit) & 1) << (at % 8)));
}

Polynomial decompress(Polynomial f, int bits) {
  for (int& c : f) c = (c * kQ + (1 << (bits - 1))) >> bits;
  return f;
}

Polynomial sample_cbd2(BytesView bytes) {  // Algorithm 8, eta = 2
  Polynomial f{};
  for (std::size_t i = 0; i < kN; ++i) {
    const int half = (bytes[i / 2] >> (4 * (i % 2))) & 15;
    const int x = (half & 1) + ((half >> 1) & 1);
    const int y = ((half >> 2) & 1) + ((half >> 3) & 1);
    f[i] = (x - y + kQ) % kQ;
  }
  return f;
}

std::array<std::uint8_t, 32> decrypt(BytesView vector, BytesView ciphertext) {  // Algorithm 15
  constexpr std::size_t kUSize = 32 * kDu;
  Polynomial w{};
  for (std::size_t i = 0; i < kK; ++i) {
    Polynomial u = decompress(decode(ciphertext.subspan(i * kUSize, kUSize), kDu), kDu);
    ntt(u);
    add_product(decode(vector.subspan(i * 384, 384), 12), u, w);
  }
  inverse_ntt(w);
  const Polynomial v = decompress(decode(ciphertext.subspan(kK * kUSize), kDv), kDv);
  Polynomial m{};
  for (std::size_t i = 0; i < kN; ++i) {
    const int noisy = (v[i] - w[i] + kQ) % kQ;
    m[i] = ((2 * noisy + kQ / 2) / kQ) % 2;  // Compress_1
  }
  std::array<std::uint8_t, 32> out{};
  encode(m, 1, out);
  return out;
}

}  // namespace

Bytes mlkem_expand(MlKemSeed seed) {
  std::array<std::uint8_t, 64> rho_sigma{};
  const std::uint8_t k = kK;
  digest("SHA3-512", {seed.first(32), {&k, 1}}, rho_sigma);
  Bytes key(kVectorSize);
  for (std::uint8_t n = 0; n < kK; ++n) {
    std::array<std::uint8_t, 128> noise{};
    digest("SHAKE256", {std::span(rho_sigma).last(32), {&n, 1}}, noise);
    Polynomial s = sample_cbd2(noise);
    ntt(s);
    encode(s, 12, std::span(key).subspan(n * 384u, 384));
  }
  const MlKemPublicKey public_key = mlkem_public_key(seed);
  append(key, public_key);
  std::array<std::uint8_t, 32> hash{};
  sha3_256({public_key}, hash);
  append(key, hash);
  append(key, seed.last(32));
  return key;
}

std::optional<Bytes> mlkem_decapsulate_expanded(BytesView private_key, BytesView ciphertext) {
  if (private_key.size() != kMlKemExpandedSize || ciphertext.size() != kMlKemCiphertextSize)
    return std::nullopt;
  const auto public_key = private_key.subspan<kVectorSize, kMlKemPublicSize>();
  std::array<std::uint8_t, 32> hash{};
  sha3_256({public_key}, hash);
  if (!equal(hash, private_key.subspan(kVectorSize + kMlKemPublicSize, 32))) return std::nullopt;

  const auto m = decrypt(private_key.first(kVectorSize), ciphertext);
  std::array<std::uint8_t, kMlKemCiphertextSize> again{};
  Bytes shared(32);
  if (!mlkem_encapsulate(public_key, m, again, std::span(shared).first<32>())) return std::nullopt;
  if (!equal(again, ciphertext))  // implicit rejection
    digest("SHAKE256", {private_key.last(32), ciphertext}, shared);
  return shared;
}

}  // namespace holdfast::crypto
