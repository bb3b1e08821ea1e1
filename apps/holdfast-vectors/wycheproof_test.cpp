#include "wycheproof.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <nlohmann/json.hpp>

#include "crypto/primitives.h"
#include "inflate.h"

namespace holdfast::vectors {
namespace {

using Json = nlohmann::json;
namespace p = crypto::primitives;

Report run(const Json& file) {
  Result<Report> report = run_vectors("file", file.dump());
  HF_CHECK(report.ok());
  return std::move(*report);
}

// One group of one vector. Merging lets a test change a field or, with null, take it away.
Json file_of(const std::string& algorithm, Json group, Json test) {
  test["tcId"] = 7;
  group["tests"] = Json::array({test});
  return {{"algorithm", algorithm}, {"testGroups", Json::array({group})}};
}

Json with(Json file, const Json& changes) {
  file["testGroups"][0]["tests"][0].merge_patch(changes);
  return file;
}

enum class Verdict { kPass, kFail, kUnsupported };

Verdict verdict(const Json& file) {
  const Report report = run(file);
  if (!report.unsupported.empty()) return Verdict::kUnsupported;
  return report.failed.empty() ? Verdict::kPass : Verdict::kFail;
}

// RFC 4231 section 4.3, the tag cut to 128 bits.
Json hmac_file() {
  return file_of("HMACSHA256", {{"type", "MacTest"}, {"keySize", 32}, {"tagSize", 128}},
                 {{"key", "4a656665"},
                  {"msg", "7768617420646f2079612077616e7420666f72206e6f7468696e673f"},
                  {"tag", "5bdcc146bf60754e6a042426089575c7"},
                  {"result", "valid"}});
}

// RFC 5869 appendix A.3.
Json hkdf_file() {
  return file_of("HKDF-SHA-256", {{"type", "HkdfTest"}, {"keySize", 176}},
                 {{"ikm", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"},
                  {"salt", ""},
                  {"info", ""},
                  {"size", 10},
                  {"okm", "8da4e775a563c18f715f"},
                  {"result", "valid"}});
}

// RFC 6979 appendix A.2.5, SHA-256, "test".
Json ecdsa_file() {
  return file_of(
      "ECDSA",
      {{"type", "EcdsaP1363Verify"},
       {"sha", "SHA-256"},
       {"publicKey",
        {{"curve", "secp256r1"},
         {"uncompressed",
          "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9"
          "e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"}}}},
      {{"msg", "74657374"},
       {"sig",
        "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367019f4113742a2b14bd25926b49"
        "c649155f267e60d3814b4c0cc84250e46f0083"},
       {"result", "valid"}});
}

// RFC 8032 section 7.1, test 2.
Json eddsa_file() {
  return file_of(
      "EDDSA",
      {{"type", "EddsaVerify"},
       {"publicKey",
        {{"curve", "edwards25519"},
         {"pk", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"}}}},
      {{"msg", "72"},
       {"sig",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0"
        "f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
       {"result", "valid"}});
}

// RFC 7748 section 5.2.
Json xdh_file() {
  return file_of("XDH", {{"type", "XdhComp"}, {"curve", "curve25519"}},
                 {{"private", "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"},
                  {"public", "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"},
                  {"shared", "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
                  {"result", "valid"}});
}

// Test case 14 of the GCM specification.
Json aead_file() {
  return file_of("AES-GCM",
                 {{"type", "AeadTest"}, {"keySize", 256}, {"ivSize", 96}, {"tagSize", 128}},
                 {{"key", std::string(64, '0')},
                  {"iv", std::string(24, '0')},
                  {"aad", ""},
                  {"msg", std::string(32, '0')},
                  {"ct", "cea7403d4d606b6e074ec5d3baf39d18"},
                  {"tag", "d0d1c8a799996bf0265b98b5d48ab919"},
                  {"result", "valid"}});
}

Json chunked_file(const Bytes& stored) {
  const Bytes plain(100'000, 0);
  return file_of("Cobblestone-256",
                 {{"type", "ChunkedEncryption"}, {"aead", "AEAD_AES_256_GCM"}, {"sha", "SHA-512"}},
                 {{"key", std::string(64, '1')},
                  {"ctx", "00"},
                  {"ct", to_hex(stored)},
                  {"msgLength", plain.size()},
                  {"msgSha512", to_hex(p::sha512(plain))},
                  {"result", "valid"}});
}

Bytes chunked_ciphertext() {
  return p::cobblestone256_seal(Bytes(32, 0x11), Bytes(1, 0), Bytes(24, 5), Bytes(100'000, 0));
}

Bytes deflated(const Bytes& bytes) {
  uLongf size = compressBound(bytes.size());
  Bytes out(size);
  HF_CHECK(compress(out.data(), &size, bytes.data(), bytes.size()) == Z_OK);
  out.resize(size);
  return out;
}

// Wycheproof mlkem_768_keygen_seed_test.json, test 1, of which the ends are enough here.
const char* const kSeed =
    "7c9935a0b07694aa0c6d10e4db6b1add2fd81a25ccb148032dcd739936737f2d"
    "8626ed79d451140800e03b59b956f8210e556067407d13dc90fa9e8b872bfb8f";

Json mlkem_file(Json test) {
  test["result"] = "valid";
  return file_of("ML-KEM", {{"type", "MLKEMTest"}, {"parameterSet", "ML-KEM-768"}}, test);
}

Json keygen_file() {
  const auto pair = p::mlkem768_from_seed(from_hex(kSeed).value()).value();
  return mlkem_file(
      {{"seed", kSeed}, {"ek", to_hex(pair.public_key)}, {"dk", to_hex(pair.private_key)}});
}

Json encaps_file() {
  const auto pair = p::mlkem768_from_seed(from_hex(kSeed).value()).value();
  const auto sent = p::mlkem768_encapsulate(pair.public_key, Bytes(32, 9)).value();
  return mlkem_file({{"ek", to_hex(pair.public_key)},
                     {"m", to_hex(Bytes(32, 9))},
                     {"c", to_hex(sent.ciphertext)},
                     {"K", to_hex(sent.shared)}});
}

// From a seed; `expanded` has the same key as FIPS 203 spells it.
Json decaps_file() {
  Json file = encaps_file();
  return with(file, {{"m", nullptr}, {"seed", kSeed}});
}

Json expanded_file() {
  const std::string key = keygen_file()["testGroups"][0]["tests"][0]["dk"];
  return with(decaps_file(), {{"seed", nullptr}, {"ek", nullptr}, {"dk", key}});
}

std::vector<Json> good_files() {
  return {hmac_file(),
          hkdf_file(),
          ecdsa_file(),
          eddsa_file(),
          xdh_file(),
          aead_file(),
          chunked_file(chunked_ciphertext()),
          chunked_file(deflated(chunked_ciphertext())),
          keygen_file(),
          encaps_file(),
          decaps_file(),
          expanded_file()};
}

TEST(Vectors, GoodOnesPass) {
  for (const Json& file : good_files()) EXPECT_EQ(verdict(file), Verdict::kPass) << file.dump();
}

TEST(Vectors, GoodOnesThatShouldBeRefusedFail) {
  for (const Json& file : good_files())
    EXPECT_EQ(verdict(with(file, {{"result", "invalid"}})), Verdict::kFail) << file.dump();
}

TEST(Vectors, GoodOnesThatMayBeRefusedPass) {
  for (const Json& file : good_files())
    EXPECT_EQ(verdict(with(file, {{"result", "acceptable"}})), Verdict::kPass) << file.dump();
}

TEST(Vectors, AnotherResultFails) {
  for (const Json& file : good_files())
    EXPECT_EQ(verdict(with(file, {{"result", "good"}})), Verdict::kFail) << file.dump();
}

// Every field that is hexadecimal, one after another: another value, a missing one, and no
// hexadecimal at all.
TEST(Vectors, EachFieldCounts) {
  for (const Json& file : good_files()) {
    for (const auto& [name, value] : file["testGroups"][0]["tests"][0].items()) {
      if (!value.is_string() || name == "result" || value == "") continue;
      std::string other = value;
      other[0] = other[0] == '0' ? '1' : '0';
      EXPECT_EQ(verdict(with(file, {{name, other}})), Verdict::kFail) << name << file.dump();
      EXPECT_EQ(verdict(with(file, {{name, "zz"}})), Verdict::kFail) << name;
      EXPECT_EQ(verdict(with(file, {{name, 3}})), Verdict::kFail) << name;
    }
  }
}

TEST(Vectors, AMissingFieldFailsAndIsNamed) {
  for (const char* name : {"key", "msg", "tag"}) {
    const Report report = run(with(hmac_file(), {{name, nullptr}}));
    ASSERT_EQ(report.failed.size(), 1u);
    EXPECT_EQ(report.failed[0].test, "7");
    EXPECT_NE(report.failed[0].why.find(name), std::string::npos);
  }
}

TEST(Vectors, BrokenOnesThatMustBeRefusedPass) {
  const std::string zeros(128, '0');
  EXPECT_EQ(verdict(with(ecdsa_file(), {{"sig", zeros}, {"result", "invalid"}})), Verdict::kPass);
  EXPECT_EQ(verdict(with(ecdsa_file(), {{"sig", "00"}, {"result", "invalid"}})), Verdict::kPass);
  EXPECT_EQ(verdict(with(eddsa_file(), {{"sig", zeros}, {"result", "invalid"}})), Verdict::kPass);
  EXPECT_EQ(verdict(with(hmac_file(), {{"tag", "00"}, {"result", "invalid"}})), Verdict::kPass);
  EXPECT_EQ(verdict(with(hkdf_file(), {{"size", 8161}, {"result", "invalid"}})), Verdict::kPass);
  EXPECT_EQ(verdict(with(aead_file(), {{"ct", ""}, {"result", "invalid"}})), Verdict::kPass);
  EXPECT_EQ(verdict(with(encaps_file(), {{"ek", "00"}, {"result", "invalid"}})), Verdict::kPass);
  EXPECT_EQ(verdict(with(decaps_file(), {{"c", "00"}, {"result", "invalid"}})), Verdict::kPass);
  EXPECT_EQ(verdict(with(keygen_file(), {{"seed", "00"}, {"result", "invalid"}})), Verdict::kPass);
  EXPECT_EQ(verdict(with(chunked_file({}), {{"result", "invalid"}})), Verdict::kPass);
}

// Wycheproof's encapsulation vectors with an unreduced key have m of 64 bytes, and no c and K.
TEST(Vectors, AnUnreducedKeyIsRefusedForItselfNotForALongM) {
  std::string key = encaps_file()["testGroups"][0]["tests"][0]["ek"];
  const Json bad = {{"m", std::string(128, '4')}, {"c", ""}, {"K", ""}, {"result", "invalid"}};
  EXPECT_EQ(verdict(with(encaps_file(), bad)), Verdict::kFail);  // nothing wrong with the key
  key.replace(0, 4, "ffff");
  EXPECT_EQ(verdict(with(with(encaps_file(), bad), {{"ek", key}})), Verdict::kPass);
}

TEST(Vectors, LowOrderPointsMayBeRefused) {
  const Json zero = {{"public", std::string(64, '0')}, {"shared", std::string(64, '0')}};
  EXPECT_EQ(verdict(with(with(xdh_file(), zero), {{"result", "acceptable"}})), Verdict::kPass);
  EXPECT_EQ(verdict(with(xdh_file(), zero)), Verdict::kFail);
}

TEST(Vectors, KeyGenerationGivesThePublishedKeys) {
  const auto pair = p::mlkem768_from_seed(from_hex(kSeed).value()).value();
  const std::string dk = to_hex(pair.private_key);
  EXPECT_EQ(to_hex(pair.public_key).substr(0, 64),
            "a8e651a1e685f22478a8954f007bc7711b930772c78f092e82878e3e937f3679");
  EXPECT_EQ(dk.substr(0, 64), "da0ac7b660404e613aa1f980380cb36dba18d23256c7267a00a67ba6c2a2b14c");
  EXPECT_EQ(dk.substr(1152 * 2 - 33, 33), "2580d071d6c56202086787a6590f84393");
  EXPECT_EQ(dk.substr(2336 * 2, 64),
            "f57262661358cde8d3ebf990e5fd1d5b896c992ccfaadb5256b68bbf5943b132");
}

TEST(Vectors, OtherSizesCurvesAndHashesAreUnsupported) {
  const auto group = [](Json file, const Json& changes) {
    file["testGroups"][0].merge_patch(changes);
    return verdict(file);
  };
  EXPECT_EQ(group(aead_file(), {{"keySize", 128}}), Verdict::kUnsupported);
  EXPECT_EQ(group(aead_file(), {{"ivSize", 128}}), Verdict::kUnsupported);
  EXPECT_EQ(group(aead_file(), {{"tagSize", nullptr}}), Verdict::kUnsupported);
  EXPECT_EQ(group(ecdsa_file(), {{"sha", "SHA-512"}}), Verdict::kUnsupported);
  EXPECT_EQ(group(ecdsa_file(), {{"type", "EcdsaVerify"}}), Verdict::kUnsupported);
  EXPECT_EQ(group(ecdsa_file(), {{"publicKey", {{"curve", "secp384r1"}}}}), Verdict::kUnsupported);
  EXPECT_EQ(group(eddsa_file(), {{"publicKey", {{"curve", "edwards448"}}}}), Verdict::kUnsupported);
  EXPECT_EQ(group(xdh_file(), {{"curve", "curve448"}}), Verdict::kUnsupported);
  EXPECT_EQ(group(keygen_file(), {{"parameterSet", "ML-KEM-1024"}}), Verdict::kUnsupported);
  EXPECT_EQ(group(chunked_file({}), {{"aead", "AEAD_AES_128_GCM"}}), Verdict::kUnsupported);
  EXPECT_EQ(group(hmac_file(), {{"type", "RsaTest"}}), Verdict::kUnsupported);
  Json file = hmac_file();
  file["algorithm"] = "HMACSHA512";
  EXPECT_EQ(verdict(file), Verdict::kUnsupported);
}

TEST(Vectors, UnsupportedGroupsOfOneKindAreCountedTogether) {
  Json file = aead_file();
  file["testGroups"][0]["keySize"] = 128;
  file["testGroups"].push_back(file["testGroups"][0]);
  const Report report = run(file);
  ASSERT_EQ(report.unsupported.size(), 1u);
  EXPECT_EQ(report.unsupported[0].groups, 2u);
  EXPECT_EQ(report.unsupported[0].tests, 2u);
  EXPECT_EQ(report.passed, 0u);
}

TEST(Vectors, WhatIsNoVectorFileIsRefused) {
  for (const char* text :
       {"", "{", "[]", "3", "null", "{}", R"({"testGroups": 3})", R"({"testGroups": [3]})",
        R"({"testGroups": [{"tests": {}}]})", "\xff\xfe"})
    EXPECT_FALSE(run_vectors("file", text).ok()) << text;
  EXPECT_TRUE(run_vectors("file", R"({"testGroups": []})").ok());
}

TEST(Vectors, ATestThatIsNoObjectFails) {
  Json file = hmac_file();
  file["testGroups"][0]["tests"] = Json::array({1, nullptr, "x", Json::array()});
  EXPECT_EQ(run(file).failed.size(), 4u);
}

TEST(Vectors, JsonCountsEverything) {
  const Json all = Json::parse(to_json(
      {run(hmac_file()), run(with(hkdf_file(), {{"okm", "00"}, {"comment", "\xc3\xa9"}}))}));
  EXPECT_EQ(all.at("passed"), 1);
  EXPECT_EQ(all.at("failed"), 1);
  EXPECT_EQ(all.at("files").at(1).at("failures").at(0).at("test"), "7");
  EXPECT_EQ(all.at("unsupported_groups"), 0);
}

TEST(Inflate, RefusesWhatIsNotOneWholeStream) {
  const Bytes plain(1000, 3);
  const Bytes stream = deflated(plain);
  EXPECT_EQ(inflate(stream), plain);
  for (std::size_t n = 0; n < stream.size(); ++n)
    EXPECT_FALSE(inflate(BytesView(stream).first(n))) << n;
  Bytes longer = stream;
  longer.push_back(0);
  EXPECT_FALSE(inflate(longer));
}

}  // namespace
}  // namespace holdfast::vectors
