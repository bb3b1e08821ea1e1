// How a catalog comes to be: keys from key segments, places from the local index, and from those
// index segments that it does not cover.
#include <algorithm>
#include <numeric>

#include "archive/catalog_base.h"

namespace holdfast::archive {
namespace {

// Chunks of segments that the local index does not cover. With so many it is written anew: often
// enough that few segments are decoded by each command, seldom enough that little is written twice.
constexpr std::uint64_t kFewChunks = 4096;
constexpr std::uint64_t kShare = 16;  // of those that it has
// As many at most lie in memory while many segments are read.
constexpr std::uint64_t kManyChunks = 512 * 1024;

}  // namespace

bool Catalog::has_read(const SegmentRef& segment) const {
  return std::ranges::find(unread_, segment, &UnreadSegment::segment) == unread_.end();
}

class CatalogLoader {
 public:
  CatalogLoader(PackCache& cache, const VaultAccess& access, const std::vector<PackId>& segments,
                Findings& findings, Rebuild rebuild)
      : cache_(cache),
        access_(access),
        segments_(segments),
        findings_(findings),
        rebuild_(rebuild),
        covered_(segments.size()) {
    writes_ = !cache.folder().empty() && rebuild == Rebuild::kYes;
    if (!cache.folder().empty()) path_ = cache.folder() + "/" + access.vault.hex() + ".index";
  }

  void load_keys(const std::vector<SegmentRef>& refs);
  void load_indexes();
  Catalog take() { return std::move(catalog_); }

 private:
  static constexpr std::uint32_t kNone = Catalog::kNone;

  Result<void> read_keys(const SegmentRef& ref);
  void open_base();
  Result<bool> adopt(LocalIndex index);
  Result<void> read_index(std::uint32_t position);
  void write_base();
  Result<void> rebuild_from(std::uint32_t pack);
  void rebuild_all();

