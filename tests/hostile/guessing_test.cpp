// Guessing at keys: a ciphertext that opens under two keys halves a guesser's work with each
// answer, or shows two people two files (Len, Grubbs, Ristenpart, "Partitioning Oracle Attacks",
// USENIX Security 2021). AES-GCM alone allows it; the commitment in every seal does not. And a
// device file that asks for a cheap passphrase derivation is refused before anything is derived.
#include <array>

#include "archive/pack.h"
#include "crypto/gcm.h"
#include "crypto/hkdf.h"
#include "crypto/seal.h"
#include "hostile/scene.h"
#include "vault/home_format.h"

namespace holdfast::hostile {
namespace {

using namespace std::string_view_literals;

// GF(2^128) as GHASH has it (NIST SP 800-38D): bit 0 is the first bit of the first byte.
using Block = std::array<std::uint8_t, 16>;

Block add(Block a, const Block& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] ^= b[i];
  return a;
}

Block times(const Block& a, Block b) {
  Block sum{};
  for (std::size_t bit = 0; bit < 128; ++bit) {
    if ((a[bit / 8] >> (7 - bit % 8) & 1) != 0) sum = add(sum, b);
    const bool carry = (b[15] & 1) != 0;
    for (std::size_t i = 16; i-- > 1;)
      b[i] = static_cast<std::uint8_t>(b[i] >> 1 | (b[i - 1] & 1) << 7);
    b[0] = static_cast<std::uint8_t>(b[0] >> 1);
    if (carry) b[0] ^= 0xe1;
  }
  return sum;
}

Block power(const Block& base, std::size_t exponent) {
  Block out{0x80};
  for (std::size_t i = 0; i < exponent; ++i) out = times(out, base);
  return out;
}

// a^(2^128 - 2): every bit of the exponent but the last is one.
Block inverse(const Block& a) {
  Block out{0x80};
  Block square = a;
  for (int bit = 1; bit < 128; ++bit) {
    square = times(square, square);
    out = times(out, square);
  }
  return out;
}

// What a seal derives of a key (C2SP chunked-encryption): the key of AES-GCM, the nonce of the
// first chunk, the commitment.
struct Derived {
  std::array<std::uint8_t, 32> key{};
  std::array<std::uint8_t, 12> nonce{};
  Bytes commitment;

  Derived(BytesView input, BytesView salt, BytesView context) {
    Bytes all(76);
    crypto::hkdf_expand(
        crypto::HkdfHash::kSha512, input,
        {as_bytes("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"sv), salt, context}, all);
    std::copy_n(all.begin(), 32, key.begin());
    std::copy_n(all.begin() + 32, 12, nonce.begin());
    commitment.assign(all.begin() + 44, all.end());
  }
  Bytes gcm(BytesView plain) const {
    Bytes sealed(plain.size() + crypto::Gcm::kTagSize);
    crypto::Gcm(key, crypto::Gcm::Direction::kSeal).seal(nonce, {}, plain, sealed);
    return sealed;
  }
  bool opens(BytesView sealed, Bytes& plain) const {
    plain.assign(sealed.size() - crypto::Gcm::kTagSize, 0);
    return crypto::Gcm(key, crypto::Gcm::Direction::kOpen).open(nonce, {}, sealed, plain);
  }
  // Of `cipher`, with a plaintext made for it: its tag.
  Block tag_of(BytesView cipher) const {
    // The key stream is the encryption of zeros; sealing cipher ^ stream gives cipher and its tag.
    Bytes plain = gcm(Bytes(cipher.size()));
    plain.resize(cipher.size());
    for (std::size_t i = 0; i < plain.size(); ++i) plain[i] ^= cipher[i];
    const Bytes sealed = gcm(plain);
    Block tag{};
    std::copy(sealed.end() - 16, sealed.end(), tag.begin());
    return tag;
  }
  // H, from the tags of two ciphertexts of one block: their difference is (c ^ c') * H^2.
  Block h_squared() const {
    Block zero{}, one{0x80};
    return times(add(tag_of(zero), tag_of(one)), inverse(one));
  }
};

// H = sqrt(H^2): in this field, H^(2^128).
Block square_root(Block value) {
  for (int i = 0; i < 127; ++i) value = times(value, value);
  return value;
}

// The first block that makes the tags of both keys equal. The tag is linear in each block: block i
// of n counts times H^(n + 2 - i), i from 1.
Bytes colliding(const Derived& one, const Derived& two, std::size_t blocks) {
  Bytes cipher(16 * blocks, 0x5a);
  std::fill_n(cipher.begin(), 16, std::uint8_t{0});
  const Block difference = add(one.tag_of(cipher), two.tag_of(cipher));
  const Block weight = add(power(square_root(one.h_squared()), blocks + 1),
                           power(square_root(two.h_squared()), blocks + 1));
  const Block first = times(difference, inverse(weight));
  std::copy(first.begin(), first.end(), cipher.begin());
  const Block tag = one.tag_of(cipher);
  cipher.insert(cipher.end(), tag.begin(), tag.end());
  return cipher;
}

Bytes joined(std::initializer_list<BytesView> parts) {
  Bytes out;
  for (const BytesView part : parts) append(out, part);
  return out;
}

struct ATestPurpose {};
using AnyKey = crypto::Key<ATestPurpose>;

TEST(Guessing, ACiphertextForTwoKeysOpensUnderAesGcmAndUnderOneSealOnly) {
  const Bytes one(32, 1), two(32, 2), salt(24, 3);
  const Bytes context = wire::encode_array("holdfast/v1/pack", "a place");
  const Derived first(one, salt, context), second(two, salt, context);
  const Bytes sealed = colliding(first, second, 8);
  // The attack is real: the bare cipher takes it under both keys, as two different texts.
  Bytes plain_one, plain_two;
  EXPECT_TRUE(first.opens(sealed, plain_one));
  EXPECT_TRUE(second.opens(sealed, plain_two));
  EXPECT_NE(plain_one, plain_two);
  // The seal takes the one that it commits to.
  const auto key_one = AnyKey::from_bytes(one);
  const auto key_two = AnyKey::from_bytes(two);
  const Bytes of_one = joined({salt, first.commitment, sealed});
  const Bytes of_two = joined({salt, second.commitment, sealed});
  EXPECT_TRUE(crypto::open(key_one, context, of_one).ok());
  EXPECT_TRUE(crypto::open(key_two, context, of_two).ok());
  for (const auto& refused :
       {crypto::open(key_two, context, of_one), crypto::open(key_one, context, of_two)}) {
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::kCorrupt);
  }
}

