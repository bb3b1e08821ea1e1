// The published vectors that come as files; their sources stand in tests/vectors/crypto/README.md.
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "crypto/hpke.h"
#include "crypto/primitives.h"

namespace holdfast::crypto {
namespace {

using Json = nlohmann::json;

Json read(const std::string& name) {
  std::ifstream file(std::string(HF_VECTORS_DIR) + "/crypto/" + name);
  HF_CHECK(file.good());
  return Json::parse(file);
}

Bytes hex(const Json& value) { return from_hex(value.get<std::string>()).value(); }

HpkeSuite suite(const Json& v) {
  return {v.at("kem_id").get<std::uint16_t>(), v.at("kdf_id").get<std::uint16_t>(),
          v.at("aead_id").get<std::uint16_t>()};
}

TEST(XWing, MatchesTheDraftsVectors) {
  int count = 0;
  for (const Json& v : read("xwing.json")) {
    EXPECT_EQ(primitives::xwing_public_key(hex(v.at("seed"))), hex(v.at("pk")));
    const auto sent = primitives::xwing_encapsulate(hex(v.at("pk")), hex(v.at("eseed")));
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->ciphertext, hex(v.at("ct")));
    EXPECT_EQ(sent->shared, hex(v.at("ss")));
    EXPECT_EQ(primitives::xwing_decapsulate(hex(v.at("sk")), hex(v.at("ct"))), hex(v.at("ss")));
    ++count;
  }
  EXPECT_EQ(count, 3);
}

// The suite of the file seals with ChaCha20-Poly1305; the KEM and the schedule are ours.
TEST(Hpke, MatchesTheXWingVectors) {
  int count = 0;
  for (const Json& v : read("hpke_xwing_647a.json")) {
    EXPECT_EQ(primitives::xwing_public_key(hex(v.at("skRm"))), hex(v.at("pkRm")));
    const auto sent = primitives::xwing_encapsulate(hex(v.at("pkRm")), hex(v.at("ikmE")));
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->ciphertext, hex(v.at("enc")));
    const auto shared = primitives::xwing_decapsulate(hex(v.at("skRm")), hex(v.at("enc")));
    ASSERT_EQ(shared, hex(v.at("shared_secret")));
    const HpkeKeys keys(suite(v), std::span(*shared).first<32>(), hex(v.at("info")));
    EXPECT_EQ(to_bytes(keys.key.view()), hex(v.at("key")));
    EXPECT_EQ(to_bytes(keys.base_nonce.view()), hex(v.at("base_nonce")));
    ++count;
  }
  EXPECT_GT(count, 0);
}

// Another KEM than ours; the schedule and AES-256-GCM are ours.
TEST(Hpke, MatchesTheRfc9180Vectors) {
  int count = 0;
  for (const Json& v : read("hpke_rfc9180_x25519_sha256_aes256gcm.json")) {
    const Bytes shared = hex(v.at("shared_secret"));
    const HpkeKeys keys(suite(v), std::span(shared).first<32>(), hex(v.at("info")));
    EXPECT_EQ(to_bytes(keys.key.view()), hex(v.at("key")));
    EXPECT_EQ(to_bytes(keys.base_nonce.view()), hex(v.at("base_nonce")));
    const Json& first = v.at("encryptions").at(0);
    EXPECT_EQ(primitives::aes256gcm_seal(keys.key.view(), keys.base_nonce.view(),
                                         hex(first.at("aad")), hex(first.at("pt"))),
              hex(first.at("ct")));
    for (const Json& e : v.at("encryptions"))
      EXPECT_EQ(primitives::aes256gcm_open(keys.key.view(), hex(e.at("nonce")), hex(e.at("aad")),
                                           hex(e.at("ct"))),
                hex(e.at("pt")));
    ++count;
  }
  EXPECT_GT(count, 0);
}

// Opening and, since the salt stands in the ciphertext, sealing.
TEST(ChunkedEncryption, MatchesTheWycheproofVectors) {
  int count = 0;
  const Json file = read("c2sp_chunked_encryption_small.json");
  for (const Json& group : file.at("testGroups")) {
    ASSERT_EQ(group.at("aead"), "AEAD_AES_256_GCM");
    for (const Json& t : group.at("tests")) {
      const Bytes key = hex(t.at("key"));
      const Bytes context = hex(t.at("ctx"));
      const Bytes sealed = hex(t.at("ct"));
      const auto opened = primitives::cobblestone256_open(key, context, sealed);
      ASSERT_EQ(opened.has_value(), t.at("result") == "valid") << t.at("tcId");
      ++count;
      if (!opened) continue;
      EXPECT_EQ(opened->size(), t.at("msgLength").get<std::size_t>());
      EXPECT_EQ(primitives::sha512(*opened), hex(t.at("msgSha512")));
      EXPECT_EQ(primitives::cobblestone256_seal(key, context, BytesView(sealed).first(24), *opened),
                sealed);
    }
  }
  EXPECT_EQ(count, file.at("numberOfTests").get<int>());
}

}  // namespace
}  // namespace holdfast::crypto
