#include "crypto/mlkem.h"

#include <algorithm>
#include <exception>

#include <botan/exceptn.h>
#include <botan/hash.h>
#include <botan/ml_kem.h>
#include <botan/pubkey.h>
#include <botan/rng.h>

namespace holdfast::crypto {

namespace {

const Botan::ML_KEM_Mode kMode{Botan::ML_KEM_Mode::ML_KEM_768};

// Botan asks a generator for the 32 bytes FIPS 203 calls m; it gets those once and no others.
class OneMessage final : public Botan::RandomNumberGenerator {
 public:
  explicit OneMessage(std::span<const std::uint8_t, 32> m) : m_(m) {}
  bool accepts_input() const override { return false; }
  std::string name() const override { return "m"; }
  void clear() override {}
  bool is_seeded() const override { return true; }

 private:
  void fill_bytes_with_input(std::span<std::uint8_t> out, BytesView) override {
    HF_CHECK(!used_ && out.size() == m_.size());
    used_ = true;
    std::ranges::copy(m_, out.begin());
  }

  std::span<const std::uint8_t, 32> m_;
  bool used_ = false;
};

// Decapsulation and expanding a seed take no randomness; being asked for some is a bug.
class NoRandomness final : public Botan::RandomNumberGenerator {
 public:
  bool accepts_input() const override { return false; }
  std::string name() const override { return "none"; }
  void clear() override {}
  bool is_seeded() const override { return false; }

 private:
  void fill_bytes_with_input(std::span<std::uint8_t> out, BytesView) override {
    HF_CHECK(out.empty());
  }
};

// Runs what throws only for want of memory or when Botan is broken.
template <class Work>
auto unfailing(Work&& work) {
  try {
    return work();
  } catch (const std::exception& e) {
    check_failed(e.what(), __FILE__, __LINE__);
  }
}

}  // namespace

MlKemPublicKey mlkem_public_key(MlKemSeed seed) {
  return unfailing([&] {
    const Botan::ML_KEM_PrivateKey key(seed, kMode);
    const std::vector<std::uint8_t> bits = key.raw_public_key_bits();
    HF_CHECK(bits.size() == kMlKemPublicSize);
    MlKemPublicKey out;
    std::ranges::copy(bits, out.begin());
    return out;
  });
}

bool mlkem_encapsulate(std::span<const std::uint8_t, kMlKemPublicSize> public_key,
                       std::span<const std::uint8_t, 32> m,
                       std::span<std::uint8_t, kMlKemCiphertextSize> ciphertext,
                       std::span<std::uint8_t, 32> shared) {
  return unfailing([&] {
    try {
      const Botan::ML_KEM_PublicKey key(public_key, kMode);
      OneMessage randomness(m);
      Botan::PK_KEM_Encryptor(key, "Raw").encrypt(ciphertext, shared, randomness);
      return true;
    } catch (const Botan::Decoding_Error&) {  // the modulus check
      return false;
    }
  });
}

void mlkem_decapsulate(MlKemSeed seed,
                       std::span<const std::uint8_t, kMlKemCiphertextSize> ciphertext,
                       std::span<std::uint8_t, 32> shared) {
  unfailing([&] {
    const Botan::ML_KEM_PrivateKey key(seed, kMode);
    NoRandomness none;
    Botan::PK_KEM_Decryptor(key, none, "Raw").decrypt(shared, ciphertext);
  });
}

void sha3_256(std::initializer_list<BytesView> parts, std::span<std::uint8_t, 32> out) {
  unfailing([&] {
    const auto hash = Botan::HashFunction::create_or_throw("SHA-3(256)");
    for (const BytesView part : parts) hash->update(part);
    hash->final(out);
  });
}

}  // namespace holdfast::crypto
