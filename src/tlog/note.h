// Signed notes (C2SP signed-note), their verifier keys, and the two types of signature we use:
// Ed25519 (0x01), by logs, and cosignature/v1 (0x04, C2SP tlog-cosignature), by witnesses.
//
// A parsed note proves nothing: its text counts once verify() said who signed it. Whoever carries
// a note can drop signatures and add foreign ones, never change the text under one that is there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/ed25519.h"

namespace holdfast::tlog {

// signed-note asks for 16 signatures at least; one of ML-DSA-44 takes 3.3 kB.
constexpr std::size_t kMaxNote = 256 * 1024;
constexpr std::size_t kMaxNoteSignatures = 64;
constexpr std::size_t kMaxKeyName = 255;

enum class SignatureType : std::uint8_t { kEd25519 = 1, kCosignature = 4 };

// Of 1 to 255 bytes of UTF-8 without Unicode spaces, plus signs or control characters.
bool is_key_name(std::string_view name);

// Whose signatures to look for: name, type and key.
struct NoteKey {
  std::string name;
  SignatureType type{};
  crypto::Ed25519PublicKey key;

  // The first four bytes of SHA-256(name || 0x0A || type || key).
  std::uint32_t id() const;
  // "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
  std::string format() const;
  static Result<NoteKey> parse(std::string_view text);  // kOutdated for another type
  bool operator==(const NoteKey&) const = default;
};

struct NoteSignature {
  std::string name;
  std::uint32_t id = 0;
  Bytes signature;
  bool operator==(const NoteSignature&) const = default;
};

// Signature lines alone: the answer of a witness.
std::string format_signatures(const std::vector<NoteSignature>& signatures);
// Refuses two signatures of one name and id: which of them counts would be a choice.
Result<std::vector<NoteSignature>> parse_signatures(std::string_view lines);

struct Note {
  std::string text;  // with its last newline
  std::vector<NoteSignature> signatures;

  // What parse() accepts, format() spells the same.
  static Result<Note> parse(BytesView note);
  std::string format() const;
  // By this name and id; nullptr where there is none. Others are ignored, as the format asks.
  const NoteSignature* find(const NoteKey& key) const;
};

// False unless it is this key's, over this text, of the key's type.
bool verify(const NoteKey& key, std::string_view text, const NoteSignature& signature);
// The Unix time in a cosignature, in seconds; nullopt where it is not one. Verify it first.
std::optional<std::uint64_t> cosignature_time(const NoteSignature& signature);

// Signs as a log does.
class LogSigner {
 public:
  LogSigner(std::string name, const crypto::Key<crypto::Ed25519Purpose>& seed);
  const NoteKey& key() const { return key_; }
  NoteSignature sign(std::string_view text) const;
  const crypto::Ed25519Key& raw() const { return raw_; }

 private:
  crypto::Ed25519Key raw_;
  NoteKey key_;
};

// Signs as a witness does. Its key serves one name (tlog-cosignature: the name is not signed).
class Cosigner {
 public:
  Cosigner(std::string name, const crypto::Key<crypto::Ed25519Purpose>& seed);
  const NoteKey& key() const { return key_; }
  NoteSignature cosign(std::string_view text, std::uint64_t time_s) const;

 private:
  crypto::Ed25519Key raw_;
  NoteKey key_;
};

}  // namespace holdfast::tlog
