#include "archive/catalog.h"

#include <algorithm>

#include "base/file.h"
#include "crypto/hash.h"
#include "crypto/seal.h"

namespace holdfast::archive {
namespace {

constexpr std::size_t kKeysPerSegment = 16384;
constexpr std::size_t kPacksPerIndex = 4096;  // as many as its format lets it
constexpr std::size_t kAsked = 1000;          // packs in one question to the store
constexpr std::size_t kMaxSegment = 8 * 1024 * 1024;
// Of one pack. An undo lists two, or three where there were several thefts.
constexpr std::size_t kMaxObjects = 4;

Bytes segment_context(const VaultAccess& access, std::uint32_t epoch) {
  return wire::encode_array("holdfast/v1/key-segment", access.circle, access.vault, epoch);
}

}  // namespace

std::string short_name(const PackId& id) { return id.hex().substr(0, 16); }

std::optional<Bytes> PackCache::local(const PackId& id) const {
  if (folder_.empty()) return std::nullopt;
  auto bytes = read_file(folder_ + "/" + id.hex(), kMaxPack);
  if (!bytes.ok() || PackId(crypto::sha256(*bytes).bytes) != id) return std::nullopt;
  return std::move(bytes).value();
}

Result<Bytes> PackCache::get_named(const PackId& id) {
  if (auto kept = local(id)) return *std::move(kept);
  Bytes bytes = TRY(session_.get_pack(id));
  if (PackId(crypto::sha256(bytes).bytes) != id)
    return Error{Code::kCorrupt,
                 "object " + short_name(id) +
                     " in the store is damaged: its bytes are not what its name says"};
  keep(id, bytes);
  return bytes;
}

Result<bool> PackCache::give_back(const PackId& id) {
  const auto kept = local(id);
  if (!kept) return false;
  TRY(session_.put_pack(id, *kept));
  return true;
}

// A cache that cannot be written costs time, not data.
void PackCache::keep(const PackId& id, BytesView sealed) {
  if (folder_.empty()) return;
  static_cast<void>(create_file(folder_ + "/" + id.hex(), sealed).ok());
}

bool same_object(const PackObject& a, const PackObject& b) {
  return a.name == b.name && a.kind == b.kind &&
         crypto::equal(crypto::expose(a.key), crypto::expose(b.key));
}

PackObject copy_of(const PackObject& object) {
  return {object.name, keys::PackKey::from_bytes(crypto::expose(object.key)), object.kind,
          object.size, object.epoch};
}

bool PackEntry::may_be(PackKind kind) const {
  return std::ranges::find(objects, kind, &PackObject::kind) != objects.end();
}

bool is_index(const PackEntry& pack) {
  return std::ranges::all_of(
      pack.objects, [](const PackObject& object) { return object.kind == PackKind::kIndex; });
}

const ChunkPlace* Catalog::find(const ChunkId& id) const {
  const auto it = chunks_.find(id);
  return it == chunks_.end() ? nullptr : &it->second;
}

std::optional<std::uint32_t> Catalog::pack_number(const PackId& id) const {
  const auto it = numbers_.find(id);
  if (it == numbers_.end()) return std::nullopt;
  return it->second;
}

bool Catalog::is_replaced(std::uint32_t pack) const {
  const auto& header = packs_[pack].header;
  if (!header) return false;
  for (const auto& frame : header->frames)
    for (const ChunkInfo& chunk : frame.chunks)
      if (const ChunkPlace* const place = find(chunk.id); place == nullptr || place->pack == pack)
        return false;
  return true;
}

void Catalog::index(std::uint32_t pack, PackHeader header) {
  for (std::uint32_t f = 0; f < header.frames.size(); ++f) {
    std::uint32_t offset = 0;
    for (const ChunkInfo& chunk : header.frames[f].chunks) {
      chunks_.insert_or_assign(chunk.id, ChunkPlace{pack, f, offset, chunk.length, chunk.type});
      offset += chunk.length;
    }
  }
  packs_[pack].header = std::move(header);
}

void Catalog::add(const PackId& id, PackObject object, std::optional<PackHeader> header) {
  const auto [it, fresh] = numbers_.try_emplace(id, static_cast<std::uint32_t>(packs_.size()));
  if (fresh) packs_.push_back({id, {}, std::nullopt});
  PackEntry& pack = packs_[it->second];
  const bool known = std::ranges::any_of(
      pack.objects, [&](const PackObject& one) { return same_object(one, object); });
  if (!known && pack.objects.size() < kMaxObjects) pack.objects.push_back(std::move(object));
  if (header && !pack.header) index(it->second, std::move(*header));
}

void Catalog::add_keys_of(const PackEntry& entry) {
  for (const PackObject& object : entry.objects) add(entry.id, copy_of(object), std::nullopt);
}

void Catalog::replace_objects(std::uint32_t pack, PackObject object) {
  packs_[pack].objects.clear();
  packs_[pack].objects.push_back(std::move(object));
}

std::vector<std::uint32_t> Catalog::packs_within(const std::set<PackId>& objects) const {
  std::vector<std::uint32_t> within;
  for (std::uint32_t i = 0; i < packs_.size() && !objects.empty(); ++i)
    if (std::ranges::all_of(packs_[i].objects,
                            [&](const PackObject& one) { return objects.contains(one.name); }))
      within.push_back(i);
  return within;
}

void Catalog::leave_out(const std::vector<std::uint32_t>& packs) {
  const std::set<std::uint32_t> gone(packs.begin(), packs.end());
  if (gone.empty()) return;
  left_out_.insert(gone.begin(), gone.end());
  std::erase_if(chunks_, [&](const auto& item) { return gone.contains(item.second.pack); });
}

Result<std::vector<PackId>> absent_packs(api::Session& session, const std::vector<PackId>& packs) {
  std::vector<PackId> absent;
  for (std::size_t from = 0; from < packs.size(); from += kAsked) {
    const std::size_t to = std::min(packs.size(), from + kAsked);
    const std::vector<PackId> asked(packs.begin() + static_cast<std::ptrdiff_t>(from),
                                    packs.begin() + static_cast<std::ptrdiff_t>(to));
    const auto there = TRY(session.have_packs(asked));
    for (std::size_t i = 0; i < asked.size(); ++i)
      if (i >= there.size() || !there[i]) absent.push_back(asked[i]);
  }
  return absent;
}

Result<std::vector<std::uint32_t>> missing_packs(PackCache& cache, const Catalog& catalog) {
  std::vector<PackId> asked;
  for (std::uint32_t i = 0; i < catalog.pack_count(); ++i)
    for (const PackObject& object : catalog.pack_at(i).objects) asked.push_back(object.name);
  const auto absent = TRY(absent_packs(cache.session(), asked));
  return catalog.packs_within({absent.begin(), absent.end()});
}

namespace {

Result<OpenPack> open_one(PackCache& cache, const VaultAccess& access, const PackEntry& entry,
                          const PackObject& object, Fetch fetch, Progress* progress) {
  const SealedBytes inner = TRY(read_object(cache, access, entry.id, object, fetch, progress));
  return OpenPack::open(access.circle, access.vault, entry.id, inner.key, object.kind, inner.bytes);
}

}  // namespace

Result<SealedBytes> read_object(PackCache& cache, const VaultAccess& access, const PackId& pack,
                                const PackObject& object, Fetch fetch, Progress* progress) {
  auto sealed =
      fetch == Fetch::kKept ? cache.get_named(object.name) : cache.get_sealed(object.name);
  if (!sealed.ok()) {
    Error error = std::move(sealed).error();
    if (error.code == Code::kNotFound) error.message = "it is missing from the store";
    return std::move(error).in("pack " + short_name(pack));
  }
  if (progress != nullptr) progress->stored_bytes += sealed->size();
  if (object.name != pack) return open_envelope(access, pack, object.key, *sealed);
  return SealedBytes{keys::PackKey::from_bytes(crypto::expose(object.key)),
                     std::move(sealed).value()};
}

Result<OpenPack> open_pack(PackCache& cache, const VaultAccess& access, const PackEntry& entry,
                           Fetch fetch, Progress* progress) {
  std::optional<Error> why;  // of the first one
  for (const PackObject& object : entry.objects) {
    auto pack = open_one(cache, access, entry, object, fetch, progress);
    if (pack.ok() || pack.error().code == Code::kUnavailable) return pack;
    if (!why) why = pack.error();
  }
  return *why;
}

namespace {

void wipe_keys(KeySegment& segment) {
  for (PackKeyEntry& entry : segment.entries) crypto::wipe(entry.key);
}

// An epoch to come would make a device that was removed since look as if it had never held the key.
bool sound(const PackKeyEntry& entry, std::uint32_t segment_epoch) {
  return entry.object != entry.pack && entry.size <= kMaxPack && entry.epoch >= 1 &&
         entry.epoch <= segment_epoch;
}

// The caller wipes its keys.
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

}  // namespace

Result<void> check_key_segment(PackCache& cache, const VaultAccess& access, const SegmentRef& ref) {
  KeySegment segment = TRY(read_key_segment(cache, access, ref));
  wipe_keys(segment);
  return Ok{};
}

bool Catalog::has_read(const SegmentRef& segment) const {
  return std::ranges::find(unread_, segment, &UnreadSegment::segment) == unread_.end();
}

Result<void> Catalog::load_keys(PackCache& cache, const VaultAccess& access,
                                const SegmentRef& ref) {
  KeySegment segment = TRY(read_key_segment(cache, access, ref));
  for (const PackKeyEntry& entry : segment.entries) add(entry.pack, object_of(entry), std::nullopt);
  wipe_keys(segment);
  return Ok{};
}

Result<void> Catalog::load_index(PackCache& cache, const VaultAccess& access, const PackId& id) {
  const auto number = pack_number(id);
  if (!number)
    return Error{Code::kCorrupt, "no key segment has the key of index " + short_name(id)};
  const Bytes plain = TRY(read_single_pack(cache, access, packs_[*number]));
  IndexSegment segment = TRY(wire::decode<IndexSegment>(plain));
  bool whole = true;
  for (PackIndex& pack : segment.packs) {
    const auto known = pack_number(pack.pack);
    // A pack without a key cannot be read: its chunks count as missing.
    whole = whole && known.has_value();
    if (known && !packs_[*known].header) index(*known, std::move(pack.header));
  }
  if (!whole) unread_.push_back({SegmentRef{id}, Code::kNotFound});
  return Ok{};
}

Result<void> Catalog::rebuild(PackCache& cache, const VaultAccess& access, std::uint32_t pack) {
  const OpenPack open = TRY(open_pack(cache, access, packs_[pack], Fetch::kSealed));
  const PackKind kind = open.header().kind;
  if (kind == PackKind::kData || kind == PackKind::kMeta) index(pack, open.header());
  return Ok{};
}

Result<Catalog> Catalog::load(PackCache& cache, const VaultAccess& access,
                              const std::vector<SegmentRef>& key_segments,
                              const std::vector<PackId>& index_segments, Findings& findings,
                              Rebuild rebuild) {
  Catalog catalog;
  for (const SegmentRef& ref : key_segments) {
    const auto done = catalog.load_keys(cache, access, ref);
    if (done.ok()) continue;
    catalog.unread_.push_back({ref, done.error().code});
    findings.problems.push_back(
        {"key segment " + short_name(ref.object), done.error().message, true});
  }
  bool rebuild_needed = false;
  for (const PackId& id : index_segments) {
    auto done = catalog.load_index(cache, access, id);
    if (done.ok()) continue;
    catalog.unread_.push_back({SegmentRef{id}, done.error().code});
    rebuild_needed = true;
    findings.notes.push_back(
        {"index " + short_name(id), done.error().message + "; it is rebuilt from the packs"});
  }
  if (!rebuild_needed || rebuild == Rebuild::kNo) return catalog;
  for (std::uint32_t i = 0; i < catalog.packs_.size(); ++i) {
    const PackEntry& entry = catalog.packs_[i];
    const bool holds_content = entry.may_be(PackKind::kData) || entry.may_be(PackKind::kMeta);
    if (entry.header || !holds_content) continue;
    if (auto done = catalog.rebuild(cache, access, i); !done.ok())
      findings.problems.push_back(
          {"pack " + short_name(catalog.packs_[i].id), done.error().message});
  }
  return catalog;
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

std::vector<SealedPack> make_index_packs(const VaultAccess& access, const Catalog& catalog,
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
    const PackEntry& entry = catalog.pack_at(number);
    if (!entry.header || entry.header->kind == PackKind::kIndex ||
        entry.header->kind == PackKind::kSnapshot)
      continue;
    segment.packs.push_back({entry.id, *entry.header});
    for (const FrameInfo& frame : entry.header->frames) chunks += frame.chunks.size() + 1;
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
