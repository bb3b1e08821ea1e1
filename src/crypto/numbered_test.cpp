#include "crypto/numbered.h"

#include <gtest/gtest.h>

#include "crypto/primitives.h"

namespace holdfast::crypto {
namespace {

struct PartsPurpose {};
using PartsKey = Key<PartsPurpose>;

TEST(Numbered, IsGcmWithTheNumberAsNonce) {
  const Bytes bytes(32, 0x42);
  const auto key = PartsKey::from_bytes(bytes);
  NumberedSealer sealer(key);
  Bytes first;
  Bytes second;
  sealer.seal(as_bytes("one"), first);
  EXPECT_EQ(sealer.next(), 1U);
  sealer.seal(as_bytes("two"), second);
  Bytes nonce(12, 0);
  EXPECT_EQ(first, primitives::aes256gcm_seal(bytes, nonce, {}, as_bytes("one")));
  nonce[11] = 1;
  EXPECT_EQ(second, primitives::aes256gcm_seal(bytes, nonce, {}, as_bytes("two")));
}

TEST(Numbered, OpensAMessageOnlyUnderItsNumberAndKeyAndWhole) {
  const auto key = PartsKey::random();
  NumberedSealer sealer(key);
  Bytes sealed;
  sealer.seal(as_bytes("zero"), sealed);
  NumberedOpener opener(key);
  Bytes out(4, 0xff);
  EXPECT_TRUE(opener.open(0, sealed, out));
  EXPECT_EQ(as_text(out), "zero");
  EXPECT_FALSE(opener.open(1, sealed, out));
  EXPECT_EQ(out, Bytes(4, 0)) << "nothing of what nobody vouches for is left";
  EXPECT_FALSE(NumberedOpener(PartsKey::random()).open(0, sealed, out));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Bytes flipped = sealed;
    flipped[i] ^= 1;
    EXPECT_FALSE(opener.open(0, flipped, out)) << i;
  }
  EXPECT_TRUE(opener.open(0, sealed, out)) << "a failure does not spoil the next message";
}

}  // namespace
}  // namespace holdfast::crypto