// The same as a pack that a member made, listed under either key.
TEST(Guessing, APackForTwoKeysIsDamagedUnderTheOther) {
  const CircleId circle(std::array<std::uint8_t, 32>{1});
  const VaultId vault(std::array<std::uint8_t, 16>{2});
  const Bytes one(32, 1), two(32, 2), salt(24, 3);
  const Bytes context = wire::encode_array("holdfast/v1/pack", circle, vault, std::uint8_t{1});
  const Derived first(one, salt, context), second(two, salt, context);
  const Bytes sealed = joined({salt, first.commitment, colliding(first, second, 64)});
  const PackId id(archive::pack_digest(sealed).bytes);
  const auto with = [&](const Bytes& key) {
    return archive::OpenPack::open(circle, vault, id, keys::PackKey::from_bytes(key),
                                   archive::PackKind::kData, sealed);
  };
  const auto refused = with(two);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("not the ones that were written"), std::string::npos);
  // Under its own key the seal opens, and what is in it is no pack.
  const auto opened = with(one);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().message.find("not the ones that were written"), std::string::npos)
      << opened.error().message;
}

// ---- the device's own file ----

class DeviceFile : public ::testing::Test {
 protected:
  DeviceFile() {
    vault::Home home = must(vault::Home::open(folder_ / "home"));
    must_do(home.create_device(unlock()));
  }
  static vault::Unlock unlock() {
    return {crypto::WipedBytes(to_bytes(as_bytes("correct horse")))};
  }
  // What the device says to its own passphrase, after the file was changed.
  Result<void> after(const std::function<void(vault::PassphraseFields&)>& change) {
    const std::string path = folder_ / "home/device.cbor";
    auto file = must(wire::decode<vault::DeviceFile>(as_bytes(read(path))));
    change(*file.passphrase);
    write(path, std::string(as_text(wire::encode(file))));
    vault::Home home = must(vault::Home::open(folder_ / "home"));
    return home.unlock(unlock());
  }
  testkit::TempDir folder_{testkit::Where::kMemory};
};

TEST_F(DeviceFile, WithAWeakerDerivationIsRefused) {
  using Fields = vault::PassphraseFields;
  const std::function<void(Fields&)> weaker[] = {
      [](Fields& fields) { fields.memory_kib = 64 * 1024 - 1; },
      [](Fields& fields) { fields.memory_kib = 0; },
      [](Fields& fields) { fields.passes = 2; },
      [](Fields& fields) { fields.lanes = 0; },
      [](Fields& fields) { fields.memory_kib = 4 * 1024 * 1024 + 1; },
      [](Fields& fields) { fields.passes = 65; },
  };
  for (const auto& change : weaker) {
    const auto refused = after([&](Fields& fields) {
      fields = {256 * 1024, 3, 1, fields.salt};
      change(fields);
    });
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::kInvalid);
    EXPECT_NE(refused.error().message.find("outside what this version allows"), std::string::npos)
        << refused.error().message;
  }
}

// Down to the floor the parameters are part of the key: a smaller number opens nothing.
TEST_F(DeviceFile, WithTheLeastDerivationOpensNothing) {
  const auto refused =
      after([](vault::PassphraseFields& fields) { fields.memory_kib = 64 * 1024; });
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kDenied);
}

}  // namespace
}  // namespace holdfast::hostile