  PackCache& cache_;
  const VaultAccess& access_;
  const std::vector<PackId>& segments_;
  Findings& findings_;
  const Rebuild rebuild_;
  std::string path_;
  bool writes_ = false;        // the local index, unless that failed
  std::vector<bool> covered_;  // by position: by the local index, or to be
  Catalog catalog_;
};

void CatalogLoader::load_keys(const std::vector<SegmentRef>& refs) {
  for (const SegmentRef& ref : refs) {
    const auto done = read_keys(ref);
    if (done.ok()) continue;
    catalog_.unread_.push_back({ref, done.error().code});
    findings_.problems.push_back(
        {"key segment " + short_name(ref.object), done.error().message, true});
  }
}

Result<void> CatalogLoader::read_keys(const SegmentRef& ref) {
  KeySegment segment = TRY(read_key_segment(cache_, access_, ref));
  for (const PackKeyEntry& entry : segment.entries)
    catalog_.add(entry.pack, object_of(entry), std::nullopt);
  wipe_keys(segment);
  return Ok{};
}

// ---- the local index ----

void CatalogLoader::open_base() {
  if (path_.empty() || segments_.empty()) return;
  auto index = LocalIndex::open(path_, access_);
  auto fits = index.ok() ? adopt(std::move(index).value()) : Result<bool>(index.error());
  if (fits.ok() || fits.error().code != Code::kCorrupt || rebuild_ == Rebuild::kNo) return;
  findings_.notes.push_back({path_, "the local index is damaged; it is made again"});
}

// Only where it covers the first segments of the vault's list, in its order: of what several say of
// a pack, the first counts, and an undo puts honest ones before a thief's. Not where it has a pack
// without a key either: another pack that holds the same chunk may then be the one that counts.
Result<bool> CatalogLoader::adopt(LocalIndex index) {
  const std::vector<PackId>& covered = index.segments();
  if (covered.size() > segments_.size() ||
      !std::equal(covered.begin(), covered.end(), segments_.begin()))
    return false;
  std::vector<std::uint32_t> position_of(covered.size());
  std::iota(position_of.begin(), position_of.end(), 0U);
  auto base = std::make_unique<Catalog::Base>(std::move(index));
  base->numbers.reserve(base->index.packs());
  std::vector<std::uint32_t> positions;
  bool whole = true;
  const auto take = [&](const IndexedPack& pack) -> Result<void> {
    const auto number = catalog_.pack_number(pack.id);
    if (pack.segment >= position_of.size())
      return Error{Code::kCorrupt, "a pack of it is of no segment"};
    whole = whole && number;
    base->numbers.push_back(number.value_or(0));
    positions.push_back(position_of[pack.segment]);
    return Ok{};
  };
  TRY(base->index.each_pack(take));
  if (!whole) return false;
  for (std::uint32_t row = 0; row < positions.size(); ++row) {
    const std::uint32_t number = base->numbers[row];
    catalog_.packs_[number].indexed = true;
    catalog_.indexed_[number] = {row, positions[row]};
    catalog_.headers_.erase(number);
  }
  for (const std::uint32_t position : position_of) {
    covered_[position] = true;
    base->last = std::max(base->last, position);
  }
  catalog_.base_ = std::move(base);
  return true;
}

// A new file of what it has and what was read whole since. Where that fails, everything stays in
// memory: it costs time, not data.
void CatalogLoader::write_base() {
  LocalIndex::Input input;
  std::vector<std::uint32_t> place_of(segments_.size(), kNone);  // in input.segments
  for (std::uint32_t i = 0; i < segments_.size(); ++i) {
    if (!covered_[i]) continue;
    place_of[i] = static_cast<std::uint32_t>(input.segments.size());
    input.segments.push_back(segments_[i]);
  }
  std::uint32_t row = 0;
  if (catalog_.base_) {
    input.base = &catalog_.base_->index;
    row = input.base->packs();
    for (const PackId& segment : input.base->segments())
      input.base_segment.push_back(place_of[static_cast<std::size_t>(
          std::ranges::find(segments_, segment) - segments_.begin())]);
  }
  std::unordered_map<std::uint32_t, std::uint32_t> rows;
  for (const auto& [number, header] : catalog_.headers_) {
    const std::uint32_t position = catalog_.indexed_[number].position;
    if (position == kNone || place_of[position] == kNone) continue;
    rows[number] = row++;
    input.packs.push_back({catalog_.packs_[number].id, &header, place_of[position]});
  }
  ChunkTable left;
  for (const ChunkRow& chunk : catalog_.chunks_.rows()) {
    const auto known = rows.find(chunk.place.pack);
    if (known == rows.end()) {
      left.put(chunk);
      continue;
    }
    input.chunks.push_back(chunk);
    input.chunks.back().place.pack = known->second;
  }
  std::ranges::sort(input.chunks, {}, &ChunkRow::id);
  if (input.packs.empty()) return;
  auto index = LocalIndex::write(path_, access_, input);
  input.chunks = {};
  writes_ = index.ok() && adopt(std::move(index).value()).ok();
  if (writes_) catalog_.chunks_ = std::move(left);
}

// ---- index segments ----

void CatalogLoader::load_indexes() {
  open_base();
  bool rebuild_needed = false;
  for (std::uint32_t i = 0; i < segments_.size(); ++i) {
    if (covered_[i]) continue;
    const auto done = read_index(i);
    if (!done.ok()) {
      writes_ = false;  // what follows is no beginning of the list
      catalog_.unread_.push_back({SegmentRef{segments_[i]}, done.error().code});
      rebuild_needed = true;
      findings_.notes.push_back({"index " + short_name(segments_[i]),
                                 done.error().message + "; it is rebuilt from the packs"});
    }
    if (writes_ && catalog_.chunks_.rows().size() >= kManyChunks) write_base();
  }
  const std::uint64_t based = catalog_.base_ ? catalog_.base_->index.chunks() : 0;
  if (writes_ && catalog_.chunks_.rows().size() >= std::max(kFewChunks, based / kShare))
    write_base();
  if (rebuild_needed && rebuild_ == Rebuild::kYes) rebuild_all();
}

Result<void> CatalogLoader::read_index(std::uint32_t position) {
  const PackId& id = segments_[position];
  const auto number = catalog_.pack_number(id);
  if (!number)
    return Error{Code::kCorrupt, "no key segment has the key of index " + short_name(id)};
  const Bytes plain = TRY(read_single_pack(cache_, access_, catalog_.pack_at(*number)));
  IndexSegment segment = TRY(wire::decode<IndexSegment>(plain));
  // A pack without a key cannot be read: its chunks count as missing.
  const bool whole = std::ranges::all_of(segment.packs, [&](const PackIndex& pack) {
    return catalog_.pack_number(pack.pack).has_value();
  });
  if (!whole) writes_ = false;
  for (PackIndex& pack : segment.packs) {
    const auto known = catalog_.pack_number(pack.pack);
    if (known && !catalog_.packs_[*known].indexed)
      catalog_.index(*known, std::move(pack.header), position);
  }
  covered_[position] = whole;
  if (!whole) catalog_.unread_.push_back({SegmentRef{id}, Code::kNotFound});
  return Ok{};
}

// ---- packs without an index ----

void CatalogLoader::rebuild_all() {
  for (std::uint32_t i = 0; i < catalog_.packs_.size(); ++i) {
    const PackEntry& entry = catalog_.packs_[i];
    const bool holds_content = entry.may_be(PackKind::kData) || entry.may_be(PackKind::kMeta);
    if (entry.indexed || !holds_content) continue;
    if (auto done = rebuild_from(i); !done.ok())
      findings_.problems.push_back(
          {"pack " + short_name(catalog_.packs_[i].id), done.error().message});
  }
}

Result<void> CatalogLoader::rebuild_from(std::uint32_t pack) {
  const OpenPack open = TRY(open_pack(cache_, access_, catalog_.packs_[pack], Fetch::kSealed));
  const PackKind kind = open.header().kind;
  if (kind == PackKind::kData || kind == PackKind::kMeta)
    catalog_.index(pack, open.header(), kNone);
  return Ok{};
}

Result<Catalog> Catalog::load(PackCache& cache, const VaultAccess& access,
                              const std::vector<SegmentRef>& key_segments,
                              const std::vector<PackId>& index_segments, Findings& findings,
                              Rebuild rebuild) {
  CatalogLoader loader(cache, access, index_segments, findings, rebuild);
  loader.load_keys(key_segments);
  loader.load_indexes();
  return loader.take();
}

}  // namespace holdfast::archive
