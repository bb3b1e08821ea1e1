#include "archive/pack.h"

#include <zstd.h>

#include <bit>

#include "crypto/hash.h"
#include "crypto/seal.h"

namespace holdfast::archive {
namespace {

constexpr int kLevel = 3;

Bytes context(const CircleId& circle, const VaultId& vault, PackKind kind) {
  return wire::encode_array("holdfast/v1/pack", circle, vault, kind);
}

Error damaged(const PackId& id, std::string_view what) {
  return {Code::kCorrupt,
          "pack " + id.hex().substr(0, 16) + " in the store is damaged: " + std::string(what)};
}

SealedPack seal_plain(const CircleId& circle, const VaultId& vault, PackHeader header,
                      BytesView plain) {
  auto key = keys::PackKey::random();
  Bytes sealed = crypto::seal(key, context(circle, vault, header.kind), plain);
  const PackId id(crypto::sha256(sealed).bytes);
  return {id, std::move(key), std::move(header), std::move(sealed)};
}

// The frame's chunks must fill it exactly, or a chunk could reach outside.
bool sound(const FrameInfo& frame) {
  if (frame.raw > kMaxFrame || frame.raw == 0) return false;
  std::uint64_t sum = 0;
  for (const ChunkInfo& chunk : frame.chunks) sum += chunk.length;
  return sum == frame.raw;
}

}  // namespace

std::uint64_t padme(std::uint64_t size) {
  if (size < 2) return size;
  const auto exponent = static_cast<unsigned>(std::bit_width(size)) - 1;
  const auto kept = static_cast<unsigned>(std::bit_width(exponent));
  const std::uint64_t mask = (std::uint64_t{1} << (exponent - kept)) - 1;
  return (size + mask) & ~mask;
}

Digest pack_digest(BytesView sealed) { return crypto::sha256(sealed); }

void PackBuilder::add(FrameInfo frame, BytesView compressed) {
  frame.stored = static_cast<std::uint32_t>(compressed.size());
  header_.frames.push_back(std::move(frame));
  append(frames_, compressed);
}

SealedPack PackBuilder::seal(const CircleId& circle, const VaultId& vault) && {
  Bytes header(4);
  wire::Encoder to(header);
  wire::put(to, header_);
  for (std::size_t i = 0; i < 4; ++i)
    header[i] = static_cast<std::uint8_t>((header.size() - 4) >> (8 * (3 - i)));
  // Moved within the buffer: another of the same size would be a pack more in memory.
  Bytes plain = std::move(frames_);
  const std::size_t size = padme(header.size() + plain.size());
  plain.reserve(size);
  plain.insert(plain.begin(), header.begin(), header.end());
  plain.resize(size);
  return seal_plain(circle, vault, std::move(header_), plain);
}

SealedPack OpenPack::seal_again(const CircleId& circle, const VaultId& vault) const {
  return seal_plain(circle, vault, header_, plain_);
}

Result<OpenPack> OpenPack::open(const CircleId& circle, const VaultId& vault, const PackId& id,
                                const keys::PackKey& key, PackKind kind, BytesView sealed) {
  if (sealed.size() > kMaxPack) return damaged(id, "it is too large");
  OpenPack pack;
  pack.id_ = id;
  auto plain = crypto::open(key, context(circle, vault, kind), sealed);
  if (!plain.ok()) return damaged(id, "its bytes are not the ones that were written");
  pack.plain_ = std::move(plain).value();
  if (pack.plain_.size() < 4) return damaged(id, "it is too short");
  std::size_t header_size = 0;
  for (std::size_t i = 0; i < 4; ++i) header_size = header_size << 8 | pack.plain_[i];
  if (header_size > pack.plain_.size() - 4) return damaged(id, "its header is cut");
  auto header = wire::decode<PackHeader>(BytesView(pack.plain_).subspan(4, header_size));
  if (!header.ok()) return std::move(header).error().in("pack " + id.hex().substr(0, 16));
  pack.header_ = std::move(header).value();
  if (pack.header_.kind != kind) return damaged(id, "it is of another kind");
  std::size_t at = 4 + header_size;
  for (const FrameInfo& frame : pack.header_.frames) {
    if (frame.stored > pack.plain_.size() - at || !sound(frame))
      return damaged(id, "a frame reaches outside");
    pack.offsets_.push_back(at);
    at += frame.stored;
  }
  return pack;
}

Result<Bytes> OpenPack::frame(std::size_t index) const {
  if (index >= offsets_.size()) return damaged(id_, "it has no such frame");
  const FrameInfo& info = header_.frames[index];
  Bytes raw(info.raw);
  // Never more than the header's bounded size, whatever the frame claims to become.
  const std::size_t n =
      ZSTD_decompress(raw.data(), raw.size(), plain_.data() + offsets_[index], info.stored);
  if (ZSTD_isError(n) != 0 || n != raw.size()) return damaged(id_, "a frame does not decompress");
  return raw;
}

Compressor::Compressor() : context_(ZSTD_createCCtx()) { HF_CHECK(context_ != nullptr); }
Compressor::~Compressor() { ZSTD_freeCCtx(static_cast<ZSTD_CCtx*>(context_)); }

BytesView Compressor::compress(BytesView raw) {
  const std::size_t most = ZSTD_compressBound(raw.size());
  if (out_.size() < most) out_.resize(most);
  const std::size_t n = ZSTD_compressCCtx(static_cast<ZSTD_CCtx*>(context_), out_.data(),
                                          out_.size(), raw.data(), raw.size(), kLevel);
  HF_CHECK(ZSTD_isError(n) == 0);
  return BytesView(out_).first(n);
}

}  // namespace holdfast::archive
