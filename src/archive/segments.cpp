#include <algorithm>

#include "archive/catalog.h"
#include "crypto/hash.h"
#include "crypto/seal.h"

namespace holdfast::archive {
namespace {

constexpr std::size_t kKeysPerSegment = 16384;
constexpr std::size_t kPacksPerIndex = 4096;
constexpr std::size_t kMaxSegment = 8 * 1024 * 1024;

Bytes segment_context(const VaultAccess& access, std::uint32_t epoch) {
  return wire::encode_array("holdfast/v1/key-segment", access.circle, access.vault, epoch);
}

}  // namespace

void wipe_keys(KeySegment& segment) {
  for (PackKeyEntry& entry : segment.entries) crypto::wipe(entry.key);
}

namespace {

// An epoch to come would make a device that was removed since look as if it had never held the key.
bool sound(const PackKeyEntry& entry, std::uint32_t segment_epoch) {
  return entry.object != entry.pack && entry.size <= kMaxPack && entry.epoch >= 1 &&
         entry.epoch <= segment_epoch;
}

}  // namespace

Result<KeySegment> read_key_segment(PackCache& cache, const VaultAccess& access,
                                    const SegmentRef& ref) {
  const auto key = access.segment_keys.find(ref.epoch);
  if (key == access.segment_keys.end())
    return Error{Code::kDenied, "this device holds no key for epoch " + std::to_string(ref.epoch)};
  const Bytes sealed = TRY(cache.get_named(ref.object));
  auto opened = crypto::open(key->second, segment_context(access, ref.epoch), sealed);
  if (!opened.ok()) return Error{Code::kInvalid, opened.error().message};
  const crypto::WipedBytes plain(std::move(opened).value());
  auto segment = wire::decode<KeySegment>(plain.view());
  if (!segment.ok()) return Error{Code::kInvalid, segment.error().message};
  if (!std::ranges::all_of(segment->entries,
                           [&](const PackKeyEntry& entry) { return sound(entry, ref.epoch); })) {
    wipe_keys(*segment);
    return Error{Code::kInvalid, "it says impossible things of a pack"};
  }
  return segment;
}

Result<void> check_key_segment(PackCache& cache, const VaultAccess& access, const SegmentRef& ref) {
  KeySegment segment = TRY(read_key_segment(cache, access, ref));
  wipe_keys(segment);
  return Ok{};
}

PackKeyEntry key_entry(const PackId& pack, const PackObject& object) {
  PackKeyEntry entry{pack, {}, {}, object.kind, object.size, object.epoch};
  if (object.name != pack) entry.object = object.name;
  const BytesView key = crypto::expose(object.key);
  std::copy(key.begin(), key.end(), entry.key.begin());
  return entry;
}

PackObject object_of(const PackKeyEntry& entry) {
  return {entry.object.value_or(entry.pack), keys::PackKey::from_bytes(entry.key), entry.kind,
          entry.size, entry.epoch};
}

PackObject object_of(SealedPack& pack, std::uint32_t epoch) {
  return {pack.id, std::move(pack.key), pack.header.kind,
          static_cast<std::uint32_t>(pack.bytes.size()), epoch};
}

namespace {

// Seals the entries, which are then gone, and puts them in the store.
Result<void> put_segment(PackCache& cache, const VaultAccess& access, KeySegment& segment,
                         WrittenSegments& written) {
  if (segment.entries.empty()) return Ok{};
  const crypto::WipedBytes plain(wire::encode(segment));
  wipe_keys(segment);
  segment.entries.clear();
  const Bytes sealed = crypto::seal(access.segment_keys.at(access.epoch),
                                    segment_context(access, access.epoch), plain.view());
  const PackId id(crypto::sha256(sealed).bytes);
  HF_CHECK(sealed.size() <= kMaxSegment);
  TRY(cache.session().put_pack(id, sealed));
  cache.keep(id, sealed);
  written.refs.push_back({id, access.epoch});
  written.bytes += sealed.size();
  return Ok{};
}

}  // namespace

Result<WrittenSegments> write_key_segments(PackCache& cache, const VaultAccess& access,
                                           const Catalog& catalog,
                                           const std::vector<std::uint32_t>& packs) {
  WrittenSegments written;
  KeySegment segment;
  for (const std::uint32_t number : packs) {
    const PackEntry& pack = catalog.pack_at(number);
    for (const PackObject& object : pack.objects)
      segment.entries.push_back(key_entry(pack.id, object));
    if (segment.entries.size() < kKeysPerSegment) continue;
    TRY(put_segment(cache, access, segment, written));
  }
  TRY(put_segment(cache, access, segment, written));
  return written;
}

SealedPack make_single_pack(const VaultAccess& access, PackKind kind, ChunkType type,
                            BytesView plain) {
  PackBuilder builder(kind);
  FrameInfo frame;
  frame.raw = static_cast<std::uint32_t>(plain.size());
  const ChunkId id(
      crypto::Mac(*access.naming).compute(static_cast<std::uint8_t>(type), plain).bytes);
  frame.chunks.push_back({id, type, frame.raw});
  builder.add(std::move(frame), Compressor().compress(plain));
  return std::move(builder).seal(access.circle, access.vault);
}

Result<std::vector<SealedPack>> make_index_packs(const VaultAccess& access, const Catalog& catalog,
                                                 const std::vector<std::uint32_t>& packs) {
  std::vector<SealedPack> made;
  IndexSegment segment;
  std::size_t chunks = 0;
  const auto flush = [&] {
    if (segment.packs.empty()) return;
    made.push_back(
        make_single_pack(access, PackKind::kIndex, ChunkType::kIndex, wire::encode(segment)));
    segment.packs.clear();
    chunks = 0;
  };
  for (const std::uint32_t number : packs) {
    auto header = TRY(catalog.header(number));
    if (!header || header->kind == PackKind::kIndex || header->kind == PackKind::kSnapshot)
      continue;
    for (const FrameInfo& frame : header->frames) chunks += frame.chunks.size() + 1;
    segment.packs.push_back({catalog.pack_at(number).id, *std::move(header)});
    // About 45 bytes a chunk: stays well below the largest frame.
    if (segment.packs.size() >= kPacksPerIndex || chunks >= 65536) flush();
  }
  flush();
  return made;
}

Result<Bytes> read_single_pack(PackCache& cache, const VaultAccess& access,
                               const PackEntry& entry) {
  const OpenPack pack = TRY(open_pack(cache, access, entry, Fetch::kKept));
  const auto& frames = pack.header().frames;
  if (frames.size() != 1 || frames[0].chunks.size() != 1)
    return Error{Code::kCorrupt, "pack " + short_name(entry.id) + " does not hold one object"};
  const ChunkInfo& chunk = frames[0].chunks[0];
  const ChunkType wanted =
      pack.header().kind == PackKind::kIndex ? ChunkType::kIndex : ChunkType::kSnapshot;
  Bytes plain = TRY(pack.frame(0));
  if (chunk.type != wanted ||
      !ChunkNames(access).fits(chunk.id, static_cast<std::uint8_t>(wanted), plain))
    return Error{Code::kCorrupt, "pack " + short_name(entry.id) + " holds another object"};
  return plain;
}

}  // namespace holdfast::archive
