#include "tlog/note.h"

#include <algorithm>
#include <set>

#include "crypto/hash.h"
#include "tlog/base64.h"
#include "wire/cbor.h"

namespace holdfast::tlog {
namespace {

constexpr std::string_view kLineStart = "\u2014 ";
constexpr std::size_t kIdSize = 4;
constexpr std::size_t kTimeSize = 8;

// Unicode's property White_Space, without the control characters, which is_key_name refuses anyway.
constexpr std::string_view kSpaces[] = {" ",      "\u0085", "\u00a0", "\u1680", "\u2000",
                                        "\u2001", "\u2002", "\u2003", "\u2004", "\u2005",
                                        "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
                                        "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

Error bad_note(const char* what) { return {Code::kCorrupt, std::string("a signed note ") + what}; }

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

Bytes big_endian(std::uint64_t value, std::size_t size) {
  Bytes out(size);
  for (std::size_t i = size; i-- > 0; value >>= 8) out[i] = static_cast<std::uint8_t>(value);
  return out;
}

std::uint64_t read_big_endian(BytesView bytes) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

Bytes type_and_key(const NoteKey& key) {
  Bytes out = {static_cast<std::uint8_t>(key.type)};
  append(out, key.key.bytes);
  return out;
}

// tlog-cosignature, "Ed25519 signed message".
std::string cosigned(std::string_view text, std::uint64_t time_s) {
  return "cosignature/v1\ntime " + std::to_string(time_s) + '\n' + std::string(text);
}

bool verify_raw(const NoteKey& key, std::string_view message, BytesView signature) {
  crypto::Ed25519Signature exact{};
  if (signature.size() != exact.size()) return false;
  std::ranges::copy(signature, exact.begin());
  return crypto::ed25519_verify(key.key, as_bytes(message), exact);
}

std::string format_line(const NoteSignature& signature) {
  Bytes payload = big_endian(signature.id, kIdSize);
  append(payload, signature.signature);
  return std::string(kLineStart) + signature.name + ' ' + base64_encode(payload) + '\n';
}

// Without its newline.
Result<NoteSignature> parse_line(std::string_view line) {
  if (!line.starts_with(kLineStart)) return bad_note("has a line that is no signature");
  line.remove_prefix(kLineStart.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return bad_note("has a line that is no signature");
  const std::string_view name = line.substr(0, space);
  const auto payload = base64_decode(line.substr(space + 1));
  if (!is_key_name(name) || !payload || payload->size() <= kIdSize)
    return bad_note("has a malformed signature");
  const BytesView bytes = *payload;
  return NoteSignature{std::string(name),
                       static_cast<std::uint32_t>(read_big_endian(bytes.first(kIdSize))),
                       to_bytes(bytes.subspan(kIdSize))};
}

bool is_plain_text(std::string_view text) {
  return wire::is_utf8(as_bytes(text)) && std::ranges::none_of(text, [](char c) {
           return static_cast<unsigned char>(c) < 0x20 && c != '\n';
         });
}

}  // namespace

bool is_key_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxKeyName && wire::is_utf8(as_bytes(name)) &&
         name.find('+') == std::string_view::npos && std::ranges::none_of(name, is_control) &&
         std::ranges::none_of(kSpaces, [&](std::string_view space) {
           return name.find(space) != std::string_view::npos;
         });
}

// ---- keys ----

std::uint32_t NoteKey::id() const {
  Bytes bytes = to_bytes(as_bytes(name));
  bytes.push_back('\n');
  append(bytes, type_and_key(*this));
  const Digest hash = crypto::sha256(bytes);
  return static_cast<std::uint32_t>(read_big_endian(hash.view().first(kIdSize)));
}

std::string NoteKey::format() const {
  return name + '+' + to_hex(big_endian(id(), kIdSize)) + '+' + base64_encode(type_and_key(*this));
}

Result<NoteKey> NoteKey::parse(std::string_view text) {
  const auto bad = [] { return Error{Code::kInvalid, "this is not a verifier key of a note"}; };
  const std::size_t first = text.find('+');
  if (first == std::string_view::npos) return bad();
  const std::size_t second = text.find('+', first + 1);  // base 64 may have more of them
  if (second == std::string_view::npos) return bad();
  const auto bytes = base64_decode(text.substr(second + 1));
  if (!bytes || bytes->empty()) return bad();
  const std::uint8_t type = (*bytes)[0];
  if (type != static_cast<std::uint8_t>(SignatureType::kEd25519) &&
      type != static_cast<std::uint8_t>(SignatureType::kCosignature))
    return Error{Code::kOutdated, "a verifier key of a type that this version does not know"};
  NoteKey key{std::string(text.substr(0, first)), static_cast<SignatureType>(type), {}};
  if (bytes->size() != 1 + key.key.bytes.size() || !is_key_name(key.name)) return bad();
  std::copy(bytes->begin() + 1, bytes->end(), key.key.bytes.begin());
  // The id in the text, too, is only right when it is this key's, in lower case.
  if (key.format() != text) return bad();
  return key;
}

// ---- notes ----

std::string format_signatures(const std::vector<NoteSignature>& signatures) {
  std::string out;
  for (const NoteSignature& signature : signatures) out += format_line(signature);
  return out;
}

Result<std::vector<NoteSignature>> parse_signatures(std::string_view lines) {
  std::vector<NoteSignature> out;
  std::set<std::pair<std::string, std::uint32_t>> seen;
  if (lines.size() > kMaxNote) return bad_note("is too large");
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    if (end == std::string_view::npos) return bad_note("does not end its last line");
    if (out.size() == kMaxNoteSignatures) return bad_note("has too many signatures");
    NoteSignature signature = TRY(parse_line(lines.substr(0, end)));
    if (!seen.emplace(signature.name, signature.id).second)
      return bad_note("has two signatures of one key");
    out.push_back(std::move(signature));
    lines.remove_prefix(end + 1);
  }
  if (out.empty()) return bad_note("has no signature");
  return out;
}

Result<Note> Note::parse(BytesView note) {
  const std::string_view all = as_text(note);
  if (all.size() > kMaxNote) return bad_note("is too large");
  if (!is_plain_text(all)) return bad_note("has bytes that are no text");
  // The last empty line parts text and signatures.
  const std::size_t blank = all.rfind("\n\n");
  if (blank == std::string_view::npos) return bad_note("has no empty line before its signatures");
  auto signatures = TRY(parse_signatures(all.substr(blank + 2)));
  return Note{std::string(all.substr(0, blank + 1)), std::move(signatures)};
}

std::string Note::format() const { return text + '\n' + format_signatures(signatures); }

const NoteSignature* Note::find(const NoteKey& key) const {
  const std::uint32_t id = key.id();
  const auto found = std::ranges::find_if(
      signatures, [&](const NoteSignature& s) { return s.id == id && s.name == key.name; });
  return found == signatures.end() ? nullptr : &*found;
}

// ---- signatures ----

std::optional<std::uint64_t> cosignature_time(const NoteSignature& signature) {
  if (signature.signature.size() != kTimeSize + crypto::Ed25519Signature{}.size())
    return std::nullopt;
  const std::uint64_t time = read_big_endian(BytesView(signature.signature).first(kTimeSize));
  if (time > std::uint64_t{INT64_MAX}) return std::nullopt;
  return time;
}

bool verify(const NoteKey& key, std::string_view text, const NoteSignature& signature) {
  if (signature.name != key.name || signature.id != key.id()) return false;
  switch (key.type) {
    case SignatureType::kEd25519: return verify_raw(key, text, signature.signature);
    case SignatureType::kCosignature: {
      const auto time = cosignature_time(signature);
      return time && verify_raw(key, cosigned(text, *time),
                                BytesView(signature.signature).subspan(kTimeSize));
    }
  }
  std::abort();
}

LogSigner::LogSigner(std::string name, const crypto::Key<crypto::Ed25519Purpose>& seed)
    : raw_(seed), key_{std::move(name), SignatureType::kEd25519, raw_.public_key()} {
  HF_CHECK(is_key_name(key_.name));
}

NoteSignature LogSigner::sign(std::string_view text) const {
  const auto signature = raw_.sign(as_bytes(text));
  return {key_.name, key_.id(), to_bytes(signature)};
}

Cosigner::Cosigner(std::string name, const crypto::Key<crypto::Ed25519Purpose>& seed)
    : raw_(seed), key_{std::move(name), SignatureType::kCosignature, raw_.public_key()} {
  HF_CHECK(is_key_name(key_.name));
}

NoteSignature Cosigner::cosign(std::string_view text, std::uint64_t time_s) const {
  HF_CHECK(time_s <= std::uint64_t{INT64_MAX});
  Bytes payload = big_endian(time_s, kTimeSize);
  append(payload, raw_.sign(as_bytes(cosigned(text, time_s))));
  return {key_.name, key_.id(), std::move(payload)};
}

}  // namespace holdfast::tlog
