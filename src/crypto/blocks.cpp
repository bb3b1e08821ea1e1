#include "crypto/blocks.h"

#include <algorithm>

#include "crypto/openssl.h"
#include "crypto/secret.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define HF_VAES 1
#endif

namespace holdfast::crypto {
namespace {

const EVP_CIPHER* aes128_algorithm() {
  static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-128-ECB", nullptr);
  HF_CHECK(cipher != nullptr);
  return cipher;
}

#ifdef HF_VAES
constexpr std::size_t kRounds = 10;
constexpr std::size_t kAtOnce = 16;  // blocks: two a register, eight registers

// OpenSSL 3 uses the processor's AES two blocks an instruction for GCM only. These are its
// instructions and nothing else: the rounds of FIPS 197 by the schedule of its section 5.2.
struct RoundKeys {
  __m128i key[kRounds + 1];
};

bool has_vaes() {
  static const bool has = [] {
    __builtin_cpu_init();
    return __builtin_cpu_supports("vaes") != 0 && __builtin_cpu_supports("avx2") != 0;
  }();
  return has;
}

template <int Constant>
__attribute__((target("aes"))) __m128i next_key(__m128i key) {
  const __m128i word = _mm_shuffle_epi32(_mm_aeskeygenassist_si128(key, Constant), 0xff);
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
  return _mm_xor_si128(key, word);
}

__attribute__((target("aes"))) void expand_key(const std::uint8_t* key, RoundKeys& to) {
  __m128i* const all = to.key;
  all[0] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(key));
  all[1] = next_key<0x01>(all[0]);
  all[2] = next_key<0x02>(all[1]);
  all[3] = next_key<0x04>(all[2]);
  all[4] = next_key<0x08>(all[3]);
  all[5] = next_key<0x10>(all[4]);
  all[6] = next_key<0x20>(all[5]);
  all[7] = next_key<0x40>(all[6]);
  all[8] = next_key<0x80>(all[7]);
  all[9] = next_key<0x1b>(all[8]);
  all[10] = next_key<0x36>(all[9]);
}

// `count` is a multiple of kAtOnce.
__attribute__((target("vaes,avx2"))) void apply_vaes(const RoundKeys& keys, std::uint8_t* blocks,
                                                     std::size_t count) {
  __m256i wide[kRounds + 1];
  for (std::size_t r = 0; r <= kRounds; ++r) wide[r] = _mm256_broadcastsi128_si256(keys.key[r]);
  for (std::size_t at = 0; at < count; at += kAtOnce) {
    auto* const group = reinterpret_cast<__m256i*>(blocks + at * 16);
    // By name, so that they stay in registers: enough of them to hide what each waits.
    __m256i s0 = _mm256_xor_si256(_mm256_loadu_si256(group + 0), wide[0]);
    __m256i s1 = _mm256_xor_si256(_mm256_loadu_si256(group + 1), wide[0]);
    __m256i s2 = _mm256_xor_si256(_mm256_loadu_si256(group + 2), wide[0]);
    __m256i s3 = _mm256_xor_si256(_mm256_loadu_si256(group + 3), wide[0]);
    __m256i s4 = _mm256_xor_si256(_mm256_loadu_si256(group + 4), wide[0]);
    __m256i s5 = _mm256_xor_si256(_mm256_loadu_si256(group + 5), wide[0]);
    __m256i s6 = _mm256_xor_si256(_mm256_loadu_si256(group + 6), wide[0]);
    __m256i s7 = _mm256_xor_si256(_mm256_loadu_si256(group + 7), wide[0]);
    for (std::size_t r = 1; r < kRounds; ++r) {
      s0 = _mm256_aesenc_epi128(s0, wide[r]);
      s1 = _mm256_aesenc_epi128(s1, wide[r]);
      s2 = _mm256_aesenc_epi128(s2, wide[r]);
      s3 = _mm256_aesenc_epi128(s3, wide[r]);
      s4 = _mm256_aesenc_epi128(s4, wide[r]);
      s5 = _mm256_aesenc_epi128(s5, wide[r]);
      s6 = _mm256_aesenc_epi128(s6, wide[r]);
      s7 = _mm256_aesenc_epi128(s7, wide[r]);
    }
    _mm256_storeu_si256(group + 0, _mm256_aesenclast_epi128(s0, wide[kRounds]));
    _mm256_storeu_si256(group + 1, _mm256_aesenclast_epi128(s1, wide[kRounds]));
    _mm256_storeu_si256(group + 2, _mm256_aesenclast_epi128(s2, wide[kRounds]));
    _mm256_storeu_si256(group + 3, _mm256_aesenclast_epi128(s3, wide[kRounds]));
    _mm256_storeu_si256(group + 4, _mm256_aesenclast_epi128(s4, wide[kRounds]));
    _mm256_storeu_si256(group + 5, _mm256_aesenclast_epi128(s5, wide[kRounds]));
    _mm256_storeu_si256(group + 6, _mm256_aesenclast_epi128(s6, wide[kRounds]));
    _mm256_storeu_si256(group + 7, _mm256_aesenclast_epi128(s7, wide[kRounds]));
  }
  for (__m256i& key : wide) key = _mm256_setzero_si256();
}
#endif

}  // namespace

struct BlockFunction::State {
  CipherContext context = checked(CipherContext(EVP_CIPHER_CTX_new()));
#ifdef HF_VAES
  RoundKeys keys{};
  ~State() { wipe({reinterpret_cast<std::uint8_t*>(keys.key), sizeof keys}); }
#endif
};

BlockFunction::BlockFunction(BytesView key) : state_(std::make_unique<State>()) {
  HF_CHECK(key.size() == 16);
  EVP_CIPHER_CTX* const context = state_->context.get();
  HF_CHECK(EVP_EncryptInit_ex2(context, aes128_algorithm(), key.data(), nullptr, nullptr) == 1);
  HF_CHECK(EVP_CIPHER_CTX_set_padding(context, 0) == 1);
#ifdef HF_VAES
  if (has_vaes()) expand_key(key.data(), state_->keys);
#endif
}
BlockFunction::~BlockFunction() = default;
BlockFunction::BlockFunction(BlockFunction&&) noexcept = default;
BlockFunction& BlockFunction::operator=(BlockFunction&&) noexcept = default;

void BlockFunction::apply(std::span<std::uint8_t> blocks) {
  HF_CHECK(blocks.size() % 16 == 0);
#ifdef HF_VAES
  if (has_vaes()) {
    const std::size_t count = blocks.size() / 16 / kAtOnce * kAtOnce;
    apply_vaes(state_->keys, blocks.data(), count);
    blocks = blocks.subspan(count * 16);
  }
#endif
  constexpr std::size_t kMost = std::size_t{1} << 30;  // OpenSSL counts in int
  while (!blocks.empty()) {
    const auto part = blocks.first(std::min(blocks.size(), kMost));
    int written = 0;
    HF_CHECK(EVP_EncryptUpdate(state_->context.get(), part.data(), &written, part.data(),
                               static_cast<int>(part.size())) == 1);
    HF_CHECK(static_cast<std::size_t>(written) == part.size());
    blocks = blocks.subspan(part.size());
  }
}

}  // namespace holdfast::crypto
