#include "tlog/note.h"

#include <gtest/gtest.h>

#include "tlog/base64.h"

namespace holdfast::tlog {
namespace {

using Seed = crypto::Key<crypto::Ed25519Purpose>;

// C2SP signed-note, "Verifier keys".
const char* const kSpecKey =
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const char* const kSpecNote =
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuw"
    "HjG1Yu72IneyaQM=\n";

// golang.org/x/mod, sumdb/note, package documentation; its private key is
// PRIVATE+KEY+PeterNeumann+c74f20a3+ and, in base 64, the type and the seed.
const char* const kGoKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const char* const kGoSeed = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const char* const kGoText =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n";
const char* const kGoSignature =
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6K"
    "E6RyyBwJnAM=\n";

Note parsed(const std::string& text) { return *Note::parse(as_bytes(text)); }

bool parses(const std::string& text) { return Note::parse(as_bytes(text)).ok(); }

TEST(NoteKey, OfTheSpecificationVerifiesItsNote) {
  const NoteKey key = *NoteKey::parse(kSpecKey);
  EXPECT_EQ(key.name, "example.com/foo");
  EXPECT_EQ(key.id(), 0x530d903aU);
  EXPECT_EQ(key.format(), kSpecKey);
  const Note note = parsed(kSpecNote);
  EXPECT_EQ(note.text, "This is an example message.\n");
  EXPECT_TRUE(verify(key, note.text, *note.find(key)));
  EXPECT_FALSE(verify(key, note.text + " ", *note.find(key)));
  EXPECT_EQ(note.format(), kSpecNote);
}

TEST(NoteKey, OfGoSignsWhatGoSigned) {
  const Bytes seed = *base64_decode(kGoSeed);
  const LogSigner signer("PeterNeumann", Seed::from_bytes(BytesView(seed).subspan(1)));
  EXPECT_EQ(signer.key().format(), kGoKey);
  EXPECT_EQ(format_signatures({signer.sign(kGoText)}), kGoSignature);
}

// The example of tlog-checkpoint carries the signature that Go's checksum database made over the
// same tree under its own origin; its key is published in golang.org/x/mod and in Go itself.
TEST(NoteKey, OfGosChecksumDatabaseVerifiesItsCheckpoint) {
  const NoteKey key =
      *NoteKey::parse("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8");
  const Note note = parsed(
      "go.sum database tree\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
      "— sum.golang.org "
      "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+"
      "zyWE+xeMcTOAYQ8=\n");
  EXPECT_TRUE(verify(key, note.text, *note.find(key)));
}

// transparency-dev/formats, note/note_cosigv1_test.go.
TEST(NoteKey, OfWitnessesHasItsOwnType) {
  const NoteKey key =
      *NoteKey::parse("remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2");
  EXPECT_EQ(key.type, SignatureType::kCosignature);
  EXPECT_EQ(key.id(), 0xda77ade7U);
}

TEST(NoteKey, RefusesOtherSpellings) {
  for (const char* bad :
       {"", "a", "a+b", "a+530d903a", "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k=",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
        "example.com/fo o+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY=="})
    EXPECT_FALSE(NoteKey::parse(bad).ok()) << bad;
  EXPECT_EQ(NoteKey::parse("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
                .error()
                .code,
            Code::kOutdated);
}

TEST(KeyName, HasNoSpacesPlusSignsOrControls) {
  EXPECT_TRUE(is_key_name("example.com/log"));
  EXPECT_TRUE(is_key_name("grüße"));
  EXPECT_TRUE(is_key_name(std::string(255, 'a')));
  for (const char* bad : {"", "a b", "a+b", "a\nb", "a\tb", "a\u00a0b", "a\u2003b", "a\u3000",
                          "a\x7f", "\u0085", "\xff"})
    EXPECT_FALSE(is_key_name(bad)) << bad;
  EXPECT_FALSE(is_key_name(std::string(256, 'a')));
}

TEST(Note, KeepsEmptyLinesOfItsText) {
  const Bytes seed = *base64_decode(kGoSeed);
  const LogSigner signer("PeterNeumann", Seed::from_bytes(BytesView(seed).subspan(1)));
  const std::string text = "one\n\n\ntwo\n";
  const Note note{text, {signer.sign(text)}};
  EXPECT_EQ(parsed(note.format()).text, text);
}

TEST(Note, IgnoresSignaturesOfOtherKeys) {
  const Note note = parsed(kSpecNote);
  NoteKey other = *NoteKey::parse(kSpecKey);
  other.type = SignatureType::kCosignature;  // same name, another id
  EXPECT_EQ(note.find(other), nullptr);
  EXPECT_EQ(note.find(*NoteKey::parse(kGoKey)), nullptr);
}

TEST(Note, RefusesMalformedNotes) {
  const std::string good = kSpecNote;
  const std::string line = good.substr(good.find("—"));
  EXPECT_TRUE(parses(good));
  EXPECT_TRUE(parses(good + kGoSignature));
  EXPECT_FALSE(parses(""));
  EXPECT_FALSE(parses("text\n"));
  EXPECT_FALSE(parses("text\n\n"));
  EXPECT_FALSE(parses(line));
  EXPECT_FALSE(parses("text\n" + line)) << "no empty line";
  EXPECT_FALSE(parses(good.substr(0, good.size() - 1))) << "no last newline";
  EXPECT_FALSE(parses(good + "\n"));
  EXPECT_FALSE(parses(good + "x\n"));
  EXPECT_FALSE(parses(good + line)) << "one key twice";
  EXPECT_FALSE(parses("tab\there\n\n" + line));
  EXPECT_FALSE(parses("return\r\n\n" + line));
  EXPECT_FALSE(parses("\xff\n\n" + line));
  EXPECT_FALSE(parses(std::string("nul\0\n\n", 6) + line));
  EXPECT_FALSE(parses("text\n\n- example.com/foo Uw2QOkn8\n")) << "a hyphen";
  EXPECT_FALSE(parses("text\n\n— example.com/foo Uw2QOg==\n")) << "an id alone";
  EXPECT_FALSE(parses("text\n\n—  Uw2QOkn8\n")) << "no name";
  EXPECT_FALSE(parses("text\n\n— example.com/foo  Uw2QOkn8\n")) << "two spaces";
  EXPECT_FALSE(parses("text\n\n— example.com/foo Uw2QOkn8 \n")) << "a space at the end";
  EXPECT_FALSE(parses("text\n\n— example.com/f+oo Uw2QOkn8\n")) << "a plus sign";
}

TEST(Note, HasALimitOfSizeAndOfSignatures) {
  std::string note = "text\n\n";
  for (std::size_t i = 0; i < kMaxNoteSignatures; ++i)
    note += "— k" + std::to_string(i) + " " + base64_encode(Bytes(3000)) + "\n";
  EXPECT_FALSE(parses(note + "— more AAAAAAAA\n"));
  EXPECT_TRUE(parses(note));
  EXPECT_FALSE(parses(std::string(kMaxNote, 'a') + kSpecNote));
}

TEST(Note, EveryFlippedBitIsRefusedOrFailsToVerify) {
  const NoteKey key = *NoteKey::parse(kSpecKey);
  const Bytes good = to_bytes(as_bytes(kSpecNote));
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const auto note = Note::parse(bad);
    if (!note.ok()) continue;
    const NoteSignature* const signature = note->find(key);
    EXPECT_TRUE(signature == nullptr || !verify(key, note->text, *signature)) << bit;
  }
}

TEST(Cosigner, SignsTheTimeToo) {
  const Cosigner cosigner("witness.example/w", Seed::random());
  const std::string text = "example.com/log\n1\nAAAA\n";
  NoteSignature signature = cosigner.cosign(text, 1'679'315'147);
  EXPECT_EQ(cosignature_time(signature), 1'679'315'147U);
  EXPECT_TRUE(verify(cosigner.key(), text, signature));
  for (std::size_t bit = 0; bit < signature.signature.size() * 8; ++bit) {
    const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
    signature.signature[bit / 8] ^= mask;
    EXPECT_FALSE(verify(cosigner.key(), text, signature)) << bit;
    signature.signature[bit / 8] ^= mask;
  }
  signature.signature.pop_back();
  EXPECT_FALSE(verify(cosigner.key(), text, signature));
  EXPECT_EQ(cosignature_time(signature), std::nullopt);
}

// One seed under both types: what is signed as one never passes as the other.
TEST(Cosigner, DoesNotSignAsALog) {
  const Bytes seed = *base64_decode(kGoSeed);
  const auto key = [&] { return Seed::from_bytes(BytesView(seed).subspan(1)); };
  const Cosigner witness("name", key());
  const LogSigner log("name", key());
  NoteSignature cosignature = witness.cosign("a\n", 1);
  cosignature.id = log.key().id();
  EXPECT_FALSE(verify(log.key(), "a\n", cosignature));
  cosignature.signature.erase(cosignature.signature.begin(), cosignature.signature.begin() + 8);
  EXPECT_FALSE(verify(log.key(), "a\n", cosignature));
  EXPECT_TRUE(verify(log.key(), "cosignature/v1\ntime 1\na\n", cosignature));  // says what it is
}

}  // namespace
}  // namespace holdfast::tlog
