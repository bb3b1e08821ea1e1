#include "crypto/cobblestone.h"

#include <algorithm>

#include "crypto/gcm.h"
#include "crypto/hash.h"
#include "crypto/hkdf.h"
#include "crypto/seal.h"

namespace holdfast::crypto {

namespace {

constexpr std::size_t kCommitmentSize = 32;
constexpr std::size_t kHeaderSize = kSaltSize + kCommitmentSize;
constexpr std::size_t kChunkSize = 16 * 1024;
constexpr std::size_t kSealedChunkSize = kChunkSize + Gcm::kTagSize;
constexpr std::uint64_t kMaxChunks = std::uint64_t{1} << 38;

// key || base nonce || commitment
class Schedule {
 public:
  Schedule(BytesView input_key, BytesView salt, BytesView context) {
    using namespace std::string_view_literals;
    hkdf_expand(HkdfHash::kSha512, input_key,
                {as_bytes("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"sv), salt, context},
                bytes_.span());
  }
  auto key() const { return bytes_.view().first<Gcm::kKeySize>(); }
  auto base_nonce() const { return bytes_.view().subspan<Gcm::kKeySize, Gcm::kNonceSize>(); }
  auto commitment() const { return bytes_.view().last<kCommitmentSize>(); }

 private:
  Secret<Gcm::kKeySize + Gcm::kNonceSize + kCommitmentSize> bytes_;
};

// The base nonce XOR the chunk's number as a big-endian integer.
class Nonces {
 public:
  explicit Nonces(Gcm::Nonce base) { std::copy(base.begin(), base.end(), base_.begin()); }
  std::array<std::uint8_t, Gcm::kNonceSize> at(std::uint64_t chunk) const {
    auto nonce = base_;
    for (std::size_t i = nonce.size(); chunk != 0; chunk >>= 8)
      nonce[--i] ^= static_cast<std::uint8_t>(chunk);
    return nonce;
  }

 private:
  std::array<std::uint8_t, Gcm::kNonceSize> base_{};
};

// The plaintext's size, or nullopt where no message has this sealed size: the last chunk is
// shorter than the others and has a whole tag.
std::optional<std::size_t> plain_size(std::size_t sealed) {
  if (sealed < kHeaderSize) return std::nullopt;
  const std::size_t full = (sealed - kHeaderSize) / kSealedChunkSize;
  const std::size_t last = (sealed - kHeaderSize) % kSealedChunkSize;
  if (last < Gcm::kTagSize || full >= kMaxChunks) return std::nullopt;
  return full * kChunkSize + (last - Gcm::kTagSize);
}

bool open_chunks(const Schedule& schedule, BytesView chunks, std::span<std::uint8_t> plain) {
  Gcm gcm(schedule.key(), Gcm::Direction::kOpen);
  const Nonces nonces(schedule.base_nonce());
  for (std::uint64_t n = 0; !chunks.empty(); ++n) {
    const BytesView chunk = chunks.first(std::min(chunks.size(), kSealedChunkSize));
    const auto out = plain.first(chunk.size() - Gcm::kTagSize);
    if (!gcm.open(nonces.at(n), {}, chunk, out)) return false;
    chunks = chunks.subspan(chunk.size());
    plain = plain.subspan(out.size());
  }
  return true;
}

}  // namespace

Bytes cobblestone_seal(std::span<const std::uint8_t, kSealKeySize> key, BytesView context,
                       std::span<const std::uint8_t, kSaltSize> salt, BytesView plain) {
  HF_CHECK(plain.size() / kChunkSize < kMaxChunks);
  const Schedule schedule(key, salt, context);
  Bytes sealed(sealed_size(plain.size()));
  std::ranges::copy(salt, sealed.begin());
  std::ranges::copy(schedule.commitment(), sealed.begin() + kSaltSize);

  Gcm gcm(schedule.key(), Gcm::Direction::kSeal);
  const Nonces nonces(schedule.base_nonce());
  std::span<std::uint8_t> out = std::span(sealed).subspan(kHeaderSize);
  for (std::uint64_t n = 0; !out.empty(); ++n) {
    const BytesView chunk = plain.first(std::min(plain.size(), kChunkSize));
    gcm.seal(nonces.at(n), {}, chunk, out.first(chunk.size() + Gcm::kTagSize));
    plain = plain.subspan(chunk.size());
    out = out.subspan(chunk.size() + Gcm::kTagSize);
  }
  return sealed;
}

std::optional<Bytes> cobblestone_open(std::span<const std::uint8_t, kSealKeySize> key,
                                      BytesView context, BytesView sealed) {
  const std::optional<std::size_t> size = plain_size(sealed.size());
  if (!size) return std::nullopt;
  const Schedule schedule(key, sealed.first(kSaltSize), context);
  if (!equal(schedule.commitment(), sealed.subspan(kSaltSize, kCommitmentSize)))
    return std::nullopt;
  Bytes plain(*size);
  if (!open_chunks(schedule, sealed.subspan(kHeaderSize), plain)) {
    wipe(plain);
    return std::nullopt;
  }
  return plain;
}

}  // namespace holdfast::crypto
